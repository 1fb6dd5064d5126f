/**
 * The door of the query floor: compile filters, updates, projections and expressions; plan finds and pipelines; run plans.
 */
export { evaluateInSlices } from './executor/watched-rows.ts';
export { type LongWork, needsWatch } from './expression/long-work.ts';
export { planInSlices } from './long-steps.ts';
export { Scripts } from './script/scripts.ts';
export { ScriptsNeeded, type ScriptTrial } from './script/script-session.ts';
export { ScriptThreads } from './script/script-threads.ts';
export {
  NO_VARIABLES,
  simpleContext,
  type Ownership,
  type QueryContext,
  type Variables,
} from './context.ts';
export { compileFilter, compileQueryFilter } from './matcher/compile.ts';
export { explainFailure } from './matcher/explain-failure.ts';
export type { Filter } from './matcher/filter.ts';
export type { FilterNode } from './matcher/tree.ts';
export { isMergeable } from './accumulator/registry.ts';
export { compileUpdate } from './stage/update-with-pipelines.ts';
export type { Update, UpdateOptions } from './update/update.ts';
export type { Projection } from './projection/projection.ts';
export { withMetadata } from './document-metadata.ts';
export { collectMetadata } from './metadata-needed.ts';
export { compileProjection } from './projection/compile.ts';
export { compileExpression } from './expression/compile.ts';
export type { Expression } from './expression/expression.ts';
export { Scope } from './expression/scope.ts';
export { compileCollation } from './collation/collation.ts';
export type { IndexKind, IndexRequest } from './index-kind/index-kind.ts';
export { indexKeyGenerator, VERSIONED_KEYS } from './index-kind/key-generators.ts';
export { checkPartialFilter, partialFilterOf } from './index-kind/partial-filter.ts';
export { indexKindNamed, kindNameOf } from './index-kind/registry.ts';
export { resolveView } from './planner/resolve-view.ts';
export { involvedNamespaces, outputNamespace, stagesOf } from './planner/involved-namespaces.ts';
export { checkPipeline, planAggregate } from './planner/plan-aggregate.ts';
export { collectDistinct } from './planner/plan-distinct.ts';
export { findAsPipeline, planCount, planDistinct, planQuery } from './planner/plan-query.ts';
export type { AggregateRequest } from './planner/aggregate-request.ts';
export type {
  CountPlan,
  CountRequest,
  DistinctPlan,
  DistinctRequest,
  ExplainVerbosity,
  FindRequest,
  QueryPlan,
} from './planner/query-plan.ts';
export {
  createPlannerServices,
  type IntersectionRule,
  type PlannerServices,
  type PlanObserver,
  type RunningPlan,
} from './planner/planner-services.ts';
export type { ExecutorStatistics, OpenOptions, PlanExecutor } from './executor/plan-executor.ts';
export type { SpillFile, SpillSpace } from './spill/spill-space.ts';
export { eventLoopTurns, Scheduler, type TurnClient } from './executor/yielding.ts';
export type { OutputWriter, PipelineHost } from './stage/host.ts';
export { BucketBuilder, bucketStartMs, timeOfMeasurement } from './timeseries/bucket-builder.ts';
export { bucketFilterOf, type BucketFilter } from './timeseries/bucket-filter.ts';
export {
  bucketHint,
  bucketKeyPattern,
  indexesMeasurements,
  isTimePattern,
  measurementKeyPattern,
  partialBucketFilter,
} from './timeseries/bucket-indexes.ts';
export { metaFilter } from './timeseries/meta-filter.ts';
export {
  bucketParts,
  countOfBucket,
  idSecondsOf,
  timesOfBucket,
} from './timeseries/bucket-layout.ts';
export {
  bucketsNamespace,
  GRANULARITIES,
  type Granularity,
  namespaceOfBuckets,
  roundingOfGranularity,
  spanOfGranularity,
  timeseriesDocument,
  timeseriesOptionsOf,
  type TimeseriesOptions,
  unpackPipeline,
} from './timeseries/options.ts';
export { bucketProblem } from './timeseries/check-bucket.ts';
export { decompressedBucket } from './timeseries/decompressed-bucket.ts';
export { BucketUnpacker } from './timeseries/bucket-unpacker.ts';
export { normalizedMeta, seriesKey } from './timeseries/series-key.ts';
export type { CachedPlan, CachedQuery, IndexFilter } from './planner/plan-cache.ts';
export { shapeOf } from './planner/query-shape.ts';
export { explainWrite } from './planner/explain-write.ts';
