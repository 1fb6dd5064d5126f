/**
 * Intervals of BSON values in MongoDB's order: what a condition allows at one path.
 *
 * Owns: interval arithmetic and the borders between types. Promises: a list of intervals is sorted and disjoint.
 * A list without intervals allows nothing.
 */
import {
  arrayValue,
  binaryValue,
  BsonType,
  booleanValue,
  compareValues,
  documentValue,
  doubleValue,
  EMPTY_DOCUMENT,
  inspect,
  MAX_KEY,
  MIN_KEY,
  NULL,
  objectIdValue,
  type RawValue,
  stringValue,
  timestampValue,
  UNDEFINED_VALUE,
} from '../../bson/index.ts';

export interface Interval {
  readonly lower: RawValue;
  readonly lowerInclusive: boolean;
  readonly upper: RawValue;
  readonly upperInclusive: boolean;
}

export const ALL_VALUES: readonly Interval[] = [
  { lower: MIN_KEY, lowerInclusive: true, upper: MAX_KEY, upperInclusive: true },
];

export function pointInterval(value: RawValue): Interval {
  return { lower: value, lowerInclusive: true, upper: value, upperInclusive: true };
}

/** What an expression's comparison allows: there is no bracket around the operand's type. */
export function orderInterval(operator: string, value: RawValue): Interval {
  switch (operator) {
    case '$gt':
    case '$gte':
      return {
        lower: value,
        lowerInclusive: operator === '$gte',
        upper: MAX_KEY,
        upperInclusive: true,
      };
    case '$lt':
    case '$lte':
      return {
        lower: MIN_KEY,
        lowerInclusive: true,
        upper: value,
        upperInclusive: operator === '$lte',
      };
    default:
      return pointInterval(value);
  }
}

export function isPoint(interval: Interval): boolean {
  return (
    interval.lowerInclusive &&
    interval.upperInclusive &&
    (interval.lower === interval.upper || compareValues(interval.lower, interval.upper) === 0)
  );
}

export function allPoints(intervals: readonly Interval[]): boolean {
  return intervals.every(isPoint);
}

export function isAllValues(intervals: readonly Interval[]): boolean {
  if (intervals === ALL_VALUES) return true;
  const only = intervals[0];
  return (
    intervals.length === 1 &&
    only !== undefined &&
    only.lower.type === BsonType.minKey &&
    only.upper.type === BsonType.maxKey &&
    only.lowerInclusive &&
    only.upperInclusive
  );
}

export function sameIntervals(a: readonly Interval[], b: readonly Interval[]): boolean {
  return a === b || (a.length === b.length && a.every((one, place) => sameInterval(one, b[place])));
}

function sameInterval(a: Interval, b: Interval): boolean {
  return (
    a.lowerInclusive === b.lowerInclusive &&
    a.upperInclusive === b.upperInclusive &&
    compareValues(a.lower, b.lower) === 0 &&
    compareValues(a.upper, b.upper) === 0
  );
}

/** Null, and what sorts with it: missing is stored as null, an empty array as undefined. */
export const NULL_INTERVALS: readonly Interval[] = [
  pointInterval(UNDEFINED_VALUE),
  pointInterval(NULL),
];

interface TypeBorders {
  readonly first: RawValue;
  readonly last: RawValue;
  readonly lastInclusive: boolean;
}

const FIRST_STRING = stringValue('');
const FIRST_OBJECT = documentValue(EMPTY_DOCUMENT);
const FIRST_ARRAY = arrayValue(EMPTY_DOCUMENT);
const FIRST_BINARY = binaryValue(Buffer.alloc(0), 0);
const FIRST_OBJECT_ID = objectIdValue(Buffer.alloc(12));
const FIRST_TIMESTAMP = timestampValue(0, 0);
const LAST_TIMESTAMP = timestampValue(0xffff_ffff, 0xffff_ffff);
const FALSE = booleanValue(false);
const TRUE = booleanValue(true);

/** First and last value that a range operator may meet beside an operand of this type; undefined: no such range. */
function bordersBeside(value: RawValue): TypeBorders | undefined {
  if (value.isNumber) {
    // NaN sorts before all numbers, but no range but its own equality holds it.
    return { first: doubleValue(-Infinity), last: doubleValue(Infinity), lastInclusive: true };
  }
  switch (value.type) {
    case BsonType.string:
    case BsonType.symbol:
      return { first: FIRST_STRING, last: FIRST_OBJECT, lastInclusive: false };
    case BsonType.object:
      return { first: FIRST_OBJECT, last: FIRST_ARRAY, lastInclusive: false };
    case BsonType.binData:
      return { first: FIRST_BINARY, last: FIRST_OBJECT_ID, lastInclusive: false };
    case BsonType.objectId:
      return {
        first: FIRST_OBJECT_ID,
        last: objectIdValue(Buffer.alloc(12, 0xff)),
        lastInclusive: true,
      };
    case BsonType.bool:
      return { first: FALSE, last: TRUE, lastInclusive: true };
    case BsonType.timestamp:
      return { first: FIRST_TIMESTAMP, last: LAST_TIMESTAMP, lastInclusive: true };
    default:
      return undefined;
  }
}

export type RangeOperator = '$gt' | '$gte' | '$lt' | '$lte';

/**
 * The interval of `field <operator> operand` within the operand's type.
 * @returns undefined when this type has no simple range (dates have: see below; arrays, regular expressions have not).
 */
export function rangeInterval(operator: RangeOperator, operand: RawValue): Interval | undefined {
  if (operand.type === BsonType.date) return dateInterval(operator, operand);
  const borders = bordersBeside(operand);
  if (borders === undefined) return undefined;
  if (operand.isNumber && Number.isNaN(operand.asNumber())) return undefined;
  return operator === '$gt' || operator === '$gte'
    ? {
        lower: operand,
        lowerInclusive: operator === '$gte',
        upper: borders.last,
        upperInclusive: borders.lastInclusive,
      }
    : {
        lower: borders.first,
        lowerInclusive: true,
        upper: operand,
        upperInclusive: operator === '$lte',
      };
}

/** Dates lie between true and the first timestamp: that spares the borders of what a date can hold. */
function dateInterval(operator: RangeOperator, operand: RawValue): Interval {
  return operator === '$gt' || operator === '$gte'
    ? {
        lower: operand,
        lowerInclusive: operator === '$gte',
        upper: FIRST_TIMESTAMP,
        upperInclusive: false,
      }
    : {
        lower: TRUE,
        lowerInclusive: false,
        upper: operand,
        upperInclusive: operator === '$lte',
      };
}

/** All strings from `first`, and before `last` if given. */
export function stringInterval(first: string, last?: string): Interval {
  return {
    lower: stringValue(first),
    lowerInclusive: true,
    upper: last === undefined ? FIRST_OBJECT : stringValue(last),
    upperInclusive: false,
  };
}

/** What both lists allow. */
export function intersect(
  left: readonly Interval[],
  right: readonly Interval[],
): readonly Interval[] {
  if (left === ALL_VALUES) return right;
  if (right === ALL_VALUES) return left;
  const result: Interval[] = [];
  let place = 0;
  let other = 0;
  while (place < left.length && other < right.length) {
    const a = left[place];
    const b = right[other];
    const both = intersectTwo(a, b);
    if (both !== undefined) result.push(both);
    // What follows the one that ends first may still meet the other.
    if (endsBefore(a, b)) place += 1;
    else other += 1;
  }
  return result;
}

function endsBefore(a: Interval, b: Interval): boolean {
  const order = compareValues(a.upper, b.upper);
  return order < 0 || (order === 0 && !a.upperInclusive);
}

function intersectTwo(a: Interval, b: Interval): Interval | undefined {
  const low = compareValues(a.lower, b.lower);
  const lower = low > 0 || (low === 0 && !a.lowerInclusive) ? a : b;
  const high = compareValues(a.upper, b.upper);
  const upper = high < 0 || (high === 0 && !a.upperInclusive) ? a : b;
  const width = compareValues(lower.lower, upper.upper);
  if (width > 0) return undefined;
  if (width === 0 && !(lower.lowerInclusive && upper.upperInclusive)) return undefined;
  return {
    lower: lower.lower,
    lowerInclusive: lower.lowerInclusive,
    upper: upper.upper,
    upperInclusive: upper.upperInclusive,
  };
}

/** What any of the intervals allows: sorted, overlapping ones joined. */
export function unite(intervals: readonly Interval[]): readonly Interval[] {
  const sorted = [...intervals].sort(
    (a, b) =>
      compareValues(a.lower, b.lower) || Number(b.lowerInclusive) - Number(a.lowerInclusive),
  );
  const result: Interval[] = [];
  for (const interval of sorted) {
    const last = result.at(-1);
    if (last === undefined || !touches(last, interval)) result.push(interval);
    else result[result.length - 1] = join(last, interval);
  }
  return result;
}

function touches(left: Interval, right: Interval): boolean {
  const gap = compareValues(left.upper, right.lower);
  return gap > 0 || (gap === 0 && (left.upperInclusive || right.lowerInclusive));
}

function join(left: Interval, right: Interval): Interval {
  const order = compareValues(left.upper, right.upper);
  const upper = order > 0 || (order === 0 && left.upperInclusive) ? left : right;
  return { ...left, upper: upper.upper, upperInclusive: upper.upperInclusive };
}

/** A value that may be missing: null stands for it in an index. */
export function holdsNull(intervals: readonly Interval[]): boolean {
  return intersect(intervals, [pointInterval(NULL)]).length > 0;
}

/** All that the intervals leave out. */
export function complement(intervals: readonly Interval[]): readonly Interval[] {
  const result: Interval[] = [];
  let lower: RawValue = MIN_KEY;
  let lowerInclusive = true;
  for (const interval of intervals) {
    push(result, {
      lower,
      lowerInclusive,
      upper: interval.lower,
      upperInclusive: !interval.lowerInclusive,
    });
    lower = interval.upper;
    lowerInclusive = !interval.upperInclusive;
  }
  push(result, { lower, lowerInclusive, upper: MAX_KEY, upperInclusive: true });
  return result;
}

/** An interval without values is none. */
function push(intervals: Interval[], interval: Interval): void {
  const width = compareValues(interval.lower, interval.upper);
  if (width > 0) return;
  if (width === 0 && !(interval.lowerInclusive && interval.upperInclusive)) return;
  intervals.push(interval);
}

/** Where the values of a type stand, and those that sort among them. */
export function typeIntervals(type: number): readonly Interval[] {
  switch (type) {
    case BsonType.double:
    case BsonType.int32:
    case BsonType.int64:
    case BsonType.decimal128:
      return [{ ...range(doubleValue(Number.NaN), doubleValue(Infinity)), upperInclusive: true }];
    case BsonType.string:
    case BsonType.symbol:
      return [range(FIRST_STRING, FIRST_OBJECT)];
    case BsonType.object:
      return [range(FIRST_OBJECT, FIRST_ARRAY)];
    case BsonType.binData:
      return [range(FIRST_BINARY, FIRST_OBJECT_ID)];
    case BsonType.objectId:
      return [range(FIRST_OBJECT_ID, FALSE)];
    case BsonType.bool:
      return [{ ...range(FALSE, TRUE), upperInclusive: true }];
    case BsonType.date:
      return [{ ...range(TRUE, FIRST_TIMESTAMP), lowerInclusive: false }];
    case BsonType.timestamp:
      return [{ ...range(FIRST_TIMESTAMP, LAST_TIMESTAMP), upperInclusive: true }];
    case BsonType.null:
      return [pointInterval(NULL)];
    case BsonType.undefined:
      return [pointInterval(UNDEFINED_VALUE)];
    case BsonType.minKey:
      return [pointInterval(MIN_KEY)];
    case BsonType.maxKey:
      return [pointInterval(MAX_KEY)];
    case BsonType.regex:
    case BsonType.dbPointer:
    case BsonType.javascript:
    case BsonType.javascriptWithScope:
      return [{ ...range(LAST_TIMESTAMP, MAX_KEY), lowerInclusive: false }];
    default:
      return ALL_VALUES;
  }
}

function range(lower: RawValue, upper: RawValue): Interval {
  return { lower, lowerInclusive: true, upper, upperInclusive: false };
}

/** As explain shows it: `[5, 5]`, `("a", {})`. */
export function showInterval(interval: Interval, direction: 1 | -1): string {
  const lower = inspect(interval.lower);
  const upper = inspect(interval.upper);
  return direction === 1
    ? `${interval.lowerInclusive ? '[' : '('}${lower}, ${upper}${interval.upperInclusive ? ']' : ')'}`
    : `${interval.upperInclusive ? '[' : '('}${upper}, ${lower}${interval.lowerInclusive ? ']' : ')'}`;
}
