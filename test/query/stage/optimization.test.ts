/**
 * Rewriting a pipeline, and giving its beginning to the find planner, never changes its result.
 *
 * Inside $facet nothing is rewritten: that is the model.
 */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type Plain, TestStore } from '../executor/store.ts';

const DOCUMENTS: readonly Plain[] = Array.from({ length: 24 }, (_, i) => ({
  _id: i,
  a: i % 5,
  b: i % 3 === 0 ? [i % 4, i % 7] : i % 4,
  ...(i % 2 === 0 ? { c: { d: i } } : {}),
}));

const direction = fc.constantFrom(1, -1);
const count = fc.integer({ min: 1, max: 20 });
const stage: fc.Arbitrary<Plain> = fc.oneof(
  fc.constantFrom<Plain>(
    { $match: { a: { $gte: 2 } } },
    { $match: { b: 1 } },
    { $match: { 'c.d': { $lt: 15 } } },
    { $match: { twice: { $gt: 2 } } },
    { $match: { $expr: { $eq: ['$a', 3] } } },
    { $set: { twice: { $multiply: ['$a', 2] } } },
    { $set: { a: { $subtract: [5, '$a'] } } },
    { $unset: 'c' },
    { $project: { a: 1, b: 1, 'c.d': 1 } },
    { $project: { b: 0 } },
    { $unwind: '$b' },
    { $group: { _id: '$a', n: { $sum: 1 }, b: { $push: '$b' } } },
    { $count: 'a' },
  ),
  fc.tuple(direction, direction).map(([a, id]): Plain => ({ $sort: { a, b: 1, _id: id } })),
  direction.map((order): Plain => ({ $sort: { _id: order } })),
  count.map((limit): Plain => ({ $limit: limit })),
  count.map((skip): Plain => ({ $skip: skip })),
);
const pipeline = fc.array(stage, { maxLength: 6 });

/** Without a sort behind it the order of groups is nobody's promise, yet ours follows the input: it is compared too. */
describe('an optimised pipeline', function () {
  this.timeout(30_000);
  let store: TestStore;

  before(async () => {
    store = await TestStore.open(DOCUMENTS, [
      { v: 2, key: { a: 1 }, name: 'a' },
      { v: 2, key: { b: 1 }, name: 'b' },
    ]);
  });

  after(() => store.close());

  it('gives what its stages give one after the other', async () => {
    const property = fc.asyncProperty(pipeline, async (stages) => {
      // A fixed order of the input, whichever index is chosen.
      const ordered = [{ $sort: { _id: 1 } }, ...stages];
      const [model] = await store.aggregate([{ $facet: { result: ordered } }]);
      assert.deepEqual(await store.aggregate(ordered), model['result']);
    });
    await fc.assert(property, { numRuns: 400, interruptAfterTimeLimit: 8000 });
  });
});
