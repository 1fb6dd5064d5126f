/**
 * find through a router: targets, order, limits, cursors, and shards that are down.
 */
import assert from 'node:assert/strict';
import {
  type Collection,
  type Document,
  type Filter,
  MaxKey,
  MinKey,
  MongoServerError,
} from 'mongodb';
import { HandMadeCluster } from './hand-made-cluster.ts';

describe('find through a router', () => {
  let cluster: HandMadeCluster;
  let numbers: Collection;

  before(async () => {
    cluster = await HandMadeCluster.start({ shards: 3 });
    const db = await cluster.database('finds');
    await cluster.shard('finds.numbers', { a: 1 }, [
      { min: { a: new MinKey() }, max: { a: 100 }, shard: 'shard0' },
      { min: { a: 100 }, max: { a: 200 }, shard: 'shard1' },
      { min: { a: 200 }, max: { a: new MaxKey() }, shard: 'shard2' },
    ]);
    for (const [index, start] of [0, 100, 200].entries()) {
      const documents = Array.from({ length: 100 }, (_, at) => numbered(start + at));
      await cluster.onShard(index).db('finds').collection('numbers').insertMany(documents);
    }
    numbers = db.collection('numbers');
  });
  after(() => cluster.stop());

  it('says hello as a mongos', async () => {
    const hello = await cluster.client.db('admin').command({ hello: 1 });
    assert.equal(hello['msg'], 'isdbgrid');
    assert.equal(hello['setName'], undefined);
  });

  it('merges sorted documents of all shards', async () => {
    const found = await numbers.find({}, { sort: { b: 1 } }).toArray();
    assert.equal(found.length, 300);
    assert.deepEqual(
      found.map((each) => each['b']),
      found.map((each) => each['b']).toSorted((x, y) => x - y),
    );
  });

  it('skips and limits the whole', async () => {
    const expected = Array.from({ length: 300 }, (_, a) => numbered(a))
      .toSorted((x, y) => y['b'] - x['b'])
      .slice(40, 57)
      .map((each) => each['a']);
    const found = await numbers.find({}, { sort: { b: -1 }, skip: 40, limit: 17 }).toArray();
    assert.deepEqual(
      found.map((each) => each['a']),
      expected,
    );
  });

  it('merges by fields that the projection takes away, and shows no others', async () => {
    const found = await numbers
      .find({}, { sort: { b: 1 }, limit: 3, projection: { a: 1, _id: 0 } })
      .toArray();
    assert.deepEqual(
      found.map((each) => Object.keys(each)),
      [['a'], ['a'], ['a']],
    );
    assert.deepEqual(
      found.map((each) => numbered(each['a'])['b']),
      [0, 1, 2],
    );
  });

  it('goes on with getMore over small batches', async () => {
    const found = await numbers.find({}, { sort: { a: 1 }, batchSize: 7 }).toArray();
    assert.deepEqual(
      found.map((each) => each['a']),
      Array.from({ length: 300 }, (_, a) => a),
    );
  });

  it('closes the cursors of the shards with its own', async () => {
    const cursor = numbers.find({}, { batchSize: 2 });
    await cursor.next();
    await cursor.close();
    await eventually(async () => {
      for (const index of [0, 1, 2]) {
        const status = await cluster.onShard(index).db('admin').command({ serverStatus: 1 });
        assert.equal(Number(status['metrics'].cursor.open.total), 0);
      }
    });
  });

  for (const [name, filter, shards] of [
    ['an equality', { a: 150 }, [1]],
    ['a range', { a: { $gte: 50, $lt: 100 } }, [0]],
    ['a range over a boundary', { a: { $gt: 99, $lte: 100 } }, [0, 1]],
    ['an $in', { a: { $in: [1, 250] } }, [0, 2]],
    ['an $and', { $and: [{ a: { $gt: 210 } }, { b: 3 }] }, [2]],
    ['an $or', { $or: [{ a: 5 }, { a: 105 }] }, [0, 1]],
    ['an $or of which a branch says nothing', { $or: [{ a: 5 }, { b: 105 }] }, [0, 1, 2]],
    ['null', { a: null }, [0]],
    ['a string', { a: 'x' }, [2]],
  ] as const) {
    it(`asks only the shards that ${name} can match`, async () => {
      const before = await findCounts(cluster);
      await numbers.find(filter as Filter<Document>).toArray();
      const now = await findCounts(cluster);
      const asked = now.flatMap((count, index) => (count > before[index] ? [index] : []));
      assert.deepEqual(asked, shards);
    });
  }

  it('sorts unsharded collections on the primary shard', async () => {
    const db = cluster.client.db('finds');
    await cluster
      .onShard(0)
      .db('finds')
      .collection('plain')
      .insertMany([{ x: 2 }, { x: 1 }]);
    const found = await db
      .collection('plain')
      .find({}, { sort: { x: 1 } })
      .toArray();
    assert.deepEqual(
      found.map((each) => each['x']),
      [1, 2],
    );
  });

  it('finds nothing in a database that is not there', async () => {
    assert.deepEqual(await cluster.client.db('nowhere').collection('x').find().toArray(), []);
  });

  it('gives back the error of a shard', async () => {
    await assert.rejects(numbers.find({ a: { $foo: 1 } }).toArray(), (error: MongoServerError) => {
      assert.equal(error.code, 2);
      return true;
    });
  });

  it('ends within maxTimeMS when a shard hangs, and then goes on', async () => {
    cluster.shards[2].signal('SIGSTOP');
    try {
      const startMs = Date.now();
      await assert.rejects(numbers.find({}).maxTimeMS(300).toArray(), { code: 50 });
      assert.ok(Date.now() - startMs < 2_000);
      assert.equal((await numbers.find({ a: 5 }).toArray()).length, 1);
    } finally {
      cluster.shards[2].signal('SIGCONT');
    }
    assert.equal((await numbers.find({}).toArray()).length, 300);
  });

  it('answers within the deadline what the others have, when partial results are allowed and a shard hangs', async () => {
    const find = { find: 'numbers', filter: {}, maxTimeMS: 800, batchSize: 1000 };
    const db = cluster.client.db('finds');
    cluster.shards[2].signal('SIGSTOP');
    try {
      const { cursor } = await db.command({ ...find, allowPartialResults: true });
      assert.equal(cursor.firstBatch.length, 200);
      assert.equal(cursor.partialResultsReturned, true);
      await assert.rejects(db.command(find), { codeName: 'MaxTimeMSExpired' });
    } finally {
      cluster.shards[2].signal('SIGCONT');
    }
    assert.equal((await numbers.find({}).toArray()).length, 300);
  });

  describe('while a shard is down', () => {
    before(() => cluster.shards[1].kill());

    it('serves what does not need it', async () => {
      assert.equal((await numbers.find({ a: 5 }).toArray()).length, 1);
      assert.equal((await numbers.find({ a: { $gte: 200 } }).toArray()).length, 100);
    });

    it('fails what needs it with HostUnreachable', async () => {
      await assert.rejects(numbers.find({}).toArray(), { code: 6, codeName: 'HostUnreachable' });
    });

    it('gives what there is to who allows partial results', async () => {
      const reply = await cluster.client
        .db('finds')
        .command({ find: 'numbers', filter: {}, allowPartialResults: true, batchSize: 1000 });
      assert.equal(reply['cursor'].firstBatch.length, 200);
      assert.equal(reply['cursor'].partialResultsReturned, true);
    });
  });
});

function numbered(a: number): Document {
  return { a, b: (a * 7919) % 300, text: `number ${a}` };
}

async function findCounts(cluster: HandMadeCluster): Promise<number[]> {
  const counts: number[] = [];
  for (const index of [0, 1, 2]) {
    const status = await cluster.onShard(index).db('admin').command({ serverStatus: 1 });
    counts.push(Number(status['metrics'].commands.find?.total ?? 0));
  }
  return counts;
}

async function eventually(check: () => Promise<void>): Promise<void> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await check();
    } catch (error) {
      if (attempt === 40) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
