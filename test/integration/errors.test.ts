/**
 * Errors as drivers see them: code, codeName and the fields that belong to them.
 */
import assert from 'node:assert/strict';
import { MongoBulkWriteError, MongoServerError } from 'mongodb';
import { serverForTests } from '../support/test-server.ts';

describe('errors', () => {
  const server = serverForTests();

  it('of a duplicate _id are 11000 with keyPattern and keyValue', async () => {
    const database = server.freshDatabase();
    const collection = database.collection<{ _id: string }>('items');
    await collection.insertOne({ _id: 'twice' });
    const error: unknown = await collection.insertOne({ _id: 'twice' }).catch((e: unknown) => e);
    assert.ok(error instanceof MongoServerError);
    assert.equal(error.code, 11000);
    assert.deepEqual(error['keyPattern'], { _id: 1 });
    assert.deepEqual(error['keyValue'], { _id: 'twice' });
    assert.equal(
      error.message,
      `E11000 duplicate key error collection: ${database.databaseName}.items index: _id_ dup key: { _id: "twice" }`,
    );
  });

  it('of an unordered insert name every document that failed', async () => {
    const collection = server.freshDatabase().collection<{ _id: number }>('items');
    await collection.insertOne({ _id: 2 });
    const documents = [1, 2, 3, 3, 4].map((_id) => ({ _id }));
    const error: unknown = await collection
      .insertMany(documents, { ordered: false })
      .catch((e: unknown) => e);
    assert.ok(error instanceof MongoBulkWriteError);
    assert.deepEqual(
      [error.writeErrors].flat().map(({ index }) => index),
      [1, 3],
    );
    assert.equal(error.insertedCount, 3);
    assert.equal(await collection.countDocuments(), 4);
  });

  for (const [what, command, code, codeName] of [
    ['an unknown command', { noSuchCommand: 1 }, 59, 'CommandNotFound'],
    [
      'a command of MongoDB that is not built yet',
      { createUser: 'a', pwd: 'b', roles: [] },
      59,
      'CommandNotFound',
    ],
    [
      'a drop of an index on a missing collection',
      { dropIndexes: 'none', index: '*' },
      26,
      'NamespaceNotFound',
    ],
    ['a list of indexes of a missing collection', { listIndexes: 'none' }, 26, 'NamespaceNotFound'],
    ['a validate of a missing collection', { validate: 'none' }, 26, 'NamespaceNotFound'],
    ['an unknown operator', { find: 'a', filter: { n: { $noSuch: 1 } } }, 2, 'BadValue'],
    ['an unknown top-level operator', { find: 'a', filter: { $noSuch: [] } }, 2, 'BadValue'],
    ['a negative limit', { find: 'a', limit: -1, batchSize: -1 }, 51024, 'Location51024'],
    ['an unknown field of a command', { find: 'a', noSuchField: 1 }, 40415, 'IDLUnknownField'],
    ['a wrong type', { find: 'a', filter: 3 }, 14, 'TypeMismatch'],
    ['a missing field', { insert: 'a' }, 40414, 'IDLFailedToParse'],
    ['an invalid collection name', { find: 'a$b\0' }, 73, 'InvalidNamespace'],
    ['an empty collection name', { find: '' }, 73, 'InvalidNamespace'],
    ['a sort of a wrong kind', { find: 'a', sort: { n: 2 } }, 15975, 'Location15975'],
    ['an admin command elsewhere', { listDatabases: 1 }, 13, 'Unauthorized'],
    [
      'a transaction',
      { find: 'a', txnNumber: 1n, autocommit: false, startTransaction: true },
      undefined,
      undefined,
    ],
  ] as const) {
    it(`of ${what} have MongoDB's code`, async () => {
      const error: unknown = await server
        .freshDatabase()
        .command(command)
        .catch((e: unknown) => e);
      assert.ok(error instanceof MongoServerError, String(error));
      if (code !== undefined) assert.deepEqual([error.code, error.codeName], [code, codeName]);
    });
  }

  for (const [what, update, code] of [
    ['an update that changes _id', { $set: { _id: 2 } }, 66],
    ['an unknown modifier', { $noSuch: { n: 1 } }, 9],
    ['an increment of text', { $inc: { text: 1 } }, 14],
    ['a push to no array', { $push: { text: 1 } }, 2],
    ['two modifiers of one path', { $set: { n: 1 }, $inc: { n: 1 } }, 40],
    ['an empty modifier path', { $set: { '': 1 } }, 56],
    ['a path through a number', { $set: { 'n.deep': 1 } }, 28],
  ] as const) {
    it(`of ${what} leave the document as it was`, async () => {
      const collection = server.freshDatabase().collection<{ _id: number }>('items');
      const document = { _id: 1, n: 1, text: 'x' };
      await collection.insertOne(document);
      await assert.rejects(collection.updateOne({ _id: 1 }, update as never), { code });
      assert.deepEqual(await collection.findOne(), document);
    });
  }

  it('of paths with very many parts come at once, and the server stays', async () => {
    const collection = server.freshDatabase().collection('items');
    await collection.insertOne({ a: 1 });
    const path = Array.from({ length: 100_000 }, () => 'a').join('.');
    const tooLong = { code: 15 };
    await assert.rejects(collection.updateOne({}, { $set: { [path]: 1 } }), tooLong);
    await assert.rejects(collection.updateOne({}, { $unset: { [path]: 1 } }), tooLong);
    await assert.rejects(collection.updateOne({}, { $rename: { [path]: 'b' } }), tooLong);
    const upsert = collection.updateOne({ [path]: 1 }, { $set: { b: 1 } }, { upsert: true });
    await assert.rejects(upsert, tooLong);
    await assert.rejects(collection.find({ [path]: 1 }).toArray(), tooLong);
    assert.equal(await collection.countDocuments(), 1);
  });

  it('do not end the connection', async () => {
    const client = await server.connect({ maxPoolSize: 1 });
    for (let time = 0; time < 20; time += 1) {
      await assert.rejects(client.db('any').command({ find: 'a', filter: { $x: 1 } }));
    }
    const status = await client.db('any').command({ connectionStatus: 1 });
    assert.equal(status['ok'], 1);
    await client.close();
  });
});
