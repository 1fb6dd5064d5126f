/**
 * Conditions that are asked before the stages in front of them: the same documents, found by an index.
 */
import assert from 'node:assert/strict';
import { inspect } from '../../../bson/index.ts';
import { parsePipeline } from '../../../query/stage/pipeline.ts';
import { optimizePipeline } from '../../../query/planner/optimize-pipeline.ts';
import { bytes, context, type Plain, TestStore } from '../executor/store.ts';

const DOCUMENTS: readonly Plain[] = Array.from({ length: 30 }, (_, i) => ({
  _id: i,
  a: i % 5,
  b: [{ x: i % 3 }, { x: i % 4 }],
  c: { d: i % 2 },
}));

/** A pipeline, and the names of its stages once they stand where they cost least. */
const CASES: readonly (readonly [Plain[], string])[] = [
  [[{ $addFields: { e: 1 } }, { $match: { a: 1 } }], '$match $addFields'],
  [[{ $addFields: { a: 1 } }, { $match: { a: 1 } }], '$addFields $match'],
  [[{ $addFields: { 'a.z': 1 } }, { $match: { a: 1 } }], '$addFields $match'],
  [[{ $set: { e: '$a' } }, { $match: { a: { $gt: 1 }, e: { $lt: 4 } } }], '$match $set'],
  [[{ $set: { c: '$a' } }, { $match: { c: { $gt: 2 } } }], '$match $set'],
  [[{ $set: { c: '$none' } }, { $match: { c: null } }], '$match $set'],
  [[{ $set: { a: '$_id', e: '$a' } }, { $match: { e: 2, a: { $lt: 9 } } }], '$match $set'],
  [[{ $project: { q: '$c' } }, { $match: { 'q.d': 1, _id: { $lt: 9 } } }], '$match $project'],
  [[{ $project: { q: '$b' } }, { $match: { 'q.x': 2, r: null } }], '$match $project $match'],
  [[{ $project: { _id: '$a' } }, { $match: { _id: 3 } }], '$match $project'],
  [[{ $project: { _id: '$a' } }, { $match: { c: { $exists: true } } }], '$project $match'],
  [[{ $project: { '_id.x': 1 } }, { $match: { a: 1 } }], '$project $match'],
  [[{ $project: { _id: 0 } }, { $match: { a: 1 } }], '$match $project'],
  [[{ $project: { q: '$c.d' } }, { $match: { q: 1 } }], '$project $match'],
  [[{ $project: { q: '$$ROOT' } }, { $match: { 'q.a': 1 } }], '$project $match'],
  [[{ $project: { q: '$a' } }, { $match: { $or: [{ q: 1 }, { q: 2 }] } }], '$project $match'],
  [[{ $project: { q: '$b' } }, { $match: { q: { $size: 2 }, 'q.0.x': 1 } }], '$match $project'],
  [[{ $unwind: '$b' }, { $match: { a: 1, 'b.x': 2 } }], '$match $unwind $match'],
  [
    [{ $unwind: { path: '$b', includeArrayIndex: 'i' } }, { $match: { i: 1, a: 2 } }],
    '$match $unwind $match',
  ],
  [[{ $project: { a: 1 } }, { $match: { a: 1, _id: { $gt: 3 } } }], '$match $project'],
  [[{ $project: { a: 1 } }, { $match: { c: null } }], '$project $match'],
  [[{ $project: { 'c.d': 1 } }, { $match: { 'c.d': 1 } }], '$project $match'],
  [[{ $project: { a: '$c.d' } }, { $match: { a: 1 } }], '$project $match'],
  [[{ $project: { c: 0 } }, { $match: { a: 1, c: null } }], '$match $project $match'],
  [[{ $unset: 'b' }, { $match: { a: 3 } }], '$match $unset'],
  [[{ $unwind: '$b' }, { $match: { $expr: { $eq: ['$a', 1] } } }], '$unwind $match'],
  [
    [{ $unwind: '$b' }, { $addFields: { z: 1 } }, { $match: { $or: [{ a: 1 }, { c: { d: 1 } }] } }],
    '$match $unwind $addFields',
  ],
];

describe('a condition behind other stages', () => {
  let store: TestStore;

  before(async () => {
    store = await TestStore.open(DOCUMENTS, [{ v: 2, key: { a: 1 }, name: 'a_1' }]);
  });

  after(() => store.close());

  for (const [pipeline, order] of CASES) {
    it(`of ${JSON.stringify(pipeline)}`, async () => {
      const parsed = parsePipeline(pipeline.map(bytes), context, {
        database: 'test',
        namespace: 'test.c',
      });
      const names = optimizePipeline(parsed, context).map(({ name }) => name);
      assert.equal(names.join(' '), order, parsed.map(({ shown }) => inspect(shown)).join());
      const unmoved = pipeline.flatMap((stage) => [{ $skip: 0 }, { $redact: '$$KEEP' }, stage]);
      const found = async (stages: readonly Plain[]): Promise<string[]> =>
        (await store.aggregate(stages)).map((each) => JSON.stringify(each)).sort();
      assert.deepEqual(await found(pipeline), await found(unmoved));
    });
  }
});
