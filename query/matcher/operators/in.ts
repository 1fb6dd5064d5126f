/**
 * $in and $nin: equality with any of a list, regular expressions included.
 *
 * Promises: the cost of a test does not grow with a long list: numbers, strings and all other values are looked up in
 * sets; only regular expressions are tried one by one.
 */
import {
  BsonType,
  canonicalKey,
  compareValues,
  doubleValue,
  FieldCursor,
  readInt32,
  RawValue,
  type BsonTypeCode,
  type Collator,
} from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import type { QueryContext } from '../../context.ts';
import { LongStep, PIECE, sortedInPieces } from '../../long-steps.ts';
import { defineFieldOperator } from '../definition.ts';
import { isOperatorDocument } from '../operator-document.ts';
import { negation, type FilterNode, type LeafNode, type ValueTest } from '../tree.ts';
import { equalityNode, equalityTest } from './equality.ts';
import { regexNode, regexTest } from './regex.ts';

export const $in = defineFieldOperator({
  name: '$in',
  parse: ({ path, operand, context }) => {
    uassert(operand.type === BsonType.array, 'BadValue', '$in needs an array');
    return membershipNode(path, operand, context);
  },
});

export const $nin = defineFieldOperator({
  name: '$nin',
  parse: ({ path, operand, context }) => {
    uassert(operand.type === BsonType.array, 'BadValue', '$nin needs an array');
    return negation(membershipNode(path, operand, context));
  },
});

function membershipNode(path: string, list: RawValue, context: QueryContext): FilterNode {
  return MEMBERSHIP.run(() => membershipInPieces(path, list, context));
}

const MEMBERSHIP = new LongStep<FilterNode>();

function* membershipInPieces(
  path: string,
  list: RawValue,
  { collator }: QueryContext,
): Generator<undefined, FilterNode> {
  const equalities: RawValue[] = [];
  const regexes: RawValue[] = [];
  const cursor = new FieldCursor(list.bytes, list.start);
  for (let count = 1; cursor.next(); count += 1) {
    const member = cursor.value();
    uassert(!isOperatorDocument(member), 'BadValue', 'cannot nest $ under $in');
    uassert(
      member.type !== BsonType.undefined,
      'BadValue',
      'InMatchExpression equality cannot be undefined',
    );
    (member.type === BsonType.regex ? regexes : equalities).push(member);
    if (count % PIECE === 0) yield;
  }
  return yield* anyOfInPieces(path, equalities, regexes, collator);
}

/** The node for "equals one of `equalities` or matches one of `regexes`"; $eq or $regex when there is only one. */
export function anyOfNode(
  path: string,
  equalities: readonly RawValue[],
  regexes: readonly RawValue[],
  collator?: Collator,
): FilterNode {
  return MEMBERSHIP.run(() => anyOfInPieces(path, equalities, regexes, collator));
}

function* anyOfInPieces(
  path: string,
  equalities: readonly RawValue[],
  regexes: readonly RawValue[],
  collator?: Collator,
): Generator<undefined, FilterNode> {
  const members = yield* sortedWithoutDuplicates(equalities, collator);
  if (members.length === 1 && regexes.length === 0) {
    return equalityNode(path, members[0], collator);
  }
  if (members.length === 0 && regexes.length === 1) {
    const { pattern, options } = regexes[0].asRegex();
    return regexNode(path, pattern, options);
  }
  return {
    kind: 'leaf',
    path,
    operator: '$in',
    operands: [...members, ...regexes],
    wholeArrayOnly: false,
    ...(yield* membershipTest(members, regexes, collator)),
  };
}

function* sortedWithoutDuplicates(
  values: readonly RawValue[],
  collator?: Collator,
): Generator<undefined, readonly RawValue[]> {
  if (values.length > SHORT_LIST) {
    const sorted = (yield* sortedNumbers(values)) ?? (yield* sortedByBytes(values, collator));
    if (sorted !== undefined) return sorted;
  }
  const sorted = yield* sortedInPieces(values, (a, b) => compareValues(a, b, collator));
  const distinct: RawValue[] = [];
  for (const [index, value] of sorted.entries()) {
    const before = distinct.at(-1);
    if (before === undefined || compareValues(before, value, collator) !== 0) distinct.push(value);
    if (index % PIECE === 0) yield;
  }
  return distinct;
}

/** A list of half a million numbers is sorted as plain doubles, in a tenth of the time. */
function* sortedNumbers(
  values: readonly RawValue[],
): Generator<undefined, readonly RawValue[] | undefined> {
  const first = new Map<number, RawValue>();
  for (const [index, value] of values.entries()) {
    if (value.type !== BsonType.int32 && value.type !== BsonType.double) return undefined;
    const number = value.asNumber();
    if (Number.isNaN(number)) return undefined;
    if (!first.has(number)) first.set(number, value);
    if (index % PIECE === 0) yield;
  }
  return yield* sortedByKey(first, (a, b) => a - b);
}

/** Strings and object ids, whose order is that of their bytes. */
function* sortedByBytes(
  values: readonly RawValue[],
  collator?: Collator,
): Generator<undefined, readonly RawValue[] | undefined> {
  const type: number | undefined = values[0]?.type;
  const isString = type === BsonType.string && collator === undefined;
  if (!isString && type !== BsonType.objectId) return undefined;
  const first = new Map<string, RawValue>();
  for (const [index, value] of values.entries()) {
    if (value.type !== type) return undefined;
    const from = isString ? value.start + 4 : value.start;
    const key = value.bytes.toString('latin1', from, isString ? value.end - 1 : value.end);
    if (!first.has(key)) first.set(key, value);
    if (index % PIECE === 0) yield;
  }
  return yield* sortedByKey(first, (a, b) => (a < b ? -1 : Number(a > b)));
}

function* sortedByKey<Key>(
  first: ReadonlyMap<Key, RawValue>,
  compare: (a: Key, b: Key) => number,
): Generator<undefined, readonly RawValue[]> {
  const sorted: RawValue[] = [];
  for (const key of yield* sortedInPieces([...first.keys()], compare)) {
    sorted.push(first.get(key)!);
    if (sorted.length % PIECE === 0) yield;
  }
  return sorted;
}

/** Up to this many members are compared one by one; more are looked up in sets. */
const SHORT_LIST = 4;

function* membershipTest(
  members: readonly RawValue[],
  regexes: readonly RawValue[],
  collator?: Collator,
): Generator<undefined, Pick<LeafNode, 'test' | 'longWork'>> {
  const equality =
    members.length <= SHORT_LIST
      ? anyOf(members.map((member) => equalityTest(member, collator)))
      : yield* setTest(members, collator);
  if (regexes.length === 0) return { test: equality };
  const patterns = regexes.map((regex) => {
    const { pattern, options } = regex.asRegex();
    return regexTest(pattern, options);
  });
  const anyPattern = anyOf(patterns.map(({ test }) => test));
  return {
    test: (type, bytes, start, end) =>
      equality(type, bytes, start, end) || anyPattern(type, bytes, start, end),
    longWork: patterns.find(({ longWork }) => longWork !== undefined)?.longWork,
  };
}

function anyOf(tests: readonly ValueTest[]): ValueTest {
  const [first, second] = tests;
  if (first === undefined) return () => false;
  if (second === undefined) return first;
  return (type, bytes, start, end) => {
    for (const test of tests) {
      if (test(type, bytes, start, end)) return true;
    }
    return false;
  };
}

/** Look-up by value: exact numbers and plain strings by themselves, everything else by its canonical key. */
function* setTest(
  members: readonly RawValue[],
  collator?: Collator,
): Generator<undefined, ValueTest> {
  const numbers = new Set<number>();
  const strings = new Set<string>();
  const keys = new Set<string>();
  const isPlainText = (type: number): boolean => isText(type) && collator === undefined;
  let hasNull = false;
  for (const [index, member] of members.entries()) {
    if (member.type === BsonType.null) hasNull = true;
    if (isPlainText(member.type)) strings.add(member.asString());
    else if (member.isNumber && isExactDouble(member)) numbers.add(member.asNumber());
    else keys.add(canonicalKey(member, collator));
    if (index % PIECE === 0) yield;
  }
  return (type, bytes, start, end) => {
    if (type === 0) return hasNull;
    if (type === BsonType.int32) return numbers.has(readInt32(bytes, start));
    if (type === BsonType.double) return numbers.has(bytes.readDoubleLE(start));
    if (isPlainText(type)) return strings.has(bytes.toString('utf8', start + 4, end - 1));
    const value = new RawValue(type as BsonTypeCode, bytes, start, end);
    if (value.isNumber && isExactDouble(value)) return numbers.has(value.asNumber());
    return keys.has(canonicalKey(value, collator));
  };
}

function isText(type: number): boolean {
  return type === BsonType.string || type === BsonType.symbol;
}

/** Whether the number's double is the number: then a Set of doubles decides for stored doubles and int32. */
function isExactDouble(value: RawValue): boolean {
  if (value.type === BsonType.double || value.type === BsonType.int32) return true;
  if (value.type === BsonType.int64) return BigInt(value.asNumber()) === value.asInt64();
  const number = value.asNumber();
  return Number.isNaN(number) || compareValues(value, doubleValue(number)) === 0;
}
