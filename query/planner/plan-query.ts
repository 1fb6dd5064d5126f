/**
 * Plans what commands ask of a collection or a view: find, count, distinct. On a view each becomes a pipeline.
 */
import { documentOf, getField, isEmpty, stringValue } from '../../bson/index.ts';
import type { Interruption } from '../../common/interruption.ts';
import { ownershipOf, type QueryContext } from '../context.ts';
import type { OpenOptions } from '../executor/plan-executor.ts';
import type { CollectionDescription, MaybePromise, ReadView } from '../../storage/index.ts';
import { planAggregate } from './plan-aggregate.ts';
import { planCollectionCount } from './plan-count.ts';
import { planDistinctScans } from './distinct-scans.ts';
import { distinctOver } from './plan-distinct.ts';
import { planFind } from './plan-find.ts';
import type {
  CountPlan,
  CountRequest,
  DistinctPlan,
  DistinctRequest,
  ExplainVerbosity,
  FindRequest,
  QueryPlan,
} from './query-plan.ts';

/**
 * @param view where a view's source is looked up; the plan itself is opened in any view.
 * @param collection undefined when the namespace does not exist.
 */
export function planQuery(
  view: ReadView,
  collection: CollectionDescription | undefined,
  request: FindRequest,
  context: QueryContext,
): QueryPlan {
  if (!isView(collection)) return planFind(view, collection, request, context);
  return planAggregate(
    view,
    collection,
    {
      pipeline: findAsPipeline(request),
      namespace: collection.namespace,
      ...(request.hint === undefined ? {} : { hint: request.hint }),
    },
    context,
  );
}

/** A view, or a time series: its documents are made by a pipeline. */
function isView(
  collection: CollectionDescription | undefined,
): collection is CollectionDescription & { readonly kind: 'view' | 'timeseries' } {
  return collection !== undefined && collection.kind !== 'collection';
}

/** What a find says, as stages. */
export function findAsPipeline(
  request: Pick<FindRequest, 'filter' | 'sort' | 'skip' | 'limit' | 'projection'>,
): Buffer[] {
  const stages: Buffer[] = [];
  if (!isEmpty(request.filter)) stages.push(documentOf({ $match: request.filter }));
  if (request.sort !== undefined && !isEmpty(request.sort)) {
    stages.push(documentOf({ $sort: request.sort }));
  }
  if ((request.skip ?? 0) > 0) stages.push(documentOf({ $skip: request.skip }));
  if ((request.limit ?? 0) > 0) stages.push(documentOf({ $limit: request.limit }));
  if (request.projection !== undefined && !isEmpty(request.projection)) {
    stages.push(documentOf({ $project: request.projection }));
  }
  return stages;
}

export function planCount(
  view: ReadView,
  collection: CollectionDescription | undefined,
  request: CountRequest,
  context: QueryContext,
): CountPlan {
  if (collection !== undefined && ownershipOf(context, collection.namespace) !== undefined) {
    return new FindCount(planFind(view, collection, request, context));
  }
  if (!isView(collection)) return planCollectionCount(view, collection, request, context);
  const stages = findAsPipeline({
    filter: request.filter,
    ...(request.skip === undefined ? {} : { skip: request.skip }),
    ...(request.limit === undefined ? {} : { limit: request.limit }),
  });
  stages.push(documentOf({ $count: stringValue('count') }));
  const { namespace } = collection;
  const { hint } = request;
  const pipeline = { pipeline: stages, namespace, ...(hint === undefined ? {} : { hint }) };
  return new ViewCount(planAggregate(view, collection, pipeline, context));
}

/** Counts the documents that a find gives. */
class FindCount implements CountPlan {
  private readonly plan: QueryPlan;

  constructor(plan: QueryPlan) {
    this.plan = plan;
  }

  get summary(): string {
    return this.plan.summary;
  }

  async count(view: ReadView, interruption: Interruption, options?: OpenOptions): Promise<number> {
    const executor = this.plan.open(view, interruption, { ...options, inPlace: true });
    try {
      let count = 0;
      for (let next = executor.next(); ; next = executor.next()) {
        const document = next instanceof Promise ? await next : next;
        if (document === undefined) return count;
        count += 1;
      }
    } finally {
      executor.close();
    }
  }

  explain(
    verbosity: ExplainVerbosity,
    view: ReadView,
    interruption: Interruption,
  ): MaybePromise<Buffer> {
    return this.plan.explain(verbosity, view, interruption);
  }
}

/** The count that a pipeline ending in $count gives; no document means 0. */
class ViewCount implements CountPlan {
  private readonly plan: QueryPlan;

  constructor(plan: QueryPlan) {
    this.plan = plan;
  }

  get summary(): string {
    return this.plan.summary;
  }

  async count(view: ReadView, interruption: Interruption, options?: OpenOptions): Promise<number> {
    const executor = this.plan.open(view, interruption, options);
    try {
      const document = await executor.next();
      return document === undefined ? 0 : (getField(document, 'count')?.asNumber() ?? 0);
    } finally {
      executor.close();
    }
  }

  explain(
    verbosity: ExplainVerbosity,
    view: ReadView,
    interruption: Interruption,
  ): MaybePromise<Buffer> {
    return this.plan.explain(verbosity, view, interruption);
  }
}

export function planDistinct(
  view: ReadView,
  collection: CollectionDescription | undefined,
  request: DistinctRequest,
  context: QueryContext,
): DistinctPlan {
  const { filter, hint, namespace } = request;
  const scans =
    collection?.kind === 'collection' && ownershipOf(context, collection.namespace) === undefined
      ? planDistinctScans(view, collection, request, context)
      : undefined;
  const source =
    scans ??
    planQuery(
      view,
      collection,
      {
        filter,
        ...(hint === undefined ? {} : { hint }),
        ...(namespace === undefined ? {} : { namespace }),
      },
      context,
    );
  return distinctOver(source, request, context);
}
