/**
 * Numbers out of index keys, exact in type and value. The counterpart of index-key-number.ts.
 */
import { Decimal, DECIMAL_DIGITS, digitCount, powerOfTen, significantDigits } from './decimal.ts';
import { doubleFromBits, exactDouble } from './double-bits.ts';
import { EXPONENT_BIAS } from './index-key-number.ts';
import { DECIMAL_PLACE_BIAS, FRACTION_BITS, KEY_CLASS, MAGNITUDE } from './key-classes.ts';
import { corruptKey, type KeyReader } from './key-reader.ts';
import type { RawValue } from './raw-value.ts';
import { NUMBER_KIND, type TypeBitsReader } from './type-bits.ts';
import { BsonType } from './types.ts';
import { decimalValue, doubleValue, int32Value, int64Value, rawValueFrom } from './values.ts';

/** A number without its sign, exactly. */
type Magnitude =
  | { readonly kind: 'nan' | 'zero' }
  | { readonly kind: 'whole'; readonly whole: bigint }
  /** mantissa * 2^-FRACTION_BITS */
  | { readonly kind: 'fraction'; readonly mantissa: bigint }
  | { readonly kind: 'double'; readonly double: number }
  /** 0.digits * 10^place: what no double is, so a decimal. */
  | { readonly kind: 'decimal'; readonly digits: string; readonly place: number };

/** The number whose first byte, `keyClass`, has been read. */
export function readNumber(reader: KeyReader, bits: TypeBitsReader, keyClass: number): RawValue {
  const sign = keyClass < KEY_CLASS.zero ? -1 : 1;
  const magnitude = readMagnitude(reader, keyClass, sign);
  if (bits.bit() === 0) return defaultValue(magnitude, sign);
  switch (bits.read(2)) {
    case NUMBER_KIND.int64:
      return int64Of(magnitude, sign);
    case NUMBER_KIND.double:
      return readDouble(bits, magnitude, sign);
    case NUMBER_KIND.decimal:
      return decimalValue(readDecimal(bits, magnitude, sign));
    default:
      return rawValueFrom(BsonType.decimal128, bits.readBytes(16));
  }
}

function readMagnitude(reader: KeyReader, keyClass: number, sign: 1 | -1): Magnitude {
  if (keyClass === KEY_CLASS.nan) return { kind: 'nan' };
  const size = (keyClass - KEY_CLASS.zero) * sign;
  if (size === 0) return { kind: 'zero' };
  if (sign < 0) reader.toggleInverted();
  const isWhole = size !== MAGNITUDE.small && size !== MAGNITUDE.large;
  const magnitude = isWhole
    ? readWhole(reader, size - MAGNITUDE.wholeOfOneByte + 1)
    : readDoubleBits(reader);
  if (sign < 0) reader.toggleInverted();
  return magnitude;
}

function readWhole(reader: KeyReader, bytes: number): Magnitude {
  const doubled = readBits(reader, bytes);
  const whole = doubled >> 1n;
  if ((doubled & 1n) === 0n) return { kind: 'whole', whole };
  const fraction = readBits(reader, 7);
  if ((fraction & 1n) === 0n) {
    return { kind: 'fraction', mantissa: (whole << BigInt(FRACTION_BITS)) | (fraction >> 1n) };
  }
  return { kind: 'decimal', digits: readDigits(reader), place: digitCount(whole) };
}

function readDoubleBits(reader: KeyReader): Magnitude {
  const doubled = readBits(reader, 8);
  if ((doubled & 1n) === 0n) {
    const double = doubleFromBits(Number(doubled >> 33n), Number((doubled >> 1n) & 0xffff_ffffn));
    if (Number.isNaN(double)) throw corruptKey('a number is none');
    return { kind: 'double', double };
  }
  const place = reader.bigEndian(2) - DECIMAL_PLACE_BIAS;
  return { kind: 'decimal', digits: readDigits(reader), place };
}

function readBits(reader: KeyReader, bytes: number): bigint {
  let value = 0n;
  for (let index = 0; index < bytes; index += 1) value = (value << 8n) | BigInt(reader.byte());
  return value;
}

/** Pairs of digits, each doubled, plus one where another pair follows. */
function readDigits(reader: KeyReader): string {
  let digits = '';
  for (;;) {
    const byte = reader.byte();
    digits += String(byte >> 1).padStart(2, '0');
    if (digits.length > DECIMAL_DIGITS) throw corruptKey('a decimal has too many digits');
    if ((byte & 1) === 0) return digits;
  }
}

/** The type that a number has when its type bit is 0. */
function defaultValue(magnitude: Magnitude, sign: 1 | -1): RawValue {
  switch (magnitude.kind) {
    case 'nan':
      return doubleValue(NaN);
    case 'zero':
      return int32Value(0);
    case 'whole': {
      const whole = BigInt(sign) * magnitude.whole;
      return whole === BigInt.asIntN(32, whole) ? int32Value(Number(whole)) : int64Value(whole);
    }
    case 'fraction':
    case 'double':
      return doubleValue(sign * doubleOf(magnitude));
    case 'decimal':
      return decimalValue(decimalOf(magnitude, sign, 0));
  }
}

function int64Of(magnitude: Magnitude, sign: 1 | -1): RawValue {
  if (magnitude.kind === 'zero') return int64Value(0n);
  const isWhole = magnitude.kind === 'whole';
  const whole = isWhole ? magnitude.whole : BigInt(Math.trunc(doubleOf(magnitude)));
  const value = BigInt(sign) * whole;
  if (value !== BigInt.asIntN(64, value)) throw corruptKey('a number is no int64');
  return int64Value(value);
}

function readDouble(bits: TypeBitsReader, magnitude: Magnitude, sign: 1 | -1): RawValue {
  if (magnitude.kind === 'nan') return rawValueFrom(BsonType.double, bits.readBytes(8));
  if (magnitude.kind === 'zero') return doubleValue(bits.bit() === 0 ? 0 : -0);
  return doubleValue(sign * doubleOf(magnitude));
}

function doubleOf(magnitude: Magnitude): number {
  switch (magnitude.kind) {
    case 'whole':
      return Number(magnitude.whole);
    case 'fraction':
      // At most 53 bits of the mantissa are in use, so this is exact.
      return Number(magnitude.mantissa) / 2 ** FRACTION_BITS;
    case 'double':
      return magnitude.double;
    case 'nan':
    case 'zero':
    case 'decimal':
      throw corruptKey('a number is no double');
  }
}

function readDecimal(bits: TypeBitsReader, magnitude: Magnitude, sign: 1 | -1): Decimal {
  if (magnitude.kind === 'nan') return Decimal.NAN;
  if (magnitude.kind === 'zero') {
    const zeroSign = bits.bit() === 0 ? 1 : -1;
    return Decimal.of(zeroSign, 0n, bits.read(14) - EXPONENT_BIAS);
  }
  if (magnitude.kind === 'double' && magnitude.double === Infinity) return Decimal.infinity(sign);
  return decimalOf(magnitude, sign, bits.read(6));
}

/** A finite decimal above zero whose coefficient ends in exactly `trailingZeros` zeros. */
function decimalOf(magnitude: Magnitude, sign: 1 | -1, trailingZeros: number): Decimal {
  const { coefficient, exponent } = decimalParts(magnitude);
  const digits = significantDigits(coefficient);
  const stripped = digitCount(coefficient) - digits.length;
  return Decimal.of(
    sign,
    BigInt(digits) * powerOfTen(trailingZeros),
    exponent + stripped - trailingZeros,
  );
}

function decimalParts(magnitude: Magnitude): { coefficient: bigint; exponent: number } {
  switch (magnitude.kind) {
    case 'whole':
      return { coefficient: magnitude.whole, exponent: 0 };
    case 'fraction':
      return binaryToDecimal(magnitude.mantissa, -FRACTION_BITS);
    case 'double': {
      const { mantissa, exponent } = exactDouble(magnitude.double);
      return binaryToDecimal(mantissa, exponent);
    }
    case 'decimal':
      return {
        coefficient: BigInt(magnitude.digits),
        exponent: magnitude.place - magnitude.digits.length,
      };
    case 'nan':
    case 'zero':
      throw corruptKey('a number is no decimal');
  }
}

/** mantissa * 2^exponent as coefficient * 10^exponent, exactly. */
function binaryToDecimal(
  mantissa: bigint,
  exponent: number,
): { coefficient: bigint; exponent: number } {
  if (exponent >= 0) return { coefficient: mantissa << BigInt(exponent), exponent: 0 };
  let odd = mantissa;
  let scale = -exponent;
  while (scale > 0 && (odd & 1n) === 0n && odd !== 0n) {
    odd >>= 1n;
    scale -= 1;
  }
  // 2^-scale = 5^scale * 10^-scale, and 5^scale = 10^scale / 2^scale.
  return { coefficient: odd * (powerOfTen(scale) >> BigInt(scale)), exponent: -scale };
}
