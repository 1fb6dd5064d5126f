/**
 * The short way for {_id: value}: no tree, no candidates, no stages.
 */
import { BsonType, encodeIndexKey, FieldCursor, isEmpty, type RawValue } from '../../bson/index.ts';
import type { Interruption } from '../../common/interruption.ts';
import type { QueryContext } from '../context.ts';
import { ExpressExecutor, type ExpressLookup } from '../executor/express.ts';
import type { OpenOptions, PlanExecutor } from '../executor/plan-executor.ts';
import { collatorOf } from '../index-kind/collation.ts';
import { compileFilter } from '../matcher/compile.ts';
import type { Projection } from '../projection/projection.ts';
import type {
  CollectionDescription,
  IndexDescription,
  MaybePromise,
  ReadView,
} from '../../storage/index.ts';
import { isClustered } from './clustered-scan.ts';
import { FindPlan } from './find-plan.ts';
import { onlyCandidate } from './find-plan-parts.ts';
import { pointInterval } from './interval.ts';
import type { PlanNode } from './plan-node.ts';
import type { ExplainVerbosity, FindRequest, QueryPlan } from './query-plan.ts';
import { projectionFor } from './projection-cache.ts';
import { parseSort } from './sort-pattern.ts';

const ASCENDING = [1] as const;

/** @returns undefined when the request is not just {_id: value}. */
export function tryExpress(
  collection: CollectionDescription,
  request: FindRequest,
  context: QueryContext,
): ExpressPlan | undefined {
  const id = idOf(request.filter);
  if (id === undefined || !isPlainRequest(request)) return undefined;
  const index = collection.indexes[0];
  if (index === undefined || index.fields.length !== 1) return undefined;
  if (index.name !== '_id_' && !isClustered(index)) return undefined;
  if (context.collator !== undefined || collatorOf(index) !== undefined) return undefined;
  if (request.sort !== undefined) parseSort(request.sort); // One document needs no order, but a bad order is an error.
  return new ExpressPlan(collection, index, id, request, context);
}

/** The value of a filter that asks for nothing but equality on _id. */
function idOf(filter: Buffer): RawValue | undefined {
  cursor.reset(filter);
  if (!cursor.next() || !cursor.nameIs('_id')) return undefined;
  const value = cursor.value();
  if (cursor.next() || !isPlainEquality(value)) return undefined;
  return value;
}

/** Shared: it is through before anybody else asks. */
const cursor = new FieldCursor();

function isPlainEquality(value: RawValue): boolean {
  switch (value.type) {
    case BsonType.array:
    case BsonType.regex:
    case BsonType.null:
    case BsonType.undefined:
      return false;
    case BsonType.object: {
      const first = new FieldCursor(value.asDocument());
      return !first.next() || !first.name.startsWith('$');
    }
    default:
      return true;
  }
}

function isPlainRequest(request: FindRequest): boolean {
  return (
    request.hint === undefined &&
    request.min === undefined &&
    request.max === undefined &&
    (request.skip ?? 0) === 0 &&
    request.returnKey !== true &&
    request.tailable !== true &&
    (request.metadata ?? []).length === 0 &&
    request.showRecordId !== true
  );
}

export class ExpressPlan implements QueryPlan, ExpressLookup {
  readonly summary = 'EXPRESS';
  readonly collection: CollectionDescription;
  readonly index: IndexDescription;
  readonly key: Buffer;
  readonly projection: Projection | undefined;
  private readonly id: RawValue;
  private readonly request: FindRequest;
  private readonly context: QueryContext;

  constructor(
    collection: CollectionDescription,
    index: IndexDescription,
    id: RawValue,
    request: FindRequest,
    context: QueryContext,
  ) {
    this.collection = collection;
    this.index = index;
    this.id = id;
    this.request = request;
    this.context = context;
    this.key = encodeIndexKey([id], ASCENDING).key;
    this.projection = this.compiledProjection();
  }

  /** It looks one document up in one step: what takes longer needs a plan of stages. */
  get takesLong(): boolean {
    return this.projection?.usesScripts === true || this.projection?.longWork !== undefined;
  }

  get namespace(): string {
    return this.collection.namespace;
  }

  open(view: ReadView, interruption: Interruption, options?: OpenOptions): PlanExecutor {
    const executor = new ExpressExecutor(this, view, interruption, options);
    const { planner, observer } = this.context;
    planner?.indexUsage.usedOne(this.index);
    observer?.planStarted({ summary: this.summary, statistics: executor.statistics });
    return executor;
  }

  /** The index decides, unless its entry was cut: then the filter is compiled after all. */
  matches(document: Buffer): boolean {
    return compileFilter(this.request.filter, this.context).matches(document);
  }

  private compiledProjection(): Projection | undefined {
    const { request, context } = this;
    if (request.projection === undefined || isEmpty(request.projection)) return undefined;
    const projection = projectionFor(request.projection, context, () =>
      compileFilter(request.filter, context),
    );
    return projection.isIdentity ? undefined : projection;
  }

  explain(
    verbosity: ExplainVerbosity,
    view: ReadView,
    interruption: Interruption,
  ): MaybePromise<Buffer> {
    return this.asStages().explain(verbosity, view, interruption);
  }

  /** The same as stages, for explain. */
  asStages(): FindPlan {
    const { collection, context, index, key } = this;
    const filter = compileFilter(this.request.filter, context);
    const node: PlanNode = {
      stage: isClustered(index) ? 'EXPRESS_CLUSTERED_IXSCAN' : 'EXPRESS_IXSCAN',
      scan: {
        stage: 'IXSCAN',
        index,
        bounds: [[pointInterval(this.id)]],
        ranges: [{ lower: key, lowerInclusive: true, upper: key, upperInclusive: true }],
        direction: 1,
        keyBounds: undefined,
      },
      filter,
    };
    const winning: PlanNode =
      this.projection === undefined
        ? node
        : {
            stage: 'PROJECTION_SIMPLE',
            input: node,
            spec: this.request.projection!,
            projection: this.projection,
            filter: undefined,
          };
    return new FindPlan({
      candidates: onlyCandidate(winning, this.summary, [index]),
      collection,
      context,
      query: this.request.filter,
      filter,
      allowDiskUse: true,
      namespace: collection.namespace,
    });
  }
}
