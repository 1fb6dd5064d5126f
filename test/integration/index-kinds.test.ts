/**
 * Kinds and options of indexes, over a real server: what createIndexes takes and refuses, what listIndexes shows, what plans use.
 */
import assert from 'node:assert/strict';
import { Int32, type Collection, type Db, type Document } from 'mongodb';
import { serverForTests } from '../support/test-server.ts';

interface Item extends Document {
  _id: number;
}

/** {a: {b: value}} of 'a.b'. */
function nested(path: string, value: unknown): Document {
  return path
    .split('.')
    .reduceRight((inner: unknown, name) => ({ [name]: inner }), value) as Document;
}

describe('kinds of indexes', () => {
  const server = serverForTests();
  let db: Db;
  let items: Collection<Item>;

  beforeEach(() => {
    db = server.freshDatabase();
    items = db.collection<Item>('items');
  });

  const create = (spec: Document): Promise<Document> =>
    db.command({ createIndexes: 'items', indexes: [spec] });
  const refused = (spec: Document, code: number, message: RegExp): Promise<void> =>
    assert.rejects(create(spec), (error: Error & { code: number }) => {
      assert.equal(error.code, code, error.message);
      assert.match(error.message, message);
      return true;
    });
  const listed = async (name: string): Promise<Document | undefined> =>
    (await items.listIndexes().toArray()).find((index) => index['name'] === name);
  const plan = async (filter: Document, options: Document = {}): Promise<string> =>
    JSON.stringify(
      (await db.command({ explain: { find: 'items', filter, ...options } }))['queryPlanner']
        .winningPlan,
    );

  it('on _id have the collation of their collection', async () => {
    const collation = { locale: 'en', strength: 2 };
    await db.createCollection('items', { collation });
    await create({ key: { _id: 1 }, name: '_id_', collation });
    await refused(
      { key: { _id: 1 }, name: '_id_', collation: { locale: 'fr' } },
      67,
      /^_id index must have the collection default collation$/,
    );
    await refused({ key: { _id: 1 }, name: '_id_', collation: { locale: 'simple' } }, 67, /^_id/);
    assert.equal((await items.listIndexes().toArray()).length, 1);
  });

  it('keep the version that a dump has', async () => {
    await create({ key: { a: 1 }, name: 'old', v: 1 });
    assert.equal((await listed('old'))?.['v'], 1);
    await items.insertMany([{ _id: 1, a: 1 } as Item, { _id: 2, a: 2 } as Item]);
    assert.match(await plan({ a: 2 }), /"indexVersion":1/);
    assert.equal(await items.countDocuments({ a: { $gte: 2 } }), 1);
    await create({ key: { a: 1 }, name: 'old' });
    assert.equal((await items.listIndexes().toArray()).length, 2);
  });

  it('are clustered only as the order of their collection', async () => {
    await items.insertMany([
      { _id: 1, a: 2 },
      { _id: 2, a: 1 },
    ]);
    for (const key of [{ a: 1 }, { _id: 1 }]) {
      await refused({ key, name: 'x', clustered: true, unique: true }, 6243700, /^Cannot create/);
    }
    await items.drop();
    await db.createCollection('items', {
      clusteredIndex: { key: { _id: 1 }, unique: true, name: 'order' },
    });
    await create({ key: { _id: 1 }, name: 'x', clustered: true, unique: true });
    await refused({ key: { a: 1 }, name: 'x', clustered: true }, 6243700, /^Cannot create/);
    await refused({ key: { a: 1 }, name: 'order' }, 6100906, /but the key does not/);
    assert.equal((await items.listIndexes().toArray()).length, 1);
  });

  it('are read whole when they are hinted and say nothing of the conditions', async () => {
    const square = [
      [0, 0],
      [0, 9],
      [9, 9],
      [9, 0],
      [0, 0],
    ];
    await items.insertMany([
      { _id: 1, n: 1, at: [1, 2], words: 'one two', place: { type: 'Point', coordinates: [1, 2] } },
      { _id: 2, n: 2, at: [5, 5], place: { type: 'Polygon', coordinates: [square] } },
      { _id: 3, n: 1 },
      { _id: 4, n: 1, at: [3, 3], words: 'two' },
    ]);
    for (const key of [{ place: '2dsphere' }, { at: '2d' }, { words: 'text' }, { '$**': 1 }]) {
      await items.createIndex(key as Document);
    }
    const hinted = async (filter: Document, hint: string): Promise<number[]> =>
      (await items.find(filter, { hint, sort: { _id: 1 } }).toArray()).map(({ _id }) => _id);
    assert.deepEqual(await hinted({}, 'place_2dsphere'), [1, 2]);
    assert.equal((await db.command({ count: 'items', hint: 'place_2dsphere' }))['n'], 2);
    assert.deepEqual(await hinted({ n: 1 }, 'place_2dsphere'), [1]);
    assert.deepEqual(await hinted({ n: 1 }, 'at_2d'), [1, 4]);
    assert.deepEqual(await hinted({ n: 1 }, 'words_text'), [1, 4]);
    assert.deepEqual(await hinted({ $or: [{ n: 2 }, { words: 'two' }] }, '$**_1'), [2, 4]);
    await assert.rejects(hinted({}, '$**_1'), (error: Error & { code: number }) => {
      assert.equal(error.code, 291);
      assert.match(error.message, /refusing to build whole-index solution/);
      return true;
    });
  });

  it('show their options in one order, with defaults and types as MongoDB has them', async () => {
    await create({
      expireAfterSeconds: 60.7,
      name: 'all',
      key: { at: 1 },
      partialFilterExpression: { n: { $gt: 1 } },
      hidden: true,
      background: true,
      unique: 1,
    });
    assert.deepEqual(await listed('all'), {
      v: 2,
      key: { at: 1 },
      name: 'all',
      unique: true,
      hidden: true,
      partialFilterExpression: { n: { $gt: 1 } },
      expireAfterSeconds: 60,
    });
    await create({ key: { s: 1 }, name: 'ci', collation: { locale: 'en', strength: 2 } });
    assert.deepEqual((await listed('ci'))?.['collation'], {
      locale: 'en',
      caseLevel: false,
      caseFirst: 'off',
      strength: 2,
      numericOrdering: false,
      alternate: 'non-ignorable',
      maxVariable: 'punct',
      normalization: false,
      backwards: false,
      version: '57.1',
    });
  });

  for (const [what, spec, code, message] of [
    [
      'a negated partial filter',
      { partialFilterExpression: { b: { $ne: 1 } } },
      67,
      /partial index: \$not\n {4}b \$eq 1/,
    ],
    [
      '$expr in a partial filter',
      { partialFilterExpression: { $expr: true } },
      224,
      /\$expr is not allowed in this context/,
    ],
    [
      'a partial filter that is no document',
      { partialFilterExpression: 1 },
      14,
      /must be an object, but got int/,
    ],
    [
      'partial and sparse together',
      { partialFilterExpression: { b: 1 }, sparse: true },
      67,
      /cannot mix/,
    ],
    ['an empty collation', { collation: {} }, 2, /cannot be an empty object/],
    [
      'a TTL of text',
      { expireAfterSeconds: 'x' },
      67,
      /must be numeric, but received a type of 'string'/,
    ],
    ['a negative TTL', { expireAfterSeconds: -1 }, 67, /cannot be less than 0/],
    ['a TTL that is no number', { expireAfterSeconds: NaN }, 67, /must not be NaN/],
    [
      'a TTL beyond int32',
      { expireAfterSeconds: 2 ** 31 },
      67,
      /within the range of a 32-bit integer/,
    ],
    ['hidden as a number', { hidden: 1 }, 14, /must be a bool/],
    ['unique as text', { unique: 'yes' }, 14, /not convertible to bool/],
    [
      'unique and prepareUnique',
      { unique: true, prepareUnique: true },
      67,
      /'prepareUnique' option/,
    ],
    ['weights without text', { weights: { a: 1 } }, 67, /can only be specified with text indexes/],
    [
      'a wildcard projection without wildcard',
      { wildcardProjection: { a: 1 } },
      2,
      /only allowed in 'wildcard' indexes/,
    ],
    ['an option it does not know', { nope: 1 }, 197, /'nope' is not valid/],
    ['version 0', { v: 0 }, 67, /cannot create an index with v=0/],
    [
      'a collation in version 1',
      { v: 1, collation: { locale: 'en' } },
      67,
      /'collation' option and v=1/,
    ],
    ['a version that is no whole number', { v: 1.5 }, 2, /32-bit integer/],
  ] as const) {
    it(`refuse ${what}`, () => refused({ key: { a: 1 }, name: 'a_1', ...spec }, code, message));
  }

  for (const [what, spec, code, message] of [
    [
      'two hashed fields',
      { key: { a: 'hashed', b: 'hashed' } },
      31303,
      /maximum of one index field/,
    ],
    [
      'a unique hashed index',
      { key: { a: 'hashed' }, unique: true },
      16764,
      /cannot guarantee uniqueness/,
    ],
    ['two kinds', { key: { a: 'hashed', b: '2d' } }, 67, /more than one index plugin/],
    ['a sparse wildcard', { key: { '$**': 1 }, sparse: true }, 67, /sparse option/],
    ['a unique wildcard', { key: { 'a.$**': 1, b: 1 }, unique: true }, 67, /unique option/],
    ['a TTL wildcard', { key: { '$**': 1 }, expireAfterSeconds: 1 }, 67, /cannot be a TTL index/],
    ['two wildcards', { key: { 'a.$**': 1, 'b.$**': 1 } }, 7246201, /only one wildcard/],
    ['a wildcard over its own field', { key: { a: 1, 'a.$**': 1 } }, 7246204, /also covered/],
    [
      'a compound wildcard of everything',
      { key: { a: 1, '$**': 1 } },
      67,
      /must also specify 'wildcardProjection'/,
    ],
    ['a wildcard in the middle', { key: { 'a.$**.b': 1 } }, 67, /starts with '\$'/],
    ['wildcard as a word', { key: { a: 'wildcard' } }, 67, /must be a non-zero number/],
    [
      'a projection of mixed kinds',
      { key: { '$**': 1 }, wildcardProjection: { a: 1, b: 0 } },
      31254,
      /Failed to parse projection/,
    ],
    [
      'a computed projection',
      { key: { '$**': 1 }, wildcardProjection: { a: 'x' } },
      51271,
      /computed/,
    ],
    [
      'an empty projection',
      { key: { '$**': 1 }, wildcardProjection: {} },
      9,
      /can't be an empty object/,
    ],
    [
      'a projection below a path',
      { key: { 'a.$**': 1 }, wildcardProjection: { b: 1 } },
      9,
      /only allowed when 'key'/,
    ],
    [
      'a TTL on two fields',
      { key: { a: 1, b: 1 }, expireAfterSeconds: 1 },
      67,
      /compound indexes do not support TTL/,
    ],
    ['a TTL on _id', { key: { _id: 1 }, expireAfterSeconds: 1 }, 197, /not valid for an _id index/],
    ['a hidden _id', { key: { _id: 1 }, hidden: true }, 2, /can't hide _id index/],
    [
      '33 fields',
      { key: Object.fromEntries(Array.from({ length: 33 }, (_, n) => [`f${n}`, 1])) },
      67,
      /too many fields/,
    ],
  ] as const) {
    it(`refuse ${what}`, () => refused({ name: 'x', ...spec }, code, message));
  }

  it('are refused as many as a collection cannot have', async () => {
    const specs = Array.from({ length: 63 }, (_, n) => ({ key: { [`f${n}`]: 1 }, name: `f${n}` }));
    await db.command({ createIndexes: 'items', indexes: specs });
    await refused({ key: { z: 1 }, name: 'z' }, 67, /too many indexes/);
  });

  it('conflict by name, or by what tells them apart', async () => {
    await create({ key: { a: 1 }, name: 'a_1', expireAfterSeconds: 60 });
    await refused({ key: { b: 1 }, name: 'a_1' }, 86, /same name as the requested index/);
    await refused(
      { key: { a: 1 }, name: 'a_1', unique: true },
      86,
      /Requested index: .*unique: true/,
    );
    await refused(
      { key: { a: 1 }, name: 'a_1', expireAfterSeconds: 61 },
      85,
      /same name but different options/,
    );
    await refused(
      { key: { a: 1 }, name: 'b', expireAfterSeconds: 61 },
      85,
      /different name and options/,
    );
    await refused({ key: { a: 1 }, name: 'b', expireAfterSeconds: 60 }, 85, /different name: a_1$/);
    for (const [name, more] of Object.entries({
      unique: { unique: true },
      sparse: { sparse: true },
      collated: { collation: { locale: 'fr' } },
      partial: { partialFilterExpression: { b: 1 } },
    })) {
      assert.equal((await create({ key: { a: 1 }, name, ...more }))['ok'], 1);
    }
    const again = await create({ key: { a: new Int32(1) }, name: 'a_1', expireAfterSeconds: 60 });
    assert.equal(again['note'], 'all indexes already exist');
  });

  it('with a collation keep strings unique by it, deep inside values too, and serve only its queries', async () => {
    const collation = { locale: 'en', strength: 2 };
    await items.createIndex({ s: 1 }, { unique: true, collation, name: 'ci' });
    await items.insertMany([
      { _id: 1, s: 'Apple' },
      { _id: 2, s: { t: ['Pear'] } },
      { _id: 3, s: 5 },
    ]);
    for (const s of ['APPLE', { t: ['PEAR'] }]) {
      await assert.rejects(items.insertOne({ _id: 9, s }), { code: 11000 });
    }
    const { writeErrors } = await db.command({ insert: 'items', documents: [{ s: 'aPPle' }] });
    const error = (writeErrors as Document[])[0] ?? {};
    const message = String(error['errmsg']);
    const start = `E11000 duplicate key error collection: ${db.databaseName}.items index: ci collation: { locale: "en", `;
    assert.ok(message.startsWith(start), message);
    assert.match(message, / dup key: \{ s: "CollationKey\(0x[0-9a-f]+\)" \}$/);
    assert.deepEqual(error['hexEncoded'], [true]);
    assert.equal(error['collation'].strength, 2);
    await items.insertOne({ _id: 4, s: 'Äpple' });
    assert.match(await plan({ s: 'apple' }, { collation }), /IXSCAN/);
    assert.match(await plan({ s: 'apple' }), /COLLSCAN/);
    assert.match(await plan({ s: 5 }), /IXSCAN/);
    assert.doesNotMatch(await plan({}, { sort: { s: 1 }, collation }), /"SORT"/);
    assert.match(await plan({}, { sort: { s: 1 } }), /SORT/);
    assert.match(await plan({ s: 'apple' }, { collation, projection: { _id: 0, s: 1 } }), /FETCH/);
    const sorted = await items.find({}, { collation, sort: { s: 1 } }).toArray();
    assert.deepEqual(
      sorted.map(({ _id }) => _id),
      [3, 1, 4, 2],
    );
  });

  it('keep values that are too long for a key, in every kind', async () => {
    const long = (letter: string): string => letter.repeat(3000);
    const collation = { locale: 'en', strength: 2 };
    await items.createIndex({ '$**': 1 });
    await items.createIndex({ s: 1 }, { name: 'ci', unique: true, collation });
    await items.createIndex({ s: 'hashed' });
    await items.createIndex({ s: -1 }, { unique: true, sparse: true, name: 'down' });
    await items.createIndex(
      { s: 1 },
      { name: 'some', partialFilterExpression: { _id: { $gt: 1 } } },
    );
    const values = ['a', 'b', 'ä'].map((letter) => `${long('x')}${letter}`);
    await items.insertMany(values.map((s, _id) => ({ _id, s })));
    await assert.rejects(items.insertOne({ _id: 8, s: `${long('X')}A` }), { code: 11000 });
    await assert.rejects(items.insertOne({ _id: 8, s: values[1] }), { code: 11000 });
    for (const [_id, s] of values.entries()) {
      for (const hint of ['$**_1', 's_hashed', 'down']) {
        const found = await items.find({ s }, { hint }).toArray();
        assert.deepEqual(
          found.map((each) => each._id),
          [_id],
          hint,
        );
      }
      const found = await items.find({ s: s.toUpperCase() }, { hint: 'ci', collation }).toArray();
      assert.deepEqual(
        found.map((each) => each._id),
        [_id],
      );
    }
    const sorted = await items.find({}, { hint: 'ci', collation, sort: { s: 1 } }).toArray();
    assert.deepEqual(
      sorted.map(({ _id }) => _id),
      [0, 2, 1],
    );
    const path = Array.from({ length: 90 }, () => 'part-of-a-path').join('.');
    await items.insertOne({ _id: 7, ...nested(path, 5) });
    assert.equal(await items.countDocuments({ [path]: 5 }, { hint: '$**_1' }), 1);
    const report = await db.command({ validate: 'items', full: true });
    assert.deepEqual(report['errors'], []);
    await items.deleteMany({});
    const empty = await db.command({ validate: 'items', full: true });
    assert.deepEqual(empty['errors'], []);
    assert.equal(empty['keysPerIndex']['$**_1'], 0);
  });

  it('take over the default collation of their collection, unless they ask for the simple one', async () => {
    await db.createCollection('items', { collation: { locale: 'en', strength: 2 } });
    await items.createIndex({ s: 1 }, { unique: true });
    await items.createIndex({ t: 1 }, { collation: { locale: 'simple' } });
    assert.equal((await listed('s_1'))?.['collation'].strength, 2);
    assert.equal((await listed('t_1'))?.['collation'], undefined);
    await items.insertOne({ _id: 1, s: 'a' });
    await assert.rejects(items.insertOne({ _id: 2, s: 'A' }), { code: 11000 });
    assert.match(await plan({ s: 'A' }), /IXSCAN/);
    assert.match(await plan({ t: 'A' }), /COLLSCAN/);
  });

  it('name what a wildcard index scans, with its path', async () => {
    await items.insertMany([
      { _id: 1, m: { a: 1 } },
      { _id: 2, m: { b: [{ c: 'x' }] } },
    ]);
    await items.createIndex({ '$**': 1 });
    const shown = await plan({ 'm.b.c': 'x' });
    assert.match(shown, /"keyPattern":\{"\$_path":1,"m\.b\.c":1\}/);
    assert.match(shown, /"\$_path":\["\[\\"m\.b\.c\\", \\"m\.b\.c\\"\]"\]/);
    assert.match(await plan({ 'm.a': { $exists: true } }), /m\.a\.\\", \\"m\.a\/\\"\)/);
    for (const filter of [
      { 'm.a': null },
      { 'm.a': { $exists: false } },
      { m: { a: 1 } },
      { _id: 1 },
    ]) {
      assert.doesNotMatch(await plan(filter), /\$_path/, JSON.stringify(filter));
    }
    assert.match(await plan({}, { sort: { 'm.a': 1 } }), /COLLSCAN/);
    assert.deepEqual(await items.find({ 'm.b': { $exists: true } }).toArray(), [
      { _id: 2, m: { b: [{ c: 'x' }] } },
    ]);
  });

  it('that lack documents do not answer for all of them', async () => {
    await items.insertMany([
      { _id: 1, a: 1, r: 1 },
      { _id: 2, a: 2, r: 9 },
      { _id: 3, b: 1 },
    ]);
    await items.createIndex({ a: 1 }, { partialFilterExpression: { r: { $gt: 5 } } });
    assert.deepEqual(await items.distinct('a'), [1, 2]);
    assert.deepEqual(await items.distinct('a', { r: { $gt: 6 } }), [2]);
    await items.createIndex({ '$**': 1 }, { name: 'wild' });
    assert.deepEqual(await items.distinct('b', { b: { $gt: 0 } }), [1]);
    assert.equal(await items.countDocuments({ a: { $exists: true } }), 2);
    await assert.rejects(items.find({}, { hint: 'wild' }).toArray(), { code: 291 });
    await assert.rejects(items.find({ a: null }, { hint: 'wild' }).toArray(), { code: 291 });
    const either = await items.find({ $or: [{ a: 1 }, { b: 1 }] }, { hint: 'wild' }).toArray();
    assert.equal(either.length, 2);
  });

  it('are no TTL indexes on a capped collection', async () => {
    await db.createCollection('items', { capped: true, size: 4096 });
    await refused({ key: { a: 1 }, name: 'a', expireAfterSeconds: 1 }, 67, /capped collection$/);
  });

  it('delete what has expired, in arrays by the least date, within the monitor’s period', async () => {
    const hourMs = 3_600_000;
    const old = new Date(Date.now() - 2 * hourMs);
    const young = new Date(Date.now() + hourMs);
    await items.insertMany([
      { _id: 1, at: old },
      { _id: 2, at: young },
      { _id: 3, at: [young, old] },
      { _id: 4, at: 'text' },
      { _id: 5 },
      { _id: 6, at: old, keep: true },
      { _id: 7, at: new Date(Date.now() - hourMs / 2) },
    ]);
    await items.createIndex(
      { at: -1 },
      { expireAfterSeconds: 3600, partialFilterExpression: { _id: { $lte: 5 } } },
    );
    const clustered = await db.createCollection<{ _id: Date | number }>('clustered', {
      clusteredIndex: { key: { _id: 1 }, unique: true },
      expireAfterSeconds: 3600,
    });
    await clustered.insertMany([{ _id: old }, { _id: young }, { _id: 1 }]);
    const series = await db.createCollection('series', {
      timeseries: { timeField: 't' },
      expireAfterSeconds: 3600,
    });
    await series.insertMany([{ t: new Date(Date.now() - 5 * hourMs) }, { t: new Date() }]);
    await db.admin().command({ setParameter: 1, ttlMonitorSleepSecs: 1 });
    try {
      const endMs = Date.now() + 8000;
      const isLeft = async (): Promise<boolean> =>
        (await items.countDocuments()) > 5 ||
        (await clustered.countDocuments()) > 2 ||
        (await series.countDocuments()) > 1;
      while ((await isLeft()) && Date.now() < endMs) {
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      assert.deepEqual(
        (await clustered.find().toArray()).map(({ _id }) => _id),
        [1, young],
      );
      assert.equal(await series.countDocuments(), 1);
      const left = await items.find({}, { sort: { _id: 1 } }).toArray();
      assert.deepEqual(
        left.map(({ _id }) => _id),
        [2, 4, 5, 6, 7],
      );
      const { metrics } = await db.admin().command({ serverStatus: 1 });
      assert.ok(metrics.ttl.deletedDocuments >= 2);
      assert.ok(metrics.ttl.passes >= 1);
    } finally {
      await db.admin().command({ setParameter: 1, ttlMonitorSleepSecs: 60 });
    }
    const report = await db.command({ validate: 'items', full: true });
    assert.deepEqual(report['errors'], []);
  });
});

describe('commands on indexes', () => {
  const server = serverForTests();

  it('drop by name, list, key or all of them, and say when a key is not enough', async () => {
    const db = server.freshDatabase();
    const items = db.collection('items');
    const drop = (index: unknown): Promise<Document> => db.command({ dropIndexes: 'items', index });
    for (const name of ['a', 'b', 'c', 'd', 'e']) await items.createIndex({ [name]: 1 });
    await items.createIndex({ a: 1 }, { name: 'a_fr', collation: { locale: 'fr' } });
    await assert.rejects(drop({ a: 1 }), (error: Error & { code: number }) => {
      assert.equal(error.code, 181);
      return error.message.startsWith(
        '2 indexes found for key: { a: 1 }, identify by name instead. Conflicting indexes: {',
      );
    });
    assert.deepEqual(await drop('a_1'), { nIndexesWas: 7, ok: 1 });
    assert.deepEqual(await drop({ a: 1 }), { nIndexesWas: 6, ok: 1 });
    assert.deepEqual(await drop(['b_1', 'c_1', 'b_1']), { nIndexesWas: 5, ok: 1 });
    await assert.rejects(drop(['d_1', 'nope']), { code: 27 });
    await assert.rejects(drop('_id_'), { code: 72 });
    await assert.rejects(drop({ _id: 1 }), { code: 72 });
    const all = { nIndexesWas: 3, msg: 'non-_id indexes dropped for collection', ok: 1 };
    assert.deepEqual(await drop('*'), all);
    assert.equal((await items.listIndexes().toArray()).length, 1);
  });

  it('ignore what no index has when they are told to, and want a quorum that can be one', async () => {
    const db = server.freshDatabase();
    const indexes = [{ key: { a: 1 }, name: 'a', nope: 1, unique: true }];
    await assert.rejects(db.command({ createIndexes: 'items', indexes }), { code: 197 });
    await db.command({ createIndexes: 'items', indexes, ignoreUnknownIndexOptions: true });
    assert.deepEqual((await db.collection('items').listIndexes().toArray())[1], {
      v: 2,
      key: { a: 1 },
      name: 'a',
      unique: true,
    });
    for (const commitQuorum of [-1, 51, true]) {
      const command = { createIndexes: 'items', indexes: [{ key: { b: 1 }, name: 'b' }] };
      await assert.rejects(db.command({ ...command, commitQuorum }), { code: 9 });
    }
  });

  it('build all indexes again with reIndex', async () => {
    const db = server.freshDatabase();
    const items = db.collection<Item>('items');
    await items.insertMany(Array.from({ length: 100 }, (_, n) => ({ _id: n, a: n % 7 })));
    await items.createIndex({ a: 1 }, { name: 'mine' });
    const reply = await db.command({ reIndex: 'items' });
    assert.deepEqual(reply, {
      nIndexesWas: 2,
      nIndexes: 2,
      indexes: [
        { v: 2, key: { _id: 1 }, name: '_id_' },
        { v: 2, key: { a: 1 }, name: 'mine' },
      ],
      ok: 1,
    });
    assert.equal((await items.find({ a: 3 }, { hint: 'mine' }).toArray()).length, 14);
    await assert.rejects(db.command({ reIndex: 'none' }), { code: 26 });
  });

  it('are refused on views, by their own code', async () => {
    const db = server.freshDatabase();
    await db.createCollection('view', { viewOn: 'items', pipeline: [] });
    for (const command of [
      { createIndexes: 'view', indexes: [{ key: { a: 1 }, name: 'a' }] },
      { dropIndexes: 'view', index: '*' },
      { listIndexes: 'view' },
      { reIndex: 'view' },
    ]) {
      await assert.rejects(db.command(command), { code: 166 }, JSON.stringify(command));
    }
  });

  it('drop an index while it is built, and show how far it is', async () => {
    const db = server.freshDatabase();
    const items = db.collection<Item>('items');
    for (let first = 0; first < 24_000; first += 8000) {
      await items.insertMany(Array.from({ length: 8000 }, (_, n) => ({ _id: first + n, a: n })));
    }
    const building = db.command({
      createIndexes: 'items',
      indexes: [{ key: { a: 1 }, name: 'a' }],
    });
    const ended = building.then(
      () => undefined,
      (error: Error & { code: number }) => error.code,
    );
    let shown: Document | undefined;
    while (shown === undefined) {
      const { inprog } = await db
        .admin()
        .command({ currentOp: 1, 'command.createIndexes': 'items' });
      shown = (inprog as Document[]).find(({ progress }) => progress !== undefined);
    }
    assert.match(shown['msg'] as string, /^Index Build: scanning collection .*: \d+\/\d+ \d+%$/);
    assert.ok(shown['progress'].done <= shown['progress'].total);
    const listed = async (options: Document): Promise<Document[]> =>
      (await db.command({ listIndexes: 'items', ...options }))['cursor'].firstBatch;
    assert.deepEqual(
      (await listed({ includeBuildUUIDs: false })).map((index) => index['name']),
      ['_id_', 'a'],
    );
    await assert.rejects(listed({ includeBuildUUIDs: true, includeIndexBuildInfo: true }), {
      code: 72,
    });
    const [known, built] = await listed({ includeIndexBuildInfo: true });
    assert.deepEqual(known, { spec: { v: 2, key: { _id: 1 }, name: '_id_' } });
    assert.deepEqual(built?.['spec'], { v: 2, key: { a: 1 }, name: 'a' });
    const [ready, underWay] = await listed({ includeBuildUUIDs: true });
    assert.equal(ready?.['name'], '_id_');
    assert.equal(underWay?.['spec'].name, 'a');
    assert.deepEqual(built['indexBuildInfo'], { buildUUID: underWay?.['buildUUID'] });
    assert.match(String(underWay?.['buildUUID']), /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    await db.command({ dropIndexes: 'items', index: 'a' });
    assert.equal(await ended, 276);
    assert.equal((await items.listIndexes().toArray()).length, 1);
  });
});
