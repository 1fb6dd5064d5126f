/**
 * A finished operation as MongoDB's slow log and profiler describe it.
 *
 * Owns: names and order of the fields that both share. Source: MongoDB's manual, "Database Profiler Output".
 */
import type { ReplyFields } from '../command/reply.ts';
import type { OperationContext } from '../operation/operation-context.ts';

export interface FinishedOperation {
  readonly op: OperationContext;
  readonly elapsedMs: number;
  readonly failed: boolean;
  readonly error: { readonly code: number; readonly codeName: string; readonly message: string } | undefined;
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
    numYields: op.yieldCount,
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
