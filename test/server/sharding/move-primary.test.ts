import assert from 'node:assert/strict';
import { MongoClient, type Db, type Document } from 'mongodb';
import { startRouter } from '../../router/hand-made-cluster.ts';
import { TestCluster, type ClusterMember } from '../../support/cluster.ts';
import type { Program } from '../../support/programs.ts';

interface Numbered {
  readonly _id: number;
  readonly text?: string;
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe('movePrimary', () => {
  let cluster: TestCluster;
  let routers: Program[];
  let client: MongoClient;
  let stale: MongoClient;

  before('start a config server, two shards and two routers', async () => {
    cluster = await TestCluster.start(2, ['--testing']);
    routers = await Promise.all([1, 2].map(() => startRouter(cluster.config.program)));
    [client, stale] = await Promise.all(routers.map(({ uri }) => new MongoClient(uri).connect()));
    await client.db('admin').command({ balancerStop: 1 });
  });
  after('end them', async () => {
    await Promise.all([client.close(), stale.close()]);
    for (const router of routers) await router.dispose();
    await cluster.stop();
  });

  const move = (database: string, to: string): Promise<Document> =>
    client.db('admin').command({ movePrimary: database, to });
  const on = (shard: string, database: string): Db => cluster.shard(shard).client.db(database);
  const member = (name: string): ClusterMember =>
    name === 'config' ? cluster.config : cluster.shard(name);
  const primaryOf = async (database: string): Promise<string> => {
    const entry = await cluster.metadata
      .collection<Document & { _id: string }>('databases')
      .findOne({ _id: database });
    return entry?.['primary'];
  };
  const namesOn = async (shard: string, database: string): Promise<string[]> =>
    (await on(shard, database).listCollections({}, { nameOnly: true }).toArray())
      .map(({ name }) => name)
      .sort();

  /** Until nothing is left of moves anywhere. */
  async function settled(): Promise<void> {
    for (let round = 0; round < 200; round += 1) {
      const counts = await Promise.all(
        cluster.shards.flatMap((shard) =>
          ['movePrimaryCoordinators', 'movePrimaryRecipients'].map((name) =>
            shard.client.db('config').collection(name).countDocuments(),
          ),
        ),
      );
      if (counts.every((count) => count === 0)) return;
      await sleep(50);
    }
    throw new Error('moves are not settled');
  }

  async function filled(count: number): Promise<string> {
    const database = await cluster.freshDatabase('s0');
    const documents = Array.from({ length: count }, (_, _id) => ({ _id, text: 'x'.repeat(200) }));
    if (count > 0) await client.db(database).collection<Numbered>('plain').insertMany(documents);
    return database;
  }

  it('moves collections with their indexes, options, documents and order, and views', async () => {
    const database = await filled(3_000);
    const db = client.db(database);
    await db.collection('plain').createIndex({ text: 1 }, { name: 'by_text', sparse: true });
    await db.createCollection('log', { capped: true, size: 8192, max: 3 });
    for (const a of [3, 1, 2, 0]) await db.collection('log').insertOne({ a });
    await db.createCollection('strict', { validator: { a: { $type: 'int' } } });
    await db.createCollection('german', { collation: { locale: 'de' } });
    await db.createCollection('clustered', { clusteredIndex: { key: { _id: 1 }, unique: true } });
    await db.collection<Numbered>('clustered').insertMany([{ _id: 2 }, { _id: 1 }]);
    await db.createCollection('weather', { timeseries: { timeField: 't', metaField: 'm' } });
    await db.collection('weather').insertOne({ t: new Date(5), m: 1, v: 7 });
    await db.createCollection('seen', { viewOn: 'plain', pipeline: [{ $match: { _id: 7 } }] });
    await db.collection('empty').createIndex({ b: 1 }, { unique: true });
    const listed = await db.listCollections().toArray();
    const indexes = await db.collection('plain').indexes();
    const other = stale.db(database);
    assert.equal(await other.collection('plain').countDocuments(), 3_000);

    assert.equal((await move(database, 's1'))['ok'], 1);
    assert.equal(await primaryOf(database), 's1');
    assert.deepEqual(await namesOn('s0', database), []);
    for (const of of [db, other]) {
      assert.deepEqual(definitions(await of.listCollections().toArray()), definitions(listed));
      assert.equal(await of.collection('plain').countDocuments(), 3_000);
      assert.deepEqual(await of.collection('plain').indexes(), indexes);
      assert.deepEqual(
        (await of.collection('log').find().toArray()).map(({ a }) => a),
        [1, 2, 0],
      );
      assert.deepEqual(
        (await of.collection<Numbered>('clustered').find().toArray()).map(({ _id }) => _id),
        [1, 2],
      );
      assert.equal((await of.collection('weather').findOne())?.['v'], 7);
      assert.equal((await of.collection('seen').find().toArray()).length, 1);
    }
    await assert.rejects(other.collection('strict').insertOne({ a: 'x' }), { code: 121 });
    await other.collection('empty').insertOne({ b: 1 });
    await assert.rejects(db.collection('empty').insertOne({ b: 1 }), { code: 11000 });
    await settled();
    assert.equal((await move(database, 's0'))['ok'], 1);
    assert.deepEqual(definitions(await other.listCollections().toArray()), definitions(listed));
    assert.equal(await other.collection('plain').countDocuments(), 3_000);
    await settled();
  });

  it('leaves chunks where they are, and knows the sharded collection on the new primary shard', async () => {
    const database = await filled(10);
    const db = client.db(database);
    const admin = client.db('admin');
    await admin.command({ shardCollection: `${database}.spread`, key: { a: 1 } });
    await db.collection('spread').insertMany([{ a: -1 }, { a: 1 }]);
    await move(database, 's1');
    assert.equal(await stale.db(database).collection('spread').countDocuments(), 2);
    assert.equal(await on('s0', database).collection('spread').countDocuments(), 2);
    assert.deepEqual(await namesOn('s1', database), ['plain', 'spread']);
    const names = (await db.listCollections({}, { nameOnly: true }).toArray()).map((c) => c.name);
    assert.deepEqual(names.sort(), ['plain', 'spread']);
    await admin.command({ moveChunk: `${database}.spread`, find: { a: 1 }, to: 's1' });
    assert.equal(await db.collection('spread').countDocuments(), 2);
    const { cursor } = await admin.command({ checkMetadataConsistency: 1 });
    assert.deepEqual(
      cursor.firstBatch.filter(({ details }: Document) => details.namespace.startsWith(database)),
      [],
    );
    await settled();
  });

  it('does nothing when the shard is the primary one already', async () => {
    const database = await filled(1);
    assert.equal((await move(database, 's0'))['ok'], 1);
    assert.equal(await client.db(database).collection('plain').countDocuments(), 1);
  });

  it('refuses what it cannot do, with the codes of MongoDB', async () => {
    const database = await filled(1);
    const admin = client.db('admin');
    await assert.rejects(move(database, 'nowhere'), { code: 70 });
    await assert.rejects(move(database, ''), { code: 72 });
    await assert.rejects(admin.command({ movePrimary: database }), { code: 40414 });
    await assert.rejects(admin.command({ movePrimary: 1, to: 's1' }), { code: 14 });
    for (const name of ['admin', 'config', 'local']) {
      await assert.rejects(move(name, 's1'), { code: 72 });
    }
    for (const name of ['', 'a.b', 'a b']) await assert.rejects(move(name, 's1'), { code: 73 });
    await assert.rejects(move('no_such_database', 's1'), { code: 26 });
    await assert.rejects(client.db(database).command({ movePrimary: database, to: 's1' }), {
      code: 13,
    });
  });

  it('takes no collection that would hide another one', async () => {
    const database = await filled(3);
    await on('s1', database).collection('plain').insertOne({ a: 1 });
    await assert.rejects(move(database, 's1'), { code: 48 });
    assert.equal(await primaryOf(database), 's0');
    await client.db(database).collection<Numbered>('plain').insertOne({ _id: 99 });
    assert.equal(await client.db(database).collection('plain').countDocuments(), 4);
    await settled();
    await on('s1', database).dropDatabase();
    await move(database, 's1');
    assert.equal(await client.db(database).collection('plain').countDocuments(), 4);
    await settled();
  });

  /** Makes the command wait at its server; gone when the server is. */
  const block = (name: string, command: string, blockTimeMS: number): Promise<Document> =>
    member(name)
      .client.db('admin')
      .command({
        configureFailPoint: 'failCommand',
        mode: { times: 1 },
        data: { failCommands: [command], blockConnection: true, blockTimeMS },
      });

  it('refuses writes to what moves, and lets reads and sharded collections go on', async () => {
    const database = await filled(20);
    const db = client.db(database);
    await client.db('admin').command({ shardCollection: `${database}.spread`, key: { a: 1 } });
    await block('s1', '_shardsvrFlushReceivedPrimary', 1_500);
    const moving = move(database, 's1');
    await sleep(500);
    const plain = db.collection('plain');
    const refused = { code: 319, codeName: 'MovePrimaryInProgress' };
    await assert.rejects(plain.insertOne({ a: 1 }), { code: 319 });
    await assert.rejects(plain.updateMany({}, { $set: { a: 1 } }), { code: 319 });
    await assert.rejects(plain.deleteOne({}), { code: 319 });
    await assert.rejects(plain.findOneAndUpdate({ text: 'x' }, { $set: { a: 1 } }), refused);
    await assert.rejects(plain.createIndex({ a: 1 }), refused);
    await assert.rejects(plain.drop(), refused);
    await assert.rejects(plain.rename('other'), refused);
    await assert.rejects(db.createCollection('new'), refused);
    await assert.rejects(db.command({ collMod: 'plain', validator: {} }), refused);
    await assert.rejects(plain.aggregate([{ $out: 'copy' }]).toArray(), refused);
    await assert.rejects(on('s0', database).collection('plain').insertOne({ a: 1 }), { code: 319 });
    assert.equal(await plain.countDocuments(), 20);
    await db.collection('spread').insertOne({ a: 1 });
    await db.collection('spread').createIndex({ b: 1 });
    await moving;
    assert.equal(await stale.db(database).collection('plain').countDocuments(), 20);
    assert.equal(await stale.db(database).collection('spread').countDocuments(), 1);
    await plain.insertOne({ a: 1 });
    await settled();
  });

  it('has one winner when somebody else shards a collection or moves the database, too', async () => {
    const database = await filled(50);
    const results = await Promise.allSettled([
      move(database, 's1'),
      client.db('admin').command({ shardCollection: `${database}.plain`, key: { _id: 1 } }),
      stale.db('admin').command({ movePrimary: database, to: 's1' }),
    ]);
    assert.ok(results.some(({ status }) => status === 'fulfilled'));
    await settled();
    assert.equal(await stale.db(database).collection('plain').countDocuments(), 50);
    assert.equal(await client.db(database).collection('plain').countDocuments(), 50);
  });

  for (const victim of ['config', 's1'] as const) {
    it(`is like a rename of a sharded collection: that survives kill -9 of ${victim}, too`, async () => {
      const database = await filled(1);
      const [from, to] = [`${database}.from`, `${database}.to`];
      const admin = client.db('admin');
      await admin.command({ shardCollection: from, key: { a: 1 } });
      await admin.command({ split: from, middle: { a: 0 } });
      await admin.command({ moveChunk: from, find: { a: 0 }, to: 's1' });
      const documents = Array.from({ length: 10 }, (_, a) => ({ a: a - 5 }));
      await client.db(database).collection('from').insertMany(documents);
      assert.equal(await stale.db(database).collection('from').countDocuments(), 10);
      await block('s1', '_shardsvrRenameCollectionParticipant', 1_000);
      const renaming = admin.command({ renameCollection: from, to }).catch(() => {});
      await sleep(400);
      await member(victim).program.kill();
      await member(victim).program.restart();
      await renaming;
      for (const of of [client, stale]) {
        assert.equal(await of.db(database).collection('to').countDocuments(), 10);
        assert.equal(await of.db(database).collection('from').countDocuments(), 0);
      }
      for (let round = 0; round < 100; round += 1) {
        if ((await cluster.metadata.collection('pendingRenames').countDocuments()) === 0) break;
        await sleep(50);
      }
      assert.equal(await cluster.metadata.collection('pendingRenames').countDocuments(), 0);
      for (const shard of ['s0', 's1']) {
        assert.equal((await namesOn(shard, database)).includes('from'), false);
      }
    });
  }

  const STEPS: readonly { at: string; command: string; victims: readonly string[] }[] = [
    { at: 's1', command: '_shardsvrStartReceivePrimary', victims: ['s0', 's1'] },
    { at: 's1', command: '_shardsvrFlushReceivedPrimary', victims: ['s0', 's1', 'config'] },
    { at: 'config', command: '_configsvrCommitMovePrimary', victims: ['s0', 's1', 'config'] },
    { at: 's1', command: '_shardsvrFinishReceivePrimary', victims: ['s0', 's1', 'config'] },
  ];
  for (const { at, command, victims } of STEPS) {
    for (const victim of victims) {
      it(`survives kill -9 of ${victim} while ${command} is asked`, async () => {
        const database = await filled(300);
        await block(at, command, 1_000);
        const moving = move(database, 's1').catch(() => {});
        await sleep(400);
        const { program } = member(victim);
        await program.kill();
        await program.restart();
        await moving;
        await settled();
        const primary = await primaryOf(database);
        assert.deepEqual(await namesOn(primary, database), ['plain']);
        assert.deepEqual(await namesOn(primary === 's0' ? 's1' : 's0', database), []);
        for (const of of [client, stale]) {
          await of.db(database).collection('plain').insertOne({});
          assert.ok((await of.db(database).collection('plain').countDocuments()) > 300);
        }
        await move(database, primary === 's0' ? 's1' : 's0');
        assert.equal(await stale.db(database).collection('plain').countDocuments(), 302);
        await settled();
      });
    }
  }
});

/** By name, without the UUIDs, which are new ones. */
function definitions(list: readonly Document[]): Document[] {
  return list
    .map((each) => ({ ...each, info: { ...each['info'], uuid: undefined } }))
    .sort((a: Document, b: Document) => (a['name'] < b['name'] ? -1 : 1));
}
