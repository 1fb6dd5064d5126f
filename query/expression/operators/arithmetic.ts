/**
 * Arithmetic: the type of a result follows MongoDB's promotion (int, long, double, decimal), dates take part in sums.
 *
 * An int64 that overflows becomes a double, as MongoDB's expressions have it.
 */
import {
  BsonType,
  dateValue,
  Decimal,
  decimalValue,
  doubleValue,
  int32Value,
  int64Value,
  NULL,
  type RawValue,
} from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import { decimalExp, decimalLn, decimalLog, decimalPow } from '../decimal-functions.ts';
import {
  addNumbers,
  multiplyNumbers,
  subtractNumbers,
  widestNumberType,
} from '../../arithmetic.ts';
import { defineExpression, type ExpressionDefinition, type Value } from '../definition.ts';
import { int32Of } from '../integers.ts';
import { isNullish, NUMERIC, typeNameOf } from '../types.ts';

const ZERO = int32Value(0);
const ONE = int32Value(1);

/** What $add, $subtract, $multiply and $divide make of two values, for operators that compute with them. */
export const arithmeticOf = {
  add: (a: Value, b: Value): Value => sum([a, b]),
  subtract: (a: Value, b: Value): Value => (isNullish(a) || isNullish(b) ? NULL : subtract(a, b)),
  multiply: (a: Value, b: Value): Value => product([a, b]),
  divide: (a: Value, b: Value): Value => (isNullish(a) || isNullish(b) ? NULL : divide(a, b)),
} as const;

/** a + b of any numbers. */
export function add(a: RawValue, b: RawValue): RawValue {
  return addNumbers(a, b) ?? doubleValue(a.asNumber() + b.asNumber());
}

/** Milliseconds of a number that is added to a date: rounded to whole ones. */
function wholeMilliseconds(value: RawValue): bigint {
  switch (value.type) {
    case BsonType.double: {
      const number = value.asNumber();
      if (!(number >= -(2 ** 63) && number < 2 ** 63)) throw dateOverflow();
      // Halves go away from zero.
      return BigInt(Math.sign(number) * Math.round(Math.abs(number)));
    }
    case BsonType.decimal128: {
      const whole = value.asDecimal().roundToInteger().toBigInt();
      if (whole === undefined) throw dateOverflow();
      return whole;
    }
    default:
      return value.asInt64();
  }
}

function dateOverflow(): CommandError {
  return new CommandError('Overflow', 'date overflow');
}

/** a + b milliseconds since 1970. */
function addMs(a: bigint, b: bigint): bigint {
  const ms = a + b;
  if (BigInt.asIntN(64, ms) !== ms) throw dateOverflow();
  return ms;
}

function shiftedDate(date: RawValue, byMs: bigint): RawValue {
  return dateValue(Number(addMs(BigInt(date.asDateMs()), byMs)));
}

/** What came out of int32 alone is an int32 if it fits, whatever was in between. */
function narrowed(total: RawValue, onlyInts: boolean): RawValue {
  if (!onlyInts || total.type !== BsonType.int64) return total;
  const number = total.asInt64();
  return BigInt.asIntN(32, number) === number ? int32Value(Number(number)) : total;
}

function sum(values: readonly Value[]): Value {
  let dateMs: bigint | undefined;
  let total = ZERO;
  let onlyInts = true;
  for (const value of values) {
    if (isNullish(value)) return NULL;
    if (value.type === BsonType.date) {
      if (dateMs !== undefined) {
        throw new CommandError(16612, 'only one date allowed in an $add expression');
      }
      // What came before the date is rounded as a whole, what comes behind it one by one.
      dateMs = addMs(wholeMilliseconds(total), BigInt(value.asDateMs()));
    } else if (value.isNumber) {
      onlyInts &&= value.type === BsonType.int32;
      if (dateMs === undefined) total = add(total, value);
      else dateMs = addMs(dateMs, wholeMilliseconds(value));
    } else {
      throw new CommandError(
        'TypeMismatch',
        `$add only supports numeric or date types, not ${typeNameOf(value)}`,
      );
    }
  }
  return dateMs === undefined ? narrowed(total, onlyInts) : dateValue(Number(dateMs));
}

function subtract(a: RawValue, b: RawValue): RawValue {
  if (a.isNumber && b.isNumber) {
    return subtractNumbers(a, b) ?? doubleValue(a.asNumber() - b.asNumber());
  }
  if (a.type === BsonType.date) {
    if (b.type === BsonType.date) return int64Value(BigInt(a.asDateMs()) - BigInt(b.asDateMs()));
    if (b.isNumber) return shiftedDate(a, -wholeMilliseconds(b));
  }
  throw new CommandError('TypeMismatch', `can't $subtract ${typeNameOf(b)} from ${typeNameOf(a)}`);
}

/** The double runs beside the exact product, and stands for it once it does not fit. */
function product(values: readonly Value[]): Value {
  let exact: RawValue | undefined = ONE;
  let double = 1;
  let decimal: Decimal | undefined;
  let onlyInts = true;
  for (const value of values) {
    if (isNullish(value)) return NULL;
    if (!value.isNumber) {
      throw new CommandError(
        'TypeMismatch',
        `$multiply only supports numeric types, not ${typeNameOf(value)}`,
      );
    }
    onlyInts &&= value.type === BsonType.int32;
    if (decimal !== undefined || value.type === BsonType.decimal128) {
      decimal ??= exact?.asDecimal() ?? Decimal.fromNumber(double);
      decimal = decimal.multiply(value.asDecimal());
      continue;
    }
    double *= value.asNumber();
    if (value.type === BsonType.double) exact = undefined;
    else if (exact !== undefined) exact = multiplyNumbers(exact, value);
  }
  if (decimal !== undefined) return decimalValue(decimal);
  if (exact !== undefined) return narrowed(exact, onlyInts);
  return doubleValue(Number.isNaN(double) ? Number.NaN : double);
}

function requireNumbers(
  name: string,
  code: number | 'TypeMismatch',
  a: RawValue,
  b: RawValue,
): void {
  if (a.isNumber && b.isNumber) return;
  throw new CommandError(
    code,
    `${name} only supports numeric types, not ${typeNameOf(a)} and ${typeNameOf(b)}`,
  );
}

export function isZero(value: RawValue): boolean {
  return value.type === BsonType.decimal128 ? value.asDecimal().isZero : value.asNumber() === 0;
}

function divide(a: RawValue, b: RawValue): RawValue {
  requireNumbers('$divide', 'TypeMismatch', a, b);
  if (isZero(b)) throw new CommandError('BadValue', "can't $divide by zero");
  if (widestNumberType(a, b) === BsonType.decimal128) {
    return decimalValue(a.asDecimal().divide(b.asDecimal()));
  }
  return doubleValue(a.asNumber() / b.asNumber());
}

function modulo(a: RawValue, b: RawValue): RawValue {
  requireNumbers('$mod', 16611, a, b);
  const type = widestNumberType(a, b);
  if (isZero(b)) {
    throw new CommandError(type === BsonType.decimal128 ? 5733415 : 16610, "can't $mod by zero");
  }
  switch (type) {
    case BsonType.decimal128:
      return decimalValue(a.asDecimal().remainder(b.asDecimal()));
    case BsonType.double:
      return doubleValue(a.asNumber() % b.asNumber());
    case BsonType.int64:
      return int64Value(a.asInt64() % b.asInt64());
    case BsonType.int32:
      // `| 0` makes the -0 of -4 % 2 a plain zero.
      return int32Value((a.asNumber() % b.asNumber()) | 0);
  }
}

const INT64_MIN = -9_223_372_036_854_775_808n;

function absolute(value: RawValue): RawValue {
  switch (value.type) {
    case BsonType.decimal128:
      return decimalValue(value.asDecimal().abs());
    case BsonType.double:
      return doubleValue(Math.abs(value.asNumber()));
    case BsonType.int64: {
      const number = value.asInt64();
      if (number === INT64_MIN) throw new CommandError(28680, "can't take $abs of long long min");
      return int64Value(number < 0n ? -number : number);
    }
    default: {
      const number = Math.abs(value.asNumber());
      return number > 0x7fff_ffff ? int64Value(BigInt(number)) : int32Value(number);
    }
  }
}

type Rounding = 'halfEven' | 'down';

/** Rounds to whole numbers: integers stay what they are. */
function toWhole(value: RawValue, rounding: 'floor' | 'ceil'): RawValue {
  if (value.type === BsonType.double) return doubleValue(Math[rounding](value.asNumber()));
  if (value.type === BsonType.decimal128) {
    const decimal = value.asDecimal();
    // To the exponent 0, which an infinity does not have.
    if (decimal.kind === 'infinity') return decimalValue(Decimal.NAN);
    return decimalValue(decimal.quantize(0, rounding === 'ceil' ? 'ceiling' : 'floor'));
  }
  return value;
}

/** $round and $trunc with a number of digits after the decimal point; negative: before it. */
function roundTo(name: string, value: RawValue, places: number, rounding: Rounding): RawValue {
  switch (value.type) {
    case BsonType.decimal128:
      return decimalValue(quantized(value.asDecimal(), -places, rounding));
    case BsonType.double: {
      const number = value.asNumber();
      if (!Number.isFinite(number) || number === 0) return value;
      if (places === 0 && rounding === 'down') return doubleValue(Math.trunc(number));
      // The exact value of the double decides, as in MongoDB: 2.675 is below its half.
      const rounded = Decimal.fromString(exactText(number)).quantize(-places, rounding);
      // More places than digits: nothing to round.
      return rounded.isNaN ? value : doubleValue(rounded.toNumber());
    }
    default: {
      if (places >= 0) return value;
      const rounded =
        Decimal.fromBigInt(value.asInt64()).quantize(-places, rounding).toBigInt() ?? 0n;
      if (value.type === BsonType.int32 && BigInt.asIntN(32, rounded) === rounded) {
        return int32Value(Number(rounded));
      }
      if (BigInt.asIntN(64, rounded) !== rounded) {
        throw new CommandError(51080, `invalid conversion from Decimal128 result in ${name}`);
      }
      return int64Value(rounded);
    }
  }
}

const DECIMAL_DIGITS = 34;

/** With that exponent; where that would take more than 34 digits, with all of the 34. */
function quantized(value: Decimal, exponent: number, rounding: Rounding): Decimal {
  if (value.kind !== 'finite' || value.isZero) return value.quantize(exponent, rounding);
  const lowest = value.exponent - (DECIMAL_DIGITS - String(value.coefficient).length);
  return value.quantize(Math.max(lowest, exponent), rounding);
}

/** The double to 34 digits: what MongoDB's conversion to decimal128 with full precision gives. */
function exactText(number: number): string {
  return number.toPrecision(DECIMAL_DIGITS);
}

function roundingOperator(name: string, rounding: Rounding): ExpressionDefinition {
  return defineExpression({
    name,
    args: [1, 2],
    nullish: 'pass',
    evaluate: (values: readonly Value[]) => {
      const [value, precision] = values;
      if (isNullish(value)) return NULL;
      if (!value.isNumber) {
        throw new CommandError(
          51081,
          `${name} only supports numeric types, not ${typeNameOf(value)}`,
        );
      }
      if (values.length === 1) return roundTo(name, value, 0, rounding);
      if (isNullish(precision)) return NULL;
      return roundTo(name, value, placesOf(name, precision), rounding);
    },
  });
}

function placesOf(name: string, precision: RawValue): number {
  if (!precision.isNumber) {
    throw new CommandError(16004, `can't convert from BSON type ${typeNameOf(precision)} to long`);
  }
  const places = int32Of(precision);
  if (places === undefined) {
    throw new CommandError(51082, `precision argument to  ${name} must be a integral value`);
  }
  if (places < -20 || places > 100) {
    throw new CommandError(
      51083,
      `cannot apply ${name} with precision value ${places} value must be in [-20, 100]`,
    );
  }
  return places;
}

/** base ** exponent as C has it: 1 to any power is 1, and so is -1 to an infinite one. */
function realPower(base: number, exponent: number): number {
  if (base === 1 || (base === -1 && Math.abs(exponent) === Infinity)) return 1;
  return base ** exponent;
}

function power(base: RawValue, exponent: RawValue): RawValue {
  if (!base.isNumber) {
    throw new CommandError(28762, `$pow's base must be numeric, not ${typeNameOf(base)}`);
  }
  if (!exponent.isNumber) {
    throw new CommandError(28763, `$pow's exponent must be numeric, not ${typeNameOf(exponent)}`);
  }
  if (isZero(base) && exponent.asNumber() < 0) {
    throw new CommandError(28764, '$pow cannot take a base of 0 and a negative exponent');
  }
  switch (widestNumberType(base, exponent)) {
    case BsonType.decimal128:
      return decimalValue(decimalPow(base.asDecimal(), exponent.asDecimal()));
    case BsonType.double:
      return doubleValue(realPower(base.asNumber(), exponent.asNumber()));
    case BsonType.int64:
    case BsonType.int32:
      return integerPower(base, exponent);
  }
}

function integerPower(base: RawValue, exponent: RawValue): RawValue {
  const power = exponent.asInt64();
  const number = base.asInt64();
  const inexact = (): RawValue => doubleValue(base.asNumber() ** exponent.asNumber());
  const isUnit = number === 0n || number === 1n || number === -1n;
  if (power < 0n && !isUnit) return inexact();
  // 2^63 is the first power that no int64 holds.
  if (!isUnit && power > 63n) return inexact();
  const result = isUnit ? unitPower(number, power) : number ** power;
  if (BigInt.asIntN(64, result) !== result) return inexact();
  const isLong = base.type === BsonType.int64 || exponent.type === BsonType.int64;
  return isLong || BigInt.asIntN(32, result) !== result
    ? int64Value(result)
    : int32Value(Number(result));
}

function unitPower(base: bigint, exponent: bigint): bigint {
  if (exponent === 0n) return 1n;
  return base === -1n && exponent % 2n === 0n ? 1n : base;
}

/** A function of one number whose result is a double, or a decimal for a decimal. */
export function realFunction(
  compute: (x: number) => number,
  exact: (x: Decimal) => Decimal,
): (value: RawValue) => RawValue {
  return (value) => {
    if (value.type === BsonType.decimal128) return decimalValue(exact(value.asDecimal()));
    const result = compute(value.asNumber());
    // Some functions of the engine give a NaN with other bits than NaN's own.
    return doubleValue(Number.isNaN(result) ? NaN : result);
  };
}

function positive(
  name: string,
  code: number,
  compute: (x: number) => number,
  exact: (x: Decimal) => Decimal,
) {
  const real = realFunction(compute, exact);
  return (value: RawValue): RawValue => {
    if (isPositive(value)) return real(value);
    // Also that of a decimal is a double.
    if (Number.isNaN(value.asNumber())) return doubleValue(Number.NaN);
    throw new CommandError(
      code,
      `${name}'s argument must be a positive number, but is ${value.asNumber()}`,
    );
  };
}

/** A decimal may be above zero and yet no double is so small. */
function isPositive(value: RawValue): boolean {
  if (value.type !== BsonType.decimal128) return value.asNumber() > 0;
  return value.asDecimal().compare(Decimal.ZERO) > 0;
}

function isNegative(value: RawValue): boolean {
  if (value.type !== BsonType.decimal128) return value.asNumber() < 0;
  const decimal = value.asDecimal();
  return !decimal.isNaN && decimal.compare(Decimal.ZERO) < 0;
}

function squareRoot(value: RawValue): RawValue {
  if (isNegative(value)) {
    throw new CommandError(28714, "$sqrt's argument must be greater than or equal to 0");
  }
  return realFunction(Math.sqrt, (x) => x.squareRoot())(value);
}

function logarithm(value: RawValue, base: RawValue): RawValue {
  if (!value.isNumber) {
    throw new CommandError(28756, `$log's argument must be numeric, not ${typeNameOf(value)}`);
  }
  if (!base.isNumber) {
    throw new CommandError(28757, `$log's base must be numeric, not ${typeNameOf(base)}`);
  }
  const isExact = widestNumberType(value, base) === BsonType.decimal128;
  if (isExact && isPositive(value) && isPositive(base)) {
    const exactBase = base.asDecimal();
    if (exactBase.compare(Decimal.ONE) !== 0) {
      return decimalValue(decimalLog(value.asDecimal(), exactBase));
    }
  }
  const x = value.asNumber();
  const b = base.asNumber();
  if (!(x > 0 || Number.isNaN(x))) {
    throw new CommandError(28758, `$log's argument must be a positive number, but is ${x}`);
  }
  if (!((b > 0 && b !== 1) || Number.isNaN(b))) {
    throw new CommandError(
      28759,
      `$log's base must be a positive number not equal to 1, but is ${b}`,
    );
  }
  // As MongoDB computes it: not every power of ten has a whole logarithm.
  return doubleValue(Math.log(x) / Math.log(b));
}

const TEN = Decimal.fromBigInt(10n);
const UNARY = { args: 1, nullish: 'null', accepts: NUMERIC, wrongType: 28765 } as const;

export const ARITHMETIC: readonly ExpressionDefinition[] = [
  defineExpression({ name: '$add', args: [0, Infinity], nullish: 'pass', evaluate: sum }),
  defineExpression({ name: '$subtract', args: 2, nullish: 'null', evaluate: subtract }),
  defineExpression({ name: '$multiply', args: [0, Infinity], nullish: 'pass', evaluate: product }),
  defineExpression({ name: '$divide', args: 2, nullish: 'null', evaluate: divide }),
  defineExpression({ name: '$mod', args: 2, nullish: 'null', evaluate: modulo }),
  defineExpression({ name: '$pow', args: 2, nullish: 'null', evaluate: power }),
  defineExpression({ name: '$log', args: 2, nullish: 'null', evaluate: logarithm }),
  defineExpression({ name: '$abs', ...UNARY, evaluate: absolute }),
  defineExpression({
    name: '$ceil',
    ...UNARY,
    evaluate: (value: RawValue) => toWhole(value, 'ceil'),
  }),
  defineExpression({
    name: '$floor',
    ...UNARY,
    evaluate: (value: RawValue) => toWhole(value, 'floor'),
  }),
  defineExpression({ name: '$sqrt', ...UNARY, evaluate: squareRoot }),
  defineExpression({ name: '$exp', ...UNARY, evaluate: realFunction(Math.exp, decimalExp) }),
  defineExpression({
    name: '$ln',
    ...UNARY,
    evaluate: positive('$ln', 28766, Math.log, decimalLn),
  }),
  defineExpression({
    name: '$log10',
    ...UNARY,
    evaluate: positive('$log10', 28761, Math.log10, (x) => decimalLog(x, TEN)),
  }),
  roundingOperator('$round', 'halfEven'),
  roundingOperator('$trunc', 'down'),
];
