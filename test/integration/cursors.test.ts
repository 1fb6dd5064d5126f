/**
 * Cursors over several batches, and what ends them.
 */
import assert from 'node:assert/strict';
import { Long, type Db } from 'mongodb';
import { serverForTests } from '../support/test-server.ts';

const DOCUMENTS = 1_000;

describe('cursors', () => {
  const server = serverForTests({ args: ['--testing'] });
  let database: Db;

  before(async () => {
    database = server.freshDatabase();
    await database
      .collection<{ _id: number; n: number }>('numbers')
      .insertMany(
        Array.from({ length: DOCUMENTS }, (_, n) => ({ _id: n, n: (n * 7) % DOCUMENTS })),
      );
  });

  for (const batchSize of [1, 7, 100, 999, 1_000, 1_001]) {
    it(`give every document once in batches of ${batchSize}`, async () => {
      const cursor = database.collection('numbers').find({}, { batchSize });
      const ids = new Set<unknown>();
      for await (const { _id } of cursor) ids.add(_id);
      assert.equal(ids.size, DOCUMENTS);
      assert.equal(await openCursors(), 0);
    });
  }

  it('begin with 101 documents when no batch size is given', async () => {
    const { cursor } = await database.command({ find: 'numbers' });
    assert.equal(cursor.firstBatch.length, 101);
    const rest = await database.command({ getMore: cursor.id, collection: 'numbers' });
    assert.equal(rest['cursor'].nextBatch.length, DOCUMENTS - 101);
    assert.equal(Number(rest['cursor'].id), 0);
  });

  it('may begin with an empty batch', async () => {
    const { cursor } = await database.command({ find: 'numbers', batchSize: 0 });
    assert.equal(cursor.firstBatch.length, 0);
    assert.notEqual(Number(cursor.id), 0);
    await database.command({ killCursors: 'numbers', cursors: [cursor.id] });
  });

  it('are closed after one batch on request', async () => {
    const command = { find: 'numbers', batchSize: 5, singleBatch: true };
    const { cursor } = await database.command(command);
    assert.equal(cursor.firstBatch.length, 5);
    assert.equal(Number(cursor.id), 0);
  });

  it('keep a sort over several batches', async () => {
    const found = await database
      .collection('numbers')
      .find({}, { batchSize: 64 })
      .sort({ n: -1 })
      .toArray();
    const numbers = found.map(({ n }) => Number(n));
    assert.deepEqual(
      numbers,
      Array.from({ length: DOCUMENTS }, (_, n) => DOCUMENTS - 1 - n),
    );
  });

  it('stop at the limit', async () => {
    const cursor = database.collection('numbers').find({}, { batchSize: 10, limit: 25 });
    assert.equal((await cursor.toArray()).length, 25);
    assert.equal(await openCursors(), 0);
  });

  it('go on while documents are inserted and deleted beside them', async () => {
    const collection = server.freshDatabase().collection<{ _id: number }>('moving');
    await collection.insertMany(Array.from({ length: 500 }, (_, n) => ({ _id: n })));
    const cursor = collection.find({}, { batchSize: 10 });
    const seen: number[] = [];
    for await (const { _id } of cursor) {
      seen.push(_id);
      if (_id === 100) {
        await collection.deleteMany({ _id: { $gte: 300, $lt: 400 } });
        await collection.insertMany(Array.from({ length: 50 }, (_, n) => ({ _id: 1_000 + n })));
      }
    }
    assert.equal(new Set(seen).size, seen.length, 'a document was returned twice');
    const untouched = seen.filter((id) => id < 300 || (id >= 400 && id < 500));
    assert.equal(untouched.length, 400);
  });

  it('over an index give a document once, although the index becomes multikey meanwhile', async () => {
    const collection = server.freshDatabase().collection<{ _id: number; n: unknown }>('multikey');
    await collection.insertMany(Array.from({ length: 200 }, (_, n) => ({ _id: n, n })));
    await collection.createIndex({ n: 1 });
    const seen: number[] = [];
    for await (const { _id } of collection
      .find({ n: { $gte: 0 } }, { batchSize: 10 })
      .hint('n_1')) {
      seen.push(_id);
      if (_id === 50) await collection.insertOne({ _id: 1_000, n: [150, 151, 152] });
    }
    assert.equal(seen.length, 201);
    assert.equal(new Set(seen).size, 201);
  });

  it('end when their index is dropped, or their collection renamed', async () => {
    const other = server.freshDatabase();
    const collection = other.collection<{ _id: number }>('before');
    await collection.insertMany(Array.from({ length: 50 }, (_, n) => ({ _id: n, n })));
    await collection.createIndex({ n: 1 });
    const byIndex = await other.command({ find: 'before', hint: 'n_1', batchSize: 2 });
    await collection.dropIndex('n_1');
    await assert.rejects(other.command({ getMore: byIndex['cursor'].id, collection: 'before' }), {
      codeName: 'QueryPlanKilled',
      message: "query plan killed :: index 'n_1' dropped",
    });
    const byScan = await other.command({ find: 'before', batchSize: 2 });
    await collection.rename('after');
    await assert.rejects(other.command({ getMore: byScan['cursor'].id, collection: 'before' }), {
      codeName: 'QueryPlanKilled',
    });
  });

  it('of an aggregation come in batches, too', async () => {
    const found = await database
      .collection('numbers')
      .aggregate([{ $match: { n: { $gte: 500 } } }, { $project: { n: 1 } }], { batchSize: 33 })
      .toArray();
    assert.equal(found.length, 500);
  });

  it('hold large documents: a batch ends before 16 MiB', async () => {
    const collection = server.freshDatabase().collection<{ _id: number; bytes: Buffer }>('large');
    const bytes = Buffer.alloc(3 * 1024 * 1024);
    for (let _id = 0; _id < 12; _id += 1) await collection.insertOne({ _id, bytes });
    const found = await collection.find({}, { batchSize: 100 }).toArray();
    assert.deepEqual(
      found.map(({ _id }) => _id),
      Array.from({ length: 12 }, (_, n) => n),
    );
  });

  it('that are killed are not found any more', async () => {
    const { cursor } = await database.command({ find: 'numbers', batchSize: 2 });
    const unknown = Long.fromNumber(12_345);
    const killed = await database.command({
      killCursors: 'numbers',
      cursors: [cursor.id, unknown],
    });
    assert.deepEqual(killed['cursorsKilled'].map(String), [String(cursor.id)]);
    assert.deepEqual(killed['cursorsNotFound'].map(String), ['12345']);
    await assert.rejects(database.command({ getMore: cursor.id, collection: 'numbers' }), {
      code: 43,
      codeName: 'CursorNotFound',
    });
  });

  it('that nobody uses are closed after their timeout', async () => {
    const admin = server.client.db('admin');
    await admin.command({ setParameter: 1, cursorTimeoutMillis: 200 });
    try {
      const { cursor } = await database.command({ find: 'numbers', batchSize: 2 });
      await new Promise((resolve) => setTimeout(resolve, 800));
      await assert.rejects(database.command({ getMore: cursor.id, collection: 'numbers' }), {
        codeName: 'CursorNotFound',
      });
    } finally {
      await admin.command({ setParameter: 1, cursorTimeoutMillis: 600_000 });
    }
  });

  it('end when their collection is dropped', async () => {
    const other = server.freshDatabase();
    await other.collection('gone').insertMany(Array.from({ length: 50 }, (_, n) => ({ n })));
    const { cursor } = await other.command({ find: 'gone', batchSize: 2 });
    await other.collection('gone').drop();
    await assert.rejects(other.command({ getMore: cursor.id, collection: 'gone' }), {
      codeName: 'QueryPlanKilled',
    });
  });

  async function openCursors(): Promise<number> {
    const status = await server.client.db('admin').command({ serverStatus: 1 });
    return Number(status['metrics'].cursor.open.total);
  }
});
