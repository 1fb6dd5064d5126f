/**
 * What the floors below the server see of an operation: whether it must stop, and how to hear of it.
 *
 * The server's operation context implements it; storage and query ask it at their yield points and wait on it.
 */

export interface Interruption {
  /** The error to end with once the operation must stop; undefined while it may run. Cheap: asked in hot loops. */
  readonly reason: Error | undefined;
  /** Throws `reason` if the operation must stop. */
  throwIfInterrupted(): void;
  /**
   * Calls `stop` once when the operation must stop (at once, synchronously, if it already must).
   * @returns a function that takes the listener back.
   */
  onInterrupt(stop: (reason: Error) => void): () => void;
}

/** An operation that nobody stops: start-up, background tasks, tests. */
export const uninterruptible: Interruption = {
  reason: undefined,
  throwIfInterrupted: () => {},
  onInterrupt: () => () => {},
};

/** Waits for something that goes on by itself, but no longer than the operation may. @throws the interruption's reason */
export async function untilInterrupted<Result>(
  waiting: Promise<Result>,
  interruption: Interruption,
): Promise<Result> {
  let takeBack = (): void => {};
  const interrupted = new Promise<never>((_, reject) => {
    takeBack = interruption.onInterrupt(reject);
  });
  // Whichever comes second is nobody's any more.
  waiting.catch(() => {});
  return Promise.race([waiting, interrupted]).finally(takeBack);
}
