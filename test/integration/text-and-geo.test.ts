/**
 * Text and geospatial indexes through a server: made over documents that are there, kept up by writes, used by every command.
 */
import assert from 'node:assert/strict';
import { type Collection, type Document, MongoClient, type MongoServerError } from 'mongodb';
import { Program, removeTemporaryDirectory, temporaryDirectory } from '../support/programs.ts';
import { serverForTests } from '../support/test-server.ts';

interface Place extends Document {
  _id: number;
}

describe('text and geospatial indexes', () => {
  const server = serverForTests();
  const fresh = (): Collection<Place> => server.freshDatabase().collection<Place>('places');

  async function codeOf(run: Promise<unknown>): Promise<unknown> {
    try {
      await run;
    } catch (error) {
      return (error as MongoServerError).code;
    }
    throw new Error('no error was thrown');
  }

  const point = (...coordinates: number[]): Document => ({ type: 'Point', coordinates });

  async function isValid(places: Collection<Place>): Promise<void> {
    const report = await server.client
      .db(places.dbName)
      .command({ validate: places.collectionName, full: true });
    assert.deepEqual([report['valid'], report['errors']], [true, []]);
  }

  it('are built over documents that are there, and refuse what they cannot hold', async () => {
    const places = fresh();
    await places.insertMany([
      { _id: 1, at: point(1, 1), flat: [1, 1], s: 'green tea' },
      { _id: 2, at: [2, 2], flat: { x: 2, y: 2 }, s: 'coffee' },
      { _id: 3 },
    ]);
    await places.createIndexes([
      { key: { at: '2dsphere' } },
      { key: { flat: '2d' }, min: -10, max: 10, bits: 20 },
      { key: { s: 'text' }, default_language: 'english' },
    ]);
    assert.equal(await codeOf(places.insertOne({ _id: 4, at: point(200, 0) })), 16755);
    assert.equal(await codeOf(places.insertOne({ _id: 4, flat: [11, 0] })), 13027);
    assert.equal(await codeOf(places.insertOne({ _id: 4, s: 'x', language: 'no' })), 17262);
    assert.equal(await codeOf(places.createIndex({ other: 'text' })), 85);
    await isValid(places);
    const bad = fresh();
    await bad.insertMany([{ _id: 1, at: 'nowhere' }]);
    assert.equal(await codeOf(bad.createIndex({ at: '2dsphere' })), 16755);
    assert.equal((await bad.listIndexes().toArray()).length, 1);
  });

  it('follow updates and deletions', async () => {
    const places = fresh();
    await places.createIndexes([{ key: { at: '2dsphere', n: 1 } }, { key: { s: 'text' } }]);
    await places.insertMany(
      Array.from({ length: 200 }, (_, n) => ({
        _id: n,
        at: point(n % 90, n % 45),
        s: `w${n % 7}`,
        n,
      })),
    );
    await places.updateMany({ n: { $lt: 100 } }, { $set: { at: point(100, 10), s: 'moved' } });
    await places.updateMany({ n: { $gte: 190 } }, { $unset: { at: '', s: '' } });
    await places.deleteMany({ n: { $gte: 50, $lt: 60 } });
    await isValid(places);
    assert.equal(await places.countDocuments({ $text: { $search: 'moved' } }), 90);
    const within = { at: { $geoWithin: { $centerSphere: [[100, 10], 0.001] } } };
    assert.equal(await places.countDocuments(within), 90);
  });

  it('give a cursor its batches in order', async () => {
    const places = fresh();
    await places.createIndex({ at: '2dsphere' });
    await places.insertMany(Array.from({ length: 60 }, (_, n) => ({ _id: n, at: point(n, 0) })));
    const near = { at: { $near: { $geometry: point(0, 0) } } };
    const ids: number[] = [];
    for await (const { _id } of places.find(near).batchSize(7)) ids.push(_id);
    assert.deepEqual(
      ids,
      Array.from({ length: 60 }, (_, n) => n),
    );
  });

  it('serve updates, findAndModify, count and distinct', async () => {
    const places = fresh();
    await places.createIndexes([{ key: { at: '2dsphere' } }, { key: { s: 'text' } }]);
    await places.insertMany([
      { _id: 1, at: point(5, 5), s: 'tea' },
      { _id: 2, at: point(1, 1), s: 'tea tea' },
      { _id: 3, at: point(9, 9), s: 'coffee' },
    ]);
    const near = { at: { $nearSphere: { $geometry: point(0, 0), $maxDistance: 1_000_000 } } };
    assert.equal((await places.findOneAndUpdate(near, { $set: { first: true } }))?._id, 2);
    assert.equal((await places.updateMany(near, { $set: { seen: true } })).modifiedCount, 2);
    assert.deepEqual(new Set(await places.distinct('_id', near)), new Set([1, 2]));
    const text = { $text: { $search: 'tea' } };
    const best = await places.findOneAndUpdate(
      text,
      { $set: { best: true } },
      { sort: { score: { $meta: 'textScore' } } },
    );
    assert.equal(best?._id, 2);
    assert.equal((await places.deleteMany(text)).deletedCount, 2);
    assert.equal(await codeOf(places.countDocuments(near)), 5626500);
  });

  it('are explained with their stages', async () => {
    const places = fresh();
    await places.createIndexes([{ key: { at: '2dsphere' } }, { key: { s: 'text' } }]);
    await places.insertMany([{ _id: 1, at: point(1, 1), s: 'tea' }]);
    const near = await places.find({ at: { $near: { $geometry: point(0, 0) } } }).explain();
    assert.equal(near['queryPlanner'].winningPlan.stage, 'GEO_NEAR_2DSPHERE');
    const text = await places.find({ $text: { $search: 'tea' } }).explain();
    assert.equal(text['queryPlanner'].winningPlan.stage, 'TEXT_MATCH');
    const stage = { near: point(0, 0), distanceField: 'd' };
    const pipeline = await places.aggregate([{ $geoNear: stage }]).explain();
    assert.ok('$geoNearCursor' in pipeline['stages'][0]);
  });

  it('answer after a crash as before', async () => {
    const dbpath = temporaryDirectory();
    const run = async <Result>(
      use: (places: Collection<Place>, client: MongoClient) => Promise<Result>,
    ): Promise<Result> => {
      const program = await Program.start({ dbpath });
      const client = await new MongoClient(program.uri).connect();
      try {
        return await use(client.db('test').collection<Place>('places'), client);
      } finally {
        await client.close();
        await program.kill();
      }
    };
    await run(async (places) => {
      await places.createIndexes([{ key: { at: '2dsphere' } }, { key: { s: 'text' } }]);
      await places.insertMany([
        { _id: 1, at: point(1, 1), s: 'running' },
        { _id: 2, at: point(2, 2), s: 'runs' },
      ]);
      await places.updateOne(
        { _id: 2 },
        { $set: { s: 'walks', at: point(50, 50) } },
        { writeConcern: { w: 1, j: true } },
      );
    });
    await run(async (places, client) => {
      assert.deepEqual(await places.distinct('_id', { $text: { $search: 'run' } }), [1]);
      const near = { at: { $near: { $geometry: point(49, 49) } } };
      assert.deepEqual(
        (await places.find(near).toArray()).map(({ _id }) => _id),
        [2, 1],
      );
      const report = await client.db('test').command({ validate: 'places', full: true });
      assert.deepEqual([report['valid'], report['errors']], [true, []]);
    });
    removeTemporaryDirectory(dbpath);
  });
});
