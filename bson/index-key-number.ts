/**
 * Numbers inside index keys: one encoding by value for all four types. docs/format/index-keys.md#numbers
 *
 * Promises: equal numbers give equal bytes, smaller numbers smaller ones, across int, long, double and decimal, exactly;
 * no encoding is a prefix of another. What the bytes forget (the type, the sign of zero, a decimal's trailing zeros, a
 * NaN's payload) goes to the type bits.
 *
 * A magnitude m is written by class: nothing for zero; for m < 1 and m >= 2^63 the bits of the largest double not above
 * m; else its whole part and, if there is one, 55 bits of its fraction. A last bit says whether that is all of m; if
 * not, m is a decimal, and its digits follow in pairs. A negative number inverts the bytes of its magnitude.
 */
import { compareDecimalToDouble } from './compare-numbers.ts';
import { Decimal, digitCount, powerOfTen, significantDigits } from './decimal.ts';
import { doubleBelow, highBits, lowBits } from './double-bits.ts';
import { DECIMAL_PLACE_BIAS, FRACTION_BITS, KEY_CLASS, MAGNITUDE } from './key-classes.ts';
import type { KeyWriter } from './key-writer.ts';
import type { RawValue } from './raw-value.ts';
import { readInt32, readUint32 } from './scalars.ts';
import { NUMBER_KIND } from './type-bits.ts';
import { BsonType } from './types.ts';

const TWO_32 = 4_294_967_296;
const FRACTION_SCALE = 2 ** FRACTION_BITS;
const TWO_63 = 9_223_372_036_854_775_808;
/** Makes a decimal zero's exponent unsigned. */
export const EXPONENT_BIAS = 6176;
const CANONICAL_NAN_HIGH = 0x7ff8_0000;

/** Appends a number's bytes and its type bits. */
export function writeNumber(writer: KeyWriter, value: RawValue): void {
  const type: number = value.type;
  if (type === BsonType.int32) {
    writeWholeDouble(writer, readInt32(value.bytes, value.start));
    writer.typeBits.zero();
  } else if (type === BsonType.double) {
    writeDouble(writer, value);
  } else if (type === BsonType.int64) {
    writeInt64(writer, value);
  } else {
    writeDecimal(writer, value);
  }
}

/** An integer of at most 2^63 - 1 in magnitude that a double holds. */
function writeWholeDouble(writer: KeyWriter, value: number): void {
  if (value === 0) {
    writer.byte(KEY_CLASS.zero);
    return;
  }
  const magnitude = Math.abs(value);
  const start = writer.length;
  writeWhole(writer, value < 0 ? -1 : 1, Math.floor(magnitude / TWO_32), magnitude >>> 0, 0);
  if (value < 0) writer.invert(start + 1);
}

/** Class and whole part n = high * 2^32 + low, 1 <= n < 2^63; the last bit says whether a fraction follows. */
function writeWhole(
  writer: KeyWriter,
  sign: 1 | -1,
  high: number,
  low: number,
  hasFraction: 0 | 1,
): void {
  const upper = ((high << 1) | (low >>> 31)) >>> 0;
  const lower = ((low << 1) | hasFraction) >>> 0;
  const bytes = upper === 0 ? byteCount(lower) : 4 + byteCount(upper);
  writer.byte(KEY_CLASS.zero + sign * (MAGNITUDE.wholeOfOneByte - 1 + bytes));
  writer.bigEndian(upper, lower, bytes);
}

/** Bytes that an unsigned 32-bit number > 0 takes. */
function byteCount(value: number): number {
  return 4 - (Math.clz32(value) >>> 3);
}

/** The bits of a double >= 0, whose free sign bit makes room at the other end for the bit "a remainder follows". */
function writeDoubleBits(writer: KeyWriter, magnitude: number, hasRemainder: 0 | 1): void {
  const high = highBits(magnitude);
  const low = lowBits(magnitude);
  const upper = ((high << 1) | (low >>> 31)) >>> 0;
  writer.bigEndian(upper, ((low << 1) | hasRemainder) >>> 0, 8);
}

function writeInt64(writer: KeyWriter, value: RawValue): void {
  const high = readInt32(value.bytes, value.start + 4);
  const low = readInt32(value.bytes, value.start);
  const fitsInt32 = high === low >> 31;
  const isSmallest = high === -0x8000_0000 && low === 0;
  if (fitsInt32) {
    writeWholeDouble(writer, low);
  } else if (isSmallest) {
    writer.byte(KEY_CLASS.zero - MAGNITUDE.large);
    const start = writer.length;
    writeDoubleBits(writer, TWO_63, 0);
    writer.invert(start);
  } else if (high > 0 || (high === 0 && low !== 0)) {
    writeWhole(writer, 1, high, low >>> 0, 0);
  } else {
    const start = writer.length;
    // The magnitude in two's complement: all bits inverted, plus one.
    writeWhole(writer, -1, ~high + (low === 0 ? 1 : 0), -low >>> 0, 0);
    writer.invert(start + 1);
  }
  if (fitsInt32 || isSmallest) writer.typeBits.write(1 | (NUMBER_KIND.int64 << 1), 3);
  else writer.typeBits.zero();
}

function writeDouble(writer: KeyWriter, value: RawValue): void {
  const number = value.bytes.readDoubleLE(value.start);
  const magnitude = Math.abs(number);
  const start = writer.length;
  if (magnitude >= 1 && magnitude < TWO_63) {
    const whole = Math.floor(magnitude);
    if (whole === magnitude) {
      writeWholeDouble(writer, number);
      writer.typeBits.write(1 | (NUMBER_KIND.double << 1), 3);
      return;
    }
    writeWhole(writer, number < 0 ? -1 : 1, Math.floor(whole / TWO_32), whole >>> 0, 1);
    // Exact: a fraction above a whole part has at most 52 bits.
    const fraction = (magnitude - whole) * FRACTION_SCALE;
    writeFraction(writer, Math.floor(fraction / TWO_32), fraction >>> 0, 0);
    writer.typeBits.zero();
  } else if (magnitude > 0) {
    const size = magnitude < 1 ? MAGNITUDE.small : MAGNITUDE.large;
    writer.byte(KEY_CLASS.zero + (number < 0 ? -size : size));
    writeDoubleBits(writer, magnitude, 0);
    writer.typeBits.zero();
  } else {
    writeZeroOrNan(writer, value, number);
    return;
  }
  if (number < 0) writer.invert(start + 1);
}

function writeZeroOrNan(writer: KeyWriter, value: RawValue, number: number): void {
  const isZero = number === 0;
  writer.byte(isZero ? KEY_CLASS.zero : KEY_CLASS.nan);
  const high = readUint32(value.bytes, value.start + 4);
  if (isZero) {
    writer.typeBits.write(1 | (NUMBER_KIND.double << 1) | ((high >>> 31) << 3), 4);
  } else if (high === CANONICAL_NAN_HIGH && readInt32(value.bytes, value.start) === 0) {
    writer.typeBits.zero();
  } else {
    writer.typeBits.write(1 | (NUMBER_KIND.double << 1), 3);
    writer.typeBits.writeBytes(value.bytes, value.start, value.end);
  }
}

/** The first 55 bits of a fraction, high * 2^32 + low, and whether a remainder follows. */
function writeFraction(writer: KeyWriter, high: number, low: number, hasRemainder: 0 | 1): void {
  writer.bigEndian((high << 1) | (low >>> 31), ((low << 1) | hasRemainder) >>> 0, 7);
}

function writeDecimal(writer: KeyWriter, value: RawValue): void {
  const decimal = value.asDecimal();
  const start = writer.length;
  let trailingZeros = 0;
  let hasRemainder = false;
  if (decimal.isNaN) {
    writer.byte(KEY_CLASS.nan);
  } else if (decimal.isZero) {
    writer.byte(KEY_CLASS.zero);
  } else if (decimal.kind === 'infinity') {
    writer.byte(KEY_CLASS.zero + decimal.sign * MAGNITUDE.large);
    writeDoubleBits(writer, Infinity, 0);
  } else {
    const digits = significantDigits(decimal.coefficient);
    trailingZeros = digitCount(decimal.coefficient) - digits.length;
    hasRemainder = writeFiniteDecimal(writer, decimal, digits);
  }
  if (decimal.sign < 0 && !decimal.isNaN && !decimal.isZero) writer.invert(start + 1);
  writeDecimalTypeBits(writer, value, decimal, trailingZeros, hasRemainder);
}

/**
 * Class and bytes of a decimal that is neither zero nor special, not yet inverted.
 * @param digits its significant digits, without zeros at the end.
 * @returns whether a remainder stands in the key, which only decimals have.
 */
function writeFiniteDecimal(writer: KeyWriter, decimal: Decimal, digits: string): boolean {
  // The value is 0.digits * 10^place.
  const place = decimal.exponent + digitCount(decimal.coefficient);
  const whole = place >= 1 && place <= 19 ? decimal.abs().toBigInt() : undefined;
  if (whole !== undefined && whole < 1n << 63n) {
    return writeDecimalWhole(writer, decimal, whole, digits);
  }
  writer.byte(KEY_CLASS.zero + decimal.sign * (place < 1 ? MAGNITUDE.small : MAGNITUDE.large));
  const magnitude = decimal.abs();
  const nearest = magnitude.toNumber();
  const order = compareDecimalToDouble(magnitude, nearest);
  writeDoubleBits(writer, order < 0 ? doubleBelow(nearest) : nearest, order === 0 ? 0 : 1);
  if (order === 0) return false;
  writer.bigEndian(0, place + DECIMAL_PLACE_BIAS, 2);
  writeDigits(writer, digits);
  return true;
}

function writeDecimalWhole(
  writer: KeyWriter,
  decimal: Decimal,
  whole: bigint,
  digits: string,
): boolean {
  const high = Number(whole >> 32n);
  const low = Number(whole & 0xffff_ffffn);
  const scale = powerOfTen(Math.max(0, -decimal.exponent));
  const rest = decimal.exponent < 0 ? decimal.coefficient - whole * scale : 0n;
  writeWhole(writer, decimal.sign, high, low, rest === 0n ? 0 : 1);
  if (rest === 0n) return false;
  const scaled = rest << BigInt(FRACTION_BITS);
  const fraction = scaled / scale;
  const hasRemainder = fraction * scale !== scaled;
  writeFraction(
    writer,
    Number(fraction >> 32n),
    Number(fraction & 0xffff_ffffn),
    hasRemainder ? 1 : 0,
  );
  if (hasRemainder) writeDigits(writer, digits);
  return hasRemainder;
}

/** Digits in pairs from the first on, each doubled, plus one where another pair follows: a prefix sorts first. */
function writeDigits(writer: KeyWriter, digits: string): void {
  const padded = digits.length % 2 === 0 ? digits : `${digits}0`;
  for (let at = 0; at < padded.length; at += 2) {
    const more = at + 2 < padded.length ? 1 : 0;
    writer.byte(Number(padded.slice(at, at + 2)) * 2 + more);
  }
}

function writeDecimalTypeBits(
  writer: KeyWriter,
  value: RawValue,
  decimal: Decimal,
  trailingZeros: number,
  hasRemainder: boolean,
): void {
  const bits = writer.typeBits;
  // Only what reads as zero or as something special has more than one form in bytes.
  const isUsual = decimal.coefficient !== 0n || isCanonical(value, decimal);
  if (!isUsual) {
    bits.write(1 | (NUMBER_KIND.decimalRaw << 1), 3);
    bits.writeBytes(value.bytes, value.start, value.end);
  } else if (hasRemainder && trailingZeros === 0) {
    bits.zero();
  } else {
    bits.write(1 | (NUMBER_KIND.decimal << 1), 3);
    if (decimal.isZero) {
      bits.write((decimal.sign < 0 ? 1 : 0) | ((decimal.exponent + EXPONENT_BIAS) << 1), 15);
    } else if (decimal.kind === 'finite') {
      bits.write(trailingZeros, 6);
    }
  }
}

function isCanonical(value: RawValue, decimal: Decimal): boolean {
  const canonical = decimal.isNaN ? Decimal.NAN : decimal;
  return canonical.toBytes().equals(value.toBytes());
}
