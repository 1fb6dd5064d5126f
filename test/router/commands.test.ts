/**
 * Commands through a router beside find and the three writes: their parts on the shards, put together.
 */
import assert from 'node:assert/strict';
import { type Collection, type Db, type Document, MaxKey, MinKey } from 'mongodb';
import { HandMadeCluster } from './hand-made-cluster.ts';

describe('commands through a router', () => {
  let cluster: HandMadeCluster;
  let db: Db;
  let items: Collection;

  before(async () => {
    cluster = await HandMadeCluster.start({ shards: 2 });
    db = await cluster.database('commands');
  });
  after(() => cluster.stop());

  let next = 0;
  beforeEach(async () => {
    next += 1;
    const name = `items${next}`;
    await cluster.shard(`commands.${name}`, { a: 1 }, [
      { min: { a: new MinKey() }, max: { a: 50 }, shard: 'shard0' },
      { min: { a: 50 }, max: { a: new MaxKey() }, shard: 'shard1' },
    ]);
    items = db.collection(name);
    await items.insertMany(
      Array.from({ length: 100 }, (_, a) => ({ a, third: a % 3, name: `n${a}` })),
    );
  });

  it('counts over shards, with skip and limit of the whole', async () => {
    assert.equal((await db.command({ count: items.collectionName }))['n'], 100);
    const count = async (fields: object): Promise<unknown> =>
      (await db.command({ count: items.collectionName, ...fields }))['n'];
    assert.equal(await count({ query: { third: 0 } }), 34);
    assert.equal(await count({ query: { third: 0 }, skip: 30 }), 4);
    assert.equal(await count({ query: { third: 0 }, limit: 20 }), 20);
    assert.equal(await count({ query: { third: 0 }, skip: 30, limit: 20 }), 4);
    assert.equal(await count({ query: { a: { $lt: 10 } } }), 10);
  });

  it('gives distinct values once, in order', async () => {
    assert.deepEqual(await items.distinct('third'), [0, 1, 2]);
    assert.deepEqual(await items.distinct('a', { a: { $in: [3, 70] } }), [3, 70]);
  });

  it('finds and modifies by the key, and without it', async () => {
    const byKey = await items.findOneAndUpdate(
      { a: 70 },
      { $set: { x: 1 } },
      { returnDocument: 'after' },
    );
    assert.equal(byKey?.['x'], 1);
    const first = await items.findOneAndUpdate(
      { third: 2 },
      { $set: { x: 2 } },
      { sort: { a: -1 }, returnDocument: 'after', projection: { a: 1, x: 1, _id: 0 } },
    );
    assert.deepEqual(first, { a: 98, x: 2 });
    assert.equal(await items.countDocuments({}).catch(() => 100), 100);
    const removed = await items.findOneAndDelete({ name: 'n60' });
    assert.equal(removed?.['a'], 60);
    assert.equal((await items.find({ name: 'n60' }).toArray()).length, 0);
    assert.equal(await items.findOneAndDelete({ name: 'nobody' }), null);
  });

  it('inserts for findAndModify where the key says', async () => {
    const made = await items.findOneAndUpdate(
      { name: 'new' },
      { $set: { a: 77.5 } },
      { upsert: true, returnDocument: 'after', projection: { _id: 0 } },
    );
    assert.deepEqual(made, { name: 'new', a: 77.5 });
    const onSecond = await cluster
      .onShard(1)
      .db('commands')
      .collection(items.collectionName)
      .find({ a: 77.5 })
      .toArray();
    assert.equal(onSecond.length, 1);
  });

  it('carries out a bulkWrite over collections', async () => {
    const result = await cluster.client.bulkWrite<Record<string, Document>>(
      [
        { namespace: items.namespace, name: 'insertOne', document: { a: 10.5 } },
        { namespace: items.namespace, name: 'insertOne', document: { a: 80.5 } },
        {
          namespace: items.namespace,
          name: 'updateMany',
          filter: { third: 1 },
          update: { $set: { y: 1 } },
        },
        { namespace: items.namespace, name: 'deleteOne', filter: { a: 80.5 } },
        { namespace: 'commands.plain', name: 'insertOne', document: { z: 1 } },
      ],
      { verboseResults: true },
    );
    assert.deepEqual(
      [result.insertedCount, result.matchedCount, result.modifiedCount, result.deletedCount],
      [3, 33, 33, 1],
    );
    assert.equal(result.deleteResults?.get(3)?.deletedCount, 1);
  });

  it('makes indexes on all shards, lists them once, and drops them', async () => {
    assert.equal(await items.createIndex({ name: 1 }), 'name_1');
    for (const index of [0, 1]) {
      const own = cluster.onShard(index).db('commands').collection(items.collectionName);
      assert.equal((await own.indexes()).length, 2);
    }
    assert.deepEqual(
      (await items.indexes()).map((index) => index['name']),
      ['_id_', 'name_1'],
    );
    await items.dropIndex('name_1');
    assert.equal((await items.indexes()).length, 1);
  });

  it('adds up sizes', async () => {
    const stats = await db.command({ collStats: items.collectionName });
    assert.equal(stats['count'], 100);
    assert.equal(stats['sharded'], true);
    assert.deepEqual(Object.keys(stats['shards']), ['shard0', 'shard1']);
    const databaseStats = await db.stats();
    assert.ok(Number(databaseStats['objects']) >= 100);
    assert.equal((await db.command({ validate: items.collectionName }))['valid'], true);
  });

  it('lists databases with what they have on each shard', async () => {
    const { databases } = await cluster.client.db('admin').admin().listDatabases();
    const found = databases.find(({ name }) => name === 'commands');
    assert.ok(found !== undefined && Number(found.sizeOnDisk) >= 0);
    assert.equal(databases.filter(({ name }) => name === 'local').length, 0);
  });

  it('creates, lists, renames and drops collections that are not sharded', async () => {
    await db.createCollection('made', { capped: true, size: 4096 });
    await db.collection('made').insertOne({ a: 1 });
    await db.collection('made').rename('renamed');
    const names = await db.listCollections({}, { nameOnly: true }).toArray();
    assert.ok(names.some(({ name }) => name === 'renamed'));
    assert.equal(await db.collection('renamed').drop(), true);
    const left = await db.listCollections({ name: 'renamed' }).toArray();
    assert.deepEqual(left, []);
  });

  it('explains by shards', async () => {
    const merged = await items.find({}).sort({ name: 1 }).explain('executionStats');
    assert.equal(merged['queryPlanner'].winningPlan.stage, 'SHARD_MERGE_SORT');
    assert.equal(merged['executionStats'].nReturned, 100);
    assert.deepEqual(
      merged['queryPlanner'].winningPlan.shards.map(
        (shard: { shardName: string }) => shard.shardName,
      ),
      ['shard0', 'shard1'],
    );
    const single = await items.find({ a: 3 }).explain('queryPlanner');
    assert.equal(single['queryPlanner'].winningPlan.stage, 'SINGLE_SHARD');
    const all = await items.find({}).explain('queryPlanner');
    assert.equal(all['queryPlanner'].winningPlan.stage, 'SHARD_MERGE');
  });

  it('shows the shards, and forgets what it knows when it is told to', async () => {
    const admin = cluster.client.db('admin');
    const map = await admin.command({ getShardMap: 1 });
    assert.equal(map['map'].shard0, `127.0.0.1:${cluster.shards[0].port}`);
    assert.equal((await admin.command({ flushRouterConfig: 1 }))['flushed'], true);
    const version = await admin.command({ getShardVersion: items.namespace });
    assert.equal(version['version'].t, 1);
    assert.equal((await admin.command({ isdbgrid: 1 }))['isdbgrid'], 1);
  });

  it('says that the config server does not know what it was asked for', async () => {
    await assert.rejects(cluster.client.db('admin').command({ reshardCollection: 'x.y' }), {
      codeName: 'CommandNotFound',
    });
  });
});
