/**
 * Writes through a router: where each statement goes, what comes back, and that one document is one.
 */
import assert from 'node:assert/strict';
import {
  type Collection,
  type Document,
  MaxKey,
  MinKey,
  MongoBulkWriteError,
  ObjectId,
} from 'mongodb';
import { HandMadeCluster } from './hand-made-cluster.ts';

describe('writes through a router', () => {
  let cluster: HandMadeCluster;
  let items: Collection;
  let next = 0;

  /** A collection of its own: a below 100 on shard0, below 200 on shard1, the rest on shard2. */
  async function ranged(): Promise<Collection> {
    next += 1;
    const name = `ranged${next}`;
    await cluster.shard(`writes.${name}`, { a: 1 }, [
      { min: { a: new MinKey() }, max: { a: 100 }, shard: 'shard0' },
      { min: { a: 100 }, max: { a: 200 }, shard: 'shard1' },
      { min: { a: 200 }, max: { a: new MaxKey() }, shard: 'shard2' },
    ]);
    return cluster.client.db('writes').collection(name);
  }

  function onShard(index: number, collection: Collection): Promise<Document[]> {
    return cluster
      .onShard(index)
      .db('writes')
      .collection(collection.collectionName)
      .find({}, { sort: { a: 1 }, projection: { _id: 0 } })
      .toArray();
  }

  async function counts(collection: Collection): Promise<number[]> {
    const all = await Promise.all([0, 1, 2].map((index) => onShard(index, collection)));
    return all.map((documents) => documents.length);
  }

  before(async () => {
    cluster = await HandMadeCluster.start({ shards: 3 });
    await cluster.database('writes');
  });
  after(() => cluster.stop());
  beforeEach(async () => {
    items = await ranged();
  });

  for (const ordered of [true, false]) {
    it(`inserts each document where it belongs, ${ordered ? '' : 'un'}ordered`, async () => {
      const documents = Array.from({ length: 300 }, (_, at) => ({ a: (at * 7) % 300 }));
      const result = await items.insertMany(documents, { ordered });
      assert.equal(result.insertedCount, 300);
      assert.deepEqual(await counts(items), [100, 100, 100]);
      assert.equal((await items.find().toArray()).length, 300);
    });
  }

  it('stops an ordered insert at the first error, at its place in the batch', async () => {
    const _id = new ObjectId();
    const error = await failure(
      items.insertMany([{ _id, a: 1 }, { a: 150 }, { _id, a: 2 }, { a: 250 }]),
    );
    assert.deepEqual(
      error.result.getWriteErrors().map(({ index, code }) => [index, code]),
      [[2, 11000]],
    );
    assert.deepEqual(await counts(items), [1, 1, 0]);
  });

  it('goes on after errors when unordered, each at its place', async () => {
    const _id = new ObjectId();
    const error = await failure(
      items.insertMany([{ a: [1] }, { _id, a: 1 }, { a: 150 }, { _id, a: 2 }, { a: 250 }], {
        ordered: false,
      }),
    );
    assert.deepEqual(
      error.result.getWriteErrors().map(({ index, code }) => [index, code]),
      [
        [0, 61],
        [3, 11000],
      ],
    );
    assert.deepEqual(await counts(items), [1, 1, 1]);
  });

  it('takes a document without its shard key as null', async () => {
    await items.insertOne({ b: 1 });
    assert.deepEqual(await counts(items), [1, 0, 0]);
    assert.equal((await items.find({ a: null }).toArray()).length, 1);
  });

  describe('with documents on all shards', () => {
    beforeEach(async () => {
      await items.insertMany(
        [10, 20, 110, 120, 210, 220].map((a) => ({ a, kind: a % 100 === 10 ? 'x' : 'y', n: 0 })),
      );
    });

    it('updates one document by its key', async () => {
      const result = await items.updateOne({ a: 110 }, { $inc: { n: 1 } });
      assert.deepEqual([result.matchedCount, result.modifiedCount], [1, 1]);
      assert.deepEqual((await onShard(1, items))[0], { a: 110, kind: 'x', n: 1 });
    });

    it('updates all that match, on all shards', async () => {
      const result = await items.updateMany({ kind: 'x' }, { $inc: { n: 1 } });
      assert.deepEqual([result.matchedCount, result.modifiedCount], [3, 3]);
      assert.equal((await items.find({ n: 1 }).toArray()).length, 3);
    });

    it('updates one document without a key, and no second one', async () => {
      const result = await items.updateOne({ kind: 'x' }, { $inc: { n: 1 } });
      assert.deepEqual([result.matchedCount, result.modifiedCount], [1, 1]);
      assert.equal((await items.find({ n: 1 }).toArray()).length, 1);
    });

    it('updates the one that the sort puts first', async () => {
      await items.updateOne({ kind: 'x' }, { $inc: { n: 1 } }, { sort: { a: -1 } });
      const [changed] = await items.find({ n: 1 }).toArray();
      assert.equal(changed['a'], 210);
    });

    it('keeps twenty concurrent updates of one document each to twenty', async () => {
      await Promise.all(
        Array.from({ length: 20 }, () => items.updateOne({ n: { $lt: 100 } }, { $inc: { n: 1 } })),
      );
      const all = await items.find().toArray();
      assert.equal(
        all.reduce((sum, each) => sum + Number(each['n']), 0),
        20,
      );
    });

    it('gives concurrent updates that take a document away a document each', async () => {
      const results = await Promise.all(
        Array.from({ length: 10 }, () => items.updateOne({ kind: 'x' }, { $set: { kind: 'z' } })),
      );
      assert.equal(
        results.reduce((sum, { modifiedCount }) => sum + modifiedCount, 0),
        3,
      );
      assert.equal((await items.find({ kind: 'z' }).toArray()).length, 3);
    });

    it('deletes one without a key, one by its key, and all', async () => {
      assert.equal((await items.deleteOne({ kind: 'y' })).deletedCount, 1);
      assert.equal((await items.deleteOne({ a: 110 })).deletedCount, 1);
      assert.equal((await items.find().toArray()).length, 4);
      assert.equal((await items.deleteMany({})).deletedCount, 4);
      assert.deepEqual(await counts(items), [0, 0, 0]);
    });

    it('counts a batch of updates over shards together', async () => {
      const result = await items.bulkWrite([
        { updateOne: { filter: { a: 10 }, update: { $set: { n: 5 } } } },
        { updateMany: { filter: { kind: 'y' }, update: { $set: { n: 6 } } } },
        { updateOne: { filter: { a: 210 }, update: { $set: { n: 7 } }, upsert: true } },
        { updateOne: { filter: { a: 999 }, update: { $set: { n: 8 } }, upsert: true } },
        { updateOne: { filter: { kind: 'new' }, update: { $set: { a: 130 } }, upsert: true } },
        { deleteMany: { filter: { n: 6 } } },
      ]);
      assert.deepEqual(
        [result.matchedCount, result.modifiedCount, result.upsertedCount, result.deletedCount],
        [5, 5, 2, 3],
      );
      assert.deepEqual(Object.keys(result.upsertedIds), ['3', '4']);
      assert.deepEqual(await counts(items), [1, 2, 2]);
    });

    it('inserts the document of an upsert where its own key says', async () => {
      const result = await items.updateOne({ kind: 'w' }, { $set: { a: 250 } }, { upsert: true });
      assert.equal(result.upsertedCount, 1);
      assert.deepEqual(
        (await onShard(2, items)).map((each) => each['a']),
        [210, 220, 250],
      );
      const many = await items.updateMany({ kind: 'v' }, { $set: { a: 150 } }, { upsert: true });
      assert.equal(many.upsertedCount, 1);
      assert.deepEqual(await counts(items), [2, 3, 3]);
    });
  });

  it('writes to collections that are not sharded', async () => {
    const plain = cluster.client.db('writes').collection('plain');
    await plain.insertMany([{ a: 1 }, { a: 2 }]);
    assert.equal((await plain.updateMany({}, { $set: { b: 1 } })).modifiedCount, 2);
    assert.equal(
      (await plain.updateOne({ a: 3 }, { $set: { b: 1 } }, { upsert: true })).upsertedCount,
      1,
    );
    assert.equal((await plain.deleteMany({})).deletedCount, 3);
  });

  it('targets hashed keys', async () => {
    await cluster.shard('writes.hashed', { a: 'hashed' }, [
      { min: { a: new MinKey() }, max: { a: 0n }, shard: 'shard0' },
      { min: { a: 0n }, max: { a: new MaxKey() }, shard: 'shard1' },
    ]);
    const hashed = cluster.client.db('writes').collection('hashed');
    await hashed.insertMany(Array.from({ length: 100 }, (_, a) => ({ a })));
    const [first, second] = await Promise.all([0, 1].map((index) => onShard(index, hashed)));
    assert.equal(first.length + second.length, 100);
    assert.ok(first.length > 20 && second.length > 20);
    for (let a = 0; a < 100; a += 1) {
      assert.equal((await hashed.find({ a }).toArray()).length, 1);
    }
  });

  describe('while a shard is down', () => {
    before(() => cluster.shards[2].kill());

    it('reports the documents of a shard that is down as not written, and writes the others', async () => {
      const error = await failure(
        items.insertMany([{ a: 1 }, { a: 250 }, { a: 150 }], { ordered: false }),
      );
      assert.deepEqual(
        error.result.getWriteErrors().map(({ index, code }) => [index, code]),
        [[1, 6]],
      );
      assert.equal((await items.find({ a: { $lt: 200 } }).toArray()).length, 2);
    });
  });
});

async function failure(work: Promise<unknown>): Promise<MongoBulkWriteError> {
  try {
    await work;
  } catch (error) {
    assert.ok(error instanceof MongoBulkWriteError, String(error));
    return error;
  }
  throw new assert.AssertionError({ message: 'it succeeded' });
}
