/**
 * Bounds of an index walk in the form in which delta and base keep keys: a long key is cut (format/tree-key.ts).
 *
 * A point keeps its exact form, the hash included. A range with a bound longer than what is kept of a cut key is widened to that
 * part: entries that were cut and share it come out although they may lie outside, with keyIsWhole false, and the caller looks at their
 * documents. Whole ones from outside do not: `widened` has the bounds for them.
 */
import type { KeyRange } from '../contract.ts';
import { CUT_INDEX_KEY_PREFIX_BYTES, storedIndexKey } from '../format/tree-key.ts';

/** A range over stored keys. */
export interface StoredRange {
  readonly lower: Buffer | undefined;
  readonly lowerInclusive: boolean;
  readonly upper: Buffer | undefined;
  readonly upperInclusive: boolean;
  /** The range that was asked for, when this one is wider. */
  readonly widened: KeyRange | undefined;
}

export function storedRange(range: KeyRange): StoredRange {
  const { lower, upper } = range;
  const lowerInclusive = range.lowerInclusive ?? true;
  const upperInclusive = range.upperInclusive ?? true;
  const lowerFits = lower === undefined || !reachesIntoHash(lower);
  const upperFits = upper === undefined || !reachesIntoHash(upper);
  if (lowerFits && upperFits) {
    return { lower, lowerInclusive, upper, upperInclusive, widened: undefined };
  }
  if (lower !== undefined && upper?.equals(lower) === true) {
    const { key } = storedIndexKey(lower);
    return { lower: key, lowerInclusive, upper: key, upperInclusive, widened: undefined };
  }
  return {
    lower: lowerFits ? lower : keptPart(lower),
    lowerInclusive: lowerFits ? lowerInclusive : true,
    upper: upperFits ? upper : behindPrefix(keptPart(upper)),
    upperInclusive: upperFits ? upperInclusive : false,
    widened: range,
  };
}

/** Behind the kept part the bytes of a cut key are its hash: they say nothing of its order. */
export function reachesIntoHash(key: Buffer): boolean {
  return key.length > CUT_INDEX_KEY_PREFIX_BYTES;
}

/** Where entries begin, in a direction, of which the order to such a key is not known. */
export function startAround(key: Buffer, direction: 1 | -1): Buffer | undefined {
  return direction === 1 ? keptPart(key) : behindPrefix(keptPart(key));
}

function keptPart(key: Buffer): Buffer {
  return key.subarray(0, CUT_INDEX_KEY_PREFIX_BYTES);
}

/** Whether a whole key lies within a range. @param compare orders the key and a bound */
export function isWithin(range: KeyRange, compare: (bound: Buffer) => number): boolean {
  const { lower, upper } = range;
  if (lower !== undefined) {
    const order = compare(lower);
    if (order < 0 || (order === 0 && range.lowerInclusive === false)) return false;
  }
  if (upper === undefined) return true;
  const order = compare(upper);
  return order < 0 || (order === 0 && range.upperInclusive !== false);
}

/** The smallest key after everything that starts with `prefix`; undefined when there is none. */
function behindPrefix(prefix: Buffer): Buffer | undefined {
  let end = prefix.length;
  while (end > 0 && prefix[end - 1] === 0xff) end -= 1;
  if (end === 0) return undefined;
  const behind = Buffer.from(prefix.subarray(0, end));
  behind[end - 1] += 1;
  return behind;
}
