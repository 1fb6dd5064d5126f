/**
 * The cases that a right server does not pass with this driver, each with the sentence of the specification or the gap in the
 * driver (mongodb 7.8) that excuses it.
 *
 * An excused case that passes is a mistake in this table: the excuse has to go.
 */
import type { SuiteName } from './suite-names.ts';

/** Cases of one file that one reason excuses. */
interface Excuse {
  readonly suite: SuiteName;
  readonly file: string;
  readonly reason: string;
  /** Descriptions of the cases. */
  readonly cases: readonly string[];
}

const NO_CLIENT_SIDE_TIMEOUT =
  'The driver has no client-side operation timeout any more. Its own words: “`timeoutMS` has no effect and will be removed in a future release” (its src/mongo_client.ts).';

const EQ_IN_GRIDFS =
  'The case is older than the GridFS specification, which the driver follows: “Any database command constructed by a driver that embeds a user-provided TFileId in its query MUST use the $eq operator to perform an equality comparison.”';

const NO_BUCKET_OPERATION_BY_NAME =
  'The driver’s GridFSBucket has no such operation. GridFS specification: “drivers SHOULD provide the method delete_by_name”, and rename_by_name.';

const MISSING_LAST_CHUNK =
  'The driver’s download ends when the cursor does and does not count chunks (its src/gridfs/download.ts). GridFS specification: drivers “MUST check that each chunk received is the next expected chunk”.';

const FALSE_IS_NOT_SENT =
  'The driver sends bypassDocumentValidation only when it is true (its src/bulk/common.ts, src/operations/aggregate.ts and find_and_modify.ts).';

const NULL_ID_IS_REPLACED =
  'The driver takes an _id of null for a missing one and puts an ObjectId in its place (its src/utils.ts, maybeAddIdToDocuments).';

const PARTIAL_RESULT_OF_NOTHING =
  'The driver’s error of a client bulk write always has a partial result. Bulk write specification: “Drivers MUST NOT populate the partialResult field in BulkWriteException if it cannot be determined that at least one write was successfully performed.”';

const NO_OPERATION_ID =
  'The driver’s log messages have no operationId. Command logging and monitoring specification: “This is used to link events together such as bulk write operations. OPTIONAL.”';

const AWAITED_FIRST_HEARTBEAT =
  'The driver calls the answer to its handshake awaited when the server can stream (its src/sdam/monitor.ts, checkServer): awaited is true where the case expects false.';

const NO_LAST_DESCRIPTION =
  'The driver’s Topology.close announces no last change of its description (its src/sdam/topology.ts).';

const NETWORK_ERRORS_REDACTED =
  'The driver redacts every failure of a sensitive command (its src/cmap/command_monitoring_events.ts), where the command logging and monitoring specification says: “If the error is a server-side error, the "failure" field … MUST have all fields besides the following redacted”.';

export const EXCUSED: readonly Excuse[] = [
  {
    suite: 'client-side-operations-timeout',
    file: 'bulkWrite',
    reason: NO_CLIENT_SIDE_TIMEOUT,
    cases: ['timeoutMS applied to entire bulkWrite, not individual commands'],
  },
  {
    suite: 'client-side-operations-timeout',
    file: 'close-cursors',
    reason: NO_CLIENT_SIDE_TIMEOUT,
    cases: ['timeoutMS is refreshed for close', 'timeoutMS can be overridden for close'],
  },
  {
    suite: 'client-side-operations-timeout',
    file: 'command-execution',
    reason: NO_CLIENT_SIDE_TIMEOUT,
    cases: [
      'maxTimeMS value in the command is less than timeoutMS',
      'command is not sent if RTT is greater than timeoutMS',
      'short-circuit is not enabled with only 1 RTT measurement',
    ],
  },
  {
    suite: 'client-side-operations-timeout',
    file: 'cursors',
    reason: NO_CLIENT_SIDE_TIMEOUT,
    cases: [
      'find errors if timeoutMode is set and timeoutMS is not',
      'collection aggregate errors if timeoutMode is set and timeoutMS is not',
      'database aggregate errors if timeoutMode is set and timeoutMS is not',
      'listCollections errors if timeoutMode is set and timeoutMS is not',
      'listIndexes errors if timeoutMode is set and timeoutMS is not',
    ],
  },
  {
    suite: 'client-side-operations-timeout',
    file: 'gridfs-advanced',
    reason: NO_CLIENT_SIDE_TIMEOUT,
    cases: [
      'timeoutMS can be overridden for a rename',
      'timeoutMS applied to update during a rename',
      'timeoutMS applied to files collection drop',
      'timeoutMS applied to chunks collection drop',
      'timeoutMS applied to drop as a whole, not individual parts',
    ],
  },
  {
    suite: 'client-side-operations-timeout',
    file: 'gridfs-delete',
    reason: NO_CLIENT_SIDE_TIMEOUT,
    cases: [
      'timeoutMS applied to delete against the files collection',
      'timeoutMS applied to delete against the chunks collection',
      'timeoutMS applied to entire delete, not individual parts',
    ],
  },
  {
    suite: 'client-side-operations-timeout',
    file: 'gridfs-download',
    reason: NO_CLIENT_SIDE_TIMEOUT,
    cases: [
      'timeoutMS applied to find to get files document',
      'timeoutMS applied to find to get chunks',
      'timeoutMS applied to entire download, not individual parts',
    ],
  },
  {
    suite: 'client-side-operations-timeout',
    file: 'gridfs-find',
    reason: NO_CLIENT_SIDE_TIMEOUT,
    cases: ['timeoutMS can be overridden for a find', 'timeoutMS applied to find command'],
  },
  {
    suite: 'client-side-operations-timeout',
    file: 'gridfs-upload',
    reason: NO_CLIENT_SIDE_TIMEOUT,
    cases: [
      'timeoutMS applied to initial find on files collection',
      'timeoutMS applied to listIndexes on files collection',
      'timeoutMS applied to index creation for files collection',
      'timeoutMS applied to listIndexes on chunks collection',
      'timeoutMS applied to index creation for chunks collection',
      'timeoutMS applied to chunk insertion',
      'timeoutMS applied to creation of files document',
      'timeoutMS applied to upload as a whole, not individual parts',
    ],
  },
  {
    suite: 'client-side-operations-timeout',
    file: 'non-tailable-cursors',
    reason: NO_CLIENT_SIDE_TIMEOUT,
    cases: [
      'timeoutMS applied to find if timeoutMode is cursor_lifetime',
      'remaining timeoutMS applied to getMore if timeoutMode is unset',
      'remaining timeoutMS applied to getMore if timeoutMode is cursor_lifetime',
      'timeoutMS applied to find if timeoutMode is iteration',
      'timeoutMS is refreshed for getMore if timeoutMode is iteration - failure',
      'aggregate with $out errors if timeoutMode is iteration',
      'aggregate with $merge errors if timeoutMode is iteration',
    ],
  },
  {
    suite: 'client-side-operations-timeout',
    file: 'runCursorCommand',
    reason: NO_CLIENT_SIDE_TIMEOUT,
    cases: [
      'errors if timeoutMode is set without timeoutMS',
      'error if timeoutMode is cursorLifetime and cursorType is tailableAwait',
      'Non-tailable cursor lifetime remaining timeoutMS applied to getMore if timeoutMode is unset',
      'Non-tailable cursor iteration timeoutMS is refreshed for getMore if timeoutMode is iteration - failure',
      'Tailable cursor iteration timeoutMS is refreshed for getMore - failure',
      'Tailable cursor awaitData iteration timeoutMS is refreshed for getMore - failure',
    ],
  },
  {
    suite: 'client-side-operations-timeout',
    file: 'tailable-awaitData',
    reason: NO_CLIENT_SIDE_TIMEOUT,
    cases: [
      'error if timeoutMode is cursor_lifetime',
      'error on find if maxAwaitTimeMS is greater than timeoutMS',
      'error on aggregate if maxAwaitTimeMS is greater than timeoutMS',
      'error on watch if maxAwaitTimeMS is greater than timeoutMS',
      'error on find if maxAwaitTimeMS is equal to timeoutMS',
      'error on aggregate if maxAwaitTimeMS is equal to timeoutMS',
      'error on watch if maxAwaitTimeMS is equal to timeoutMS',
      'timeoutMS applied to find',
      'timeoutMS is refreshed for getMore if maxAwaitTimeMS is not set',
      'timeoutMS is refreshed for getMore if maxAwaitTimeMS is set',
      'timeoutMS is refreshed for getMore - failure',
      'apply remaining timeoutMS if less than maxAwaitTimeMS',
    ],
  },
  {
    suite: 'client-side-operations-timeout',
    file: 'tailable-non-awaitData',
    reason: NO_CLIENT_SIDE_TIMEOUT,
    cases: [
      'error if timeoutMode is cursor_lifetime',
      'timeoutMS applied to find',
      'timeoutMS is refreshed for getMore - failure',
    ],
  },
  {
    suite: 'client-side-operations-timeout',
    file: 'waitQueueTimeout',
    reason: NO_CLIENT_SIDE_TIMEOUT,
    cases: ['WaitQueueTimeoutError does not clear the pool'],
  },
  {
    suite: 'retryable-reads/unified',
    file: 'gridfs-download',
    reason: EQ_IN_GRIDFS,
    cases: [
      'Download succeeds on first attempt',
      'Download succeeds on second attempt',
      'Download fails on first attempt',
      'Download fails on second attempt',
    ],
  },
  {
    suite: 'retryable-reads/unified',
    file: 'gridfs-download-serverErrors',
    reason: EQ_IN_GRIDFS,
    cases: [
      'Download succeeds after InterruptedAtShutdown',
      'Download succeeds after InterruptedDueToReplStateChange',
      'Download succeeds after NotWritablePrimary',
      'Download succeeds after NotPrimaryNoSecondaryOk',
      'Download succeeds after NotPrimaryOrSecondary',
      'Download succeeds after PrimarySteppedDown',
      'Download succeeds after ShutdownInProgress',
      'Download succeeds after HostNotFound',
      'Download succeeds after HostUnreachable',
      'Download succeeds after NetworkTimeout',
      'Download succeeds after SocketException',
      'Download fails after two NotWritablePrimary errors',
      'Download fails after NotWritablePrimary when retryReads is false',
    ],
  },
  {
    suite: 'gridfs',
    file: 'deleteByName',
    reason: NO_BUCKET_OPERATION_BY_NAME,
    cases: [
      'delete when multiple revisions of the file exist',
      'delete when file name does not exist',
    ],
  },
  {
    suite: 'gridfs',
    file: 'renameByName',
    reason: NO_BUCKET_OPERATION_BY_NAME,
    cases: [
      'rename when multiple revisions of the file exist',
      'rename when file name does not exist',
    ],
  },
  {
    suite: 'gridfs',
    file: 'download',
    reason: MISSING_LAST_CHUNK,
    cases: ['download when final chunk is missing'],
  },
  {
    suite: 'crud/unified',
    file: 'bypassDocumentValidation',
    reason: FALSE_IS_NOT_SENT,
    cases: [
      'Aggregate with $out passes bypassDocumentValidation: false',
      'BulkWrite passes bypassDocumentValidation: false',
      'FindOneAndReplace passes bypassDocumentValidation: false',
      'FindOneAndUpdate passes bypassDocumentValidation: false',
      'InsertMany passes bypassDocumentValidation: false',
    ],
  },
  {
    suite: 'crud/unified',
    file: 'create-null-ids',
    reason: NULL_ID_IS_REPLACED,
    cases: [
      'inserting _id with type null via insertOne',
      'inserting _id with type null via insertMany',
      'inserting _id with type null via bulkWrite',
      'inserting _id with type null via clientBulkWrite',
    ],
  },
  {
    suite: 'crud/unified',
    file: 'client-bulkWrite-partialResults',
    reason: PARTIAL_RESULT_OF_NOTHING,
    cases: [
      'partialResult is unset when first operation fails during an ordered bulk write (verbose)',
      'partialResult is unset when first operation fails during an ordered bulk write (summary)',
      'partialResult is unset when all operations fail during an unordered bulk write',
    ],
  },
  {
    suite: 'command-logging-and-monitoring/logging',
    file: 'operation-id',
    reason: NO_OPERATION_ID,
    cases: [
      'Successful bulk write command log messages include operationIds',
      'Failed bulk write command log message includes operationId',
    ],
  },
  {
    suite: 'server-discovery-and-monitoring/unified',
    file: 'logging-standalone',
    reason: NO_LAST_DESCRIPTION,
    cases: ['Topology lifecycle'],
  },
  {
    suite: 'server-discovery-and-monitoring/unified',
    file: 'standalone-emit-topology-changed-before-close',
    reason: NO_LAST_DESCRIPTION,
    cases: ['Topology lifecycle'],
  },
  {
    suite: 'command-logging-and-monitoring/logging',
    file: 'redacted-commands',
    reason: NETWORK_ERRORS_REDACTED,
    cases: [
      'network error in response to authenticate is not redacted',
      'network error in response to saslStart is not redacted',
      'network error in response to saslContinue is not redacted',
      'network error in response to createUser is not redacted',
      'network error in response to updateUser is not redacted',
    ],
  },
  {
    suite: 'server-discovery-and-monitoring/unified',
    file: 'serverMonitoringMode',
    reason: AWAITED_FIRST_HEARTBEAT,
    cases: [
      'connect with serverMonitoringMode=auto >=4.4',
      'connect with serverMonitoringMode=stream >=4.4',
    ],
  },
];

const REASONS: ReadonlyMap<string, string> = new Map(
  EXCUSED.flatMap(({ suite, file, reason, cases }) =>
    cases.map((description) => [`${suite} ${file}: ${description}`, reason] as const),
  ),
);

/** Why a case is excused; undefined: it is not. @param name file and description, as results name cases. */
export function excuseOf(suite: SuiteName, name: string): string | undefined {
  return REASONS.get(`${suite} ${name}`);
}
