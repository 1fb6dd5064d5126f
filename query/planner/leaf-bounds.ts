/**
 * From one condition of a filter to the intervals of index keys that can hold its matches.
 *
 * Promises: the intervals hold every key of a matching document (complete); `exact` says that they hold no other key, so
 * that the condition need not be checked again on the document.
 */
import { BsonType, compareValues, getField, NULL, type RawValue } from '../../bson/index.ts';
import { LongStep, PIECE } from '../long-steps.ts';
import type { GeoArea } from '../matcher/geo/area.ts';
import { isOnlyPrefix, literalPrefix } from '../matcher/literal-prefix.ts';
import type { FilterNode, InternalExprOperator, LeafNode, ValueTest } from '../matcher/tree.ts';
import { parseTypeSet } from '../matcher/type-set.ts';
import {
  ALL_VALUES,
  complement,
  type Interval,
  NULL_INTERVALS,
  orderInterval,
  pointInterval,
  rangeInterval,
  stringInterval,
  typeIntervals,
  unite,
} from './interval.ts';

export interface Bounds {
  readonly intervals: readonly Interval[];
  readonly exact: boolean;
  /** Null stands in the intervals, but a document without the field does not match. */
  readonly onlyExisting?: boolean;
  /** Strings are compared by their bytes, whatever the collation: a pattern is among the conditions. */
  readonly bytewise?: boolean;
  /** The condition is about an area: only geospatial indexes narrow it down. */
  readonly area?: GeoArea;
  /** They are exact where no array lies on the path. */
  readonly exactWithoutArrays?: boolean;
  /** Where no array lies on the path: decides by a key's value, so that no document need be read for it. */
  readonly keyTest?: ValueTest | undefined;
}

const PLAIN_NAME: Readonly<Record<InternalExprOperator, string>> = {
  $_internalExprEq: '$eq',
  $_internalExprGt: '$gt',
  $_internalExprGte: '$gte',
  $_internalExprLt: '$lt',
  $_internalExprLte: '$lte',
};

/** @returns undefined when an index over the leaf's path does not help. */
export function boundsOfLeaf(leaf: LeafNode): Bounds | undefined {
  const operand = leaf.operands[0];
  switch (leaf.operator) {
    case '$eq':
      return equalityBounds(operand!);
    case '$in':
      return membershipBounds(leaf);
    case '$gt':
    case '$gte':
    case '$lt':
    case '$lte':
      return rangeBounds(leaf.operator, operand!);
    case '$regex': {
      const bounds = regexBounds(operand!);
      return bounds.exact ? bounds : { ...bounds, keyTest: leaf.test };
    }
    case '$type':
      return typeBounds(leaf);
    case '$mod':
      return { intervals: NUMBERS, exact: false, keyTest: leaf.test };
    case '$bitsAllSet':
    case '$bitsAllClear':
    case '$bitsAnySet':
    case '$bitsAnyClear':
      return { intervals: NUMBERS_AND_BYTES, exact: false, keyTest: leaf.test };
    case '$exists':
      return { intervals: ALL_VALUES, exact: false, onlyExisting: true };
    case '$_internalExprEq':
    case '$_internalExprGt':
    case '$_internalExprGte':
    case '$_internalExprLt':
    case '$_internalExprLte':
      return { intervals: [orderInterval(PLAIN_NAME[leaf.operator], operand!)], exact: false };
    case '$size':
      return undefined;
    case '$geoWithin':
    case '$geoIntersects':
      return leaf.area === undefined
        ? undefined
        : { intervals: ALL_VALUES, exact: false, area: leaf.area };
  }
}

const NUMBERS = typeIntervals(BsonType.double);
const NUMBERS_AND_BYTES = unite([...NUMBERS, ...typeIntervals(BsonType.binData)]);

/** An array has all types of its elements besides its own: that one no interval holds. */
function typeBounds(leaf: LeafNode): Bounds | undefined {
  const types = parseTypeSet(leaf.operands[0]!);
  if (types.has(BsonType.array)) return undefined;
  const intervals = unite(Array.from(types, (type) => typeIntervals(type)).flat());
  // A key's null may stand for a missing field, its undefined for an empty array.
  if (types.has(BsonType.null) || types.has(BsonType.undefined)) return { intervals, exact: false };
  return { intervals, exact: false, keyTest: leaf.test };
}

/**
 * Bounds of `not` over a leaf: {$ne: x}, {$nin: [...]}, {$exists: false}, {$not: {$gt: x}}: all but what the leaf allows, if its bounds
 * hold nothing else. Of an array with matching and other elements some keys are within, so arrays are checked again.
 */
export function boundsOfNegation(child: FilterNode): Bounds | undefined {
  if (child.kind !== 'leaf') return undefined;
  switch (child.operator) {
    case '$exists':
      return { intervals: NULL_INTERVALS, exact: false };
    case '$eq':
    case '$in':
      return allBut(child.operands);
    case '$gt':
    case '$gte':
    case '$lt':
    case '$lte': {
      const bounds = rangeBounds(child.operator, child.operands[0]!);
      if (bounds?.exact !== true) return undefined;
      return { intervals: complement(bounds.intervals), exact: false, exactWithoutArrays: true };
    }
    default:
      return undefined;
  }
}

function allBut(operands: readonly RawValue[]): Bounds | undefined {
  let exact = true;
  const points: Interval[] = [];
  for (const operand of operands) {
    if (operand.isNullish) {
      // An empty array, whose key is undefined, is not null.
      points.push(pointInterval(NULL));
      exact = false;
    } else if (equalityBounds(operand)?.exact === true) points.push(pointInterval(operand));
    else return undefined;
  }
  const intervals = complement(unite(points));
  return { intervals, exact: false, exactWithoutArrays: exact };
}

function equalityBounds(operand: RawValue): Bounds | undefined {
  if (operand.isNullish) return { intervals: NULL_INTERVALS, exact: false };
  if (operand.type === BsonType.array) return arrayEqualityBounds(operand);
  if (operand.type === BsonType.regex) return undefined;
  if (operand.type === BsonType.minKey || operand.type === BsonType.maxKey) {
    return { intervals: [pointInterval(operand)], exact: false };
  }
  return { intervals: [pointInterval(operand)], exact: true };
}

/** An array equals an array whose first element is the same, or is an element of one. */
function arrayEqualityBounds(operand: RawValue): Bounds {
  const first = getField(operand.asDocument(), '0');
  const outer = pointInterval(operand);
  if (first === undefined) return { intervals: unite([...NULL_INTERVALS, outer]), exact: false };
  if (first.isNullish) return { intervals: unite([...NULL_INTERVALS, outer]), exact: false };
  return { intervals: unite([pointInterval(first), outer]), exact: false };
}

function membershipBounds(leaf: LeafNode): Bounds | undefined {
  return MEMBERSHIP_BOUNDS.run(() => membershipBoundsInPieces(leaf));
}

const MEMBERSHIP_BOUNDS = new LongStep<Bounds | undefined>();

function* membershipBoundsInPieces(leaf: LeafNode): Generator<undefined, Bounds | undefined> {
  const intervals: Interval[] = [];
  let exact = true;
  let mayTestKeys = true;
  let bytewise = false;
  for (const operand of leaf.operands) {
    const isPattern = operand.type === BsonType.regex;
    const bounds = isPattern ? regexBounds(operand) : equalityBounds(operand);
    if (bounds === undefined) return undefined;
    intervals.push(...bounds.intervals);
    exact &&= bounds.exact;
    mayTestKeys &&= isPattern || bounds.exact;
    bytewise ||= isPattern;
    if (intervals.length % PIECE === 0) yield;
  }
  const united = (yield* areApart(intervals)) ? intervals : unite(intervals);
  if (exact || !mayTestKeys) return { intervals: united, exact, bytewise };
  return { intervals: united, exact, bytewise, keyTest: leaf.test };
}

/** Whether they are in order as they stand, and none touches the next: the members of a list are sorted. */
function* areApart(intervals: readonly Interval[]): Generator<undefined, boolean> {
  for (let index = 1; index < intervals.length; index += 1) {
    if (compareValues(intervals[index - 1]!.upper, intervals[index]!.lower) >= 0) return false;
    if (index % PIECE === 0) yield;
  }
  return true;
}

function rangeBounds(
  operator: '$gt' | '$gte' | '$lt' | '$lte',
  operand: RawValue,
): Bounds | undefined {
  if (operand.isNullish) {
    // $gte null and $lte null are equality with null; $gt and $lt null match nothing that an index need not show.
    return { intervals: NULL_INTERVALS, exact: false };
  }
  if (operand.isNumber && Number.isNaN(operand.asNumber())) {
    // Not a number is equal to itself, and neither less nor greater than anything.
    const isEqual = operator === '$gte' || operator === '$lte';
    return { intervals: isEqual ? [pointInterval(operand)] : [], exact: true };
  }
  const interval = rangeInterval(operator, operand);
  if (interval === undefined) return undefined;
  const exact = operand.type !== BsonType.object && operand.type !== BsonType.binData;
  return { intervals: [interval], exact };
}

function regexBounds(operand: RawValue): Bounds {
  const { pattern, options } = operand.asRegex();
  const prefix = literalPrefix(pattern, options);
  const strings =
    prefix === undefined ? stringInterval('') : stringInterval(prefix, successorOfText(prefix));
  // A field may also hold the regular expression itself.
  const intervals = unite([strings, pointInterval(operand)]);
  return { intervals, exact: prefix !== undefined && isOnlyPrefix(pattern), bytewise: true };
}

/** The least string that is greater than all that start with `prefix`; undefined when there is none. */
function successorOfText(prefix: string): string | undefined {
  const points = Array.from(prefix, (character) => character.codePointAt(0)!);
  while (points.length > 0) {
    const last = points.pop()!;
    if (last >= 0x10ffff) continue;
    // The surrogates are no characters: UTF-8 goes from U+D7FF on to U+E000.
    points.push(last === 0xd7ff ? 0xe000 : last + 1);
    return String.fromCodePoint(...points);
  }
  return undefined;
}
