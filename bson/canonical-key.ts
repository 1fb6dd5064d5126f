/**
 * A string per value that is equal exactly when the values are equal in MongoDB's sense: keys for Map and Set.
 *
 * Promises: canonicalKey(a) === canonicalKey(b) if and only if compareValues(a, b) === 0.
 */
import type { Collator } from './collator.ts';
import { digitCount, powerOfTen, significantDigits } from './decimal.ts';
import { keyText } from './index-key.ts';
import type { RawValue } from './raw-value.ts';
import { readInt32 } from './scalars.ts';
import { BsonType } from './types.ts';

const NULL_KEY = 'nul:';

/**
 * The key of a value; a missing one (undefined) has null's.
 * Frequent types have short forms. They never meet: a string's begins with its length, whose fourth character would
 * have to be ':' (a string of a gigabyte) to equal another's four-character mark.
 */
export function canonicalKey(value: RawValue | undefined, collator?: Collator): string {
  if (value === undefined) return NULL_KEY;
  const type: number = value.type;
  switch (type) {
    case BsonType.string:
    case BsonType.symbol:
      if (collator !== undefined) return `col:${collator.key(value.asString())}`;
      return value.bytes.toString('latin1', value.start, value.end - 1);
    case BsonType.int32:
      return `num:${readInt32(value.bytes, value.start)}`;
    case BsonType.double:
    case BsonType.int64: {
      const number = value.asNumber();
      return printsExactly(number) ? `num:${number}` : `key:${keyText(value)}`;
    }
    case BsonType.decimal128:
      return decimalKey(value);
    case BsonType.null:
      return NULL_KEY;
    default:
      return `key:${keyText(value, collator)}`;
  }
}

/** Whether the text of a double, or of an int64 rounded to one, stands for exactly one number. */
function printsExactly(number: number): boolean {
  return Math.abs(number) <= Number.MAX_SAFE_INTEGER || Number.isNaN(number);
}

/** What a double holds exactly has the double's key; what none does is a decimal for sure, and is its own digits. */
function decimalKey(value: RawValue): string {
  const decimal = value.asDecimal();
  if (decimal.isNaN || decimal.isZero) return `num:${decimal.isNaN ? 'NaN' : '0'}`;
  const number = decimal.toNumber();
  if (!printsExactly(number)) return `key:${keyText(value)}`;
  const digits = significantDigits(decimal.coefficient);
  const exponent = decimal.exponent + digitCount(decimal.coefficient) - digits.length;
  if (exponent >= 0 || isBinaryFraction(BigInt(digits), -exponent)) return `num:${number}`;
  return `dec:${decimal.sign < 0 ? '-' : ''}${digits}E${exponent}`;
}

/** Whether digits / 10^places is a double: its denominator a power of two, its numerator below 2^53. */
function isBinaryFraction(digits: bigint, places: number): boolean {
  // 5^49 has more than 34 digits.
  if (places > 48) return false;
  const powerOfFive = powerOfTen(places) >> BigInt(places);
  return digits % powerOfFive === 0n && digits / powerOfFive < 1n << 53n;
}
