/**
 * Indexes: made, listed, used, kept unique, and dropped.
 */
import assert from 'node:assert/strict';
import type { Collection, Document } from 'mongodb';
import { serverForTests } from '../support/test-server.ts';

interface Item extends Document {
  _id: number;
}

describe('indexes', () => {
  const server = serverForTests();
  const freshCollection = (): Collection<Item> => server.freshDatabase().collection<Item>('items');

  async function filled(count = 1_000): Promise<Collection<Item>> {
    const collection = freshCollection();
    await collection.insertMany(
      Array.from({ length: count }, (_, n) => ({
        _id: n,
        group: n % 10,
        n,
        tags: [`t${n % 3}`, `u${n % 7}`],
        at: { place: `p${n % 20}` },
      })),
    );
    return collection;
  }

  it('are listed with their specification, the one on _id first', async () => {
    const collection = await filled(10);
    assert.equal(await collection.createIndex({ group: 1, n: -1 }), 'group_1_n_-1');
    assert.equal(
      await collection.createIndex({ n: 1 }, { unique: true, name: 'number' }),
      'number',
    );
    assert.deepEqual(await collection.listIndexes().toArray(), [
      { v: 2, key: { _id: 1 }, name: '_id_' },
      { v: 2, key: { group: 1, n: -1 }, name: 'group_1_n_-1' },
      { v: 2, key: { n: 1 }, name: 'number', unique: true },
    ]);
  });

  it('are used by the planner for equality, ranges and sorts', async () => {
    const collection = await filled();
    await collection.createIndex({ group: 1, n: 1 });
    const stages = async (filter: object, sort: Record<string, 1 | -1> = {}): Promise<string> => {
      const plan = await collection.find(filter).sort(sort).explain('executionStats');
      return JSON.stringify(plan['queryPlanner'].winningPlan);
    };
    assert.match(await stages({ group: 3, n: { $gt: 500 } }), /"IXSCAN"/);
    assert.match(await stages({ n: 500 }), /"COLLSCAN"/);
    const sorted = await stages({ group: 3 }, { n: -1 });
    assert.match(sorted, /"IXSCAN"/);
    assert.doesNotMatch(sorted, /"SORT"/);
  });

  it('look at no more documents than they return', async () => {
    const collection = await filled();
    await collection.createIndex({ group: 1 });
    const explained = await collection.find({ group: 4 }).explain('executionStats');
    const { executionStats } = explained;
    assert.equal(executionStats.nReturned, 100);
    assert.equal(executionStats.totalDocsExamined, 100);
    assert.equal(executionStats.totalKeysExamined, 100);
  });

  for (const [what, key, filter, count] of [
    ['a single field', { n: 1 }, { n: { $gte: 990 } }, 10],
    ['a descending field', { n: -1 }, { n: { $lt: 5 } }, 5],
    ['a dotted path', { 'at.place': 1 }, { 'at.place': 'p3' }, 50],
    ['an array', { tags: 1 }, { tags: 't1' }, 333],
    ['two fields', { group: 1, n: -1 }, { group: 2, n: { $lte: 32 } }, 4],
  ] as const) {
    it(`on ${what} find what a scan finds`, async () => {
      const collection = await filled();
      const scanned = await collection.find(filter).hint({ $natural: 1 }).toArray();
      await collection.createIndex(key);
      const found = await collection.find(filter).hint(key).toArray();
      const byId = (a: Item, b: Item): number => a._id - b._id;
      assert.equal(found.length, count);
      assert.deepEqual(found.toSorted(byId), scanned.toSorted(byId));
    });
  }

  it('follow updates and deletes', async () => {
    const collection = await filled(100);
    await collection.createIndex({ n: 1 });
    await collection.updateMany({ group: 1 }, { $inc: { n: 1_000 } });
    await collection.deleteMany({ group: 2 });
    assert.equal(await collection.countDocuments({ n: { $gte: 1_000 } }, { hint: 'n_1' }), 10);
    assert.equal(await collection.countDocuments({ n: { $lt: 1_000 } }, { hint: 'n_1' }), 80);
    const report = await server.client
      .db(collection.dbName)
      .command({ validate: 'items', full: true });
    assert.equal(report['valid'], true);
    assert.deepEqual(report['keysPerIndex'], { _id_: 90, n_1: 90 });
  });

  it('that are unique refuse a second document with the same key, and say which', async () => {
    const collection = freshCollection();
    await collection.createIndex({ a: 1, b: -1 }, { unique: true });
    await collection.insertOne({ _id: 1, a: 'x', b: 2 });
    const namespace = `${collection.dbName}.items`;
    await assert.rejects(collection.insertOne({ _id: 2, a: 'x', b: 2 }), {
      code: 11000,
      keyPattern: { a: 1, b: -1 },
      keyValue: { a: 'x', b: 2 },
      message: `E11000 duplicate key error collection: ${namespace} index: a_1_b_-1 dup key: { a: "x", b: 2 }`,
    });
    await collection.insertOne({ _id: 2, a: 'x', b: 3 });
    await assert.rejects(collection.updateOne({ _id: 2 }, { $set: { b: 2 } }), { code: 11000 });
    assert.deepEqual(await collection.findOne({ _id: 2 }), { _id: 2, a: 'x', b: 3 });
  });

  it('that are unique count missing as null', async () => {
    const collection = freshCollection();
    await collection.createIndex({ mail: 1 }, { unique: true });
    await collection.insertOne({ _id: 1 });
    await assert.rejects(collection.insertOne({ _id: 2, mail: null }), {
      code: 11000,
      keyValue: { mail: null },
    });
  });

  it('that are sparse do not hold documents without the field', async () => {
    const collection = freshCollection();
    await collection.createIndex({ mail: 1 }, { unique: true, sparse: true });
    await collection.insertMany([{ _id: 1 }, { _id: 2 }, { _id: 3, mail: 'a' }]);
    assert.equal((await collection.find().hint('mail_1').toArray()).length, 1);
    assert.equal(await collection.countDocuments({}), 3);
  });

  it('that are unique are not built over duplicates, and leave nothing behind', async () => {
    const collection = await filled(50);
    await assert.rejects(collection.createIndex({ group: 1 }, { unique: true }), {
      code: 11000,
      codeName: 'DuplicateKey',
    });
    assert.equal((await collection.indexes()).length, 1);
  });

  it('are built while documents are written', async () => {
    const collection = await filled(5_000);
    const writing = (async () => {
      for (let n = 0; n < 200; n += 1) {
        await collection.insertOne({ _id: 10_000 + n, n: 10_000 + n });
        await collection.updateOne({ _id: n }, { $set: { n: -n } });
        await collection.deleteOne({ _id: 4_999 - n });
      }
    })();
    await collection.createIndex({ n: 1 });
    await writing;
    const report = await server.client
      .db(collection.dbName)
      .command({ validate: 'items', full: true });
    assert.deepEqual(report['errors'], []);
    assert.deepEqual(report['keysPerIndex'], { _id_: 5_000, n_1: 5_000 });
  });

  it('are made once: the same again is accepted, another one of the same name is not', async () => {
    const collection = await filled(10);
    const database = server.client.db(collection.dbName);
    await collection.createIndex({ n: 1 });
    const again = await database.command({
      createIndexes: 'items',
      indexes: [{ key: { n: 1 }, name: 'n_1' }],
    });
    assert.equal(again['numIndexesBefore'], 2);
    assert.equal(again['numIndexesAfter'], 2);
    assert.match(again['note'], /all indexes already exist/);
    await assert.rejects(collection.createIndex({ group: 1 }, { name: 'n_1' }), {
      code: 86,
      codeName: 'IndexKeySpecsConflict',
    });
    await assert.rejects(collection.createIndex({ n: 1 }, { name: 'other' }), {
      code: 85,
      codeName: 'IndexOptionsConflict',
    });
  });

  it('are dropped by name, by key, or all but the one on _id', async () => {
    const collection = await filled(10);
    await collection.createIndexes([
      { key: { n: 1 } },
      { key: { group: 1 } },
      { key: { tags: 1 } },
    ]);
    await collection.dropIndex('n_1');
    await server.client
      .db(collection.dbName)
      .command({ dropIndexes: 'items', index: { group: 1 } });
    assert.deepEqual(
      (await collection.indexes()).map(({ name }) => name),
      ['_id_', 'tags_1'],
    );
    await collection.dropIndexes();
    assert.deepEqual(
      (await collection.indexes()).map(({ name }) => name),
      ['_id_'],
    );
    await assert.rejects(collection.dropIndex('n_1'), { code: 27, codeName: 'IndexNotFound' });
    await assert.rejects(collection.dropIndex('_id_'), { code: 72, codeName: 'InvalidOptions' });
  });

  it('cannot be asked for by a hint that names none', async () => {
    const collection = await filled(10);
    await assert.rejects(collection.find().hint('no_such').toArray(), {
      code: 2,
      codeName: 'BadValue',
    });
  });

  it('refuse two arrays in one document', async () => {
    const collection = freshCollection();
    await collection.createIndex({ a: 1, b: 1 });
    await assert.rejects(collection.insertOne({ _id: 1, a: [1], b: [2] }), { code: 171 });
  });
});
