/**
 * Bounds of the fields that ranges of keys cannot express: which entries are inside, and where the next one inside may be.
 *
 * Promises: no entry inside is skipped. An entry whose key was cut counts as inside: its document decides.
 */
import {
  compareValues,
  decodeIndexKey,
  type Direction,
  encodeIndexKey,
  type RawValue,
  successorOfPrefix,
} from '../../bson/index.ts';
import type { FilterNode, ValueTest } from '../matcher/tree.ts';
import {
  CUT_INDEX_KEY_PREFIX_BYTES,
  type IndexCursor,
  type IndexDescription,
} from '../../storage/index.ts';
import { type Interval, isAllValues } from './interval.ts';

type Entry = Pick<IndexCursor, 'key' | 'typeBits' | 'keyIsWhole'>;

interface FieldBounds {
  readonly position: number;
  /** In the order of the walk. */
  readonly intervals: readonly Interval[];
  /** Values rise along the walk. */
  readonly rising: boolean;
}

/** A condition on one field that its value in the key decides. */
export interface KeyTest {
  readonly position: number;
  readonly test: ValueTest;
  /** For explain. */
  readonly node: FilterNode;
}

export interface KeyBoundsOptions {
  /** Position of the first field that the ranges do not restrict. */
  readonly from: number;
  readonly direction: 1 | -1;
  readonly tests: readonly KeyTest[];
}

export class KeyBounds {
  private readonly fields: readonly FieldBounds[];
  readonly tests: readonly KeyTest[];
  private readonly directions: readonly Direction[];
  private readonly forward: boolean;

  constructor(
    index: Pick<IndexDescription, 'fields'>,
    bounds: readonly (readonly Interval[])[],
    { from, direction, tests }: KeyBoundsOptions,
  ) {
    this.tests = tests;
    this.directions = index.fields.map((field) => field.direction);
    this.forward = direction === 1;
    this.fields = bounds.flatMap((intervals, position): FieldBounds[] => {
      if (position < from || isAllValues(intervals)) return [];
      const rising = index.fields[position].direction === direction;
      return [{ position, intervals: rising ? intervals : intervals.toReversed(), rising }];
    });
  }

  /** The ranges say it all. */
  get isEmpty(): boolean {
    return this.fields.length === 0 && this.tests.length === 0;
  }

  /**
   * @returns true for an entry inside; else the key to seek, before which (in the direction of the walk) no entry is inside;
   * undefined: just the next one.
   */
  check(entry: Entry): true | Buffer | undefined {
    if (!entry.keyIsWhole) return true;
    const values = decodeIndexKey(entry.key, entry.typeBits, this.directions);
    for (const field of this.fields) {
      const place = placeOf(values[field.position], field);
      if (place === 'inside') continue;
      // Cut keys that begin alike stand around it in any order: one behind it may be inside.
      if (entry.key.length > CUT_INDEX_KEY_PREFIX_BYTES) return undefined;
      const target = this.seekKey(values.slice(0, field.position), place);
      return this.isAhead(target, entry.key) ? target : undefined;
    }
    for (const { position, test } of this.tests) {
      const { type, bytes, start, end } = values[position];
      if (!test(type, bytes, start, end)) return undefined;
    }
    return true;
  }

  /** Where entries with these leading values and the next interval of the field after them begin; else where they end. */
  private seekKey(leading: readonly RawValue[], start: IntervalStart | undefined): Buffer {
    const values = start === undefined ? leading : [...leading, start.value];
    const { key } = encodeIndexKey(values, this.directions);
    const isIncluded = start?.inclusive ?? false;
    return this.forward === isIncluded ? key : successorOfPrefix(key);
  }

  private isAhead(target: Buffer, key: Buffer): boolean {
    const order = Buffer.compare(target, key);
    return this.forward ? order > 0 : order < 0;
  }
}

interface IntervalStart {
  readonly value: RawValue;
  readonly inclusive: boolean;
}

/**
 * Found by halving: there may be hundreds of thousands of intervals.
 * @returns where the next interval begins, when the value is before one; undefined when it is behind all.
 */
function placeOf(
  value: RawValue,
  { intervals, rising }: FieldBounds,
): 'inside' | IntervalStart | undefined {
  // The walk has left all intervals before `from`, and has not reached those from `to` on.
  let from = 0;
  let to = intervals.length;
  while (from < to) {
    const middle = (from + to) >> 1;
    const interval = intervals[middle];
    const low = compareValues(value, interval.lower);
    const isBelow = low < 0 || (low === 0 && !interval.lowerInclusive);
    const high = compareValues(value, interval.upper);
    const isAbove = high > 0 || (high === 0 && !interval.upperInclusive);
    if (!isBelow && !isAbove) return 'inside';
    if (rising ? isBelow : isAbove) to = middle;
    else from = middle + 1;
  }
  const next = intervals[to];
  if (next === undefined) return undefined;
  return rising
    ? { value: next.lower, inclusive: next.lowerInclusive }
    : { value: next.upper, inclusive: next.upperInclusive };
}
