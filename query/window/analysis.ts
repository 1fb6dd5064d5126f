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
  type WindowDefinition,
  type WindowUse,
} from './definition.ts';
import { coordinateOf, type Partition, WHOLE_PARTITION, windowsOver } from './partition.ts';
import { mapInSteps, type Steps } from './steps.ts';

function valuesOf(expression: Expression, { documents }: Partition): Steps<Value[]> {
  const scope = new Scope(Buffer.alloc(0));
  return mapInSteps(documents, (document) => {
    scope.document = document;
    return expression.evaluate(scope);
  });
}

function* sortValues(partition: Partition): Steps<readonly Value[]> {
  const path = partition.sortPath;
  if (path === undefined) return [];
  return yield* mapInSteps(partition.documents, (document) => valueAtPath(document, path, 0));
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

/** Points in order of x, and the part of them that a window takes. */
interface Points {
  readonly xs: readonly number[];
  readonly ys: readonly number[];
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
      return function* (partition) {
        const windowAt = windowsOver(partition, window ?? WHOLE_PARTITION);
        const sorted = yield* sortValues(partition);
        const xs = yield* mapInSteps(sorted, (value) => x(name, value, length !== undefined));
        const inputs = yield* valuesOf(input, partition);
        const ys = yield* mapInSteps(inputs, (value) => coordinateOf(value) ?? Number.NaN);
        const values: Value[] = [];
        for (const position of partition.documents.keys()) {
          const [start, end] = windowAt(position);
          values.push(yield* compute({ xs, ys, start, end }, length ?? 1));
          yield;
        }
        return values;
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
function* slope({ xs, ys, start, end }: Points, perUnit: number): Steps<Value> {
  if (end - start < 2) return NULL;
  const run = xs[end - 1] - xs[start];
  if (run === 0) return NULL;
  return doubleValue(((ys[end - 1] - ys[start]) / run) * perUnit);
}

function* area({ xs, ys, start, end }: Points, perUnit: number): Steps<Value> {
  if (start >= end) return NULL;
  let sum = 0;
  for (let index = start + 1; index < end; index += 1) {
    sum += ((ys[index] + ys[index - 1]) / 2) * (xs[index] - xs[index - 1]);
    if (index % 16 === 0) yield;
  }
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
  return function* (partition) {
    let average: number | undefined;
    return yield* mapInSteps(yield* valuesOf(input, partition), (value) => {
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
      return function* (partition) {
        const windowAt = windowsOver(partition, window);
        const as = yield* valuesOf(first, partition);
        const bs = yield* valuesOf(second, partition);
        const values: Value[] = [];
        for (const position of partition.documents.keys()) {
          values.push(yield* covarianceOf(as, bs, windowAt(position), isSample));
          yield;
        }
        return values;
      };
    },
  });
}

function* covarianceOf(
  as: readonly Value[],
  bs: readonly Value[],
  [start, end]: readonly [start: number, end: number],
  isSample: boolean,
): Steps<Value> {
  let count = 0;
  let meanA = 0;
  let meanB = 0;
  let sum = 0;
  for (let index = start; index < end; index += 1) {
    if (index % 16 === 0) yield;
    const a = as[index];
    const b = bs[index];
    if (a === undefined || b === undefined || !a.isNumber || !b.isNumber) continue;
    count += 1;
    const deltaA = a.asNumber() - meanA;
    meanA += deltaA / count;
    meanB += (b.asNumber() - meanB) / count;
    sum += deltaA * (b.asNumber() - meanB);
  }
  const divisor = isSample ? count - 1 : count;
  return divisor <= 0 ? NULL : doubleValue(sum / divisor);
}

/** Missing values on the straight line between their neighbours, measured on the sort field. */
function compileLinearFill({ argument, context, window }: WindowUse): ComputeWindow {
  uassert(window === undefined, 'FailedToParse', "'window' field is not allowed in $linearFill");
  const input = compileExpression(argument, context);
  return function* (partition) {
    uassert(
      partition.sortPath !== undefined,
      605001,
      '$linearFill must be specified with a top level sortBy expression with exactly one element',
    );
    const xs = yield* mapInSteps(yield* sortValues(partition), coordinateOf);
    const inputs = yield* valuesOf(input, partition);
    const values: Value[] = yield* mapInSteps(inputs, (value) => value ?? NULL);
    let known = -1;
    for (const [position, value] of values.entries()) {
      if (isNullish(value)) continue;
      if (known >= 0) yield* fillBetween(values, xs, known, position);
      known = position;
    }
    return values;
  };
}

function* fillBetween(
  values: Value[],
  xs: readonly (number | undefined)[],
  from: number,
  to: number,
): Steps<void> {
  const [x0, x1] = [xs[from], xs[to]];
  const [y0, y1] = [coordinateOf(values[from]), coordinateOf(values[to])];
  for (let position = from + 1; position < to; position += 1) {
    const here = xs[position];
    if (x0 === undefined || x1 === undefined || here === undefined) continue;
    if (y0 === undefined || y1 === undefined) continue;
    if (x0 === here || x1 === here) {
      throw new CommandError(6050106, 'There can be no repeated values in the sort field');
    }
    values[position] = doubleValue(y0 + ((y1 - y0) * (here - x0)) / (x1 - x0));
    yield;
  }
}

/** Missing values become the last one before them. */
function compileCarryForward({ argument, context, window }: WindowUse): ComputeWindow {
  uassert(window === undefined, 'FailedToParse', "'window' field is not allowed in $locf");
  const input = compileExpression(argument, context);
  return function* (partition) {
    let last: Value = NULL;
    return yield* mapInSteps(yield* valuesOf(input, partition), (value) => {
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
