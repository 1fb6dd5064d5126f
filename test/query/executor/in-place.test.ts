/**
 * Documents that are read in place: who keeps one has copied it. All that may be asked is asked of a view whose documents vanish as soon
 * as they may, and must give what it gives otherwise.
 */
import assert from 'node:assert/strict';
import { uninterruptible } from '../../../common/interruption.ts';
import { planAggregate, planCount, planDistinct, planQuery } from '../../../query/index.ts';
import { accumulatorNames } from '../../../query/accumulator/registry.ts';
import { stageNames } from '../../../query/stage/registry.ts';
import type { ReadView } from '../../../storage/index.ts';
import {
  bytes,
  collectRaw,
  context,
  type Plain,
  type PlainFind,
  plain,
  rawRequest,
  TestStore,
} from './store.ts';
import { vanishing } from './vanishing-documents.ts';

const PAD = 'abcdefghij'.repeat(60);

/** About 1 KiB each, 2 MiB together: several slabs. */
const DOCUMENTS: readonly Plain[] = Array.from({ length: 2000 }, (_, i) => ({
  _id: i,
  name: `name ${(i * 7919) % 2000}`,
  group: `g${i % 7}`,
  n: (i * 31) % 1000,
  half: i / 2,
  list: [i % 5, `x${i % 3}`, { deep: i % 11 }],
  sub: { a: `a${i % 13}`, b: { c: i % 17 }, text: PAD.slice(0, 100 + (i % 90)) },
  made: new Date(1_700_000_000_000 + i * 60_000),
  pad: PAD,
}));

const INPUTS: Readonly<Record<string, unknown>> = {
  $accumulator: undefined,
  $_internalJsReduce: undefined,
  $count: {},
  $firstN: { input: '$sub', n: 3 },
  $lastN: { input: '$sub', n: 3 },
  $minN: { input: '$name', n: 3 },
  $maxN: { input: '$sub', n: 3 },
  $top: { sortBy: { name: 1 }, output: '$sub' },
  $topN: { sortBy: { name: 1 }, output: ['$name', '$sub'], n: 4 },
  $bottom: { sortBy: { 'sub.a': 1, _id: 1 }, output: '$$ROOT' },
  $bottomN: { sortBy: { n: 1, _id: 1 }, output: '$sub', n: 4 },
  $percentile: { input: '$n', p: [0.5, 0.9], method: 'approximate' },
  $median: { input: '$half', method: 'approximate' },
  $mergeObjects: '$sub',
  $min: '$name',
  $max: '$sub',
  $first: '$$ROOT',
  $last: '$sub',
  $push: '$sub.a',
  $addToSet: '$sub.b',
  $sum: '$n',
  $avg: '$half',
  $stdDevPop: '$n',
  $stdDevSamp: '$n',
};

const oneGroup = { $group: { _id: '$group', all: { $push: '$name' } } };

/** Of each stage that reads what comes from a collection: alone, and before or after others. */
const STAGES: Readonly<Record<string, readonly (readonly Plain[])[]>> = {
  $addFields: [
    [{ $addFields: { more: '$sub.b', 'sub.d': '$name' } }],
    [{ $addFields: { a: 1 } }, oneGroup],
  ],
  $bucket: [
    [
      {
        $bucket: { groupBy: '$n', boundaries: [0, 300, 1000], output: { all: { $push: '$name' } } },
      },
    ],
  ],
  $bucketAuto: [[{ $bucketAuto: { groupBy: '$name', buckets: 5 } }]],
  $count: [[{ $count: 'all' }], [{ $match: { n: { $gt: 10 } } }, { $count: 'all' }]],
  $densify: [
    [
      { $densify: { field: 'made', range: { step: 30, unit: 'minute', bounds: 'full' } } },
      { $limit: 900 },
    ],
  ],
  $facet: [[{ $facet: { a: [{ $sort: { name: 1 } }, { $limit: 5 }], b: [oneGroup] } }]],
  $fill: [
    [{ $fill: { output: { none: { value: '$sub' } } } }],
    [{ $fill: { sortBy: { _id: 1 }, output: { n: { method: 'locf' } } } }],
  ],
  $graphLookup: [
    [
      { $match: { _id: { $lt: 5 } } },
      {
        $graphLookup: {
          from: 'c',
          startWith: '$_id',
          connectFromField: 'half',
          connectToField: '_id',
          as: 'up',
          maxDepth: 1,
        },
      },
    ],
  ],
  $group: [
    [{ $group: { _id: '$sub' } }],
    [
      { $group: { _id: { a: '$sub.a', g: '$group' }, one: { $first: '$sub' } } },
      { $sort: { _id: 1 } },
    ],
    [{ $match: { n: { $gt: 500 } } }, { $project: { sub: 1, group: 1, name: 1 } }, oneGroup],
  ],
  $limit: [
    [{ $addFields: { x: 1 } }, { $limit: 7 }],
    [{ $limit: 9 }, { $match: { n: { $gt: 2 } } }],
  ],
  $lookup: [
    [
      { $match: { _id: { $lt: 20 } } },
      { $lookup: { from: 'c', localField: 'half', foreignField: '_id', as: 'half' } },
    ],
    [
      { $limit: 5 },
      {
        $lookup: {
          from: 'c',
          let: { g: '$group' },
          pipeline: [
            { $match: { $expr: { $eq: ['$group', '$$g'] } } },
            { $sort: { name: 1 } },
            { $limit: 2 },
          ],
          as: 'same',
        },
      },
    ],
  ],
  $match: [[{ $match: { n: { $gt: 400 } } }], [{ $limit: 2000 }, { $match: { n: { $gt: 400 } } }]],
  $project: [
    [{ $project: { _id: 0, name: 1, 'sub.a': 1 } }],
    [{ $project: { none: 0 } }],
    [{ $limit: 1800 }, { $project: { none: 0 } }],
    [{ $project: { whole: '$$ROOT' } }],
  ],
  $redact: [[{ $redact: { $cond: [{ $gt: ['$n', 300] }, '$$KEEP', '$$PRUNE'] } }]],
  $replaceRoot: [
    [{ $replaceRoot: { newRoot: '$sub' } }],
    [{ $replaceRoot: { newRoot: '$sub' } }, { $sort: { text: 1, a: 1 } }],
  ],
  $replaceWith: [[{ $replaceWith: '$sub.b' }], [{ $replaceWith: '$sub' }, { $replaceWith: '$b' }]],
  $sample: [[{ $sample: { size: 2000 } }, { $sort: { _id: 1 } }]],
  $set: [[{ $set: { sub: '$sub.b' } }], [{ $limit: 10 }, { $set: { list: '$list' } }]],
  $setWindowFields: [
    [
      {
        $setWindowFields: {
          partitionBy: '$group',
          sortBy: { name: 1 },
          output: { before: { $push: '$n', window: { documents: [-2, 0] } } },
        },
      },
    ],
  ],
  $skip: [
    [{ $match: { n: { $gt: 1 } } }, { $skip: 1500 }],
    [{ $addFields: { x: 1 } }, { $skip: 10 }],
  ],
  $sort: [
    [{ $sort: { name: 1 } }],
    [{ $sort: { 'sub.a': -1, _id: 1 } }, { $limit: 10 }],
    [{ $limit: 1800 }, { $sort: { name: -1 } }],
  ],
  $sortByCount: [[{ $sortByCount: '$sub.a' }]],
  $unionWith: [
    [
      { $match: { _id: { $lt: 10 } } },
      { $unionWith: { coll: 'c', pipeline: [{ $match: { _id: { $lt: 5 } } }] } },
    ],
  ],
  $unset: [[{ $unset: 'none' }], [{ $unset: ['pad', 'sub.text'] }]],
  $unwind: [
    [{ $unwind: '$list' }],
    [{ $unwind: '$name' }],
    [{ $unwind: '$list' }, { $group: { _id: '$list', all: { $push: '$name' } } }],
  ],
};

/** Stages that make their documents themselves, write, or need what this store does not have. */
const OTHERS: ReadonlySet<string> = new Set(
  `$_internalUnpackBucket $changeStream $collStats $currentOp $documents $geoNear $indexStats $listCatalog $listLocalSessions
  $listSampledQueries $listSessions $merge $mergeCursors $out $planCacheStats $querySettings $queryStats $shardedDataDistribution $listSearchIndexes $search $searchMeta $vectorSearch`.split(
    /\s+/,
  ),
);

const FINDS: readonly PlainFind[] = [
  { filter: { n: { $gt: 500 } } },
  { sort: { name: 1 } },
  { sort: { n: -1, _id: 1 }, limit: 20 },
  { sort: { 'sub.a': 1, _id: 1 }, skip: 5, limit: 100, projection: { pad: 0 } },
  { projection: { sub: 1 } },
  { projection: { none: 0 }, skip: 3 },
  { projection: { list: { $slice: 1 } }, limit: 50 },
  { filter: { list: 'x1' }, projection: { 'list.$': 1 } },
  { projection: { whole: '$$ROOT' }, sort: { name: -1 } },
  { filter: { $expr: { $gt: [{ $size: { $map: { input: '$list', in: '$$this' } } }, 2] } } },
  { projection: { mapped: { $map: { input: '$list', in: '$$this' } } } },
  { showRecordId: true },
];

describe('documents in place', () => {
  let store: TestStore;
  let view: ReadView;

  before(async () => {
    store = await TestStore.open(DOCUMENTS);
    view = store.engine.snapshot();
  });

  after(async () => {
    view.close();
    await store.close();
  });

  const piped = (from: ReadView, pipeline: readonly Plain[]): Promise<Buffer[]> => {
    const request = { pipeline: pipeline.map(bytes), namespace: store.namespace };
    const plan = planAggregate(from, from.collection(store.namespace), request, context);
    return collectRaw(plan.open(from, uninterruptible));
  };
  const found = (from: ReadView, request: PlainFind): Promise<Buffer[]> => {
    const plan = planQuery(from, from.collection(store.namespace), rawRequest(request), context);
    return collectRaw(plan.open(from, uninterruptible));
  };

  /** @returns how many documents were read in place */
  async function giveTheSame(run: (from: ReadView) => Promise<Buffer[]>): Promise<number> {
    const expected = (await run(view)).map(plain);
    const inPlace = vanishing(view);
    const given = await run(inPlace.view);
    assert.ok(expected.length > 0, 'it shows something');
    assert.deepEqual(given.map(plain), expected);
    return inPlace.given;
  }

  for (const name of accumulatorNames()) {
    if (name in INPUTS && INPUTS[name] === undefined) continue;
    it(`are copied where ${name} keeps of them`, async () => {
      assert.ok(name in INPUTS, 'it has an example above');
      const group = { $group: { _id: '$sub.a', value: { [name]: INPUTS[name] } } };
      assert.equal(await giveTheSame((from) => piped(from, [group])), DOCUMENTS.length);
    });
  }

  for (const name of stageNames()) {
    if (OTHERS.has(name)) continue;
    it(`are copied where ${name} keeps of them, or gives them on`, async () => {
      assert.ok(name in STAGES, 'it has an example above');
      for (const pipeline of STAGES[name]) await giveTheSame((from) => piped(from, pipeline));
    });
  }

  it('are copied where groups wait on disk', async () => {
    const request = { pipeline: [bytes({ $group: { _id: '$name', sub: { $first: '$sub' } } })] };
    const read = async (from: ReadView): Promise<Buffer[]> => {
      const plan = planAggregate(
        from,
        from.collection(store.namespace),
        { ...request, namespace: store.namespace },
        context,
      );
      const all = await collectRaw(plan.open(from, uninterruptible, { maxStageBytes: 64 * 1024 }));
      return all.sort((a, b) => a.compare(b));
    };
    assert.equal(await giveTheSame(read), DOCUMENTS.length);
  });

  it('are copied where a sort spills', async () => {
    const read = (from: ReadView): Promise<Buffer[]> => {
      const request = { ...rawRequest({ sort: { name: 1 } }), allowDiskUse: true };
      const plan = planQuery(from, from.collection(store.namespace), request, context);
      return collectRaw(plan.open(from, uninterruptible, { maxStageBytes: 256 * 1024 }));
    };
    assert.equal(await giveTheSame(read), DOCUMENTS.length);
  });

  for (const request of FINDS) {
    it(`are copied for the find ${JSON.stringify(request)}`, async () => {
      await giveTheSame((from) => found(from, request));
    });
  }

  it('are counted, and told apart', async () => {
    const { view: inPlace } = vanishing(view);
    const collection = inPlace.collection(store.namespace);
    const filter = bytes({ n: { $gt: 500 } });
    const count = planCount(inPlace, collection, { filter }, context);
    const expected = DOCUMENTS.filter(({ n }) => Number(n) > 500);
    assert.equal(await count.count(inPlace, uninterruptible), expected.length);
    const distinct = planDistinct(inPlace, collection, { key: 'name', filter }, context);
    assert.deepEqual(
      new Set(Object.values(plain(await distinct.values(inPlace, uninterruptible)))),
      new Set(expected.map(({ name }) => name)),
    );
  });

  it('go to no caller who has not asked for them', async () => {
    const inPlace = vanishing(view);
    await found(inPlace.view, { filter: { n: { $gt: 100 } } });
    assert.equal(inPlace.given, 0);
  });

  it('leave nothing of the memory they lie in to those who keep one here and there', async () => {
    const few = { $match: { _id: { $mod: [250, 7] } } };
    const keepers: readonly (readonly Plain[])[] = [
      [few],
      [few, { $sort: { name: 1 } }],
      [{ $sort: { name: 1 } }, { $limit: 12 }],
      [few, { $project: { none: 0 } }],
      [few, { $replaceRoot: { newRoot: '$sub' } }],
      [{ $limit: 2000 }, few, { $limit: 2000 }],
      [few, { $unwind: '$name' }],
      [{ $sample: { size: 12 } }],
      [few, { $group: { _id: '$_id', all: { $push: '$$ROOT' }, one: { $first: '$sub' } } }],
    ];
    for (const pipeline of keepers) {
      const memory = new Set((await piped(view, pipeline)).map(({ buffer }) => buffer));
      const held = [...memory].reduce((sum, { byteLength }) => sum + byteLength, 0);
      // A slab has 1 MiB, the first of a generation 64 KiB to 512 KiB; they lie in all of them.
      assert.ok(held < 300 * 1024, `${JSON.stringify(pipeline)} keeps ${held} bytes`);
    }
  });
});
