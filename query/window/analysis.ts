/**
 * Window operators of analysis: slopes, areas, moving averages, covariances, and filling of gaps.
 */
import { BsonType, doubleValue, NULL, type RawValue } from '../../bson/index.ts';
import { uassert } from '../../common/assert.ts';
import { CommandError } from '../../common/errors.ts';
import { compileExpression } from '../expression/compile.ts';
import type { Value } from '../expression/definition.ts';
import { elementsOf } from '../expression/elements.ts';
import type { Expression } from '../expression/expression.ts';
import { valueAtPath } from '../expression/field-path.ts';
import { namedArguments } from '../expression/named-arguments.ts';
import { addUnits } from '../expression/operators/date-arithmetic.ts';
import { parseTimeUnit } from '../expression/operators/date-arguments.ts';
import { UTC } from '../expression/operators/time-zone.ts';
import { Scope } from '../expression/scope.ts';
import { isNullish } from '../expression/types.ts';
import {
  type ComputeWindow,
  defineWindow,
  inOneStep,
  type WindowDefinition,
  type WindowUse,
} from './definition.ts';
import {
  coordinateOf,
  MovingValues,
  type Partition,
  WHOLE_PARTITION,
  windowsOver,
} from './partition.ts';
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
function unitLength(name: string, unit: RawValue | undefined): number | undefined {
  if (unit === undefined) return undefined;
  const parsed = parseTimeUnit(unit.asString());
  if (parsed === 'year' || parsed === 'quarter' || parsed === 'month') {
    throw new CommandError(5490704, `unit must be 'week' or smaller in ${name}`);
  }
  return addUnits(0, parsed, 1, UTC);
}

/** A document of a window as a point of a curve. */
interface Point {
  readonly x: number;
  readonly y: number;
}

/** Points in order of x, and the part of them that a window takes. */
interface Points {
  readonly at: (position: number) => Point;
  readonly start: number;
  readonly end: number;
}

type OverWindow = (points: Points, perUnit: number) => Steps<Value>;

/** $derivative and $integral: {input, unit} over the points (sortBy, input) of a window. */
function overPoints(name: '$derivative' | '$integral', compute: OverWindow): WindowDefinition {
  return defineWindow({
    name,
    compile: ({ argument, window, hasSort, context }) => {
      const given = namedArguments(argument, {
        name,
        required: ['input'],
        optional: ['unit'],
        codes: { notObject: 'FailedToParse', unknown: 'FailedToParse', missing: 'FailedToParse' },
      });
      uassert(hasSort, 5490710, `${name} requires a sortBy`);
      const isDerivative = name === '$derivative';
      uassert(
        window !== undefined || !isDerivative,
        5490709,
        `${name} requires explicit window bounds`,
      );
      const length = unitLength(name, given.get('unit'));
      const input = compileExpression(given.get('input')!, context);
      return (partition) => {
        const windowAt = windowsOver(partition, window ?? WHOLE_PARTITION);
        const inputAt = valuesOf(input, partition);
        const points = new MovingValues((position) => ({
          x: x(name, sortValueAt(partition, position), length !== undefined),
          y: coordinateOf(inputAt(position)) ?? Number.NaN,
        }));
        const at = (position: number): Point => points.at(position);
        return function* (position) {
          const [start, end] = yield* windowAt(position);
          points.forget(start);
          return yield* compute({ at, start, end }, length ?? 1);
        };
      };
    },
  });
}

function x(name: string, value: Value, wantsDate: boolean): number {
  const isDate = value?.type === BsonType.date;
  if (isDate !== wantsDate) {
    throw new CommandError(
      wantsDate ? 5624900 : 5624901,
      wantsDate
        ? `${name} with 'unit' expects the sortBy field to be a Date`
        : `${name} where the sortBy is a Date requires a 'unit'`,
    );
  }
  return coordinateOf(value) ?? Number.NaN;
}

// The ends of the window say it all.
// oxlint-disable-next-line require-yield
function* slope({ at, start, end }: Points, perUnit: number): Steps<Value> {
  if (end - start < 2) return NULL;
  const first = at(start);
  const last = at(end - 1);
  const run = last.x - first.x;
  if (run === 0) return NULL;
  return doubleValue(((last.y - first.y) / run) * perUnit);
}

function* area({ at, start, end }: Points, perUnit: number): Steps<Value> {
  if (start >= end) return NULL;
  let sum = 0;
  let left = at(start);
  yield* eachInSteps(start + 1, end, (position) => {
    const right = at(position);
    sum += ((right.y + left.y) / 2) * (right.x - left.x);
    left = right;
  });
  return doubleValue(sum / perUnit);
}

function compileMovingAverage({ argument, context, hasSort, window }: WindowUse): ComputeWindow {
  const name = '$expMovingAvg';
  const given = namedArguments(argument, {
    name,
    required: ['input'],
    optional: ['N', 'alpha'],
    codes: { notObject: 'FailedToParse', unknown: 'FailedToParse', missing: 'FailedToParse' },
  });
  uassert(hasSort, 'FailedToParse', `${name} requires an explicit 'sortBy'`);
  uassert(window === undefined, 'FailedToParse', `${name} does not accept a 'window' field`);
  uassert(
    given.has('N') !== given.has('alpha'),
    'FailedToParse',
    `${name} sub object must have exactly two fields: An 'input' field, and either an 'N' field or an 'alpha' field`,
  );
  const n = given.get('N')?.asNumber();
  const alpha = n === undefined ? given.get('alpha')!.asNumber() : 2 / (n + 1);
  uassert(alpha > 0 && alpha < 1, 'FailedToParse', "'alpha' must be between 0 and 1 (exclusive)");
  const input = compileExpression(given.get('input')!, context);
  return (partition) => {
    const inputAt = valuesOf(input, partition);
    let average: number | undefined;
    return inOneStep((position) => {
      const value = inputAt(position);
      if (value === undefined || !value.isNumber) return NULL;
      const number = value.asNumber();
      const isFirst = average === undefined;
      average = average === undefined ? number : number * alpha + average * (1 - alpha);
      return isFirst ? value : doubleValue(average);
    });
  };
}

function covariance(name: string, isSample: boolean): WindowDefinition {
  return defineWindow({
    name,
    compile: ({ argument, window = WHOLE_PARTITION, context }) => {
      const operands = argument.type === BsonType.array ? elementsOf(argument) : [];
      uassert(
        operands.length === 2,
        'FailedToParse',
        `${name} expects an array of exactly two expressions`,
      );
      const [first, second] = operands.map((operand) => compileExpression(operand, context));
      return (partition) => {
        const windowAt = windowsOver(partition, window);
        const firstAt = valuesOf(first, partition);
        const secondAt = valuesOf(second, partition);
        const pairs = new MovingValues((position): Pair => [
          numberOf(firstAt(position)),
          numberOf(secondAt(position)),
        ]);
        return function* (position) {
          const [start, end] = yield* windowAt(position);
          pairs.forget(start);
          return yield* covarianceOf(pairs, start, end, isSample);
        };
      };
    },
  });
}

/** undefined: not a number. */
type Pair = readonly [number | undefined, number | undefined];

function numberOf(value: Value): number | undefined {
  return value?.isNumber === true ? value.asNumber() : undefined;
}

function* covarianceOf(
  pairs: MovingValues<Pair>,
  start: number,
  end: number,
  isSample: boolean,
): Steps<Value> {
  let count = 0;
  let meanA = 0;
  let meanB = 0;
  let sum = 0;
  yield* eachInSteps(start, end, (position) => {
    const [a, b] = pairs.at(position);
    if (a === undefined || b === undefined) return;
    count += 1;
    const deltaA = a - meanA;
    meanA += deltaA / count;
    meanB += (b - meanB) / count;
    sum += deltaA * (b - meanB);
  });
  const divisor = isSample ? count - 1 : count;
  return divisor <= 0 ? NULL : doubleValue(sum / divisor);
}

/** A document whose value is there, as a point of the line to the next one. */
interface Known {
  readonly position: number;
  readonly x: number | undefined;
  readonly y: number | undefined;
}

/** Missing values on the straight line between their neighbours, measured on the sort field. */
function compileLinearFill({ argument, context, window }: WindowUse): ComputeWindow {
  uassert(window === undefined, 'FailedToParse', "'window' field is not allowed in $linearFill");
  const input = compileExpression(argument, context);
  return (partition) => {
    uassert(
      partition.sortPath !== undefined,
      605001,
      '$linearFill must be specified with a top level sortBy expression with exactly one element',
    );
    const inputAt = valuesOf(input, partition);
    const known = (position: number, value: Value): Known => ({
      position,
      x: coordinateOf(sortValueAt(partition, position)),
      y: coordinateOf(value),
    });
    let before: Known | undefined;
    /** The next document with a value; undefined: not looked for since `before`. */
    let after: Known | 'none' | undefined;
    return function* (position) {
      const value = inputAt(position);
      if (!isNullish(value)) {
        before = known(position, value);
        if (after !== 'none') after = undefined;
        return value;
      }
      if (before === undefined) return NULL;
      for (let next = position + 1; after === undefined; next += 1) {
        const found = next < partition.length ? inputAt(next) : undefined;
        if (next >= partition.length) after = 'none';
        else if (!isNullish(found)) after = known(next, found);
        yield;
      }
      if (after === 'none') return NULL;
      return between(before, after, coordinateOf(sortValueAt(partition, position)));
    };
  };
}

function between(from: Known, to: Known, here: number | undefined): Value {
  const { x: x0, y: y0 } = from;
  const { x: x1, y: y1 } = to;
  if (x0 === undefined || x1 === undefined || here === undefined) return NULL;
  if (y0 === undefined || y1 === undefined) return NULL;
  if (x0 === here || x1 === here) {
    throw new CommandError(6050106, 'There can be no repeated values in the sort field');
  }
  return doubleValue(y0 + ((y1 - y0) * (here - x0)) / (x1 - x0));
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
