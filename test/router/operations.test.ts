/**
 * Cursors that wait on a shard, and running operations of shards seen and ended through the router.
 */
import assert from 'node:assert/strict';
import {
  type Collection,
  Long,
  MongoClient,
  type Db,
  type Document,
  type MongoServerError,
} from 'mongodb';
import { startCluster } from '../../client/index.ts';

const byText = (a: string, b: string): number => (a < b ? -1 : 1);

describe('operations of shards through a router', () => {
  let cluster: Awaited<ReturnType<typeof startCluster>>;
  let client: MongoClient;
  let admin: Db;
  let db: Db;

  before(async () => {
    cluster = await startCluster({ shards: 2, args: ['--testing'] });
    client = await new MongoClient(cluster.uri).connect();
    admin = client.db('admin');
    db = client.db('operations');
    await admin.command({ enableSharding: 'operations', primaryShard: 'shard2' });
    await admin.command({ shardCollection: 'operations.spread', key: { k: 'hashed' } });
    await db.collection('spread').insertMany(Array.from({ length: 20 }, (_, k) => ({ k })));
  });
  after(async () => {
    await client.close();
    await cluster.stop();
  });

  let next = 0;
  async function capped(count: number): Promise<string> {
    next += 1;
    const name = `capped${next}`;
    await db.createCollection(name, { capped: true, size: 4096 });
    if (count > 0) {
      const documents = Array.from({ length: count }, (_, _id) => ({ _id: _id as never }));
      await db.collection(name).insertMany(documents);
    }
    return name;
  }

  async function tailing(name: string, fields: Document): Promise<Long> {
    const { cursor } = await db.command({ find: name, tailable: true, ...fields });
    return Long.fromBits(cursor.id.low, cursor.id.high);
  }

  const batchOf = (reply: Document): unknown[] =>
    reply['cursor'].nextBatch.map(({ _id }: Document) => _id);

  describe('a tailable cursor', () => {
    it('stays open at the end, and gives what is added', async () => {
      const name = await capped(2);
      const { cursor } = await db.command({ find: name, tailable: true });
      assert.equal(cursor.firstBatch.length, 2);
      const more = { getMore: Long.fromValue(cursor.id), collection: name };
      const empty = await db.command(more);
      assert.deepEqual(batchOf(empty), []);
      assert.equal(String(empty['cursor'].id), String(cursor.id));
      await db.collection(name).insertMany([{ _id: 2 as never }, { _id: 3 as never }]);
      assert.deepEqual(batchOf(await db.command(more)), [2, 3]);
      assert.deepEqual(batchOf(await db.command(more)), []);
    });

    it('of an empty collection is over at once, as on one server', async () => {
      const { cursor } = await db.command({ find: await capped(0), tailable: true });
      assert.equal(Number(cursor.id), 0);
    });

    it('waits for data on the shard', async () => {
      const name = await capped(1);
      const id = await tailing(name, { awaitData: true });
      const waiting = db.command({ getMore: id, collection: name, maxTimeMS: 8_000 });
      const begin = performance.now();
      await new Promise((resolve) => setTimeout(resolve, 200));
      await db.collection(name).insertOne({ _id: 9 as never });
      assert.deepEqual(batchOf(await waiting), [9]);
      assert.ok(performance.now() - begin < 4_000, 'the document came long before the time was up');
    });

    it('waits no longer than asked', async () => {
      const name = await capped(1);
      const id = await tailing(name, { awaitData: true });
      const begin = performance.now();
      const reply = await db.command({ getMore: id, collection: name, maxTimeMS: 150 });
      assert.deepEqual(batchOf(reply), []);
      const elapsedMs = performance.now() - begin;
      assert.ok(elapsedMs >= 140 && elapsedMs < 5_000, `it took ${elapsedMs} ms`);
      assert.notEqual(Number(reply['cursor'].id), 0);
    });

    it('is refused where nothing is capped, sharded or not', async () => {
      await db.collection('plain').insertOne({});
      for (const name of ['plain', 'spread']) {
        await assert.rejects(db.command({ find: name, tailable: true }), { code: 2 });
      }
    });

    it('ends on the shard with its own', async () => {
      const name = await capped(1);
      const id = await tailing(name, { awaitData: true });
      const shard = await new MongoClient(cluster.uriOf('shard2')).connect();
      try {
        const open = async (): Promise<number> => {
          const { metrics } = await shard.db('admin').command({ serverStatus: 1 });
          return Number(metrics.cursor.open.total);
        };
        const before = await open();
        await db.command({ killCursors: name, cursors: [id] });
        const until = performance.now() + 4_000;
        while ((await open()) >= before && performance.now() < until) {
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
        assert.equal(await open(), before - 1);
      } finally {
        await shard.close();
      }
    });
  });

  describe('a running operation', () => {
    async function shown(list: () => Promise<Document[]>): Promise<Document> {
      const until = performance.now() + 4_000;
      for (;;) {
        const found = (await list()).find(
          ({ op, command }) => op === 'getmore' && String(command.collection).startsWith('capped'),
        );
        if (found !== undefined) return found;
        if (performance.now() > until) assert.fail('the operation is not shown');
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }

    it('is shown by currentOp and $currentOp with its shard, and ended by killOp', async () => {
      const name = await capped(1);
      const id = await tailing(name, { awaitData: true });
      const waiting = db.command({ getMore: id, collection: name, maxTimeMS: 9_000 }).then(
        () => undefined,
        (error: MongoServerError) => error,
      );
      const byCommand = await shown(
        async () => (await admin.command({ currentOp: 1, ns: `operations.${name}` }))['inprog'],
      );
      const byStage = await shown(() =>
        admin.aggregate([{ $currentOp: {} }, { $match: { shard: 'shard2' } }]).toArray(),
      );
      for (const entry of [byCommand, byStage]) {
        assert.equal(entry['shard'], 'shard2');
        assert.match(entry['opid'], /^shard2:\d+$/);
        assert.equal(typeof entry['client_s'], 'string');
        assert.equal('client' in entry, false);
      }
      const begin = performance.now();
      const killed = await admin.command({ killOp: 1, op: byCommand['opid'] });
      assert.equal(killed['shard'], 'shard2');
      assert.equal(`shard2:${killed['shardid']}`, byCommand['opid']);
      const error = await waiting;
      assert.equal(error?.code, 11_601);
      assert.ok(performance.now() - begin < 5_000, 'it ended at once');
    });

    it('of the router itself is shown with localOps, and has a number', async () => {
      const own = await admin.aggregate([{ $currentOp: { localOps: true } }]).toArray();
      assert.ok(own.length > 0);
      for (const entry of own.filter(({ type }) => type === 'op')) {
        assert.equal(typeof entry['opid'], 'number');
        assert.equal('shard' in entry, false);
      }
      const killed = await admin.command({ killOp: 1, op: 987_654 });
      assert.equal(killed['info'], 'attempting to kill op');
    });

    it('is not found under a name of another form', async () => {
      for (const op of ['shard2', ':1', 'shard2:', '']) {
        await assert.rejects(admin.command({ killOp: 1, op }), { code: 28_625 });
      }
      await assert.rejects(admin.command({ killOp: 1, op: 'nobody:1' }), {
        codeName: 'ShardNotFound',
      });
      await assert.rejects(admin.command({ killOp: 1, op: 'shard2:x' }), {
        codeName: 'FailedToParse',
      });
      await assert.rejects(admin.command({ killOp: 1, op: {} }), { codeName: 'TypeMismatch' });
    });
  });

  describe('what shards tell of themselves', () => {
    it('names the shard: $indexStats, $collStats, $listCatalog', async () => {
      const shardsOf = async (stage: Document): Promise<unknown[]> => {
        const entries = await db.collection('spread').aggregate([stage]).toArray();
        return [...new Set(entries.map(({ shard }) => String(shard)))].toSorted(byText);
      };
      for (const stage of [
        { $indexStats: {} },
        { $collStats: { count: {} } },
        { $listCatalog: {} },
      ]) {
        assert.deepEqual(await shardsOf(stage), ['shard1', 'shard2'], JSON.stringify(stage));
      }
      const all = await admin.aggregate([{ $listCatalog: {} }]).toArray();
      const spread = all.filter(({ ns }) => ns === 'operations.spread');
      assert.deepEqual(spread.map(({ shard }) => String(shard)).toSorted(byText), [
        'shard1',
        'shard2',
      ]);
    });
  });

  describe('a router', () => {
    it('tells of itself as mongos does: serverStatus, connPoolStats, profile', async () => {
      const status = await admin.command({ serverStatus: 1 });
      assert.equal(status['process'], 'mongos');
      assert.equal('storageEngine' in status, false);
      assert.match(status['sharding'].configsvrConnectionString, /^127\.0\.0\.1:\d+$/);
      assert.ok(status['shardingStatistics'].catalogCache.numCollectionEntries > 0);
      const without = await admin.command({ serverStatus: 1, sharding: 0, metrics: 0 });
      assert.equal('sharding' in without || 'metrics' in without, false);
      const pools = await admin.command({ connPoolStats: 1 });
      assert.equal(Object.keys(pools['hosts']).length, 3);
      assert.ok(pools['totalCreated'] >= 3);
      assert.equal(pools['totalCreated'], pools['pools']['flints-shards'].poolCreated);
      assert.equal((await db.command({ profile: -1 }))['was'], 0);
      await assert.rejects(db.command({ profile: 1 }), { codeName: 'BadValue' });
      await assert.rejects(admin.command({ replSetGetStatus: 1 }), {
        message: 'replSetGetStatus is not supported through mongos',
      });
    });

    it('passes on what all servers have to do, and puts together what they find', async () => {
      const set = { setFeatureCompatibilityVersion: '8.0', confirm: true };
      assert.equal((await admin.command(set))['ok'], 1);
      await assert.rejects(admin.command({ ...set, setFeatureCompatibilityVersion: '3.0' }));
      await db.collection('texts').createIndex({ word: 'text' });
      const found = await admin.command({
        validateDBMetadata: 1,
        apiParameters: { version: '1', strict: true },
        db: 'operations',
      });
      assert.ok(found['apiVersionErrors'].length > 0);
      await assert.rejects(db.command({ createSearchIndexes: 'x', indexes: [] }), {
        codeName: 'SearchNotEnabled',
      });
    });

    it('explains a pipeline by its own option', async () => {
      const pipeline = [{ $match: { k: 1 } }, { $group: { _id: '$k' } }];
      const asked = { aggregate: 'spread', pipeline, explain: true };
      assert.ok('shards' in (await db.command(asked)));
      const documents = { aggregate: 1, pipeline: [{ $documents: [{ a: 1 }] }], cursor: {} };
      assert.equal((await admin.command({ explain: documents }))['ok'], 1);
    });
  });

  describe('query settings', () => {
    const shape = { find: 'settled', filter: { a: 1, b: { $gt: 2 } }, $db: 'operations' };
    let settled: Collection;

    before(async () => {
      settled = db.collection('settled');
      await settled.insertMany(Array.from({ length: 20 }, (_, a) => ({ a, b: a })));
      await settled.createIndexes([{ key: { a: 1 } }, { key: { b: 1 } }]);
    });
    afterEach(() => admin.command({ removeQuerySettings: shape }));

    const allow = (allowedIndexes: unknown[]): Document => ({
      indexHints: { ns: { db: 'operations', coll: 'settled' }, allowedIndexes },
    });
    const plan = async (a: number): Promise<string> => {
      const explained = await settled.find({ b: { $gt: a }, a }).explain('queryPlanner');
      return JSON.stringify(explained['queryPlanner'].winningPlan);
    };

    it('let queries of one shape use the indexes that they name, and no others', async () => {
      assert.match(await plan(3), /"indexName":"a_1"/);
      const set = { setQuerySettings: shape, settings: allow(['b_1']) };
      const { queryShapeHash } = await admin.command(set);
      assert.match(queryShapeHash, /^[0-9A-F]{64}$/);
      assert.match(await plan(3), /"indexName":"b_1"/);
      assert.equal((await settled.find({ a: 7, b: { $gt: 5 } }).toArray()).length, 1);
      const shown = await admin.aggregate([{ $querySettings: {} }]).toArray();
      assert.deepEqual(shown, [
        { queryShapeHash, settings: allow(['b_1']), representativeQuery: shape },
      ]);
      await admin.command({
        ...set,
        setQuerySettings: queryShapeHash,
        settings: allow([{ a: 1 }]),
      });
      assert.match(await plan(3), /"indexName":"a_1"/);
      await admin.command({ ...set, settings: allow(['none']) });
      assert.match(await plan(3), /"indexName":"a_1"/);
      await admin.command({ removeQuerySettings: queryShapeHash });
      assert.deepEqual(await admin.aggregate([{ $querySettings: {} }]).toArray(), []);
    });

    it('refuse queries of one shape, finds, distincts and pipelines', async () => {
      const settings = { reject: true };
      await admin.command({ setQuerySettings: shape, settings });
      const rejected = { code: 411 };
      await assert.rejects(settled.find({ a: 9, b: { $gt: 1 } }).toArray(), rejected);
      await settled.find({ a: 9, b: { $lt: 1 } }).toArray();
      await settled.find({ a: 9, b: { $gt: 1 } }).explain('queryPlanner');
      const others = [
        { distinct: 'settled', key: 'a', query: { a: 1 }, $db: 'operations' },
        {
          aggregate: 'settled',
          pipeline: [{ $match: { a: 1 } }, { $limit: 3 }],
          cursor: {},
          $db: 'operations',
        },
      ];
      for (const other of others) {
        await admin.command({ setQuerySettings: other, settings });
      }
      await assert.rejects(settled.distinct('a', { a: 5 }), rejected);
      const pipeline = (limit: number): Document[] => [{ $match: { a: 4 } }, { $limit: limit }];
      await assert.rejects(settled.aggregate(pipeline(7)).toArray(), rejected);
      for (const other of others) await admin.command({ removeQuerySettings: other });
      assert.equal((await settled.aggregate(pipeline(7)).toArray()).length, 1);
    });

    it('are refused when they are wrong', async () => {
      const set = (query: unknown, settings: Document): Promise<Document> =>
        admin.command({ setQuerySettings: query, settings });
      await assert.rejects(set(shape, {}), { code: 7_746_604 });
      await assert.rejects(set(shape, { nope: 1 }), { codeName: 'IDLUnknownField' });
      await assert.rejects(set('A'.repeat(64), { reject: true }), { code: 7_746_401 });
      await assert.rejects(set({ ...shape, filter: { _id: 3 } }, { reject: true }), {
        code: 7_746_606,
      });
      await assert.rejects(set({ ...shape, $db: 'admin' }, { reject: true }), { code: 8_584_900 });
      await assert.rejects(set({ ...shape, find: 'system.x' }, { reject: true }), {
        code: 8_584_901,
      });
      await assert.rejects(set(shape, { indexHints: { ns: {}, allowedIndexes: [] } }), {
        code: 8_727_500,
      });
      const twice = [allow(['a_1'])['indexHints'], allow(['b_1'])['indexHints']];
      await assert.rejects(set(shape, { indexHints: twice }), { code: 7_746_608 });
      await assert.rejects(set({ count: 'settled', $db: 'operations' }, { reject: true }));
    });
  });

  describe('the writes of users', () => {
    const blocking = (global: boolean): Promise<Document> =>
      admin.command({ setUserWriteBlockMode: 1, global });
    const refused = { code: 371 };

    afterEach(() => blocking(false));

    it('are blocked on all shards, of all kinds, and reads are not', async () => {
      const name = await capped(1);
      await blocking(true);
      await blocking(true);
      const spread = db.collection('spread');
      const attempts: (() => Promise<unknown>)[] = [
        () => spread.insertOne({ k: 100 }),
        () => spread.updateOne({ k: 1 }, { $set: { x: 1 } }),
        () => spread.updateMany({}, { $set: { x: 1 } }),
        () => spread.deleteMany({}),
        () => spread.findOneAndUpdate({ k: 2 }, { $set: { x: 1 } }),
        () => spread.aggregate([{ $out: 'copied' }]).toArray(),
        () => spread.createIndex({ x: 1 }),
        () => spread.drop(),
        () => db.createCollection('new'),
        () => db.dropDatabase(),
        () => db.renameCollection(name, 'other'),
        () => db.renameCollection('spread', 'other'),
        () => db.command({ collMod: 'spread', validator: {} }),
      ];
      for (const attempt of attempts) await assert.rejects(attempt(), refused, String(attempt));
      assert.equal(await spread.countDocuments(), 20);
      await client.db('config').collection('settings').countDocuments();
      await blocking(false);
      await spread.updateMany({}, { $set: { x: 1 } });
      assert.equal(await spread.countDocuments({ x: 1 }), 20);
    });

    it('stay blocked when a shard starts again, and chunks move all the same', async () => {
      await admin.command({ shardCollection: 'operations.moved', key: { k: 1 } });
      await db.collection('moved').insertMany([{ k: 1 }, { k: 2 }]);
      await blocking(true);
      const to = 'shard1';
      await admin.command({ moveChunk: 'operations.moved', find: { k: 1 }, to });
      await cluster.kill('shard2');
      await cluster.start('shard2');
      await assert.rejects(db.collection('plain').insertOne({}), refused);
      assert.equal(await db.collection('moved').countDocuments(), 2);
    });

    it('are asked about with a boolean', async () => {
      await assert.rejects(admin.command({ setUserWriteBlockMode: 1 }));
      await assert.rejects(admin.command({ setUserWriteBlockMode: 1, global: 3 }), {
        codeName: 'TypeMismatch',
      });
    });
  });
});
