/**
 * Accumulators of $group: tables of inputs and results, with null, missing and types.
 */
import assert from 'node:assert/strict';
import { BSON } from 'mongodb';
import { bytes, type Plain, TestStore, typed } from '../executor/store.ts';

const double = (value: number): BSON.Double => new BSON.Double(value);
const long = (value: number): BSON.Long => BSON.Long.fromNumber(value);
const decimal = (text: string): BSON.Decimal128 => BSON.Decimal128.fromString(text);

/** The values of `v` in order (undefined: missing), the accumulator, and its result. */
export const CASES: readonly (readonly [
  values: readonly unknown[],
  accumulator: Plain,
  expected: unknown,
])[] = [
  [[1, 2, 'x', null], { $sum: '$v' }, 3],
  [[], { $sum: '$v' }, undefined],
  [[undefined], { $sum: '$v' }, 0],
  [[2147483647, 1], { $sum: '$v' }, long(2147483648)],
  [[1, long(2)], { $sum: '$v' }, long(3)],
  [[double(0.1), double(0.2), double(0.3)], { $sum: '$v' }, double(0.6)],
  [[double(1e100), 1, double(-1e100)], { $sum: '$v' }, double(1)],
  [[1, decimal('0.1')], { $sum: '$v' }, decimal('1.1')],
  [[1, 2], { $avg: '$v' }, double(1.5)],
  [['x', undefined], { $avg: '$v' }, null],
  [[1, decimal('2')], { $avg: '$v' }, decimal('1.5')],
  [[3, null, 1, undefined], { $min: '$v' }, 1],
  [[3, null, 'x'], { $max: '$v' }, 'x'],
  [[null, undefined], { $max: '$v' }, null],
  [[undefined, 1], { $first: '$v' }, null],
  [[1, undefined], { $last: '$v' }, null],
  [[1, undefined, null], { $push: '$v' }, [1, null]],
  [[1, double(1), 2, undefined], { $addToSet: '$v' }, [1, 2]],
  [[1, 2], { $count: {} }, 2],
  [[{ a: 1 }, null, { a: 2, b: 3 }], { $mergeObjects: '$v' }, { a: 2, b: 3 }],
  [[1, 3], { $stdDevPop: '$v' }, double(1)],
  [[1], { $stdDevSamp: '$v' }, null],
  [[3, 1, 2], { $firstN: { input: '$v', n: 2 } }, [3, 1]],
  [[3, undefined], { $firstN: { input: '$v', n: 2 } }, [3, null]],
  [[3, 1, 2], { $lastN: { input: '$v', n: 2 } }, [1, 2]],
  [[3, null, 1, 2], { $minN: { input: '$v', n: 2 } }, [1, 2]],
  [[3, 1, 2], { $maxN: { input: '$v', n: 5 } }, [3, 2, 1]],
  [[3, 1, 2], { $top: { sortBy: { v: 1 }, output: '$v' } }, 1],
  [[3, 1, 2], { $bottom: { sortBy: { v: 1 }, output: '$v' } }, 3],
  [[3, undefined], { $bottom: { sortBy: { v: -1 }, output: '$v' } }, null],
  [[3, 1, 2], { $bottomN: { sortBy: { v: 1 }, output: '$v', n: 2 } }, [2, 3]],
  [[1, 1, 1], { $topN: { sortBy: { v: 1 }, output: '$_id', n: 2 } }, [0, 1]],
  [[5, 1, 3, 'x'], { $median: { input: '$v', method: 'approximate' } }, double(3)],
  [[], { $median: { input: '$v', method: 'approximate' } }, undefined],
  [['x'], { $percentile: { input: '$v', p: [0.5], method: 'approximate' } }, [null]],
];

describe('accumulators', () => {
  let store: TestStore;
  let number = 0;

  before(async () => {
    store = await TestStore.open([]);
  });

  after(() => store.close());

  for (const [values, accumulator, expected] of CASES) {
    const shown = BSON.EJSON.stringify({ values, accumulator });
    it(`${shown} give ${BSON.EJSON.stringify({ r: expected ?? null })}`, async () => {
      const name = `c${number}`;
      number += 1;
      await store.add(
        `test.${name}`,
        values.map((v, _id) => (v === undefined ? { _id } : { _id, v })),
      );
      const pipeline = [
        { $limit: 1 },
        { $unionWith: { coll: name, pipeline: [{ $sort: { _id: 1 } }] } },
        { $group: { _id: null, r: accumulator } },
      ];
      const [result] = await store.aggregateRaw(pipeline);
      const wanted = expected === undefined ? undefined : bytes({ _id: null, r: expected });
      assert.deepEqual(result && typed(result), wanted && typed(wanted));
    });
  }
});
