/**
 * From one condition of a filter to the intervals of index keys that can hold its matches.
 *
 * Promises: the intervals hold every key of a matching document (complete); `exact` says that they hold no other key, so
 * that the condition need not be checked again on the document.
 */
import { BsonType, getField, type RawValue } from '../../bson/index.ts';
import type { GeoArea } from '../matcher/geo/area.ts';
import type { FilterNode, InternalExprOperator, LeafNode } from '../matcher/tree.ts';
import {
  ALL_VALUES,
  type Interval,
  NULL_INTERVALS,
  orderInterval,
  pointInterval,
  rangeInterval,
  stringInterval,
  unite,
} from './interval.ts';

export interface Bounds {
  readonly intervals: readonly Interval[];
  readonly exact: boolean;
  /** Null stands in the intervals, but a document without the field does not match. */
  readonly onlyExisting?: boolean;
  /** The condition is about an area: only geospatial indexes narrow it down. */
  readonly area?: GeoArea;
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
      return membershipBounds(leaf.operands);
    case '$gt':
    case '$gte':
    case '$lt':
    case '$lte':
      return rangeBounds(leaf.operator, operand!);
    case '$regex':
      return regexBounds(operand!);
    case '$exists':
      return { intervals: ALL_VALUES, exact: false, onlyExisting: true };
    case '$_internalExprEq':
    case '$_internalExprGt':
    case '$_internalExprGte':
    case '$_internalExprLt':
    case '$_internalExprLte':
      return { intervals: [orderInterval(PLAIN_NAME[leaf.operator], operand!)], exact: false };
    case '$type':
    case '$mod':
    case '$size':
    case '$bitsAllSet':
    case '$bitsAllClear':
    case '$bitsAnySet':
    case '$bitsAnyClear':
      return undefined;
    case '$geoWithin':
    case '$geoIntersects':
      return leaf.area === undefined
        ? undefined
        : { intervals: ALL_VALUES, exact: false, area: leaf.area };
  }
}

/** Bounds of `not` over a leaf: {$ne: x} and {$exists: false}. */
export function boundsOfNegation(child: FilterNode): Bounds | undefined {
  if (child.kind !== 'leaf') return undefined;
  if (child.operator === '$exists') return { intervals: NULL_INTERVALS, exact: false };
  return undefined;
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

function membershipBounds(operands: readonly RawValue[]): Bounds | undefined {
  const intervals: Interval[] = [];
  let exact = true;
  for (const operand of operands) {
    const bounds = operand.type === BsonType.regex ? regexBounds(operand) : equalityBounds(operand);
    if (bounds === undefined) return undefined;
    intervals.push(...bounds.intervals);
    exact &&= bounds.exact;
  }
  return { intervals: unite(intervals), exact };
}

function rangeBounds(
  operator: '$gt' | '$gte' | '$lt' | '$lte',
  operand: RawValue,
): Bounds | undefined {
  if (operand.isNullish) {
    // $gte null and $lte null are equality with null; $gt and $lt null match nothing that an index need not show.
    return { intervals: NULL_INTERVALS, exact: false };
  }
  const interval = rangeInterval(operator, operand);
  if (interval === undefined) return undefined;
  const exact = operand.type !== BsonType.object && operand.type !== BsonType.binData;
  return { intervals: [interval], exact };
}

/** Characters that mean something in a regular expression. */
const SPECIAL = /[\\^$.|?*+()[\]{}]/;

function regexBounds(operand: RawValue): Bounds {
  const { pattern, options } = operand.asRegex();
  const prefix = literalPrefix(pattern, options);
  const strings =
    prefix === '' ? stringInterval('') : stringInterval(prefix, successorOfText(prefix));
  // A field may also hold the regular expression itself.
  return { intervals: unite([strings, pointInterval(operand)]), exact: false };
}

/** The text with which every match must start: of /^abc.*x/ "abc"; empty when there is none. */
function literalPrefix(pattern: string, options: string): string {
  if (!/^[sn]*$/.test(options) || pattern.includes('|')) return '';
  if (!pattern.startsWith('^')) return '';
  let prefix = '';
  for (let index = 1; index < pattern.length; index += 1) {
    const character = pattern[index]!;
    if (SPECIAL.test(character)) {
      // A quantifier belongs to the last character of the prefix, which may then be absent.
      if ('?*{'.includes(character)) prefix = withoutLastCharacter(prefix);
      break;
    }
    prefix += character;
  }
  return prefix;
}

function withoutLastCharacter(text: string): string {
  return Array.from(text).slice(0, -1).join('');
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
