/**
 * Tailable cursors: open at the end of a capped collection, and waiting there when they are asked to.
 */
import assert from 'node:assert/strict';
import { type ClientSession, Long, type Db, type Document } from 'mongodb';
import { serverForTests } from '../../../support/test-server.ts';

describe('tailable cursors', () => {
  const server = serverForTests();
  let database: Db;
  const run = (command: Document) => database.command(command, { promoteLongs: false });
  const insert = (...ids: number[]) => run({ insert: 'c', documents: ids.map((_id) => ({ _id })) });
  const idsOf = (batch: Document[]) => batch.map(({ _id }) => Number(_id));
  const open = async (options: Document = {}) => {
    const { cursor } = await run({ find: 'c', tailable: true, ...options });
    return { id: cursor.id as Long, ids: idsOf(cursor.firstBatch) };
  };
  const more = async (id: Long, options: Document = {}) => {
    const { cursor } = await run({ getMore: id, collection: 'c', ...options });
    return { id: cursor.id as Long, ids: idsOf(cursor.nextBatch) };
  };
  const awaitData = true;

  beforeEach(async () => {
    database = server.freshDatabase();
    await run({ create: 'c', capped: true, size: 65536, max: 5 });
  });

  it('stay open at the end, and go on with what is added', async () => {
    await insert(1);
    const { id, ids } = await open();
    assert.deepEqual(ids, [1]);
    assert.deepEqual(await more(id), { id, ids: [] });
    await insert(2, 3);
    assert.deepEqual((await more(id)).ids, [2, 3]);
    assert.deepEqual((await more(id)).ids, []);
    await insert(4);
    assert.deepEqual((await more(id)).ids, [4]);
  });

  it('filter and project what is added', async () => {
    await insert(1);
    const { id, ids } = await open({ filter: { _id: { $gt: 2 } }, projection: { _id: 1 } });
    assert.deepEqual(ids, []);
    assert.equal(id.isZero(), false);
    await insert(2, 3);
    assert.deepEqual((await more(id)).ids, [3]);
  });

  it('are over at once when there is nothing to see, and at their limit', async () => {
    assert.equal((await open()).id.isZero(), true);
    const nothing = await run({ find: 'none', tailable: true });
    assert.equal(nothing.cursor.id.isZero(), true);
    await insert(1);
    const { id } = await open({ limit: 2 });
    await insert(2, 3);
    const last = await more(id);
    assert.deepEqual(last.ids, [2]);
    assert.equal(last.id.isZero(), true);
  });

  it('wait for data as long as the client says', async () => {
    await insert(1);
    const { id } = await open({ awaitData });
    const start = performance.now();
    assert.deepEqual(await more(id, { maxTimeMS: 200 }), { id, ids: [] });
    const waited = performance.now() - start;
    assert.ok(waited > 150 && waited < 2000, `${waited} ms`);
  });

  it('are woken by an insert, an upsert and a merge, each of several of them', async () => {
    await insert(1);
    // Each reader has a session of its own: a cursor is its session's.
    const sessions = [1, 2, 3, 4].map(() => server.client.startSession());
    const inSession = async (session: ClientSession, command: Document) =>
      (await database.command(command, { session, promoteLongs: false })).cursor;
    const cursors = await Promise.all(
      sessions.map((session) => inSession(session, { find: 'c', tailable: true, awaitData })),
    );
    const add: (() => Promise<unknown>)[] = [
      () => insert(2),
      () => run({ update: 'c', updates: [{ q: { _id: 3 }, u: { $set: { a: 1 } }, upsert: true }] }),
      () =>
        run({
          aggregate: 'c',
          pipeline: [{ $limit: 1 }, { $set: { _id: 4 } }, { $merge: 'c' }],
          cursor: {},
        }),
    ];
    for (const [index, write] of add.entries()) {
      const start = performance.now();
      const waiting = cursors.map(({ id }, position) =>
        inSession(sessions[position], { getMore: id, collection: 'c', maxTimeMS: 8000 }),
      );
      await new Promise((resolve) => setTimeout(resolve, 50));
      await write();
      for (const { nextBatch } of await Promise.all(waiting)) {
        assert.deepEqual(idsOf(nextBatch), [index + 2]);
      }
      assert.ok(performance.now() - start < 4000, 'nobody waited to the end');
    }
    for (const session of sessions) await session.endSession();
  });

  it('go on waiting when what was added does not match', async () => {
    await insert(1);
    const { id } = await open({ awaitData, filter: { _id: { $ne: 2 } } });
    const waiting = more(id, { maxTimeMS: 8000 });
    await new Promise((resolve) => setTimeout(resolve, 50));
    await insert(2);
    await new Promise((resolve) => setTimeout(resolve, 50));
    await insert(3);
    assert.deepEqual((await waiting).ids, [3]);
  });

  it('lose their position when they are overrun', async () => {
    await insert(1, 2);
    const { id } = await open();
    const waiting = await open({ awaitData });
    await insert(3, 4, 5, 6, 7);
    for (const lost of [id, waiting.id]) {
      await assert.rejects(more(lost), { code: 136, codeName: 'CappedPositionLost' });
      await assert.rejects(more(lost), { code: 43 });
    }
  });

  it('lose it in a plain scan, too, when the collection is overrun between two batches', async () => {
    await insert(1, 2, 3);
    const { cursor } = await run({ find: 'c', batchSize: 1 });
    await insert(4, 5, 6, 7);
    await assert.rejects(more(cursor.id), { code: 136 });
  });

  it('end when they are killed while they wait', async () => {
    await insert(1);
    const { id } = await open({ awaitData });
    const waiting = more(id, { maxTimeMS: 8000 });
    await new Promise((resolve) => setTimeout(resolve, 50));
    const killed = await run({ killCursors: 'c', cursors: [id] });
    assert.equal(killed.cursorsKilled.length, 1);
    await assert.rejects(waiting, { code: 237 });
    await assert.rejects(more(id), { code: 43 });
  });

  it('end when their collection is dropped while they wait', async () => {
    await insert(1);
    const { id } = await open({ awaitData });
    const waiting = more(id, { maxTimeMS: 8000 });
    await new Promise((resolve) => setTimeout(resolve, 50));
    await run({ drop: 'c' });
    await assert.rejects(waiting, { code: 175 });
  });

  it('end when the client leaves while they wait', async () => {
    await insert(1);
    const client = await server.connect();
    const other = client.db(database.databaseName);
    const { cursor } = await other.command({ find: 'c', tailable: true, awaitData });
    const id = Long.fromString(String(cursor.id));
    const waiting = other
      .command({ getMore: id, collection: 'c', maxTimeMS: 60_000 })
      .catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, 100));
    await client.close();
    await waiting;
    for (let tries = 0; ; tries += 1) {
      const { metrics } = await server.client.db('admin').command({ serverStatus: 1 });
      if (metrics.cursor.open.pinned === 0) break;
      assert.ok(tries < 50, 'the wait goes on without a client');
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  });

  it('work with the driver', async () => {
    await insert(1);
    const cursor = database
      .collection('c')
      .find({}, { tailable: true, awaitData, maxAwaitTimeMS: 2000 });
    assert.equal((await cursor.next())?._id, 1);
    const next = cursor.next();
    await insert(2);
    assert.equal((await next)?._id, 2);
    await cursor.close();
  });

  for (const [options, code] of [
    [{ awaitData }, 9],
    [{ tailable: true, sort: { _id: 1 } }, 2],
    [{ tailable: true, sort: { $natural: -1 } }, 2],
    [{ tailable: true, singleBatch: true }, 2],
  ] as [Document, number][]) {
    it(`are refused with ${JSON.stringify(options)}`, () =>
      assert.rejects(run({ find: 'c', ...options }), { code }));
  }

  it('are refused for what is not capped', async () => {
    await run({ insert: 'plain', documents: [{ _id: 1 }] });
    await run({ create: 'v', viewOn: 'c' });
    await assert.rejects(run({ find: 'plain', tailable: true }), { code: 2 });
    await assert.rejects(run({ find: 'plain', tailable: true, filter: { _id: 1 } }), { code: 2 });
    await assert.rejects(run({ find: 'v', tailable: true }), { code: 168 });
  });

  it('take no time limit in getMore unless they wait', async () => {
    await insert(1);
    const { id } = await open();
    await assert.rejects(more(id, { maxTimeMS: 100 }), { code: 2 });
    assert.deepEqual((await more(id)).ids, []);
  });
});
