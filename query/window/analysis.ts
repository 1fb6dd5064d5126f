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

function valuesOf(expression: Expression, { documents }: Partition): readonly Value[] {
  const scope = new Scope(Buffer.alloc(0));
  return documents.map((document) => {
    scope.document = document;
    return expression.evaluate(scope);
  });
}

function sortValues(partition: Partition): readonly Value[] {
  const path = partition.sortPath;
  return path === undefined
    ? []
    : partition.documents.map((document) => valueAtPath(document, path, 0));
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

type OverWindow = (xs: readonly number[], ys: readonly number[], perUnit: number) => Value;

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
        const xs = sortValues(partition).map((value) => x(name, value, length !== undefined));
        const ys = valuesOf(input, partition).map((value) => coordinateOf(value) ?? Number.NaN);
        return partition.documents.map((_document, position) => {
          const [start, end] = windowAt(position);
          return compute(xs.slice(start, end), ys.slice(start, end), length ?? 1);
        });
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

function slope(xs: readonly number[], ys: readonly number[], perUnit: number): Value {
  if (xs.length < 2) return NULL;
  const run = xs.at(-1)! - xs[0];
  if (run === 0) return NULL;
  return doubleValue(((ys.at(-1)! - ys[0]) / run) * perUnit);
}

function area(xs: readonly number[], ys: readonly number[], perUnit: number): Value {
  if (xs.length === 0) return NULL;
  let sum = 0;
  for (let index = 1; index < xs.length; index += 1) {
    sum += ((ys[index] + ys[index - 1]) / 2) * (xs[index] - xs[index - 1]);
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
  return (partition) => {
    let average: number | undefined;
    return valuesOf(input, partition).map((value) => {
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
        const as = valuesOf(first, partition);
        const bs = valuesOf(second, partition);
        return partition.documents.map((_document, position) => {
          const [start, end] = windowAt(position);
          return covarianceOf(as.slice(start, end), bs.slice(start, end), isSample);
        });
      };
    },
  });
}

function covarianceOf(as: readonly Value[], bs: readonly Value[], isSample: boolean): Value {
  let count = 0;
  let meanA = 0;
  let meanB = 0;
  let sum = 0;
  as.forEach((a, index) => {
    const b = bs[index];
    if (a === undefined || b === undefined || !a.isNumber || !b.isNumber) return;
    count += 1;
    const deltaA = a.asNumber() - meanA;
    meanA += deltaA / count;
    meanB += (b.asNumber() - meanB) / count;
    sum += deltaA * (b.asNumber() - meanB);
  });
  const divisor = isSample ? count - 1 : count;
  return divisor <= 0 ? NULL : doubleValue(sum / divisor);
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
    const xs = sortValues(partition).map(coordinateOf);
    const values: Value[] = valuesOf(input, partition).map((value) => value ?? NULL);
    let known = -1;
    values.forEach((value, position) => {
      if (isNullish(value)) return;
      if (known >= 0) fillBetween(values, xs, known, position);
      known = position;
    });
    return values;
  };
}

function fillBetween(
  values: Value[],
  xs: readonly (number | undefined)[],
  from: number,
  to: number,
): void {
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
  }
}

/** Missing values become the last one before them. */
function compileCarryForward({ argument, context, window }: WindowUse): ComputeWindow {
  uassert(window === undefined, 'FailedToParse', "'window' field is not allowed in $locf");
  const input = compileExpression(argument, context);
  return (partition) => {
    let last: Value = NULL;
    return valuesOf(input, partition).map((value) => {
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
