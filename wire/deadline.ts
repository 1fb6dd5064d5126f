/**
 * Waiting with an end: a promise that also ends at a deadline or when its operation is interrupted.
 */
import type { Clock } from '../common/clock.ts';
import type { Interruption } from '../common/interruption.ts';

export interface WaitLimits {
  readonly clock: Clock;
  /** Absent or Infinity: no deadline. */
  readonly timeoutMs?: number | undefined;
  readonly interruption?: Interruption | undefined;
}

/**
 * Watches the limits of one wait.
 * @param end called at most once: with the interruption's reason, or with `onTimeout()` at the deadline.
 * @returns stops watching; idempotent.
 */
export function watchLimits(
  limits: WaitLimits,
  onTimeout: () => Error,
  end: (reason: Error) => void,
): () => void {
  let over = false;
  const finish = (reason: Error): void => {
    if (over) return;
    stop();
    end(reason);
  };
  const timer =
    limits.timeoutMs === undefined || limits.timeoutMs === Infinity
      ? undefined
      : limits.clock.after(limits.timeoutMs, () => finish(onTimeout()));
  let unsubscribe: (() => void) | undefined;
  const stop = (): void => {
    over = true;
    timer?.cancel();
    unsubscribe?.();
  };
  unsubscribe = limits.interruption?.onInterrupt(finish);
  // The interruption may have called back before there was anything to unsubscribe.
  if (over) unsubscribe?.();
  return stop;
}
