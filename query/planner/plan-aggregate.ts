/**
 * Plans a pipeline: resolves views, parses and optimises the stages, and gives their beginning to the find planner.
 */
import { EMPTY_DOCUMENT, firstFieldName } from '../../bson/index.ts';
import { uassert } from '../../common/assert.ts';
import { ownershipOf, type QueryContext } from '../context.ts';
import { collectMetadata } from '../metadata-needed.ts';
import type { PipelineStage } from '../stage/definition.ts';
import { parsePipeline } from '../stage/pipeline.ts';
import type { CollectionDescription, ReadView } from '../../storage/index.ts';
import { bucketHint } from '../timeseries/bucket-indexes.ts';
import { AggregatePlan } from './aggregate-plan.ts';
import { geoNearFilter } from './geo-near-find.ts';
import type { AggregateRequest } from './aggregate-request.ts';
import { leadingFind, optimizePipeline } from './optimize-pipeline.ts';
import { planGroupScans } from './group-scans.ts';
import { keepsIndexOrder, orderedBuckets } from './ordered-buckets.ts';
import { planFind } from './plan-find.ts';
import { fieldsNeeded } from './fields-needed.ts';
import type { FindRequest, QueryPlan } from './query-plan.ts';
import { databaseOf, resolveView } from './resolve-view.ts';
import { optimizeUnpacking, withShownIndexes } from './time-series.ts';

/** The collection's place in the namespace of a pipeline that has none ({aggregate: 1}). */
const COLLECTIONLESS = '.$cmd.aggregate';

/** Sources that tell about a collection as it is stored. */
const STATISTICS: ReadonlySet<string> = new Set(['$collStats', '$indexStats', '$planCacheStats']);

/** Whether a pipeline on a time series is about its buckets. @throws CommandError for a source that none has */
function readsStatistics({ pipeline: [first], namespace }: AggregateRequest): boolean {
  const name = first === undefined ? undefined : firstFieldName(first);
  uassert(
    name !== '$changeStream',
    'CommandNotSupportedOnView',
    `Namespace ${namespace} is a timeseries collection`,
  );
  return name !== undefined && STATISTICS.has(name);
}

/**
 * @param collection undefined when the namespace does not exist, or names no collection.
 * @throws CommandError for whatever is wrong with the pipeline.
 */
export function planAggregate(
  view: ReadView,
  collection: CollectionDescription | undefined,
  request: AggregateRequest,
  context: QueryContext,
): QueryPlan {
  const resolved = resolveView(view, collection, request.namespace);
  const { namespace } = resolved;
  const { timeseries } = resolved;
  // Statistics are about the buckets themselves.
  const isAboutBuckets = timeseries !== undefined && readsStatistics(request);
  const pipeline = isAboutBuckets ? request.pipeline : [...resolved.pipeline, ...request.pipeline];
  const parsed = parsePipeline(pipeline, context, {
    database: databaseOf(namespace),
    namespace,
    withoutCollection: namespace.endsWith(COLLECTIONLESS),
  });
  checkTextPlace(parsed);
  const metadata = new Set<string>();
  for (const stage of pipeline) collectMetadata(stage, metadata);
  const common = {
    request,
    namespace,
    collection: resolved.collection,
    context,
    planPipeline: planAggregate,
    metadata,
  };
  const options = {
    namespace,
    ...(request.hint === undefined
      ? {}
      : { hint: timeseries === undefined ? request.hint : bucketHint(request.hint, timeseries) }),
    ...(request.allowDiskUse === undefined ? {} : { allowDiskUse: request.allowDiskUse }),
  };
  const shown =
    isAboutBuckets && timeseries !== undefined ? withShownIndexes(parsed, timeseries) : parsed;
  const stages = optimizeUnpacking(optimizePipeline(shown, context), context);
  if (stages[0]?.isSource === true)
    return new AggregatePlan({ ...common, find: undefined, stages });
  const first = stages[0]?.nature;
  if (first?.kind === 'geoNear') {
    const filter = geoNearFilter(first.search, resolved.collection, namespace);
    const names = [...metadata, 'geoNearDistance', 'geoNearPoint'];
    const find = planFind(
      view,
      resolved.collection,
      { filter, metadata: names, ...options },
      context,
    );
    return new AggregatePlan({ ...common, find, stages });
  }
  const leading = leadingFind(stages);
  const filter = leading.filter ?? EMPTY_DOCUMENT;
  if (timeseries !== undefined && request.hint === undefined) {
    const ordered = orderedBuckets(resolved.collection, filter, leading.rest, context);
    if (ordered !== undefined) {
      const { sort, hint } = ordered;
      const find = planFind(view, resolved.collection, { filter, ...options, sort, hint }, context);
      if (keepsIndexOrder(find))
        return new AggregatePlan({ ...common, find, stages: ordered.stages });
    }
  }
  const [next, ...behind] = leading.rest;
  const isWhole = leading.skip === 0 && leading.limit === 0 && metadata.size === 0;
  if (
    next !== undefined &&
    isWhole &&
    resolved.collection?.kind === 'collection' &&
    ownershipOf(context, resolved.collection.namespace) === undefined
  ) {
    const grouped = { filter, sort: leading.sort, hint: request.hint, stage: next };
    const scans = planGroupScans(view, resolved.collection, grouped, context);
    if (scans !== undefined) {
      return new AggregatePlan({ ...common, find: scans.find, stages: [scans.group, ...behind] });
    }
  }
  const find = planFind(
    view,
    resolved.collection,
    {
      filter,
      skip: leading.skip,
      limit: leading.limit,
      ...(leading.sort === undefined ? {} : { sort: leading.sort }),
      metadata: [...metadata],
      ...options,
      withoutDocuments: leading.rest[0]?.pathsNeeded?.size === 0,
      ...(timeseries === undefined && metadata.size === 0
        ? fieldsWantedBy(leading.rest, context)
        : {}),
    },
    context,
  );
  return new AggregatePlan({ ...common, find, stages: leading.rest });
}

/** Stages that copy or hold the documents that they are given. */
const COPYING: ReadonlySet<string> = new Set(['$unwind', '$sort', '$addFields', '$set']);

function fieldsWantedBy(
  stages: readonly PipelineStage[],
  context: QueryContext,
): Pick<FindRequest, 'fieldsWanted'> {
  const names = fieldsNeeded(stages, context);
  if (names === undefined || names.size === 0) return {};
  return { fieldsWanted: { names, pays: COPYING.has(stages[0]?.name ?? '') } };
}

/** Where it stands is asked before stages are moved. @throws CommandError 17313 */
function checkTextPlace(stages: readonly PipelineStage[]): void {
  const place = stages.findIndex(({ nature }) => nature.kind === 'match' && nature.hasText);
  uassert(place <= 0, 17313, '$match with $text is only allowed as the first pipeline stage');
}

/**
 * Finds mistakes in a pipeline that is kept for later (a view's), whatever collections and indexes there are then.
 * @param namespace that it will run on. @throws CommandError for whatever is wrong with the pipeline.
 */
export function checkPipeline(
  pipeline: readonly Buffer[],
  namespace: string,
  context: QueryContext,
): void {
  const parsed = parsePipeline(pipeline, context, { database: databaseOf(namespace), namespace });
  checkTextPlace(parsed);
}
