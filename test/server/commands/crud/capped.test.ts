/**
 * Capped collections: the oldest documents go in the commit that brings new ones.
 */
import assert from 'node:assert/strict';
import type { Db, Document } from 'mongodb';
import { serverForTests } from '../../../support/test-server.ts';

describe('capped collections', () => {
  const server = serverForTests();
  let database: Db;
  const run = (command: Document) => database.command(command);
  const ids = async (name: string, options: Document = {}) =>
    (await run({ find: name, ...options })).cursor.firstBatch.map(({ _id }: Document) => _id);
  const numbered = (from: number, to: number) =>
    Array.from({ length: to - from + 1 }, (_, index) => ({ _id: from + index }));

  beforeEach(() => {
    database = server.freshDatabase();
  });

  it('keep the newest documents, in the order of their insertion', async () => {
    await run({ create: 'c', capped: true, size: 4096, max: 3 });
    await run({ insert: 'c', documents: [{ _id: 9 }, { _id: 4 }, { _id: 7 }, { _id: 1 }] });
    assert.deepEqual(await ids('c'), [4, 7, 1]);
    assert.deepEqual(await ids('c', { sort: { $natural: -1 } }), [1, 7, 4]);
    assert.deepEqual(await ids('c', { hint: { $natural: -1 } }), [1, 7, 4]);
    assert.deepEqual(await ids('c', { filter: { _id: 9 } }), []);
    assert.equal((await run({ validate: 'c' })).valid, true);
  });

  it('hold so many bytes at most, in steps of 256', async () => {
    await run({ create: 'c', capped: true, size: 3900 });
    const [{ options }] = (await database.listCollections({ name: 'c' }).toArray()) as Document[];
    assert.deepEqual(options, { capped: true, size: 4096 });
    const text = 'x'.repeat(900);
    for (let id = 0; id < 12; id += 1) await run({ insert: 'c', documents: [{ _id: id, text }] });
    assert.deepEqual(await ids('c'), [8, 9, 10, 11]);
    const large = { _id: 'large', text: 'x'.repeat(4096) };
    const { writeErrors } = await run({ insert: 'c', documents: [large] });
    assert.equal(writeErrors[0].code, 2);
    assert.deepEqual(await ids('c'), [8, 9, 10, 11]);
  });

  it('stay within their limits in a batch of thousands', async () => {
    await run({ create: 'c', capped: true, size: 1 << 20, max: 100 });
    await run({ insert: 'c', documents: numbered(1, 5000) });
    assert.deepEqual(
      await ids('c', { batchSize: 200 }),
      numbered(4901, 5000).map(({ _id }) => _id),
    );
    assert.equal((await run({ validate: 'c', full: true })).valid, true);
  });

  it('lose nothing for a document that could not be inserted', async () => {
    await run({ create: 'c', capped: true, size: 4096, max: 3 });
    await run({ insert: 'c', documents: numbered(1, 3) });
    const { n, writeErrors } = await run({ insert: 'c', documents: [{ _id: 3 }, { _id: 4 }] });
    assert.equal(n, 0);
    assert.equal(writeErrors[0].code, 11000);
    assert.deepEqual(await ids('c'), [1, 2, 3]);
  });

  it('make room for an upsert, too', async () => {
    await run({ create: 'c', capped: true, size: 4096, max: 2 });
    for (let id = 1; id <= 4; id += 1) {
      await run({
        update: 'c',
        updates: [{ q: { _id: id }, u: { $set: { a: 1 } }, upsert: true }],
      });
    }
    const update = { $set: { a: 1 } };
    await run({ findAndModify: 'c', query: { _id: 5 }, update, upsert: true });
    assert.deepEqual(await ids('c'), [4, 5]);
  });

  it('let documents be deleted, and grow', async () => {
    await run({ create: 'c', capped: true, size: 4096, max: 3 });
    await run({ insert: 'c', documents: numbered(1, 3) });
    await run({ delete: 'c', deletes: [{ q: { _id: 2 }, limit: 1 }] });
    const updates = [{ q: { _id: 1 }, u: { $set: { text: 'x'.repeat(2000) } } }];
    assert.equal((await run({ update: 'c', updates })).nModified, 1);
    assert.deepEqual(await ids('c'), [1, 3]);
    await run({ insert: 'c', documents: numbered(4, 5) });
    assert.deepEqual(await ids('c'), [3, 4, 5]);
  });

  it('have no documents that expire', async () => {
    await run({ create: 'c', capped: true, size: 4096 });
    const indexes = [{ key: { at: 1 }, name: 'at', expireAfterSeconds: 5 }];
    await assert.rejects(run({ createIndexes: 'c', indexes }), { code: 67 });
  });

  it('show their limits in collStats', async () => {
    await run({ create: 'c', capped: true, size: 4096, max: 3 });
    const stats = await run({ collStats: 'c', scale: 1024 });
    assert.equal(stats.capped, true);
    assert.equal(stats.max, 3);
    assert.equal(stats.maxSize, 4);
    await run({ create: 'plain' });
    assert.equal((await run({ collStats: 'plain' })).capped, false);
    assert.equal(await database.collection('c').isCapped(), true);
  });

  it('are written by many clients at once, and stay in order', async () => {
    await run({ create: 'c', capped: true, size: 1 << 20, max: 50 });
    const collection = database.collection<{ _id: number }>('c');
    const writers = Array.from({ length: 8 }, async (_, writer) => {
      for (let n = 0; n < 40; n += 1) await collection.insertOne({ _id: writer * 1000 + n });
    });
    await Promise.all(writers);
    const kept = await collection.find().toArray();
    assert.equal(kept.length, 50);
    for (let writer = 0; writer < 8; writer += 1) {
      const own = kept.map(({ _id }) => _id).filter((id) => Math.floor(id / 1000) === writer);
      assert.deepEqual(
        own,
        own.toSorted((a, b) => a - b),
      );
    }
  });
});
