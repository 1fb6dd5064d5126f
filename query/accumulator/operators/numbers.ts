/**
 * $sum, $avg, $stdDevPop, $stdDevSamp, $count: numbers in, one number out.
 */
import { BsonType, integerValue, isEmpty } from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import type { Value } from '../../expression/definition.ts';
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
  };
}

function overDeviation(read: (deviation: Deviation) => Value): AccumulatorState {
  const deviation = new Deviation();
  return {
    add: (value) => {
      if (value !== undefined) deviation.add(value);
    },
    result: () => read(deviation),
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

export const NUMBERS: readonly AccumulatorDefinition[] = [
  simpleAccumulator('$sum', () => overSum((sum) => sum.sum())),
  simpleAccumulator('$avg', () => overSum((sum) => sum.average())),
  simpleAccumulator('$stdDevPop', () => overDeviation((deviation) => deviation.population())),
  simpleAccumulator('$stdDevSamp', () => overDeviation((deviation) => deviation.sample())),
  defineAccumulator({
    name: '$count',
    compile: (argument) => {
      uassert(
        argument.type === BsonType.object && isEmpty(argument.asDocument()),
        'TypeMismatch',
        '$count takes no arguments, i.e. $count:{}',
      );
      return { paths: new Set<string>(), create: () => new Count() };
    },
  }),
];
