/**
 * maxTimeMS takes effect; two fail points of MongoDB's change what it does.
 * Source: MongoDB's server tests of maxTimeMS.
 */
import type { OperationContext } from '../operation/operation-context.ts';
import { maxTimeExpired } from '../operation/interruptions.ts';

/** Every operation that has a limit is past it. */
export const MAX_TIME_ALWAYS_TIMES_OUT = 'maxTimeAlwaysTimeOut';
/** No operation ever reaches its limit. */
export const MAX_TIME_NEVER_TIMES_OUT = 'maxTimeNeverTimeOut';

export function limitTime(op: OperationContext, maxTimeMs: number): void {
  if (maxTimeMs <= 0) return;
  const { failPoints } = op.service;
  if (!failPoints.isEmpty) {
    if (failPoints.fire(MAX_TIME_NEVER_TIMES_OUT) !== undefined) return;
    if (failPoints.fire(MAX_TIME_ALWAYS_TIMES_OUT) !== undefined) throw maxTimeExpired();
  }
  op.limitTime(maxTimeMs);
}
