import assert from 'node:assert/strict';
import { type Db, type Document, MongoServerError } from 'mongodb';
import { serverForTests } from '../../../support/test-server.ts';

describe('server/commands: time series collections', () => {
  const server = serverForTests();
  let database: Db;

  beforeEach(() => {
    database = server.freshDatabase();
  });

  const create = (name: string, timeseries: Document, more: Document = {}): Promise<Document> =>
    database.command({ create: name, timeseries, ...more });
  const refused = (command: Document, code: number, message?: RegExp): Promise<void> =>
    assert.rejects(database.command(command), (error) => {
      assert.ok(error instanceof MongoServerError, String(error));
      assert.equal(error.code, code, error.message);
      if (message !== undefined) assert.match(error.message, message);
      return true;
    });
  const listed = async (): Promise<Record<string, Document>> => {
    const collections = await database.listCollections().toArray();
    return Object.fromEntries(collections.map((each) => [each.name, each]));
  };

  describe('create', () => {
    it('lists the series, its buckets and system.views', async () => {
      await create('s', { timeField: 't', metaField: 'm', granularity: 'hours' });
      const { s, 'system.buckets.s': buckets, 'system.views': views } = await listed();
      const timeseries = {
        timeField: 't',
        metaField: 'm',
        granularity: 'hours',
        bucketMaxSpanSeconds: 2_592_000,
      };
      assert.equal(s['type'], 'timeseries');
      assert.deepEqual(s['options'], { timeseries });
      assert.deepEqual(s['info'], { readOnly: false });
      assert.equal(buckets['type'], 'collection');
      assert.deepEqual(buckets['options'].timeseries, timeseries);
      assert.equal(buckets['options'].clusteredIndex, true);
      assert.equal(views['type'], 'collection');
      assert.deepEqual(await database.collection('system.views').findOne({}), {
        _id: `${database.databaseName}.s`,
        viewOn: 'system.buckets.s',
        pipeline: [
          {
            $_internalUnpackBucket: {
              timeField: 't',
              metaField: 'm',
              bucketMaxSpanSeconds: 2_592_000,
              exclude: [],
            },
          },
        ],
      });
    });

    it('takes seconds by default, or span and rounding alike', async () => {
      await create('a', { timeField: 't' });
      await create('b', { timeField: 't', bucketMaxSpanSeconds: 300, bucketRoundingSeconds: 300 });
      const { a, b } = await listed();
      assert.deepEqual(a['options'].timeseries, {
        timeField: 't',
        granularity: 'seconds',
        bucketMaxSpanSeconds: 3600,
      });
      assert.deepEqual(b['options'].timeseries, {
        timeField: 't',
        bucketRoundingSeconds: 300,
        bucketMaxSpanSeconds: 300,
      });
    });

    it('succeeds again with the same options only', async () => {
      await create('s', { timeField: 't', metaField: 'm' });
      await create('s', { timeField: 't', metaField: 'm' });
      await refused({ create: 's', timeseries: { timeField: 't' } }, 48);
      await refused({ create: 's' }, 48);
    });

    const REFUSED: readonly (readonly [string, Document, number, Document?])[] = [
      ['no timeField', {}, 40_414],
      ['an unknown field', { timeField: 't', x: 1 }, 40_415],
      ['a dotted timeField', { timeField: 'a.b' }, 72],
      ['a dotted metaField', { timeField: 't', metaField: 'a.b' }, 72],
      ['_id as metaField', { timeField: 't', metaField: '_id' }, 72],
      ['one field for both', { timeField: 't', metaField: 't' }, 72],
      ['an unknown granularity', { timeField: 't', granularity: 'days' }, 2],
      ['a span alone', { timeField: 't', bucketMaxSpanSeconds: 100 }, 72],
      ['a rounding alone', { timeField: 't', bucketRoundingSeconds: 100 }, 72],
      [
        'span and rounding apart',
        { timeField: 't', bucketMaxSpanSeconds: 100, bucketRoundingSeconds: 50 },
        72,
      ],
      [
        'another span than that of the granularity',
        { timeField: 't', granularity: 'hours', bucketMaxSpanSeconds: 100 },
        72,
      ],
      [
        'a span of 0',
        { timeField: 't', bucketMaxSpanSeconds: 0, bucketRoundingSeconds: 0 },
        51_024,
      ],
      [
        'a span of more than a year',
        { timeField: 't', bucketMaxSpanSeconds: 31_536_001, bucketRoundingSeconds: 31_536_001 },
        51_024,
      ],
      ['capped', { timeField: 't' }, 72, { capped: true, size: 4096 }],
      ['a validator', { timeField: 't' }, 72, { validator: { a: 1 } }],
      ['viewOn', { timeField: 't' }, 72, { viewOn: 'c', pipeline: [] }],
      ['an idIndex', { timeField: 't' }, 72, { idIndex: { key: { _id: 1 }, name: '_id_' } }],
    ];
    for (const [what, timeseries, code, more] of REFUSED) {
      it(`refuses ${what}`, () => refused({ create: 's', timeseries, ...more }, code));
    }

    it('refuses expireAfterSeconds on a plain collection', () =>
      refused({ create: 's', expireAfterSeconds: 60 }, 72));

    it('refuses to make buckets without their series', async () => {
      await refused({ create: 'system.buckets.s' }, 73);
      const reply = await database.command({ insert: 'system.buckets.s', documents: [{ a: 1 }] });
      assert.equal(reply['writeErrors'][0].code, 73);
    });
  });

  describe('drop and rename', () => {
    it('drops the series with its buckets', async () => {
      await create('s', { timeField: 't', metaField: 'm' });
      await database.collection('s').insertOne({ t: new Date() });
      assert.deepEqual(await database.command({ drop: 's' }), {
        nIndexesWas: 2,
        ns: `${database.databaseName}.s`,
        ok: 1,
      });
      assert.deepEqual(Object.keys(await listed()), ['system.views']);
      assert.equal(await database.collection('system.views').countDocuments(), 0);
    });

    it('drops the series when its buckets are dropped', async () => {
      await create('s', { timeField: 't' });
      await database.command({ drop: 'system.buckets.s' });
      assert.deepEqual(Object.keys(await listed()), ['system.views']);
      await create('s', { timeField: 'u' });
    });

    it('drops a database with time series', async () => {
      await create('s', { timeField: 't' });
      await database.dropDatabase();
      assert.deepEqual(await listed(), {});
      await create('s', { timeField: 'u' });
    });

    it('refuses to drop system.views while there are time series', async () => {
      await create('s', { timeField: 't' });
      await refused({ drop: 'system.views' }, 125);
    });

    it('renames neither series nor buckets, and nothing over them', async () => {
      await create('s', { timeField: 't' });
      await database.createCollection('c');
      const name = database.databaseName;
      const admin = server.client.db('admin');
      const rename = (from: string, to: string): Promise<Document> =>
        admin.command({
          renameCollection: `${name}.${from}`,
          to: `${name}.${to}`,
          dropTarget: true,
        });
      await assert.rejects(rename('s', 'x'), { code: 166 });
      await assert.rejects(rename('system.buckets.s', 'x'), { code: 20 });
      await assert.rejects(rename('c', 's'), { code: 48 });
      await assert.rejects(rename('c', 'system.buckets.x'), { code: 73 });
    });
  });

  describe('collMod', () => {
    const options = async (name = 's'): Promise<Document> => (await listed())[name]['options'];

    it('makes the granularity coarser, and never finer', async () => {
      await create('s', { timeField: 't', metaField: 'm' });
      await database.command({ collMod: 's', timeseries: { granularity: 'minutes' } });
      const timeseries = {
        timeField: 't',
        metaField: 'm',
        granularity: 'minutes',
        bucketMaxSpanSeconds: 86_400,
      };
      assert.deepEqual(await options(), { timeseries });
      assert.deepEqual((await options('system.buckets.s'))['timeseries'], timeseries);
      const view = await database.collection('system.views').findOne({});
      assert.equal(view?.['pipeline'][0].$_internalUnpackBucket.bucketMaxSpanSeconds, 86_400);
      await refused({ collMod: 's', timeseries: { granularity: 'seconds' } }, 72);
      await refused({ collMod: 's', timeseries: { granularity: 'days' } }, 2);
    });

    it('keeps measurements of before readable, and goes on with wider buckets', async () => {
      await create('s', { timeField: 't', metaField: 'm' });
      const series = database.collection('s');
      const hour = 3_600_000;
      await series.insertMany([0, 1, 2].map((n) => ({ t: new Date(n * hour), m: 1, n })));
      await database.command({ collMod: 's', timeseries: { granularity: 'minutes' } });
      await series.insertMany([3, 4, 5].map((n) => ({ t: new Date(n * hour), m: 1, n })));
      const found = await series
        .find({ t: { $gte: new Date(hour) } })
        .sort({ t: 1 })
        .toArray();
      assert.deepEqual(
        found.map(({ n }) => n as number),
        [1, 2, 3, 4, 5],
      );
    });

    it('sets and takes away the expiry', async () => {
      await create('s', { timeField: 't' }, { expireAfterSeconds: 60 });
      await database.command({ collMod: 's', expireAfterSeconds: 90 });
      assert.equal((await options())['expireAfterSeconds'], 90);
      assert.equal((await options('system.buckets.s'))['expireAfterSeconds'], 90);
      await database.command({ collMod: 's', expireAfterSeconds: 'off' });
      assert.equal((await options())['expireAfterSeconds'], undefined);
    });

    it('changes an index', async () => {
      await create('s', { timeField: 't', metaField: 'm' });
      await database.collection('s').createIndex({ v: 1 });
      await database.command({ collMod: 's', index: { keyPattern: { v: 1 }, hidden: true } });
      const reply = await database.command({ listIndexes: 's' });
      assert.deepEqual(reply['cursor'].firstBatch[1], {
        v: 2,
        key: { v: 1 },
        name: 'v_1',
        hidden: true,
      });
    });

    it('refuses what is not for a time series, and what is only for one', async () => {
      await create('s', { timeField: 't' });
      await database.createCollection('c');
      await refused({ collMod: 's', validator: { a: 1 } }, 72);
      await refused({ collMod: 'c', timeseries: { granularity: 'hours' } }, 72);
      await refused({ collMod: 'system.buckets.s', expireAfterSeconds: 5 }, 73);
    });
  });

  describe('indexes', () => {
    const indexes = async (name = 's'): Promise<Document[]> =>
      (await database.command({ listIndexes: name }))['cursor'].firstBatch;
    const keys = async (name = 's'): Promise<Document[]> =>
      (await indexes(name)).map(({ key }) => key as Document);

    beforeEach(() => create('s', { timeField: 't', metaField: 'm' }));

    it('begin with one on meta and time', async () => {
      assert.deepEqual(await indexes(), [{ v: 2, key: { m: 1, t: 1 }, name: 'm_1_t_1' }]);
      await create('plain', { timeField: 't' });
      assert.deepEqual(await indexes('plain'), []);
    });

    it('are shown as they were asked for, and made on buckets', async () => {
      const series = database.collection('s');
      await series.createIndex({ t: -1 });
      await series.createIndex({ 'm.a': 1, t: 1 }, { sparse: true });
      await series.createIndex({ v: 1 }, { name: 'by v' });
      await series.createIndex({ v: -1, 'w.x': 1 });
      assert.deepEqual(await keys(), [
        { m: 1, t: 1 },
        { t: -1 },
        { 'm.a': 1, t: 1 },
        { v: 1 },
        { v: -1, 'w.x': 1 },
      ]);
      assert.deepEqual((await keys('system.buckets.s')).slice(1), [
        { meta: 1, 'control.min.t': 1, 'control.max.t': 1 },
        { 'control.max.t': -1, 'control.min.t': -1 },
        { 'meta.a': 1, 'control.min.t': 1, 'control.max.t': 1 },
        { 'control.min.v': 1, 'control.max.v': 1 },
        { 'control.max.v': -1, 'control.min.v': -1, 'control.min.w.x': 1, 'control.max.w.x': 1 },
      ]);
      assert.deepEqual((await indexes())[3], { v: 2, key: { v: 1 }, name: 'by v' });
    });

    it('may be on _id, which is a field like any other', async () => {
      const series = database.collection('s');
      await series.createIndex({ _id: 1 });
      assert.deepEqual((await indexes())[1], { v: 2, key: { _id: 1 }, name: '_id_1' });
      await series.insertMany([1, 2].map((_id) => ({ _id: _id as never, t: new Date(), m: 1 })));
      assert.equal(await series.countDocuments({ _id: 2 as never }), 1);
      await series.dropIndex('_id_1');
      assert.equal((await indexes()).length, 1);
    });

    it('may be of special kinds on meta', async () => {
      const series = database.collection('s');
      await series.createIndexes([
        { key: { 'm.$**': 1 } },
        { key: { 'm.a': 'hashed' } },
        { key: { 'm.loc': '2dsphere' } },
      ]);
      assert.deepEqual((await keys()).slice(1), [
        { 'm.$**': 1 },
        { 'm.a': 'hashed' },
        { 'm.loc': '2dsphere' },
      ]);
      const loc = { type: 'Point', coordinates: [1, 1] };
      await series.insertOne({ t: new Date(), m: { a: 1, loc } });
      assert.equal(await series.countDocuments({ 'm.a': 1 }), 1);
      const $geoWithin = { $centerSphere: [[1, 1], 0.01] };
      assert.equal(await series.countDocuments({ 'm.loc': { $geoWithin } }), 1);
    });

    it('count their uses', async () => {
      const series = database.collection('s');
      await series.createIndex({ v: 1 });
      const stats = await series.aggregate([{ $indexStats: {} }]).toArray();
      const seen = stats.map(({ name, key, spec }) => [name, key, spec.key] as const);
      assert.deepEqual(
        seen.toSorted(([a], [b]) => (a < b ? -1 : 1)),
        [
          ['m_1_t_1', { m: 1, t: 1 }, { m: 1, t: 1 }],
          ['v_1', { v: 1 }, { v: 1 }],
        ],
      );
    });

    it('are made once', async () => {
      const reply = await database.command({
        createIndexes: 's',
        indexes: [{ key: { m: 1, t: 1 }, name: 'm_1_t_1' }],
      });
      assert.deepEqual(
        [reply['numIndexesBefore'], reply['numIndexesAfter'], reply['note']],
        [1, 1, 'all indexes already exist'],
      );
    });

    it('are dropped by name, by pattern and all together', async () => {
      const series = database.collection('s');
      await series.createIndexes([{ key: { v: 1 } }, { key: { w: -1 } }, { key: { 'm.a': 1 } }]);
      await series.dropIndex('v_1');
      await database.command({ dropIndexes: 's', index: { w: -1 } });
      assert.deepEqual(await keys(), [{ m: 1, t: 1 }, { 'm.a': 1 }]);
      const reply = await database.command({ dropIndexes: 's', index: '*' });
      assert.equal(reply['nIndexesWas'], 2);
      assert.deepEqual(await keys(), []);
      await refused({ dropIndexes: 's', index: { nope: 1 } }, 27);
      await series.insertOne({ t: new Date(), m: 1 });
      await series.insertOne({ t: new Date(), m: 1 });
      assert.equal(await series.countDocuments({ m: 1 }), 2);
    });

    const REFUSED: readonly (readonly [string, Document, number])[] = [
      ['unique', { key: { m: 1 }, name: 'x', unique: true }, 72],
      ['text', { key: { m: 'text' }, name: 'x' }, 72],
      ['sparse on measurements', { key: { v: 1 }, name: 'x', sparse: true }, 72],
      ['hashed on measurements', { key: { v: 'hashed' }, name: 'x' }, 67],
      ['wildcard on measurements', { key: { 'v.$**': 1 }, name: 'x' }, 67],
      ['TTL without a filter on meta', { key: { t: 1 }, name: 'x', expireAfterSeconds: 5 }, 72],
      [
        'TTL on a measurement',
        {
          key: { v: 1 },
          name: 'x',
          expireAfterSeconds: 5,
          partialFilterExpression: { m: { $gt: 1 } },
        },
        72,
      ],
    ];
    for (const [what, index, code] of REFUSED) {
      it(`cannot be ${what}`, () => refused({ createIndexes: 's', indexes: [index] }, code));
    }

    it('serve hints of both forms', async () => {
      const series = database.collection('s');
      await series.createIndex({ v: 1 });
      await series.insertMany([1, 2, 3].map((v) => ({ t: new Date(v), m: v, v })));
      for (const hint of ['v_1', { v: 1 }, { m: 1, t: 1 }, { $natural: -1 }]) {
        assert.equal(
          (
            await series
              .find({ v: { $gte: 2 } })
              .hint(hint as string)
              .toArray()
          ).length,
          2,
        );
      }
      await assert.rejects(series.find({}).hint({ w: 1 }).toArray(), { code: 2 });
      await assert.rejects(series.find({}).hint('nope').toArray(), { code: 2 });
    });

    it('refuse measurements that hold an array where one is indexed', async () => {
      const series = database.collection('s');
      await series.createIndex({ v: 1 });
      const documents = [1, [1, 2], 3].map((v) => ({ t: new Date(0), m: 1, v }));
      const reply = await database.command({ insert: 's', documents, ordered: false });
      assert.equal(reply['n'], 2);
      assert.deepEqual(
        reply['writeErrors'].map(({ index, code }: Document) => [index, code]),
        [[1, 5930501]],
      );
    });
  });
});
