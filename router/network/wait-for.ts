/**
 * Waiting for what others end.
 */
import type { Interruption } from '../../common/interruption.ts';

/** @throws the interruption's reason, whatever the promise does then. */
export function waitFor<Value>(
  promise: Promise<Value>,
  interruption: Interruption,
): Promise<Value> {
  return new Promise((resolve, reject) => {
    const takeBack = interruption.onInterrupt(reject);
    promise.then(
      (value) => {
        takeBack();
        resolve(value);
      },
      (error: unknown) => {
        takeBack();
        reject(error instanceof Error ? error : new Error(String(error)));
      },
    );
  });
}
