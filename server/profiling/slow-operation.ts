/**
 * The log line of an operation that took long, as mongod writes it ("Slow query").
 * Source: MongoDB's manual, "Log Messages for Slow Queries".
 */
import { toExtendedJson } from '../../bson/index.ts';
import { errorFields, type FinishedOperation, planFields } from './describe-finished.ts';

/** mongod's number of this line: tools that read its log look for it. */
const SLOW_QUERY = 51_803;
/** A body larger than this is not printed: that would take as long again. */
const MAX_PRINTED_BYTES = 16 * 1024;

export function logSlowOperation(finished: FinishedOperation): void {
  const { op, elapsedMs, replyBytes } = finished;
  const { originatingCommand, plan } = op.report;
  op.service.log.withContext(`conn${op.connectionId ?? 0}`).write({
    severity: 'I',
    component: 'COMMAND',
    id: SLOW_QUERY,
    message: 'Slow query',
    attributes: plain({
      type: 'command',
      isFromUserConnection: op.connectionId !== undefined,
      ns: op.namespace,
      appName: op.appName,
      command: shown(op.commandBody, op.commandName),
      originatingCommand:
        originatingCommand === undefined ? undefined : shown(originatingCommand, 'find'),
      planSummary: plan?.summary,
      ...planFields(finished),
      ...errorFields(finished),
      reslen: replyBytes,
      locks: {},
      storage: {},
      remote: op.client,
      protocol: 'op_msg',
      workingMillis: Math.round(elapsedMs),
      durationMillis: Math.round(elapsedMs),
    }),
  });
}

function shown(command: Buffer, name: string): unknown {
  if (command.length > MAX_PRINTED_BYTES) return `${name}, ${command.length} bytes`;
  return toExtendedJson(command, { relaxed: true });
}

/** Without what is absent; JSON has no bigint. */
function plain(fields: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const entries = Object.entries(fields).flatMap(([name, value]) => {
    if (value === undefined) return [];
    return [[name, typeof value === 'bigint' ? Number(value) : value]];
  });
  return Object.fromEntries(entries);
}
