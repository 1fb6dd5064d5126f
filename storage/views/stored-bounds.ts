/**
 * Bounds of an index walk in the form in which delta and base keep keys: a long key is cut (format/tree-key.ts).
 *
 * A point keeps its exact form, the hash included. A range around a cut key is widened to the kept prefix: entries that
 * share it come out although they may lie outside, with keyIsWhole false, and the caller looks at their documents.
 */
import type { KeyRange } from '../contract.ts';
import {
  CUT_INDEX_KEY_PREFIX_BYTES,
  MAX_WHOLE_INDEX_KEY_BYTES,
  storedIndexKey,
} from '../format/tree-key.ts';

/** A range over stored keys. */
export interface StoredRange {
  readonly lower: Buffer | undefined;
  readonly lowerInclusive: boolean;
  readonly upper: Buffer | undefined;
  readonly upperInclusive: boolean;
}

export function storedRange(range: KeyRange): StoredRange {
  const { lower, upper } = range;
  const lowerInclusive = range.lowerInclusive ?? true;
  const upperInclusive = range.upperInclusive ?? true;
  const lowerFits = lower === undefined || lower.length <= MAX_WHOLE_INDEX_KEY_BYTES;
  const upperFits = upper === undefined || upper.length <= MAX_WHOLE_INDEX_KEY_BYTES;
  if (lowerFits && upperFits) return { lower, lowerInclusive, upper, upperInclusive };
  if (lower !== undefined && upper !== undefined && lower.equals(upper)) {
    const { key } = storedIndexKey(lower);
    return { lower: key, lowerInclusive, upper: key, upperInclusive };
  }
  return {
    lower: lowerFits ? lower : lower.subarray(0, CUT_INDEX_KEY_PREFIX_BYTES),
    lowerInclusive: lowerFits ? lowerInclusive : true,
    upper: upperFits ? upper : behindPrefix(upper.subarray(0, CUT_INDEX_KEY_PREFIX_BYTES)),
    upperInclusive: upperFits ? upperInclusive : false,
  };
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
