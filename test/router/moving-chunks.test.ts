/**
 * Writes through a router while chunks move between the shards: every document is changed as often as was asked for, and no more.
 */
import assert from 'node:assert/strict';
import { MongoClient, type Collection } from 'mongodb';
import { startCluster, type Cluster } from '../../client/index.ts';

interface Counted {
  _id: number;
  a: number;
  count: number;
  text: string;
}

describe('writes while chunks move', () => {
  let cluster: Cluster;
  let client: MongoClient;

  before('start a cluster', async () => {
    cluster = await startCluster({ shards: 2 });
    client = await new MongoClient(cluster.uri).connect();
    await client
      .db('admin')
      .command({ balancerStop: 1 })
      .catch(() => {});
  });
  after('end it', async () => {
    await client.close();
    await cluster.stop();
  });

  /** {a: 1}, all on one shard, split at the middle: the upper half moves. */
  async function filled(name: string, count: number): Promise<Collection<Counted>> {
    const admin = client.db('admin');
    await admin.command({ enableSharding: 'moving', primaryShard: 'shard1' });
    await admin.command({ shardCollection: `moving.${name}`, key: { a: 1 } });
    await admin.command({ split: `moving.${name}`, middle: { a: count / 2 } });
    const collection = client.db('moving').collection<Counted>(name);
    const text = 'x'.repeat(500);
    await collection.insertMany(
      Array.from({ length: count }, (_, index) => ({ _id: index, a: index, count: 0, text })),
    );
    return collection;
  }

  async function moveToAndFro(name: string, count: number, times: number): Promise<void> {
    for (let time = 0; time < times; time += 1) {
      await client.db('admin').command({
        moveRange: `moving.${name}`,
        min: { a: count / 2 },
        toShard: time % 2 === 0 ? 'shard2' : 'shard1',
        waitForDelete: true,
      });
    }
  }

  it('changes every document once for each update of many', async () => {
    const collection = await filled('updated', 1000);
    let isOver = false;
    const updating = (async () => {
      let updates = 0;
      for (; !isOver; updates += 1) {
        const { matchedCount } = await collection.updateMany({}, { $inc: { count: 1 } });
        assert.equal(matchedCount, 1000);
      }
      return updates;
    })();
    await moveToAndFro('updated', 1000, 4);
    isOver = true;
    const updates = await updating;
    assert.equal(await collection.countDocuments({ count: updates }), 1000);
    assert.equal(await collection.countDocuments({}), 1000);
  });

  it('lets nothing that was deleted come back, one by one or many at once', async () => {
    const collection = await filled('deleted', 3000);
    const moving = moveToAndFro('deleted', 3000, 2);
    const deleted = new Set<number>();
    for (let a = 1500; a < 2200; a += 1) {
      const { deletedCount } = await collection.deleteOne({ a });
      assert.equal(deletedCount, 1);
      deleted.add(a);
    }
    await collection.deleteMany({ a: { $gte: 2800 } });
    await moving;
    assert.equal(await collection.countDocuments({}), 3000 - 700 - 200);
    assert.equal(await collection.countDocuments({ a: { $in: [...deleted] } }), 0);
  });
});
