/**
 * Two routers: what one of them changes, the other one knows too late; what it renames, replaces or writes must not be lost because of that.
 */
import assert from 'node:assert/strict';
import { MongoClient, type Db, type Document } from 'mongodb';
import { startCluster } from '../../client/index.ts';

type Numbered = Document & { _id: number };

const COUNT = 30;

describe('a router that knows too little, as a writer', () => {
  let cluster: Awaited<ReturnType<typeof startCluster>>;
  let clients: MongoClient[];
  let db: Db;
  let stale: Db;
  let databases = 0;

  before(async () => {
    cluster = await startCluster({ shards: 2, routers: 2, args: ['--testing'] });
    clients = await Promise.all(
      ['router1', 'router2'].map((name) => new MongoClient(cluster.uriOf(name)).connect()),
    );
  });
  after(async () => {
    for (const client of clients) await client.close();
    await cluster.stop();
  });

  beforeEach(async () => {
    databases += 1;
    [db, stale] = clients.map((client) => client.db(`stale${databases}`)) as [Db, Db];
    await db.collection<Numbered>('few').insertMany([{ _id: 1 }, { _id: 2 }]);
    await db
      .collection<Numbered>('many')
      .insertMany(Array.from({ length: COUNT }, (_, _id) => ({ _id, k: _id })));
  });

  /** Half of it goes to the other shard, and the other router hears nothing. */
  async function spread(name: string): Promise<void> {
    const namespace = `${db.databaseName}.${name}`;
    const admin = clients[0]!.db('admin');
    await admin.command({ shardCollection: namespace, key: { _id: 1 } });
    const { primary } = (await db.client
      .db('config')
      .collection<Document & { _id: string }>('databases')
      .findOne({ _id: db.databaseName })) as Document;
    const toShard = primary === 'shard1' ? 'shard2' : 'shard1';
    await admin.command({ moveRange: namespace, min: { _id: COUNT / 2 }, toShard });
  }

  it('renames what has been sharded as a whole, and replaces it only when it is told to', async () => {
    assert.equal(await stale.collection('many').countDocuments(), COUNT);
    await spread('many');
    await assert.rejects(stale.renameCollection('few', 'many'), { code: 48 });
    await stale.renameCollection('many', 'other');
    for (const of of [db, stale]) {
      assert.equal(await of.collection('other').countDocuments(), COUNT);
      assert.equal(await of.collection('many').countDocuments(), 0);
    }
    await stale.renameCollection('few', 'other', { dropTarget: true });
    for (const of of [db, stale]) assert.equal(await of.collection('other').countDocuments(), 2);
  });

  it('replaces nothing that has been sharded by $out', async () => {
    assert.equal(await stale.collection('many').countDocuments(), COUNT);
    await spread('many');
    const out = stale.collection('few').aggregate([{ $out: 'many' }]);
    await assert.rejects(out.toArray(), { code: 28769 });
    assert.equal(await db.collection('many').countDocuments(), COUNT);
  });

  it('updates and deletes all of a collection that was dropped and made again', async () => {
    await spread('many');
    assert.equal(await stale.collection('many').countDocuments(), COUNT);
    await db.collection('many').drop();
    await db.collection<Numbered>('many').insertMany([{ _id: 1 }, { _id: 20 }]);
    await spread('many');
    const updated = await stale.collection('many').updateMany({}, { $set: { a: 1 } });
    assert.equal(updated.matchedCount, 2);
    await db.collection('many').drop();
    await db.collection<Numbered>('many').insertMany([{ _id: 1 }, { _id: 20 }]);
    assert.equal((await stale.collection('many').deleteMany({})).deletedCount, 2);
  });

  it('writes into a database that was dropped, and is another one now', async () => {
    assert.equal(await stale.collection('few').countDocuments(), 2);
    await db.dropDatabase();
    await stale.collection<Numbered>('few').insertOne({ _id: 3 });
    assert.deepEqual(await db.collection<Numbered>('few').find().toArray(), [{ _id: 3 }]);
    const config = db.client.db('config').collection<Document & { _id: string }>('databases');
    const { primary } = (await config.findOne({ _id: db.databaseName })) as Document;
    await db.dropDatabase();
    const primaryShard = primary === 'shard1' ? 'shard2' : 'shard1';
    await clients[0]!.db('admin').command({ enableSharding: db.databaseName, primaryShard });
    await stale.collection<Numbered>('few').insertOne({ _id: 4 });
    assert.deepEqual(await db.collection<Numbered>('few').find().toArray(), [{ _id: 4 }]);
  });
});
