/**
 * decimal128 values: exact arithmetic on BigInt coefficients, rounded to 34 digits half to even, as IEEE 754-2008 says.
 *
 * Owns: the value, its bytes and its arithmetic; text is decimal-text.ts's.
 * Invariants:
 *  1. A finite Decimal is sign * coefficient * 10^exponent with 0 <= coefficient < 10^34, -6176 <= exponent <= 6111.
 *  2. Members of a cohort (1, 1.0, 1.00) are different Decimals that compare equal; bytes keep them apart.
 * Sources: IEEE 754-2008 section 3.5 (binary integer significand) and 5.4; bsonspec's decimal128 page.
 */
import { CommandError } from '../common/errors.ts';
import { formatDecimal, parseDecimalText } from './decimal-text.ts';

/** Most digits of a coefficient. */
export const DECIMAL_DIGITS = 34;
export const DECIMAL_MAX_EXPONENT = 6111;
export const DECIMAL_MIN_EXPONENT = -6176;

const EXPONENT_BIAS = 6176;
const LARGEST_COEFFICIENT = 10n ** 34n - 1n;
const LOW_64_BITS = (1n << 64n) - 1n;
const COEFFICIENT_HIGH_BITS = (1n << 49n) - 1n;

const POWERS_OF_TEN: bigint[] = [1n];

/** 10^exponent, exponent an integer >= 0. */
export function powerOfTen(exponent: number): bigint {
  if (exponent > 400) return 10n ** BigInt(exponent);
  for (let next = POWERS_OF_TEN.length; next <= exponent; next += 1) {
    POWERS_OF_TEN.push(POWERS_OF_TEN[next - 1] * 10n);
  }
  return POWERS_OF_TEN[exponent];
}

/** Number of decimal digits of value >= 0; 0 has one. */
export function digitCount(value: bigint): number {
  return value.toString().length;
}

/** Digits of value > 0 without the zeros at their end. */
export function significantDigits(value: bigint): string {
  return value.toString().replace(/0+$/, '');
}

/** How a quotient is rounded to a whole number. */
export type DecimalRounding = 'halfEven' | 'down' | 'floor' | 'ceiling';

/** dividend / divisor (both >= 0) as a whole number; `negative` is the sign that the result will get. */
function roundedQuotient(
  dividend: bigint,
  divisor: bigint,
  rounding: DecimalRounding,
  negative: boolean,
): bigint {
  const quotient = dividend / divisor;
  const remainder = dividend - quotient * divisor;
  if (remainder === 0n) return quotient;
  switch (rounding) {
    case 'down':
      return quotient;
    case 'floor':
      return negative ? quotient + 1n : quotient;
    case 'ceiling':
      return negative ? quotient : quotient + 1n;
    case 'halfEven': {
      const twice = remainder * 2n;
      const up = twice > divisor || (twice === divisor && (quotient & 1n) === 1n);
      return up ? quotient + 1n : quotient;
    }
  }
}

export class Decimal {
  readonly kind: 'finite' | 'infinity' | 'nan';
  /** 1 or -1; also of a zero, an infinity or a NaN. */
  readonly sign: 1 | -1;
  /** 0 unless finite. */
  readonly coefficient: bigint;
  /** 0 unless finite. */
  readonly exponent: number;

  private constructor(
    kind: 'finite' | 'infinity' | 'nan',
    sign: 1 | -1,
    coefficient: bigint,
    exponent: number,
  ) {
    this.kind = kind;
    this.sign = sign;
    this.coefficient = coefficient;
    this.exponent = exponent;
  }

  static readonly NAN = new Decimal('nan', 1, 0n, 0);
  static readonly INFINITY = new Decimal('infinity', 1, 0n, 0);
  static readonly NEGATIVE_INFINITY = new Decimal('infinity', -1, 0n, 0);
  static readonly ZERO = new Decimal('finite', 1, 0n, 0);
  static readonly ONE = new Decimal('finite', 1, 1n, 0);

  static infinity(sign: 1 | -1): Decimal {
    return sign > 0 ? Decimal.INFINITY : Decimal.NEGATIVE_INFINITY;
  }

  /**
   * sign * coefficient * 10^exponent, rounded half to even into decimal128's range: too many digits are rounded away,
   * too large becomes an infinity, too small a subnormal or zero.
   */
  static of(sign: 1 | -1, coefficient: bigint, exponent: number): Decimal {
    let digits = coefficient;
    let scale = exponent;
    const excess = digits > LARGEST_COEFFICIENT ? digitCount(digits) - DECIMAL_DIGITS : 0;
    const drop = Math.max(excess, DECIMAL_MIN_EXPONENT - scale, 0);
    if (drop > 0) {
      // Beyond this many digits nothing is left but the rounding of zero; it also bounds the power of ten.
      const bounded = Math.min(drop, digitCount(digits) + 1);
      digits = roundedQuotient(digits, powerOfTen(bounded), 'halfEven', sign < 0);
      scale = Math.max(scale + drop, DECIMAL_MIN_EXPONENT);
      if (digits > LARGEST_COEFFICIENT) {
        digits /= 10n;
        scale += 1;
      }
    }
    if (scale > DECIMAL_MAX_EXPONENT) {
      if (digits === 0n) return new Decimal('finite', sign, 0n, DECIMAL_MAX_EXPONENT);
      const padding = scale - DECIMAL_MAX_EXPONENT;
      if (digitCount(digits) + padding > DECIMAL_DIGITS) return Decimal.infinity(sign);
      return new Decimal('finite', sign, digits * powerOfTen(padding), DECIMAL_MAX_EXPONENT);
    }
    return new Decimal('finite', sign, digits, scale);
  }

  /**
   * Reads "1.50", "-2E+3", "Infinity", "NaN" and the like; more than 34 digits are rounded.
   * @throws CommandError FailedToParse when `text` is none of these.
   */
  static fromString(text: string): Decimal {
    const parts = parseDecimalText(text);
    if (parts === undefined) {
      throw new CommandError('FailedToParse', 'Failed to parse string to decimal');
    }
    if (parts.kind === 'nan') return Decimal.NAN;
    if (parts.kind === 'infinity') return Decimal.infinity(parts.sign);
    return Decimal.of(parts.sign, parts.coefficient, parts.exponent);
  }

  /**
   * The same for callers that must not round, such as Extended JSON.
   * @returns undefined when `text` is no decimal, or one that decimal128 cannot hold exactly.
   */
  static tryExact(text: string): Decimal | undefined {
    const parts = parseDecimalText(text);
    if (parts === undefined) return undefined;
    const value = Decimal.fromString(text);
    if (parts.kind !== 'finite' || parts.coefficient === 0n) return value;
    const wanted = significantDigits(parts.coefficient);
    const place = parts.exponent + digitCount(parts.coefficient);
    const isExact =
      value.kind === 'finite' &&
      significantDigits(value.coefficient) === wanted &&
      value.exponent + digitCount(value.coefficient) === place;
    return isExact ? value : undefined;
  }

  /**
   * A double as MongoDB converts it: rounded to 15 significant digits and padded to them (2.5 is 2.50000000000000),
   * because a double promises no more. Integers that shall keep their text go through fromBigInt.
   */
  static fromNumber(value: number): Decimal {
    if (Number.isNaN(value)) return Decimal.NAN;
    if (!Number.isFinite(value)) return Decimal.infinity(value > 0 ? 1 : -1);
    if (value === 0) return Object.is(value, -0) ? Decimal.ZERO.negate() : Decimal.ZERO;
    return Decimal.fromString(value.toExponential(14));
  }

  /** An integer, rounded to 34 digits. */
  static fromBigInt(value: bigint): Decimal {
    return value < 0n ? Decimal.of(-1, -value, 0) : Decimal.of(1, value, 0);
  }

  /** The 16 bytes at `offset`. A coefficient of more than 34 digits reads as zero, as IEEE 754 wants. */
  static fromBytes(bytes: Buffer, offset = 0): Decimal {
    const high = bytes.readBigUInt64LE(offset + 8);
    const sign = high >> 63n === 1n ? -1 : 1;
    const combination = Number((high >> 58n) & 31n);
    if (combination === 31) return sign > 0 ? Decimal.NAN : new Decimal('nan', -1, 0n, 0);
    if (combination === 30) return Decimal.infinity(sign);
    if (combination >= 24) {
      // The form for coefficients from 2^113 on: always more than 34 digits.
      return new Decimal('finite', sign, 0n, Number((high >> 47n) & 0x3fffn) - EXPONENT_BIAS);
    }
    const exponent = Number((high >> 49n) & 0x3fffn) - EXPONENT_BIAS;
    const coefficient = ((high & COEFFICIENT_HIGH_BITS) << 64n) | bytes.readBigUInt64LE(offset);
    return new Decimal(
      'finite',
      sign,
      coefficient > LARGEST_COEFFICIENT ? 0n : coefficient,
      exponent,
    );
  }

  /** The 16 bytes as BSON stores them. */
  toBytes(): Buffer {
    const bytes = Buffer.alloc(16);
    const signBit = this.sign < 0 ? 1n << 63n : 0n;
    if (this.kind !== 'finite') {
      bytes.writeBigUInt64LE(signBit | ((this.kind === 'nan' ? 31n : 30n) << 58n), 8);
      return bytes;
    }
    const biased = BigInt(this.exponent + EXPONENT_BIAS);
    bytes.writeBigUInt64LE(this.coefficient & LOW_64_BITS, 0);
    bytes.writeBigUInt64LE(signBit | (biased << 49n) | (this.coefficient >> 64n), 8);
    return bytes;
  }

  get isZero(): boolean {
    return this.kind === 'finite' && this.coefficient === 0n;
  }

  get isNaN(): boolean {
    return this.kind === 'nan';
  }

  /** The nearest double; too large is an infinity. */
  toNumber(): number {
    return Number(formatDecimal(this));
  }

  /** Canonical text of the specification: "1.50", "1E+3", "-Infinity", "NaN". */
  toString(): string {
    return formatDecimal(this);
  }

  negate(): Decimal {
    return new Decimal(this.kind, this.sign > 0 ? -1 : 1, this.coefficient, this.exponent);
  }

  abs(): Decimal {
    return this.sign > 0 ? this : this.negate();
  }

  add(other: Decimal): Decimal {
    if (this.isNaN || other.isNaN) return Decimal.NAN;
    if (this.kind === 'infinity' || other.kind === 'infinity') {
      if (this.kind !== other.kind) return this.kind === 'infinity' ? this : other;
      return this.sign === other.sign ? this : Decimal.NAN;
    }
    const [high, low] = this.exponent >= other.exponent ? [this, other] : [other, this];
    const distance = high.exponent - low.exponent;
    if (distance > 3 * DECIMAL_DIGITS && high.coefficient !== 0n && low.coefficient !== 0n) {
      return addFar(high, low);
    }
    if (high.coefficient === 0n) {
      // A zero only moves the exponent down; its huge power of ten is never needed.
      return signedSum(0n, low.signed(), low.exponent, high, low);
    }
    const scale = low.coefficient === 0n ? Math.min(distance, DECIMAL_DIGITS) : distance;
    const scaled = high.signed() * powerOfTen(scale);
    return signedSum(scaled, low.signed(), high.exponent - scale, high, low);
  }

  subtract(other: Decimal): Decimal {
    return this.add(other.negate());
  }

  multiply(other: Decimal): Decimal {
    if (this.isNaN || other.isNaN) return Decimal.NAN;
    const sign = this.sign === other.sign ? 1 : -1;
    if (this.kind === 'infinity' || other.kind === 'infinity') {
      return this.isZero || other.isZero ? Decimal.NAN : Decimal.infinity(sign);
    }
    return Decimal.of(sign, this.coefficient * other.coefficient, this.exponent + other.exponent);
  }

  /** x / 0 is an infinity, 0 / 0 NaN. An exact quotient takes the exponent nearest to this.exponent - other.exponent. */
  divide(other: Decimal): Decimal {
    if (this.isNaN || other.isNaN) return Decimal.NAN;
    const sign = this.sign === other.sign ? 1 : -1;
    if (this.kind === 'infinity') {
      return other.kind === 'infinity' ? Decimal.NAN : Decimal.infinity(sign);
    }
    if (other.kind === 'infinity') return Decimal.of(sign, 0n, DECIMAL_MIN_EXPONENT);
    if (other.coefficient === 0n) return this.isZero ? Decimal.NAN : Decimal.infinity(sign);
    const ideal = this.exponent - other.exponent;
    if (this.coefficient === 0n) return Decimal.of(sign, 0n, ideal);
    // Enough digits that the quotient has at least 35, so that rounding sees everything but a sticky remainder.
    const shift = Math.max(
      0,
      DECIMAL_DIGITS + 2 - digitCount(this.coefficient) + digitCount(other.coefficient),
    );
    const dividend = this.coefficient * powerOfTen(shift);
    const quotient = dividend / other.coefficient;
    if (quotient * other.coefficient === dividend) {
      return stripTowards(sign, quotient, ideal - shift, ideal);
    }
    // One more digit that is never 0 or 5 keeps the rounding honest about what lies beyond.
    return Decimal.of(sign, quotient * 10n + 1n, ideal - shift - 1);
  }

  /** The remainder of truncated division, with the sign of this; NaN for x mod 0 and infinity mod x. */
  remainder(other: Decimal): Decimal {
    if (this.isNaN || other.isNaN || this.kind === 'infinity' || other.isZero) return Decimal.NAN;
    if (other.kind === 'infinity') return this;
    const exponent = Math.min(this.exponent, other.exponent);
    const divisor = other.coefficient * powerOfTen(other.exponent - exponent);
    const dividend = this.coefficient * powerOfTen(this.exponent - exponent);
    return Decimal.of(this.sign, dividend % divisor, exponent);
  }

  /** The square root, rounded to 34 digits; NaN below zero. */
  squareRoot(): Decimal {
    if (this.isNaN) return this;
    if (this.isZero) return Decimal.of(this.sign, 0n, Math.floor(this.exponent / 2));
    if (this.sign < 0) return Decimal.NAN;
    if (this.kind === 'infinity') return this;
    const ideal = Math.floor(this.exponent / 2);
    let shift = Math.max(0, 2 * (DECIMAL_DIGITS + 2) - digitCount(this.coefficient));
    if ((this.exponent - shift) % 2 !== 0) shift += 1;
    const radicand = this.coefficient * powerOfTen(shift);
    const root = integerRoot(radicand);
    const exponent = (this.exponent - shift) / 2;
    if (root * root === radicand) return stripTowards(1, root, exponent, ideal);
    return Decimal.of(1, root * 10n + 1n, exponent - 1);
  }

  /**
   * The value with exactly `exponent` as its exponent, rounded; NaN when that takes more than 34 digits.
   * quantize(-2) of 2.345 is 2.34 (half to even).
   */
  quantize(exponent: number, rounding: DecimalRounding = 'halfEven'): Decimal {
    if (this.kind !== 'finite') return this;
    if (exponent > DECIMAL_MAX_EXPONENT || exponent < DECIMAL_MIN_EXPONENT) return Decimal.NAN;
    if (this.coefficient === 0n) return Decimal.of(this.sign, 0n, exponent);
    const drop = exponent - this.exponent;
    if (drop <= 0) {
      if (digitCount(this.coefficient) - drop > DECIMAL_DIGITS) return Decimal.NAN;
      return Decimal.of(this.sign, this.coefficient * powerOfTen(-drop), exponent);
    }
    const divisor = powerOfTen(Math.min(drop, DECIMAL_DIGITS + 1));
    const digits = roundedQuotient(this.coefficient, divisor, rounding, this.sign < 0);
    return Decimal.of(this.sign, digits, exponent);
  }

  /** Rounded to a whole number; a value that is whole already stays as it is. */
  roundToInteger(rounding: DecimalRounding = 'halfEven'): Decimal {
    return this.kind !== 'finite' || this.exponent >= 0 ? this : this.quantize(0, rounding);
  }

  /**
   * Order by value: -1, 0 or 1. NaN equals NaN and lies below everything; -0 equals 0. This is MongoDB's order, and
   * total, unlike IEEE's.
   */
  compare(other: Decimal): number {
    if (this.isNaN || other.isNaN) return Number(other.isNaN) - Number(this.isNaN);
    if (this.isZero && other.isZero) return 0;
    if (this.isZero) return -other.sign;
    if (other.isZero || this.sign !== other.sign) return this.sign;
    if (this.kind === 'infinity') return other.kind === 'infinity' ? 0 : this.sign;
    if (other.kind === 'infinity') return -this.sign;
    return this.sign > 0 ? compareMagnitudes(this, other) : compareMagnitudes(other, this);
  }

  /** sign * coefficient. */
  signed(): bigint {
    return this.sign < 0 ? -this.coefficient : this.coefficient;
  }

  /** The value's whole part, towards zero; undefined for NaN, infinities and beyond 10^40. */
  toBigInt(): bigint | undefined {
    if (this.kind !== 'finite') return undefined;
    if (this.exponent < 0) {
      return this.signed() / powerOfTen(Math.min(-this.exponent, DECIMAL_DIGITS + 1));
    }
    if (this.coefficient === 0n) return 0n;
    return this.exponent > 40 ? undefined : this.signed() * powerOfTen(this.exponent);
  }
}

/** Sum of two finite values so far apart that the lower one only decides the rounding. */
function addFar(high: Decimal, low: Decimal): Decimal {
  const shift = 2 * DECIMAL_DIGITS;
  const sticky = BigInt(low.sign);
  const sum = high.signed() * powerOfTen(shift) + sticky;
  return Decimal.of(high.sign, sum < 0n ? -sum : sum, high.exponent - shift);
}

function signedSum(a: bigint, b: bigint, exponent: number, high: Decimal, low: Decimal): Decimal {
  const sum = a + b;
  if (sum === 0n) {
    // Only the sum of two negative zeros is a negative zero.
    const sign = high.sign < 0 && low.sign < 0 ? -1 : 1;
    return Decimal.of(sign, 0n, exponent);
  }
  return sum < 0n ? Decimal.of(-1, -sum, exponent) : Decimal.of(1, sum, exponent);
}

/** An exact result without the trailing zeros that lead away from the ideal exponent. */
function stripTowards(sign: 1 | -1, coefficient: bigint, exponent: number, ideal: number): Decimal {
  let digits = coefficient;
  let scale = exponent;
  while (scale < ideal && digits % 10n === 0n) {
    digits /= 10n;
    scale += 1;
  }
  return Decimal.of(sign, digits, scale);
}

function compareMagnitudes(a: Decimal, b: Decimal): number {
  const adjustedA = a.exponent + digitCount(a.coefficient);
  const adjustedB = b.exponent + digitCount(b.coefficient);
  if (adjustedA !== adjustedB) return adjustedA < adjustedB ? -1 : 1;
  // Equal leading places: the exponents are at most 33 apart.
  const scale = Math.min(a.exponent, b.exponent);
  const digitsA = a.coefficient * powerOfTen(a.exponent - scale);
  const digitsB = b.coefficient * powerOfTen(b.exponent - scale);
  return digitsA === digitsB ? 0 : digitsA < digitsB ? -1 : 1;
}

/** Whole part of the square root of value > 0, by Newton's method. */
function integerRoot(value: bigint): bigint {
  let root = 1n << BigInt((value.toString(2).length + 1) >> 1);
  for (;;) {
    const next = (root + value / root) >> 1n;
    if (next >= root) return root;
    root = next;
  }
}
