import assert from 'node:assert/strict';
import {
  Binary,
  type Collection,
  type Db,
  type Document,
  MongoServerError,
  ObjectId,
} from 'mongodb';
import { serverForTests } from '../../../support/test-server.ts';

const at = (minutes: number): Date => new Date(Date.UTC(2026, 0, 1) + minutes * 60_000);

describe('server/commands: buckets of time series', () => {
  const server = serverForTests({ args: ['--setParameter', 'ttlMonitorSleepSecs=1'] });
  let database: Db;
  let series: Collection;
  let buckets: Collection;

  beforeEach(async () => {
    database = server.freshDatabase();
    series = await database.createCollection('s', {
      timeseries: { timeField: 't', metaField: 'm' },
    });
    buckets = database.collection('system.buckets.s');
  });

  const bucket = (changes: Document = {}): Document => ({
    _id: new ObjectId('6955b900000000000000000a'),
    control: {
      version: 1,
      min: { t: new Date(0x6955b900 * 1000), v: 1 },
      max: { t: new Date(0x6955b900 * 1000 + 5), v: 3 },
      ...changes['control'],
    },
    meta: 'x',
    data: {
      t: { 0: new Date(0x6955b900 * 1000), 1: new Date(0x6955b900 * 1000 + 5) },
      v: { 0: 3, 1: 1 },
      ...changes['data'],
    },
    ...changes['bucket'],
  });

  describe('written by clients', () => {
    it('are read as measurements: a dump of buckets can be restored', async () => {
      await series.insertMany(Array.from({ length: 50 }, (_, v) => ({ t: at(v), m: v % 3, v })));
      const dump = await buckets.find().toArray();
      const before = await series.find().sort({ v: 1 }).toArray();
      await database.dropCollection('s');
      await database.createCollection('s', { timeseries: { timeField: 't', metaField: 'm' } });
      await buckets.insertMany(dump);
      assert.deepEqual(await series.find().sort({ v: 1 }).toArray(), before);
      await series.insertOne({ t: at(55), m: 1, v: 100 });
      assert.equal(await buckets.countDocuments(), dump.length);
    });

    const WRONG: readonly (readonly [string, Document])[] = [
      ['no control', { bucket: { control: 5 } }],
      ['a field that buckets do not have', { bucket: { extra: 1 } }],
      ['an _id of another time', { bucket: { _id: new ObjectId('000000000000000000000001') } }],
      ['another _id than an ObjectId', { bucket: { _id: 1 } }],
      ['no measurements', { data: { t: {} } }],
      ['a value above its extremes', { data: { v: { 0: 3, 1: 9 } } }],
      ['objects among numbers', { data: { v: { 0: 3, 1: { a: 1 } } } }],
      ['a column without extremes', { data: { w: { 0: 3 } } }],
      ['a gap between measurements', { data: { t: { 0: at(0), 5: at(0) } } }],
      ['names that are no numbers', { data: { v: { a: 3 } } }],
    ];
    for (const [what, changes] of WRONG) {
      it(`are refused with ${what}`, async () => {
        await assert.rejects(buckets.insertOne(bucket(changes)), { code: 121 });
        await buckets.insertOne(bucket());
        const { _id, ...rest } = bucket(changes);
        if (changes['bucket']?._id === undefined) {
          await assert.rejects(buckets.replaceOne({ _id: bucket()['_id'] }, rest), { code: 121 });
        }
        assert.equal(await series.countDocuments({ m: 'x' }), 2);
        assert.ok(_id !== undefined);
      });
    }

    it('are taken apart when they are compressed, and refused when their columns are none', async () => {
      // A literal, a word of one difference (its sign in the lowest bit), and the end.
      const column = (literal: Buffer, difference: bigint): Binary => {
        const word = Buffer.alloc(10, 0x80);
        word.writeBigUInt64LE((difference << 4n) | 14n, 1);
        word[9] = 0;
        return new Binary(Buffer.concat([literal, word]), 7);
      };
      const time = Buffer.alloc(10, 9);
      time[1] = 0;
      time.writeBigInt64LE(BigInt(0x6955b900 * 1000), 2);
      const three = Buffer.of(16, 0, 3, 0, 0, 0);
      const compressed = (v: Binary): Document => ({
        ...bucket({ control: { version: 2, count: 2 } }),
        data: { t: column(time, 10n), v },
      });
      await buckets.insertOne(compressed(column(three, 3n)));
      const [stored] = await buckets.find().toArray();
      assert.deepEqual(stored, bucket());
      assert.deepEqual(
        (await series.find().toArray()).map(({ t, m, v }) => [t.getTime() % 1000, m, v]),
        [
          [0, 'x', 3],
          [5, 'x', 1],
        ],
      );
      const broken = compressed(new Binary(three.subarray(0, 3), 7));
      await assert.rejects(buckets.insertOne(broken), { code: 22 });
    });

    it('take no further measurement when they are closed', async () => {
      await series.insertOne({ t: at(0), m: 1 });
      await buckets.updateMany({}, { $set: { 'control.closed': true } });
      await series.insertOne({ t: at(1), m: 1 });
      assert.equal(await buckets.countDocuments(), 2);
      assert.equal(await series.countDocuments(), 2);
    });

    it('are found wrong by validate when checks were bypassed', async () => {
      await series.insertOne({ t: at(0), m: 1 });
      const good = await database.command({ validate: 's' });
      assert.deepEqual([good['valid'], good['nNonCompliantDocuments']], [true, 0]);
      await buckets.insertOne(bucket({ data: { v: { 0: 99 } } }), {
        bypassDocumentValidation: true,
      });
      const bad = await database.command({ validate: 's' });
      assert.deepEqual([bad['nNonCompliantDocuments'], bad['warnings'].length], [1, 1]);
    });
  });

  describe('statistics', () => {
    it('count buckets', async () => {
      await series.insertMany(Array.from({ length: 50 }, (_, v) => ({ t: at(v), m: v % 3, v })));
      const stats = await database.command({ collStats: 's' });
      assert.equal(stats['ns'], `${database.databaseName}.s`);
      assert.equal(stats['timeseries'].bucketsNs, `${database.databaseName}.system.buckets.s`);
      assert.equal(stats['timeseries'].bucketCount, 3);
      assert.ok(stats['timeseries'].avgBucketSize > 100);
      assert.equal(stats['count'], undefined);
      const [stage] = await series.aggregate([{ $collStats: { storageStats: {} } }]).toArray();
      assert.equal(stage?.['storageStats'].timeseries.bucketCount, 3);
      assert.equal(stage?.['ns'], `${database.databaseName}.s`);
    });
  });

  describe('$out', () => {
    beforeEach(() =>
      database
        .collection('c')
        .insertMany(Array.from({ length: 30 }, (_, v) => ({ at: at(v), who: v % 2, v }))),
    );
    const out = (timeseries?: Document, coll = 'o'): Promise<Document[]> =>
      database
        .collection('c')
        .aggregate([
          {
            $out: {
              db: database.databaseName,
              coll,
              ...(timeseries === undefined ? {} : { timeseries }),
            },
          },
        ])
        .toArray();

    it('makes a time series', async () => {
      await out({ timeField: 'at', metaField: 'who' });
      const [info] = await database.listCollections({ name: 'o' }).toArray();
      assert.equal(info?.type, 'timeseries');
      assert.equal(await database.collection('o').countDocuments({ who: 1 }), 15);
      assert.equal(await database.collection('system.buckets.o').countDocuments(), 2);
      const reply = await database.command({ listIndexes: 'o' });
      assert.equal(reply['cursor'].firstBatch[0].name, 'who_1_at_1');
    });

    it('fills one anew, with its indexes', async () => {
      await out({ timeField: 'at', metaField: 'who' });
      await database.collection('o').createIndex({ v: 1 });
      await database.collection('c').deleteMany({ v: { $lt: 20 } });
      await out();
      await out({ timeField: 'at', metaField: 'who' });
      assert.equal(await database.collection('o').countDocuments(), 10);
      const reply = await database.command({ listIndexes: 'o' });
      assert.deepEqual(
        reply['cursor'].firstBatch.map(({ name }: Document) => name as string),
        ['who_1_at_1', 'v_1'],
      );
      const names = (await database.listCollections().toArray()).map(({ name }) => name);
      assert.deepEqual(
        names.filter((name) => name.includes('tmp')),
        [],
      );
    });

    it('refuses other fields, plain targets, and documents without a time', async () => {
      await out({ timeField: 'at', metaField: 'who' });
      await assert.rejects(out({ timeField: 'v', metaField: 'who' }), { code: 7_406_103 });
      await assert.rejects(out({ timeField: 'at' }, 'c'), { code: 7_268_700 });
      await assert.rejects(out({ timeField: 'v' }, 'p'), { code: 2 });
      await assert.rejects(out({ timeField: 'at', x: 1 }, 'p'), { code: 40_415 });
      assert.equal(await database.collection('o').countDocuments(), 30);
      const names = (await database.listCollections().toArray()).map(({ name }) => name);
      assert.deepEqual(
        names.filter((name) => name.includes('tmp') || name === 'p'),
        [],
      );
    });
  });

  describe('what is for plain collections only', () => {
    const REFUSED: readonly (readonly [string, (name: string) => Document])[] = [
      ['convertToCapped', () => ({ convertToCapped: 's', size: 4096 })],
      [
        'cloneCollectionAsCapped',
        () => ({ cloneCollectionAsCapped: 's', toCollection: 'x', size: 4096 }),
      ],
      ['$merge', () => ({ aggregate: 'c', pipeline: [{ $merge: { into: 's' } }], cursor: {} })],
    ];
    for (const [what, command] of REFUSED) {
      it(`refuses ${what}`, async () => {
        await database.collection('c').insertOne({ t: at(0) });
        await assert.rejects(database.command(command(database.databaseName)), (error) => {
          assert.ok(error instanceof MongoServerError);
          assert.equal(error.code, 166, error.message);
          return true;
        });
      });
    }

    it('leaves buckets uncapped', async () => {
      const size = 4096;
      const buckets = 'system.buckets.s';
      for (const command of [
        { convertToCapped: buckets, size },
        { cloneCollectionAsCapped: buckets, toCollection: 'x', size },
      ]) {
        await assert.rejects(database.command(command), { code: 72 });
      }
    });
  });

  describe('expiry', () => {
    const gone = async (collection: Collection, left: number): Promise<void> => {
      for (let wait = 0; wait < 80; wait += 1) {
        if ((await collection.countDocuments()) === left) return;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      assert.fail(`not ${left} measurements were left`);
    };

    it('removes buckets whose last measurement can be old enough', async () => {
      await database.command({ collMod: 's', expireAfterSeconds: 60 });
      const now = Date.now();
      const old = new Date(now - 2 * 3_600_000);
      await series.insertMany([
        { t: old, m: 1 },
        { t: new Date(now - 600_000), m: 1 },
        { t: new Date(now), m: 2 },
      ]);
      await gone(series, 2);
    });

    it('removes series by an index with a filter on meta', async () => {
      await series.createIndex(
        { t: 1 },
        { expireAfterSeconds: 60, partialFilterExpression: { m: { $gte: 2 } } },
      );
      const reply = await database.command({ listIndexes: 's' });
      assert.deepEqual(reply['cursor'].firstBatch[1], {
        v: 2,
        key: { t: 1 },
        name: 't_1',
        partialFilterExpression: { m: { $gte: 2 } },
        expireAfterSeconds: 60,
      });
      const old = new Date(Date.now() - 2 * 3_600_000);
      await series.insertMany([1, 2, 3].map((m) => ({ t: old, m })));
      await gone(series, 1);
    });
  });
});
