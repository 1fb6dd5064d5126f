/**
 * collMod, convertToCapped and cloneCollectionAsCapped: collections that become something else.
 */
import assert from 'node:assert/strict';
import type { Db, Document } from 'mongodb';
import { serverForTests } from '../../../support/test-server.ts';

describe('collMod', () => {
  const server = serverForTests();
  let database: Db;
  const run = (command: Document) => database.command(command);
  const rejects = (command: Document, code: number) =>
    assert.rejects(run(command), { code }, JSON.stringify(command));
  const optionsOf = async (name: string): Promise<Document> => {
    const { cursor } = await run({ listCollections: 1, filter: { name } });
    return cursor.firstBatch[0].options;
  };
  const ids = async (name: string) =>
    (await run({ find: name })).cursor.firstBatch.map(({ _id }: Document) => _id);
  const index = (name: string, change: Document) =>
    run({ collMod: 'c', index: { name, ...change } });
  const specOf = async (name: string): Promise<Document> => {
    const { cursor } = await run({ listIndexes: 'c' });
    return cursor.firstBatch.find((spec: Document) => spec.name === name);
  };

  beforeEach(async () => {
    database = server.freshDatabase();
    await run({
      insert: 'c',
      documents: [
        { _id: 1, a: 1 },
        { _id: 2, a: 2 },
      ],
    });
    await run({ createIndexes: 'c', indexes: [{ key: { a: 1 }, name: 'a_1' }] });
  });

  it('sets a validator, and writes down level and action with it', async () => {
    assert.deepEqual(await run({ collMod: 'c', validator: { a: { $gt: 0 } } }), { ok: 1 });
    const validator = { a: { $gt: 0 } };
    assert.deepEqual(await optionsOf('c'), {
      validator,
      validationLevel: 'strict',
      validationAction: 'error',
    });
    assert.ok((await run({ insert: 'c', documents: [{ a: 0 }] })).writeErrors);
    await run({ collMod: 'c', validationAction: 'warn' });
    assert.deepEqual(await optionsOf('c'), {
      validator,
      validationLevel: 'strict',
      validationAction: 'warn',
    });
    await run({ collMod: 'c', validator: {}, validationLevel: 'off' });
    assert.deepEqual(await optionsOf('c'), { validationLevel: 'off', validationAction: 'warn' });
    assert.equal((await run({ insert: 'c', documents: [{ a: 0 }] })).n, 1);
  });

  it('refuses what create refuses', async () => {
    await rejects({ collMod: 'c', validator: { $where: '1' } }, 2);
    await rejects({ collMod: 'c', validationLevel: 'hard' }, 2);
    await rejects({ collMod: 'c', nonsense: 1 }, 40415);
    await rejects({ collMod: 'none', validator: {} }, 26);
    await rejects({ collMod: 'c', expireAfterSeconds: 5 }, 72);
    assert.deepEqual(await run({ collMod: 'c' }), { ok: 1 });
  });

  it('changes when documents of an index expire', async () => {
    assert.deepEqual(await index('a_1', { expireAfterSeconds: 100 }), {
      expireAfterSeconds_new: 100,
      ok: 1,
    });
    assert.deepEqual(await index('a_1', { expireAfterSeconds: 200 }), {
      expireAfterSeconds_old: 100,
      expireAfterSeconds_new: 200,
      ok: 1,
    });
    assert.equal((await specOf('a_1')).expireAfterSeconds, 200);
    await run({ createIndexes: 'c', indexes: [{ key: { a: 1, b: 1 }, name: 'ab' }] });
    await assert.rejects(index('ab', { expireAfterSeconds: 1 }), { code: 72 });
    await assert.rejects(index('_id_', { expireAfterSeconds: 1 }), { code: 72 });
    await assert.rejects(index('a_1', { expireAfterSeconds: -1 }), { code: 72 });
  });

  it('hides an index, and shows it again', async () => {
    const keyPattern = { a: 1 };
    assert.deepEqual(await run({ collMod: 'c', index: { keyPattern, hidden: true } }), {
      hidden_old: false,
      hidden_new: true,
      ok: 1,
    });
    assert.equal((await specOf('a_1')).hidden, true);
    const explained = await run({ explain: { find: 'c', filter: { a: 1 } } });
    assert.match(JSON.stringify(explained.queryPlanner.winningPlan), /COLLSCAN/);
    assert.deepEqual(await index('a_1', { hidden: true }), { ok: 1 });
    await index('a_1', { hidden: false });
    assert.equal('hidden' in (await specOf('a_1')), false);
    await assert.rejects(index('_id_', { hidden: true }), { code: 2 });
  });

  it('makes an index unique in two steps', async () => {
    await assert.rejects(index('a_1', { unique: true }), { code: 72 });
    assert.deepEqual(await index('a_1', { prepareUnique: true }), {
      prepareUnique_old: false,
      prepareUnique_new: true,
      ok: 1,
    });
    assert.equal((await run({ insert: 'c', documents: [{ a: 1 }] })).writeErrors[0].code, 11000);
    assert.deepEqual(
      await run({ collMod: 'c', index: { name: 'a_1', unique: true }, dryRun: true }),
      {
        ok: 1,
      },
    );
    assert.deepEqual(await index('a_1', { unique: true }), { unique_new: true, ok: 1 });
    const spec = await specOf('a_1');
    assert.equal(spec.unique, true);
    assert.equal('prepareUnique' in spec, false);
    assert.equal((await run({ insert: 'c', documents: [{ a: 1 }] })).writeErrors[0].code, 11000);
    assert.deepEqual(await index('a_1', { unique: true }), { ok: 1 });
    await assert.rejects(index('a_1', { unique: false }), { code: 2 });
  });

  it('says which documents keep an index from becoming unique', async () => {
    await run({
      insert: 'c',
      documents: [
        { _id: 3, a: 1 },
        { _id: 4, a: 1 },
        { _id: 5, a: 5 },
      ],
    });
    await index('a_1', { prepareUnique: true });
    for (const dryRun of [true, false]) {
      await assert.rejects(
        run({ collMod: 'c', index: { name: 'a_1', unique: true }, dryRun }),
        (error: Document) => {
          assert.equal(error.code, 359);
          assert.deepEqual(error.errorResponse.violations, [{ ids: [1, 3, 4] }]);
          return true;
        },
      );
    }
    // Old duplicates may be changed, but not multiplied.
    await run({ update: 'c', updates: [{ q: { _id: 3 }, u: { $set: { b: 1 } } }] });
    const again = [{ q: { _id: 5 }, u: { $set: { a: 1 } } }];
    assert.equal((await run({ update: 'c', updates: again })).writeErrors[0].code, 11000);
    await run({ delete: 'c', deletes: [{ q: { _id: { $in: [3, 4] } }, limit: 0 }] });
    assert.deepEqual(await index('a_1', { unique: true }), { unique_new: true, ok: 1 });
  });

  for (const [change, code] of [
    [{ name: 'none', hidden: true }, 27],
    [{ keyPattern: { z: 1 }, hidden: true }, 27],
    [{ hidden: true }, 72],
    [{ name: 'a_1', keyPattern: { a: 1 }, hidden: true }, 72],
    [{ name: 'a_1' }, 72],
    [{ name: 'a_1', prepareUnique: true, hidden: true }, 72],
    [{ name: 'a_1', nonsense: true }, 40415],
  ] as const) {
    it(`refuses the index ${JSON.stringify(change)}`, () =>
      rejects({ collMod: 'c', index: change }, code));
  }

  it('asks for the name when a pattern fits several indexes', async () => {
    const collation = { locale: 'en', strength: 2 };
    await run({ createIndexes: 'c', indexes: [{ key: { a: 1 }, name: 'other', collation }] });
    await rejects({ collMod: 'c', index: { keyPattern: { a: 1 }, hidden: true } }, 181);
  });

  it('is for dry runs only of what they are for', async () => {
    await rejects({ collMod: 'c', dryRun: true, validator: {} }, 72);
    await rejects({ collMod: 'c', dryRun: true, index: { name: 'a_1', hidden: true } }, 72);
  });

  it('gives a view another definition', async () => {
    await run({ create: 'v', viewOn: 'c', pipeline: [{ $match: { a: 1 } }] });
    await run({ collMod: 'v', viewOn: 'c', pipeline: [{ $match: { a: 2 } }] });
    assert.deepEqual(await ids('v'), [2]);
    const shown = await run({ find: 'system.views' });
    assert.deepEqual(shown.cursor.firstBatch[0].pipeline, [{ $match: { a: 2 } }]);
    await rejects({ collMod: 'v', viewOn: 'v' }, 5);
    await rejects({ collMod: 'v', pipeline: [{ $out: 'x' }] }, 167);
    await rejects({ collMod: 'v', validator: {} }, 72);
    await rejects({ collMod: 'v', index: { name: 'a_1', hidden: true } }, 72);
    await rejects({ collMod: 'c', pipeline: [] }, 72);
    assert.deepEqual(await ids('v'), [2]);
  });

  it('changes the limits of a capped collection', async () => {
    await run({ create: 'capped', capped: true, size: 4096, max: 10 });
    const documents = Array.from({ length: 10 }, (_, _id) => ({ _id }));
    await run({ insert: 'capped', documents });
    await run({ collMod: 'capped', cappedMax: 3, cappedSize: 5000 });
    assert.deepEqual(await optionsOf('capped'), { capped: true, size: 5120, max: 3 });
    await run({ insert: 'capped', documents: [{ _id: 10 }] });
    assert.deepEqual(await ids('capped'), [8, 9, 10]);
    await rejects({ collMod: 'c', cappedMax: 3 }, 72);
    await rejects({ collMod: 'capped', cappedSize: 0 }, 51024);
  });

  it('makes a large capped collection smaller over several inserts', async () => {
    await run({ create: 'capped', capped: true, size: 1 << 20 });
    const documents = Array.from({ length: 2000 }, (_, _id) => ({ _id }));
    await run({ insert: 'capped', documents });
    await run({ collMod: 'capped', cappedMax: 5 });
    for (let _id = 2000; _id < 2010; _id += 1)
      await run({ insert: 'capped', documents: [{ _id }] });
    assert.deepEqual(await ids('capped'), [2005, 2006, 2007, 2008, 2009]);
  });
});

describe('convertToCapped and cloneCollectionAsCapped', () => {
  const server = serverForTests();
  let database: Db;
  const run = (command: Document) => database.command(command);

  beforeEach(async () => {
    database = server.freshDatabase();
    const documents = Array.from({ length: 1000 }, (_, _id) => ({ _id, text: 'x'.repeat(100) }));
    await run({ insert: 'c', documents });
    await run({ createIndexes: 'c', indexes: [{ key: { text: 1 }, name: 'text_1' }] });
  });

  it('keep the newest documents that fit', async () => {
    await run({ convertToCapped: 'c', size: 8192 });
    const [{ options }] = (await database.listCollections({ name: 'c' }).toArray()) as Document[];
    assert.deepEqual(options, { capped: true, size: 8192 });
    const kept = await database.collection<{ _id: number }>('c').find().toArray();
    assert.equal(kept.at(-1)?._id, 999);
    assert.ok(kept.length > 50 && kept.length < 80, `${kept.length} documents of 125 bytes`);
    assert.equal((await run({ listIndexes: 'c' })).cursor.firstBatch.length, 1);
    assert.equal((await run({ validate: 'c', full: true })).valid, true);
  });

  it('copy without changing the source', async () => {
    await run({ cloneCollectionAsCapped: 'c', toCollection: 'd', size: 1 << 20 });
    assert.equal((await run({ count: 'd' })).n, 1000);
    assert.equal((await run({ collStats: 'd' })).capped, true);
    assert.equal((await run({ collStats: 'c' })).capped, false);
    await assert.rejects(run({ cloneCollectionAsCapped: 'c', toCollection: 'd', size: 4096 }), {
      code: 48,
    });
  });

  it('need a source and a size', async () => {
    await assert.rejects(run({ convertToCapped: 'none', size: 4096 }), { code: 26 });
    await assert.rejects(run({ convertToCapped: 'c' }), { code: 40414 });
    await assert.rejects(run({ convertToCapped: 'c', size: 0 }), { code: 51024 });
    await assert.rejects(run({ cloneCollectionAsCapped: 'none', toCollection: 'x', size: 4096 }), {
      code: 26,
    });
    await run({ create: 'v', viewOn: 'c' });
    await assert.rejects(run({ convertToCapped: 'v', size: 4096 }), { code: 166 });
    await assert.rejects(run({ cloneCollectionAsCapped: 'v', toCollection: 'x', size: 4096 }), {
      code: 166,
    });
  });

  it('leave no half of a copy behind', async () => {
    await database.collection<Document>('c').insertOne({ text: 'x'.repeat(5000) });
    await assert.rejects(run({ cloneCollectionAsCapped: 'c', toCollection: 'x', size: 4096 }));
    assert.deepEqual(await database.listCollections({ name: 'x' }).toArray(), []);
  });
});
