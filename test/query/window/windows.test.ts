/**
 * Window operators over one small partition: null, missing, and the ends of windows.
 */
import assert from 'node:assert/strict';
import { BSON } from 'mongodb';
import { CommandError } from '../../../common/errors.ts';
import { bytes, type Plain, TestStore, typed } from '../executor/store.ts';

const double = (value: number): BSON.Double => new BSON.Double(value);
const at = (second: number): Date => new Date(second * 1000);

const ROWS: readonly Plain[] = [
  { _id: 0, v: 3, w: 2, x: null, t: at(0) },
  { _id: 1, v: 1, w: 4, t: at(1) },
  { _id: 2, v: 2, w: 6, x: 6, t: at(3) },
  { _id: 3, v: 2, w: 9, x: 9, t: at(4) },
];

const upTo = { documents: ['unbounded', 'current'] };
const byV = { sortBy: { v: 1 } };

/** The operator, the expected value of each document by _id; or the code of the refusal. */
export const CASES: readonly (readonly [output: Plain, expected: readonly unknown[] | number])[] = [
  [{ $sum: '$v', window: upTo }, [3, 4, 6, 8]],
  [{ $sum: '$missing' }, [0, 0, 0, 0]],
  [{ $avg: '$v', window: upTo }, [double(3), double(2), double(2), double(2)]],
  [{ $avg: '$missing' }, [null, null, null, null]],
  [{ $min: '$v', window: upTo }, [3, 1, 1, 1]],
  [{ $max: '$v', window: { documents: ['current', 'unbounded'] } }, [3, 2, 2, 2]],
  [{ $push: '$v', window: { documents: [-1, 0] } }, [[3], [3, 1], [1, 2], [2, 2]]],
  [{ $addToSet: '$v', window: { documents: [2, 3] } }, [[2], [2], [], []]],
  [{ $count: {}, window: { documents: [-1, 1] } }, [2, 3, 3, 2]],
  [{ $first: '$v', window: { documents: [1, 2] } }, [1, 2, 2, null]],
  [{ $last: '$v', window: { documents: ['unbounded', -1] } }, [null, 3, 1, 2]],
  [{ $firstN: { input: '$v', n: 2 }, window: upTo }, [[3], [3, 1], [3, 1], [3, 1]]],
  [{ $lastN: { input: '$v', n: 2 }, window: upTo }, [[3], [3, 1], [1, 2], [2, 2]]],
  [{ $minN: { input: '$v', n: 2 }, window: upTo }, [[3], [1, 3], [1, 2], [1, 2]]],
  [
    { $maxN: { input: '$x', n: 2 } },
    [
      [9, 6],
      [9, 6],
      [9, 6],
      [9, 6],
    ],
  ],
  [{ $top: { ...byV, output: '$_id' }, window: upTo }, [0, 1, 1, 1]],
  [{ $topN: { ...byV, output: '$_id', n: 2 }, window: upTo }, [[0], [1, 0], [1, 2], [1, 2]]],
  [{ $bottom: { ...byV, output: '$_id' }, window: upTo }, [0, 0, 0, 0]],
  [{ $bottomN: { ...byV, output: '$_id', n: 1 }, window: upTo }, [[0], [0], [0], [0]]],
  [{ $stdDevPop: '$v', window: { documents: [-1, 0] } }, [0, 1, 0.5, 0].map(double)],
  [{ $stdDevSamp: '$v', window: { documents: [0, 0] } }, [null, null, null, null]],
  [{ $median: { input: '$v', method: 'approximate' } }, [2, 2, 2, 2].map(double)],
  [
    { $percentile: { input: '$v', p: [0, 1], method: 'approximate' } },
    Array.from({ length: 4 }, () => [double(1), double(3)]),
  ],
  [{ $covariancePop: ['$w', '$w'], window: { documents: [-1, 0] } }, [0, 1, 1, 2.25].map(double)],
  [
    { $covarianceSamp: ['$w', '$w'], window: { documents: [-1, 0] } },
    [null, double(2), double(2), double(4.5)],
  ],
  [{ $rank: {} }, [1, 2, 3, 4]],
  [{ $denseRank: {} }, [1, 2, 3, 4]],
  [{ $documentNumber: {} }, [1, 2, 3, 4]],
  [{ $shift: { output: '$v', by: -1, default: 'none' } }, ['none', 3, 1, 2]],
  [{ $shift: { output: '$v', by: 1 } }, [1, 2, 2, null]],
  [{ $locf: '$x' }, [null, null, 6, 9]],
  [{ $linearFill: '$x' }, [null, null, 6, 9]],
  [
    { $derivative: { input: '$w', unit: 'second' }, window: { documents: [-1, 0] } },
    [null, double(2), double(1), double(3)],
  ],
  [
    { $integral: { input: '$w', unit: 'second' }, window: { documents: [-1, 0] } },
    [0, 3, 10, 7.5].map(double),
  ],
  [{ $expMovingAvg: { input: '$v', N: 3 } }, [3, 2, 2, 2].map(double)],
  [{ $sum: '$v', window: { documents: [1, -1] } }, 5339900],
  [{ $nothing: '$v' }, 9],
];

describe('window operators', () => {
  let store: TestStore;

  before(async () => {
    store = await TestStore.open(ROWS);
  });

  after(() => store.close());

  for (const [output, expected] of CASES) {
    it(BSON.EJSON.stringify(output), async () => {
      const stage = { $setWindowFields: { sortBy: { t: 1 }, output: { r: output } } };
      const pipeline = [stage, { $sort: { _id: 1 } }, { $project: { _id: 0, r: 1 } }];
      if (typeof expected === 'number') {
        await assert.rejects(
          async () => store.aggregate(pipeline),
          (error) => error instanceof CommandError && error.code === expected,
        );
        return;
      }
      const found = await store.aggregateRaw(pipeline);
      assert.deepEqual(
        found.map(typed),
        expected.map((r) => typed(bytes({ r }))),
      );
    });
  }
});
