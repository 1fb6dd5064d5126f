/**
 * Running operations as documents: what currentOp and $currentOp show.
 * Source: MongoDB's manual, "$currentOp (aggregation)", output fields; MongoDB 8.0's order.
 */
import type { ReplyFields } from '../command/reply.ts';
import { binaryValue } from '../../bson/index.ts';
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
  const { identity } = service;
  return {
    type: 'op',
    host: `${identity.host}:${identity.port}`,
    desc: operation.connectionId === undefined ? 'internal' : `conn${operation.connectionId}`,
    connectionId: operation.connectionId,
    client: operation.client,
    appName: operation.appName,
    active: true,
    currentOpTime: new Date(service.clock.wallMs()).toISOString(),
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
    numYields: operation.yieldCount,
    locks: {},
    waitingForLock: false,
    lockStats: {},
    waitingForFlowControl: false,
    flowControlStats: {},
    ...(operation.killPending ? { killPending: true } : {}),
  };
}
