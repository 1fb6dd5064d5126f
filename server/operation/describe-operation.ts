/**
 * Running operations as documents: what currentOp and $currentOp show.
 * Source: MongoDB's manual, "$currentOp (aggregation)", output fields; MongoDB 8.0's order.
 */
import type { ReplyFields } from '../command/reply.ts';
import { binaryValue } from '../../bson/index.ts';
import type { OpenCursor } from '../cursors/cursor-registry.ts';
import type { ClientConnection } from './client-connection.ts';
import type { RunningOperation } from './operation-registry.ts';
import type { ServiceContext } from './service-context.ts';

/** The kinds of `op` that MongoDB names; everything else is a command. */
const KINDS: Readonly<Record<string, string>> = {
  find: 'query',
  getMore: 'getmore',
  insert: 'insert',
  update: 'update',
  delete: 'remove',
};

const UUID_SUBTYPE = 4;

/** One operation, as plain fields. */
export function describeOperation(
  operation: RunningOperation,
  service: ServiceContext,
): ReplyFields {
  const runningMs = service.clock.monotonicMs() - operation.startedMonotonicMs;
  return {
    type: 'op',
    host: hostOf(service),
    desc: operation.connectionId === undefined ? 'internal' : `conn${operation.connectionId}`,
    connectionId: operation.connectionId,
    client: operation.client,
    appName: operation.appName,
    clientMetadata: operation.clientMetadata,
    active: true,
    currentOpTime: isoTime(service.clock.wallMs()),
    threaded: true,
    opid: operation.operationId,
    lsid:
      operation.sessionId === undefined
        ? undefined
        : { id: binaryValue(operation.sessionId, UUID_SUBTYPE) },
    secs_running: BigInt(Math.floor(runningMs / 1000)),
    microsecs_running: BigInt(Math.round(runningMs * 1000)),
    op: KINDS[operation.commandName] ?? 'command',
    ns: operation.namespace,
    redacted: false,
    command: operation.commandBody,
    planSummary: operation.report.plan?.summary,
    queryHash: operation.report.plan?.shapeHash,
    planCacheKey: operation.report.plan?.keyHash,
    keysExamined: operation.report.keysExamined,
    docsExamined: operation.report.docsExamined,
    ...progressOf(operation),
    numYields: operation.yieldCount,
    locks: {},
    waitingForLock: false,
    lockStats: {},
    waitingForFlowControl: false,
    flowControlStats: {},
    ...(operation.killPending ? { killPending: true } : {}),
  };
}

/** As MongoDB shows it: the message with figures and percentage, and the figures. */
function progressOf({ progress }: RunningOperation): ReplyFields {
  if (progress === undefined) return {};
  const { message, done, total } = progress;
  const percent = Math.floor((100 * done) / Math.max(1, total));
  return { msg: `${message}: ${done}/${total} ${percent}%`, progress: { done, total } };
}

/** A connection that waits for its next request. */
export function describeConnection(
  connection: ClientConnection,
  service: ServiceContext,
): ReplyFields {
  return {
    type: 'idleSession',
    host: hostOf(service),
    desc: `conn${connection.id}`,
    connectionId: connection.id,
    client: connection.remote,
    appName: connection.appName,
    clientMetadata: connection.metadata,
    active: false,
    currentOpTime: isoTime(service.clock.wallMs()),
  };
}

/** A cursor between two batches. */
export function describeCursor(cursor: OpenCursor, service: ServiceContext): ReplyFields {
  return {
    type: 'idleCursor',
    host: hostOf(service),
    ns: cursor.namespace,
    currentOpTime: isoTime(service.clock.wallMs()),
    cursor: {
      cursorId: cursor.id,
      nDocsReturned: BigInt(cursor.documentsReturned),
      nBatchesReturned: BigInt(cursor.batchesReturned),
      noCursorTimeout: cursor.noTimeout,
      tailable: cursor.tailable,
      awaitData: cursor.awaitData,
      originatingCommand: cursor.originatingCommand,
    },
  };
}

function hostOf({ identity }: ServiceContext): string {
  return `${identity.host}:${identity.port}`;
}

/** As MongoDB writes it: "+00:00" instead of "Z". */
function isoTime(wallMs: number): string {
  return new Date(wallMs).toISOString().replace('Z', '+00:00');
}
