import assert from 'node:assert/strict';
import { MaxKey, UUID, type Document, type MongoServerError } from 'mongodb';
import { TestCluster } from '../../support/cluster.ts';

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe('chunk migration', () => {
  let cluster: TestCluster;

  before('start a config server and two shards', async () => {
    cluster = await TestCluster.start(2);
  });
  after('end them', () => cluster.stop());

  /** {a: 1} with the chunks below 0 and from 0 on, both on s0. */
  async function shardedCollection(count: number): Promise<string> {
    const namespace = `${await cluster.freshDatabase()}.things`;
    await cluster.admin({ _configsvrShardCollection: namespace, key: { a: 1 } });
    await cluster.admin({ _configsvrSplit: namespace, middle: { a: 0 } });
    const documents = Array.from({ length: count }, (_, index) => ({
      _id: index,
      a: index - count / 2,
      text: 'x'.repeat(100),
    }));
    if (count > 0) await cluster.routed('s0', namespace, { insert: 'things', documents });
    return namespace;
  }

  function move(namespace: string, toShard: string, more: Document = {}): Promise<Document> {
    return cluster.admin({ _configsvrMoveRange: namespace, min: { a: 0 }, toShard, ...more });
  }

  /** What routers see on each shard. */
  async function idsOn(namespace: string, shard: string): Promise<number[]> {
    const reply = await cluster.routed(shard, namespace, {
      find: 'things',
      sort: { a: 1 },
      batchSize: 100_000,
    });
    return reply['cursor'].firstBatch.map(({ _id }: Document) => _id);
  }

  function stored(namespace: string, shard: string): Promise<number> {
    const [database] = namespace.split('.');
    return cluster.shard(shard).client.db(database).collection('things').countDocuments();
  }

  async function ownerOf(namespace: string): Promise<string> {
    const collection = await cluster.metadata
      .collection<{ _id: string; uuid: unknown }>('collections')
      .findOne({ _id: namespace });
    const chunk = await cluster.metadata
      .collection('chunks')
      .findOne({ uuid: collection?.uuid, 'min.a': 0 });
    return chunk?.['shard'];
  }

  /** Owner and version of the moving chunk, from one reading of the chunks. */
  async function routeOf(namespace: string): Promise<{ shard: string; shardVersion: Document }> {
    const collection = await cluster.metadata
      .collection<Document & { _id: string }>('collections')
      .findOne({ _id: namespace });
    const chunks = await cluster.metadata
      .collection('chunks')
      .find({ uuid: collection?.['uuid'] })
      .sort({ lastmod: -1 })
      .toArray();
    const shard = chunks.find(({ max }) => typeof max.a === 'object')?.['shard'];
    const newest = chunks.find((chunk) => chunk['shard'] === shard);
    const e = collection?.['lastmodEpoch'];
    const t = collection?.['timestamp'];
    return { shard, shardVersion: { e, t, v: newest?.['lastmod'] } };
  }

  /** Until nothing is left of migrations anywhere. */
  async function settled(): Promise<void> {
    for (let round = 0; round < 150; round += 1) {
      const counts = await Promise.all(
        cluster.shards.flatMap(({ client }) =>
          ['rangeDeletions', 'migrationCoordinators'].map((name) =>
            client.db('config').collection(name).countDocuments(),
          ),
        ),
      );
      if (counts.every((count) => count === 0)) return;
      await sleep(100);
    }
    throw new Error('migrations are not settled');
  }

  it('moves the documents of a range and nothing else, and removes them where they were', async () => {
    const namespace = await shardedCollection(100);
    await move(namespace, 's1', { waitForDelete: true });
    assert.deepEqual(
      await idsOn(namespace, 's0'),
      Array.from({ length: 50 }, (_, index) => index),
    );
    assert.deepEqual(
      await idsOn(namespace, 's1'),
      Array.from({ length: 50 }, (_, index) => index + 50),
    );
    await settled();
    assert.equal(await stored(namespace, 's0'), 50);
    assert.equal(await stored(namespace, 's1'), 50);
    await move(namespace, 's0', { waitForDelete: true });
    await settled();
    assert.equal((await idsOn(namespace, 's0')).length, 100);
    assert.equal(await stored(namespace, 's1'), 0);
  });

  it('gives a shard that had no chunks the definition of now, not the one it remembers', async () => {
    const namespace = await shardedCollection(20);
    const definition = async (shard: string): Promise<unknown> => {
      const [database] = namespace.split('.');
      const db = cluster.shard(shard).client.db(database);
      const [{ options }] = await db.listCollections({}, { nameOnly: false }).toArray();
      return { options, indexes: await db.collection('things').indexes() };
    };
    const onOwner = (command: Document): Promise<Document> =>
      cluster.routed('s0', namespace, command);
    const expiring = { key: { text: 1 }, name: 'expiring', expireAfterSeconds: 100 };
    const changing = { key: { b: 1 }, name: 'changing' };
    await onOwner({ createIndexes: 'things', indexes: [expiring, changing] });
    await move(namespace, 's1', { waitForDelete: true });
    await move(namespace, 's0', { waitForDelete: true });
    await settled();
    await onOwner({ dropIndexes: 'things', index: ['expiring', 'changing'] });
    await onOwner({
      createIndexes: 'things',
      indexes: [
        { key: { b: -1 }, name: 'changing' },
        { key: { c: 1 }, name: 'new' },
      ],
    });
    await onOwner({ collMod: 'things', validator: { a: { $exists: true } } });
    await move(namespace, 's1', { waitForDelete: true });
    assert.deepEqual(await definition('s1'), await definition('s0'));
  });

  it('counts what it has cost', async () => {
    const namespace = await shardedCollection(100);
    const { client } = cluster.shard('s0');
    const statistics = async (): Promise<Document> =>
      (await client.db('admin').command({ serverStatus: 1 }))['shardingStatistics'];
    const before = await statistics();
    await move(namespace, 's1');
    await assert.rejects(move(namespace, 'nowhere'));
    const after = await statistics();
    const grown = (name: string): number => Number(after[name]) - Number(before[name]);
    assert.equal(grown('countDonorMoveChunkStarted'), 1);
    assert.equal(grown('countDonorMoveChunkCommitted'), 1);
    assert.equal(grown('countDonorMoveChunkAborted'), 0);
    assert.equal(grown('countDocsClonedOnDonor'), 50);
    assert.ok(grown('countBytesClonedOnDonor') > 5_000);
    assert.ok(grown('totalCriticalSectionTimeMillis') > 0);
    const ofConfig = await cluster.admin({ serverStatus: 1 });
    assert.equal(ofConfig['shardingStatistics'], undefined);
    await settled();
  });

  it('makes versions of before stale on both shards', async () => {
    const namespace = await shardedCollection(10);
    const before = await cluster.versions(namespace, 's0');
    await move(namespace, 's1');
    const [database] = namespace.split('.');
    for (const command of [
      { find: 'things' },
      { insert: 'things', documents: [{ a: 5 }] },
      { update: 'things', updates: [{ q: { a: 5 }, u: { $set: { b: 1 } } }] },
    ]) {
      await assert.rejects(
        cluster
          .shard('s0')
          .client.db(database)
          .command({ ...command, ...before }),
        ({ code, errorResponse }: MongoServerError) =>
          code === 13388 && errorResponse['vWanted'].v.high === 2,
      );
    }
    await settled();
  });

  it('moves a part of a chunk', async () => {
    const namespace = await shardedCollection(100);
    await move(namespace, 's1', { min: { a: 10 }, max: { a: 20 }, waitForDelete: true });
    const moved = await idsOn(namespace, 's1');
    assert.deepEqual(
      moved,
      Array.from({ length: 10 }, (_, index) => index + 60),
    );
    assert.equal((await idsOn(namespace, 's0')).length, 90);
    await settled();
  });

  it('takes nothing away from a cursor that was open before', async () => {
    const namespace = await shardedCollection(100);
    const [database] = namespace.split('.');
    const { cursor } = await cluster.routed('s0', namespace, { find: 'things', batchSize: 10 });
    await move(namespace, 's1');
    await sleep(300);
    assert.equal(await stored(namespace, 's0'), 100);
    const rest = await cluster
      .shard('s0')
      .client.db(database)
      .command({ getMore: cursor.id, collection: 'things', batchSize: 1000 });
    assert.equal(rest['cursor'].nextBatch.length, 90);
    await settled();
    assert.equal(await stored(namespace, 's0'), 50);
  });

  it('waits for the removal of its own range, not for others that a cursor holds up', async () => {
    const held = await shardedCollection(100);
    const [database] = held.split('.');
    const { cursor } = await cluster.routed('s0', held, { find: 'things', batchSize: 10 });
    await move(held, 's1');
    const namespace = await shardedCollection(20);
    await move(namespace, 's1', { waitForDelete: true });
    assert.equal(await stored(namespace, 's0'), 10);
    assert.equal(await stored(held, 's0'), 100);
    await cluster
      .shard('s0')
      .client.db(database)
      .command({ killCursors: 'things', cursors: [cursor.id] });
    await settled();
  });

  it('begins nothing on the other shard that comes after its own end', async () => {
    const namespace = await shardedCollection(4);
    const collection = await cluster.metadata
      .collection<{ _id: string; uuid: unknown }>('collections')
      .findOne({ _id: namespace });
    const admin = cluster.shard('s1').client.db('admin');
    const migrationId = new UUID();
    await admin.command({
      _shardsvrFinishReceive: 1,
      migrationId,
      ns: namespace,
      committed: false,
    });
    const late = {
      _shardsvrStartReceive: 1,
      migrationId,
      ns: namespace,
      uuid: collection?.uuid,
      options: {},
      indexes: [{ v: 2, key: { _id: 1 }, name: '_id_' }],
      keyPattern: { a: 1 },
      min: { a: 0 },
      max: { a: new MaxKey() },
      fromShard: 's0',
    };
    await assert.rejects(admin.command(late), { code: 117 });
    await settled();
    await move(namespace, 's1', { waitForDelete: true });
    await settled();
  });

  it('refuses what it cannot move', async () => {
    const namespace = await shardedCollection(4);
    await assert.rejects(move(namespace, 'nowhere'), { code: 70 });
    await assert.rejects(move(namespace, 's1', { min: { a: -5 }, max: { a: 5 } }), { code: 72 });
    await assert.rejects(
      cluster.admin({
        _configsvrMoveChunk: namespace,
        bounds: [{ a: 0 }, { a: 7 }],
        to: 's1',
      }),
      { code: 20 },
    );
    await cluster.admin({ _configsvrMoveChunk: namespace, find: { a: 1 }, to: 's1' });
    assert.equal(await ownerOf(namespace), 's1');
    await settled();
  });

  it('gives a range to nobody who lacks an index that was made meanwhile', async () => {
    const namespace = await shardedCollection(3000);
    const [database] = namespace.split('.');
    const moving = move(namespace, 's1').catch(() => {});
    await cluster.shard('s0').client.db(database).collection('things').createIndex({ text: 1 });
    await moving;
    const owner = cluster.shard(await ownerOf(namespace)).client.db(database);
    const names = (await owner.collection('things').indexes()).map(({ name }) => name);
    assert.ok(names.includes('text_1'));
    await settled();
  });

  it('takes no document of another shard, whatever the router says', async () => {
    const namespace = await shardedCollection(10);
    await move(namespace, 's1');
    const reply = await cluster.routed('s0', namespace, {
      insert: 'things',
      documents: [
        { _id: 'here', a: -100 },
        { _id: 'there', a: 100 },
      ],
    });
    assert.equal(reply['n'], 1);
    assert.equal(reply['writeErrors'][0].code, 13388);
    await settled();
  });

  it('lets an update not move a document to another shard', async () => {
    const namespace = await shardedCollection(10);
    await move(namespace, 's1');
    const update = (a: number) =>
      cluster.routed('s0', namespace, {
        update: 'things',
        updates: [{ q: { a: -1 }, u: { $set: { a } } }],
      });
    assert.equal((await update(5))['writeErrors'][0].code, 283);
    assert.equal((await update(-2))['nModified'], 1);
    await settled();
  });

  it('fails, and moves nothing, when the other shard has a document with the same _id', async () => {
    const namespace = await shardedCollection(10);
    await move(namespace, 's1', { min: { a: 3 }, waitForDelete: true });
    await cluster.routed('s1', namespace, { insert: 'things', documents: [{ _id: 5, a: 4 }] });
    await assert.rejects(move(namespace, 's1', { max: { a: 3 } }), { code: 11000 });
    assert.equal(await ownerOf(namespace), 's0');
    await settled();
    assert.ok((await idsOn(namespace, 's0')).includes(5));
    assert.equal((await idsOn(namespace, 's1')).length, 3);
  });

  /** Writes through a router's eyes, trying again whatever is stale or gone, until it is told to stop. */
  async function writeUntil(
    namespace: string,
    writer: number,
    isOver: () => boolean,
  ): Promise<Map<number, number>> {
    const [database] = namespace.split('.');
    const expected = new Map<number, number>();
    for (let count = 0; !isOver(); count += 1) {
      const _id = 100_000 + writer * 10_000 + (count % 50);
      const value = count;
      for (;;) {
        try {
          const { shard, shardVersion } = await routeOf(namespace);
          const reply = await cluster
            .shard(shard)
            .client.db(database)
            .command({
              update: 'things',
              updates: [{ q: { _id, a: _id }, u: { $set: { value } }, upsert: true }],
              writeConcern: { j: true },
              shardVersion,
            });
          if (reply['writeErrors'] === undefined) break;
        } catch {
          await sleep(20);
        }
      }
      expected.set(_id, value);
    }
    return expected;
  }

  async function checkAll(
    namespace: string,
    expected: readonly Map<number, number>[],
  ): Promise<void> {
    const found = new Map<number, number>();
    for (const { name } of cluster.shards) {
      const { cursor } = await cluster.routed(name, namespace, {
        find: 'things',
        filter: { a: { $gte: 100_000 } },
        batchSize: 100_000,
      });
      for (const { _id, value } of cursor.firstBatch) {
        assert.equal(found.has(_id), false, `${_id} is there twice`);
        found.set(_id, value);
      }
    }
    for (const writes of expected) {
      for (const [_id, value] of writes) assert.equal(found.get(_id), value, `document ${_id}`);
    }
  }

  it('loses no write that is made while chunks move to and fro', async () => {
    const namespace = await shardedCollection(200);
    let isOver = false;
    const writers = [0, 1, 2, 3].map((writer) => writeUntil(namespace, writer, () => isOver));
    for (const toShard of ['s1', 's0', 's1', 's0', 's1']) {
      await move(namespace, toShard, { waitForDelete: true });
    }
    isOver = true;
    await checkAll(namespace, await Promise.all(writers));
    await settled();
    const rest = (await idsOn(namespace, 's0')).length + (await idsOn(namespace, 's1')).length;
    assert.ok(rest >= 200);
    assert.equal((await stored(namespace, 's0')) + (await stored(namespace, 's1')), rest);
  });

  for (const victim of ['s0', 's1', 'config'] as const) {
    it(`survives kill -9 of ${victim} at any moment, and loses no write`, async function () {
      this.timeout(60_000);
      const namespace = await shardedCollection(400);
      let isOver = false;
      const writers = [0, 1].map((writer) => writeUntil(namespace, writer, () => isOver));
      for (const delayMs of [5, 40, 120]) {
        const from = await ownerOf(namespace);
        const moving = move(namespace, from === 's0' ? 's1' : 's0').catch(() => {});
        await sleep(delayMs);
        const { program } = victim === 'config' ? cluster.config : cluster.shard(victim);
        await program.kill();
        await program.restart();
        await moving;
        await settled();
      }
      isOver = true;
      await checkAll(namespace, await Promise.all(writers));
      const rest = (await idsOn(namespace, 's0')).length + (await idsOn(namespace, 's1')).length;
      assert.equal((await stored(namespace, 's0')) + (await stored(namespace, 's1')), rest);
    });
  }
});
