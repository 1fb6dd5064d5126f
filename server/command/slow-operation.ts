/**
 * The log line of an operation that took long, as mongod writes it ("Slow query").
 */
import { inspect } from '../../bson/index.ts';
import type { OperationContext } from '../operation/operation-context.ts';

/** mongod's number of this line: tools that read its log look for it. */
const SLOW_QUERY = 51_803;
/** A body larger than this is not printed: that would take as long again. */
const MAX_PRINTED_BYTES = 16 * 1024;
const MAX_TEXT = 2048;

export function logSlowOperation(op: OperationContext, elapsedMs: number, failed: boolean): void {
  const { commandBody } = op;
  op.service.log.withContext(`conn${op.connectionId ?? 0}`).write({
    severity: 'I',
    component: 'COMMAND',
    id: SLOW_QUERY,
    message: 'Slow query',
    attributes: {
      type: 'command',
      ns: op.namespace,
      ...(op.appName === undefined ? {} : { appName: op.appName }),
      command:
        commandBody.length > MAX_PRINTED_BYTES
          ? `${op.commandName}, ${commandBody.length} bytes`
          : inspect(commandBody).slice(0, MAX_TEXT),
      numYields: op.yieldCount,
      ok: !failed,
      ...(op.reason === undefined ? {} : { errName: op.reason.codeName, errCode: op.reason.code }),
      remote: op.client,
      durationMillis: Math.round(elapsedMs),
    },
  });
}
