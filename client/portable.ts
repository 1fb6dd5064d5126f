/**
 * What the SDK gives on every platform: all of its names but the client itself, GridFS and servers for tests.
 *
 * Nothing that is reached from here needs a module of Node.
 */
export {
  Binary,
  BSON,
  BSONRegExp,
  BSONSymbol,
  BSONValue,
  Code,
  DBRef,
  Decimal128,
  deserialize,
  Double,
  EJSON,
  Int32,
  Long,
  MaxKey,
  MinKey,
  ObjectId,
  serialize,
  Timestamp,
  UUID,
  type DeserializeOptions,
  type Document,
  type EJSONOptions,
  type ObjectIdLike,
  type SerializeOptions,
} from 'bson';
export { Admin } from './admin.ts';
export * from './bulk/bulk-result.ts';
export * from './bulk/client-bulk-write.ts';
export * from './bulk/collection-bulk.ts';
export type {
  AnyBulkWriteOperation,
  DeleteManyModel,
  DeleteOneModel,
  InsertOneModel,
  ReplaceOneModel,
  UpdateManyModel,
  UpdateOneModel,
} from './bulk/write-models.ts';
export { BaseClient } from './client.ts';
export { Collection } from './collection.ts';
export * from './concerns/read-concern.ts';
export * from './concerns/read-preference.ts';
export * from './concerns/write-concern.ts';
export { AbstractCursor, CURSOR_FLAGS, type CursorFlag } from './cursors/abstract-cursor.ts';
export { AggregationCursor } from './cursors/aggregation-cursor.ts';
export * from './cursors/change-stream.ts';
export { ExplainableCursor } from './cursors/explainable-cursor.ts';
export { FindCursor } from './cursors/find-cursor.ts';
export * from './cursors/list-cursors.ts';
export { RunCommandCursor } from './cursors/run-command-cursor.ts';
export { Db, ProfilingLevel, type CollectionOptions, type DbOptions } from './db.ts';
export type { BSONSerializeOptions } from './documents/bson-options.ts';
export * from './errors/driver-errors.ts';
export * from './errors/mongo-error.ts';
export * from './errors/network-errors.ts';
export {
  CommandFailedEvent,
  CommandStartedEvent,
  CommandSucceededEvent,
} from './events/command-events.ts';
export * from './events/pool-events.ts';
export * from './events/server-events.ts';
export { runDocumentCommand, type DocumentCommand } from './operations/document-command.ts';
export type { MongoClientOptions } from './options/client-options.ts';
export { HostAddress } from './options/connection-string.ts';
export { AuthMechanism } from './options/credentials.ts';
export type { PkFactory, ServerApi } from './options/parse-options.ts';
export * from './sessions/client-session.ts';
export type { TransactionOptions } from './sessions/transaction.ts';
export { ServerType, TopologyType } from './transport/contract.ts';
export * from './types/filter.ts';
export * from './types/options.ts';
export * from './types/projection.ts';
export * from './types/results.ts';
export type {
  EnhancedOmit,
  Flatten,
  InferIdType,
  OptionalId,
  OptionalUnlessRequiredId,
  WithId,
  WithoutId,
} from './types/schema.ts';
export type { Hint, Sort, SortDirection } from './types/sort.ts';
export type * from './types/update.ts';
export { MongoBulkWriteError as FlintBulkWriteError } from './bulk/bulk-result.ts';
export {
  MongoDriverError as FlintDriverError,
  MongoOperationTimeoutError as FlintTimeoutError,
} from './errors/driver-errors.ts';
export {
  MongoError as FlintError,
  MongoServerError as FlintServerError,
  MongoServerSelectionError as FlintServerSelectionError,
  MongoWriteConcernError as FlintWriteConcernError,
} from './errors/mongo-error.ts';
export {
  MongoNetworkError as FlintNetworkError,
  MongoNetworkTimeoutError as FlintNetworkTimeoutError,
} from './errors/network-errors.ts';

/** The versions of the stable API that a client can ask for. */
export const ServerApiVersion = { v1: '1' } as const;
export type ServerApiVersion = (typeof ServerApiVersion)[keyof typeof ServerApiVersion];
export const Compressor = { none: 0, snappy: 1, zlib: 2, zstd: 3 } as const;
export type Compressor = (typeof Compressor)[keyof typeof Compressor];
