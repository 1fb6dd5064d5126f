/**
 * What an operation reads besides its own collection, through a router that does not know that it was sharded by way of another one.
 */
import assert from 'node:assert/strict';
import { MongoClient, type Collection, type Db, type Document } from 'mongodb';
import { startCluster } from '../../client/index.ts';

const COUNT = 10;

describe('a router that has not heard that a collection was sharded', () => {
  let cluster: Awaited<ReturnType<typeof startCluster>>;
  /** Of the router that does not hear, and of the one that changes things. */
  let stale: MongoClient;
  let other: MongoClient;
  let db: Db;
  let base: Collection;
  let local: Collection;
  let next = 0;

  before(async () => {
    cluster = await startCluster({ shards: 2, routers: 2, args: ['--testing'] });
    stale = await new MongoClient(cluster.uriOf('router1')).connect();
    other = await new MongoClient(cluster.uriOf('router2')).connect();
  });
  after(async () => {
    await stale.close();
    await other.close();
    await cluster.stop();
  });

  beforeEach(async () => {
    next += 1;
    const name = `stale${next}`;
    await other.db('admin').command({ enableSharding: name, primaryShard: 'shard1' });
    db = stale.db(name);
    base = db.collection('base');
    local = db.collection('local');
    await base.createIndex({ k: 1 });
    await base.insertMany(Array.from({ length: COUNT }, (_, k) => ({ _id: k as never, k })));
    await local.insertMany(Array.from({ length: COUNT }, (_, k) => ({ _id: k as never, k })));
  });

  /** All of it goes to the other shard. @param waits until nothing of it is left on the first one */
  async function moveAway(name = 'base', waits = true): Promise<void> {
    const admin = other.db('admin');
    const namespace = `${db.databaseName}.${name}`;
    await admin.command({ shardCollection: namespace, key: { k: 1 } });
    await admin.command({
      moveChunk: namespace,
      find: { k: 0 },
      to: 'shard2',
      ...(waits ? { _waitForDelete: true } : {}),
    });
  }

  const LOOKUP = {
    $lookup: { from: 'base', localField: 'k', foreignField: 'k', as: 'found' },
  };
  const BY_PIPELINE = {
    $lookup: {
      from: 'base',
      let: { k: '$k' },
      pipeline: [{ $match: { $expr: { $eq: ['$k', '$$k'] } } }],
      as: 'found',
    },
  };
  const found = (documents: Document[]): number =>
    documents.reduce((sum, document) => sum + document['found'].length, 0);

  it('joins all of it: $lookup, $graphLookup, $unionWith', async () => {
    const graph = {
      $graphLookup: {
        from: 'base',
        startWith: '$k',
        connectFromField: 'none',
        connectToField: 'k',
        as: 'found',
      },
    };
    const union = [{ $unionWith: 'base' }, { $count: 'n' }];
    const counts = async (): Promise<number[]> => [
      ...(await Promise.all(
        [LOOKUP, BY_PIPELINE, graph].map(async (stage) =>
          found(await local.aggregate([stage]).toArray()),
        ),
      )),
      (await local.aggregate(union).toArray())[0]['n'],
    ];
    const wanted = [COUNT, COUNT, COUNT, 2 * COUNT];
    assert.deepEqual(await counts(), wanted);
    await moveAway();
    assert.deepEqual(await counts(), wanted);
    assert.deepEqual(await counts(), wanted);
  });

  it('reads all of it through views, and views of views, and joined views', async () => {
    await db.createCollection('view', { viewOn: 'base', pipeline: [{ $set: { seen: 1 } }] });
    await db.createCollection('above', { viewOn: 'view', pipeline: [] });
    await db.createCollection('joining', { viewOn: 'local', pipeline: [LOOKUP] });
    const joined = { $lookup: { ...LOOKUP.$lookup, from: 'above' } };
    const check = async (): Promise<void> => {
      for (const name of ['view', 'above']) {
        const view = db.collection(name);
        assert.equal((await view.find({ seen: 1 }).toArray()).length, COUNT);
        assert.equal(await view.countDocuments(), COUNT);
        assert.equal((await db.command({ count: name }))['n'], COUNT);
        assert.equal((await view.distinct('k')).length, COUNT);
      }
      assert.equal(found(await db.collection('joining').find().toArray()), COUNT);
      assert.equal(found(await local.aggregate([joined]).toArray()), COUNT);
    };
    await check();
    await moveAway();
    await check();
    await check();
  });

  it('sees a view as another router has changed it', async () => {
    await moveAway();
    await db.createCollection('view', { viewOn: 'base', pipeline: [{ $match: { k: 1 } }] });
    const view = db.collection('view');
    assert.equal((await view.find().toArray()).length, 1);
    const elsewhere = other.db(db.databaseName);
    await elsewhere.command({ collMod: 'view', viewOn: 'base', pipeline: [] });
    assert.equal((await view.find().toArray()).length, COUNT);
    await elsewhere.collection('view').drop();
    await elsewhere.collection('view').insertOne({ k: 1 });
    assert.equal((await view.find().toArray()).length, 1);
  });

  it('writes to all of it: $merge and $out', async () => {
    await local.aggregate([{ $merge: 'base' }]).toArray();
    await moveAway();
    await local.aggregate([{ $set: { merged: 1 } }, { $merge: 'base' }]).toArray();
    assert.equal(await base.countDocuments({ merged: 1 }), COUNT);
    assert.equal(await base.countDocuments(), COUNT);
    const direct = await new MongoClient(cluster.uriOf('shard1')).connect();
    try {
      const left = await direct.db(db.databaseName).collection('base').countDocuments();
      assert.equal(left, 0, 'nothing was written where nobody looks for it');
    } finally {
      await direct.close();
    }
    await assert.rejects(local.aggregate([{ $out: 'base' }]).toArray(), { code: 28_769 });
  });

  it('renames nothing over it', async () => {
    await local.insertOne({ _id: 'x' as never });
    await moveAway();
    const rename = { renameCollection: `${db.databaseName}.local`, to: `${db.databaseName}.base` };
    await assert.rejects(stale.db('admin').command(rename));
    assert.equal(await base.countDocuments(), COUNT);
    assert.equal(await local.countDocuments(), COUNT + 1);
  });

  it('renames into a database of the same shard, and into no other', async () => {
    const admin = stale.db('admin');
    const [near, far] = [`near${next}`, `far${next}`];
    await other.db('admin').command({ enableSharding: near, primaryShard: 'shard1' });
    await other.db('admin').command({ enableSharding: far, primaryShard: 'shard2' });
    const from = `${db.databaseName}.local`;
    await assert.rejects(admin.command({ renameCollection: from, to: `${far}.x` }), {
      codeName: 'CommandFailed',
    });
    await admin.command({ renameCollection: from, to: `${near}.x` });
    assert.equal(await stale.db(near).collection('x').countDocuments(), COUNT);
    assert.equal(await local.countDocuments(), 0);
  });

  it('goes on with a cursor that was open before', async () => {
    const cursor = local.aggregate([BY_PIPELINE], { batchSize: 1 });
    assert.equal((await cursor.next())?.['found'].length, 1);
    const plain = base.find({}, { batchSize: 1 });
    await plain.next();
    await moveAway('base', false);
    // Time for what removes documents that have gone.
    await new Promise((resolve) => setTimeout(resolve, 600));
    assert.equal(found(await cursor.toArray()), COUNT - 1);
    assert.equal((await plain.toArray()).length, COUNT - 1);
  });
});
