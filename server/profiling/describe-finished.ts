/**
 * A finished operation as MongoDB's slow log and profiler describe it.
 *
 * Owns: names and order of the fields that both share. Source: MongoDB's manual, "Database Profiler Output".
 */
import { inspect } from '../../bson/index.ts';
import type { CommandError } from '../../common/errors.ts';
import { replyDocument, type ReplyFields } from '../command/reply.ts';
import type { OperationContext } from '../operation/operation-context.ts';

export interface FinishedOperation {
  readonly op: OperationContext;
  readonly elapsedMs: number;
  readonly error: CommandError | undefined;
  readonly replyBytes: number;
}

/** What the plans of the operation did. */
export function planFields({ op }: FinishedOperation): ReplyFields {
  const { report } = op;
  const { plan } = report;
  return {
    cursorid: report.cursorId,
    keysExamined: report.keysExamined,
    docsExamined: report.docsExamined,
    hasSortStage: report.hasSortStage ? true : undefined,
    usedDisk: report.usedDisk ? true : undefined,
    fromMultiPlanner: plan?.fromMultiPlanner === true ? true : undefined,
    fromPlanCache: plan?.fromPlanCache === true ? true : undefined,
    replanned: plan?.replanReason === undefined ? undefined : true,
    replanReason: plan?.replanReason,
    nMatched: report.matchedCount,
    nModified: report.modifiedCount,
    ninserted: report.insertedCount,
    ndeleted: report.deletedCount,
    nUpserted: report.upsertedCount,
    cursorExhausted: report.cursorExhausted ? true : undefined,
    numYields: op.yieldCount + report.yields,
    nreturned: report.returnedCount,
    planCacheShapeHash: plan?.shapeHash,
    queryHash: plan?.shapeHash,
    planCacheKey: plan?.keyHash,
    queryFramework: plan === undefined ? undefined : 'classic',
  };
}

export function errorFields({ error }: FinishedOperation): ReplyFields {
  if (error === undefined) return {};
  return { ok: 0, errMsg: error.message, errName: error.codeName, errCode: error.code };
}

/** A command larger than this is shown by its beginning. */
const MAX_SHOWN_BYTES = 50 * 1024;

/** The document for system.profile. */
export function profileEntry(finished: FinishedOperation): Buffer {
  const { op, elapsedMs, replyBytes } = finished;
  const { clock } = op.service;
  return replyDocument({
    op: kindOf(op),
    ns: op.namespace,
    command: shownCommand(op.commandBody),
    originatingCommand:
      op.report.originatingCommand === undefined
        ? undefined
        : shownCommand(op.report.originatingCommand),
    ...planFields(finished),
    ...errorFields(finished),
    locks: {},
    flowControl: {},
    storage: {},
    responseLength: replyBytes,
    protocol: 'op_msg',
    millis: Math.round(elapsedMs),
    planSummary: op.report.plan?.summary,
    execStats: shownStages(op.report.plan?.execStats?.()),
    ts: new Date(clock.wallMs()),
    client: op.client?.replace(/:\d+$/, ''),
    appName: op.appName,
    allUsers: [],
    user: '',
  });
}

/** A plan of thousands of scans does not fit. */
function shownStages(stages: Buffer | undefined): Buffer | undefined {
  return stages === undefined || stages.length > MAX_SHOWN_BYTES ? undefined : stages;
}

function shownCommand(command: Buffer): ReplyFields | Buffer {
  if (command.length <= MAX_SHOWN_BYTES) return command;
  return { $truncated: inspect(command).slice(0, MAX_SHOWN_BYTES) };
}

/** The kinds of `op` that the profiler names; everything else is a command. */
const KINDS: Readonly<Record<string, string>> = {
  find: 'query',
  getMore: 'getmore',
  insert: 'insert',
  update: 'update',
  delete: 'remove',
};

export function kindOf(op: OperationContext): string {
  return KINDS[op.commandName] ?? 'command';
}
