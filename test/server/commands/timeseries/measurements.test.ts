import assert from 'node:assert/strict';
import { type Collection, type Db, type Document, MongoServerError } from 'mongodb';
import { serverForTests } from '../../../support/test-server.ts';

const MINUTE = 60_000;
const at = (minutes: number): Date => new Date(Date.UTC(2026, 0, 1) + minutes * MINUTE);

describe('server/commands: measurements', () => {
  const server = serverForTests();
  let database: Db;
  let series: Collection;

  beforeEach(async () => {
    database = server.freshDatabase();
    series = await database.createCollection('s', {
      timeseries: { timeField: 't', metaField: 'm' },
    });
  });

  const buckets = (): Promise<Document[]> =>
    database.collection('system.buckets.s').find().sort({ _id: 1 }).toArray();
  const values = async (filter: Document = {}): Promise<number[]> =>
    (await series.find(filter).sort({ v: 1 }).toArray()).map(({ v }) => v as number);
  const refused = (run: Promise<unknown>, code: number, message?: RegExp): Promise<void> =>
    assert.rejects(run, (error) => {
      assert.ok(error instanceof MongoServerError, String(error));
      assert.equal(error.code, code, error.message);
      if (message !== undefined) assert.match(error.message, message);
      return true;
    });

  describe('insert', () => {
    it('puts measurements of one series and hour into one bucket', async () => {
      await series.insertMany([
        { t: at(1), m: { s: 1 }, v: 1 },
        { t: at(2), m: { s: 2 }, v: 2 },
        { t: at(59), m: { s: 1 }, v: 3 },
        { t: at(61), m: { s: 1 }, v: 4 },
      ]);
      await series.insertOne({ t: at(30), m: { s: 1 }, v: 5 });
      const found = (await buckets()).map(({ meta, data }) => [meta.s, Object.values(data.v)]);
      assert.deepEqual(found, [
        [1, [1, 3, 5]],
        [2, [2]],
        [1, [4]],
      ]);
    });

    it('takes the order of the meta fields for no difference', async () => {
      await series.insertMany([
        { t: at(1), m: { a: 1, b: { x: 1, y: 2 } }, v: 1 },
        { t: at(2), m: { b: { y: 2, x: 1 }, a: 1 }, v: 2 },
      ]);
      assert.equal((await buckets()).length, 1);
      assert.equal((await series.find({ m: { a: 1, b: { x: 1, y: 2 } } }).toArray()).length, 2);
    });

    it('tells meta values of different types apart, and missing from null', async () => {
      await series.insertMany(
        [1, '1', null, undefined, [1]].map((m, v) => ({
          t: at(0),
          ...(m === undefined ? {} : { m }),
          v,
        })),
      );
      assert.equal((await buckets()).length, 5);
      assert.deepEqual(await values({ m: null }), [2, 3]);
      assert.deepEqual(await values({ m: { $exists: false } }), [3]);
      assert.deepEqual(await values({ m: 1 }), [0, 4]);
    });

    it('adds an _id, which need not be unique', async () => {
      const insert = {
        insert: 's',
        documents: [{ t: at(0) }, { t: at(0), _id: 7 }, { t: at(1), _id: 7 }],
      };
      assert.equal((await database.command(insert))['n'], 3);
      assert.equal(await series.countDocuments({ _id: { $exists: true } }), 3);
      assert.equal(await series.countDocuments({ _id: 7 as never }), 2);
    });

    it('refuses measurements without a time, and stores the others', async () => {
      const documents = [{ t: at(0), v: 1 }, { v: 2 }, { t: 5, v: 3 }, { t: at(0), v: 4 }];
      const unordered = await database.command({ insert: 's', documents, ordered: false });
      assert.equal(unordered['n'], 2);
      assert.deepEqual(
        unordered['writeErrors'].map(({ index, code, errmsg }: Document) => [index, code, errmsg]),
        [1, 2].map((index) => [
          index,
          2,
          "'t' must be present and contain a valid BSON UTC datetime value",
        ]),
      );
      const ordered = await database.command({ insert: 's', documents });
      assert.equal(ordered['n'], 1);
      assert.equal(ordered['writeErrors'].length, 1);
      assert.deepEqual(await values(), [1, 1, 4]);
    });

    it('closes a bucket after 1000 measurements', async () => {
      await series.insertMany(Array.from({ length: 2500 }, (_, v) => ({ t: at(0), m: 1, v })));
      const counts = (await buckets()).map(({ data }) => Object.keys(data.t).length);
      assert.deepEqual(
        counts.toSorted((a, b) => b - a),
        [1000, 1000, 500],
      );
      assert.equal(await series.countDocuments(), 2500);
    });

    it('loses nothing when many write to one series at once', async () => {
      await Promise.all(
        Array.from({ length: 30 }, async (_, writer) => {
          for (let each = 0; each < 10; each += 1) {
            await series.insertMany([
              { t: at(each), m: 1, v: writer * 100 + each },
              { t: at(each), m: writer, v: -1 },
            ]);
          }
        }),
      );
      assert.equal(await series.countDocuments({ v: { $gte: 0 } }), 300);
      assert.equal(new Set(await values({ v: { $gte: 0 } })).size, 300);
      assert.equal(await series.countDocuments(), 600);
      assert.equal((await database.command({ validate: 's' }))['valid'], true);
    });

    it('takes times before 1970 and after 2106', async () => {
      const times = [-1e12, -1, 0, 4_294_967_296_000, 253_402_300_799_999].map(
        (ms) => new Date(ms),
      );
      await series.insertMany(times.map((t, v) => ({ t, m: 1, v })));
      for (const [v, t] of times.entries()) {
        assert.deepEqual(await values({ t }), [v]);
        assert.deepEqual((await values({ t: { $lte: t } })).length, v + 1);
        assert.deepEqual((await values({ t: { $gt: t } })).length, times.length - v - 1);
      }
    });

    it('takes large measurements, and refuses those that no bucket can hold', async () => {
      const text = 'x'.repeat(1_000_000);
      await series.insertMany(Array.from({ length: 15 }, (_, v) => ({ t: at(0), m: 1, v, text })));
      assert.equal(await series.countDocuments(), 15);
      const huge = { t: at(0), m: 1, text: 'x'.repeat(15_000_000) };
      await assert.rejects(series.insertOne(huge));
      assert.equal(await series.countDocuments(), 15);
    });

    it('is part of a bulk write', async () => {
      await series.bulkWrite([
        { insertOne: { document: { t: at(0), m: 1, v: 1 } } },
        { insertOne: { document: { t: at(0), m: 2, v: 2 } } },
        { deleteMany: { filter: { m: 1 } } },
        { updateMany: { filter: { m: 2 }, update: { $set: { m: 3 } } } },
      ]);
      assert.deepEqual(await values({ m: 3 }), [2]);
      assert.deepEqual(await values(), [2]);
    });
  });

  describe('find and aggregate', () => {
    beforeEach(() =>
      series.insertMany(
        Array.from({ length: 60 }, (_, v) => ({ t: at(v * 10), m: { s: v % 3 }, v, o: { x: v } })),
      ),
    );

    it('filter, sort, skip, limit and project', async () => {
      const cursor = series
        .find({ 'm.s': 1, t: { $gte: at(100) }, 'o.x': { $lt: 40 } })
        .sort({ t: -1 })
        .skip(1)
        .limit(3)
        .project({ _id: 0, v: 1 });
      assert.deepEqual(await cursor.toArray(), [{ v: 34 }, { v: 31 }, { v: 28 }]);
    });

    it('count, and give distinct values', async () => {
      assert.equal(await series.countDocuments({ v: { $gte: 30 } }), 30);
      assert.equal(await series.estimatedDocumentCount(), 60);
      assert.equal((await database.command({ count: 's', query: { 'm.s': 0 } }))['n'], 20);
      assert.deepEqual(await series.distinct('m.s'), [0, 1, 2]);
      assert.deepEqual(await series.distinct('v', { t: { $lt: at(30) } }), [0, 1, 2]);
    });

    it('are joined with other collections, and seen through views', async () => {
      await database.createCollection('late', {
        viewOn: 's',
        pipeline: [{ $match: { t: { $gte: at(500) } } }],
      });
      assert.equal(await database.collection('late').countDocuments({ 'm.s': 0 }), 3);
      await database.collection('names').insertOne({ _id: 1 as never, s: 1 });
      const [joined] = await database
        .collection('names')
        .aggregate([
          {
            $lookup: {
              from: 's',
              let: { s: '$s' },
              pipeline: [{ $match: { $expr: { $eq: ['$m.s', '$$s'] } } }, { $count: 'n' }],
              as: 'series',
            },
          },
        ])
        .toArray();
      assert.deepEqual(joined?.['series'], [{ n: 20 }]);
      const [united] = await database
        .collection('names')
        .aggregate([{ $unionWith: 's' }, { $count: 'n' }])
        .toArray();
      assert.deepEqual(united, { n: 61 });
    });

    it('read in batches', async () => {
      const found = await series
        .find({ v: { $gte: 5 } })
        .batchSize(7)
        .toArray();
      assert.equal(found.length, 55);
    });
  });

  describe('delete', () => {
    beforeEach(() =>
      series.insertMany(Array.from({ length: 12 }, (_, v) => ({ t: at(v), m: { s: v % 3 }, v }))),
    );

    it('removes whole series by meta, and counts measurements', async () => {
      assert.equal((await series.deleteMany({ 'm.s': 1 })).deletedCount, 4);
      assert.deepEqual(await values(), [0, 2, 3, 5, 6, 8, 9, 11]);
      assert.equal((await buckets()).length, 2);
    });

    it('removes measurements by any field', async () => {
      assert.equal(
        (await series.deleteMany({ v: { $gte: 6 }, 'm.s': { $ne: 0 } })).deletedCount,
        4,
      );
      assert.deepEqual(await values(), [0, 1, 2, 3, 4, 5, 6, 9]);
      const [first] = await buckets();
      assert.deepEqual(first?.['control'].max.v, 9);
      assert.equal((await series.deleteMany({ v: { $in: [1, 4] } })).deletedCount, 2);
      assert.equal((await buckets()).length, 2);
      assert.equal((await database.command({ validate: 's' }))['valid'], true);
    });

    it('removes one, or all', async () => {
      assert.equal((await series.deleteOne({ t: { $gte: at(5) } })).deletedCount, 1);
      assert.equal((await series.deleteOne({ v: 99 })).deletedCount, 0);
      assert.equal(await series.countDocuments(), 11);
      assert.equal((await series.deleteMany({})).deletedCount, 11);
      assert.equal((await buckets()).length, 0);
    });

    it('leaves buckets that take further measurements', async () => {
      await series.deleteMany({ v: { $lt: 9 } });
      await series.insertMany([0, 1, 2].map((s) => ({ t: at(30), m: { s }, v: 100 + s })));
      assert.equal((await buckets()).length, 3);
      assert.deepEqual(await values(), [9, 10, 11, 100, 101, 102]);
    });

    it('takes a hint', async () => {
      const reply = await database.command({
        delete: 's',
        deletes: [{ q: { 'm.s': 1 }, limit: 0, hint: { m: 1, t: 1 } }],
      });
      assert.equal(reply['n'], 4);
    });
  });

  describe('findAndModify', () => {
    beforeEach(() =>
      series.insertMany([1, 2, 3].map((v) => ({ _id: v as never, t: at(v), m: 1, v }))),
    );

    it('removes a measurement and gives it back', async () => {
      const removed = await series.findOneAndDelete({ v: 2 }, { projection: { v: 1 } });
      assert.deepEqual(removed, { _id: 2, v: 2 });
      assert.equal(await series.findOneAndDelete({ v: 2 }), null);
      assert.deepEqual(await values(), [1, 3]);
    });

    it('refuses to update, and to sort', async () => {
      await refused(series.findOneAndUpdate({ m: 1 }, { $set: { m: 2 } }), 72);
      await refused(series.findOneAndReplace({ m: 1 }, { t: at(0) }), 72);
      await refused(series.findOneAndDelete({}, { sort: { v: 1 } }), 72);
    });
  });

  describe('update', () => {
    beforeEach(() =>
      series.insertMany(
        Array.from({ length: 6 }, (_, v) => ({ t: at(v), m: { s: v % 2, tag: 'x' }, v })),
      ),
    );

    it('changes the meta value of series, and counts measurements', async () => {
      const result = await series.updateMany(
        { 'm.s': 1 },
        { $set: { 'm.tag': 'y' }, $inc: { 'm.s': 10 } },
      );
      assert.deepEqual([result.matchedCount, result.modifiedCount], [3, 3]);
      assert.deepEqual(await values({ 'm.tag': 'y', 'm.s': 11 }), [1, 3, 5]);
      const again = await series.updateMany({ 'm.s': 11 }, { $set: { 'm.tag': 'y' } });
      assert.deepEqual([again.matchedCount, again.modifiedCount], [3, 0]);
      await series.updateMany({}, { $rename: { 'm.tag': 'm.label' } });
      assert.equal(await series.countDocuments({ 'm.label': { $exists: true } }), 6);
    });

    it('lets further measurements join the changed series', async () => {
      await series.updateMany({ 'm.s': 1 }, { $set: { m: { z: 1, a: 2 } } });
      await series.insertOne({ t: at(9), m: { a: 2, z: 1 }, v: 9 });
      assert.equal((await buckets()).length, 2);
      await series.insertOne({ t: at(9), m: { s: 1, tag: 'x' }, v: 10 });
      assert.deepEqual(await values({ 'm.a': 2 }), [1, 3, 5, 9]);
    });

    const REFUSED: readonly (readonly [string, Document, RegExp])[] = [
      ['one', { q: { m: 1 }, u: { $set: { m: 2 } } }, /non-multi update/],
      ['an upsert', { q: { m: 1 }, u: { $set: { m: 2 } }, multi: true, upsert: true }, /upsert/],
      [
        'by another field',
        { q: { v: 1 }, u: { $set: { m: 2 } }, multi: true },
        /not the metaField 'm'/,
      ],
      [
        'of another field',
        { q: { 'm.s': 1 }, u: { $set: { v: 2 } }, multi: true },
        /not the metaField 'm'/,
      ],
      ['by a pipeline', { q: {}, u: [{ $set: { m: 1 } }], multi: true }, /pipeline/],
      [
        'by $expr',
        { q: { $expr: { $eq: ['$m', 1] } }, u: { $set: { m: 2 } }, multi: true },
        /\$expr/,
      ],
      [
        'to another field',
        { q: {}, u: { $rename: { m: 'n' } }, multi: true },
        /not the metaField 'm'/,
      ],
    ];
    for (const [what, statement, message] of REFUSED) {
      it(`refuses to update ${what}`, async () => {
        const reply = await database.command({ update: 's', updates: [statement] });
        assert.equal(reply['writeErrors'][0].code, 72, reply['writeErrors'][0].errmsg);
        assert.match(reply['writeErrors'][0].errmsg, message);
      });
    }

    it('refuses a series without a metaField', async () => {
      const plain = await database.createCollection('p', { timeseries: { timeField: 't' } });
      await plain.insertOne({ t: at(0) });
      await refused(plain.updateMany({}, { $set: { m: 1 } }), 72, /does not have a metaField/);
    });
  });

  describe('explain', () => {
    it('shows writes as writes to buckets', async () => {
      await series.insertMany([1, 2].map((v) => ({ t: at(v), m: 'a', v })));
      const stageOf = async (command: Document): Promise<string> => {
        const { queryPlanner } = await database.command({
          explain: command,
          verbosity: 'queryPlanner',
        });
        assert.equal(queryPlanner.namespace, `${database.databaseName}.system.buckets.s`);
        return queryPlanner.winningPlan.stage;
      };
      assert.equal(
        await stageOf({ delete: 's', deletes: [{ q: { v: 1 }, limit: 0 }] }),
        'BATCHED_DELETE',
      );
      assert.equal(
        await stageOf({
          update: 's',
          updates: [{ q: { m: 'a' }, u: { $set: { m: 1 } }, multi: true }],
        }),
        'UPDATE',
      );
      assert.equal(await stageOf({ findAndModify: 's', query: { v: 1 }, remove: true }), 'DELETE');
      assert.deepEqual((await values()).length, 2);
    });
  });

  describe('after a restart', () => {
    it('go on in the buckets that were open', async () => {
      await series.insertMany([1, 2].map((v) => ({ t: at(v), m: 'a', v })));
      const plain = await database.createCollection('p', { timeseries: { timeField: 't' } });
      await plain.insertOne({ t: at(1), v: 1 });
      const name = database.databaseName;
      await server.program.stop();
      await server.program.restart();
      const client = await server.connect();
      server.beforeStop(() => client.close());
      database = client.db(name);
      series = database.collection('s');
      await series.insertMany([3, 4].map((v) => ({ t: at(v), m: 'a', v })));
      await database.collection('p').insertOne({ t: at(2), v: 2 });
      assert.deepEqual(await values(), [1, 2, 3, 4]);
      assert.equal((await buckets()).length, 1);
      assert.equal(await database.collection('system.buckets.p').countDocuments(), 1);
    });
  });
});
