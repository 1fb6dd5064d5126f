/**
 * Clustered collections: in the order of their _id, and spoken of as MongoDB speaks of them.
 */
import assert from 'node:assert/strict';
import type { Db, Document } from 'mongodb';
import { serverForTests } from '../../../support/test-server.ts';

describe('clustered collections', () => {
  const server = serverForTests();
  let database: Db;
  const run = (command: Document) => database.command(command);
  const find = async (options: Document = {}) => {
    const { cursor } = await run({ find: 'c', ...options });
    return cursor.firstBatch.map(({ _id }: Document) => _id);
  };
  const plan = async (command: Document): Promise<Document> => {
    const { queryPlanner } = await run({ explain: command });
    return queryPlanner.winningPlan;
  };

  beforeEach(async () => {
    database = server.freshDatabase();
    const clusteredIndex = { key: { _id: 1 }, unique: true, name: 'by _id' };
    await run({ create: 'c', clusteredIndex });
    const documents = [5, 1, 4, 2, 3].map((_id) => ({ _id, a: _id % 2 }));
    await run({ insert: 'c', documents });
  });

  it('are read in the order of _id', async () => {
    assert.deepEqual(await find(), [1, 2, 3, 4, 5]);
    assert.deepEqual(await find({ sort: { $natural: -1 } }), [5, 4, 3, 2, 1]);
    assert.deepEqual(await find({ hint: { $natural: 1 }, filter: { a: 1 } }), [1, 3, 5]);
    assert.deepEqual(await find({ sort: { _id: -1 }, limit: 2 }), [5, 4]);
    assert.deepEqual(await find({ filter: { _id: { $gt: 1, $lt: 5 }, a: 0 } }), [2, 4]);
    assert.deepEqual(await find({ filter: { _id: { $in: [5, 1] } } }), [1, 5]);
    assert.deepEqual(await find({ filter: { $or: [{ _id: 4 }, { _id: { $lt: 2 } }] } }), [4, 1]);
    assert.deepEqual(await find({ filter: { _id: 3 }, projection: { _id: 1 } }), [3]);
    assert.equal((await run({ count: 'c', query: { _id: { $gte: 3 } } })).n, 3);
    assert.deepEqual((await run({ distinct: 'c', key: '_id' })).values, [1, 2, 3, 4, 5]);
  });

  it('explain their scans as MongoDB does', async () => {
    assert.deepEqual(await plan({ find: 'c', filter: { a: 1 } }), {
      isCached: false,
      stage: 'COLLSCAN',
      filter: { a: { $eq: 1 } },
      direction: 'forward',
    });
    const { filter, ...bounded } = await plan({
      find: 'c',
      filter: { _id: { $gte: 2, $lt: 4 } },
    });
    assert.equal(filter.$and.length, 2);
    assert.deepEqual(bounded, {
      isCached: false,
      stage: 'CLUSTERED_IXSCAN',
      direction: 'forward',
      minRecord: 2,
      maxRecord: 4,
    });
    const sorted = await plan({ find: 'c', sort: { _id: -1 } });
    assert.equal(sorted.stage, 'COLLSCAN');
    assert.equal(sorted.direction, 'backward');
    assert.equal((await plan({ find: 'c', filter: { _id: 2 } })).stage, 'EXPRESS_CLUSTERED_IXSCAN');
    const { executionStats } = await run({
      explain: { find: 'c', filter: { _id: { $lt: 3 } } },
      verbosity: 'executionStats',
    });
    assert.equal(executionStats.totalKeysExamined, 0);
    assert.equal(executionStats.totalDocsExamined, 2);
  });

  it('are updated, deleted from, and refuse duplicates', async () => {
    const updates = [{ q: { _id: { $gt: 3 } }, u: { $set: { b: 1 } }, multi: true }];
    assert.equal((await run({ update: 'c', updates })).nModified, 2);
    await run({ delete: 'c', deletes: [{ q: { _id: { $lte: 2 } }, limit: 0 }] });
    assert.deepEqual(await find(), [3, 4, 5]);
    assert.equal((await run({ insert: 'c', documents: [{ _id: 3 }] })).writeErrors[0].code, 11000);
    const { value } = await run({ findAndModify: 'c', query: {}, remove: true });
    assert.equal(value._id, 3);
  });

  it('have other indexes, too', async () => {
    await run({ createIndexes: 'c', indexes: [{ key: { a: 1 }, name: 'a' }] });
    assert.deepEqual((await find({ filter: { a: 1 } })).toSorted(), [1, 3, 5]);
    assert.match(JSON.stringify(await plan({ find: 'c', filter: { a: 1 } })), /"IXSCAN"/);
    const either = { $or: [{ a: 0 }, { _id: 1 }] };
    assert.deepEqual((await find({ filter: either })).toSorted(), [1, 2, 4]);
    assert.equal((await run({ dropIndexes: 'c', index: '*' })).nIndexesWas, 2);
  });

  it('are listed with their order as an index that is not dropped', async () => {
    const [{ options, idIndex }] = (await database
      .listCollections({ name: 'c' })
      .toArray()) as Document[];
    const clusteredIndex = { v: 2, key: { _id: 1 }, name: 'by _id', unique: true };
    assert.deepEqual(options, { clusteredIndex });
    assert.equal(idIndex, undefined);
    const { cursor } = await run({ listIndexes: 'c' });
    assert.deepEqual(cursor.firstBatch, [{ ...clusteredIndex, clustered: true }]);
    for (const index of ['by _id', { _id: 1 }]) {
      await assert.rejects(run({ dropIndexes: 'c', index }), { code: 5979800 });
    }
    await run({ dropIndexes: 'c', index: '*' });
    const hidden = { name: 'by _id', hidden: true };
    await assert.rejects(run({ collMod: 'c', index: hidden }), { code: 6011800 });
    const again = [{ key: { _id: 1 }, name: 'by _id', unique: true, clustered: true }];
    assert.equal((await run({ createIndexes: 'c', indexes: again })).numIndexesAfter, 1);
    const stats = await run({ collStats: 'c' });
    assert.equal(stats.clustered, true);
    assert.equal(stats.nindexes, 0);
    assert.deepEqual(stats.indexSizes, {});
    assert.equal((await run({ validate: 'c', full: true })).valid, true);
  });

  it('expire by collMod, and do not become capped', async () => {
    await run({ collMod: 'c', expireAfterSeconds: 100 });
    const shown = async () =>
      ((await database.listCollections({ name: 'c' }).toArray()) as Document[])[0].options;
    assert.equal((await shown()).expireAfterSeconds, 100);
    const { cursor } = await run({ listIndexes: 'c' });
    assert.equal(cursor.firstBatch[0].expireAfterSeconds, 100);
    await run({ collMod: 'c', expireAfterSeconds: 'off' });
    assert.equal('expireAfterSeconds' in (await shown()), false);
    await assert.rejects(run({ collMod: 'c', expireAfterSeconds: 'never' }), { code: 72 });
    await assert.rejects(run({ convertToCapped: 'c', size: 4096 }), { code: 72 });
  });

  it('compare _id by their collation', async () => {
    const clusteredIndex = { key: { _id: 1 }, unique: true };
    await run({ create: 'd', clusteredIndex, collation: { locale: 'en', strength: 2 } });
    await run({ insert: 'd', documents: [{ _id: 'b' }, { _id: 'A' }] });
    assert.equal(
      (await run({ insert: 'd', documents: [{ _id: 'a' }] })).writeErrors[0].code,
      11000,
    );
    const { cursor } = await run({ find: 'd', filter: { _id: 'B' } });
    assert.deepEqual(cursor.firstBatch, [{ _id: 'b' }]);
  });

  it('are in order also where keys are too long to stand whole in an index', async () => {
    const clusteredIndex = { key: { _id: 1 }, unique: true };
    await run({ create: 'c2', clusteredIndex });
    await run({ create: 'c3', clusteredIndex, collation: { locale: 'en', strength: 2 } });
    const lengths = Array.from({ length: 40 }, (_, index) => 900 + ((index * 37) % 40) * 30);
    const documents = lengths.map((length) => ({ _id: `${'x'.repeat(length)}y` }));
    for (const name of ['c2', 'c3']) {
      await run({ insert: name, documents });
      for (const direction of [1, -1]) {
        // A longer run of x stands before the y of a shorter one.
        const expected = documents
          .map(({ _id }) => _id.length)
          .toSorted((a, b) => (b - a) * direction);
        for (const options of [
          { sort: { _id: direction } },
          { hint: { $natural: direction } },
          { sort: { _id: direction }, filter: { _id: { $gte: 'x' } } },
        ]) {
          const { cursor } = await run({ find: name, batchSize: 1000, ...options });
          assert.deepEqual(
            cursor.firstBatch.map(({ _id }: Document) => _id.length),
            expected,
            JSON.stringify([name, options]),
          );
        }
      }
    }
  });

  it('give cursors that go on where they were', async () => {
    const first = await run({ find: 'c', batchSize: 2 });
    await run({ insert: 'c', documents: [{ _id: 2.5 }, { _id: 0 }] });
    const { cursor } = await run({ getMore: first.cursor.id, collection: 'c' });
    assert.deepEqual(
      cursor.nextBatch.map(({ _id }: Document) => _id),
      [2.5, 3, 4, 5],
    );
  });
});
