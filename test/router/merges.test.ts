/**
 * What several shards give, merged: by what an index ordered, by distance, by what a search knew; and upserts, where they belong.
 */
import assert from 'node:assert/strict';
import { MongoClient, type Db, type Document } from 'mongodb';
import { startCluster } from '../../client/index.ts';

type Numbered = Document & { _id: number };

const COUNT = 40;

describe('over several shards', () => {
  let cluster: Awaited<ReturnType<typeof startCluster>>;
  let client: MongoClient;
  let db: Db;

  before(async () => {
    cluster = await startCluster({ shards: 2, args: ['--testing'] });
    client = await new MongoClient(cluster.uri).connect();
    db = client.db('merges');
    const admin = client.db('admin');
    for (const name of ['places', 'upserts']) {
      const namespace = `merges.${name}`;
      await admin.command({ shardCollection: namespace, key: { k: 1 } });
      await admin.command({ split: namespace, middle: { k: 2 } });
      for (const [k, to] of [
        [0, 'shard1'],
        [2, 'shard2'],
      ] as const) {
        await admin.command({ moveChunk: namespace, find: { k }, to });
      }
    }
    const places = db.collection<Numbered>('places');
    // Neighbours are on different shards.
    await places.insertMany(
      Array.from({ length: COUNT }, (_, _id) => ({
        _id,
        k: _id % 4,
        n: COUNT - _id,
        list: [_id, 1],
        at: { type: 'Point', coordinates: [_id, 0] },
        text: 'word '.repeat(_id % 7) + 'other '.repeat(7 - (_id % 7)),
      })),
    );
    await places.createIndex({ n: 1 });
    await places.createIndex({ at: '2dsphere' });
    await places.createIndex({ text: 'text' });
  });
  after(async () => {
    await client.close();
    await cluster.stop();
  });

  const ids = (documents: readonly Document[]): unknown[] => documents.map(({ _id }) => _id);
  const firstIds = (count: number): number[] => Array.from({ length: count }, (_, at) => at);
  const near = (x: number): Document => ({
    at: { $near: { $geometry: { type: 'Point', coordinates: [x, 0] } } },
  });

  for (const [name, sort] of [
    ['the index on _id', { _id: 1 }],
    ['another index', { n: -1 }],
  ] as const) {
    it(`a find in the order of ${name} may have any projection`, async () => {
      const projections: Document[] = [
        { text: 1 },
        { n: 0 },
        { list: { $slice: 1 } },
        { twice: { $multiply: ['$n', 2] } },
      ];
      for (const projection of projections) {
        const found = await db
          .collection<Numbered>('places')
          .find({}, { sort, projection, limit: 9 })
          .toArray();
        assert.deepEqual(ids(found), firstIds(9));
        assert.ok(found.every((document) => !('$sortKey' in document)));
      }
    });
  }

  it('a find by distance gives the nearest of all', async () => {
    const places = db.collection<Numbered>('places');
    const found = await places.find(near(0), { skip: 2, limit: 5 }).toArray();
    assert.deepEqual(ids(found), [2, 3, 4, 5, 6]);
    const shown = await places.find(near(10), { limit: 1, projection: { n: 1 } }).toArray();
    assert.deepEqual(shown, [{ _id: 10, n: COUNT - 10 }]);
  });

  it('one document by distance is the nearest', async () => {
    const places = db.collection<Numbered>('places');
    for (const x of [4, 5, 6, 7]) {
      const changed = await places.findOneAndUpdate(near(x), { $set: { seen: x } });
      assert.equal(changed?._id, x);
      await places.updateOne(near(x), { $set: { again: x } });
    }
    assert.equal(await places.countDocuments({ $expr: { $eq: ['$_id', '$again'] } }), 4);
  });

  it('what a search knew of a document stays known behind the merge', async () => {
    const places = db.collection<Numbered>('places');
    const score = { $meta: 'textScore' };
    const matched = { $match: { $text: { $search: 'word' } } };
    const first = await places
      .aggregate([matched, { $sort: { score, _id: 1 } }, { $limit: 3 }, { $set: { score } }])
      .toArray();
    assert.deepEqual(ids(first), [6, 13, 20]);
    assert.ok(first.every((document) => document['score'] > 0 && document['text'] !== undefined));
    const few = await places.aggregate([matched, { $limit: 3 }, { $project: { score } }]).toArray();
    assert.ok(few.every((document) => document['score'] > 0));
    const sorted = await places
      .aggregate([{ $sort: { n: -1 } }, { $limit: 2 }, { $project: { key: { $meta: 'sortKey' } } }])
      .toArray();
    assert.deepEqual(sorted, [
      { _id: 0, key: [COUNT] },
      { _id: 1, key: [COUNT - 1] },
    ]);
    const distances = await places
      .aggregate([
        {
          $geoNear: { near: { type: 'Point', coordinates: [0, 0] }, distanceField: 'd', key: 'at' },
        },
        { $limit: 2 },
        { $project: { same: { $eq: ['$d', { $meta: 'geoNearDistance' }] } } },
      ])
      .toArray();
    assert.deepEqual(distances, [
      { _id: 0, same: true },
      { _id: 1, same: true },
    ]);
  });

  it('a cursor over what a pipeline joins goes on after the time limit of the operation that opened it', async () => {
    const documents = Array.from({ length: 500 }, (_, at) => ({ _id: 1000 + at, k: at % 4 }));
    await db.collection<Numbered>('upserts').insertMany(documents);
    await db.collection<Numbered>('one').insertOne({ _id: 1 });
    const pipeline = [{ $unionWith: 'upserts' }];
    const found = db.collection('one').aggregate(pipeline, { batchSize: 50, maxTimeMS: 1000 });
    assert.ok(await found.hasNext());
    await new Promise((resolve) => setTimeout(resolve, 1200));
    assert.equal((await found.toArray()).length, 501);
    await db.collection('upserts').deleteMany({});
  });

  it('no sharded collection becomes a capped one', async () => {
    const command = { convertToCapped: 'places', size: 1000 };
    await assert.rejects(db.command(command), { codeName: 'IllegalOperation' });
    assert.equal(await db.collection('places').countDocuments(), COUNT);
    await db.collection<Numbered>('plain').insertOne({ _id: 1 });
    await db.command({ convertToCapped: 'plain', size: 1000 });
    assert.equal(await db.collection('plain').isCapped(), true);
  });

  it('limits that no number holds are none', async () => {
    const most = 2n ** 63n - 1n;
    const { cursor } = await db.command({ find: 'places', skip: most, limit: most });
    assert.deepEqual(cursor.firstBatch, []);
  });

  it('an upsert goes where the key of its document says, not that of its filter', async () => {
    const upserts = db.collection<Numbered>('upserts');
    const asked: Document[] = [
      { q: { k: 1, _id: 1 }, u: { $set: { k: 3 } } },
      { q: { k: 1, _id: 2 }, u: { k: 3 } },
      { q: { k: 3, _id: 3 }, u: { $unset: { k: 1 } } },
      { q: { k: 3, _id: 4 }, u: { other: 1 } },
      { q: { k: 1, _id: 5 }, u: [{ $set: { k: 3 } }] },
      { q: { k: 3, _id: 6 }, u: { $rename: { k: 'old' } } },
      { q: { k: 3, _id: 7 }, u: { $set: { other: 1 } } },
    ];
    const updates = asked.map((each) => ({ ...each, upsert: true }));
    const reply = await db.command({ update: 'upserts', updates });
    assert.equal(reply['n'], asked.length);
    assert.equal(reply['writeErrors'], undefined);
    const found = await db.command({
      findAndModify: 'upserts',
      query: { k: 1, _id: 8 },
      update: { $set: { k: 3 } },
      upsert: true,
    });
    assert.equal(found['lastErrorObject'].n, 1);
    assert.deepEqual(
      ids(await upserts.find({ k: 3 }, { sort: { _id: 1 } }).toArray()),
      [1, 2, 5, 7, 8],
    );
    const without = await upserts.find({ k: null }, { sort: { _id: 1 } }).toArray();
    assert.deepEqual(ids(without), [3, 4, 6]);
  });
});
