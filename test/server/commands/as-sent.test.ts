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
