import assert from 'node:assert/strict';
import { ObjectId, Timestamp, type Document, type MongoServerError } from 'mongodb';
import { TestCluster, UNSHARDED } from '../../support/cluster.ts';

describe('versions that a shard checks', () => {
  let cluster: TestCluster;

  before('start a config server and two shards', async () => {
    cluster = await TestCluster.start(2);
  });
  after('end them', () => cluster.stop());

  /** A collection with the chunks below 0 and from 0 on, both on s0. */
  async function shardedCollection(): Promise<string> {
    const namespace = `${await cluster.freshDatabase()}.things`;
    await cluster.admin({ _configsvrShardCollection: namespace, key: { a: 1 } });
    await cluster.admin({ _configsvrSplit: namespace, middle: { a: 0 } });
    return namespace;
  }

  function send(shard: string, namespace: string, command: Document): Promise<Document> {
    const [database] = namespace.split('.');
    return cluster.shard(shard).client.db(database).command(command);
  }

  it('are taken when they are the ones of the config server, in reads and writes', async () => {
    const namespace = await shardedCollection();
    await cluster.routed('s0', namespace, { insert: 'things', documents: [{ a: 1 }, { a: -1 }] });
    const { cursor } = await cluster.routed('s0', namespace, { find: 'things', sort: { a: 1 } });
    assert.deepEqual(
      cursor.firstBatch.map(({ a }: Document) => a),
      [-1, 1],
    );
    const { n } = await cluster.routed('s0', namespace, { count: 'things' });
    assert.equal(n, 2);
  });

  it('may be older by splits, because no document moved', async () => {
    const namespace = await shardedCollection();
    const versions = await cluster.versions(namespace, 's0');
    await cluster.admin({ _configsvrSplit: namespace, middle: { a: 100 } });
    await send('s0', namespace, { find: 'things', ...versions });
  });

  it('of another life of the collection are stale, and say so with both versions', async () => {
    const namespace = await shardedCollection();
    const { shardVersion } = await cluster.versions(namespace, 's0');
    const other = { ...shardVersion, e: new ObjectId(), t: new Timestamp({ t: 5, i: 5 }) };
    await assert.rejects(
      send('s0', namespace, { find: 'things', shardVersion: other }),
      ({ code, errorResponse }: MongoServerError) => {
        assert.equal(code, 13388);
        assert.equal(errorResponse['ns'], namespace);
        assert.equal(errorResponse['shardId'], 's0');
        assert.ok(errorResponse['vReceived'].e.equals(other.e));
        assert.ok(errorResponse['vWanted'].e.equals(shardVersion.e));
        return true;
      },
    );
  });

  it('of an unsharded collection are stale when it is sharded, and the other way round', async () => {
    const namespace = await shardedCollection();
    const stale = { code: 13388 };
    await assert.rejects(send('s0', namespace, { find: 'things', shardVersion: UNSHARDED }), stale);
    await assert.rejects(
      send('s0', namespace, { insert: 'things', documents: [{}], shardVersion: UNSHARDED }),
      stale,
    );
    const { shardVersion } = await cluster.versions(namespace, 's0');
    const plain = namespace.replace('things', 'plain');
    await assert.rejects(send('s0', plain, { find: 'plain', shardVersion }), stale);
    await cluster.routed('s0', plain, { insert: 'plain', documents: [{ a: 1 }] });
  });

  it('newer than the shard knows make it read the metadata first', async () => {
    const namespace = await shardedCollection();
    await cluster.routed('s0', namespace, { find: 'things' });
    await cluster.admin({ _configsvrDropCollection: namespace });
    await cluster.admin({ _configsvrShardCollection: namespace, key: { a: 1 } });
    await cluster.routed('s0', namespace, { insert: 'things', documents: [{ a: 1 }] });
  });

  it('of a database are checked where its unsharded collections are', async () => {
    const namespace = `${await cluster.freshDatabase('s1')}.plain`;
    const versions = await cluster.versions(namespace, 's1');
    await send('s1', namespace, { insert: 'plain', documents: [{}], ...versions });
    await assert.rejects(
      send('s0', namespace, { find: 'plain', ...versions }),
      ({ code, errorResponse }: MongoServerError) => code === 249 && 'vReceived' in errorResponse,
    );
    const { databaseVersion } = versions;
    const next = { ...databaseVersion, lastMod: 7 };
    await assert.rejects(send('s1', namespace, { find: 'plain', databaseVersion: next }), {
      code: 249,
    });
  });

  it('are checked in every command on a collection', async () => {
    const namespace = await shardedCollection();
    const stale = { shardVersion: UNSHARDED };
    const commands: Document[] = [
      { find: 'things' },
      { aggregate: 'things', pipeline: [], cursor: {} },
      { count: 'things' },
      { distinct: 'things', key: 'a' },
      { insert: 'things', documents: [{ a: 1 }] },
      { update: 'things', updates: [{ q: {}, u: { $set: { b: 1 } } }] },
      { delete: 'things', deletes: [{ q: {}, limit: 0 }] },
      { findAndModify: 'things', query: {}, remove: true },
      { explain: { find: 'things' } },
      { createIndexes: 'things', indexes: [{ key: { b: 1 }, name: 'b_1' }] },
      { listIndexes: 'things' },
      { collStats: 'things' },
    ];
    for (const command of commands) {
      await assert.rejects(
        send('s0', namespace, { ...command, ...stale }),
        { code: 13388 },
        JSON.stringify(command),
      );
    }
  });

  it('have no place on a server that is no shard, and none without an identity', async () => {
    await assert.rejects(
      cluster.config.client.db('a').command({ find: 'b', shardVersion: UNSHARDED }),
      { code: 238 },
    );
    await assert.rejects(send('s0', 'a.b', { find: 'b', shardVersion: 5 }), { code: 14 });
  });

  it('hide documents that are not the shard’s, whatever the plan is', async () => {
    const database = await cluster.freshDatabase();
    const namespace = `${database}.owned`;
    await cluster.admin({
      _configsvrShardCollection: namespace,
      key: { a: 'hashed' },
      numInitialChunks: 2,
    });
    const documents = Array.from({ length: 40 }, (_, id): Document => ({
      _id: id,
      a: id,
      b: id % 2,
    }));
    // A migration that was killed leaves such documents behind: here all of them are on both shards.
    for (const { client } of cluster.shards) {
      const direct = client.db(database).collection<Document>('owned');
      await direct.insertMany(documents);
      await direct.createIndex({ b: 1 });
    }
    const both = async (command: Document, read: (reply: Document) => number): Promise<number> => {
      const replies = await Promise.all(
        cluster.shards.map(({ name }) => cluster.routed(name, namespace, command)),
      );
      const counts = replies.map(read);
      assert.ok(
        counts.every((count) => count < 40),
        JSON.stringify(command),
      );
      return counts.reduce((sum, count) => sum + count, 0);
    };
    const batch = ({ cursor }: Document): number => cursor.firstBatch.length;
    const many = { batchSize: 1000 };
    assert.equal(await both({ find: 'owned', ...many }, batch), 40);
    assert.equal(await both({ find: 'owned', filter: { b: 1 }, ...many }, batch), 20);
    assert.equal(
      await both({ find: 'owned', filter: { b: 1 }, projection: { _id: 0, b: 1 }, ...many }, batch),
      20,
    );
    assert.equal(await both({ find: 'owned', sort: { b: 1, a: -1 }, ...many }, batch), 40);
    assert.equal(await both({ count: 'owned' }, ({ n }) => n), 40);
    assert.equal(await both({ count: 'owned', query: { b: 1 } }, ({ n }) => n), 20);
    assert.equal(await both({ distinct: 'owned', key: '_id' }, ({ values }) => values.length), 40);
    const grouped = { aggregate: 'owned', pipeline: [{ $count: 'n' }], cursor: {} };
    assert.equal(await both(grouped, ({ cursor }) => cursor.firstBatch[0].n), 40);
    const sampled = { aggregate: 'owned', pipeline: [{ $sample: { size: 100 } }], cursor: many };
    assert.equal(await both(sampled, batch), 40);
    let found = 0;
    for (const { name } of cluster.shards) {
      const one = { find: 'owned', filter: { _id: 7 } };
      found += batch(await cluster.routed(name, namespace, one));
    }
    assert.equal(found, 1);
    const update = { update: 'owned', updates: [{ q: {}, u: { $inc: { c: 1 } }, multi: true }] };
    assert.equal(await both(update, ({ nModified }) => nModified), 40);
    const { queryPlanner } = await cluster.routed('s0', namespace, {
      explain: { find: 'owned', filter: { b: 1 } },
    });
    const { winningPlan } = queryPlanner;
    assert.equal((winningPlan.queryPlan ?? winningPlan).stage, 'SHARDING_FILTER');
    const remove = { delete: 'owned', deletes: [{ q: {}, limit: 0 }] };
    assert.equal(await both(remove, ({ n }) => n), 40);
  });
});
