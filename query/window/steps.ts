/**
 * Work on a whole partition, cut into steps: between two of them whoever drives it may let others have their turn.
 */

/** Yields between two steps, at most some microseconds apart; returns the result. */
export type Steps<Result> = Generator<undefined, Result>;

/** Calls `take` for each position of [from, to). */
export function* eachInSteps(
  from: number,
  to: number,
  take: (position: number) => void,
): Steps<void> {
  for (let position = from; position < to; position += 1) {
    take(position);
    if (position % POSITIONS_PER_STEP === 0) yield;
  }
}

const POSITIONS_PER_STEP = 16;
