/**
 * MongoDB's error codes, and the error classes that carry them.
 *
 * Owns: the one table from code name to number, the labels that a code implies, and the classes thrown across floors.
 * Promises: a name or number stands here once; a code without a name is written `Location<number>`, as MongoDB writes it.
 * Never: formats replies (server/command does).
 * Source: MongoDB's manual, "Error Codes".
 */

/** Code name to code number. */
export const ERROR_CODES = {
  InternalError: 1,
  BadValue: 2,
  NoSuchKey: 4,
  GraphContainsCycle: 5,
  HostUnreachable: 6,
  HostNotFound: 7,
  UnknownError: 8,
  FailedToParse: 9,
  FileNotOpen: 38,
  FileRenameFailed: 37,
  UserNotFound: 11,
  UnsupportedFormat: 12,
  Unauthorized: 13,
  TypeMismatch: 14,
  Overflow: 15,
  InvalidLength: 16,
  ProtocolError: 17,
  AuthenticationFailed: 18,
  IllegalOperation: 20,
  EmptyArrayOperation: 21,
  InvalidBSON: 22,
  AlreadyInitialized: 23,
  LockTimeout: 24,
  NamespaceNotFound: 26,
  IndexNotFound: 27,
  PathNotViable: 28,
  NonExistentPath: 29,
  RoleNotFound: 31,
  RolesNotRelated: 32,
  PrivilegeNotFound: 33,
  CannotBackfillArray: 34,
  UserModificationFailed: 35,
  ConflictingUpdateOperators: 40,
  CursorNotFound: 43,
  NoMatchingDocument: 47,
  NamespaceExists: 48,
  InvalidRoleModification: 49,
  MaxTimeMSExpired: 50,
  ManualInterventionRequired: 51,
  DollarPrefixedFieldName: 52,
  InvalidIdField: 53,
  NotSingleValueField: 54,
  InvalidDBRef: 55,
  EmptyFieldName: 56,
  DottedFieldName: 57,
  RoleModificationFailed: 58,
  CommandNotFound: 59,
  ShardKeyNotFound: 61,
  OplogOperationUnsupported: 62,
  WriteConcernTimeout: 64,
  MultipleErrorsOccurred: 65,
  ImmutableField: 66,
  CannotCreateIndex: 67,
  IndexAlreadyExists: 68,
  AuthSchemaIncompatible: 69,
  ShardNotFound: 70,
  ReplicaSetNotFound: 71,
  InvalidOptions: 72,
  InvalidNamespace: 73,
  NodeNotFound: 74,
  WriteConcernLegacyOK: 75,
  NoReplicationEnabled: 76,
  OperationIncomplete: 77,
  UnknownReplWriteConcern: 79,
  NoProgressMade: 82,
  IndexOptionsConflict: 85,
  IndexKeySpecsConflict: 86,
  CannotSplit: 87,
  NetworkTimeout: 89,
  CallbackCanceled: 90,
  ShutdownInProgress: 91,
  SecondaryAheadOfPrimary: 92,
  InvalidReplicaSetConfig: 93,
  NotYetInitialized: 94,
  NotSecondary: 95,
  OperationFailed: 96,
  DBPathInUse: 98,
  UnsatisfiableWriteConcern: 100,
  NewReplicaSetConfigurationIncompatible: 103,
  NodeNotElectable: 104,
  IncompatibleShardingMetadata: 105,
  ConfigurationInProgress: 109,
  WriteConflict: 112,
  InitialSyncFailure: 113,
  CommandNotSupported: 115,
  DocTooLargeForCapped: 116,
  ConflictingOperationInProgress: 117,
  NamespaceNotSharded: 118,
  InvalidSyncSource: 119,
  DocumentValidationFailure: 121,
  NotAReplicaSet: 123,
  CommandFailed: 125,
  FailedToSatisfyReadPreference: 133,
  ReadConcernMajorityNotAvailableYet: 134,
  StaleTerm: 135,
  CappedPositionLost: 136,
  JSInterpreterFailure: 139,
  InvalidSSLConfiguration: 140,
  SSLHandshakeFailed: 141,
  JSUncatchableError: 142,
  CursorInUse: 143,
  ExceededMemoryLimit: 146,
  ReadConcernMajorityNotEnabled: 148,
  StaleEpoch: 150,
  ChunkTooBig: 153,
  MaxStalenessOutOfRange: 160,
  ZoneStillInUse: 163,
  ViewDepthLimitExceeded: 165,
  CommandNotSupportedOnView: 166,
  OptionNotSupportedOnView: 167,
  InvalidPipelineOperator: 168,
  CommandOnShardedViewNotSupportedOnMongod: 169,
  TooManyMatchingDocuments: 170,
  CannotIndexParallelArrays: 171,
  TransportSessionClosed: 172,
  QueryPlanKilled: 175,
  ZoneNotFound: 177,
  RangeOverlapConflict: 178,
  AmbiguousIndexKeyPattern: 181,
  InvalidViewDefinition: 182,
  ClientMetadataMissingField: 183,
  ClientMetadataAppNameTooLarge: 184,
  ClientMetadataDocumentTooLarge: 185,
  ClientMetadataCannotBeMutated: 186,
  LinearizableReadConcernError: 187,
  PrimarySteppedDown: 189,
  FailPointEnabled: 192,
  NoShardingEnabled: 193,
  BalancerInterrupted: 194,
  ViewPipelineMaxSizeExceeded: 195,
  InvalidIndexSpecificationOption: 197,
  CannotBuildIndexKeys: 201,
  NetworkInterfaceExceededTimeLimit: 202,
  ShardingStateNotInitialized: 203,
  NoSuchSession: 206,
  InvalidUUID: 207,
  StaleClusterTime: 209,
  CannotVerifyAndSignLogicalTime: 210,
  KeyNotFound: 211,
  DatabaseDropPending: 215,
  IncompleteTransactionHistory: 217,
  IndexModified: 221,
  CloseChangeStream: 222,
  IllegalOpMsgFlag: 223,
  QueryFeatureNotAllowed: 224,
  TransactionTooOld: 225,
  CannotImplicitlyCreateCollection: 227,
  MaxSubPipelineDepthExceeded: 232,
  TooManyDocumentSequences: 233,
  RetryChangeStream: 234,
  InternalErrorNotSupported: 235,
  CursorKilled: 237,
  NotImplemented: 238,
  SnapshotTooOld: 239,
  ConversionFailure: 241,
  CannotCreateCollection: 242,
  SnapshotUnavailable: 246,
  StaleDbVersion: 249,
  StaleChunkHistory: 250,
  NoSuchTransaction: 251,
  TransactionCommitted: 256,
  TransactionTooLarge: 257,
  InvalidResumeToken: 260,
  TooManyLogicalSessions: 261,
  ExceededTimeLimit: 262,
  OperationNotSupportedInTransaction: 263,
  TooManyFilesOpen: 264,
  OrphanedRangeCleanUpFailed: 265,
  FailPointSetFailed: 266,
  PreparedTransactionInProgress: 267,
  CannotBackup: 268,
  MigrationConflict: 272,
  IndexBuildAborted: 276,
  ClientDisconnect: 279,
  ChangeStreamFatalError: 280,
  WouldChangeOwningShard: 283,
  IndexBuildAlreadyInProgress: 285,
  ChangeStreamHistoryLost: 286,
  ChecksumMismatch: 288,
  TransactionExceededLifetimeLimitSeconds: 290,
  NoQueryExecutionPlans: 291,
  QueryExceededMemoryLimitNoDiskUseAllowed: 292,
  DataCorruptionDetected: 301,
  ObjectIsBusy: 314,
  MovePrimaryInProgress: 319,
  APIVersionError: 322,
  APIStrictError: 323,
  APIDeprecationError: 324,
  MechanismUnavailable: 334,
  NoSuchReshardCollection: 339,
  APIMismatchError: 347,
  UnsupportedOpQueryCommand: 352,
  LoadBalancerSupportMismatch: 354,
  InvalidBSONType: 357,
  CannotConvertIndexToUnique: 359,
  CollectionUUIDMismatch: 361,
  TemporarilyUnavailable: 365,
  CannotDropShardKeyIndex: 370,
  UserWritesBlocked: 371,
  TransactionTooLargeForCache: 388,
  ReauthenticationRequired: 391,
  CannotCreateChunkDistribution: 405,
  QueryRejectedBySettings: 411,
  SocketException: 9001,
  LegacyNotPrimary: 10058,
  NotWritablePrimary: 10107,
  BSONObjectTooLarge: 10334,
  DuplicateKey: 11000,
  InterruptedAtShutdown: 11600,
  Interrupted: 11601,
  InterruptedDueToReplStateChange: 11602,
  BackgroundOperationInProgressForDatabase: 12586,
  BackgroundOperationInProgressForNamespace: 12587,
  MergeStageNoMatchingDocument: 13113,
  DatabaseDifferCase: 13297,
  StaleConfig: 13388,
  NotPrimaryNoSecondaryOk: 13435,
  NotPrimaryOrSecondary: 13436,
  OutOfDiskSpace: 14031,
  SearchNotEnabled: 31082,
  IDLDuplicateField: 40413,
  IDLFailedToParse: 40414,
  IDLUnknownField: 40415,
} as const;

export type ErrorCodeName = keyof typeof ERROR_CODES;

const NAMES_BY_CODE: ReadonlyMap<number, string> = new Map(
  Object.entries(ERROR_CODES).map(([name, code]) => [code, name]),
);

/** The name of a code; `Location<code>` for a code without a name of its own. */
export function codeNameOf(code: number): string {
  return NAMES_BY_CODE.get(code) ?? `Location${code}`;
}

/** What an error carries besides code and message. */
export interface CommandErrorOptions {
  /** Labels for the reply's errorLabels, such as TransientTransactionError. */
  readonly labels?: readonly string[];
  /** Further fields of the error reply or write error, such as keyPattern and keyValue. Plain values for the npm package bson. */
  readonly fields?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

/** The client asked for something wrong, or the operation was interrupted: becomes an error reply. */
export class CommandError extends Error {
  readonly code: number;
  readonly labels: readonly string[];
  readonly fields: Readonly<Record<string, unknown>>;

  /** @param code a name of ERROR_CODES, or the number of a code that has no name. */
  constructor(code: ErrorCodeName | number, message: string, options: CommandErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'CommandError';
    this.code = typeof code === 'number' ? code : ERROR_CODES[code];
    this.labels = options.labels ?? [];
    this.fields = options.fields ?? {};
  }

  get codeName(): string {
    return codeNameOf(this.code);
  }
}

/** What is wrong with bytes read back from a device. */
export type CorruptionKind =
  'checksum' | 'lostWrite' | 'misdirectedWrite' | 'foreign' | 'missing' | 'older' | 'malformed';

/** Stored bytes are not what was written. Detected, named, and never returned as data. */
export class CorruptionError extends Error {
  readonly kind: CorruptionKind;
  /** The part of the store, such as "page", "journal batch", "superblock". */
  readonly part: string;
  /** What is wrong, without part and kind. */
  readonly detail: string;
  /** Within the data directory, where known. */
  readonly file: string | undefined;
  /** Bytes from the file's beginning, where known. */
  readonly offset: number | undefined;

  constructor(
    kind: CorruptionKind,
    part: string,
    message: string,
    options: CorruptionOptions = {},
  ) {
    const { cause, file, offset } = options;
    super(`${part}: ${message} (${kind})`, cause === undefined ? undefined : { cause });
    this.name = 'CorruptionError';
    this.kind = kind;
    this.part = part;
    this.detail = message;
    this.file = file;
    this.offset = offset;
  }
}

export interface CorruptionOptions {
  readonly cause?: unknown;
  readonly file?: string | undefined;
  readonly offset?: number | undefined;
}

/** A device refused or failed a request. `errno` is the system's name, such as EIO or ENOSPC. */
export class DeviceError extends Error {
  readonly errno: string;

  constructor(errno: string, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'DeviceError';
    this.errno = errno;
  }
}

/** A peer went away, or answered what the protocol does not allow. */
export class NetworkError extends Error {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'NetworkError';
  }
}
