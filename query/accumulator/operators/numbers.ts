/**
 * $sum, $avg, $stdDevPop, $stdDevSamp, $count: numbers in, one number out.
 */
import { BsonType, integerValue, isEmpty } from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import { compileExpression } from '../../expression/compile.ts';
import type { Value } from '../../expression/definition.ts';
import type { Evaluate } from '../../expression/expression.ts';
import type { Scope } from '../../expression/scope.ts';
import { type Accumulator, type AccumulatorDefinition, defineAccumulator } from '../definition.ts';
import { Deviation, NumberSum } from '../../number-sum.ts';
import { type AccumulatorState, simpleAccumulator } from '../simple.ts';

function overSum(read: (sum: NumberSum) => Value): AccumulatorState {
  const sum = new NumberSum();
  return {
    add: (value) => {
      if (value !== undefined) sum.add(value);
    },
    result: () => read(sum),
    partial: () => sum.toState(),
    merge: (state) => {
      if (state !== undefined) sum.addState(state);
    },
  };
}

function overDeviation(read: (deviation: Deviation) => Value): AccumulatorState {
  const deviation = new Deviation();
  return {
    add: (value) => {
      if (value !== undefined) deviation.add(value);
    },
    result: () => read(deviation),
    partial: () => deviation.toState(),
    merge: (state) => {
      if (state !== undefined) deviation.addState(state);
    },
  };
}

class Count implements Accumulator {
  readonly heldBytes = 0;
  private count = 0;

  accept(): void {
    this.count += 1;
  }

  result(): Value {
    return integerValue(this.count);
  }
}

class CountOfCounts implements Accumulator {
  readonly heldBytes = 0;
  private readonly evaluate: Evaluate;
  private count = 0;

  constructor(evaluate: Evaluate) {
    this.evaluate = evaluate;
  }

  accept(scope: Scope): void {
    this.count += this.evaluate(scope)?.asNumber() ?? 0;
  }

  result(): Value {
    return integerValue(this.count);
  }
}

export const NUMBERS: readonly AccumulatorDefinition[] = [
  simpleAccumulator('$sum', () => overSum((sum) => sum.sum())),
  simpleAccumulator('$avg', () => overSum((sum) => sum.average())),
  simpleAccumulator('$stdDevPop', () => overDeviation((deviation) => deviation.population())),
  simpleAccumulator('$stdDevSamp', () => overDeviation((deviation) => deviation.sample())),
  defineAccumulator({
    name: '$count',
    isMergeable: true,
    compile: (argument, context, role = 'whole') => {
      // Counts of several shards are summed.
      if (role === 'merge') {
        const { evaluate, paths } = compileExpression(argument, context);
        return { paths, create: () => new CountOfCounts(evaluate) };
      }
      uassert(
        argument.type === BsonType.object && isEmpty(argument.asDocument()),
        'TypeMismatch',
        '$count takes no arguments, i.e. $count:{}',
      );
      return { paths: new Set<string>(), create: () => new Count() };
    },
  }),
];
