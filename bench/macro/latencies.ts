/**
 * Quantiles of measured times.
 */

/** @returns the times in order, as quantileOf wants them. */
export function sorted(times: readonly number[]): readonly number[] {
  return times.toSorted((a, b) => a - b);
}

/** @param times in order. @param share 0.99 is p99; 1 is the longest. @returns NaN when there is none */
export function quantileOf(times: readonly number[], share: number): number {
  return times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? NaN;
}
