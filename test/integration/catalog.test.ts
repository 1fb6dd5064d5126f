/**
 * Databases and collections: made, listed, renamed, measured, checked and dropped.
 */
import assert from 'node:assert/strict';
import { serverForTests } from '../support/test-server.ts';

describe('databases and collections', () => {
  const server = serverForTests();

  it('are there once something is in them, and listed', async () => {
    const database = server.freshDatabase();
    await database.collection('b').insertOne({});
    await database.createCollection('a');
    const listed = await database.listCollections().toArray();
    assert.deepEqual(
      new Set(listed.map(({ name, type }) => `${type} ${name}`)),
      new Set(['collection a', 'collection b']),
    );
    const names = await database.listCollections({ name: 'a' }, { nameOnly: true }).toArray();
    assert.deepEqual(names, [{ name: 'a', type: 'collection' }]);
    const { databases } = await server.client.db('admin').admin().listDatabases();
    assert.ok(databases.some(({ name }) => name === database.databaseName));
  });

  it('are not made twice', async () => {
    const database = server.freshDatabase();
    await database.createCollection('once');
    // The same command with the same options is accepted; with others it is a conflict.
    await database.command({ create: 'once' });
    await database.command({ create: 'view', viewOn: 'once', pipeline: [] }).catch(() => undefined);
    await assert.rejects(database.command({ create: 'once', viewOn: 'other', pipeline: [] }));
  });

  it('are renamed with documents and indexes', async () => {
    const database = server.freshDatabase();
    const before = database.collection<{ _id: number; n: number }>('before');
    await before.insertMany([
      { _id: 1, n: 1 },
      { _id: 2, n: 2 },
    ]);
    await before.createIndex({ n: 1 });
    await before.rename('after');
    const after = database.collection('after');
    assert.equal(await after.countDocuments({ n: { $gt: 0 } }, { hint: 'n_1' }), 2);
    assert.equal(await before.countDocuments(), 0);
    await database.createCollection('other');
    await assert.rejects(after.rename('other'), { code: 48, codeName: 'NamespaceExists' });
    await after.rename('other', { dropTarget: true });
    assert.equal(await database.collection('other').countDocuments(), 2);
    await assert.rejects(database.collection('none').rename('some'), {
      code: 26,
      codeName: 'NamespaceNotFound',
    });
  });

  it('are dropped with everything in them', async () => {
    const database = server.freshDatabase();
    const collection = database.collection('items');
    await collection.insertOne({ n: 1 });
    await collection.createIndex({ n: 1 });
    assert.equal(await collection.drop(), true);
    assert.deepEqual(await database.listCollections().toArray(), []);
    await collection.insertOne({ n: 2 });
    assert.equal((await collection.indexes()).length, 1);
    assert.equal(await collection.countDocuments(), 1);
    assert.equal(await database.dropDatabase(), true);
    assert.deepEqual(await database.listCollections().toArray(), []);
  });

  it('say how large they are', async () => {
    const database = server.freshDatabase();
    const collection = database.collection('items');
    const document = { text: 'x'.repeat(1_000) };
    await collection.insertMany(Array.from({ length: 100 }, () => ({ ...document })));
    const stats = await database.command({ collStats: 'items' });
    assert.equal(stats['ns'], `${database.databaseName}.items`);
    assert.equal(stats['count'], 100);
    assert.equal(stats['size'], 100 * stats['avgObjSize']);
    assert.equal(stats['nindexes'], 1);
    const total = await database.command({ dbStats: 1 });
    assert.equal(total['objects'], 100);
    assert.equal(total['collections'], 1);
    const size = await database.command({ dataSize: `${database.databaseName}.items` });
    assert.equal(size['numObjects'], 100);
    assert.equal(size['size'], stats['size']);
  });

  it('agree with their indexes, as validate finds', async () => {
    const database = server.freshDatabase();
    const collection = database.collection('items');
    await collection.createIndex({ n: 1 });
    await collection.insertMany(Array.from({ length: 500 }, (_, n) => ({ n: n % 50 })));
    await server.client.db('admin').command({ fsync: 1 });
    await collection.deleteMany({ n: 3 });
    const report = await database.command({ validate: 'items', full: true });
    assert.equal(report['valid'], true);
    assert.equal(report['nrecords'], 490);
    assert.deepEqual(report['keysPerIndex'], { _id_: 490, n_1: 490 });
    assert.deepEqual(report['errors'], []);
  });
});
