/**
 * $percentile and $median.
 */
import type { RawValue } from '../../../bson/index.ts';
import { compileExpression } from '../../expression/compile.ts';
import type { Value } from '../../expression/definition.ts';
import type { Evaluate } from '../../expression/expression.ts';
import { namedArguments } from '../../expression/named-arguments.ts';
import type { Scope } from '../../expression/scope.ts';
import { checkMethod, Quantiles, sharesFrom } from '../../quantiles.ts';
import { type Accumulator, type AccumulatorDefinition, defineAccumulator } from '../definition.ts';

class QuantileAccumulator implements Accumulator {
  private readonly quantiles = new Quantiles();
  private readonly evaluate: Evaluate;
  private readonly read: (quantiles: Quantiles) => Value;

  constructor(evaluate: Evaluate, read: (quantiles: Quantiles) => Value) {
    this.evaluate = evaluate;
    this.read = read;
  }

  get heldBytes(): number {
    return this.quantiles.heldBytes;
  }

  accept(scope: Scope): void {
    const value = this.evaluate(scope);
    if (value !== undefined) this.quantiles.add(value);
  }

  result(): Value {
    return this.read(this.quantiles);
  }
}

function quantile(name: '$percentile' | '$median'): AccumulatorDefinition {
  const required = name === '$median' ? ['input', 'method'] : ['input', 'p', 'method'];
  return defineAccumulator({
    name,
    compile: (argument, context) => {
      const given: ReadonlyMap<string, RawValue> = namedArguments(argument, {
        name,
        required,
        codes: {
          notObject: name === '$median' ? 7436100 : 7429703,
          unknown: 40415,
          missing: 40414,
        },
      });
      checkMethod(given.get('method'));
      const shares =
        name === '$median'
          ? [0.5]
          : sharesFrom(compileExpression(given.get('p')!, context).constant?.value);
      const read = (quantiles: Quantiles): Value =>
        name === '$median' ? quantiles.at(0.5) : quantiles.allAt(shares);
      const input = compileExpression(given.get('input')!, context);
      return {
        paths: input.paths,
        create: () => new QuantileAccumulator(input.evaluate, read),
      };
    },
  });
}

export const QUANTILE: readonly AccumulatorDefinition[] = [
  quantile('$percentile'),
  quantile('$median'),
];
