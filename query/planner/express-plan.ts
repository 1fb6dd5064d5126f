/**
 * The short way for equality on the only field of a unique index, {_id: value} above all: no tree, no candidates, no stages.
 */
import { BsonType, encodeIndexKey, FieldCursor, isEmpty, type RawValue } from '../../bson/index.ts';
import type { Interruption } from '../../common/interruption.ts';
import type { QueryContext } from '../context.ts';
import { ExpressExecutor, type ExpressLookup } from '../executor/express.ts';
import type { ExecutorStatistics, OpenOptions, PlanExecutor } from '../executor/plan-executor.ts';
import { collatorOf } from '../index-kind/collation.ts';
import { partialFilterOf } from '../index-kind/partial-filter.ts';
import { showPlan } from '../explain/show-plan.ts';
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
import { showKeyPattern } from './index-hint.ts';
import { isHidden } from './index-usability.ts';
import { pointInterval } from './interval.ts';
import { inputsOf, type PlanNode } from './plan-node.ts';
import type { RunningPlan } from './planner-services.ts';
import type { ExplainVerbosity, FindRequest, QueryPlan } from './query-plan.ts';
import { projectionFor } from './projection-cache.ts';
import { parseSort } from './sort-pattern.ts';

/** @returns undefined when the request is not just {path: value} with a unique index on the path. */
export function tryExpress(
  collection: CollectionDescription,
  request: FindRequest,
  context: QueryContext,
): ExpressPlan | undefined {
  cursor.reset(request.filter);
  if (!cursor.next()) return undefined;
  const index = cursor.nameIs('_id')
    ? idIndexOf(collection)
    : uniqueIndexOn(cursor.name, collection, context);
  if (index === undefined) return undefined;
  const value = cursor.value();
  if (cursor.next() || !isPlainEquality(value) || !isPlainRequest(request)) return undefined;
  if (context.collator !== undefined || collatorOf(index) !== undefined) return undefined;
  if (request.sort !== undefined) parseSort(request.sort); // One document needs no order, but a bad order is an error.
  const plan = new ExpressPlan(collection, index, value, request, context);
  return plan.isCoverable ? undefined : plan;
}

function idIndexOf({ indexes }: CollectionDescription): IndexDescription | undefined {
  const [index] = indexes;
  if (index === undefined || index.fields.length !== 1) return undefined;
  return index.name === '_id_' || isClustered(index) ? index : undefined;
}

/** Parts of paths that are numbers may be elements of arrays, which is for others to decide. */
const NUMERIC_PART = /(^|\.)\d+(\.|$)/;

/** An index that holds every document with a value at the path, under no other key. */
function uniqueIndexOn(
  path: string,
  { indexes, uuid }: CollectionDescription,
  { planner }: QueryContext,
): IndexDescription | undefined {
  if (indexes.length < 2) return undefined;
  const index = indexes.find(
    ({ unique, ready, fields }) =>
      unique && ready && fields.length === 1 && fields[0].path === path,
  );
  if (index === undefined || index.fields[0].kind !== 'ordered' || NUMERIC_PART.test(path)) {
    return undefined;
  }
  if (isHidden(index) || partialFilterOf(index) !== undefined) return undefined;
  return planner?.planCaches.hasFilters(uuid) === true ? undefined : index;
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

/** The summary is made only when somebody asks. */
class RunningLookup implements RunningPlan {
  readonly statistics: ExecutorStatistics;
  private readonly plan: ExpressPlan;

  constructor(plan: ExpressPlan, statistics: ExecutorStatistics) {
    this.plan = plan;
    this.statistics = statistics;
  }

  get summary(): string {
    return this.plan.summary;
  }

  get indexNames(): readonly string[] {
    return [this.plan.index.name];
  }

  execStats(): Buffer {
    const { keysExamined, docsExamined, yields } = this.statistics;
    const [candidate] = this.plan.asStages().parts.candidates;
    const counters = { advanced: docsExamined, keysExamined, docsExamined, isEOF: true };
    const node = candidate.node();
    const below = inputsOf(node);
    const run = [node, ...below].map((each) => [each, { counters, elapsedMs: 0, yields }] as const);
    return showPlan(node, { run: new Map(run) });
  }
}

export class ExpressPlan implements QueryPlan, ExpressLookup {
  readonly collection: CollectionDescription;
  readonly index: IndexDescription;
  readonly key: Buffer;
  readonly projection: Projection | undefined;
  private readonly value: RawValue;
  private readonly request: FindRequest;
  private readonly context: QueryContext;

  constructor(
    collection: CollectionDescription,
    index: IndexDescription,
    value: RawValue,
    request: FindRequest,
    context: QueryContext,
  ) {
    this.collection = collection;
    this.index = index;
    this.value = value;
    this.request = request;
    this.context = context;
    this.key = encodeIndexKey([value], [index.fields[0].direction]).key;
    this.projection = this.compiledProjection();
  }

  /** It looks one document up in one step: what takes longer needs a plan of stages. */
  get takesLong(): boolean {
    return this.projection?.usesScripts === true || this.projection?.longWork !== undefined;
  }

  /** The index of a path other than _id has all that is wanted: its plan of stages reads no document. */
  get isCoverable(): boolean {
    const { path } = this.index.fields[0];
    const needed = this.projection?.fieldsNeeded;
    return path !== '_id' && needed?.every((name) => name === path) === true;
  }

  get namespace(): string {
    return this.collection.namespace;
  }

  get summary(): string {
    if (isClustered(this.index)) return 'EXPRESS_CLUSTERED_IXSCAN';
    return `EXPRESS_IXSCAN ${showKeyPattern(this.index)}`;
  }

  open(view: ReadView, interruption: Interruption, options?: OpenOptions): PlanExecutor {
    const executor = new ExpressExecutor(this, view, interruption, options);
    const { planner, observer } = this.context;
    planner?.indexUsage.usedOne(this.index);
    observer?.planStarted(new RunningLookup(this, executor.statistics));
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
        bounds: [[pointInterval(this.value)]],
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
