/**
 * Collections with everything that a tool may lose: types, the order of fields, options, indexes of every kind, names
 * that no file system takes.
 */
import {
  Binary,
  BSONRegExp,
  Code,
  Decimal128,
  Double,
  Long,
  MaxKey,
  MinKey,
  ObjectId,
  Timestamp,
  UUID,
  type Db,
} from 'mongodb';

export const LONG_NAME = `${'n'.repeat(200)}!!!!!!!!!!!!!!!`;
const DOCUMENTS = 2_500;

export async function fillWithVariedData(db: Db): Promise<void> {
  await db.createCollection('items', {
    validator: { $jsonSchema: { required: ['sku'] } },
    validationLevel: 'moderate',
    collation: { locale: 'de', strength: 2 },
  });
  const items = db.collection<{ _id: number | string }>('items');
  const documents = Array.from({ length: DOCUMENTS }, (_, n) => ({ _id: n, ...everyType(n) }));
  await db.command({ insert: 'items', documents, bypassEmptyTsReplacement: true });
  await items.insertOne({ _id: 'not valid' }, { bypassDocumentValidation: true });
  await items.createIndex({ sku: 1 }, { unique: true, collation: { locale: 'simple' } });
  await items.createIndex(
    new Map([
      ['2', 1],
      ['1', -1],
    ]),
    { name: 'numbers', sparse: true },
  );
  await items.createIndex(
    { when: 1 },
    { expireAfterSeconds: 1e9, partialFilterExpression: { when: { $gt: new Date(0) } } },
  );
  await items.createIndex({ double: 1 }, { hidden: true });
  const key = { long: new Double(1) };
  await db.command({ createIndexes: 'items', indexes: [{ key, name: 'double' }] });

  await db.createCollection('log', { capped: true, size: 100_000, max: 50 });
  await db.collection('log').insertMany(Array.from({ length: 70 }, (_, n) => ({ n })));
  await db.collection('a/b %ü').insertOne({ x: 1 });
  await db.createCollection(LONG_NAME);
  await db.createCollection('clustered', { clusteredIndex: { key: { _id: 1 }, unique: true } });
  await db.collection<{ _id: number }>('clustered').insertMany([{ _id: 2 }, { _id: 1 }]);
  await db.createCollection('cheap', {
    viewOn: 'items',
    pipeline: [{ $match: { long: { $lt: 10 } } }],
    collation: { locale: 'de' },
  });
  await db.collection('places').insertOne({ at: [1, 2], text: 'hello world', key: 1 });
  await db
    .collection('places')
    .createIndexes([
      { key: { at: '2dsphere' } },
      { key: { text: 'text' }, default_language: 'english' },
      { key: { key: 'hashed' } },
      { key: { '$**': 1 }, wildcardProjection: { a: 1 } },
    ]);
  await fillSeries(db);
}

async function fillSeries(db: Db): Promise<void> {
  await db.createCollection('weather', {
    timeseries: { timeField: 't', metaField: 'm', granularity: 'minutes' },
    expireAfterSeconds: 1e9,
  });
  const startMs = Date.UTC(2024, 0, 1, 12);
  const measurements = Array.from({ length: 200 }, (_, n) => ({
    t: new Date(startMs - n * 60_000),
    m: n % 3,
    v: n,
  }));
  await db.collection('weather').insertMany(measurements);
  await db.collection('weather').createIndex({ v: 1 });
}

function everyType(n: number): object {
  return {
    sku: `s${n}`,
    double: new Double(1),
    int: n,
    long: Long.fromNumber(n),
    decimal: Decimal128.fromString('1.50'),
    empty: new Timestamp({ t: 0, i: 0 }),
    binary: new Binary(Buffer.from('x'), 5),
    uuid: new UUID('00112233-4455-6677-8899-aabbccddeeff'),
    least: new MinKey(),
    most: new MaxKey(),
    pattern: new BSONRegExp('a/b', 'i'),
    code: new Code('f', { a: 1 }),
    when: new Date(0),
    id: new ObjectId('00112233445566778899aabb'),
    nothing: null,
    nested: { b: [1, { c: [] }], a: true },
    nan: Number.NaN,
    minusZero: -0,
  };
}
