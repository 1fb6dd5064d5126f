import assert from 'node:assert/strict';
import { Code, type Db, type Document } from 'mongodb';
import { serverForTests } from '../../../support/test-server.ts';

describe('mapReduce', () => {
  const server = serverForTests();
  let db: Db;

  before(async () => {
    db = server.freshDatabase();
    await db
      .collection('sales')
      .insertMany(
        Array.from({ length: 60 }, (_, n) => ({ _id: n as never, shop: `s${n % 3}`, amount: n })),
      );
  });

  const run = (options: Document) =>
    db.command({
      mapReduce: 'sales',
      map: new Code('function () { emit(this.shop, this.amount); }'),
      reduce: new Code('function (key, values) { return Array.sum(values); }'),
      out: { inline: 1 },
      ...options,
    });
  const sorted = (reply: Document): Document[] =>
    reply.results.toSorted((a: Document, b: Document) => (a._id < b._id ? -1 : 1));

  it('reduces what map emits, key by key', async () => {
    const reply = await run({});
    assert.equal(reply.ok, 1);
    assert.deepEqual(sorted(reply), [
      { _id: 's0', value: 570 },
      { _id: 's1', value: 590 },
      { _id: 's2', value: 610 },
    ]);
  });

  it('heeds query, sort, limit, scope and finalize', async () => {
    const reply = await run({
      query: { amount: { $gte: 10 } },
      sort: { amount: 1 },
      limit: 4,
      scope: { factor: 100, label: { unit: 'cent' } },
      map: 'function () { emit(this.shop, this.amount * factor); }',
      finalize: 'function (key, value) { return key + ": " + value + " " + label.unit; }',
      jsMode: true,
      verbose: true,
    });
    assert.deepEqual(sorted(reply), [
      { _id: 's0', value: 's0: 1200 cent' },
      { _id: 's1', value: 's1: 2300 cent' },
      { _id: 's2', value: 's2: 1100 cent' },
    ]);
  });

  it('explains itself', async () => {
    const { map, reduce } = { map: 'function () {}', reduce: 'function () {}' };
    const command = { mapReduce: 'sales', map, reduce, out: { inline: 1 } };
    const explained = await db.command({ explain: command, verbosity: 'queryPlanner' });
    assert.ok('stages' in explained || 'queryPlanner' in explained);
  });

  it('takes several emits of one document, none, and keys of any type', async () => {
    const reply = await run({
      query: { _id: { $lt: 2 } },
      map: 'function () { if (this._id == 0) return; emit({ k: this._id }, 1); emit(null, 2); emit(undefined, 3); }',
      reduce: 'function (key, values) { return values.length; }',
    });
    assert.equal(reply.results.length, 2);
  });

  it('replaces, merges into and reduces into a collection', async () => {
    const shops = { query: { _id: { $lt: 6 } } };
    const all = () => db.collection('out').find().sort({ _id: 1 }).toArray();
    const replaced = await run({ ...shops, out: 'out' });
    assert.equal(replaced.result, 'out');
    assert.deepEqual(await all(), [
      { _id: 's0', value: 3 },
      { _id: 's1', value: 5 },
      { _id: 's2', value: 7 },
    ]);
    const some = { query: { _id: { $in: [6, 9] } } };
    await run({ ...some, out: { reduce: 'out' } });
    assert.deepEqual((await all())[0], { _id: 's0', value: 18 });
    await run({ ...some, out: { merge: 'out' } });
    assert.deepEqual((await all())[0], { _id: 's0', value: 15 });
    const finalize = 'function (key, value) { return "final " + value; }';
    await run({ ...some, finalize, out: { reduce: 'out', db: db.databaseName } });
    assert.match(String((await all())[0]?.value), /^final /);
    const elsewhere = await run({ ...some, out: { replace: 'out', db: `${db.databaseName}_2` } });
    assert.deepEqual(elsewhere.result, { db: `${db.databaseName}_2`, collection: 'out' });
    assert.equal(
      await server.client.db(`${db.databaseName}_2`).collection('out').countDocuments(),
      1,
    );
  });

  it('gives no results for a collection that is not there', async () => {
    assert.deepEqual((await run({ mapReduce: 'nowhere' })).results, []);
  });

  it("says what is wrong, in MongoDB's codes", async () => {
    const bad: readonly [Document, number][] = [
      [{ map: 5 }, 2],
      [{ reduce: null }, 2],
      [{ out: 5 }, 2],
      [{ out: {} }, 2],
      [{ out: { inline: 1, db: 'x' } }, 72],
      [{ out: { replace: 'out', merge: 'out' } }, 2],
      [{ out: { replace: 'out', unknown: 1 } }, 2],
      [{ out: { inline: 2 } }, 2],
      [{ out: { replace: 5 } }, 2],
      [{ out: { replace: 'x', db: 'admin' } }, 115],
      [{ out: { replace: 'x', nonAtomic: false } }, 2],
      [{ sort: {} }, 15976],
      [{ map: 'function () { emit(1); }' }, 31220],
      [{ map: 'function () { nothing(); }' }, 139],
      [{ reduce: 'function () { throw new Error("no"); }' }, 139],
      [{ query: { $where: 'true' } }, 2],
      [{ extra: 1 }, 40415],
    ];
    for (const [options, code] of bad) {
      const command = JSON.parse(JSON.stringify(options));
      const given =
        'reduce' in options && options.reduce === undefined ? { reduce: null } : command;
      await assert.rejects(run(given), (error: { code?: number; message: string }) => {
        assert.equal(error.code, code, `${JSON.stringify(options)}: ${error.message}`);
        return true;
      });
    }
  });

  it('is refused on a view', async () => {
    await db.createCollection('view', { viewOn: 'sales', pipeline: [] });
    await assert.rejects(run({ mapReduce: 'view' }), { code: 166 });
  });

  it('keeps its own expressions to itself', async () => {
    const emit = { $_internalJsEmit: { this: '$$ROOT', eval: 'function () {}' } };
    await assert.rejects(
      db
        .collection('sales')
        .aggregate([{ $set: { r: emit } }])
        .toArray(),
      {
        code: 2,
      },
    );
  });
});
