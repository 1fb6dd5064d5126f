/**
 * Plans a pipeline: resolves views, parses and optimises the stages, and gives their beginning to the find planner.
 */
import { EMPTY_DOCUMENT } from '../../bson/index.ts';
import type { QueryContext } from '../context.ts';
import { parsePipeline } from '../stage/pipeline.ts';
import type { CollectionDescription, ReadView } from '../../storage/index.ts';
import { AggregatePlan } from './aggregate-plan.ts';
import type { AggregateRequest } from './aggregate-request.ts';
import { leadingFind, optimizePipeline } from './optimize-pipeline.ts';
import { planFind } from './plan-find.ts';
import type { QueryPlan } from './query-plan.ts';
import { databaseOf, resolveView } from './resolve-view.ts';
import { optimizeUnpacking } from './time-series.ts';

/** The collection's place in the namespace of a pipeline that has none ({aggregate: 1}). */
const COLLECTIONLESS = '.$cmd.aggregate';

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
  const pipeline = [...resolved.pipeline, ...request.pipeline];
  const parsed = parsePipeline(pipeline, context, {
    database: databaseOf(namespace),
    namespace,
    withoutCollection: namespace.endsWith(COLLECTIONLESS),
  });
  const common = {
    request,
    namespace,
    collection: resolved.collection,
    context,
    planPipeline: planAggregate,
  };
  const stages = optimizeUnpacking(optimizePipeline(parsed, context), context);
  if (stages[0]?.isSource === true)
    return new AggregatePlan({ ...common, find: undefined, stages });
  const leading = leadingFind(stages);
  const find = planFind(
    view,
    resolved.collection,
    {
      filter: leading.filter ?? EMPTY_DOCUMENT,
      skip: leading.skip,
      limit: leading.limit,
      namespace,
      ...(leading.sort === undefined ? {} : { sort: leading.sort }),
      ...(request.hint === undefined ? {} : { hint: request.hint }),
      ...(request.allowDiskUse === undefined ? {} : { allowDiskUse: request.allowDiskUse }),
      withoutDocuments: leading.rest[0]?.pathsNeeded?.size === 0,
    },
    context,
  );
  return new AggregatePlan({ ...common, find, stages: leading.rest });
}
