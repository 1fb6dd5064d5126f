/**
 * Limits of a wait, as the wire floor understands them, and its errors as the SDK's.
 */
import type { Clock } from '../../../common/clock.ts';
import { NetworkError } from '../../../common/errors.ts';
import type { Interruption } from '../../../common/interruption.ts';
import { NetworkTimeoutError } from '../../../wire/index.ts';
import { MongoOperationTimeoutError } from '../../errors/driver-errors.ts';
import { MongoNetworkError, MongoNetworkTimeoutError } from '../../errors/network-errors.ts';
import type { Limits } from '../contract.ts';

/** The moment at which a wait ends, milliseconds of the clock; Infinity: never. */
export function deadlineOf(clock: Clock, { timeoutMs }: Limits): number {
  return timeoutMs === undefined ? Infinity : clock.monotonicMs() + timeoutMs;
}

/** An AbortSignal and a deadline as one interruption. @returns undefined when there is neither. */
export function interruptionOf(
  clock: Clock,
  signal: AbortSignal | undefined,
  deadlineMs: number,
): Interruption | undefined {
  if (signal === undefined && deadlineMs === Infinity) return undefined;
  const reason = (): Error | undefined => {
    if (signal?.aborted === true) return reasonOf(signal);
    return clock.monotonicMs() >= deadlineMs ? timedOut() : undefined;
  };
  return {
    get reason() {
      return reason();
    },
    throwIfInterrupted() {
      const error = reason();
      if (error !== undefined) throw error;
    },
    onInterrupt(stop) {
      const now = reason();
      if (now !== undefined) {
        stop(now);
        return () => {};
      }
      const onAbort = (): void => stop(signal === undefined ? timedOut() : reasonOf(signal));
      signal?.addEventListener('abort', onAbort, { once: true });
      const timer =
        deadlineMs === Infinity
          ? undefined
          : clock.after(Math.max(0, deadlineMs - clock.monotonicMs()), () => stop(timedOut()));
      return () => {
        signal?.removeEventListener('abort', onAbort);
        timer?.cancel();
      };
    },
  };
}

function reasonOf(signal: AbortSignal): Error {
  const reason: unknown = signal.reason;
  return reason instanceof Error ? reason : new Error(String(reason));
}

export function timedOut(): MongoOperationTimeoutError {
  return new MongoOperationTimeoutError('Timed out while waiting for the server');
}

/** An error of a connection as the SDK names it; what is no error of the network stays itself. */
export function asClientError(error: unknown, beforeHandshake = false): unknown {
  if (!(error instanceof NetworkError)) return error;
  const cause: unknown = error.cause ?? error;
  const message = error.cause instanceof Error ? error.cause.message : error.message;
  const options = { cause, beforeHandshake };
  return error instanceof NetworkTimeoutError
    ? new MongoNetworkTimeoutError(message, options)
    : new MongoNetworkError(message, options);
}
