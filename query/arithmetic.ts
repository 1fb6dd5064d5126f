/**
 * Arithmetic over BSON's four number types: which type a result has, and when it does not fit.
 *
 * Owns: numeric promotion, shared by updates ($inc, $mul) and expressions ($add, $multiply, ...).
 * Promises: decimal128 beats double beats int64 beats int32; two int32 give an int32 if the result fits and an int64 if
 * not; an int64 that does not fit gives `undefined`, and the caller decides (updates refuse, expressions go to double).
 * Source: MongoDB's manual, "$inc", "$mul", "$add"; BSON types.
 */
import {
  BsonType,
  decimalValue,
  doubleValue,
  int32Value,
  int64Value,
  type Decimal,
  type RawValue,
} from '../bson/index.ts';

export type NumberTypeCode =
  | typeof BsonType.int32
  | typeof BsonType.int64
  | typeof BsonType.double
  | typeof BsonType.decimal128;

/** The type of the result of an operation on two numbers, before overflow. Both must be numbers. */
export function widestNumberType(a: RawValue, b: RawValue): NumberTypeCode {
  if (a.type === BsonType.decimal128 || b.type === BsonType.decimal128) return BsonType.decimal128;
  if (a.type === BsonType.double || b.type === BsonType.double) return BsonType.double;
  if (a.type === BsonType.int64 || b.type === BsonType.int64) return BsonType.int64;
  return BsonType.int32;
}

/** One operation in each of the three arithmetics. */
interface Operation {
  readonly decimal: (a: Decimal, b: Decimal) => Decimal;
  readonly double: (a: number, b: number) => number;
  readonly integer: (a: bigint, b: bigint) => bigint;
}

const ADD: Operation = {
  decimal: (a, b) => a.add(b),
  double: (a, b) => a + b,
  integer: (a, b) => a + b,
};
const SUBTRACT: Operation = {
  decimal: (a, b) => a.subtract(b),
  double: (a, b) => a - b,
  integer: (a, b) => a - b,
};
const MULTIPLY: Operation = {
  decimal: (a, b) => a.multiply(b),
  double: (a, b) => a * b,
  integer: (a, b) => a * b,
};

/** a + b; undefined when the int64 overflows. Both must be numbers. */
export function addNumbers(a: RawValue, b: RawValue): RawValue | undefined {
  return calculate(ADD, a, b);
}

/** a - b; undefined when the int64 overflows. Both must be numbers. */
export function subtractNumbers(a: RawValue, b: RawValue): RawValue | undefined {
  return calculate(SUBTRACT, a, b);
}

/** a * b; undefined when the int64 overflows. Both must be numbers. */
export function multiplyNumbers(a: RawValue, b: RawValue): RawValue | undefined {
  return calculate(MULTIPLY, a, b);
}

function calculate(operation: Operation, a: RawValue, b: RawValue): RawValue | undefined {
  const type = widestNumberType(a, b);
  switch (type) {
    case BsonType.decimal128:
      return decimalValue(operation.decimal(a.asDecimal(), b.asDecimal()));
    case BsonType.double:
      return doubleValue(withOneNaN(operation.double(a.asNumber(), b.asNumber())));
    case BsonType.int32: {
      // Sums, differences and products of two int32 below 2^53 are exact in a double; larger ones go on as int64.
      const result = operation.double(a.asNumber(), b.asNumber());
      if ((result | 0) === result) return int32Value(result);
      return integerResult(operation.integer(a.asInt64(), b.asInt64()));
    }
    case BsonType.int64:
      return integerResult(operation.integer(a.asInt64(), b.asInt64()));
  }
}

/** Processors differ in the bits of a NaN that they make; stored ones should not. */
function withOneNaN(value: number): number {
  return Number.isNaN(value) ? Number.NaN : value;
}

function integerResult(value: bigint): RawValue | undefined {
  return BigInt.asIntN(64, value) === value ? int64Value(value) : undefined;
}
