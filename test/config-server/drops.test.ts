import assert from 'node:assert/strict';
import { MongoClient, type Db } from 'mongodb';
import { startRouter } from '../router/hand-made-cluster.ts';
import { TestCluster, type ClusterMember } from '../support/cluster.ts';
import type { Program } from '../support/programs.ts';

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe('drops in a cluster', () => {
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

  const member = (name: string): ClusterMember =>
    name === 'config' ? cluster.config : cluster.shard(name);
  const on = (shard: string, database: string): Db => cluster.shard(shard).client.db(database);
  const namesOn = async (shard: string, database: string): Promise<string[]> =>
    (await on(shard, database).listCollections({}, { nameOnly: true }).toArray())
      .map(({ name }) => name)
      .sort();
  const pending = (): Promise<number> =>
    cluster.metadata.collection('pendingDrops').countDocuments();

  /** Until the metadata are changed; the shard that was told to wait has a while left then. */
  async function begun(): Promise<void> {
    for (let round = 0; round < 200 && (await pending()) === 0; round += 1) await sleep(10);
    assert.ok((await pending()) > 0);
  }

  async function settled(): Promise<void> {
    for (let round = 0; round < 200 && (await pending()) > 0; round += 1) await sleep(50);
    assert.equal(await pending(), 0);
  }

  /** A database on s0 with a collection that has ten documents, half of them on s1. */
  async function filled(): Promise<string> {
    const database = await cluster.freshDatabase();
    await shard(database, 10);
    assert.equal(await stale.db(database).collection('spread').countDocuments(), 10);
    return database;
  }

  async function shard(database: string, count: number): Promise<void> {
    const admin = client.db('admin');
    const namespace = `${database}.spread`;
    await admin.command({ shardCollection: namespace, key: { a: 1 } });
    await admin.command({ split: namespace, middle: { a: 0 } });
    await admin.command({ moveChunk: namespace, find: { a: 0 }, to: 's1' });
    const documents = Array.from({ length: count }, (_, a) => ({ a: a - count / 2 }));
    await client.db(database).collection('spread').insertMany(documents);
  }

  /** The next such command on the member waits before it does anything. */
  async function block(name: string, command: string): Promise<void> {
    await member(name)
      .client.db('admin')
      .command({
        configureFailPoint: 'failCommand',
        mode: { times: 1 },
        data: {
          failCommands: [command],
          blockConnection: true,
          blockTimeMS: 1_000,
          failInternalCommands: true,
        },
      });
  }

  for (const victim of ['config', 's0', 's1'] as const) {
    it(`of a collection survive kill -9 of ${victim} after the metadata are changed`, async () => {
      const database = await filled();
      await block('s1', '_shardsvrDropCollectionParticipant');
      const dropping = client
        .db(database)
        .collection('spread')
        .drop()
        .catch(() => false);
      await begun();
      await member(victim).program.kill();
      await member(victim).program.restart();
      await dropping;
      await settled();
      for (const name of ['s0', 's1']) assert.deepEqual(await namesOn(name, database), []);
      for (const of of [client, stale]) {
        assert.equal(await of.db(database).collection('spread').countDocuments(), 0);
      }
      await shard(database, 4);
      assert.equal(await stale.db(database).collection('spread').countDocuments(), 4);
    });

    it(`of a database survive kill -9 of ${victim} after the metadata are changed`, async () => {
      const database = await filled();
      await client.db(database).collection('plain').insertOne({});
      await block('s1', 'dropDatabase');
      const dropping = client
        .db(database)
        .dropDatabase()
        .catch(() => false);
      await begun();
      await member(victim).program.kill();
      await member(victim).program.restart();
      await dropping;
      await settled();
      for (const name of ['s0', 's1']) assert.deepEqual(await namesOn(name, database), []);
      for (const of of [client, stale]) {
        assert.equal(await of.db(database).collection('spread').countDocuments(), 0);
        await of.db(database).collection('plain').insertOne({});
      }
      assert.equal(await stale.db(database).collection('plain').countDocuments(), 2);
    });
  }

  it('take nothing that was made by the same name after them', async () => {
    const database = await filled();
    await member('s1').program.kill();
    await assert.rejects(client.db(database).collection('spread').drop(), {
      code: 6,
    });
    for (const of of [client, stale]) await of.db(database).collection('spread').insertOne({});
    assert.equal(await pending(), 1);
    await assert.rejects(
      client.db('admin').command({ shardCollection: `${database}.spread`, key: { a: 1 } }),
      { code: 6 },
    );
    await member('config').program.kill();
    await member('config').program.restart();
    await member('s1').program.restart();
    await settled();
    for (const of of [client, stale]) {
      assert.equal(await of.db(database).collection('spread').countDocuments(), 2);
    }
    assert.deepEqual(await namesOn('s0', database), ['spread']);
    assert.deepEqual(await namesOn('s1', database), []);
  });

  it('show nobody what a shard still has, and take no write that would go with it', async () => {
    const database = await filled();
    await member('s0').program.kill();
    await assert.rejects(client.db(database).collection('spread').drop(), { code: 6 });
    // The config server cannot tell s0 before it has been killed, and is not there when s0 comes back.
    member('config').program.signal('SIGSTOP');
    await member('s0').program.restart();
    const written = client.db(database).collection('spread').insertOne({ a: 100 });
    await sleep(300);
    member('config').program.signal('SIGCONT');
    await written;
    await settled();
    assert.equal(await client.db(database).collection('spread').countDocuments(), 1);
    assert.equal(await stale.db(database).collection('spread').countDocuments(), 1);
  });

  it('of a database keep others from making it again until every shard has followed', async () => {
    const database = await filled();
    await member('s1').program.kill();
    await assert.rejects(client.db(database).dropDatabase(), { code: 6 });
    await assert.rejects(client.db(database).collection('plain').insertOne({}), { code: 6 });
    assert.equal(await pending(), 1);
    await member('s1').program.restart();
    await client.db(database).collection('plain').insertOne({});
    await settled();
    assert.equal(await client.db(database).collection('plain').countDocuments(), 1);
    assert.deepEqual(await namesOn('s1', database), []);
  });
});
