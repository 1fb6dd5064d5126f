/**
 * Documents in, out, changed and removed by the official driver.
 */
import assert from 'node:assert/strict';
import { Double, Int32, Long, ObjectId, type Collection, type Document } from 'mongodb';
import { serverForTests } from '../support/test-server.ts';

/** What the tests insert: numbers as _id, and whatever fields. */
interface Item extends Document {
  _id: number;
}

describe('CRUD with the official driver', () => {
  const server = serverForTests();
  const freshCollection = (): Collection<Item> => server.freshDatabase().collection<Item>('items');

  it('inserts a document, gives it an id, and finds it again', async () => {
    const collection = server.freshDatabase().collection('items');
    const { acknowledged, insertedId } = await collection.insertOne({ name: 'flint', edges: 2 });
    assert.equal(acknowledged, true);
    assert.ok(insertedId instanceof ObjectId);
    assert.deepEqual(await collection.findOne({ name: 'flint' }), {
      _id: insertedId,
      name: 'flint',
      edges: 2,
    });
  });

  it('finds nothing in a collection that does not exist', async () => {
    const collection = freshCollection();
    assert.equal(await collection.findOne(), null);
    assert.equal(await collection.countDocuments(), 0);
    assert.equal(await collection.estimatedDocumentCount(), 0);
    assert.deepEqual(await collection.find().toArray(), []);
  });

  it('filters, sorts, skips, limits and projects', async () => {
    const collection = freshCollection();
    await collection.insertMany(
      Array.from({ length: 20 }, (_, n) => ({ _id: n, even: n % 2 === 0, tag: `t${n % 5}` })),
    );
    const found = await collection
      .find({ even: true, _id: { $gt: 2 } })
      .sort({ tag: 1, _id: -1 })
      .skip(1)
      .limit(3)
      .project({ tag: 1 })
      .toArray();
    // Of 4, 6, ..., 18 by tag, then descending: 10 (t0), 16 and 6 (t1), 12 (t2), ...
    assert.deepEqual(found, [
      { _id: 16, tag: 't1' },
      { _id: 6, tag: 't1' },
      { _id: 12, tag: 't2' },
    ]);
  });

  it('finds in nested documents and arrays', async () => {
    const collection = freshCollection();
    await collection.insertMany([
      { _id: 1, a: { b: [{ c: 1 }, { c: 5 }] }, tags: ['x', 'y'] },
      { _id: 2, a: { b: [{ c: 2 }] }, tags: [] },
      { _id: 3, a: 7 },
    ]);
    const ids = async (filter: object): Promise<number[]> =>
      (await collection.find(filter).sort({ _id: 1 }).toArray()).map(({ _id }) => _id);
    assert.deepEqual(await ids({ 'a.b.c': 5 }), [1]);
    assert.deepEqual(await ids({ 'a.b.0.c': { $lt: 3 } }), [1, 2]);
    assert.deepEqual(await ids({ tags: 'y' }), [1]);
    assert.deepEqual(await ids({ tags: { $size: 0 } }), [2]);
    assert.deepEqual(await ids({ tags: { $exists: false } }), [3]);
    assert.deepEqual(await ids({ 'a.b': { $elemMatch: { c: { $gte: 5 } } } }), [1]);
    assert.deepEqual(await ids({ $or: [{ a: 7 }, { tags: /^x/ }] }), [1, 3]);
  });

  it('updates one document and many, and says what it matched and changed', async () => {
    const collection = freshCollection();
    await collection.insertMany([
      { _id: 1, n: 1 },
      { _id: 2, n: 1 },
      { _id: 3, n: 2 },
    ]);
    const one = await collection.updateOne({ n: 1 }, { $inc: { n: 10 } });
    assert.deepEqual([one.matchedCount, one.modifiedCount], [1, 1]);
    const many = await collection.updateMany({}, { $set: { n: 11 } });
    assert.deepEqual([many.matchedCount, many.modifiedCount], [3, 2]);
    const replaced = await collection.replaceOne({ _id: 3 }, { fresh: true });
    assert.equal(replaced.modifiedCount, 1);
    assert.deepEqual(await collection.findOne({ _id: 3 }), { _id: 3, fresh: true });
  });

  it('applies each update operator to the types that are there', async () => {
    const collection = freshCollection();
    await collection.insertOne({
      _id: 1,
      int: new Int32(5),
      long: Long.fromNumber(5),
      list: [1, 2, 3],
      old: 'name',
      gone: true,
    });
    await collection.updateOne(
      { _id: 1, list: 2 },
      {
        $inc: { int: 1, long: 1 },
        $mul: { factor: 3 },
        $min: { low: 4 },
        $set: { 'deep.field': 'x', 'list.$': 20 },
        $rename: { old: 'new' },
        $unset: { gone: '' },
      },
    );
    await collection.updateOne({ _id: 1 }, { $push: { list: 4 } as never });
    const found = await collection.findOne({ _id: 1 }, { promoteValues: false });
    assert.deepEqual(found, {
      _id: new Int32(1),
      int: new Int32(6),
      long: Long.fromNumber(6),
      list: [new Int32(1), new Int32(20), new Int32(3), new Int32(4)],
      factor: new Int32(0),
      low: new Int32(4),
      deep: { field: 'x' },
      new: 'name',
    });
  });

  it('upserts: inserts what it does not find, from filter and update', async () => {
    const collection = freshCollection();
    const filter = { _id: 7, kind: 'new' };
    const first = await collection.updateOne(filter, { $set: { n: 1 } }, { upsert: true });
    assert.equal(first.upsertedId, 7);
    const second = await collection.updateOne(filter, { $set: { n: 2 } }, { upsert: true });
    assert.deepEqual([second.upsertedCount, second.modifiedCount], [0, 1]);
    assert.deepEqual(await collection.findOne(), { _id: 7, kind: 'new', n: 2 });
  });

  it('deletes one document and many', async () => {
    const collection = freshCollection();
    await collection.insertMany(Array.from({ length: 10 }, (_, n) => ({ _id: n, odd: n % 2 })));
    assert.equal((await collection.deleteOne({ odd: 1 })).deletedCount, 1);
    assert.equal((await collection.deleteMany({ odd: 1 })).deletedCount, 4);
    assert.equal((await collection.deleteMany({ odd: 1 })).deletedCount, 0);
    assert.equal(await collection.countDocuments(), 5);
  });

  it('finds and modifies in one step', async () => {
    const collection = freshCollection();
    await collection.insertMany([
      { _id: 1, n: 1 },
      { _id: 2, n: 2 },
    ]);
    const before = await collection.findOneAndUpdate({}, { $inc: { n: 5 } }, { sort: { n: -1 } });
    assert.deepEqual(before, { _id: 2, n: 2 });
    const after = await collection.findOneAndUpdate(
      { _id: 2 },
      { $inc: { n: 5 } },
      { returnDocument: 'after', projection: { _id: 0 } },
    );
    assert.deepEqual(after, { n: 12 });
    assert.deepEqual(await collection.findOneAndReplace({ _id: 1 }, { n: 3 }), { _id: 1, n: 1 });
    assert.deepEqual(await collection.findOneAndDelete({ n: 3 }), { _id: 1, n: 3 });
    assert.equal(await collection.findOneAndDelete({ n: 3 }), null);
  });

  it('runs a mixed bulk write in order', async () => {
    const collection = freshCollection();
    const result = await collection.bulkWrite([
      { insertOne: { document: { _id: 1, n: 1 } } },
      { insertOne: { document: { _id: 2, n: 1 } } },
      { updateOne: { filter: { _id: 1 }, update: { $set: { n: 2 } } } },
      { updateMany: { filter: {}, update: { $inc: { n: 1 } } } },
      { replaceOne: { filter: { _id: 2 }, replacement: { r: true } } },
      { updateOne: { filter: { _id: 3 }, update: { $set: { n: 9 } }, upsert: true } },
      { deleteOne: { filter: { _id: 1 } } },
    ]);
    assert.equal(result.insertedCount, 2);
    assert.equal(result.modifiedCount, 4);
    assert.equal(result.upsertedCount, 1);
    assert.equal(result.deletedCount, 1);
    assert.deepEqual(await collection.find().sort({ _id: 1 }).toArray(), [
      { _id: 2, r: true },
      { _id: 3, n: 9 },
    ]);
  });

  it('stops an ordered bulk write at its first error, and goes on in an unordered one', async () => {
    const collection = freshCollection();
    const operations = [1, 1, 2].map((_id) => ({ insertOne: { document: { _id } } }));
    await assert.rejects(collection.bulkWrite(operations), { code: 11000 });
    assert.equal(await collection.countDocuments(), 1);
    await assert.rejects(collection.bulkWrite(operations, { ordered: false }), { code: 11000 });
    assert.equal(await collection.countDocuments(), 2);
  });

  it('inserts 10,000 documents in one call', async () => {
    const collection = freshCollection();
    const text = 'x'.repeat(200);
    const documents = Array.from({ length: 10_000 }, (_, _id) => ({ _id, text }));
    assert.equal((await collection.insertMany(documents)).insertedCount, 10_000);
    assert.equal(await collection.countDocuments({ text }), 10_000);
    assert.equal(await collection.estimatedDocumentCount(), 10_000);
  });

  it('takes a document of 16 MiB and refuses a larger one', async () => {
    const collection = freshCollection();
    const largest = 16 * 1024 * 1024 - 40;
    await collection.insertOne({ _id: 1, bytes: Buffer.alloc(largest) });
    const found = await collection.findOne({ _id: 1 });
    assert.equal(found?.['bytes'].length(), largest);
    await assert.rejects(collection.insertOne({ _id: 2, bytes: Buffer.alloc(largest + 100) }));
    assert.equal(await collection.countDocuments(), 1);
  });

  it('gives the distinct values of a field, array elements one by one', async () => {
    const collection = freshCollection();
    await collection.insertMany([
      { _id: 1, tag: ['a', 'b'] },
      { _id: 2, tag: 'b' },
      { _id: 3, tag: 'c' },
      { _id: 4 },
    ]);
    assert.deepEqual(await collection.distinct('tag'), ['a', 'b', 'c']);
    assert.deepEqual(await collection.distinct('tag', { _id: { $lt: 3 } }), ['a', 'b']);
  });

  it('keeps 1, 1.0 and NumberLong(1) apart as values, and equal in filters', async () => {
    const collection = freshCollection();
    await collection.insertMany([
      { _id: 1, n: new Int32(1) },
      { _id: 2, n: new Double(1) },
      { _id: 3, n: Long.fromNumber(1) },
    ]);
    assert.equal(await collection.countDocuments({ n: 1 }), 3);
    assert.equal(await collection.countDocuments({ n: { $type: 'double' } }), 1);
    assert.equal(await collection.countDocuments({ n: { $type: 'long' } }), 1);
  });

  it('acknowledges a journaled write', async () => {
    const collection = freshCollection();
    const result = await collection.insertOne({ _id: 1 }, { writeConcern: { w: 1, j: true } });
    assert.equal(result.acknowledged, true);
  });

  it('carries out a write that nobody waits for', async () => {
    const collection = freshCollection();
    const result = await collection.insertOne({ _id: 1 }, { writeConcern: { w: 0 } });
    assert.equal(result.acknowledged, false);
    const deadlineMs = performance.now() + 2_000;
    while ((await collection.countDocuments()) === 0) assert.ok(performance.now() < deadlineMs);
  });
});
