/**
 * Views of sharded collections, and what the router runs itself: mapReduce, filemd5, $shardedDataDistribution.
 */
import assert from 'node:assert/strict';
import { Binary, MongoClient, type Db, type Document } from 'mongodb';
import { startCluster } from '../../client/index.ts';

describe('over sharded collections', () => {
  let cluster: Awaited<ReturnType<typeof startCluster>>;
  let client: MongoClient;
  let db: Db;

  before(async () => {
    cluster = await startCluster({ shards: 2, args: ['--testing'] });
    client = await new MongoClient(cluster.uri).connect();
    db = client.db('views');
    await shard('views.x', { k: 1 }, { k: 10 });
    await db
      .collection('x')
      .insertMany(
        Array.from({ length: 20 }, (_, k) => ({ _id: k as never, k, m: k % 3, list: [k, k % 2] })),
      );
    await db.createCollection('low', { viewOn: 'x', pipeline: [{ $match: { k: { $lt: 12 } } }] });
    await db.createCollection('even', {
      viewOn: 'low',
      pipeline: [{ $match: { m: 0 } }, { $set: { seen: true } }],
    });
    await db.collection('plain').insertOne({ _id: 1 as never, m: 1 });
    await db.createCollection('joins', {
      viewOn: 'plain',
      pipeline: [{ $lookup: { from: 'low', localField: 'm', foreignField: 'm', as: 'found' } }],
    });
    await db.createCollection('folded', {
      viewOn: 'x',
      pipeline: [],
      collation: { locale: 'en', strength: 2 },
    });
  });
  after(async () => {
    await client.close();
    await cluster.stop();
  });

  /** Two chunks, one on each shard. */
  async function shard(namespace: string, key: Document, middle: Document): Promise<void> {
    const admin = client.db('admin');
    await admin.command({ shardCollection: namespace, key });
    await admin.command({ split: namespace, middle });
    for (const to of ['shard1', 'shard2']) {
      const find = to === 'shard1' ? { k: -1 } : middle;
      await admin.command({ moveChunk: namespace, find, to });
    }
  }

  it('a view answers finds, of views of views too', async () => {
    const found = await db
      .collection('even')
      .find({ k: { $gt: 2 } })
      .sort({ k: -1 })
      .limit(2)
      .toArray();
    assert.deepEqual(
      found.map(({ k, seen }) => [k, seen]),
      [
        [9, true],
        [6, true],
      ],
    );
    const cursor = db.collection('low').find({}, { batchSize: 3, projection: { _id: 1 } });
    assert.equal((await cursor.toArray()).length, 12);
  });

  it('a view answers counts, distinct values and pipelines', async () => {
    assert.equal(await db.collection('low').countDocuments({ m: 1 }), 4);
    const { n } = await db.command({ count: 'low', query: {}, skip: 2, limit: 20 });
    assert.equal(n, 10);
    assert.deepEqual(await db.collection('low').distinct('m'), [0, 1, 2]);
    const values = await db.collection('even').distinct('list');
    assert.deepEqual(new Set(values), new Set([0, 1, 3, 6, 9]));
    const grouped = await db
      .collection('low')
      .aggregate([{ $group: { _id: '$m', n: { $sum: 1 } } }, { $sort: { _id: 1 } }])
      .toArray();
    assert.deepEqual(grouped, [
      { _id: 0, n: 4 },
      { _id: 1, n: 4 },
      { _id: 2, n: 4 },
    ]);
  });

  it('a view may be joined, and may join', async () => {
    const [joined] = await db.collection('joins').find().toArray();
    assert.equal(joined?.['found'].length, 4);
    const [both] = await db
      .collection('plain')
      .aggregate([{ $unionWith: 'even' }, { $count: 'n' }])
      .toArray();
    assert.equal(both?.['n'], 5);
  });

  it('a view keeps its collation, and takes no writes', async () => {
    await assert.rejects(
      db
        .collection('folded')
        .find({}, { collation: { locale: 'de' } })
        .toArray(),
      { codeName: 'OptionNotSupportedOnView' },
    );
    await assert.rejects(db.collection('low').insertOne({ k: 1 }), {
      code: 166,
    });
    await assert.rejects(db.collection('low').findOneAndUpdate({}, { $set: { a: 1 } }), {
      code: 166,
    });
  });

  it('mapReduce gives what it gives on one server', async () => {
    const command = {
      mapReduce: 'x',
      map: 'function () { emit(this.m, this.k); }',
      reduce: 'function (key, values) { return Array.sum(values); }',
      query: { k: { $lt: 12 } },
    };
    const sorted = (results: Document[]): unknown[] =>
      results.sort((a, b) => a['_id'] - b['_id']).map(({ _id, value }) => [_id, value]);
    const expected = [
      [0, 18],
      [1, 22],
      [2, 26],
    ];
    const { results } = await db.command({ ...command, out: { inline: 1 } });
    assert.deepEqual(sorted(results), expected);
    await db.command({ ...command, out: 'reduced' });
    assert.deepEqual(sorted(await db.collection('reduced').find().toArray()), expected);
    await db.command({ ...command, out: { reduce: 'reduced' } });
    const doubled = sorted(await db.collection('reduced').find().toArray());
    assert.deepEqual(doubled, [
      [0, 36],
      [1, 44],
      [2, 52],
    ]);
    await assert.rejects(db.command({ ...command, map: 'function () { no(); }', out: 'y' }), {
      code: 139,
    });
  });

  it('filemd5 reads the chunks of a file from all shards', async () => {
    await shard('views.fs.chunks', { n: 1 }, { n: 1 });
    for (const n of [0, 1]) {
      const data = new Binary(Buffer.from(n === 0 ? 'he' : 'llo'));
      await db.collection('fs.chunks').insertOne({ files_id: 1, n, data });
    }
    const { md5, numChunks } = await db.command({ filemd5: 1, root: 'fs' });
    assert.deepEqual([md5, numChunks], ['5d41402abc4b2a76b9719d911017c592', 2]);
  });

  it('$shardedDataDistribution counts what each shard has', async () => {
    const documents = await client
      .db('admin')
      .aggregate([{ $shardedDataDistribution: {} }, { $match: { ns: 'views.x' } }])
      .toArray();
    const [of] = documents;
    assert.deepEqual(
      of?.['shards'].map((each: Document) => [each['shardName'], each['numOwnedDocuments']]),
      [
        ['shard1', 10],
        ['shard2', 10],
      ],
    );
  });

  it('an update that is wrong is refused, also where nothing matches', async () => {
    const wrong = { $nonsense: { a: 1 } };
    const none = { _id: -1 as never, m: 1 };
    await assert.rejects(db.collection('x').updateOne(none, wrong), { code: 9 });
    await assert.rejects(db.collection('x').findOneAndUpdate(none, wrong), { code: 9 });
    await assert.rejects(db.collection('x').updateMany(none, wrong), { code: 9 });
    assert.equal((await db.collection('x').updateOne(none, { $set: { a: 1 } })).matchedCount, 0);
  });

  it('configureFailPoint fails commands of the router itself', async () => {
    const admin = client.db('admin');
    await admin.command({
      configureFailPoint: 'failCommand',
      mode: { times: 1 },
      data: { failCommands: ['find'], errorCode: 2 },
    });
    await assert.rejects(db.collection('x').findOne({ k: 1 }), { code: 2 });
    assert.equal((await db.collection('x').findOne({ k: 1 }))?.['k'], 1);
  });
});
