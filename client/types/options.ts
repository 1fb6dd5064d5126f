/**
 * Options of operations. Names are the official driver's; what an option does is in MongoDB's manual of the command.
 */
import type { Document } from 'bson';
import type { ReadConcernLike } from '../concerns/read-concern.ts';
import type { ReadPreferenceLike } from '../concerns/read-preference.ts';
import type { WriteConcernOptions } from '../concerns/write-concern.ts';
import type { BSONSerializeOptions } from '../documents/bson-options.ts';
import type { ClientSession } from '../sessions/client-session.ts';
import type { Hint, Sort } from './sort.ts';

export interface Abortable {
  signal?: AbortSignal | undefined;
}

export interface CollationOptions {
  locale: string;
  caseLevel?: boolean;
  caseFirst?: string;
  strength?: number;
  numericOrdering?: boolean;
  alternate?: string;
  maxVariable?: string;
  backwards?: boolean;
  normalization?: boolean;
}

export const ExplainVerbosity = {
  queryPlanner: 'queryPlanner',
  queryPlannerExtended: 'queryPlannerExtended',
  executionStats: 'executionStats',
  allPlansExecution: 'allPlansExecution',
} as const;
export type ExplainVerbosity = string;
export type ExplainVerbosityLike = ExplainVerbosity | boolean;
export interface ExplainCommandOptions {
  verbosity: ExplainVerbosity;
  maxTimeMS?: number;
}

export interface OperationOptions extends BSONSerializeOptions, Abortable {
  session?: ClientSession | undefined;
  readPreference?: ReadPreferenceLike;
  willRetryWrite?: boolean;
  /** Milliseconds for the whole operation, retries included. */
  timeoutMS?: number;
}

export interface CommandOperationOptions extends OperationOptions, WriteConcernOptions {
  readConcern?: ReadConcernLike;
  collation?: CollationOptions;
  /** Milliseconds that the server may work on it. */
  maxTimeMS?: number;
  /** Shown in logs, profiles and currentOp. */
  comment?: unknown;
  dbName?: string;
  authdb?: string;
  rawData?: boolean;
  explain?: ExplainVerbosityLike | ExplainCommandOptions;
}

export const CursorTimeoutMode = { ITERATION: 'iteration', LIFETIME: 'cursorLifetime' } as const;
export type CursorTimeoutMode = (typeof CursorTimeoutMode)[keyof typeof CursorTimeoutMode];

export interface CursorOptions extends CommandOperationOptions {
  batchSize?: number;
  /** Milliseconds that a getMore waits for new documents of a tailable cursor. */
  maxAwaitTimeMS?: number;
  tailable?: boolean;
  awaitData?: boolean;
  noCursorTimeout?: boolean;
  timeoutMode?: CursorTimeoutMode;
}

export interface FindOptions extends CursorOptions {
  limit?: number;
  sort?: Sort;
  projection?: Document;
  skip?: number;
  hint?: Hint;
  min?: Document;
  max?: Document;
  returnKey?: boolean;
  showRecordId?: boolean;
  singleBatch?: boolean;
  allowDiskUse?: boolean;
  allowPartialResults?: boolean;
  oplogReplay?: boolean;
  let?: Document;
}

export type FindOneOptions = FindOptions;

export interface AggregateOptions extends CursorOptions {
  allowDiskUse?: boolean;
  bypassDocumentValidation?: boolean;
  cursor?: Document;
  hint?: Hint;
  let?: Document;
  out?: string;
}

export interface CountOptions extends CommandOperationOptions {
  skip?: number;
  limit?: number;
  hint?: Hint;
}
export interface CountDocumentsOptions extends AggregateOptions {
  skip?: number;
  limit?: number;
}
export type EstimatedDocumentCountOptions = CommandOperationOptions;
export interface DistinctOptions extends CommandOperationOptions {
  hint?: Hint;
}

export interface InsertOneOptions extends CommandOperationOptions {
  bypassDocumentValidation?: boolean;
  /** The server makes missing ids. */
  forceServerObjectId?: boolean;
}
export interface BulkWriteOptions extends InsertOneOptions {
  ordered?: boolean;
  let?: Document;
}
export interface UpdateOptions extends CommandOperationOptions {
  arrayFilters?: readonly Document[];
  bypassDocumentValidation?: boolean;
  hint?: Hint;
  upsert?: boolean;
  let?: Document;
  sort?: Sort;
}
export type ReplaceOptions = Omit<UpdateOptions, 'arrayFilters'>;
export interface DeleteOptions extends CommandOperationOptions {
  ordered?: boolean;
  hint?: Hint;
  let?: Document;
}

export const ReturnDocument = { BEFORE: 'before', AFTER: 'after' } as const;
export type ReturnDocument = (typeof ReturnDocument)[keyof typeof ReturnDocument];

export interface FindOneAndDeleteOptions extends CommandOperationOptions {
  hint?: Hint;
  projection?: Document;
  sort?: Sort;
  let?: Document;
  /** The whole reply instead of the document. */
  includeResultMetadata?: boolean;
}
export interface FindOneAndReplaceOptions extends FindOneAndDeleteOptions {
  bypassDocumentValidation?: boolean;
  returnDocument?: ReturnDocument;
  upsert?: boolean;
}
export interface FindOneAndUpdateOptions extends FindOneAndReplaceOptions {
  arrayFilters?: readonly Document[];
}

export interface CreateCollectionOptions extends CommandOperationOptions {
  capped?: boolean;
  autoIndexId?: boolean;
  size?: number;
  max?: number;
  flags?: number;
  storageEngine?: Document;
  validator?: Document;
  validationLevel?: string;
  validationAction?: string;
  indexOptionDefaults?: Document;
  viewOn?: string;
  pipeline?: readonly Document[];
  pkFactory?: unknown;
  timeseries?: Document;
  clusteredIndex?: Document;
  expireAfterSeconds?: number;
  encryptedFields?: Document;
  changeStreamPreAndPostImages?: { enabled: boolean };
}

export interface CreateIndexesOptions extends CommandOperationOptions {
  commitQuorum?: number | string;
  unique?: boolean;
  name?: string;
  partialFilterExpression?: Document;
  sparse?: boolean;
  expireAfterSeconds?: number;
  storageEngine?: Document;
  version?: number;
  weights?: Document;
  default_language?: string;
  language_override?: string;
  textIndexVersion?: number;
  '2dsphereIndexVersion'?: number;
  bits?: number;
  min?: number;
  max?: number;
  bucketSize?: number;
  wildcardProjection?: Document;
  hidden?: boolean;
  background?: boolean;
}
export type IndexDirection = '2d' | '2dsphere' | 'text' | 'geoHaystack' | 'hashed' | number;
export type IndexSpecification =
  | string
  | [string, IndexDirection]
  | { [key: string]: IndexDirection }
  | Map<string, IndexDirection>
  | readonly IndexSpecification[];
export interface IndexDescription extends Omit<
  CreateIndexesOptions,
  keyof CommandOperationOptions
> {
  key: { [key: string]: IndexDirection } | Map<string, IndexDirection>;
  collation?: CollationOptions;
}

export interface ListCollectionsOptions extends CursorOptions {
  nameOnly?: boolean;
  authorizedCollections?: boolean;
}
export interface ListDatabasesOptions extends CommandOperationOptions {
  filter?: Document;
  nameOnly?: boolean;
  authorizedDatabases?: boolean;
}
export interface RunCursorCommandOptions extends CommandOperationOptions {
  timeoutMode?: CursorTimeoutMode;
  cursorType?: 'tailable' | 'awaitData';
}
