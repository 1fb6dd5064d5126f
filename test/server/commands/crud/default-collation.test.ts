/**
 * The default collation of a collection: every command uses it, unless it brings its own.
 */
import assert from 'node:assert/strict';
import type { Db, Document } from 'mongodb';
import { serverForTests } from '../../../support/test-server.ts';

describe('the default collation of a collection', () => {
  const server = serverForTests();
  const simple = { locale: 'simple' };
  let database: Db;
  const run = (command: Document) => database.command(command);
  const ids = (reply: Document) => reply.cursor.firstBatch.map(({ _id }: Document) => _id);

  beforeEach(async () => {
    database = server.freshDatabase();
    await run({ create: 'c', collation: { locale: 'en', strength: 2 } });
    await run({
      insert: 'c',
      documents: [
        { _id: 1, s: 'Apple' },
        { _id: 2, s: 'banana' },
        { _id: 3, s: 'apple' },
      ],
    });
  });

  it('is used by find, for conditions and order', async () => {
    assert.deepEqual(ids(await run({ find: 'c', filter: { s: 'APPLE' } })), [1, 3]);
    assert.deepEqual(ids(await run({ find: 'c', sort: { s: -1, _id: 1 } })), [2, 1, 3]);
    assert.deepEqual(ids(await run({ find: 'c', filter: { s: 'APPLE' }, collation: simple })), []);
    assert.deepEqual(ids(await run({ find: 'c', sort: { s: 1 }, collation: simple })), [1, 3, 2]);
  });

  it('is used by aggregate, count and distinct', async () => {
    const pipeline = [{ $match: { s: 'APPLE' } }, { $group: { _id: '$s', n: { $sum: 1 } } }];
    const grouped = await run({ aggregate: 'c', pipeline, cursor: {} });
    assert.equal(grouped.cursor.firstBatch[0].n, 2);
    assert.equal((await run({ count: 'c', query: { s: 'APPLE' } })).n, 2);
    assert.equal((await run({ count: 'c', query: { s: 'APPLE' }, collation: simple })).n, 0);
    assert.deepEqual((await run({ distinct: 'c', key: 's' })).values, ['Apple', 'banana']);
    const values = await run({ distinct: 'c', key: 's', collation: simple });
    assert.deepEqual(values.values, ['Apple', 'banana', 'apple']);
  });

  it('is used by update, delete and findAndModify', async () => {
    const u = { $set: { seen: true } };
    const updates = [{ q: { s: 'APPLE' }, u, multi: true }];
    assert.equal((await run({ update: 'c', updates })).nModified, 2);
    const simply = [{ q: { s: 'BANANA' }, u, collation: simple }];
    assert.equal((await run({ update: 'c', updates: simply })).n, 0);
    const modified = await run({ findAndModify: 'c', query: { s: 'BANANA' }, update: u });
    assert.equal(modified.value._id, 2);
    const deletes = [{ q: { s: 'APPLE' }, limit: 0 }];
    assert.equal((await run({ delete: 'c', deletes })).n, 2);
  });

  it('is that of its _id, and of indexes that have none of their own', async () => {
    await run({
      createIndexes: 'c',
      indexes: [
        { key: { s: 1 }, name: 'inherited' },
        { key: { s: 1 }, name: 'simple', collation: simple },
      ],
    });
    const { cursor } = await run({ listIndexes: 'c' });
    const collations = cursor.firstBatch.map(({ name, collation }: Document) => [
      name,
      collation?.strength,
    ]);
    assert.deepEqual(collations, [
      ['_id_', 2],
      ['inherited', 2],
      ['simple', undefined],
    ]);
    const explained = await run({ explain: { find: 'c', filter: { s: 'APPLE' } } });
    assert.match(JSON.stringify(explained), /"indexName":"inherited"/);
    await run({ insert: 'c', documents: [{ _id: 'x' }] });
    const { writeErrors } = await run({ insert: 'c', documents: [{ _id: 'X' }] });
    assert.equal(writeErrors[0].code, 11000);
    assert.deepEqual(ids(await run({ find: 'c', filter: { _id: 'X' } })), ['x']);
    assert.deepEqual(ids(await run({ find: 'c', filter: { _id: 'X' }, collation: simple })), []);
  });

  it('is shown by listCollections with all its fields', async () => {
    const [{ options, idIndex }] = (await database
      .listCollections({ name: 'c' })
      .toArray()) as Document[];
    assert.equal(options.collation.version, '57.1');
    assert.deepEqual(idIndex.collation, options.collation);
  });

  it('counts when the command has an empty collation, too', async () => {
    assert.deepEqual(ids(await run({ find: 'c', filter: { s: 'APPLE' }, collation: {} })), [1, 3]);
  });

  it('of a foreign collection does not matter in a $lookup', async () => {
    await run({ insert: 'plain', documents: [{ _id: 1, s: 'APPLE' }] });
    const $lookup = { from: 'c', localField: 's', foreignField: 's', as: 'found' };
    const reply = await run({ aggregate: 'plain', pipeline: [{ $lookup }], cursor: {} });
    assert.deepEqual(reply.cursor.firstBatch[0].found, []);
    const $reverse = { from: 'plain', localField: 's', foreignField: 's', as: 'found' };
    const other = await run({ aggregate: 'c', pipeline: [{ $lookup: $reverse }], cursor: {} });
    assert.equal(other.cursor.firstBatch[0].found.length, 1);
  });

  it('agrees with the one in idIndex', async () => {
    const idIndex = { key: { _id: 1 }, name: '_id_' };
    const collation = { locale: 'fr' };
    await run({ create: 'd', collation, idIndex: { ...idIndex, collation } });
    await run({ create: 'e', collation, idIndex });
    assert.equal((await run({ listIndexes: 'e' })).cursor.firstBatch[0].collation.locale, 'fr');
    const other = { ...idIndex, collation: { locale: 'de' } };
    await assert.rejects(run({ create: 'i', collation, idIndex: other }), { code: 2 });
    await assert.rejects(run({ create: 'f', idIndex: { ...idIndex, collation } }), { code: 2 });
    await assert.rejects(run({ create: 'g', idIndex: { key: { a: 1 }, name: 'a_1' } }), {
      code: 2,
    });
    await run({ create: 'h', idIndex });
  });
});
