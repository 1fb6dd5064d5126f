/**
 * From allowed values per field of an index to ranges of encoded keys.
 *
 * Promises: the ranges are disjoint, in the order of the walk, and hold every key whose fields are all within bounds.
 * What they hold besides is said by `restrictedFields`, the number of leading fields that they restrict.
 */
import {
  type Direction,
  encodeIndexKey,
  type RawValue,
  successorOfPrefix,
} from '../../bson/index.ts';
import type { IndexDescription, KeyRange } from '../../storage/index.ts';
import { allPoints, type Interval, isAllValues } from './interval.ts';

/** More ranges than this are not opened one by one: the remaining fields are filtered key by key. */
const MAX_RANGES = 2000;

export interface KeyRanges {
  readonly ranges: readonly KeyRange[];
  /** Leading fields whose bounds the ranges express exactly. */
  readonly restrictedFields: number;
}

export function keyRangesOf(
  index: Pick<IndexDescription, 'fields'>,
  bounds: readonly (readonly Interval[])[],
  direction: 1 | -1,
): KeyRanges {
  const directions = index.fields.map((field) => field.direction);
  const { prefixes, length } = pointPrefixes(bounds);
  const next = bounds[length];
  const isRestricted =
    next !== undefined && !isAllValues(next) && prefixes.length * next.length <= MAX_RANGES;
  const ranges = prefixes.flatMap((prefix) =>
    isRestricted
      ? next.map((interval) => rangeBelow(prefix, interval, directions))
      : [wholePrefix(prefix, directions)],
  );
  ranges.sort(byLower);
  if (direction === -1) ranges.reverse();
  return { ranges, restrictedFields: isRestricted ? length + 1 : length };
}

/** All combinations of the leading fields' points. */
function pointPrefixes(bounds: readonly (readonly Interval[])[]): {
  prefixes: readonly (readonly RawValue[])[];
  length: number;
} {
  let prefixes: readonly (readonly RawValue[])[] = [[]];
  let length = 0;
  for (const intervals of bounds) {
    if (!allPoints(intervals) || prefixes.length * intervals.length > MAX_RANGES) break;
    const [only] = intervals;
    prefixes =
      intervals.length === 1
        ? prefixes.map((prefix) => [...prefix, only.lower])
        : prefixes.flatMap((prefix) => intervals.map((interval) => [...prefix, interval.lower]));
    length += 1;
  }
  return { prefixes, length };
}

function wholePrefix(prefix: readonly RawValue[], directions: readonly Direction[]): KeyRange {
  if (prefix.length === 0) return {};
  const { key } = encodeIndexKey(prefix, directions);
  // Every field given: the key itself. MongoDB's order has nothing between a key and its successor.
  if (prefix.length === directions.length) {
    return { lower: key, lowerInclusive: true, upper: key, upperInclusive: true };
  }
  return {
    lower: key,
    lowerInclusive: true,
    upper: successorOfPrefix(key),
    upperInclusive: false,
  };
}

function rangeBelow(
  prefix: readonly RawValue[],
  interval: Interval,
  directions: readonly Direction[],
): KeyRange {
  const ascending = directions[prefix.length] === 1;
  const low = encodeIndexKey([...prefix, interval.lower], directions).key;
  const high = encodeIndexKey([...prefix, interval.upper], directions).key;
  const [first, firstInclusive, last, lastInclusive] = ascending
    ? [low, interval.lowerInclusive, high, interval.upperInclusive]
    : [high, interval.upperInclusive, low, interval.lowerInclusive];
  // A key of more fields starts with the bound: "after the bound" is after everything that starts with it.
  return {
    lower: firstInclusive ? first : successorOfPrefix(first),
    lowerInclusive: true,
    upper: lastInclusive ? successorOfPrefix(last) : last,
    upperInclusive: false,
  };
}

function byLower(a: KeyRange, b: KeyRange): number {
  if (a.lower === undefined || b.lower === undefined) return 0;
  return Buffer.compare(a.lower, b.lower);
}
