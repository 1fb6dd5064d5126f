/**
 * Fields of scans that several kinds have: ordered ones, with and without a collation, and hashed ones.
 */
import {
  BsonType,
  type Collator,
  compareValues,
  documentValue,
  EMPTY_DOCUMENT,
  fieldsOf,
  hashValue,
  int64Value,
  type RawValue,
  stringValue,
} from '../../bson/index.ts';
import type { IndexDescription } from '../../storage/index.ts';
import { type Interval, isPoint, pointInterval, unite } from '../planner/interval.ts';
import type { Bounds } from '../planner/leaf-bounds.ts';
import { collatedValue, collatorOf, dependsOnCollation, sameCollation } from './collation.ts';
import type { ScanField } from './index-kind.ts';

/** Keys are values in their order. */
const SIMPLE: ScanField = {
  keyBounds: (bounds) => bounds,
  isOrdered: true,
  holdsValues: true,
};

/** Keys hold strings in another order than the query's: they say only what is no string. */
const WITHOUT_STRINGS: ScanField = {
  keyBounds: (bounds) => (bounds.intervals.some(holdsText) ? undefined : bounds),
  isOrdered: false,
  holdsValues: false,
};

/** An ordered field of `index` for a query with `collator`. */
export function orderedField(index: IndexDescription, collator: Collator | undefined): ScanField {
  const own = collatorOf(index);
  if (!sameCollation(own, collator)) {
    return own === undefined ? { ...WITHOUT_STRINGS, holdsValues: true } : WITHOUT_STRINGS;
  }
  if (own === undefined) return SIMPLE;
  return {
    keyBounds: (bounds) => collatedBounds(bounds, own),
    isOrdered: true,
    holdsValues: false,
  };
}

function holdsText({ lower, upper }: Interval): boolean {
  return dependsOnCollation(lower) || dependsOnCollation(upper);
}

/**
 * Bounds of values as bounds of collation keys. What was in order need not be so any more: the gaps between excluded values may overlap then,
 * or be none, and hold more than they should.
 */
function collatedBounds(bounds: Bounds, collator: Collator): Bounds {
  if (!bounds.intervals.some(holdsText)) return bounds;
  const intervals = bounds.intervals.map((interval) =>
    bounds.bytewise === true ? withAllStrings(interval) : collatedInterval(interval, collator),
  );
  if (bounds.bytewise !== true && areInOrder(intervals)) return { ...bounds, intervals };
  const held = intervals.filter(({ lower, upper }) => compareValues(lower, upper) <= 0);
  return { ...bounds, intervals: unite(held), exact: false, exactWithoutArrays: false };
}

function collatedInterval(interval: Interval, collator: Collator): Interval {
  if (!holdsText(interval)) return interval;
  return {
    ...interval,
    lower: collatedValue(interval.lower, collator),
    upper: collatedValue(interval.upper, collator),
  };
}

/** The interval with all strings instead of some: a pattern says nothing of collation keys. */
function withAllStrings(interval: Interval): Interval {
  const { lower, upper } = interval;
  const fromText = lower.type === BsonType.string;
  const toText = upper.type === BsonType.string;
  return {
    lower: fromText ? FIRST_STRING : lower,
    lowerInclusive: fromText || interval.lowerInclusive,
    upper: toText ? AFTER_STRINGS : upper,
    upperInclusive: !toText && interval.upperInclusive,
  };
}

const FIRST_STRING = stringValue('');
const AFTER_STRINGS = documentValue(EMPTY_DOCUMENT);

/** Sorted and disjoint, as bounds must be. */
function areInOrder(intervals: readonly Interval[]): boolean {
  return intervals.every((interval, index) => {
    if (compareValues(interval.lower, interval.upper) > 0) return false;
    if (index === 0) return true;
    const before = intervals[index - 1];
    const order = compareValues(before.upper, interval.lower);
    return order < 0 || (order === 0 && !(before.upperInclusive && interval.lowerInclusive));
  });
}

/** From here on a double and a decimal that are equal have different hashes. */
const TWO_63 = 9_223_372_036_854_775_808;

/** Keys are hashes of values: only equality asks for one. */
export function hashedField(index: IndexDescription, collator: Collator | undefined): ScanField {
  const own = collatorOf(index);
  const agree = sameCollation(own, collator);
  return {
    keyBounds: ({ intervals }) => {
      if (!intervals.every((interval) => isPoint(interval) && hasOneHash(interval.lower))) {
        return undefined;
      }
      if (!agree && intervals.some(holdsText)) return undefined;
      // A document without the field has the hash of null, or no entry in a sparse index.
      if (index.sparse && intervals.some(({ lower }) => lower.isNullish)) return undefined;
      const hashes = intervals.map(({ lower }) => pointInterval(int64Value(hashOf(lower, own))));
      return { intervals: unite(hashes), exact: false };
    },
    isOrdered: false,
    holdsValues: false,
  };
}

/** The hash of a value as an index with a collation has it. */
export function hashOf(value: RawValue | undefined, collator: Collator | undefined): bigint {
  return hashValue(
    value === undefined || collator === undefined ? value : collatedValue(value, collator),
  );
}

/** Equal numbers of different types have one hash, but for those beyond 2^63. */
function hasOneHash(value: RawValue): boolean {
  return !holdsLargeNumber(value);
}

function holdsLargeNumber(value: RawValue): boolean {
  if (value.isNumber) return !(Math.abs(value.asNumber()) < TWO_63);
  if (value.type !== BsonType.object && value.type !== BsonType.array) return false;
  for (const [, element] of fieldsOf(value.asDocument())) {
    if (holdsLargeNumber(element)) return true;
  }
  return false;
}
