/**
 * Fields of scans that several kinds have: ordered ones, with and without a collation, and hashed ones.
 */
import {
  BsonType,
  type Collator,
  fieldsOf,
  hashValue,
  int64Value,
  type RawValue,
} from '../../bson/index.ts';
import type { IndexDescription } from '../../storage/index.ts';
import { type Interval, isPoint, pointInterval, unite } from '../planner/interval.ts';
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
    keyBounds: (bounds) => ({
      ...bounds,
      intervals: bounds.intervals.map((interval) => collatedInterval(interval, own)),
    }),
    isOrdered: true,
    holdsValues: false,
  };
}

function holdsText({ lower, upper }: Interval): boolean {
  return dependsOnCollation(lower) || dependsOnCollation(upper);
}

function collatedInterval(interval: Interval, collator: Collator): Interval {
  if (!holdsText(interval)) return interval;
  return {
    ...interval,
    lower: collatedValue(interval.lower, collator),
    upper: collatedValue(interval.upper, collator),
  };
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
