import assert from 'node:assert/strict';
import { Timestamp, type Document } from 'mongodb';
import { TestCluster } from '../support/cluster.ts';
import { Program } from '../support/programs.ts';

describe('metadata of a cluster', () => {
  let cluster: TestCluster;

  before('start a config server and two shards', async () => {
    cluster = await TestCluster.start(2);
  });
  after('end them', () => cluster.stop());

  async function chunksOf(namespace: string): Promise<Document[]> {
    const collection = await cluster.metadata
      .collection<{ _id: string; uuid: unknown }>('collections')
      .findOne({ _id: namespace });
    return cluster.metadata
      .collection('chunks')
      .find({ uuid: collection?.uuid })
      .sort({ min: 1 })
      .toArray();
  }

  const versionText = ({ lastmod }: Document): string => {
    const version: Timestamp = lastmod;
    return `${version.high}|${version.low}`;
  };

  it('lists the shards that were added', async () => {
    const { shards } = await cluster.admin({ _configsvrListShards: 1 });
    assert.deepEqual(
      shards.map(({ _id, state }: Document) => [_id, state]),
      [
        ['s0', 1],
        ['s1', 1],
      ],
    );
    const identity = await cluster.shards[0].client
      .db('admin')
      .collection<Document & { _id: string }>('system.version')
      .findOne({ _id: 'shardIdentity' });
    assert.equal(identity?.['shardName'], 's0');
    const state = await cluster.shards[0].client.db('admin').command({ shardingState: 1 });
    assert.equal(state['enabled'], true);
  });

  it('adds a shard that is there already once more without effect', async () => {
    const host = `127.0.0.1:${cluster.shards[0].program.port}`;
    assert.equal((await cluster.admin({ _configsvrAddShard: host }))['shardAdded'], 's0');
    await assert.rejects(cluster.admin({ _configsvrAddShard: host, name: 'other' }), { code: 20 });
  });

  it('refuses as shards a config server, a plain server, and nobody at all', async () => {
    const add = (port: number) => cluster.admin({ _configsvrAddShard: `127.0.0.1:${port}` });
    await assert.rejects(add(cluster.config.program.port), { code: 96 });
    const alone = await Program.start({});
    await assert.rejects(add(alone.port), { code: 96, message: /not started with --shardsvr/ });
    await alone.dispose();
    await assert.rejects(add(1), { code: 6 });
    const addSet = (port: number) =>
      cluster.admin({ _configsvrAddShard: `rs/127.0.0.1:${port},127.0.0.1:1` });
    await assert.rejects(addSet(1), { code: 6 });
    await assert.rejects(addSet(cluster.shards[0].program.port), { code: 238 });
    await assert.rejects(cluster.admin({ _configsvrAddShard: 'nonsense' }), { code: 9 });
  });

  it('gives a database to one shard', async () => {
    await cluster.admin({ _configsvrEnableSharding: 'owned', primaryShard: 's1' });
    await cluster.admin({ _configsvrEnableSharding: 'owned' });
    await assert.rejects(cluster.admin({ _configsvrEnableSharding: 'owned', primaryShard: 's0' }), {
      code: 48,
    });
    const reply = await cluster.admin({ _configsvrCreateDatabase: 'owned' });
    assert.equal(reply['primaryShard'], 's1');
    assert.equal(reply['databaseVersion'].lastMod, 1);
    await assert.rejects(cluster.admin({ _configsvrEnableSharding: 'OWNED' }), { code: 13297 });
    await assert.rejects(cluster.admin({ _configsvrEnableSharding: 'config' }), { code: 73 });
  });

  it('shards by a range, with one chunk on the primary shard and an index', async () => {
    const database = await cluster.freshDatabase('s1');
    const namespace = `${database}.things`;
    const reply = await cluster.admin({ _configsvrShardCollection: namespace, key: { a: 1 } });
    assert.equal(reply['collectionsharded'], namespace);
    const chunks = await chunksOf(namespace);
    assert.deepEqual(
      chunks.map(({ shard }) => shard),
      ['s1'],
    );
    assert.equal(versionText(chunks[0]), '1|0');
    const indexes = await cluster.shard('s1').client.db(database).collection('things').indexes();
    assert.deepEqual(
      indexes.map(({ name }) => name),
      ['_id_', 'a_1'],
    );
    await cluster.admin({ _configsvrShardCollection: namespace, key: { a: 1 } });
    await assert.rejects(cluster.admin({ _configsvrShardCollection: namespace, key: { b: 1 } }), {
      code: 23,
    });
  });

  it('shards by a hash, evenly over the shards', async () => {
    const database = await cluster.freshDatabase();
    const namespace = `${database}.hashed`;
    await cluster.admin({
      _configsvrShardCollection: namespace,
      key: { a: 'hashed' },
      numInitialChunks: 4,
    });
    const chunks = await chunksOf(namespace);
    assert.deepEqual(
      chunks.map(({ shard }) => shard),
      ['s0', 's1', 's0', 's1'],
    );
    const uuids = await Promise.all(
      cluster.shards.map(async ({ client }) => {
        const [info] = await client.db(database).listCollections({ name: 'hashed' }).toArray();
        return String((info as Document)['info'].uuid);
      }),
    );
    assert.equal(uuids[0], uuids[1]);
  });

  it('refuses a key without an index when there are documents, and takes one with it', async () => {
    const database = await cluster.freshDatabase();
    const namespace = `${database}.full`;
    const collection = cluster.shards[0].client.db(database).collection('full');
    await collection.insertOne({ a: 1, b: 2 });
    const shard = (options: Document) =>
      cluster.admin({ _configsvrShardCollection: namespace, ...options });
    await assert.rejects(shard({ key: { a: 1 } }), { code: 72 });
    await collection.createIndex({ a: 1, b: -1 });
    await assert.rejects(shard({ key: { a: 1 }, unique: true }), { code: 72 });
    await collection.createIndex({ b: 1 }, { unique: true });
    await assert.rejects(shard({ key: { a: 1 } }), { code: 72, message: /Uniqueness/ });
    await collection.dropIndex('b_1');
    await shard({ key: { a: 1 } });
    await assert.rejects(shard({ key: { a: 'x' } }), { code: 2 });
    await assert.rejects(shard({ key: { a: 'hashed' }, unique: true }), { code: 72 });
  });

  it('splits at a key, in the middle, and refuses what is no split', async () => {
    const database = await cluster.freshDatabase();
    const namespace = `${database}.split`;
    await cluster.admin({ _configsvrShardCollection: namespace, key: { a: 1 } });
    const split = (how: Document) => cluster.admin({ _configsvrSplit: namespace, ...how });
    await split({ middle: { a: 10 } });
    await split({ middle: { a: 20 } });
    assert.deepEqual((await chunksOf(namespace)).map(versionText), ['1|1', '1|3', '1|4']);
    await assert.rejects(split({ middle: { a: 10 } }), { code: 2 });
    await assert.rejects(split({ middle: { b: 10 } }), { code: 2 });
    await assert.rejects(split({}), { code: 72 });
    await assert.rejects(split({ find: { a: 15 } }), { code: 87 });
    const documents = Array.from({ length: 9 }, (_, index) => ({ a: 10 + index }));
    await cluster.routed('s0', namespace, { insert: 'split', documents });
    await split({ find: { a: 15 } });
    const bounds = (await chunksOf(namespace)).map(({ min }) => min.a);
    assert.deepEqual(bounds.slice(1), [10, 14, 20]);
    await split({ bounds: [{ a: 10 }, { a: 14 }] });
    await assert.rejects(split({ bounds: [{ a: 10 }, { a: 14 }] }), { code: 4 });
  });

  it('has one winner for each version among many that split at once', async () => {
    const database = await cluster.freshDatabase();
    const namespace = `${database}.many`;
    await cluster.admin({ _configsvrShardCollection: namespace, key: { a: 1 } });
    await Promise.all(
      Array.from({ length: 12 }, (_, a) =>
        cluster.admin({ _configsvrSplit: namespace, middle: { a } }),
      ),
    );
    const chunks = await chunksOf(namespace);
    assert.equal(chunks.length, 13);
    assert.equal(new Set(chunks.map(versionText)).size, 13);
    for (const [index, chunk] of chunks.entries()) {
      if (index > 0) assert.deepEqual(chunk['min'], chunks[index - 1]['max']);
    }
  });

  it('merges neighbouring chunks', async () => {
    const database = await cluster.freshDatabase();
    const namespace = `${database}.merge`;
    await cluster.admin({ _configsvrShardCollection: namespace, key: { a: 1 } });
    for (const a of [0, 10, 20]) {
      await cluster.admin({ _configsvrSplit: namespace, middle: { a } });
    }
    const merge = (min: number, max: number) =>
      cluster.admin({ _configsvrMergeChunks: namespace, bounds: [{ a: min }, { a: max }] });
    await merge(0, 20);
    assert.equal((await chunksOf(namespace)).length, 3);
    await assert.rejects(merge(5, 20), { code: 20 });
  });

  it('finds what is wrong with the metadata, and nothing where all is well', async () => {
    const database = await cluster.freshDatabase('s0');
    const namespace = `${database}.checked`;
    await cluster.admin({ _configsvrShardCollection: namespace, key: { a: 1 } });
    for (const a of [10, 20]) {
      await cluster.admin({ _configsvrSplit: namespace, middle: { a } });
    }
    const wrong = async (): Promise<string[]> => {
      const { cursor } = await cluster.admin({ _configsvrCheckMetadataConsistency: 1 });
      return cursor.firstBatch
        .filter(({ details }: Document) => String(details.namespace).startsWith(`${database}.`))
        .map(({ type }: Document) => type);
    };
    assert.deepEqual(await wrong(), []);
    const stray = cluster.shard('s1').client.db(database);
    await stray.createCollection('stray');
    assert.deepEqual(await wrong(), ['MisplacedCollection']);
    await stray.dropDatabase();
    await stray.createCollection('checked');
    assert.deepEqual(await wrong(), ['CollectionUUIDMismatch']);
    await stray.dropDatabase();
    const [, middle] = await chunksOf(namespace);
    const chunks = cluster.metadata.collection('chunks');
    await chunks.deleteOne({ _id: middle['_id'] });
    assert.deepEqual(await wrong(), ['RoutingTableRangeGap']);
    await chunks.insertOne({ ...middle, max: { a: 25 } });
    assert.deepEqual(await wrong(), ['RoutingTableRangeOverlap']);
    await chunks.updateOne({ _id: middle['_id'] }, { $set: { max: { a: 20 } } });
    assert.deepEqual(await wrong(), []);
  });

  it('keeps zones, and lets no two ranges overlap', async () => {
    const database = await cluster.freshDatabase();
    const namespace = `${database}.zoned`;
    await cluster.admin({ _configsvrShardCollection: namespace, key: { a: 1, b: 1 } });
    const range = (min: number, max: number, zone: string | null) =>
      cluster.admin({
        _configsvrUpdateZoneKeyRange: namespace,
        min: { a: min },
        max: { a: max },
        zone,
      });
    await assert.rejects(range(0, 10, 'north'), { code: 177 });
    await cluster.admin({ _configsvrAddShardToZone: 's0', zone: 'north' });
    await range(0, 10, 'north');
    await assert.rejects(range(5, 15, 'north'), { code: 178 });
    await assert.rejects(range(10, 10, 'north'), { code: 9 });
    const remove = () => cluster.admin({ _configsvrRemoveShardFromZone: 's0', zone: 'north' });
    await assert.rejects(remove(), { code: 163 });
    await range(0, 10, null);
    await remove();
    assert.equal(await cluster.metadata.collection('tags').countDocuments({ ns: namespace }), 0);
  });

  it('drains a shard before it goes, and never the last one', async () => {
    const third = await Program.start({ args: ['--shardsvr'] });
    await cluster.admin({ _configsvrAddShard: `127.0.0.1:${third.port}`, name: 's2' });
    await cluster.admin({ _configsvrEnableSharding: 'onThird', primaryShard: 's2' });
    const remove = () => cluster.admin({ _configsvrRemoveShard: 's2' });
    const started = await remove();
    assert.equal(started['state'], 'started');
    assert.deepEqual(started['dbsToMove'], ['onThird']);
    assert.equal((await remove())['state'], 'ongoing');
    await assert.rejects(
      cluster.admin({ _configsvrMoveRange: 'a.b', min: { a: 1 }, toShard: 's2' }),
      { code: 118 },
    );
    await cluster.admin({ _configsvrDropDatabase: 'onThird' });
    assert.equal((await remove())['state'], 'completed');
    await assert.rejects(remove(), { code: 70 });
    await third.dispose();
  });

  it('forgets a collection that is dropped, on every shard', async () => {
    const database = await cluster.freshDatabase();
    const namespace = `${database}.gone`;
    await cluster.admin({
      _configsvrShardCollection: namespace,
      key: { a: 'hashed' },
      numInitialChunks: 2,
    });
    await cluster.admin({ _configsvrDropCollection: namespace });
    assert.deepEqual(await chunksOf(namespace), []);
    for (const { client } of cluster.shards) {
      const left = await client.db(database).listCollections({ name: 'gone' }).toArray();
      assert.deepEqual(left, []);
    }
    await cluster.admin({ _configsvrShardCollection: namespace, key: { b: 1 } });
  });

  it('tells every change in the changelog', async () => {
    const whats = await cluster.metadata.collection('changelog').distinct('what');
    for (const what of ['addShard', 'shardCollection.end', 'split', 'merge', 'dropCollection']) {
      assert.ok(whats.includes(what), what);
    }
  });

  it('survives kill -9 of the config server with all that it acknowledged', async () => {
    const database = await cluster.freshDatabase();
    const namespace = `${database}.kept`;
    await cluster.admin({ _configsvrShardCollection: namespace, key: { a: 1 } });
    await cluster.admin({ _configsvrSplit: namespace, middle: { a: 0 } });
    await cluster.config.program.kill();
    await cluster.config.program.restart();
    assert.equal((await chunksOf(namespace)).length, 2);
    await cluster.admin({ _configsvrSplit: namespace, middle: { a: 5 } });
    assert.equal((await chunksOf(namespace)).length, 3);
  });
});
