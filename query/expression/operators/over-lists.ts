/**
 * Accumulators as expressions: $sum, $avg, $min, $max, $stdDevPop, $stdDevSamp over operands, or over the elements of one array.
 */
import { compareValues, doubleValue, NULL } from '../../../bson/index.ts';
import { Deviation, NumberSum } from '../../number-sum.ts';
import type { QueryContext } from '../../context.ts';
import { checkMethod, Quantiles, sharesFrom } from '../../quantiles.ts';
import { defineExpression, type ExpressionDefinition, type Value } from '../definition.ts';
import { arrayOf, elementsOf } from '../elements.ts';
import { namedArguments } from '../named-arguments.ts';
import { isArray, isNullish } from '../types.ts';

type Fold = (values: readonly Value[], context: QueryContext) => Value;

function overList(name: string, fold: Fold): ExpressionDefinition {
  return defineExpression({
    name,
    isLong: true,
    args: [0, Infinity],
    nullish: 'pass',
    evaluate: (values: readonly Value[], context: QueryContext) => {
      const [only] = values;
      return (
        fold(values.length === 1 && isArray(only) ? elementsOf(only) : values, context) ?? NULL
      );
    },
  });
}

function sumOf(values: readonly Value[]): NumberSum {
  const sum = new NumberSum();
  for (const value of values) if (value !== undefined) sum.add(value);
  return sum;
}

function deviationOf(values: readonly Value[]): Deviation {
  const deviation = new Deviation();
  for (const value of values) if (value !== undefined) deviation.add(value);
  return deviation;
}

function extreme(sign: 1 | -1): Fold {
  return (values, context) => {
    let best: Value;
    for (const value of values) {
      if (isNullish(value)) continue;
      if (best === undefined || sign * compareValues(value, best, context.collator) < 0) {
        best = value;
      }
    }
    return best;
  };
}

/** $percentile and $median over the elements of `input`: {input, p, method}. */
function quantile(name: '$percentile' | '$median'): ExpressionDefinition {
  return defineExpression({
    name,
    isLong: true,
    args: 'special',
    compile: (argument, compiler) => {
      const given = namedArguments(argument, {
        name,
        required: name === '$median' ? ['input', 'method'] : ['input', 'p', 'method'],
        codes: {
          notObject: name === '$median' ? 7436201 : 7436200,
          unknown: 40415,
          missing: 40414,
        },
      });
      checkMethod(given.get('method'));
      const input = compiler.compile(given.get('input')!);
      const shares =
        name === '$median' ? [0.5] : sharesFrom(compiler.compile(given.get('p')!).constant?.value);
      return compiler.combine([input], (scope) => {
        const value = input.evaluate(scope);
        // A number alone is all of its own quantiles, even when it is none of a list's.
        if (value?.isNumber === true) {
          const number = doubleValue(value.asNumber());
          return name === '$median' ? number : arrayOf(shares.map(() => number));
        }
        const quantiles = new Quantiles();
        const values = isArray(value) ? elementsOf(value) : [value];
        for (const item of values) if (item !== undefined) quantiles.add(item);
        return name === '$median' ? quantiles.at(0.5) : quantiles.allAt(shares);
      });
    },
  });
}

export const OVER_LISTS: readonly ExpressionDefinition[] = [
  overList('$sum', (values) => sumOf(values).sum()),
  overList('$avg', (values) => sumOf(values).average()),
  overList('$min', extreme(1)),
  overList('$max', extreme(-1)),
  overList('$stdDevPop', (values) => deviationOf(values).population()),
  quantile('$percentile'),
  quantile('$median'),
  overList('$stdDevSamp', (values) => deviationOf(values).sample()),
];
