/**
 * Window operators of analysis: slopes, areas, moving averages, covariances, and filling of gaps.
 */
import {
  BsonType,
  compareWithMissing,
  Decimal,
  decimalValue,
  doubleValue,
  int64Value,
  NULL,
  type RawValue,
} from '../../bson/index.ts';
import { uassert } from '../../common/assert.ts';
import { CommandError } from '../../common/errors.ts';
import { compileExpression } from '../expression/compile.ts';
import type { Value } from '../expression/definition.ts';
import { elementsOf } from '../expression/elements.ts';
import type { Expression } from '../expression/expression.ts';
import { valueAtPath } from '../expression/field-path.ts';
import { namedArguments } from '../expression/named-arguments.ts';
import { arithmeticOf, isZero } from '../expression/operators/arithmetic.ts';
import { addUnits } from '../expression/operators/date-arithmetic.ts';
import { parseTimeUnit, tryDateMs } from '../expression/operators/date-arguments.ts';
import { UTC } from '../expression/operators/time-zone.ts';
import { Scope } from '../expression/scope.ts';
import { isNullish } from '../expression/types.ts';
import { NumberSum } from '../number-sum.ts';
import { ownedOrMissing, ownedValue } from '../owned.ts';
import {
  type ComputeWindow,
  defineWindow,
  inOneStep,
  type WindowDefinition,
  type WindowUse,
} from './definition.ts';
import { MovingValues, type Partition, WHOLE_PARTITION, windowsOver } from './partition.ts';
import { eachInSteps, type Steps } from './steps.ts';

/** What an expression gives for the document at a position. */
function valuesOf(expression: Expression, partition: Partition): (position: number) => Value {
  const scope = new Scope(Buffer.alloc(0));
  return (position) => {
    scope.document = partition.documentAt(position);
    return expression.evaluate(scope);
  };
}

function sortValueAt(partition: Partition, position: number): Value {
  const { sortPath } = partition;
  if (sortPath === undefined) return undefined;
  return valueAtPath(partition.documentAt(position), sortPath, 0);
}

/** Length of `unit` in milliseconds; only units of fixed length make sense here. */
function unitLength(unit: RawValue | undefined): number | undefined {
  if (unit === undefined) return undefined;
  uassert(unit.type === BsonType.string, 'FailedToParse', "'unit' must be a string");
  const parsed = parseTimeUnit(unit.asString());
  if (parsed === 'year' || parsed === 'quarter' || parsed === 'month') {
    throw new CommandError(5490710, "unit must be 'week' or smaller");
  }
  return addUnits(0, parsed, 1, UTC);
}

/** A document of a window as a point of a curve. */
interface Place {
  readonly x: Value;
  readonly y: Value;
}

/** Points in order of x, the part of them that a window takes, and the unit in which x is measured, milliseconds. */
interface Points {
  readonly at: (position: number) => Place;
  readonly start: number;
  readonly end: number;
  readonly unit: RawValue | undefined;
}

type OverWindow = (points: Points) => Steps<Value>;

/** $derivative and $integral: {input, unit} over the points (sortBy, input) of a window. */
function overPoints(name: '$derivative' | '$integral', compute: OverWindow): WindowDefinition {
  return defineWindow({
    name,
    compile: ({ argument, window, sortFields, context }) => {
      uassert(sortFields > 0, 'FailedToParse', `${name} requires a sortBy`);
      uassert(sortFields === 1, 'FailedToParse', `${name} requires a non-compound sortBy`);
      const given = namedArguments(argument, {
        name,
        required: ['input'],
        optional: ['unit'],
        codes: { notObject: 'FailedToParse', unknown: 'FailedToParse', missing: 'FailedToParse' },
      });
      const length = unitLength(given.get('unit'));
      const isDerivative = name === '$derivative';
      uassert(
        window !== undefined || !isDerivative,
        'FailedToParse',
        `${name} requires explicit window bounds`,
      );
      const unit = length === undefined ? undefined : int64Value(BigInt(length));
      const input = compileExpression(given.get('input')!, context);
      return (partition) => {
        const windowAt = windowsOver(partition, window ?? WHOLE_PARTITION);
        const inputAt = valuesOf(input, partition);
        const places = new MovingValues((position): Place => ({
          x: ownedOrMissing(sortValueAt(partition, position)),
          y: ownedOrMissing(inputAt(position)),
        }));
        const at = (position: number): Place => places.at(position);
        return function* (position) {
          const [start, end] = yield* windowAt(position);
          places.forget(start);
          return yield* compute({ at, start, end, unit });
        };
      };
    },
  });
}

function isDate(value: Value): boolean {
  return value?.type === BsonType.date;
}

function isNumber(value: Value): boolean {
  return value?.isNumber === true;
}

// The ends of the window say it all.
// oxlint-disable-next-line require-yield
function* slope({ at, start, end, unit }: Points): Steps<Value> {
  if (start >= end) return NULL;
  const [left, right] = [at(start), at(end - 1)];
  checkSlope(left.x, right.x, unit !== undefined);
  const { subtract, divide, multiply } = arithmeticOf;
  const run = subtract(right.x, left.x);
  const rise = subtract(right.y, left.y);
  uassert(!isNullish(rise), 5624903, '$derivative input must not be null or missing');
  if (isNullish(run) || isZero(run)) return NULL;
  const quotient = divide(rise, run);
  return unit === undefined ? quotient : multiply(quotient, unit);
}

function checkSlope(left: Value, right: Value, wantsDates: boolean): void {
  if (wantsDates) {
    uassert(
      isDate(left) && isDate(right),
      5624900,
      "$derivative with 'unit' expects the sortBy field to be a Date",
    );
    return;
  }
  uassert(
    !isDate(left) && !isDate(right),
    5624901,
    "$derivative where the sortBy is a Date requires an 'unit'",
  );
  uassert(
    isNumber(left) && isNumber(right),
    5624902,
    "$derivative (with no 'unit') expects the sortBy field to be numeric",
  );
}

function* area({ at, start, end, unit }: Points): Steps<Value> {
  if (start >= end) return NULL;
  const { add, subtract, multiply, divide } = arithmeticOf;
  const sum = new NumberSum();
  let hasNaN = false;
  let left: Place | undefined;
  yield* eachInSteps(start, end, (position) => {
    const right = at(position);
    checkPoint(right.x, right.y, unit !== undefined);
    hasNaN ||= isNaN(right.x) || isNaN(right.y);
    if (left !== undefined && !hasNaN) {
      const width = subtract(right.x, left.x);
      const twice = multiply(add(right.y, left.y), width);
      const trapezoid = divide(twice, TWO);
      if (trapezoid !== undefined) sum.add(trapezoid);
    }
    left = right;
  });
  if (hasNaN) return doubleValue(Number.NaN);
  return unit === undefined ? sum.sum() : divide(sum.sum(), unit);
}

const TWO = doubleValue(2);

function isNaN(value: Value): boolean {
  return isNumber(value) && Number.isNaN(value?.asNumber());
}

function checkPoint(x: Value, y: Value, wantsDates: boolean): void {
  uassert(
    isNumber(y) && (isNumber(x) || isDate(x)),
    5423900,
    'The input value of $integral window function must be a vector of 2 value, the first value must be numeric or date type and the second must be numeric.',
  );
  if (wantsDates) {
    uassert(isDate(x), 5423901, "$integral with 'unit' expects the sortBy field to be a Date");
  } else {
    uassert(
      isNumber(x),
      5423902,
      "$integral (with no 'unit') expects the sortBy field to be numeric",
    );
  }
}

function compileMovingAverage({ argument, context, sortFields, window }: WindowUse): ComputeWindow {
  const name = '$expMovingAvg';
  uassert(window === undefined, 'FailedToParse', `${name} does not accept a 'window' field`);
  const given = namedArguments(argument, {
    name,
    required: ['input'],
    optional: ['N', 'alpha'],
    codes: { notObject: 'FailedToParse', unknown: 'FailedToParse', missing: 'FailedToParse' },
  });
  uassert(
    given.has('N') !== given.has('alpha'),
    'FailedToParse',
    `${name} sub object must have exactly two fields: An 'input' field, and either an 'N' field or an 'alpha' field`,
  );
  uassert(sortFields > 0, 'FailedToParse', `${name} requires an explicit 'sortBy'`);
  const n = given.get('N');
  const alpha = n === undefined ? alphaFrom(given.get('alpha')!) : alphaOfWidth(n);
  const rest = Decimal.ONE.subtract(alpha);
  const input = compileExpression(given.get('input')!, context);
  return (partition) => {
    const inputAt = valuesOf(input, partition);
    let average: Decimal | undefined;
    let isDecimal = false;
    return inOneStep((position) => {
      const value = inputAt(position);
      if (value?.isNumber === true) {
        isDecimal ||= value.type === BsonType.decimal128;
        const number = value.asDecimal();
        average =
          average === undefined ? number : number.multiply(alpha).add(average.multiply(rest));
      }
      // What is no number leaves the average as it was.
      if (average === undefined) return NULL;
      return isDecimal ? decimalValue(average) : doubleValue(average.toNumber());
    });
  };
}

function alphaFrom(value: RawValue): Decimal {
  uassert(value.isNumber, 'FailedToParse', "'alpha' must be a number");
  const alpha = value.asDecimal();
  const isInside =
    !alpha.isNaN && alpha.compare(Decimal.ZERO) > 0 && alpha.compare(Decimal.ONE) < 0;
  uassert(isInside, 'FailedToParse', "'alpha' must be between 0 and 1 (exclusive)");
  return alpha;
}

function alphaOfWidth(value: RawValue): Decimal {
  const n = value.asNumber();
  uassert(
    value.isNumber && Number.isInteger(n),
    'FailedToParse',
    "'N' field must be an integer. To use a non-integer, use the 'alpha' argument instead",
  );
  uassert(n > 0, 'FailedToParse', `'N' must be greater than zero. Got ${n}`);
  return Decimal.fromBigInt(2n).divide(Decimal.fromBigInt(BigInt(n) + 1n));
}

function covariance(name: string, isSample: boolean): WindowDefinition {
  return defineWindow({
    name,
    compile: ({ argument, window = WHOLE_PARTITION, context }) => {
      const pairs = compileExpression(argument, context);
      return (partition) => {
        const windowAt = windowsOver(partition, window);
        const pairAt = valuesOf(pairs, partition);
        const points = new MovingValues((position) => pointOf(pairAt(position)));
        return function* (position) {
          const [start, end] = yield* windowAt(position);
          points.forget(start);
          return yield* covarianceOf(points, start, end, isSample);
        };
      };
    },
  });
}

type Point = readonly [x: RawValue, y: RawValue];

/** undefined for anything but two numbers: it has no part in the covariance. */
function pointOf(value: Value): Point | undefined {
  if (value?.type !== BsonType.array) return undefined;
  const [x, y, ...others] = elementsOf(value);
  return isNumber(x) && isNumber(y) && others.length === 0
    ? [ownedValue(x), ownedValue(y)]
    : undefined;
}

function* covarianceOf(
  points: MovingValues<Point | undefined>,
  start: number,
  end: number,
  isSample: boolean,
): Steps<Value> {
  const { subtract, multiply, divide } = arithmeticOf;
  const sum = new NumberSum();
  const xs = new NumberSum();
  const ys = new NumberSum();
  let count = 0;
  yield* eachInSteps(start, end, (position) => {
    const point = points.at(position);
    if (point === undefined) return;
    const beyond = beyondNumbers(point);
    if (beyond !== undefined) {
      sum.add(beyond);
      return;
    }
    count += 1;
    const [x, y] = point;
    const fromX = subtract(x, xs.average());
    xs.add(x);
    ys.add(y);
    const product = multiply(fromX, subtract(y, ys.average()));
    if (product !== undefined) sum.add(product);
  });
  if (count === 1 && !isSample) return doubleValue(0);
  const divisor = isSample ? count - 1 : count;
  if (divisor <= 0) return NULL;
  const total = sum.sum();
  if (total.type === BsonType.decimal128) return divide(total, doubleValue(divisor));
  return doubleValue(total.asNumber() / divisor);
}

/** NaN or an infinity, where one of the numbers is: it goes into the sum as it is, and counts as no point. */
function beyondNumbers(point: Point): RawValue | undefined {
  const numbers = point.map((value) => value.asNumber());
  const isFinite = point.every((value, index) =>
    value.type === BsonType.decimal128
      ? value.asDecimal().kind === 'finite'
      : Number.isFinite(numbers[index]),
  );
  if (isFinite) return undefined;
  const isExact = point.some((value) => value.type === BsonType.decimal128);
  const signs = new Set(numbers.filter((number) => !Number.isFinite(number)).map(Math.sign));
  const [sign] = signs;
  const result = signs.size > 1 || Number.isNaN(sign) ? Number.NaN : sign! * Infinity;
  return isExact ? decimalValue(Decimal.fromNumber(result)) : doubleValue(result);
}

/** Missing values on the straight line between their neighbours, measured on the sort field. */
function compileLinearFill({ argument, context, window, sortFields }: WindowUse): ComputeWindow {
  uassert(window === undefined, 'FailedToParse', "'window' field is not allowed in $linearFill");
  uassert(
    sortFields === 1,
    605001,
    '$linearFill must be specified with a top level sortBy expression with exactly one element',
  );
  const input = compileExpression(argument, context);
  return (partition) => {
    const inputAt = valuesOf(input, partition);
    const placeAt = (position: number): Place => ({
      x: ownedOrMissing(sortValueAt(partition, position)),
      y: ownedOrMissing(inputAt(position)),
    });
    let checked = -1;
    let xBefore: Value;
    /** Documents are checked in their order, each once. */
    const check = (position: number, { x, y }: Place): void => {
      if (position <= checked) return;
      checkFill(y, x, xBefore, position > 0);
      checked = position;
      xBefore = x;
    };
    let before: Place | undefined;
    /** The next document with a value; undefined: not looked for since `before`. */
    let after: Place | 'none' | undefined;
    return function* (position) {
      const here = placeAt(position);
      check(position, here);
      if (!isNullish(here.y)) {
        before = here;
        if (after !== 'none') after = undefined;
        return here.y;
      }
      if (before === undefined) return NULL;
      for (let next = position + 1; after === undefined; next += 1) {
        if (next >= partition.length) {
          after = 'none';
          break;
        }
        const there = placeAt(next);
        check(next, there);
        if (!isNullish(there.y)) after = there;
        yield;
      }
      return after === 'none' ? NULL : between(before, after, here.x);
    };
  };
}

function checkFill(y: Value, x: Value, before: Value, hasBefore: boolean): void {
  uassert(
    isNullish(y) || isNumber(y),
    'TypeMismatch',
    'Value to be filled must be numeric or nullish',
  );
  const isMoment = x !== undefined && tryDateMs(x) !== undefined;
  uassert(
    isNumber(x) || isMoment,
    'TypeMismatch',
    'Value of the sortBy field must be numeric or a date',
  );
  if (!hasBefore) return;
  uassert(
    compareWithMissing(x, before) !== 0,
    6050106,
    'There can be no repeated values in the sort field',
  );
  uassert(isNumber(x) === isNumber(before), 'TypeMismatch', 'Conflicting sort value types');
}

function between(from: Place, to: Place, x: Value): Value {
  const { add, subtract, multiply, divide } = arithmeticOf;
  const rise = divide(subtract(to.y, from.y), subtract(to.x, from.x));
  return add(from.y, multiply(subtract(x, from.x), rise));
}

/** Missing values become the last one before them. */
function compileCarryForward({ argument, context, window }: WindowUse): ComputeWindow {
  uassert(window === undefined, 'FailedToParse', "'window' field is not allowed in $locf");
  const input = compileExpression(argument, context);
  return (partition) => {
    const inputAt = valuesOf(input, partition);
    let last: Value = NULL;
    return inOneStep((position) => {
      const value = inputAt(position);
      if (!isNullish(value)) last = value;
      return last;
    });
  };
}

export const ANALYSIS: readonly WindowDefinition[] = [
  overPoints('$derivative', slope),
  overPoints('$integral', area),
  defineWindow({ name: '$expMovingAvg', compile: compileMovingAverage }),
  covariance('$covariancePop', false),
  covariance('$covarianceSamp', true),
  defineWindow({ name: '$linearFill', compile: compileLinearFill }),
  defineWindow({ name: '$locf', compile: compileCarryForward }),
];
