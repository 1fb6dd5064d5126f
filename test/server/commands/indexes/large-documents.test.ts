/**
 * Documents whose index keys take long to make: a thread makes them, and everybody else goes on.
 */
import assert from 'node:assert/strict';
import type { Collection, Db, Document } from 'mongodb';
import { serverForTests } from '../../../support/test-server.ts';

/** A circle of so many corners. */
function circle(corners: number, x = 10): Document {
  const ring = Array.from({ length: corners }, (_, corner) => {
    const angle = (2 * Math.PI * corner) / corners;
    return [x + 5 * Math.cos(angle), 5 * Math.sin(angle)];
  });
  return { type: 'Polygon', coordinates: [[...ring, ring[0]]] };
}

const words = (count: number): string =>
  Array.from({ length: count }, (_, place) => `word${place % 3000}`).join(' ');

describe('server/commands: large documents and their indexes', () => {
  const server = serverForTests();
  let collection: Collection<Document & { _id: number }>;

  beforeEach(() => {
    collection = server.freshDatabase().collection('large');
  });

  const validated = async (): Promise<Document> => {
    const report = await server.client
      .db(collection.dbName)
      .command({ validate: 'large', full: true });
    assert.equal(report['valid'], true, JSON.stringify(report['errors']));
    return report;
  };

  const found = async (x: number): Promise<number[]> => {
    const $geometry = { type: 'Point', coordinates: [x, 0] };
    const documents = await collection
      .find({ g: { $geoIntersects: { $geometry } } }, { projection: { _id: 1 } })
      .sort({ _id: 1 })
      .toArray();
    return documents.map(({ _id }) => _id);
  };

  it('are inserted, changed and removed', async () => {
    await collection.createIndexes([
      { key: { g: '2dsphere' } },
      { key: { t: 'text' } },
      { key: { 'w.$**': 1 } },
    ]);
    const values = Object.fromEntries(Array.from({ length: 25_000 }, (_, n) => [`f${n}`, n]));
    await collection.insertMany([
      { _id: 1, g: circle(2000) },
      { _id: 2, g: circle(2000, 40), t: words(40_000) },
      { _id: 3, w: values },
    ]);
    assert.deepEqual(await found(10), [1]);
    assert.equal(await collection.countDocuments({ $text: { $search: 'word2999' } }), 1);
    assert.equal(await collection.countDocuments({ 'w.f24999': 24_999 }), 1);
    await collection.updateOne({ _id: 1 }, { $set: { g: circle(3000, 40) } });
    assert.deepEqual(await found(10), []);
    assert.deepEqual(await found(40), [1, 2]);
    await validated();
    await collection.deleteMany({ _id: { $in: [2, 3] } });
    assert.deepEqual(await found(40), [1]);
    const { keysPerIndex } = await validated();
    assert.equal(keysPerIndex['t_text'], 0);
  });

  it('are in indexes that are built over them', async () => {
    await collection.insertMany(
      Array.from({ length: 4 }, (_, _id) => ({ _id, g: circle(2000, 10 * _id), t: words(30_000) })),
    );
    await collection.createIndex({ g: '2dsphere' });
    await collection.createIndex({ t: 'text' });
    assert.deepEqual(await found(30), [3]);
    await validated();
  });

  it('are refused with what is wrong with them', async () => {
    await collection.createIndex({ g: '2dsphere' });
    const open = circle(2000);
    open['coordinates'][0].pop();
    await assert.rejects(collection.insertOne({ _id: 1, g: open }), { code: 16_755 });
    assert.equal(await collection.countDocuments(), 0);
    await collection.insertOne({ _id: 1, g: circle(2000) });
    await assert.rejects(collection.updateOne({ _id: 1 }, { $set: { g: open } }), {
      code: 16_755,
    });
    await validated();
  });

  it('delay nobody while their keys are made', async () => {
    await collection.createIndex({ g: '2dsphere' });
    let isOver = false;
    const inserted = collection.insertOne({ _id: 1, g: circle(60_000) }).finally(() => {
      isOver = true;
    });
    let answers = 0;
    while (!isOver) {
      await server.client.db('admin').command({ ping: 1 });
      answers += 1;
    }
    await inserted;
    assert.ok(answers > 20, `${answers} answers`);
  });

  it('are changed once each, however many there are', async () => {
    const count = 30;
    await collection.createIndex({ t: 'text' });
    await collection.insertMany(
      Array.from({ length: count }, (_, _id) => ({
        _id,
        n: 0,
        t: `${words(30_000)} number${_id}`,
      })),
    );
    const metrics = async (): Promise<Document> =>
      (await server.client.db('admin').command({ serverStatus: 1 }))['metrics'];
    const before = await metrics();
    await collection.updateMany({}, [
      { $set: { n: { $add: ['$n', 1] }, t: { $concat: ['$t', ' changed'] } } },
    ]);
    assert.deepEqual(await collection.distinct('n'), [1]);
    assert.equal(await collection.countDocuments({ $text: { $search: 'changed' } }), count);
    const after = await metrics();
    assert.equal(after['document'].updated - before['document'].updated, count);
    await validated();
  });

  const text = words(40_000);

  /** Each of these writes another document whenever it is tried. */
  const CHANGING: readonly (readonly [what: string, write: (db: Db) => Promise<unknown>])[] = [
    ['an _id of the server', (db) => db.command({ insert: 'large', documents: [{ t: text }] })],
    [
      'an _id of the server, for an upsert',
      (db) => db.collection('large').updateOne({ n: 1 }, { $set: { t: text } }, { upsert: true }),
    ],
    [
      'the time',
      (db) =>
        db
          .collection('large')
          .updateOne(
            { n: 0 },
            { $set: { t: text }, $currentDate: { at: { $type: 'timestamp' } } },
            { upsert: true },
          ),
    ],
    [
      'a random text',
      (db) =>
        db
          .collection('large')
          .updateOne(
            { n: 0 },
            [{ $set: { t: { $concat: [text, { $toString: { $rand: {} } }] } } }],
            { upsert: true },
          ),
    ],
  ];

  for (const path of ['t', '$**']) {
    for (const [what, write] of CHANGING) {
      it(`get ${what} once, in an index on ${path}`, async () => {
        const db = server.client.db(collection.dbName);
        await collection.createIndex({ [path]: 'text' });
        await write(db);
        assert.equal(await collection.countDocuments({ $text: { $search: 'word2999' } }), 1);
        await validated();
      }).timeout(5000);
    }
  }
});
