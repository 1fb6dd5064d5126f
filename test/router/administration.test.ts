/**
 * How operators change a cluster, through a router, and that another router which knows nothing of it serves rightly.
 */
import assert from 'node:assert/strict';
import { Long, MaxKey, MinKey, MongoClient, type Db, type Document } from 'mongodb';
import { runMongosh } from '../support/clients.ts';
import { HandMadeCluster } from './hand-made-cluster.ts';

describe('administration of a cluster', () => {
  let cluster: HandMadeCluster;
  let stale: MongoClient;
  let database: string;
  let db: Db;
  let next = 0;

  before(async () => {
    cluster = await HandMadeCluster.start({ shards: 2, routers: 2 });
    stale = await new MongoClient(cluster.routers[1].uri).connect();
    await admin({ balancerStop: 1 });
  });
  after(async () => {
    await stale.close();
    await cluster.stop();
  });
  beforeEach(async () => {
    next += 1;
    database = `administered${next}`;
    db = cluster.client.db(database);
    await admin({ enableSharding: database, primaryShard: 'shard0' });
  });

  const admin = (command: Document): Promise<Document> =>
    cluster.client.db('admin').command(command);
  const metadata = (collection: string) => cluster.configClient.db('config').collection(collection);
  const entryOf = (namespace: string): Promise<Document | null> =>
    cluster.configClient
      .db('config')
      .collection<Document & { _id: string }>('collections')
      .findOne({ _id: namespace });
  const chunksOf = async (namespace: string): Promise<Document[]> => {
    const entry = await entryOf(namespace);
    return metadata('chunks').find({ uuid: entry?.['uuid'] }).sort({ min: 1 }).toArray();
  };
  const boundsOf = async (namespace: string) =>
    (await chunksOf(namespace)).map(({ min, max, shard }) => ({ min, max, shard }));
  const many = (count: number, more: (a: number) => Document = () => ({})): Document[] =>
    Array.from({ length: count }, (_, a) => ({ _id: a, a, ...more(a) }));

  describe('refineCollectionShardKey', () => {
    const key = { a: 1, b: 1 };

    async function refinable(): Promise<string> {
      const namespace = `${database}.refined`;
      await admin({ shardCollection: namespace, key: { a: 1 } });
      await admin({ split: namespace, middle: { a: 10 } });
      await admin({ moveChunk: namespace, find: { a: 10 }, to: 'shard1' });
      await db.collection('refined').createIndex(key);
      await db.collection<Document>('refined').insertMany(many(20, (a) => ({ b: a % 3 })));
      return namespace;
    }

    it('extends chunks and zones, and every router goes on with the same documents', async () => {
      const namespace = await refinable();
      const zone = { updateZoneKeyRange: namespace, min: { a: 10 }, max: { a: new MaxKey() } };
      await admin({ addShardToZone: 'shard1', zone: 'high' });
      await admin({ ...zone, zone: 'high' });
      const other = stale.db(database).collection('refined');
      assert.equal(await other.countDocuments(), 20);
      const before = await entryOf(namespace);
      assert.equal((await admin({ refineCollectionShardKey: namespace, key }))['ok'], 1);
      const after = await entryOf(namespace);
      assert.deepEqual(after?.['key'], key);
      assert.notDeepEqual(after?.['lastmodEpoch'], before?.['lastmodEpoch']);
      assert.ok(after?.['timestamp'].gt(before?.['timestamp']));
      const [low, mid] = [new MinKey(), { a: 10, b: new MinKey() }];
      const high = new MaxKey();
      assert.deepEqual(await boundsOf(namespace), [
        { min: { a: low, b: low }, max: mid, shard: 'shard0' },
        { min: mid, max: { a: high, b: high }, shard: 'shard1' },
      ]);
      const [tag] = await metadata('tags').find({ ns: namespace }).toArray();
      assert.deepEqual([tag?.['min'], tag?.['max']], [mid, { a: high, b: high }]);
      assert.equal(await other.countDocuments(), 20);
      await other.insertOne({ a: 10, b: 5 });
      await other.updateOne({ a: 3, b: 0 }, { $set: { seen: true } });
      await admin({ ...zone, min: mid, max: { a: high, b: high }, zone: null });
      await admin({ split: namespace, middle: { a: 15, b: 1 } });
      await admin({ moveChunk: namespace, find: { a: 15, b: 1 }, to: 'shard0' });
      assert.equal(await other.countDocuments(), 21);
      assert.equal(await db.collection('refined').countDocuments({ seen: true }), 1);
    });

    it('removes what a migration before it left, although its key has changed', async () => {
      const namespace = await refinable();
      const held = db.collection('refined').find({}, { batchSize: 2 });
      await held.next();
      await admin({ moveChunk: namespace, find: { a: 0 }, to: 'shard1' });
      await admin({ refineCollectionShardKey: namespace, key });
      await held.close();
      const left = cluster.onShard(0).db(database).collection('refined');
      for (let round = 0; round < 100 && (await left.countDocuments()) > 0; round += 1) {
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      assert.equal(await left.countDocuments(), 0);
      assert.equal(await db.collection('refined').countDocuments(), 20);
    });

    it('does nothing for the key that the collection has', async () => {
      const namespace = await refinable();
      const before = await entryOf(namespace);
      await admin({ refineCollectionShardKey: namespace, key: { a: 1 } });
      assert.deepEqual(await entryOf(namespace), before);
    });

    it('refuses what it cannot do, with the codes of MongoDB', async () => {
      const namespace = await refinable();
      const refine = (fields: Document) =>
        admin({ refineCollectionShardKey: namespace, ...fields });
      await assert.rejects(refine({}), { code: 40414 });
      await assert.rejects(refine({ key: 'x' }), { code: 14 });
      await assert.rejects(refine({ key: {} }), { code: 2 });
      await assert.rejects(refine({ key: { a: 5 } }), { code: 2 });
      await assert.rejects(refine({ key: { b: 1, a: 1 } }), { code: 72, message: /not extend/ });
      await assert.rejects(refine({ key: { a: 1, c: 1 } }), {
        code: 72,
        message: /create an index/,
      });
      await db.collection('refined').createIndex({ a: 1, d: 1 }, { sparse: true });
      await assert.rejects(refine({ key: { a: 1, d: 1 } }), { code: 72, message: /is sparse/ });
      await db.collection('refined').createIndex({ a: 1, e: 1 });
      await db.collection('refined').insertOne({ a: 1, e: [1, 2] });
      await assert.rejects(refine({ key: { a: 1, e: 1 } }), { code: 72, message: /is multikey/ });
      await db.collection('plain').insertOne({ a: 1 });
      const of = (name: string) => admin({ refineCollectionShardKey: `${database}.${name}`, key });
      await assert.rejects(of('plain'), { codeName: 'NamespaceNotSharded' });
      await assert.rejects(of('nothing'), { codeName: 'NamespaceNotFound' });
      await assert.rejects(admin({ refineCollectionShardKey: 1, key }), { code: 14 });
      await assert.rejects(db.command({ refineCollectionShardKey: namespace, key }), { code: 13 });
    });
  });

  describe('clearJumboFlag', () => {
    it('takes the mark from the chunk that it is told, and from no other', async () => {
      const namespace = `${database}.large`;
      await admin({ shardCollection: namespace, key: { a: 1 } });
      await admin({ split: namespace, middle: { a: 0 } });
      const [, chunk] = await chunksOf(namespace);
      await metadata('chunks').updateOne({ _id: chunk['_id'] }, { $set: { jumbo: true } });
      await admin({ clearJumboFlag: namespace, find: { a: -1 } });
      assert.equal((await chunksOf(namespace))[1]['jumbo'], true);
      await admin({ clearJumboFlag: namespace, bounds: [{ a: 0 }, { a: new MaxKey() }] });
      const [, cleared] = await chunksOf(namespace);
      assert.equal(cleared['jumbo'], undefined);
      assert.ok(cleared['lastmod'].gt(chunk['lastmod']));
      await db.collection('large').insertOne({ a: 1 });
      assert.equal(await stale.db(database).collection('large').countDocuments(), 1);
    });

    it('refuses what names no chunk', async () => {
      const namespace = `${database}.large`;
      await admin({ shardCollection: namespace, key: { a: 1 } });
      const clear = (fields: Document) => admin({ clearJumboFlag: namespace, ...fields });
      await assert.rejects(clear({}), { code: 72 });
      await assert.rejects(clear({ find: { a: 1 }, bounds: [{ a: 0 }, { a: 1 }] }), { code: 72 });
      await assert.rejects(clear({ bounds: [{ a: 0 }] }), { code: 72 });
      await assert.rejects(clear({ bounds: [{ a: 0 }, { a: 1 }] }), { code: 51261 });
      await assert.rejects(clear({ find: { b: 1 } }), { code: 51260 });
      await assert.rejects(admin({ clearJumboFlag: `${database}.none`, find: { a: 1 } }), {
        codeName: 'NamespaceNotSharded',
      });
    });
  });

  describe('shardCollection', () => {
    const shard = (fields: Document) => admin({ shardCollection: `${database}.spread`, ...fields });

    it('takes a number of chunks for an empty hashed collection only', async () => {
      await assert.rejects(shard({ key: { a: 1 }, numInitialChunks: 4 }), { code: 72 });
      await shard({ key: { a: 'hashed' }, numInitialChunks: 4 });
      assert.equal((await chunksOf(`${database}.spread`)).length, 4);
      const full = db.collection('full');
      await full.insertOne({ a: 1 });
      await full.createIndex({ a: 'hashed' });
      const of = { shardCollection: `${database}.full`, key: { a: 'hashed' } };
      await assert.rejects(admin({ ...of, numInitialChunks: 4 }), { code: 72 });
      await assert.rejects(admin({ ...of, numInitialChunks: 8193 }), { code: 72 });
      await admin(of);
      assert.equal((await chunksOf(`${database}.full`)).length, 1);
    });

    it('begins with a chunk for each zone', async () => {
      const namespace = `${database}.spread`;
      await admin({ addShardToZone: 'shard1', zone: 'middle' });
      await admin({ updateZoneKeyRange: namespace, min: { a: 0 }, max: { a: 9 }, zone: 'middle' });
      await assert.rejects(shard({ key: { b: 1 } }), { code: 72, message: /existing zone/ });
      await shard({ key: { a: 1 } });
      const bounds = await boundsOf(namespace);
      assert.equal(bounds.length, 3);
      assert.deepEqual(bounds[1], { min: { a: 0 }, max: { a: 9 }, shard: 'shard1' });
      await db.collection('spread').insertMany([{ a: -5 }, { a: 5 }, { a: 50 }]);
      assert.equal(
        await cluster.onShard(1).db(database).collection('spread').countDocuments({ a: 5 }),
        1,
      );
      assert.equal(await db.collection('spread').countDocuments(), 3);
    });

    it('presplits the hashes of a zone over its shards', async () => {
      const namespace = `${database}.spread`;
      const key = { country: 1, h: 'hashed' };
      const [low, high] = [new MinKey(), new MaxKey()];
      await assert.rejects(shard({ key, presplitHashedZones: true }), { code: 31387 });
      for (const name of ['shard0', 'shard1']) await admin({ addShardToZone: name, zone: 'eu' });
      const zone = async (min: Document, max: Document, name: string | null) =>
        admin({ updateZoneKeyRange: namespace, min, max, zone: name });
      const refusals: readonly [Document, Document, number][] = [
        [{ country: low, h: low }, { country: 'de', h: low }, 31388],
        [{ country: 'de', h: low }, { country: 'de', h: high }, 31390],
        [{ country: 'de', h: Long.fromNumber(5) }, { country: 'fr', h: low }, 31389],
      ];
      for (const [min, max, code] of refusals) {
        await zone(min, max, 'eu');
        await assert.rejects(shard({ key, presplitHashedZones: true }), { code });
        await zone(min, max, null);
      }
      await zone({ country: 'de', h: 5 }, { country: 'fr', h: low }, 'eu');
      await assert.rejects(shard({ key }), { code: 72, message: /NumberLong/ });
      await zone({ country: 'de', h: 5 }, { country: 'fr', h: low }, null);
      await zone({ country: 'de', h: low }, { country: 'fr', h: low }, 'eu');
      await shard({ key, presplitHashedZones: true });
      const bounds = await boundsOf(namespace);
      assert.equal(bounds.length, 4);
      assert.deepEqual(
        bounds.slice(1, 3).map(({ min, max, shard: name }) => [min.h, max.h, name]),
        [
          [low, 0, 'shard0'],
          [0, low, 'shard1'],
        ],
      );
      await db
        .collection<Document>('spread')
        .insertMany(many(40, () => ({ country: 'de' })).map((each) => ({ ...each, h: each['a'] })));
      assert.equal(await db.collection('spread').countDocuments(), 40);
      const parts = await Promise.all(
        [0, 1].map((index) =>
          cluster.onShard(index).db(database).collection('spread').countDocuments(),
        ),
      );
      assert.ok(
        parts.every((count) => count > 5),
        String(parts),
      );
    });

    it('wants a unique index for a unique key, and refuses to make one of duplicates', async () => {
      const spread = db.collection('spread');
      await spread.insertMany([{ a: 1 }, { a: 1 }]);
      await assert.rejects(shard({ key: { a: 1 }, unique: true }), { code: 72 });
      await assert.rejects(spread.createIndex({ a: 1 }, { unique: true }), { code: 11000 });
      await spread.createIndex({ a: 1 });
      await assert.rejects(shard({ key: { a: 1 }, unique: true }), {
        code: 72,
        message: /not unique/,
      });
      await shard({ key: { a: 1 }, unique: true, enforceUniquenessCheck: false });
      assert.equal((await entryOf(`${database}.spread`))?.['unique'], true);
      await assert.rejects(spread.createIndex({ b: 1 }, { unique: true }), { code: 67 });
      await spread.createIndex({ a: 1, b: 1, _id: 1 }, { unique: true });
    });

    it('leaves the shard key an index', async () => {
      await shard({ key: { a: 1 } });
      const spread = db.collection('spread');
      await spread.createIndex({ b: 1 });
      await assert.rejects(spread.dropIndex('a_1'), { code: 370 });
      await spread.dropIndexes();
      assert.deepEqual(
        (await spread.indexes()).map(({ name }) => name),
        ['_id_', 'a_1'],
      );
      await spread.createIndex({ a: 1, b: 1 });
      await spread.dropIndex('a_1');
      await assert.rejects(spread.dropIndex('a_1_b_1'), { code: 370 });
    });

    it('makes no index when it is told not to, and a better one beside one that will not do', async () => {
      await assert.rejects(shard({ key: { a: 1 }, implicitlyCreateIndex: false }), {
        code: 6373200,
      });
      await db.collection('spread').createIndex({ a: 1 }, { sparse: true });
      await assert.rejects(shard({ key: { a: 1 } }), { code: 72, message: /sparse/ });
      await shard({ key: { a: 1, b: 1 } });
      assert.equal((await db.collection('spread').indexes()).length, 3);
    });
  });

  describe('renameCollection', () => {
    /** {a: 1} with a chunk on each shard, and documents from -5 to 4. */
    async function spread(name: string): Promise<void> {
      const namespace = `${database}.${name}`;
      await admin({ shardCollection: namespace, key: { a: 1 } });
      await admin({ split: namespace, middle: { a: 0 } });
      await admin({ moveChunk: namespace, find: { a: 0 }, to: 'shard1', _waitForDelete: true });
      await db
        .collection(name)
        .insertMany(Array.from({ length: 10 }, (_, a) => ({ a: a - 5, name })));
    }
    const count = (of: MongoClient, name: string): Promise<number> =>
      of.db(database).collection(name).countDocuments();

    it('gives a sharded collection another name, with its chunks, zones and indexes', async () => {
      await spread('old');
      await db.collection('old').createIndex({ b: 1 });
      await admin({ addShardToZone: 'shard1', zone: 'named' });
      const range = { min: { a: 0 }, max: { a: new MaxKey() } };
      await admin({ updateZoneKeyRange: `${database}.old`, ...range, zone: 'named' });
      assert.equal(await count(stale, 'old'), 10);
      const before = await entryOf(`${database}.old`);
      const chunks = await chunksOf(`${database}.old`);
      await db.collection('old').rename('new');
      assert.equal(await entryOf(`${database}.old`), null);
      const after = await entryOf(`${database}.new`);
      assert.deepEqual([after?.['uuid'], after?.['key']], [before?.['uuid'], { a: 1 }]);
      assert.deepEqual(await chunksOf(`${database}.new`), chunks);
      assert.equal((await metadata('tags').findOne({ ns: `${database}.new` }))?.['tag'], 'named');
      assert.equal(await metadata('pendingRenames').countDocuments(), 0);
      for (const of of [cluster.client, stale]) {
        assert.equal(await count(of, 'new'), 10);
        assert.equal(await count(of, 'old'), 0);
      }
      await stale.db(database).collection('new').insertOne({ a: 50 });
      assert.equal((await db.collection('new').indexes()).length, 3);
      await stale.db(database).collection('old').insertOne({ other: 1 });
      assert.equal(await count(cluster.client, 'old'), 1);
      assert.equal(await count(cluster.client, 'new'), 11);
      await admin({ updateZoneKeyRange: `${database}.new`, ...range, zone: null });
      await admin({ moveChunk: `${database}.new`, find: { a: 1 }, to: 'shard0' });
      assert.equal(await count(stale, 'new'), 11);
    });

    it('replaces what has the name, sharded or not, when it is told to', async () => {
      await spread('source');
      await spread('target');
      const rename = (dropTarget: boolean) =>
        db.collection('source').rename('target', { dropTarget });
      await assert.rejects(rename(false), { code: 48 });
      assert.equal(await count(stale, 'target'), 10);
      const { uuid } = (await entryOf(`${database}.target`)) ?? {};
      await rename(true);
      assert.equal(await metadata('chunks').countDocuments({ uuid }), 0);
      const all = await stale.db(database).collection('target').find().toArray();
      assert.deepEqual([all.length, new Set(all.map(({ name }) => name)).size], [10, 1]);
      await db.collection('single').insertOne({ single: 1 });
      await assert.rejects(db.collection('target').rename('single'), { code: 48 });
      await db.collection('target').rename('single', { dropTarget: true });
      assert.equal(await count(stale, 'single'), 10);
      await db.collection('plain').insertOne({ plain: 1 });
      await assert.rejects(db.collection('plain').rename('single'), { code: 48 });
      await db.collection('plain').rename('single', { dropTarget: true });
      assert.equal(await entryOf(`${database}.single`), null);
      for (const of of [cluster.client, stale]) assert.equal(await count(of, 'single'), 1);
    });

    it('loses no write that is made meanwhile by the one name or the other', async () => {
      await spread('left');
      const names = ['left', 'right', 'third', 'fourth'];
      let at = 0;
      let isOver = false;
      const write = async (of: MongoClient, from: number): Promise<number> => {
        let written = 0;
        for (; !isOver; written += 1) {
          await of
            .db(database)
            .collection(names[at])
            .insertOne({ a: from + written });
        }
        return written;
      };
      const writers = [write(cluster.client, 1_000), write(stale, -1_000_000)];
      for (; at < 3; at += 1) await db.collection(names[at]).rename(names[at + 1]);
      isOver = true;
      const written = (await Promise.all(writers)).reduce((sum, each) => sum + each, 0);
      const counts = await Promise.all(names.map((name) => count(stale, name)));
      assert.equal(
        counts.reduce((sum, each) => sum + each, 0),
        written + 10,
      );
      assert.ok(counts[3] >= 10);
    });

    it('refuses what it cannot rename', async () => {
      await spread('source');
      const rename = (to: string) => admin({ renameCollection: `${database}.source`, to });
      await assert.rejects(rename(`${database}_other.x`), { code: 125 });
      await assert.rejects(rename(`${database}.source`), { code: 20 });
      await assert.rejects(rename(`${database}.${'x'.repeat(300)}`), { code: 73 });
      await db.createCollection('view', { viewOn: 'source' });
      await assert.rejects(rename(`${database}.view`), { code: 48 });
      await admin({ addShardToZone: 'shard0', zone: 'taken' });
      const range = { min: { a: 0 }, max: { a: 1 }, zone: 'taken' };
      await admin({ updateZoneKeyRange: `${database}.zoned`, ...range });
      await assert.rejects(rename(`${database}.zoned`), { code: 125 });
      assert.equal(await count(stale, 'source'), 10);
    });
  });

  describe('checkMetadataConsistency', () => {
    it('looks at the cluster, at a database, or at a collection, and answers with a cursor', async () => {
      const [good, bad] = [`${database}.good`, `${database}.bad`];
      await admin({ shardCollection: good, key: { a: 1 } });
      await admin({ shardCollection: bad, key: { a: 1 } });
      for (const _id of [1, 2, 3]) await admin({ split: bad, middle: { a: _id } });
      const check = async (on: Db, command: Document) => (await on.command(command))['cursor'];
      assert.deepEqual(await check(db, { checkMetadataConsistency: 1 }), {
        firstBatch: [],
        id: 0,
        ns: `${database}.$cmd.aggregate`,
      });
      const { uuid } = (await entryOf(bad)) ?? {};
      await metadata('chunks').deleteMany({ uuid, 'min.a': { $in: [1, 3] } });
      const types = ({ firstBatch }: Document): string[] =>
        firstBatch.map(({ type }: Document) => type);
      const found = await check(db, { checkMetadataConsistency: 1, cursor: { batchSize: 1 } });
      assert.equal(found.firstBatch.length, 1);
      assert.notEqual(String(found.id), '0');
      const rest = await db.command({ getMore: found.id, collection: '$cmd.aggregate' });
      assert.deepEqual(
        [...types(found), ...rest['cursor'].nextBatch.map(({ type }: Document) => type)],
        ['RoutingTableRangeGap', 'RoutingTableMissingMaxKey'],
      );
      const ofBad = await check(db, { checkMetadataConsistency: 'bad' });
      assert.deepEqual([ofBad.ns, types(ofBad).length], [bad, 2]);
      assert.deepEqual(types(await check(db, { checkMetadataConsistency: 'good' })), []);
      const whole = await check(cluster.client.db('admin'), { checkMetadataConsistency: 1 });
      assert.equal(whole.ns, 'admin.$cmd.aggregate');
      assert.equal(types(whole).length, 2);
      await metadata('collections').deleteOne({ uuid });
      await metadata('chunks').deleteMany({ uuid });
    });

    it('compares the indexes of the shards when it is asked to', async () => {
      const namespace = `${database}.indexed`;
      await admin({ shardCollection: namespace, key: { a: 1 } });
      await admin({ split: namespace, middle: { a: 0 } });
      await admin({ moveChunk: namespace, find: { a: 1 }, to: 'shard1' });
      const check = async (): Promise<Document[]> =>
        (await db.command({ checkMetadataConsistency: 'indexed', checkIndexes: true }))['cursor']
          .firstBatch;
      assert.deepEqual(await check(), []);
      await cluster.onShard(1).db(database).collection('indexed').createIndex({ b: 1 });
      const [found] = await check();
      assert.equal(found['type'], 'InconsistentIndex');
      assert.deepEqual(found['details'].info.missingFromShards, ['shard0']);
    });

    it('refuses what it does not know', async () => {
      const missing = cluster.client.db('no_such_database');
      await assert.rejects(missing.command({ checkMetadataConsistency: 1 }), { code: 26 });
      await assert.rejects(db.command({ checkMetadataConsistency: { a: 1 } }), { code: 14 });
      await assert.rejects(db.command({ checkMetadataConsistency: 1, unknown: 1 }), {
        code: 40415,
      });
    });
  });

  describe('settings of the cluster', () => {
    it('keeps cluster parameters at the config server, and goes by them', async () => {
      const get = async (): Promise<Document> =>
        (await admin({ getClusterParameter: 'defaultMaxTimeMS' }))['clusterParameters'][0];
      assert.equal(Number((await get())['readOperations']), 0);
      await db.collection('slow').insertMany(many(10));
      const slow = () => db.collection('slow').find({ $where: 'sleep(100) || true' }).toArray();
      assert.equal((await slow()).length, 10);
      await admin({ setClusterParameter: { defaultMaxTimeMS: { readOperations: 50 } } });
      assert.equal(Number((await get())['readOperations']), 50);
      await assert.rejects(slow(), { code: 50 });
      await admin({ setClusterParameter: { defaultMaxTimeMS: { readOperations: 0 } } });
      assert.equal((await slow()).length, 10);
      await assert.rejects(admin({ getClusterParameter: 'nothing' }), { code: 4 });
      await assert.rejects(admin({ setClusterParameter: { nothing: {} } }), { code: 4 });
    });

    it('has default concerns that writes without one get', async () => {
      const before = await admin({ getDefaultRWConcern: 1 });
      assert.deepEqual(before['defaultReadConcern'], { level: 'local' });
      assert.equal(before['defaultWriteConcernSource'], 'implicit');
      const set = (fields: Document) => admin({ setDefaultRWConcern: 1, ...fields });
      await assert.rejects(set({}), { code: 2 });
      await assert.rejects(set({ defaultReadConcern: { level: 'snapshot' } }), { code: 2 });
      await assert.rejects(set({ defaultWriteConcern: { w: 0 } }), { code: 2 });
      await assert.rejects(set({ defaultWriteConcern: { w: 2 } }), { code: 2 });
      const journaled = { w: 'majority', j: true, wtimeout: 0 };
      const after = await set({
        defaultReadConcern: { level: 'majority' },
        defaultWriteConcern: { w: 'majority', j: true },
      });
      assert.deepEqual(after['defaultReadConcern'], { level: 'majority' });
      assert.deepEqual(after['defaultWriteConcern'], journaled);
      assert.equal(after['defaultWriteConcernSource'], 'global');
      assert.ok(after['updateWallClockTime'] instanceof Date);
      await db.collection('plain').insertOne({ a: 1 });
      await db.collection('plain').updateOne({ a: 1 }, { $set: { b: 1 } });
      await db.collection('plain').createIndex({ a: 1 });
      await assert.rejects(set({ defaultWriteConcern: {} }), { code: 20 });
      const again = await set({ defaultReadConcern: {}, defaultWriteConcern: { w: 1 } });
      assert.deepEqual(again['defaultReadConcern'], { level: 'local' });
      assert.deepEqual(
        (await stale.db('admin').command({ getDefaultRWConcern: 1 }))['defaultWriteConcern'],
        { w: 1, wtimeout: 0 },
      );
    });

    it('knows the routers that are there', async () => {
      const names = () => metadata('mongos').find().toArray();
      for (let round = 0; round < 100 && (await names()).length < 2; round += 1) {
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      const ports = (await names()).map(({ _id }) => Number(String(_id).split(':').at(-1)));
      assert.deepEqual(new Set(ports), new Set(cluster.routers.map(({ port }) => port)));
    });
  });

  describe('orphaned documents', () => {
    it('stay for as long as an operator wants, and are waited for', async () => {
      const namespace = `${database}.orphans`;
      await admin({ shardCollection: namespace, key: { a: 1 } });
      await admin({ split: namespace, middle: { a: 0 } });
      await db.collection<Document>('orphans').insertMany(many(20));
      const donor = cluster.onShard(0);
      const left = () => donor.db(database).collection('orphans').countDocuments();
      const delay = (orphanCleanupDelaySecs: number) =>
        donor.db('admin').command({ setParameter: 1, orphanCleanupDelaySecs });
      await delay(1000);
      await admin({ moveChunk: namespace, find: { a: 1 }, to: 'shard1' });
      await new Promise((resolve) => setTimeout(resolve, 300));
      assert.equal(await left(), 20);
      assert.equal(await db.collection('orphans').countDocuments(), 20);
      await delay(0);
      const cleanup = (ns: string, more: Document = {}) =>
        donor.db('admin').command({ cleanupOrphaned: ns, ...more });
      assert.equal((await cleanup(namespace))['ok'], 1);
      assert.equal(await left(), 0);
      assert.equal((await cleanup(`${database}.nothing`))['ok'], 1);
      await assert.rejects(cleanup(namespace, { startingFromKey: { b: 1 } }), { code: 265 });
      await assert.rejects(cleanup('nonsense'), { code: 73 });
      await assert.rejects(delay(-1), { code: 2 });
      await delay(1000);
      await admin({ moveChunk: namespace, find: { a: -1 }, to: 'shard1', _waitForDelete: true });
      await delay(0);
    });
  });

  it('is shown by mongosh', async function () {
    this.timeout(60_000);
    const namespace = `${database}.shown`;
    await admin({ shardCollection: namespace, key: { a: 1 } });
    await admin({ split: namespace, middle: { a: 0 } });
    const text = await runMongosh(cluster.routers[0].uri, 'sh.status()');
    for (const part of ['shards', 'active mongoses', 'balancer', 'databases']) {
      assert.match(text, new RegExp(`^${part}$`, 'm'));
    }
    assert.match(text, /'8\.0\.\d+': 2/);
    assert.ok(text.includes(`'${namespace}': {`));
    assert.match(text, /chunkMetadata: \[ \{ shard: 'shard0', nChunks: 2 \} \]/);
  });

  it('has no resharding under way, and says so', async () => {
    const namespace = `${database}.resharded`;
    await admin({ shardCollection: namespace, key: { a: 1 } });
    await assert.rejects(admin({ abortReshardCollection: namespace }), { code: 339 });
    await assert.rejects(admin({ commitReshardCollection: namespace }), { code: 339 });
    assert.equal((await admin({ cleanupReshardCollection: namespace }))['ok'], 1);
    const asked = admin({ reshardCollection: namespace, key: { b: 1 } });
    await assert.rejects(asked, { code: 59, message: /reshardCollection/ });
  });
});
