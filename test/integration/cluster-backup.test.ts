/**
 * flint backup, verify and restore of a cluster of three shards, while chunks move and clients write.
 *
 * What is restored is read through a router of the restored cluster, and must be a state that a client could have seen: test/support/causal-writers.ts.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { cpSync, existsSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MongoClient } from 'mongodb';
import { startCluster, type Cluster } from '../../client/index.ts';
import { readManifest } from '../../cli/backup/cluster-manifest.ts';
import { systemClock } from '../../common/clock.ts';
import { CausalWriters, KEYS, type WrittenDocument } from '../support/causal-writers.ts';
import {
  removeTemporaryDirectory,
  runToEnd,
  temporaryDirectory,
  type Finished,
} from '../support/programs.ts';

const FLINT = fileURLToPath(new URL('../../bin/flint', import.meta.url));
const NAMESPACE = ['shop', 'log'] as const;
const CHUNK_KEYS = 1000;
const BEGINNING_BYTES = 200;
const LOW = { min: { a: 0 }, max: { a: 10 } };

describe('flint backup of a cluster', function () {
  this.timeout(60_000);
  let directory = '';
  let cluster: Cluster;
  let client: MongoClient;
  const writers = new CausalWriters({ count: 5 });
  let moves = 0;

  const place = (name: string): string => join(directory, name);

  before('start a cluster', async () => {
    directory = temporaryDirectory();
    cluster = await startCluster({ shards: 3, dir: place('live'), args: ['--testing'] });
    client = await new MongoClient(cluster.uri).connect();
    const admin = client.db('admin');
    // A shard gives one range at a time: while the balancer moves those of a zone, the moves of the load would be refused.
    await admin.command({ balancerStop: 1 });
    await admin.command({ shardCollection: NAMESPACE.join('.'), key: { key: 1 } });
    for (let key = CHUNK_KEYS; key < KEYS; key += CHUNK_KEYS) {
      await admin.command({ split: NAMESPACE.join('.'), middle: { key } });
    }
    await client.db('shop').collection('few').insertOne({ a: 1 });
    await client.db('shop').collection('zoned').createIndex({ a: 1 }, { name: 'mine' });
    await admin.command({ shardCollection: 'shop.zoned', key: { a: 1 } });
    await admin.command({ addShardToZone: 'shard2', zone: 'low' });
    await admin.command({ updateZoneKeyRange: 'shop.zoned', ...LOW, zone: 'low' });
  });
  after('end it', async () => {
    await client.close();
    await cluster.stop();
    removeTemporaryDirectory(directory);
  });

  /** Clients write and chunks move while `work` is under way. */
  async function underLoad<Result>(work: () => Promise<Result>): Promise<Result> {
    let isOver = false;
    const moving = (async () => {
      for (let round = 0; !isOver; round += 1) {
        const find = { key: ((round * 7) % (KEYS / CHUNK_KEYS)) * CHUNK_KEYS };
        const moveChunk = NAMESPACE.join('.');
        const to = `shard${1 + (round % 3)}`;
        await client.db('admin').command({ moveChunk, find, to });
        moves += 1;
      }
    })();
    try {
      return await writers.during(client, NAMESPACE, work);
    } finally {
      isOver = true;
      await moving;
    }
  }

  async function nameLate(shard: string, mode: 'alwaysOn' | 'off'): Promise<void> {
    const options = { directConnection: true };
    const direct = await new MongoClient(cluster.uriOf(shard), options).connect();
    try {
      await direct.db('admin').command({
        configureFailPoint: 'failCommand',
        mode,
        data: { failCommands: ['backupBarrier'], blockConnection: true, blockTimeMS: 300 },
      });
    } finally {
      await direct.close();
    }
  }

  function flint(...args: readonly string[]): Promise<Finished> {
    return runToEnd(args, { program: 'flint', timeoutMs: 60_000 });
  }

  async function flintJson(...args: readonly string[]): Promise<Record<string, unknown>> {
    const { code, stdout, stderr } = await flint(...args, '--json', '--quiet');
    assert.equal(code, 0, `${stderr}${stdout}`);
    return JSON.parse(stdout) as Record<string, unknown>;
  }

  /** All documents of a restored cluster, as its router shows them. */
  async function documentsIn(dir: string): Promise<WrittenDocument[]> {
    const restored = await startCluster({ dir });
    const reader = await new MongoClient(restored.uri).connect();
    try {
      const collection = reader.db(NAMESPACE[0]).collection<WrittenDocument>(NAMESPACE[1]);
      const documents = await collection.find().toArray();
      assert.equal(await collection.countDocuments(), documents.length);
      await collection.insertOne({ _id: 'new', key: 1, writer: -1, step: 0, seen: [], text: '' });
      assert.equal(await reader.db('shop').collection('few').countDocuments(), 1);
      return documents;
    } finally {
      await reader.close();
      await restored.stop();
    }
  }

  it('takes all servers at one point, and restore brings the cluster back', async () => {
    // One server names its commit late: what is done meanwhile must not be known of anywhere.
    await nameLate('shard3', 'alwaysOn');
    const report = await underLoad(async () => {
      await pause(1500);
      return flintJson('backup', cluster.uri, place('full'));
    });
    await nameLate('shard3', 'off');
    assert.ok(moves > 0);
    const { all } = report['heldMillis'] as { all: number[] };
    assert.ok(all.length === 1 && all[0] < 1000, `held back for ${all.join()} ms`);
    const verified = await flintJson('verify', place('full'));
    assert.deepEqual(
      [verified['points'], verified['servers']],
      [1, ['config', 'shard1', 'shard2', 'shard3']],
    );
    const back = await flintJson('restore', place('full'), place('restored'));
    assert.deepEqual(back['commits'], report['commits']);
    const documents = await documentsIn(place('restored'));
    assert.deepEqual(writers.wrongWith(documents, Date.parse(String(report['time']))), []);
  });

  it('takes what came since, of all servers', async () => {
    const report = await underLoad(async () => {
      await pause(300);
      return flintJson('backup', cluster.uri, place('since'), '--since', place('full'));
    });
    const files = readdirSync(join(place('since'), 'shard1'));
    assert.deepEqual(files, ['journal-0000000001.backup']);
    await flintJson('restore', place('since'), place('restored-since'));
    const documents = await documentsIn(place('restored-since'));
    assert.deepEqual(writers.wrongWith(documents, Date.parse(String(report['time']))), []);
  });

  it('goes on after kill -9 where it was', async () => {
    const target = place('killed');
    await underLoad(async () => {
      const args = ['backup', cluster.uri, target, '--quiet', '--rate', '20k'];
      const child = spawn(FLINT, args, { stdio: 'ignore' });
      const ended = new Promise((resolve) => child.once('close', resolve));
      await until(() => sizeOf(join(target, 'cluster.backup')) > 500);
      child.kill('SIGKILL');
      await ended;
      const unfinished = await flint('restore', target, place('none'), '--quiet');
      assert.equal(unfinished.code, 1);
      assert.match(unfinished.stderr, /is not finished/);
      const report = await flintJson('backup', cluster.uri, target);
      assert.equal(report['resumed'], true);
    });
    await flintJson('restore', target, place('restored-killed'));
    assert.deepEqual(writers.wrongWith(await documentsIn(place('restored-killed'))), []);
  });

  it('restores any of the points that it followed', async () => {
    const target = place('followed');
    await underLoad(async () => {
      const args = ['backup', cluster.uri, target, '--quiet', '--follow', '--pointEvery', '1'];
      const child = spawn(FLINT, args, {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const ended = new Promise((resolve) => child.once('close', resolve));
      await until(() => sizeOf(join(target, 'cluster.backup')) > 900);
      child.kill('SIGTERM');
      assert.equal(await ended, 0);
    });
    const { points } = await readManifest(target);
    assert.ok(points.length >= 3);
    const { wallMs } = points[Math.floor(points.length / 2)];
    const to = new Date(wallMs + 1).toISOString();
    const back = await flintJson('restore', target, place('restored-then'), '--to', to);
    assert.equal(back['time'], new Date(wallMs).toISOString());
    assert.deepEqual(writers.wrongWith(await documentsIn(place('restored-then')), wallMs), []);
    for (const [time, why] of [
      ['2020-01-01T00:00:00Z', /before the first point/],
      ['2100-01-01T00:00:00Z', /behind the last point/],
    ] as const) {
      const refused = await flint('restore', target, place('none'), '--to', time, '--quiet');
      assert.equal(refused.code, 1);
      assert.match(refused.stderr, why);
    }
  });

  it('lets go what is older than it has to reach back, and restores the first point that is left', async () => {
    const target = place('kept');
    const limits = ['--keep', '2s', '--fileSize', '20k', '--pointEvery', '1'];
    const servers = ['config', 'shard1', 'shard2', 'shard3'];
    const bases = (): string[] => servers.map((name) => beginningOf(join(target, name)));
    await underLoad(async () => {
      const args = ['backup', cluster.uri, target, '--quiet', '--follow', ...limits];
      const child = spawn(FLINT, args, { stdio: ['ignore', 'ignore', 'inherit'] });
      const ended = new Promise((resolve) => child.once('close', resolve));
      try {
        await until(() => bases().every((base) => base !== ''));
        const first = bases();
        // Each server's newer store takes the older one's place, and then the points before it go: every ten seconds.
        await until(() => bases().every((base, index) => base !== first[index]));
        const manifest = join(target, 'cluster.backup');
        for (let before = 0; sizeOf(manifest) >= before; await pause(50)) before = sizeOf(manifest);
      } finally {
        child.kill('SIGTERM');
      }
      assert.equal(await ended, 0);
    });
    const { points } = await readManifest(target);
    const verified = await flintJson('verify', target);
    assert.ok(Number(verified['points']) >= 2, `${String(verified['points'])} points`);
    const { wallMs } = points[points.length - Number(verified['points'])];
    const to = new Date(wallMs).toISOString();
    const back = await flintJson('restore', target, place('restored-kept'), '--to', to);
    assert.equal(back['time'], to);
    assert.deepEqual(writers.wrongWith(await documentsIn(place('restored-kept')), wallMs), []);
  });

  it('finds a flipped bit in any of its files, and restores nothing of it', async () => {
    const target = place('flipped');
    cpSync(place('full'), target, { recursive: true });
    for (const name of [
      'cluster.backup',
      'config/base.backup',
      'shard2/journal-0000000001.backup',
    ]) {
      const file = join(target, name);
      const sound = readFileSync(file);
      const damaged = Buffer.from(sound);
      damaged[Math.floor(damaged.length / 2)] ^= 4;
      writeFileSync(file, damaged);
      const verified = await flint('verify', target, '--quiet');
      assert.equal(verified.code, 4);
      assert.ok(`${verified.stdout}${verified.stderr}`.includes(file));
      writeFileSync(file, sound);
    }
    // The end of a journal is missing: the manifest knows what it held.
    const journal = join(target, 'shard3/journal-0000000001.backup');
    writeFileSync(journal, readFileSync(journal).subarray(0, 500));
    const restored = await flint('restore', target, place('none'), '--quiet');
    assert.equal(restored.code, 4, restored.stderr);
  });

  it('refuses directories that do not fit', async () => {
    const again = await flint('backup', cluster.uri, place('full'), '--quiet');
    assert.match(again.stderr, /is a finished backup/);
    const running = await flint('restore', place('full'), place('live'), '--force', '--quiet');
    assert.match(running.stderr, /runs/);
    const taken = await flint('restore', place('full'), place('full'), '--quiet');
    assert.match(taken.stderr, /is not empty and holds no cluster/);
    const output = await flint('backup', cluster.uri, '-', '--quiet');
    assert.match(output.stderr, /not to standard output/);
    const filter = await flint('restore', place('full'), place('none'), '--nsInclude', 'a.*');
    assert.equal(filter.code, 2);
  });

  it('restores into a running cluster, sharded as it was, and over nothing unless told to', async () => {
    const args = ['restore', place('full'), cluster.uri, '--nsInclude', 'shop.log'];
    const refused = await flint(...args, '--quiet');
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /is there already. Nothing was written/);
    await flintJson(...args, '--force');
    const documents = await client
      .db(NAMESPACE[0])
      .collection<WrittenDocument>(NAMESPACE[1])
      .find()
      .toArray();
    assert.deepEqual(writers.wrongWith(documents), []);
    const entry = await client
      .db('config')
      .collection('collections')
      .findOne({
        _id: NAMESPACE.join('.') as never,
      });
    assert.deepEqual(entry?.['key'], { key: 1 });
  });

  it('restores zones and the index of a shard key, into clusters that have neither', async () => {
    const other = await startCluster({ shards: 2, dir: place('other') });
    const reader = await new MongoClient(other.uri).connect();
    try {
      await flintJson('restore', place('full'), other.uri, '--nsInclude', 'shop.zoned');
      const config = reader.db('config');
      const [range] = await config.collection('tags').find().toArray();
      assert.deepEqual(
        { ns: range['ns'], min: range['min'], max: range['max'], tag: range['tag'] },
        { ns: 'shop.zoned', ...LOW, tag: 'low' },
      );
      const shards = await config.collection('shards').find().sort({ _id: 1 }).toArray();
      assert.deepEqual(
        shards.map(({ tags }) => (tags as string[] | undefined) ?? []),
        [[], ['low']],
      );
      const indexes = await reader.db('shop').collection('zoned').indexes();
      assert.deepEqual(
        indexes.map(({ name }) => String(name)),
        ['_id_', 'mine'],
      );
    } finally {
      await reader.close();
      await other.stop();
    }
  });
});

async function until(isTrue: () => boolean): Promise<void> {
  const endMs = systemClock.monotonicMs() + 30_000;
  while (!isTrue()) {
    assert.ok(systemClock.monotonicMs() < endMs, 'it takes too long');
    await pause(5);
  }
}

/** The first bytes of a server's store in a backup: they hold its id and when it was taken. */
function beginningOf(directory: string): string {
  const base = join(directory, 'base.backup');
  return existsSync(base) ? readFileSync(base).subarray(0, BEGINNING_BYTES).toString('hex') : '';
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
