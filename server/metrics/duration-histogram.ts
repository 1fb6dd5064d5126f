/**
 * Durations by powers of two: entry n counts those of less than 2^n microseconds, and no fewer than half of that.
 */

/** The last one is for all that is longer than half an hour. */
const BUCKETS = 32;
const LONGEST_MICROS = 2 ** 31 - 1;

export function emptyHistogram(): number[] {
  return Array.from({ length: BUCKETS }, () => 0);
}

export function countDuration(histogram: number[], micros: number): void {
  const bucket = 32 - Math.clz32(Math.min(micros, LONGEST_MICROS));
  histogram[bucket] = (histogram[bucket] ?? 0) + 1;
}
