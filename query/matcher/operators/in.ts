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
  fieldsOf,
  readInt32,
  RawValue,
  type BsonTypeCode,
  type Collator,
} from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import type { QueryContext } from '../../context.ts';
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
  const equalities: RawValue[] = [];
  const regexes: RawValue[] = [];
  for (const [, member] of fieldsOf(list.asDocument())) {
    uassert(!isOperatorDocument(member), 'BadValue', 'cannot nest $ under $in');
    uassert(
      member.type !== BsonType.undefined,
      'BadValue',
      'InMatchExpression equality cannot be undefined',
    );
    (member.type === BsonType.regex ? regexes : equalities).push(member);
  }
  return anyOfNode(path, equalities, regexes, context.collator);
}

/** The node for "equals one of `equalities` or matches one of `regexes`"; $eq or $regex when there is only one. */
export function anyOfNode(
  path: string,
  equalities: readonly RawValue[],
  regexes: readonly RawValue[],
  collator?: Collator,
): FilterNode {
  const members = sortedWithoutDuplicates(equalities, collator);
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
    ...membershipTest(members, regexes, collator),
  };
}

function sortedWithoutDuplicates(values: readonly RawValue[], collator?: Collator): RawValue[] {
  if (values.length > SHORT_LIST) {
    const sorted = sortedNumbers(values) ?? sortedByBytes(values, collator);
    if (sorted !== undefined) return sorted;
  }
  const sorted = values.toSorted((a, b) => compareValues(a, b, collator));
  return sorted.filter((value, index) => {
    const before = sorted[index - 1];
    return before === undefined || compareValues(before, value, collator) !== 0;
  });
}

/** A list of half a million numbers is sorted as plain doubles, in a tenth of the time. */
function sortedNumbers(values: readonly RawValue[]): RawValue[] | undefined {
  const first = new Map<number, RawValue>();
  for (const value of values) {
    if (value.type !== BsonType.int32 && value.type !== BsonType.double) return undefined;
    const number = value.asNumber();
    if (Number.isNaN(number)) return undefined;
    if (!first.has(number)) first.set(number, value);
  }
  return Array.from(Float64Array.from(first.keys()).sort(), (number) => first.get(number)!);
}

/** Strings and object ids, whose order is that of their bytes. */
function sortedByBytes(values: readonly RawValue[], collator?: Collator): RawValue[] | undefined {
  const type: number | undefined = values[0]?.type;
  const isString = type === BsonType.string && collator === undefined;
  if (!isString && type !== BsonType.objectId) return undefined;
  const first = new Map<string, RawValue>();
  for (const value of values) {
    if (value.type !== type) return undefined;
    const from = isString ? value.start + 4 : value.start;
    const key = value.bytes.toString('latin1', from, isString ? value.end - 1 : value.end);
    if (!first.has(key)) first.set(key, value);
  }
  return Array.from([...first.keys()].sort(), (key) => first.get(key)!);
}

/** Up to this many members are compared one by one; more are looked up in sets. */
const SHORT_LIST = 4;

function membershipTest(
  members: readonly RawValue[],
  regexes: readonly RawValue[],
  collator?: Collator,
): Pick<LeafNode, 'test' | 'longWork'> {
  const equality =
    members.length <= SHORT_LIST
      ? anyOf(members.map((member) => equalityTest(member, collator)))
      : setTest(members, collator);
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
function setTest(members: readonly RawValue[], collator?: Collator): ValueTest {
  const numbers = new Set<number>();
  const strings = new Set<string>();
  let keys: Set<string> | undefined;
  // Made when the first value comes that is neither a string nor a plain number.
  const others = (): Set<string> =>
    (keys ??= new Set(members.map((member) => canonicalKey(member, collator))));
  let hasNull = false;
  for (const member of members) {
    if (member.type === BsonType.null) hasNull = true;
    if (isText(member.type)) strings.add(member.asString());
    if (member.isNumber && isExactDouble(member)) numbers.add(member.asNumber());
  }
  return (type, bytes, start, end) => {
    if (type === 0) return hasNull;
    if (type === BsonType.int32) return numbers.has(readInt32(bytes, start));
    if (type === BsonType.double) return numbers.has(bytes.readDoubleLE(start));
    if (isText(type) && collator === undefined) {
      return strings.has(bytes.toString('utf8', start + 4, end - 1));
    }
    const value = new RawValue(type as BsonTypeCode, bytes, start, end);
    return others().has(canonicalKey(value, collator));
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
