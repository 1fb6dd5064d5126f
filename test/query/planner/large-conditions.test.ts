/**
 * Filters of thousands of conditions: planning them takes time that grows with their number, not with its square.
 */
import assert from 'node:assert/strict';
import { conjunctsOf } from '../../../query/timeseries/conjuncts.ts';
import { bytes, type Plain, TestStore } from '../executor/store.ts';

const many = <T>(count: number, make: (i: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => make(i));

/** Each took ten seconds, or an hour, when all was compared with all. */
const CASES: readonly (readonly [string, Plain, number])[] = [
  ['$and on a field with arrays', { $and: many(5000, (i) => ({ a: { $gte: -i } })) }, 50],
  ['$and of $ne', { $and: many(5000, (i) => ({ b: { $ne: -1 - i } })) }, 50],
  ['$or beside each other', { $and: many(1000, (i) => ({ $or: [{ b: i }, { c: 0 }] })) }, 50],
  [
    '$in and $nin in one $elemMatch',
    { a: { $elemMatch: { $in: many(30_000, (i) => i), $nin: many(30_000, (i) => i * 2) } } },
    50,
  ],
  ['$in and $nin', { b: { $in: many(30_000, (i) => i), $nin: many(30_000, (i) => i * 2) } }, 25],
];

describe('a filter of thousands of conditions', () => {
  let store: TestStore;

  before(async () => {
    store = await TestStore.open(
      many(50, (i) => ({ _id: i, a: [i, i + 1], b: i, c: 0 })),
      [
        { v: 2, key: { a: 1 }, name: 'a_1' },
        { v: 2, key: { b: 1, c: 1 }, name: 'b_1_c_1' },
        { v: 2, key: { c: 1, b: 1 }, name: 'c_1_b_1' },
      ],
    );
  });

  after(() => store.close());

  for (const [name, filter, count] of CASES) {
    it(`is planned soon: ${name}`, async () => {
      const startMs = performance.now();
      assert.equal((await store.find({ filter })).length, count);
      const tookMs = performance.now() - startMs;
      assert.ok(tookMs < 4000, `it took ${tookMs} ms`);
    });
  }

  it('may have more members than a call can have arguments, on a time series', () => {
    const inner = { $and: many(200_000, () => ({ v: 1 })) };
    assert.equal(conjunctsOf(bytes({ $and: [inner, { v: 2 }] })).length, 200_001);
  });

  it('may stand behind an $addFields that reads as many fields', async () => {
    const z = { $and: many(200_000, (i) => `$f${i}`) };
    const grouped = await store.aggregate([{ $addFields: { z } }, { $group: { _id: '$z' } }]);
    assert.deepEqual(grouped, [{ _id: false }]);
  });
});
