import assert from 'node:assert/strict';
import type { Document } from 'mongodb';
import { TestCluster } from '../../support/cluster.ts';

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe('balancer', () => {
  let cluster: TestCluster;

  before('start a config server and two shards', async () => {
    cluster = await TestCluster.start(2);
    await cluster.metadata
      .collection<Document & { _id: string }>('settings')
      .updateOne({ _id: 'chunksize' }, { $set: { value: 1 } }, { upsert: true });
    await cluster.admin({ _configsvrBalancerStop: 1 });
  });
  after('end them', () => cluster.stop());

  async function filled(name: string, megabytes: number): Promise<string> {
    const namespace = `${await cluster.freshDatabase()}.${name}`;
    await cluster.admin({ _configsvrShardCollection: namespace, key: { a: 1 } });
    const documents = Array.from({ length: megabytes * 16 }, (_, a) => ({
      a,
      text: 'x'.repeat(65_000),
    }));
    await cluster.routed('s0', namespace, { insert: name, documents });
    return namespace;
  }

  async function chunksOf(namespace: string): Promise<Document[]> {
    const collection = await cluster.metadata
      .collection<Document & { _id: string }>('collections')
      .findOne({ _id: namespace });
    return cluster.metadata
      .collection('chunks')
      .find({ uuid: collection?.['uuid'] })
      .sort({ min: 1 })
      .toArray();
  }

  async function until(isSo: () => Promise<boolean>): Promise<void> {
    for (let round = 0; round < 100; round += 1) {
      if (await isSo()) return;
      await cluster.admin({ _configsvrBalancerStart: 1 });
      await sleep(80);
    }
    assert.fail('it does not come to that');
  }

  async function countOn(namespace: string, shard: string): Promise<number> {
    const [, name] = namespace.split('.');
    return (await cluster.routed(shard, namespace, { count: name }))['n'];
  }

  const compliance = (namespace: string): Promise<Document> =>
    cluster.admin({ _configsvrBalancerCollectionStatus: namespace });

  it('says what it does, and stops', async () => {
    assert.equal((await cluster.admin({ _configsvrBalancerStatus: 1 }))['mode'], 'off');
    await cluster.admin({ _configsvrBalancerStart: 1 });
    const status = await cluster.admin({ _configsvrBalancerStatus: 1 });
    assert.equal(status['mode'], 'full');
    assert.equal(typeof status['inBalancerRound'], 'boolean');
    await cluster.admin({ _configsvrBalancerStop: 1 });
    const settings = await cluster.metadata
      .collection<Document & { _id: string }>('settings')
      .findOne({ _id: 'balancer' });
    assert.equal(settings?.['stopped'], true);
  });

  it('moves ranges of the usual size until the shards have about as much, and merges what it split', async () => {
    const namespace = await filled('even', 6);
    const before = await compliance(namespace);
    assert.equal(before['chunkSize'], 1);
    assert.equal(before['firstComplianceViolation'], 'chunksImbalance');
    await until(async () => (await compliance(namespace))['balancerCompliant']);
    await cluster.admin({ _configsvrBalancerStop: 1 });
    const moved = await countOn(namespace, 's1');
    assert.ok(moved >= 20 && moved <= 60, `${moved} documents moved`);
    assert.equal(moved + (await countOn(namespace, 's0')), 96);
    const chunks = await chunksOf(namespace);
    assert.ok(chunks.length >= 2);
    for (const shard of ['s0', 's1']) {
      await cluster.admin({ _configsvrMergeAllChunksOnShard: namespace, shard });
    }
    assert.equal((await chunksOf(namespace)).length, 2);
  });

  it('splits at the bounds of zones, and moves chunks into them', async () => {
    const namespace = `${await cluster.freshDatabase()}.zoned`;
    await cluster.admin({ _configsvrShardCollection: namespace, key: { a: 1 } });
    await cluster.routed('s0', namespace, { insert: 'zoned', documents: [{ a: 1 }, { a: 15 }] });
    await cluster.admin({ _configsvrAddShardToZone: 's1', zone: 'east' });
    await cluster.admin({
      _configsvrUpdateZoneKeyRange: namespace,
      min: { a: 10 },
      max: { a: 20 },
      zone: 'east',
    });
    assert.equal((await compliance(namespace))['firstComplianceViolation'], 'zoneViolation');
    await until(async () => (await compliance(namespace))['balancerCompliant']);
    await cluster.admin({ _configsvrBalancerStop: 1 });
    assert.deepEqual(
      (await chunksOf(namespace)).map(({ shard }) => shard),
      ['s0', 's1', 's0'],
    );
    assert.equal(await countOn(namespace, 's1'), 1);
  });

  it('leaves alone what is not to be balanced, and moves nothing that may not move', async () => {
    const namespace = await filled('kept', 4);
    await cluster.admin({
      _configsvrConfigureCollectionBalancing: namespace,
      enableBalancing: false,
    });
    await cluster.admin({ _configsvrBalancerStart: 1 });
    await sleep(300);
    await cluster.admin({ _configsvrBalancerStop: 1 });
    assert.equal((await chunksOf(namespace)).length, 1);
    await cluster.admin({ _configsvrSetAllowMigrations: namespace, allowMigrations: false });
    const move = () =>
      cluster.admin({
        _configsvrMoveRange: namespace,
        min: { a: 0 },
        max: { a: 9 },
        toShard: 's1',
      });
    await assert.rejects(move(), { code: 117 });
    await cluster.admin({ _configsvrSetAllowMigrations: namespace, allowMigrations: true });
    await move();
    await cluster.admin({ _configsvrConfigureCollectionBalancing: namespace, chunkSize: 64 });
    assert.equal((await compliance(namespace))['chunkSize'], 64);
    await cluster.admin({
      _configsvrConfigureCollectionBalancing: namespace,
      enableBalancing: true,
    });
    await assert.rejects(
      cluster.admin({ _configsvrConfigureCollectionBalancing: namespace, chunkSize: 2000 }),
      { code: 72 },
    );
  });

  it('empties a shard that is to be removed', async () => {
    const namespace = `${await cluster.freshDatabase()}.drained`;
    await cluster.admin({
      _configsvrShardCollection: namespace,
      key: { a: 'hashed' },
      numInitialChunks: 6,
    });
    const zoned: Document = (await cluster.metadata.collection('tags').findOne({})) ?? {};
    await cluster.admin({
      _configsvrUpdateZoneKeyRange: zoned['ns'],
      min: zoned['min'],
      max: zoned['max'],
      zone: null,
    });
    await cluster.admin({ _configsvrRemoveShard: 's1' });
    await until(async () => {
      const { state } = await cluster.admin({ _configsvrRemoveShard: 's1' });
      return state === 'completed';
    });
    assert.ok((await chunksOf(namespace)).every(({ shard }) => shard === 's0'));
  });
});

describe('balancer of a cluster in which a shard does not answer', () => {
  let cluster: TestCluster;

  before('start a config server and three shards', async () => {
    cluster = await TestCluster.start(3);
    await cluster.metadata
      .collection<Document & { _id: string }>('settings')
      .updateOne({ _id: 'chunksize' }, { $set: { value: 1 } }, { upsert: true });
    await cluster.admin({ _configsvrBalancerStop: 1 });
  });
  after('end them', () => cluster.stop());

  it('goes on with the others', async () => {
    const namespace = `${await cluster.freshDatabase()}.even`;
    await cluster.admin({ _configsvrShardCollection: namespace, key: { a: 1 } });
    const documents = Array.from({ length: 96 }, (_, a) => ({ a, text: 'x'.repeat(65_000) }));
    await cluster.routed('s0', namespace, { insert: 'even', documents });
    await cluster.shard('s2').program.kill();
    const moved = async (): Promise<number> =>
      (await cluster.routed('s1', namespace, { count: 'even' }))['n'];
    await cluster.admin({ _configsvrBalancerStart: 1 });
    for (let round = 0; round < 80 && (await moved()) < 20; round += 1) {
      await cluster.admin({ _configsvrBalancerStart: 1 });
      await sleep(100);
    }
    assert.ok((await moved()) >= 20, `${await moved()} documents moved`);
    await cluster.admin({ _configsvrBalancerStop: 1 });
    await assert.rejects(cluster.admin({ _configsvrBalancerCollectionStatus: namespace }), {
      codeName: 'HostUnreachable',
    });
    await cluster.shard('s2').program.restart();
  });
});
