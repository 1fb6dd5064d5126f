/**
 * Views: defined, read by every command that reads, refused by every command that writes.
 */
import assert from 'node:assert/strict';
import type { Db, Document } from 'mongodb';
import { serverForTests } from '../../../support/test-server.ts';

describe('views', () => {
  const server = serverForTests();
  let database: Db;
  const run = (command: Document) => database.command(command);
  const rejects = (command: Document, code: number) =>
    assert.rejects(run(command), { code }, JSON.stringify(command));
  const firstBatch = async (command: Document) => (await run(command)).cursor.firstBatch;

  beforeEach(async () => {
    database = server.freshDatabase();
    await database.collection('items').insertMany([
      { _id: 1, a: 1, g: 'x' },
      { _id: 2, a: 2, g: 'y' },
      { _id: 3, a: 3, g: 'x' },
    ] as Document[]);
    await run({ create: 'v', viewOn: 'items', pipeline: [{ $match: { g: 'x' } }] });
    await run({ create: 'w', viewOn: 'v', pipeline: [{ $set: { b: '$a' } }, { $unset: 'g' }] });
  });

  it('answer find, aggregate, count, distinct and explain', async () => {
    assert.deepEqual(
      await firstBatch({ find: 'w', sort: { _id: -1 }, filter: { b: { $gt: 0 } } }),
      [
        { _id: 3, a: 3, b: 3 },
        { _id: 1, a: 1, b: 1 },
      ],
    );
    const pipeline = [{ $group: { _id: null, sum: { $sum: '$b' } } }];
    assert.deepEqual(await firstBatch({ aggregate: 'w', pipeline, cursor: {} }), [
      { _id: null, sum: 4 },
    ]);
    assert.equal((await run({ count: 'w' })).n, 2);
    assert.equal((await run({ count: 'w', query: { b: 3 }, limit: 5 })).n, 1);
    assert.deepEqual((await run({ distinct: 'w', key: 'b' })).values, [1, 3]);
    const explained = await run({ explain: { find: 'w' }, verbosity: 'executionStats' });
    assert.ok(explained.stages ?? explained.queryPlanner);
  });

  it('give cursors under their own name', async () => {
    const { cursor } = await run({ find: 'v', batchSize: 1 });
    assert.equal(cursor.ns, `${database.databaseName}.v`);
    const more = await run({ getMore: cursor.id, collection: 'v' });
    assert.deepEqual(more.cursor.nextBatch, [{ _id: 3, a: 3, g: 'x' }]);
  });

  it('use the indexes of their collection', async () => {
    await database.collection('items').createIndex({ a: 1 });
    const explained = await run({ explain: { find: 'v', filter: { a: 3 } } });
    assert.match(JSON.stringify(explained), /"IXSCAN"/);
  });

  it('see later writes to their collection', async () => {
    await database.collection('items').insertOne({ _id: 4, a: 4, g: 'x' } as Document);
    assert.equal((await run({ count: 'v' })).n, 3);
  });

  it('are joined by $lookup, $graphLookup and $unionWith', async () => {
    const lookup = { from: 'w', localField: 'a', foreignField: 'b', as: 'found' };
    const [first] = await firstBatch({
      aggregate: 'v',
      pipeline: [{ $lookup: lookup }],
      cursor: {},
    });
    assert.deepEqual(first.found, [{ _id: 1, a: 1, b: 1 }]);
    const union = [{ $unionWith: { coll: 'w', pipeline: [{ $match: { b: 3 } }] } }];
    assert.equal((await firstBatch({ aggregate: 'v', pipeline: union, cursor: {} })).length, 3);
    const graph = {
      from: 'w',
      startWith: '$a',
      connectFromField: 'none',
      connectToField: 'b',
      as: 'found',
    };
    const [reached] = await firstBatch({
      aggregate: 'v',
      pipeline: [{ $graphLookup: graph }],
      cursor: {},
    });
    assert.deepEqual(reached.found, [{ _id: 1, a: 1, b: 1 }]);
  });

  it('are listed with their definition, and in system.views', async () => {
    const ns = `${database.databaseName}.v`;
    const definition = { viewOn: 'items', pipeline: [{ $match: { g: 'x' } }] };
    assert.deepEqual(await firstBatch({ listCollections: 1, filter: { name: 'v' } }), [
      { name: 'v', type: 'view', options: definition, info: { readOnly: true } },
    ]);
    assert.deepEqual(await firstBatch({ find: 'system.views', filter: { _id: ns } }), [
      { _id: ns, ...definition },
    ]);
    await run({ drop: 'v' });
    assert.deepEqual(await firstBatch({ find: 'system.views', filter: { _id: ns } }), []);
    assert.deepEqual(await firstBatch({ find: 'v' }), []);
  });

  it('may be defined on what is not there, and on a view that is dropped', async () => {
    await run({ create: 'early', viewOn: 'later' });
    assert.deepEqual(await firstBatch({ find: 'early' }), []);
    await run({ drop: 'v' });
    assert.deepEqual(await firstBatch({ find: 'w' }), []);
  });

  it('are made again with the same definition only', async () => {
    await run({ create: 'v', viewOn: 'items', pipeline: [{ $match: { g: 'x' } }] });
    await rejects({ create: 'v', viewOn: 'items', pipeline: [] }, 48);
    await rejects({ create: 'v' }, 48);
    await rejects({ create: 'items', viewOn: 'v' }, 48);
  });

  for (const command of [
    { insert: 'v', documents: [{ _id: 9 }] },
    { update: 'v', updates: [{ q: {}, u: { $set: { a: 1 } } }] },
    { update: 'v', updates: [{ q: {}, u: { $set: { a: 1 } }, multi: true }] },
    { update: 'v', updates: [{ q: { _id: 99 }, u: { $set: { a: 1 } }, upsert: true }] },
    { delete: 'v', deletes: [{ q: {}, limit: 1 }] },
    { delete: 'v', deletes: [{ q: {}, limit: 0 }] },
  ] as Document[]) {
    it(`refuse ${JSON.stringify(command)}`, async () => {
      const { writeErrors } = await run(command);
      assert.equal(writeErrors[0].code, 166);
      assert.equal(await database.collection('items').countDocuments(), 3);
    });
  }

  for (const command of [
    { findAndModify: 'v', query: {}, update: { $set: { a: 1 } } },
    { findAndModify: 'v', query: {}, remove: true },
    { createIndexes: 'v', indexes: [{ key: { a: 1 }, name: 'a_1' }] },
    { dropIndexes: 'v', index: '*' },
    { listIndexes: 'v' },
    { collStats: 'v' },
    { validate: 'v' },
    { explain: { delete: 'v', deletes: [{ q: {}, limit: 1 }] } },
  ] as Document[]) {
    it(`refuse ${JSON.stringify(command)}`, () => rejects(command, 166));
  }

  it('are not renamed, and no other collection takes their name', async () => {
    const { databaseName } = database;
    const admin = server.client.db('admin');
    const rename = (from: string, to: string) =>
      admin.command({
        renameCollection: `${databaseName}.${from}`,
        to: `${databaseName}.${to}`,
        dropTarget: true,
      });
    await assert.rejects(rename('v', 'u'), { code: 166 });
    await assert.rejects(rename('items', 'v'), { code: 48 });
  });

  it('have no cycle', async () => {
    await run({ create: 'a', viewOn: 'b' });
    await rejects({ create: 'b', viewOn: 'a' }, 5);
    await rejects({ create: 'c', viewOn: 'c' }, 5);
    const lookup = { from: 'd', pipeline: [], as: 'x' };
    await rejects({ create: 'd', viewOn: 'items', pipeline: [{ $lookup: lookup }] }, 5);
    const facet = { x: [{ $unionWith: 'e' }] };
    await rejects({ create: 'e', viewOn: 'items', pipeline: [{ $facet: facet }] }, 5);
  });

  it('stand on each other up to a height of twenty', async () => {
    await run({ create: 'v1', viewOn: 'items' });
    for (let height = 2; height <= 20; height += 1) {
      await run({ create: `v${height}`, viewOn: `v${height - 1}` });
    }
    assert.equal((await run({ count: 'v20' })).n, 3);
    await rejects({ create: 'v21', viewOn: 'v20' }, 165);
  });

  it('may begin with what needs an index that comes later', async () => {
    const pipeline = [{ $match: { $text: { $search: 'apple' } } }];
    await run({ create: 'texts', viewOn: 'later', pipeline });
    await run({
      insert: 'later',
      documents: [
        { _id: 1, s: 'an apple' },
        { _id: 2, s: 'a pear' },
      ],
    });
    await run({ createIndexes: 'later', indexes: [{ key: { s: 'text' }, name: 's' }] });
    assert.equal((await run({ count: 'texts' })).n, 1);
  });

  it('have no stage that writes, and no stage that is wrong', async () => {
    await rejects({ create: 'x', viewOn: 'items', pipeline: [{ $out: 'y' }] }, 167);
    await rejects({ create: 'x', viewOn: 'items', pipeline: [{ $merge: 'y' }] }, 167);
    await rejects({ create: 'x', viewOn: 'items', pipeline: [{ $nonsense: 1 }] }, 40324);
    await rejects({ create: 'system.views', viewOn: 'items' }, 73);
    await rejects({ create: 'x$', viewOn: 'items' }, 73);
  });

  it('compare by their own collation, which no command overrides', async () => {
    const collation = { locale: 'en', strength: 2 };
    await run({ create: 'ci', viewOn: 'items', collation });
    assert.equal((await run({ count: 'ci', query: { g: 'X' } })).n, 2);
    assert.equal((await run({ count: 'ci', query: { g: 'X' }, collation })).n, 2);
    assert.equal((await run({ count: 'v', query: { g: 'X' } })).n, 0);
    await rejects({ count: 'v', query: { g: 'X' }, collation }, 167);
    await rejects({ find: 'ci', collation: { locale: 'fr' } }, 167);
    await rejects(
      { aggregate: 'ci', pipeline: [], cursor: {}, collation: { locale: 'simple' } },
      167,
    );
    await rejects({ create: 'mixed', viewOn: 'ci' }, 167);
    await run({ count: 'v', collation: { locale: 'simple' } });
    const $lookup = { from: 'ci', pipeline: [], as: 'x' };
    await rejects({ aggregate: 'items', pipeline: [{ $lookup }], cursor: {} }, 167);
    await run({ aggregate: 'items', pipeline: [{ $lookup }], cursor: {}, collation });
  });

  it('take no option of find that a pipeline does not have', async () => {
    for (const option of [
      { returnKey: true },
      { showRecordId: true },
      { noCursorTimeout: true },
      { singleBatch: true },
      { min: { a: 1 }, hint: { a: 1 } },
      { sort: { $natural: 1 } },
    ]) {
      await rejects({ find: 'v', ...option }, 168);
    }
    await run({ find: 'v', singleBatch: true, limit: 1 });
  });

  it('are all gone when system.views is dropped', async () => {
    await run({ drop: 'system.views' });
    const left = await database.listCollections({}, { nameOnly: true }).toArray();
    assert.deepEqual(left, [{ name: 'items', type: 'collection' }]);
    await run({ create: 'v', viewOn: 'items' });
    assert.equal((await run({ count: 'v' })).n, 3);
  });
});
