/**
 * The door of server/ for the floors of a cluster, router/ and config-server/: what they build their commands of.
 *
 * Apart from index.ts, because it brings the whole server along: `--help` and a program that waits for its disk go without.
 */
export { CommandTable } from './command/command-table.ts';
export {
  defineCommand,
  type Command,
  type CommandTraits,
  type Route,
} from './command/define-command.ts';
export { indexHintsIn } from './sharding/index-hints.ts';
export { isGenericArgument, parseRequest } from './command/generic-arguments.ts';
export { checkWritable } from './catalog/namespace.ts';
export { BulkWriteReplies } from './commands/crud/bulk-write-replies.ts';
export { type BulkOperation, parseOperation } from './commands/crud/bulk-write-operations.ts';
export { parseBulkWrite } from './commands/crud/bulkWrite.ts';
export { parseDeleteRequest } from './commands/crud/delete.ts';
export { type FindAndModifyRequest, parseFindAndModify } from './commands/crud/findAndModify.ts';
export { md5OfChunks, parseFilemd5 } from './commands/crud/filemd5.ts';
export { matchingOperations, parseCurrentOp } from './commands/diagnostics/currentOp.ts';
export { openPlan } from './commands/crud/find.ts';
export { mapReduceOver, parseMapReduce } from './commands/crud/mapReduce.ts';
export { parseDistinct } from './commands/crud/distinct.ts';
export { parseFind as parseFindRequest } from './commands/crud/find.ts';
export { parseAggregate } from './commands/crud/aggregate.ts';
export { pipelineHost } from './commands/crud/server-sources.ts';
export { queryContext } from './commands/crud/query-context.ts';
export { compileStatementUpdate } from './commands/crud/statement.ts';
export { parseUpdateRequest } from './commands/crud/update.ts';
export {
  appendWriteErrors,
  checkBatchCount,
  parseWriteOptions,
  type WriteError,
} from './commands/crud/write-batch.ts';
export { parseReadConcern } from './command/read-concern.ts';
export { checkWriteConcern, parseWriteConcern } from './command/write-concern.ts';
export type { ClusterParameters } from './options/cluster-parameters.ts';
export { nestedBody } from './command/nested-body.ts';
export { replyDocument, type ReplyBody, type ReplyFields } from './command/reply.ts';
export { type CursorProducer, type CursorReader } from './cursors/cursor-registry.ts';
export { DocumentListProducer, firstBatch } from './cursors/first-batch.ts';
export { OperationContext } from './operation/operation-context.ts';
export { parseHost, Peers, type AskOptions, type FindOptions } from './sharding/peers.ts';
export {
  readRouting,
  uuidValue,
  type CollectionRouting,
  type ReadMetadata,
} from './sharding/routing.ts';
export {
  collectionFromDocument,
  databaseFromDocument,
  shardFromDocument,
  type CollectionEntry,
  type DatabaseEntry,
  type ShardEntry,
} from './sharding/catalog-entries.ts';
export { chunkFromDocument, makeChunk, type Chunk } from './sharding/chunk.ts';
export { ChunkMap, type KeyTextRange } from './sharding/chunk-map.ts';
export { pauseAtStep } from './sharding/migration-steps.ts';
export { untilDone } from './sharding/until-done.ts';
export { DatabaseVersion } from './sharding/database-version.ts';
export {
  ABOVE_ALL_KEYS,
  BELOW_ALL_KEYS,
  ShardKeyPattern,
  textAfter,
  type KeyText,
  type ShardKey,
} from './sharding/shard-key-pattern.ts';
export {
  comparePlacements,
  placementOf,
  placementValue,
  ShardVersion,
  timestampOf,
  timestampOfBigInt,
  type CollectionGeneration,
  type Placement,
} from './sharding/shard-version.ts';
export {
  staleConfigError,
  staleDbVersionError,
  type StaleConfig,
} from './sharding/stale-errors.ts';
