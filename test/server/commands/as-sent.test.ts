/**
 * Commands that drivers hide behind methods, sent as documents, and their replies with types.
 */
import assert from 'node:assert/strict';
import { Binary, Double, Int32, type Document } from 'bson';
import type { Db } from 'mongodb';
import { serverForTests } from '../../support/test-server.ts';

describe('server/commands: as they are sent', () => {
  const server = serverForTests();
  let database: Db;

  const run = (command: Document): Promise<Document> =>
    database.command(command, { promoteValues: false });
  const admin = (command: Document): Promise<Document> =>
    server.client.db('admin').command(command, { promoteValues: false });
  const refused = (command: Document, code: number): Promise<void> =>
    assert.rejects(database.command(command), { code });
  const ok = new Double(1);

  beforeEach(async () => {
    database = server.freshDatabase();
    await run({
      insert: 'c',
      documents: [
        { _id: 1, a: 1 },
        { _id: 2, a: 1 },
        { _id: 3, a: [2, 3] },
      ],
    });
  });

  it('update counts what it found, changed and inserted', async () => {
    const updates = [
      { q: { a: 1 }, u: { $max: { a: 1 } }, multi: true },
      { q: { _id: 3 }, u: { $set: { a: 2 } } },
      { q: { _id: 9 }, u: { $set: { a: 9 } }, upsert: true },
    ];
    assert.deepEqual(await run({ update: 'c', updates }), {
      n: new Int32(4),
      nModified: new Int32(1),
      upserted: [{ index: new Int32(2), _id: new Int32(9) }],
      ok,
    });
    await refused({ update: 'c', updates: [] }, 16);
    await refused({ update: 'c' }, 40_414);
  });

  it('update and delete do nothing at all when one of their statements is malformed', async () => {
    const change = { q: { _id: 1 }, u: { $set: { a: 7 } } };
    await refused({ update: 'c', updates: [change, { u: { $set: { a: 7 } } }] }, 40_414);
    const removal = { q: { _id: 2 }, limit: 1 };
    await refused({ delete: 'c', deletes: [removal, { q: {} }] }, 40_414);
    await refused({ delete: 'c', deletes: [removal, { q: {}, limit: 2 }] }, 9);
    assert.deepEqual(await database.collection('c').countDocuments({ a: 1 }), 2);
  });

  it('update goes on behind a failed statement when it is not ordered', async () => {
    const updates = [
      { q: { _id: 1 }, u: { $set: { _id: 5 } } },
      { q: { _id: 2 }, u: { $set: { a: 5 } } },
    ];
    const ordered = await run({ update: 'c', updates });
    assert.deepEqual(ordered['n'], new Int32(0));
    const { n, writeErrors } = await run({ update: 'c', updates, ordered: false });
    assert.deepEqual(n, new Int32(1));
    assert.deepEqual(writeErrors[0].code, new Int32(66));
    assert.deepEqual(writeErrors[0].index, new Int32(0));
  });

  it('update of many keeps what it changed before the document that could not be changed', async () => {
    await run({
      createIndexes: 'c',
      indexes: [{ key: { u: 1 }, name: 'u', unique: true, sparse: true }],
    });
    const updates = [{ q: {}, u: { $set: { u: 1 } }, multi: true }];
    const { n, nModified, writeErrors } = await run({ update: 'c', updates });
    assert.deepEqual([n, nModified], [new Int32(0), new Int32(0)]);
    assert.deepEqual(writeErrors[0].code, new Int32(11_000));
    assert.equal(await database.collection('c').countDocuments({ u: 1 }), 1);
    assert.equal((await run({ validate: 'c', full: true }))['valid'], true);
  });

  it('insert gives each document its error when the collection cannot be created', async () => {
    const documents = [{ _id: 1 }, { _id: 2 }];
    const ordered = await run({ insert: 'a$b', documents });
    assert.deepEqual(ordered['writeErrors'], [
      { index: new Int32(0), code: new Int32(73), errmsg: 'Invalid collection name: a$b' },
    ]);
    const unordered = await run({ insert: 'a$b', documents, ordered: false });
    assert.equal(unordered['writeErrors'].length, 2);
  });

  it('insert creates no collection when it stores no document', async () => {
    const { writeErrors } = await run({ insert: 'new', documents: [{ _id: [1] }] });
    assert.deepEqual(writeErrors[0].code, new Int32(53));
    assert.deepEqual(await database.listCollections({ name: 'new' }).toArray(), []);
    const documents = [{ _id: [1] }, { _id: 1 }];
    assert.deepEqual((await run({ insert: 'new', documents, ordered: false }))['n'], new Int32(1));
  });

  it('insert leaves out messages of errors past a megabyte, and still counts them all', async () => {
    const _id = 'x'.repeat(1000);
    const documents = Array.from({ length: 6000 }, () => ({ _id }));
    const { n, writeErrors } = await run({ insert: 'c', documents, ordered: false });
    assert.deepEqual(n, new Int32(1));
    assert.equal(writeErrors.length, 5999);
    assert.match(writeErrors[900].errmsg, /^E11000/);
    assert.deepEqual(writeErrors[5998].keyValue, { _id });
    assert.equal(writeErrors[5998].errmsg, '');
  });

  it('delete takes one document, or all', async () => {
    const one = await run({ delete: 'c', deletes: [{ q: { a: 1 }, limit: 1 }] });
    assert.deepEqual(one, { n: new Int32(1), ok });
    const all = await run({ delete: 'c', deletes: [{ q: {}, limit: 0 }] });
    assert.deepEqual(all, { n: new Int32(2), ok });
    await refused({ delete: 'c', deletes: [] }, 16);
  });

  it('findAndModify gives the document before or after, and says what it did', async () => {
    const change = { query: { _id: 1 }, update: { $inc: { a: 1 } } };
    const before = await run({ findAndModify: 'c', ...change });
    assert.deepEqual(before['value'], { _id: new Int32(1), a: new Int32(1) });
    assert.deepEqual(before['lastErrorObject'], { n: new Int32(1), updatedExisting: true });
    const after = await run({ findandmodify: 'c', ...change, new: true });
    assert.deepEqual(after['value'], { _id: new Int32(1), a: new Int32(3) });
    const removed = await run({ findAndModify: 'c', query: { _id: 1 }, remove: true });
    assert.deepEqual(removed['lastErrorObject'], { n: new Int32(1) });
    const none = await run({ findAndModify: 'c', query: { _id: 1 }, remove: true });
    assert.equal(none['value'], null);
    await refused({ findAndModify: 'c', query: {}, remove: true, new: true }, 9);
  });

  it('distinct looks into arrays', async () => {
    const reply = await run({ distinct: 'c', key: 'a', query: { _id: { $gt: 1 } } });
    assert.deepEqual(reply, { values: [new Int32(1), new Int32(2), new Int32(3)], ok });
    assert.deepEqual((await run({ distinct: 'none', key: 'a' }))['values'], []);
    await refused({ distinct: 'c' }, 40_414);
  });

  it('explain shows the plan of another command, and runs it when it is asked to', async () => {
    const find = { find: 'c', filter: { _id: 2 } };
    const plan = await run({ explain: find, verbosity: 'queryPlanner' });
    assert.equal(plan['queryPlanner'].namespace, `${database.databaseName}.c`);
    assert.equal('executionStats' in plan, false);
    const { executionStats } = await run({ explain: find, verbosity: 'executionStats' });
    assert.deepEqual(executionStats.nReturned, new Int32(1));
    await refused({ explain: { nope: 1 } }, 59);
    await refused({ explain: { insert: 'c', documents: [{}] } }, 20);
    const aggregate = { aggregate: 'c', pipeline: [] };
    assert.equal((await run({ explain: aggregate }))['ok'].value, 1);
    await refused({ explain: { ...aggregate, explain: true } }, 9);
  });

  it('aggregate on no collection needs a stage that brings documents', async () => {
    await refused({ aggregate: 1, pipeline: [], cursor: {} }, 73);
    await refused({ aggregate: 1, pipeline: [{ $match: {} }], cursor: {} }, 73);
  });

  it('getMore takes no time limit of its own, and its cursor stays open', async () => {
    const { cursor } = await run({ find: 'c', batchSize: 1 });
    const next = { getMore: cursor.id, collection: 'c' };
    await refused({ ...next, maxTimeMS: 1000 }, 2);
    assert.equal((await run(next))['cursor'].nextBatch.length, 2);
  });

  it('createIndexes refuses two indexes of one name, and one index twice', async () => {
    const create = (...indexes: Document[]): Document => ({ createIndexes: 'c', indexes });
    const a = { key: { a: 1 }, name: 'a' };
    await refused(create(a, a), 68);
    await refused(create(a, { ...a, name: 'b' }), 85);
    await refused(create(a, { key: { b: 1 }, name: 'a' }), 86);
    assert.equal((await database.collection('c').indexes()).length, 1);
  });

  it('dataSize wants a whole namespace', async () => {
    await refused({ dataSize: 'c' }, 73);
    const { numObjects } = await run({ dataSize: `${database.databaseName}.c` });
    assert.equal(Number(numObjects), 3);
  });

  it('listCollections answers with a cursor, whole or names only', async () => {
    const { cursor } = await run({ listCollections: 1 });
    assert.equal(cursor.ns, `${database.databaseName}.$cmd.listCollections`);
    const [{ name, type, info, idIndex }] = cursor.firstBatch;
    assert.deepEqual([name, type, info.readOnly], ['c', 'collection', false]);
    assert.equal(info.uuid.sub_type, Binary.SUBTYPE_UUID);
    assert.deepEqual(idIndex, { v: new Int32(2), key: { _id: new Int32(1) }, name: '_id_' });
    const names = await run({ listCollections: 1, nameOnly: true, filter: { name: 'c' } });
    assert.deepEqual(names['cursor'].firstBatch, [{ name: 'c', type: 'collection' }]);
  });

  it('renameCollection is for the database admin, and wants whole names', async () => {
    const from = `${database.databaseName}.c`;
    const to = `${database.databaseName}.d`;
    await refused({ renameCollection: from, to }, 13);
    await assert.rejects(admin({ renameCollection: to, to: from }), {
      codeName: 'NamespaceNotFound',
    });
    await assert.rejects(admin({ renameCollection: from, to: 'd' }), {
      codeName: 'InvalidNamespace',
    });
    assert.deepEqual(await admin({ renameCollection: from, to }), { ok });
    assert.deepEqual((await run({ count: 'd' }))['n'], new Int32(3));
    assert.deepEqual((await run({ count: 'c' }))['n'], new Int32(0));
  });

  it('drop says how many indexes there were; a collection that is not there is no error', async () => {
    const ns = `${database.databaseName}.c`;
    assert.deepEqual(await run({ drop: 'c' }), { nIndexesWas: new Int32(1), ns, ok });
    assert.deepEqual((await run({ drop: 'c' }))['ok'], ok);
  });

  it('dropDatabase names the database, if there was one', async () => {
    const dropped = database.databaseName;
    assert.deepEqual(await run({ dropDatabase: 1 }), { dropped, ok });
    assert.deepEqual(await run({ dropDatabase: 1 }), { ok });
  });
});
