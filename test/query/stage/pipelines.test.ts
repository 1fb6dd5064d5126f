/**
 * Pipelines on the real engine, stage by stage.
 */
import assert from 'node:assert/strict';
import { BSON } from 'mongodb';
import { CommandError } from '../../../common/errors.ts';
import { uninterruptible } from '../../../common/interruption.ts';
import { planAggregate } from '../../../query/index.ts';
import { bytes, context, type Plain, plain, TestStore } from '../executor/store.ts';

const SALES: readonly Plain[] = [
  { _id: 1, item: 'a', n: 2, price: 10, tags: ['x', 'y'], o: { p: 1 } },
  { _id: 2, item: 'b', n: 1, price: 20, tags: [], o: { p: 2 } },
  { _id: 3, item: 'a', n: 5, price: 10, tags: 'z' },
  { _id: 4, item: 'c', n: 10, price: null },
  { _id: 5, item: 'b', n: 10, price: new BSON.Double(2.5), tags: ['x'] },
];

const ITEMS: readonly Plain[] = [
  { _id: 'a', name: 'Apple', parent: 'fruit' },
  { _id: 'b', name: 'Bread', parent: 'food' },
  { _id: 'fruit', name: 'Fruit', parent: 'food' },
  { _id: 'food', name: 'Food' },
];

interface StageCase {
  readonly name: string;
  readonly pipeline: readonly Plain[];
  readonly expected: readonly Plain[];
}

const byId = { $sort: { _id: 1 } };

export const CASES: readonly StageCase[] = [
  {
    name: '$addFields makes and replaces fields, $unset and $replaceWith take them away',
    pipeline: [
      { $match: { _id: 1 } },
      { $addFields: { n: { $add: ['$n', 1] }, 'o.q': null, gone: '$missing' } },
      { $unset: ['tags', 'o.p'] },
      { $replaceWith: { n: '$n', o: '$o', price: '$price' } },
    ],
    expected: [{ n: 3, o: { q: null }, price: 10 }],
  },
  {
    name: '$bucketAuto parts documents evenly, and never equal keys',
    pipeline: [{ $bucketAuto: { groupBy: '$price', buckets: 2 } }],
    expected: [
      { _id: { min: null, max: 20 }, count: 4 },
      { _id: { min: 20, max: 20 }, count: 1 },
    ],
  },
  {
    name: '$bucketAuto rounds its boundaries to a series',
    pipeline: [
      {
        $bucketAuto: {
          groupBy: '$n',
          buckets: 2,
          granularity: 'POWERSOF2',
          output: { n: { $sum: 1 } },
        },
      },
    ],
    expected: [
      { _id: { min: 0.5, max: 8 }, n: 3 },
      { _id: { min: 8, max: 16 }, n: 2 },
    ],
  },
  {
    name: '$documents brings documents, $densify and $fill close gaps',
    pipeline: [
      {
        $unionWith: {
          pipeline: [
            {
              $documents: [
                { x: 1, v: 10 },
                { x: 3, v: null },
              ],
            },
          ],
        },
      },
      { $match: { x: { $exists: true } } },
      { $densify: { field: 'x', range: { step: 1, bounds: 'full' } } },
      { $fill: { sortBy: { x: 1 }, output: { v: { method: 'locf' }, w: { value: 0 } } } },
    ],
    expected: [
      { x: 1, v: 10, w: 0 },
      { x: 2, v: 10, w: 0 },
      { x: 3, v: 10, w: 0 },
    ],
  },
  {
    name: '$group counts, sums and collects by key',
    pipeline: [
      { $group: { _id: '$item', n: { $sum: '$n' }, c: { $count: {} }, max: { $max: '$n' } } },
      byId,
    ],
    expected: [
      { _id: 'a', n: 7, c: 2, max: 5 },
      { _id: 'b', n: 11, c: 2, max: 10 },
      { _id: 'c', n: 10, c: 1, max: 10 },
    ],
  },
  {
    name: '$group takes missing and null for one key',
    pipeline: [{ $match: { _id: { $gte: 3 } } }, { $group: { _id: '$o.p', n: { $sum: 1 } } }],
    expected: [{ _id: null, n: 3 }],
  },
  {
    name: '$match behind $project sees what $project made',
    pipeline: [
      { $project: { twice: { $multiply: ['$n', 2] } } },
      { $match: { twice: { $gte: 20 } } },
    ],
    expected: [
      { _id: 4, twice: 20 },
      { _id: 5, twice: 20 },
    ],
  },
  {
    name: '$sort, $skip and $limit keep their order of application',
    pipeline: [{ $sort: { _id: -1 } }, { $limit: 3 }, { $skip: 1 }, { $project: { _id: 1 } }],
    expected: [{ _id: 4 }, { _id: 3 }],
  },
  {
    name: '$limit before $sort limits first',
    pipeline: [{ $limit: 2 }, { $sort: { _id: -1 } }, { $project: { _id: 1 } }],
    expected: [{ _id: 2 }, { _id: 1 }],
  },
  {
    name: '$limit before $match limits first',
    pipeline: [byId, { $limit: 2 }, { $match: { item: 'b' } }, { $project: { _id: 1 } }],
    expected: [{ _id: 2 }],
  },
  {
    name: '$set goes through arrays and makes objects where scalars were',
    pipeline: [
      { $match: { _id: { $in: [1, 3] } } },
      { $set: { 'tags.k': 1, 'o.q.r': '$n', item: '$$REMOVE' } },
      { $project: { price: 0 } },
      byId,
    ],
    expected: [
      { _id: 1, n: 2, tags: [{ k: 1 }, { k: 1 }], o: { p: 1, q: { r: 2 } } },
      { _id: 3, n: 5, tags: { k: 1 }, o: { q: { r: 5 } } },
    ],
  },
  {
    name: '$unwind drops what has no elements unless told to keep it',
    pipeline: [
      byId,
      { $unwind: { path: '$tags', preserveNullAndEmptyArrays: true, includeArrayIndex: 'at.i' } },
      { $match: { _id: { $lte: 3 } } },
      { $project: { tags: 1, at: 1 } },
    ],
    expected: [
      { _id: 1, tags: 'x', at: { i: 0 } },
      { _id: 1, tags: 'y', at: { i: 1 } },
      { _id: 2, at: { i: null } },
      { _id: 3, tags: 'z', at: { i: null } },
    ],
  },
  {
    name: '$lookup joins by hash where the other side has no index',
    pipeline: [
      byId,
      { $limit: 2 },
      { $lookup: { from: 'items', localField: 'item', foreignField: 'parent', as: 'x' } },
      { $lookup: { from: 'items', localField: 'item', foreignField: '_id', as: 'y' } },
      { $project: { x: 1, 'y.name': 1 } },
    ],
    expected: [
      { _id: 1, x: [], y: [{ name: 'Apple' }] },
      { _id: 2, x: [], y: [{ name: 'Bread' }] },
    ],
  },
  {
    name: '$lookup of a missing field finds documents without the other field',
    pipeline: [
      { $match: { _id: 1 } },
      { $lookup: { from: 'items', localField: 'nope', foreignField: 'parent', as: 'x' } },
      { $project: { 'x._id': 1 } },
    ],
    expected: [{ _id: 1, x: [{ _id: 'food' }] }],
  },
  {
    name: '$lookup with let runs its pipeline per document',
    pipeline: [
      byId,
      { $limit: 2 },
      {
        $lookup: {
          from: 'items',
          let: { item: '$item', gone: '$nope' },
          pipeline: [
            { $match: { $expr: { $eq: ['$_id', '$$item'] } } },
            { $project: { _id: 0, name: 1, gone: { $type: '$$gone' } } },
          ],
          as: 'x',
        },
      },
      { $project: { x: 1 } },
    ],
    expected: [
      { _id: 1, x: [{ name: 'Apple', gone: 'missing' }] },
      { _id: 2, x: [{ name: 'Bread', gone: 'missing' }] },
    ],
  },
  {
    name: '$graphLookup follows a chain and counts its depth',
    pipeline: [
      { $match: { _id: 1 } },
      {
        $graphLookup: {
          from: 'items',
          startWith: '$item',
          connectFromField: 'parent',
          connectToField: '_id',
          depthField: 'd',
          as: 'up',
        },
      },
      { $project: { up: { $sortArray: { input: '$up', sortBy: { d: 1 } } } } },
      { $project: { 'up._id': 1, 'up.d': 1 } },
    ],
    expected: [
      {
        _id: 1,
        up: [
          { _id: 'a', d: 0 },
          { _id: 'fruit', d: 1 },
          { _id: 'food', d: 2 },
        ],
      },
    ],
  },
  {
    name: '$facet runs its pipelines over the same documents, whoever stops early',
    pipeline: [
      byId,
      {
        $facet: {
          first: [{ $limit: 1 }, { $project: { _id: 1 } }],
          count: [{ $count: 'n' }],
          none: [{ $match: { item: 'zzz' } }],
        },
      },
    ],
    expected: [{ first: [{ _id: 1 }], count: [{ n: 5 }], none: [] }],
  },
  {
    name: '$unionWith appends another collection',
    pipeline: [
      { $match: { _id: 1 } },
      { $project: { _id: 1 } },
      {
        $unionWith: {
          coll: 'items',
          pipeline: [{ $match: { _id: 'a' } }, { $project: { _id: 1 } }],
        },
      },
    ],
    expected: [{ _id: 1 }, { _id: 'a' }],
  },
  {
    name: '$bucket sorts into ranges and a default',
    pipeline: [
      {
        $bucket: {
          groupBy: '$price',
          boundaries: [0, 10, 20],
          default: 'other',
          output: { ids: { $push: '$_id' } },
        },
      },
    ],
    expected: [
      { _id: 0, ids: [5] },
      { _id: 10, ids: [1, 3] },
      { _id: 'other', ids: [2, 4] },
    ],
  },
  {
    name: '$sortByCount puts the most frequent first',
    pipeline: [
      { $match: { _id: { $ne: 4 } } },
      { $unwind: '$tags' },
      { $sortByCount: '$tags' },
      { $limit: 1 },
    ],
    expected: [{ _id: 'x', count: 2 }],
  },
  {
    name: '$replaceRoot puts an embedded document in the place of its document',
    pipeline: [{ $match: { _id: 1 } }, { $replaceRoot: { newRoot: '$o' } }],
    expected: [{ p: 1 }],
  },
  {
    name: '$setWindowFields runs totals by partition',
    pipeline: [
      {
        $setWindowFields: {
          partitionBy: '$item',
          sortBy: { _id: 1 },
          output: {
            total: { $sum: '$n', window: { documents: ['unbounded', 'current'] } },
            seen: { $push: '$n', window: { documents: [-1, 0] } },
            rank: { $rank: {} },
          },
        },
      },
      { $match: { item: { $in: ['a', 'b'] } } },
      { $project: { total: 1, seen: 1, rank: 1 } },
    ],
    expected: [
      { _id: 1, total: 2, seen: [2], rank: 1 },
      { _id: 3, total: 7, seen: [2, 5], rank: 2 },
      { _id: 2, total: 1, seen: [1], rank: 1 },
      { _id: 5, total: 11, seen: [1, 10], rank: 2 },
    ],
  },
  {
    name: '$redact prunes level by level',
    pipeline: [
      { $match: { _id: 1 } },
      { $project: { item: 1, o: 1 } },
      { $redact: { $cond: [{ $eq: ['$p', 1] }, '$$PRUNE', '$$DESCEND'] } },
    ],
    expected: [{ _id: 1, item: 'a' }],
  },
  {
    name: '$count of nothing gives no document',
    pipeline: [{ $match: { item: 'zzz' } }, { $count: 'n' }],
    expected: [],
  },
];

export const ERRORS: readonly (readonly [pipeline: readonly Plain[], code: number])[] = [
  [[{ $bucketAuto: { groupBy: '$n', buckets: 2, granularity: 'R7' } }], 40257],
  [[{ $bucketAuto: { groupBy: '$n', buckets: 2, granularity: 5 } }], 40261],
  [[{ $bucketAuto: { groupBy: '$item', buckets: 2, granularity: 'R5' } }], 40258],
  [[{ $bucketAuto: { groupBy: '$n', buckets: 0 } }], 40243],
  [[{ $searchMeta: {} }], 31082],
  [[{ $vectorSearch: {} }], 31082],
  [[{ $listSearchIndexes: {} }], 31082],
  [[{ $nope: 1 }], 40324],
  [[{ $match: {}, $limit: 1 }], 40323],
  [[{}], 40323],
  [[{ $match: 1 }], 15959],
  [[{ $limit: 0 }], 15958],
  [[{ $limit: 'x' }], 5107201],
  [[{ $skip: -1 }], 5107200],
  [[{ $sort: {} }], 15976],
  [[{ $sort: { a: 2 } }], 15975],
  [[{ $group: { n: { $sum: 1 } } }], 15955],
  [[{ $group: { _id: 1, n: { $nope: 1 } } }], 15952],
  [[{ $group: { _id: 1, n: 5 } }], 40234],
  [[{ $group: { _id: 1, 'a.b': { $sum: 1 } } }], 40235],
  [[{ $project: {} }], 51272],
  [[{ $project: { a: { $nope: 1 } } }], 31325],
  [[{ $unwind: 'a' }], 28818],
  [[{ $unwind: { path: '$a', x: 1 } }], 28811],
  [[{ $replaceRoot: { newRoot: '$item' } }], 40228],
  [[{ $count: '' }], 40157],
  [[{ $facet: { a: [{ $facet: {} }] } }], 40600],
  [[{ $facet: {} }], 40169],
  [[{ $lookup: { from: 'items', as: 'x' } }], 9],
  [[{ $lookup: { from: 'items', as: 'x', pipeline: [{ $nope: 1 }] } }], 40324],
  [[{ $match: {} }, { $indexStats: {} }], 40602],
  [[{ $out: 'x' }, { $match: {} }], 40601],
  [[{ $bucket: { groupBy: '$n', boundaries: [5, 1] } }], 40194],
  [[{ $bucket: { groupBy: '$n', boundaries: [0, 1] } }], 40066],
  [[{ $sample: { size: 0 } }], 28747],
  [[{ $search: {} }], 31082],
  [[{ $set: { a: 1, 'a.b': 2 } }], 40176],
  [[{ $project: { x: { $divide: ['$n', 0] } } }], 2],
];

describe('pipelines', () => {
  let store: TestStore;

  before(async () => {
    store = await TestStore.open(SALES);
    await store.add('test.items', ITEMS);
    const write = store.engine.begin();
    const options = bytes({ viewOn: 'c', pipeline: [{ $match: { item: 'a' } }] });
    write.createCollection('test.view', { kind: 'view', options });
    write.commit();
  });

  after(() => store.close());

  for (const { name, pipeline, expected } of CASES) {
    it(name, async () => {
      assert.deepEqual(await store.aggregate(pipeline), expected);
    });
  }

  for (const [pipeline, code] of ERRORS) {
    it(`refuses ${JSON.stringify(pipeline)} with ${code}`, async () => {
      await assert.rejects(
        () => store.aggregate(pipeline),
        (error) => error instanceof CommandError && error.code === code,
      );
    });
  }

  it('explains how many documents came out of each stage', async () => {
    const view = store.engine.snapshot();
    const { namespace } = store;
    const pipeline = [{ $match: { n: { $gt: 1 } } }, { $unwind: '$tags' }, { $count: 'c' }];
    const request = { pipeline: pipeline.map(bytes), namespace };
    const plan = planAggregate(view, view.collection(namespace), request, context);
    const explained = plain(await plan.explain('executionStats', view, uninterruptible));
    view.close();
    const stages = explained['stages'] as Plain[];
    assert.deepEqual(
      stages.map((stage) => [Object.keys(stage)[0], stage['nReturned']]),
      [
        ['$cursor', undefined],
        ['$unwind', 4],
        ['$count', 1],
        ['$project', 1],
      ],
    );
  });

  it('samples each document at most once', async () => {
    const sample = await store.aggregate([{ $sample: { size: 3 } }]);
    assert.equal(new Set(sample.map((document) => document['_id'])).size, 3);
    assert.equal((await store.aggregate([{ $sample: { size: 99 } }])).length, 5);
  });

  it('redacts as deep as documents may nest, and refuses what nests deeper', async () => {
    const nested = (depth: number): Plain[] => [
      { $limit: 1 },
      {
        $project: {
          deep: {
            $reduce: { input: { $range: [0, depth] }, initialValue: 1, in: { x: '$$value' } },
          },
        },
      },
      { $redact: '$$DESCEND' },
    ];
    assert.equal((await store.aggregate(nested(150))).length, 1);
    for (const depth of [250, 20_000]) {
      await assert.rejects(
        store.aggregate(nested(depth)),
        (error) => error instanceof CommandError && error.codeName === 'Overflow',
      );
    }
  });

  it('reads views through their pipelines', async () => {
    const found = await store.find({ sort: { _id: -1 } }, undefined, 'test.view');
    assert.deepEqual(
      found.map((document) => document['_id']),
      [3, 1],
    );
  });
});
