/**
 * Transcendental functions of decimal128, to its 34 digits.
 *
 * Fixed-point integers with PLACES decimal places do the work; the result is rounded once, at the end. Arguments so small that
 * the function is its own first term to more than 34 digits give that term, so that nothing drowns below the places.
 * Promises: NaN in, NaN out; what overflows is an infinity; special values are those of IEEE 754.
 */
import { Decimal } from '../../bson/index.ts';

const PLACES = 110;
const ONE = 10n ** BigInt(PLACES);
/** Below 10^-TINY the second term of every series here is beyond the last digit of the first. */
const TINY = 40;

function digitsOf(value: bigint): number {
  return (value < 0n ? -value : value).toString().length;
}

/** The power of ten of the first digit. */
function magnitudeOf(value: Decimal): number {
  return value.exponent + digitsOf(value.coefficient) - 1;
}

function toFixed(value: Decimal): bigint {
  const shift = value.exponent + PLACES;
  const scaled =
    shift >= 0
      ? value.coefficient * 10n ** BigInt(shift)
      : value.coefficient / 10n ** BigInt(Math.min(-shift, PLACES + 50));
  return value.sign < 0 ? -scaled : scaled;
}

/** fixed * 10^exponent, rounded to 34 digits; an exact whole number loses the zeros of its fraction. */
function fromFixed(fixed: bigint, exponent = 0): Decimal {
  const sign = fixed < 0n ? -1 : 1;
  if (fixed === 0n) return Decimal.ZERO;
  let digits = fixed < 0n ? -fixed : fixed;
  let scale = exponent - PLACES;
  // Far more digits than are kept: the last of them are noise, and would hide an exact result.
  const noise = digitsOf(digits) - SIGNIFICANT;
  if (noise > 0) {
    const divisor = 10n ** BigInt(noise);
    digits = (digits + divisor / 2n) / divisor;
    scale += noise;
  }
  while (scale < 0 && digits % 10n === 0n && digits !== 0n) {
    digits /= 10n;
    scale += 1;
  }
  return Decimal.of(sign, digits, scale);
}

/** Digits that are trusted: 34 and a guard. */
const SIGNIFICANT = 60;

const times = (a: bigint, b: bigint): bigint => (a * b) / ONE;
const over = (a: bigint, b: bigint): bigint => (a * ONE) / b;

/** Sum of first + first*step/... : each term is made of the last one. */
function series(first: bigint, next: (term: bigint, index: bigint) => bigint): bigint {
  let sum = first;
  let term = first;
  for (let index = 1n; term !== 0n; index += 1n) {
    term = next(term, index);
    sum += term;
  }
  return sum;
}

/** e^x for |x| up to a few units. */
function expFixed(x: bigint): bigint {
  const HALVINGS = 8n;
  const reduced = x >> HALVINGS;
  let result = series(ONE, (term, index) => times(term, reduced) / index);
  for (let step = 0n; step < HALVINGS; step += 1n) result = times(result, result);
  return result;
}

/** ln of a fixed-point number between 1 and 10: Halley's iteration from the double's logarithm. */
function lnFixed(x: bigint): bigint {
  let result = toFixed(Decimal.fromNumber(Math.log(Number(x / 10n ** BigInt(PLACES - 17)) / 1e17)));
  for (let step = 0; step < 3; step += 1) {
    const power = expFixed(result);
    result += (2n * ONE * (x - power)) / (x + power);
  }
  return result;
}

let knownLn10: bigint | undefined;
const ln10 = (): bigint => (knownLn10 ??= lnFixed(10n * ONE));

/** arctan(1/x) with so many places, by its series. */
function arctanOfInverse(x: bigint, one: bigint): bigint {
  let term = one / x;
  let sum = term;
  for (let index = 3n, sign = -1n; term !== 0n; index += 2n, sign = -sign) {
    term /= x * x;
    sum += (sign * term) / index;
  }
  return sum;
}

const PIS = new Map<number, bigint>();

/** Pi with so many decimal places (Machin's formula). */
function piWith(places: number): bigint {
  let pi = PIS.get(places);
  if (pi === undefined) {
    const one = 10n ** BigInt(places + 10);
    pi = (4n * (4n * arctanOfInverse(5n, one) - arctanOfInverse(239n, one))) / 10n ** 10n;
    if (PIS.size < 8) PIS.set(places, pi);
  }
  return pi;
}

const pi = (): bigint => piWith(PLACES);

function sqrtFixed(x: bigint): bigint {
  if (x <= 0n) return 0n;
  const value = x * ONE;
  let root = 1n << BigInt((value.toString(2).length + 1) >> 1);
  for (;;) {
    const next = (root + value / root) >> 1n;
    if (next >= root) return root;
    root = next;
  }
}

/** The angle between -pi and pi, however large it was: pi is taken to as many places as that needs. */
function reducedAngle(value: Decimal): bigint {
  const places = PLACES + Math.max(0, magnitudeOf(value) + 1);
  const shift = value.exponent + places;
  const scaled =
    shift >= 0
      ? value.coefficient * 10n ** BigInt(shift)
      : value.coefficient / 10n ** BigInt(-shift);
  const circle = 2n * piWith(places);
  let rest = scaled % circle;
  if (rest > circle / 2n) rest -= circle;
  const fixed = rest / 10n ** BigInt(places - PLACES);
  return value.sign < 0 ? -fixed : fixed;
}

function sinFixed(x: bigint): bigint {
  const square = times(x, x);
  return series(x, (term, index) => -times(term, square) / (2n * index * (2n * index + 1n)));
}

function cosFixed(x: bigint): bigint {
  const square = times(x, x);
  return series(ONE, (term, index) => -times(term, square) / ((2n * index - 1n) * 2n * index));
}

function arctanFixed(x: bigint): bigint {
  if (x > ONE) return pi() / 2n - arctanFixed(over(ONE, x));
  if (x < -ONE) return -pi() / 2n - arctanFixed(over(ONE, x));
  const HALVINGS = 5n;
  let reduced = x;
  for (let step = 0n; step < HALVINGS; step += 1n) {
    reduced = over(reduced, ONE + sqrtFixed(ONE + times(reduced, reduced)));
  }
  const square = times(reduced, reduced);
  let sum = reduced;
  let power = reduced;
  for (let index = 3n, sign = -1n; power !== 0n; index += 2n, sign = -sign) {
    power = times(power, square);
    sum += (sign * power) / index;
  }
  return sum << HALVINGS;
}

/** A function with f(0) = 0 and f'(0) = 1. */
function odd(value: Decimal, compute: (fixed: bigint) => Decimal): Decimal {
  if (value.isZero || magnitudeOf(value) < -TINY) return value;
  return compute(toFixed(value));
}

function isInfinite(value: Decimal): boolean {
  return value.kind === 'infinity';
}

/** e^value. */
export function decimalExp(value: Decimal): Decimal {
  if (value.isNaN) return value;
  if (isInfinite(value)) return value.sign > 0 ? value : Decimal.ZERO;
  if (value.isZero) return Decimal.ONE;
  // Far beyond the exponents of decimal128.
  if (magnitudeOf(value) > 5) return value.sign > 0 ? Decimal.INFINITY : Decimal.of(1, 0n, -6176);
  const fixed = toFixed(value);
  const tens = fixed / ln10();
  return fromFixed(expFixed(fixed - tens * ln10()), Number(tens));
}

function lnOf(value: Decimal): bigint {
  const magnitude = magnitudeOf(value);
  const scaled = toFixed(Decimal.of(1, value.coefficient, value.exponent - magnitude));
  return lnFixed(scaled) + BigInt(magnitude) * ln10();
}

/** The natural logarithm of a value above zero. */
export function decimalLn(value: Decimal): Decimal {
  if (value.isNaN || isInfinite(value)) return value;
  return fromFixed(lnOf(value));
}

/** The logarithm to a base; both above zero. Whole results are exact. */
export function decimalLog(value: Decimal, base: Decimal): Decimal {
  if (value.isNaN || base.isNaN) return Decimal.NAN;
  if (isInfinite(value) || isInfinite(base)) {
    if (isInfinite(value) && isInfinite(base)) return Decimal.NAN;
    return isInfinite(base) ? Decimal.ZERO : value;
  }
  return fromFixed(over(lnOf(value), lnOf(base)));
}

/** base^exponent, as IEEE 754 defines pow. */
export function decimalPow(base: Decimal, exponent: Decimal): Decimal {
  if (exponent.isZero) return Decimal.ONE;
  if (base.compare(Decimal.ONE) === 0) return Decimal.ONE;
  if (base.isNaN || exponent.isNaN) return Decimal.NAN;
  const whole = wholeOf(exponent);
  const isOdd = whole !== undefined && whole % 2n !== 0n;
  const sign = base.sign < 0 && isOdd ? -1 : 1;
  const grows = exponent.sign > 0;
  if (isInfinite(exponent)) {
    const size = base.abs().compare(Decimal.ONE);
    if (size === 0) return Decimal.ONE;
    return size > 0 === grows ? Decimal.INFINITY : Decimal.ZERO;
  }
  if (base.isZero || isInfinite(base)) {
    return isInfinite(base) === grows ? Decimal.infinity(sign) : Decimal.of(sign, 0n, 0);
  }
  if (base.sign < 0 && whole === undefined) return Decimal.NAN;
  const exact = exactPower(base, whole);
  if (exact !== undefined) return exact;
  const product = times(lnOf(base.abs()), exponentFixed(exponent));
  const tens = product / ln10();
  if (tens > 7000n || tens < -7000n) {
    return tens > 0n ? Decimal.infinity(sign) : Decimal.of(sign, 0n, -6176);
  }
  const result = fromFixed(expFixed(product - tens * ln10()), Number(tens));
  return sign < 0 ? result.negate() : result;
}

/** Exponents beyond this only overflow or vanish. */
function exponentFixed(exponent: Decimal): bigint {
  return magnitudeOf(exponent) > 40
    ? BigInt(exponent.sign) * 10n ** BigInt(40 + PLACES)
    : toFixed(exponent);
}

/** The value when it is whole (and not huge: then it is even). */
function wholeOf(value: Decimal): bigint | undefined {
  if (value.kind !== 'finite') return undefined;
  if (value.exponent > 40) return 0n;
  const whole = value.toBigInt();
  return whole !== undefined && Decimal.fromBigInt(whole).compare(value) === 0 ? whole : undefined;
}

/** By multiplication, when the result has no more digits than a decimal128. */
function exactPower(base: Decimal, exponent: bigint | undefined): Decimal | undefined {
  if (exponent === undefined || exponent < 0n || exponent > 120n) return undefined;
  const coefficient = base.coefficient ** exponent;
  if (digitsOf(coefficient) > 34) return undefined;
  const sign = base.sign < 0 && exponent % 2n !== 0n ? -1 : 1;
  return Decimal.of(sign, coefficient, base.exponent * Number(exponent));
}

/** Of finite angles. */
export function decimalSin(value: Decimal): Decimal {
  if (value.isNaN) return value;
  return odd(value, () => fromFixed(sinFixed(reducedAngle(value))));
}

export function decimalCos(value: Decimal): Decimal {
  if (value.isNaN) return value;
  if (value.isZero || magnitudeOf(value) < -TINY) return Decimal.ONE;
  return fromFixed(cosFixed(reducedAngle(value)));
}

export function decimalTan(value: Decimal): Decimal {
  if (value.isNaN) return value;
  return odd(value, () => {
    const angle = reducedAngle(value);
    return fromFixed(over(sinFixed(angle), cosFixed(angle)));
  });
}

/** Of values between -1 and 1. */
export function decimalAsin(value: Decimal): Decimal {
  if (value.isNaN) return value;
  return odd(value, (x) => fromFixed(arcsinFixed(x)));
}

function arcsinFixed(x: bigint): bigint {
  const cosine = sqrtFixed(ONE - times(x, x));
  if (cosine === 0n) return x > 0n ? pi() / 2n : -pi() / 2n;
  return arctanFixed(over(x, cosine));
}

export function decimalAcos(value: Decimal): Decimal {
  if (value.isNaN) return value;
  return fromFixed(pi() / 2n - arcsinFixed(toFixed(value)));
}

export function decimalAtan(value: Decimal): Decimal {
  if (value.isNaN) return value;
  if (isInfinite(value) || magnitudeOf(value) > PLACES) return halfPi(value.sign);
  return odd(value, (x) => fromFixed(arctanFixed(x)));
}

function halfPi(sign: 1 | -1): Decimal {
  const half = fromFixed(pi() / 2n);
  return sign < 0 ? half.negate() : half;
}

/** The angle of the point (x, y), as IEEE 754 defines atan2. */
export function decimalAtan2(y: Decimal, x: Decimal): Decimal {
  if (y.isNaN || x.isNaN) return Decimal.NAN;
  const signed = (angle: Decimal): Decimal => (y.sign < 0 ? angle.negate() : angle);
  if (y.isZero) return x.sign < 0 ? signed(fromFixed(pi())) : signed(Decimal.ZERO);
  if (x.isZero) return halfPi(y.sign);
  if (isInfinite(x)) {
    if (isInfinite(y)) return signed(fromFixed(x.sign > 0 ? pi() / 4n : (3n * pi()) / 4n));
    return x.sign > 0 ? signed(Decimal.ZERO) : signed(fromFixed(pi()));
  }
  if (isInfinite(y)) return halfPi(y.sign);
  const angle = decimalAtan(y.abs().divide(x.abs()));
  return signed(x.sign > 0 ? angle : fromFixed(pi()).subtract(angle));
}

/** e^x and e^-x, each over two. */
function halfExps(value: Decimal): readonly [Decimal, Decimal] {
  const half = Decimal.fromString('0.5');
  return [decimalExp(value).multiply(half), decimalExp(value.negate()).multiply(half)];
}

export function decimalSinh(value: Decimal): Decimal {
  if (value.isNaN || isInfinite(value)) return value;
  if (magnitudeOf(value) >= 1) {
    const [up, down] = halfExps(value);
    return up.subtract(down);
  }
  return odd(value, (x) => fromFixed((expFixed(x) - expFixed(-x)) / 2n));
}

export function decimalCosh(value: Decimal): Decimal {
  if (value.isNaN) return value;
  if (isInfinite(value)) return Decimal.INFINITY;
  const [up, down] = halfExps(value);
  return up.add(down);
}

export function decimalTanh(value: Decimal): Decimal {
  if (value.isNaN) return value;
  if (isInfinite(value) || (magnitudeOf(value) >= 2 && !value.isZero)) {
    return value.sign < 0 ? Decimal.ONE.negate() : Decimal.ONE;
  }
  return odd(value, (x) => {
    const [up, down] = [expFixed(x), expFixed(-x)];
    return fromFixed(over(up - down, up + down));
  });
}

export function decimalAsinh(value: Decimal): Decimal {
  if (value.isNaN || isInfinite(value)) return value;
  if (value.isZero || magnitudeOf(value) < -TINY) return value;
  const size = value.abs();
  // Beyond 10^40 the one under the root no longer counts: ln(2x).
  const result =
    magnitudeOf(size) > TINY
      ? fromFixed(lnOf(size) + lnFixed(2n * ONE))
      : fromFixed(lnOfFixed(toFixed(size) + sqrtFixed(ONE + times(toFixed(size), toFixed(size)))));
  return value.sign < 0 ? result.negate() : result;
}

/** Of values from 1. */
export function decimalAcosh(value: Decimal): Decimal {
  if (value.isNaN || isInfinite(value)) return value;
  if (magnitudeOf(value) > TINY) return fromFixed(lnOf(value) + lnFixed(2n * ONE));
  const x = toFixed(value);
  return fromFixed(lnOfFixed(x + sqrtFixed(times(x, x) - ONE)));
}

/** Of values between -1 and 1; infinities at the ends. */
export function decimalAtanh(value: Decimal): Decimal {
  if (value.isNaN) return value;
  if (value.abs().compare(Decimal.ONE) === 0) return Decimal.infinity(value.sign);
  return odd(value, (x) => fromFixed(lnOfFixed(over(ONE + x, ONE - x)) / 2n));
}

/** ln of any fixed-point number above zero. */
function lnOfFixed(x: bigint): bigint {
  const magnitude = digitsOf(x) - 1 - PLACES;
  const scaled = magnitude >= 0 ? x / 10n ** BigInt(magnitude) : x * 10n ** BigInt(-magnitude);
  return lnFixed(scaled) + BigInt(magnitude) * ln10();
}

export function decimalToRadians(value: Decimal): Decimal {
  if (value.kind !== 'finite') return value;
  return value.multiply(fromFixed(pi())).divide(Decimal.fromBigInt(180n));
}

export function decimalToDegrees(value: Decimal): Decimal {
  if (value.kind !== 'finite') return value;
  return value.multiply(Decimal.fromBigInt(180n)).divide(fromFixed(pi()));
}
