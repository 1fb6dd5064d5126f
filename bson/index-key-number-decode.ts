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

const TWO_32 = 4_294_967_296;
const TWO_63 = 9_223_372_036_854_775_808;

/** A number without its sign, exactly. */
type Magnitude =
  | { readonly kind: 'nan' | 'zero' }
  /** high * 2^32 + low, plus 0 or an exact fraction. */
  | {
      readonly kind: 'whole';
      readonly high: number;
      readonly low: number;
      readonly fraction: number;
    }
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
  const upper = reader.bigEndian(Math.max(0, bytes - 4));
  const lower = reader.bigEndian(Math.min(4, bytes));
  const high = Math.floor(upper / 2);
  const low = (((upper & 1) << 31) | (lower >>> 1)) >>> 0;
  if ((lower & 1) === 0) return { kind: 'whole', high, low, fraction: 0 };
  const fractionHigh = reader.bigEndian(3);
  const fractionLow = reader.bigEndian(4);
  if ((fractionLow & 1) === 0) {
    // Of the 55 bits at most 53 are in use, so this is exact.
    const fraction = (fractionHigh * TWO_32 + fractionLow) / 2 ** (FRACTION_BITS + 1);
    return { kind: 'whole', high, low, fraction };
  }
  const place = digitCount(wholeOf(high, low));
  return { kind: 'decimal', digits: readDigits(reader), place };
}

function wholeOf(high: number, low: number): bigint {
  return (BigInt(high) << 32n) | BigInt(low);
}

function readDoubleBits(reader: KeyReader): Magnitude {
  const upper = reader.bigEndian(4);
  const lower = reader.bigEndian(4);
  if ((lower & 1) === 0) {
    const double = doubleFromBits(upper >>> 1, (((upper & 1) << 31) | (lower >>> 1)) >>> 0);
    if (Number.isNaN(double)) throw corruptKey('a number is none');
    return { kind: 'double', double };
  }
  const place = reader.bigEndian(2) - DECIMAL_PLACE_BIAS;
  return { kind: 'decimal', digits: readDigits(reader), place };
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
    case 'whole':
      if (magnitude.fraction !== 0) return doubleValue(sign * doubleOf(magnitude));
      return wholeValue(magnitude.high, magnitude.low, sign);
    case 'double':
      return doubleValue(sign * magnitude.double);
    case 'decimal':
      return decimalValue(decimalOf(magnitude, sign, 0));
  }
}

/** int32 if it fits, else int64. */
function wholeValue(high: number, low: number, sign: 1 | -1): RawValue {
  const small = high === 0 ? sign * low : NaN;
  return small === (small | 0) ? int32Value(small) : int64Value(BigInt(sign) * wholeOf(high, low));
}

function int64Of(magnitude: Magnitude, sign: 1 | -1): RawValue {
  switch (magnitude.kind) {
    case 'zero':
      return int64Value(0n);
    case 'whole':
      if (magnitude.fraction === 0) {
        return int64Value(BigInt(sign) * wholeOf(magnitude.high, magnitude.low));
      }
      break;
    case 'double':
      // The only int64 among the large numbers.
      if (sign < 0 && magnitude.double === TWO_63) return int64Value(-(1n << 63n));
      break;
    case 'nan':
    case 'decimal':
      break;
  }
  throw corruptKey('a number is no int64');
}

function readDouble(bits: TypeBitsReader, magnitude: Magnitude, sign: 1 | -1): RawValue {
  if (magnitude.kind === 'nan') return rawValueFrom(BsonType.double, bits.readBytes(8));
  if (magnitude.kind === 'zero') return doubleValue(bits.bit() === 0 ? 0 : -0);
  return doubleValue(sign * doubleOf(magnitude));
}

function doubleOf(magnitude: Magnitude): number {
  switch (magnitude.kind) {
    case 'whole':
      return magnitude.high * TWO_32 + magnitude.low + magnitude.fraction;
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
    case 'whole': {
      const whole = wholeOf(magnitude.high, magnitude.low);
      const fraction = BigInt(magnitude.fraction * 2 ** FRACTION_BITS);
      return binaryToDecimal((whole << BigInt(FRACTION_BITS)) | fraction, -FRACTION_BITS);
    }
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
