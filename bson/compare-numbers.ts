/**
 * Compares numbers of any two types exactly, also where a double cannot hold an int64 or a decimal.
 *
 * The order is total: NaN equals NaN and lies below all other numbers, -0 equals 0.
 */
import type { Decimal } from './decimal.ts';
import { powerOfTen } from './decimal.ts';
import { exactDouble } from './double-bits.ts';
import type { RawValue } from './raw-value.ts';
import { readInt32, readInt64AsNumber, readUint32 } from './scalars.ts';
import { BsonType } from './types.ts';

/** @returns -1, 0 or 1. Both values must be numbers. */
export function compareNumbers(a: RawValue, b: RawValue): number {
  const typeA = a.type;
  const typeB = b.type;
  if (typeA === BsonType.int32 && typeB === BsonType.int32) {
    const left = readInt32(a.bytes, a.start);
    const right = readInt32(b.bytes, b.start);
    return left < right ? -1 : left > right ? 1 : 0;
  }
  if (typeA === BsonType.decimal128) return compareDecimalTo(a.asDecimal(), b);
  if (typeB === BsonType.decimal128) return 0 - compareDecimalTo(b.asDecimal(), a);
  if (typeA === BsonType.int64) {
    return typeB === BsonType.int64 ? compareInt64s(a, b) : compareInt64To(a, b.asNumber());
  }
  if (typeB === BsonType.int64) return 0 - compareInt64To(b, a.asNumber());
  return compareDoubles(a.asNumber(), b.asNumber());
}

/** Doubles, or integers that a double holds exactly. */
export function compareDoubles(a: number, b: number): number {
  if (a < b) return -1;
  if (a > b) return 1;
  if (a === b) return 0;
  return Number(Number.isNaN(b)) - Number(Number.isNaN(a));
}

function compareInt64s(a: RawValue, b: RawValue): number {
  const high = readInt32(a.bytes, a.start + 4) - readInt32(b.bytes, b.start + 4);
  const difference =
    high !== 0 ? high : readUint32(a.bytes, a.start) - readUint32(b.bytes, b.start);
  return difference < 0 ? -1 : difference > 0 ? 1 : 0;
}

/** An int64 with a double or int32. */
function compareInt64To(long: RawValue, other: number): number {
  const rounded = readInt64AsNumber(long.bytes, long.start);
  // Rounding keeps order, so only a tie may hide a difference; 2^63 is a tie that no int64 equals.
  if (rounded !== other || Number.isSafeInteger(rounded)) return compareDoubles(rounded, other);
  const exact = long.bytes.readBigInt64LE(long.start);
  const integer = BigInt(other);
  return exact < integer ? -1 : exact > integer ? 1 : 0;
}

function compareDecimalTo(decimal: Decimal, other: RawValue): number {
  return other.type === BsonType.double
    ? compareDecimalToDouble(decimal, other.asNumber())
    : decimal.compare(other.asDecimal());
}

/** A decimal with a double's exact binary value: decimal 0.1 lies below the double 0.1. */
export function compareDecimalToDouble(decimal: Decimal, other: number): number {
  const rounded = decimal.toNumber();
  if (rounded !== other || decimal.kind !== 'finite') return compareDoubles(rounded, other);
  if (!Number.isFinite(other)) return -decimal.sign;
  if (decimal.coefficient === 0n || other === 0) {
    return decimal.coefficient === 0n ? 0 : decimal.sign;
  }
  const { mantissa, exponent } = exactDouble(Math.abs(other));
  let left = decimal.coefficient;
  let right = mantissa;
  if (decimal.exponent >= 0) left *= powerOfTen(decimal.exponent);
  else right *= powerOfTen(-decimal.exponent);
  if (exponent >= 0) right <<= BigInt(exponent);
  else left <<= BigInt(-exponent);
  return left === right ? 0 : left < right ? -decimal.sign : decimal.sign;
}
