/**
 * $eq and $ne: tests whether a value equals a constant, straight from bytes.
 *
 * Promises: numbers of all types are equal when their values are; strings are compared as bytes unless there is a
 * collation; documents and arrays are equal when fields, order and values are; null also equals a missing field.
 * A test is chosen once for the constant's type; bench/micro/query/matcher.bench.ts shows why.
 */
import {
  BsonType,
  compareValues,
  readInt32,
  RawValue,
  typeOrderOf,
  type BsonTypeCode,
  type Collator,
} from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import { defineFieldOperator } from '../definition.ts';
import type { ValueTest } from '../tree.ts';
import { negation, type FilterNode } from '../tree.ts';

export const $eq = defineFieldOperator({
  name: '$eq',
  parse: ({ path, operand, context }) => equalityNode(path, operand, context.collator),
});

export const $ne = defineFieldOperator({
  name: '$ne',
  parse: ({ path, operand, context }) => {
    uassert(operand.type !== BsonType.regex, 'BadValue', "Can't have regex as arg to $ne.");
    return negation(equalityNode(path, operand, context.collator));
  },
});

export function equalityNode(path: string, operand: RawValue, collator?: Collator): FilterNode {
  return {
    kind: 'leaf',
    path,
    operator: '$eq',
    operands: [operand],
    test: equalityTest(operand, collator),
    wholeArrayOnly: false,
  };
}

/** @throws CommandError BadValue for the type undefined. */
export function equalityTest(operand: RawValue, collator?: Collator): ValueTest {
  uassert(operand.type !== BsonType.undefined, 'BadValue', 'cannot compare to undefined');
  switch (operand.type) {
    case BsonType.null:
      return isNullOrMissing;
    case BsonType.int32:
      return equalsNumber(operand, operand.asNumber());
    case BsonType.double: {
      const number = operand.asNumber();
      return Number.isNaN(number) ? equalsByComparison(operand) : equalsNumber(operand, number);
    }
    case BsonType.int64: {
      const number = operand.asNumber();
      return Number.isSafeInteger(number)
        ? equalsNumber(operand, number)
        : equalsByComparison(operand);
    }
    case BsonType.string:
    case BsonType.symbol:
      return collator === undefined ? equalsText(operand) : equalsByComparison(operand, collator);
    case BsonType.bool:
      return equalsBoolean(operand.asBoolean() ? 1 : 0);
    case BsonType.objectId:
    case BsonType.date:
    case BsonType.timestamp:
    case BsonType.binData:
      return equalsBytes(operand);
    default:
      return equalsByComparison(operand, collator);
  }
}

export const isNullOrMissing: ValueTest = (type) => type === BsonType.null || type === 0;

function equalsNumber(operand: RawValue, number: number): ValueTest {
  return (type, bytes, start, end) => {
    switch (type) {
      case BsonType.int32:
        return readInt32(bytes, start) === number;
      case BsonType.double:
        return bytes.readDoubleLE(start) === number;
      case BsonType.int64:
      case BsonType.decimal128:
        return compareValues(new RawValue(type, bytes, start, end), operand) === 0;
      default:
        return false;
    }
  };
}

function equalsText(operand: RawValue): ValueTest {
  const text = operand.toBytes();
  const size = text.length;
  return (type, bytes, start, end) => {
    if (type !== BsonType.string && type !== BsonType.symbol) return false;
    return end - start === size && sameBytes(bytes, start, text);
  };
}

function equalsBytes(operand: RawValue): ValueTest {
  const expected = operand.toBytes();
  const { type: operandType } = operand;
  const size = expected.length;
  return (type, bytes, start, end) =>
    type === operandType && end - start === size && sameBytes(bytes, start, expected);
}

/** Beyond this a native comparison is faster than a loop. */
const LOOP_BYTES = 48;

function sameBytes(bytes: Buffer, start: number, expected: Buffer): boolean {
  const size = expected.length;
  if (size > LOOP_BYTES) return bytes.compare(expected, 0, size, start, start + size) === 0;
  // From the end: values of one field tend to begin alike, and the length stands at the start.
  for (let index = size - 1; index >= 0; index -= 1) {
    if (bytes[start + index] !== expected[index]) return false;
  }
  return true;
}

function equalsBoolean(expected: number): ValueTest {
  return (type, bytes, start) => type === BsonType.bool && bytes[start] === expected;
}

function equalsByComparison(operand: RawValue, collator?: Collator): ValueTest {
  const order = typeOrderOf(operand.type);
  return (type, bytes, start, end) => {
    if (type === 0 || typeOrderOf(type as BsonTypeCode) !== order) return false;
    const value = new RawValue(type as BsonTypeCode, bytes, start, end);
    return compareValues(value, operand, collator) === 0;
  };
}
