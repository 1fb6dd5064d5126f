/**
 * Pipelines through a router give what they give on one server.
 */
import assert from 'node:assert/strict';
import {
  type Collection,
  Decimal128,
  type Document,
  Long,
  MaxKey,
  MinKey,
  MongoClient,
} from 'mongodb';
import { HandMadeCluster } from './hand-made-cluster.ts';

/** Each runs over the sharded collection and over one on a single server. Results without an order are compared as sets. */
const PIPELINES: Readonly<Record<string, readonly Document[]>> = {
  'stages of one document each': [
    { $match: { a: { $gte: 20, $lt: 80 } } },
    { $set: { twice: { $multiply: ['$a', 2] } } },
    { $project: { _id: 0, twice: 1 } },
    { $sort: { twice: 1 } },
  ],
  'sort, skip and limit': [{ $sort: { third: 1, a: -1 } }, { $skip: 5 }, { $limit: 10 }],
  'a limit behind a sort and stages behind it': [
    { $sort: { name: -1 } },
    { $limit: 7 },
    { $project: { name: 1, _id: 0 } },
  ],
  'groups with all accumulators that merge': [
    {
      $group: {
        _id: '$third',
        sum: { $sum: '$a' },
        doubles: { $sum: '$tenth' },
        decimals: { $sum: '$decimal' },
        longs: { $sum: '$long' },
        average: { $avg: '$tenth' },
        averageOfNone: { $avg: '$nothing' },
        least: { $min: '$name' },
        greatest: { $max: '$name' },
        count: { $count: {} },
        deviation: { $stdDevPop: '$a' },
        sample: { $stdDevSamp: '$a' },
      },
    },
    // The last digits of a deviation depend on the order of documents on one server, too.
    {
      $set: {
        deviation: { $round: ['$deviation', 9] },
        sample: { $round: ['$sample', 9] },
      },
    },
    { $sort: { _id: 1 } },
  ],
  'groups whose sets and arrays merge': [
    { $group: { _id: '$third', set: { $addToSet: '$fifth' }, all: { $push: '$a' } } },
    {
      $project: {
        set: { $sortArray: { input: '$set', sortBy: 1 } },
        all: { $sortArray: { input: '$all', sortBy: 1 } },
      },
    },
    { $sort: { _id: 1 } },
  ],
  'groups that do not merge': [
    { $group: { _id: '$third', top: { $topN: { n: 2, sortBy: { a: -1 }, output: '$a' } } } },
    { $sort: { _id: 1 } },
  ],
  'the first and last of a sorted group': [
    { $sort: { a: 1 } },
    { $group: { _id: '$third', first: { $first: '$a' }, last: { $last: '$a' } } },
    { $sort: { _id: 1 } },
  ],
  'groups of null and missing': [
    { $group: { _id: '$sometimes', n: { $sum: 1 } } },
    { $sort: { n: 1, _id: 1 } },
  ],
  'one group without documents': [
    { $match: { a: 100_000 } },
    { $group: { _id: null, n: { $sum: 1 } } },
  ],
  'a count': [{ $match: { third: 1 } }, { $count: 'n' }],
  'a count by value': [{ $sortByCount: '$third' }, { $sort: { count: -1, _id: 1 } }],
  facets: [
    {
      $facet: {
        counted: [{ $group: { _id: '$third', n: { $sum: 1 } } }, { $sort: { _id: 1 } }],
        first: [{ $sort: { a: 1 } }, { $limit: 2 }, { $project: { _id: 0, a: 1 } }],
      },
    },
  ],
  'facets without documents': [{ $match: { a: -5 } }, { $facet: { all: [{ $count: 'n' }] } }],
  'a join by fields': [
    { $match: { a: { $lt: 60 } } },
    { $lookup: { from: 'others', localField: 'third', foreignField: 'k', as: 'joined' } },
    { $project: { _id: 0, a: 1, joined: '$joined.label' } },
    { $sort: { a: 1 } },
  ],
  'a join by a pipeline with variables': [
    { $match: { a: { $in: [3, 77] } } },
    {
      $lookup: {
        from: 'items',
        let: { mine: '$a' },
        pipeline: [
          {
            $match: {
              $expr: {
                $and: [{ $gt: ['$a', '$$mine'] }, { $lt: ['$a', { $add: ['$$mine', 4] }] }],
              },
            },
          },
          { $sort: { a: 1 } },
          { $project: { _id: 0, a: 1 } },
        ],
        as: 'next',
      },
    },
    { $project: { _id: 0, a: 1, next: '$next.a' } },
    { $sort: { a: 1 } },
  ],
  'a union': [
    { $match: { a: { $lt: 2 } } },
    { $unionWith: { coll: 'others', pipeline: [{ $match: { k: { $gt: 0 } } }] } },
    { $project: { _id: 0 } },
    { $sort: { k: 1, a: 1 } },
  ],
  'a graph': [
    { $match: { a: 3 } },
    {
      $graphLookup: {
        from: 'items',
        startWith: '$next',
        connectFromField: 'next',
        connectToField: 'a',
        as: 'path',
        maxDepth: 3,
      },
    },
    { $project: { _id: 0, path: { $sortArray: { input: '$path.a', sortBy: 1 } } } },
  ],
  windows: [
    {
      $setWindowFields: {
        sortBy: { a: 1 },
        output: { running: { $sum: '$a', window: { documents: ['unbounded', 'current'] } } },
      },
    },
    { $match: { a: { $gte: 95 } } },
    { $project: { _id: 0, a: 1, running: 1 } },
  ],
  buckets: [{ $bucketAuto: { groupBy: '$a', buckets: 4 } }],
  'documents of its own': [
    { $match: { a: 1 } },
    { $lookup: { pipeline: [{ $documents: [{ x: 1 }, { x: 2 }] }], as: 'own' } },
    { $project: { _id: 0, a: 1, own: 1 } },
  ],
};

describe('aggregate through a router', () => {
  let cluster: HandMadeCluster;
  let items: Collection;
  let single: Collection;

  before(async () => {
    cluster = await HandMadeCluster.start({ shards: 2 });
    const db = await cluster.database('agg');
    await cluster.shard('agg.items', { a: 1 }, [
      { min: { a: new MinKey() }, max: { a: 50 }, shard: 'shard0' },
      { min: { a: 50 }, max: { a: new MaxKey() }, shard: 'shard1' },
    ]);
    items = db.collection('items');
    single = cluster.configClient.db('agg').collection('items');
    const documents = Array.from({ length: 100 }, (_, a) => ({
      _id: a,
      a,
      third: a % 3,
      fifth: a % 5,
      tenth: a / 10,
      decimal: Decimal128.fromString(`${a}.3`),
      long: Long.fromNumber(a * 1e12),
      name: `n${a % 37}`,
      next: (a * 2) % 100,
      ...(a % 4 === 0 ? {} : { sometimes: a % 4 === 1 ? null : 'there' }),
    }));
    const others = [0, 1, 2].map((k) => ({ _id: k, k, label: `label ${k}` }));
    for (const each of [db, cluster.configClient.db('agg')]) {
      await each.collection<{ _id: number }>('items').insertMany(documents);
      await each.collection<{ _id: number }>('others').insertMany(others);
    }
  });
  after(() => cluster.stop());

  for (const [name, pipeline] of Object.entries(PIPELINES)) {
    it(`gives what one server gives: ${name}`, async () => {
      const expected = await single.aggregate([...pipeline], EXACT).toArray();
      const found = await items.aggregate([...pipeline], { ...EXACT, batchSize: 3 }).toArray();
      assert.deepEqual(found, expected);
    });
  }

  it('takes a sample of the size asked for, from all shards', async () => {
    const sample = await items.aggregate([{ $sample: { size: 40 } }]).toArray();
    assert.equal(sample.length, 40);
    assert.equal(new Set(sample.map((each) => each['a'])).size, 40);
    assert.ok(sample.some((each) => each['a'] < 50) && sample.some((each) => each['a'] >= 50));
    assert.deepEqual(Object.keys(sample[0]).includes('__random_of_sample'), false);
  });

  it('counts documents as drivers do', async () => {
    assert.equal(await items.countDocuments({ third: 0 }), 34);
    assert.equal(await items.countDocuments({ a: 70 }), 1);
  });

  it('writes with $out and $merge', async () => {
    const db = cluster.client.db('agg');
    await items.aggregate([{ $match: { a: { $lt: 60 } } }, { $out: 'copied' }]).toArray();
    assert.equal(await db.collection('copied').countDocuments(), 60);
    await db.collection('copied').updateMany({}, { $set: { old: true } });
    await items
      .aggregate([
        { $match: { a: { $gte: 55, $lt: 65 } } },
        { $project: { fresh: { $literal: true } } },
        { $merge: { into: 'copied', whenMatched: 'merge', whenNotMatched: 'insert' } },
      ])
      .toArray();
    assert.equal(await db.collection('copied').countDocuments(), 65);
    assert.equal(await db.collection('copied').countDocuments({ old: true, fresh: true }), 5);
  });

  it('runs pipelines without a collection', async () => {
    const found = await cluster.client
      .db('agg')
      .aggregate([{ $documents: [{ x: 1 }, { x: 2 }] }, { $match: { x: 2 } }])
      .toArray();
    assert.deepEqual(found, [{ x: 2 }]);
    const sampled = cluster.client.db('admin').aggregate([{ $listSampledQueries: {} }]);
    assert.deepEqual(await sampled.toArray(), []);
    const nowhere = cluster.client.db('nowhere').collection('nothing');
    assert.deepEqual(await nowhere.aggregate([{ $indexStats: {} }]).toArray(), []);
    await assert.rejects(nowhere.aggregate([{ $collStats: { count: {} } }]).toArray(), {
      codeName: 'NamespaceNotFound',
    });
    for (const collection of [nowhere, items]) {
      await assert.rejects(collection.aggregate([{ $listSearchIndexes: {} }]).toArray(), {
        codeName: 'SearchNotEnabled',
      });
    }
  });

  it('refuses what is wrong with the codes of one server', async () => {
    for (const [pipeline, code] of [
      [[{ $nothing: 1 }], 40324],
      [[{ $group: { n: { $sum: 1 } } }], 15955],
      [[{ $sort: { a: 1 } }, { $project: { x: { $divide: ['$a', 0] } } }], 2],
    ] as const) {
      await assert.rejects(items.aggregate([...pipeline]).toArray(), { code });
    }
  });

  it('leaves no cursor on a shard when its own part is refused', async () => {
    const refused = items.aggregate(
      [{ $match: { third: 0 } }, { $setWindowFields: { output: 1 } }],
      {
        batchSize: 2,
      },
    );
    await assert.rejects(refused.toArray());
    for (const shard of cluster.shards) {
      const client = await new MongoClient(shard.uri, { directConnection: true }).connect();
      try {
        await eventually(async () => (await openCursorsOf(client)) === 0);
      } finally {
        await client.close();
      }
    }
  });

  it('serves and explains views', async () => {
    const db = cluster.client.db('agg');
    await db.createCollection('viewed', { viewOn: 'items', pipeline: [] });
    await db.createCollection('above', { viewOn: 'viewed', pipeline: [{ $match: { third: 1 } }] });
    const all = await items.countDocuments();
    assert.equal((await db.collection('viewed').find().toArray()).length, all);
    await db.createCollection('plainView', { viewOn: 'others', pipeline: [] });
    assert.equal((await db.collection('plainView').find().toArray()).length, 3);
    const above = db.collection('above');
    const explained = await above
      .find({ a: { $gt: 3 } })
      .sort({ a: 1 })
      .explain('queryPlanner');
    assert.deepEqual(Object.keys(explained['shards']), ['shard0', 'shard1']);
    assert.deepEqual(explained['splitPipeline'].shardsPart, [
      { $match: { third: 1 } },
      { $match: { a: { $gt: 3 } } },
      { $sort: { a: 1 } },
    ]);
    const counted = await db.command({ explain: { count: 'above', query: { a: 3 } } });
    assert.deepEqual(counted['splitPipeline'].mergerPart.length, 2);
    const distinct = await db.command({ explain: { distinct: 'above', key: 'a' } });
    assert.deepEqual(Object.keys(distinct['shards']), ['shard0', 'shard1']);
    const piped = await above.aggregate([{ $group: { _id: '$a' } }]).explain('executionStats');
    assert.deepEqual(Object.keys(piped['shards']), ['shard0', 'shard1']);
  });

  it('refuses change streams by name', async () => {
    await assert.rejects(items.aggregate([{ $changeStream: {} }]).toArray(), {
      codeName: 'NotImplemented',
    });
  });

  it('joins by asking for what it needs, in batches', async () => {
    const db = cluster.client.db('agg');
    await cluster.shard('agg.foreign', { a: 1 }, [
      { min: { a: new MinKey() }, max: { a: 2_000 }, shard: 'shard0' },
      { min: { a: 2_000 }, max: { a: new MaxKey() }, shard: 'shard1' },
    ]);
    const foreign = db.collection('foreign');
    const padding = 'x'.repeat(1_000);
    await foreign.insertMany(Array.from({ length: 4_000 }, (_, a) => ({ a, padding })));
    const local = db.collection('joined');
    const COUNT = 1_200;
    const own = Array.from({ length: COUNT }, (_, n) => ({
      _id: n as never,
      // An array, null, nothing, a regular expression, and ordinary numbers.
      ...(n === 0 ? { k: [1, 3_999] } : n === 1 ? { k: null } : n === 2 ? {} : { k: n % 100 }),
      ...(n === 3 ? { k: /x/ } : {}),
    }));
    await local.insertMany(own);
    const sent = async (): Promise<{ bytes: number; aggregates: number }> => {
      const both = await Promise.all(
        [0, 1].map((index) => cluster.onShard(index).db('admin').command({ serverStatus: 1 })),
      );
      return {
        bytes: both.reduce((sum, status) => sum + Number(status['network'].bytesOut), 0),
        aggregates: both.reduce(
          (sum, status) => sum + Number(status['metrics'].commands.aggregate.total),
          0,
        ),
      };
    };
    const before = await sent();
    const joined = await local
      .aggregate([
        { $sort: { _id: 1 } },
        { $lookup: { from: 'foreign', localField: 'k', foreignField: 'a', as: 'found' } },
        { $project: { n: { $size: '$found' } } },
      ])
      .toArray();
    const after = await sent();
    assert.deepEqual(
      joined.map(({ n }) => n),
      Array.from({ length: COUNT }, (_, n) => (n === 0 ? 2 : n < 4 ? 0 : 1)),
    );
    assert.ok(after.bytes - before.bytes < 1_000_000, `${after.bytes - before.bytes} bytes`);
    assert.ok(after.aggregates - before.aggregates < 20, 'few commands');
  });

  it('moves little of a large group', async () => {
    const explained = await items
      .aggregate([{ $group: { _id: '$third', n: { $sum: 1 } } }])
      .explain('queryPlanner');
    assert.deepEqual(Object.keys(explained['shards']), ['shard0', 'shard1']);
  });
});

async function openCursorsOf(client: MongoClient): Promise<number> {
  const { metrics } = await client.db('admin').command({ serverStatus: 1 });
  return Number(metrics.cursor.open.total);
}

async function eventually(holds: () => Promise<boolean>): Promise<void> {
  for (let attempt = 0; attempt < 50; attempt += 1) {
    if (await holds()) return;
    await new Promise((resolve) => {
      setTimeout(resolve, 20);
    });
  }
  assert.fail('it does not come to hold');
}

const EXACT = { promoteValues: false } as const;
