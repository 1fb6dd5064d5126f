/**
 * BSON timestamps as the engine holds them: two 32-bit halves, because the whole exceeds 2^53.
 */

/** Cluster time of a commit. */
export interface Timestamp {
  /** Seconds since 1970, an unsigned 32-bit number. */
  readonly seconds: number;
  /** Order within the second, an unsigned 32-bit number. */
  readonly increment: number;
}

/** Before every timestamp that a store hands out. */
export const ZERO_TIMESTAMP: Timestamp = { seconds: 0, increment: 0 };

/** Negative, zero or positive as `a` is before, equal to or after `b`. */
export function compareTimestamps(a: Timestamp, b: Timestamp): number {
  return a.seconds - b.seconds || a.increment - b.increment;
}
