/**
 * flint up and its companions, and startCluster: real clusters of real processes.
 */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MongoClient, type Document } from 'mongodb';
import { openCluster, startCluster } from '../../client/index.ts';
import { removeTemporaryDirectory, runToEnd, temporaryDirectory } from '../support/programs.ts';
import { fileURLToPath } from 'node:url';

const FLINT = fileURLToPath(new URL('../../bin/flint', import.meta.url));

const flint = (...args: string[]) => runToEnd(args, { program: 'flint' });

describe('startCluster', () => {
  it('starts shards and routers that serve at once, and leaves nothing', async () => {
    const cluster = await startCluster({ shards: 2, routers: 2 });
    const pids = cluster.members.map(({ pid }) => pid ?? 0);
    const client = await new MongoClient(cluster.uri).connect();
    await client.db('test').collection('x').insertOne({ a: 1 });
    assert.equal((await client.db('test').collection('x').find().toArray()).length, 1);
    const { shards } = await client.db('admin').command({ listShards: 1 });
    assert.deepEqual(
      shards.map((shard: { _id: string }) => shard._id),
      ['shard1', 'shard2'],
    );
    await client.close();
    await cluster.stop();
    // A process that has ended is a number until its parent has looked.
    await new Promise((resolve) => setTimeout(resolve, 200));
    for (const pid of pids) assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
  });

  it('says which port is taken', async () => {
    const blocker = createServer().listen(0, '127.0.0.1');
    await once(blocker, 'listening');
    const address = blocker.address();
    assert.ok(typeof address === 'object' && address !== null);
    await assert.rejects(startCluster({ shards: 1, port: address.port }), /port is taken/);
    blocker.close();
  });
});

describe('flint up', () => {
  let dir: string;

  beforeEach(() => {
    dir = join(temporaryDirectory(), 'cluster');
  });
  afterEach(async () => {
    await flint('down', '--dir', dir);
    removeTemporaryDirectory(join(dir, '..'));
  });

  it('gives every process parameters, and one that is started again the same', async () => {
    const parameters = ['--testing', '--setParameter', 'cursorTimeoutMillis=54321'];
    const started = await flint(
      'up',
      '--shards',
      '1',
      '--dir',
      dir,
      '--detach',
      ...parameters,
      '--setParameter',
      'quiet=true',
    );
    assert.equal(started.code, 0, started.stderr);
    const cluster = openCluster(dir);
    const shown = async (name: string): Promise<Document> => {
      const client = await new MongoClient(cluster.uriOf(name), {
        directConnection: true,
      }).connect();
      const names = { cursorTimeoutMillis: 1, enableTestCommands: 1, quiet: 1 };
      try {
        const { ok: _ok, ...reply } = await client
          .db('admin')
          .command({ getParameter: 1, ...names });
        return reply;
      } finally {
        await client.close();
      }
    };
    await flint('kill', 'shard1', '--dir', dir);
    assert.equal((await flint('start', 'shard1', '--dir', dir)).code, 0);
    for (const { name } of cluster.members) {
      const { cursorTimeoutMillis, enableTestCommands, quiet } = await shown(name);
      assert.deepEqual(
        [Number(cursorTimeoutMillis), Boolean(enableTestCommands), quiet],
        [54_321, true, true],
        name,
      );
    }
  });

  it('says which parameter a process does not take', async () => {
    const started = await flint(
      'up',
      '--shards',
      '1',
      '--dir',
      dir,
      '--setParameter',
      'noSuchParameter=1',
    );
    assert.notEqual(started.code, 0);
    assert.match(started.stderr, /noSuchParameter/);
  });

  it('detaches, shows its processes, and goes down', async () => {
    const started = await flint('up', '--shards', '2', '--dir', dir, '--detach');
    assert.equal(started.code, 0, started.stderr);
    const uri = started.stdout.trim().split('\n').at(-1) ?? '';
    const client = await new MongoClient(uri).connect();
    await client.db('test').collection('x').insertOne({ a: 1 });
    await client.close();

    const status = await flint('status', '--dir', dir);
    assert.match(status.stdout, /process +port +pid +memory +ops\/s +chunks/);
    for (const name of ['config', 'shard1', 'shard2', 'router1']) {
      assert.match(status.stdout, new RegExp(`^${name} +\\d+ +\\d+ +\\d+ MB`, 'm'));
    }
    assert.ok(status.stdout.includes(uri));

    const ended = await flint('down', '--dir', dir);
    assert.match(ended.stdout, /Ended 4 processes/);
    assert.match((await flint('down', '--dir', dir)).stdout, /Nothing ran/);
  });

  it('lets one process be killed and started', async () => {
    await flint('up', '--shards', '1', '--dir', dir, '--detach');
    assert.equal((await flint('kill', 'shard1', '--dir', dir)).code, 0);
    assert.match((await flint('status', '--dir', dir)).stdout, /^shard1 +\d+ +stopped/m);
    const again = await flint('kill', 'shard1', '--dir', dir);
    assert.deepEqual([again.code, again.stderr], [1, 'flint: shard1 does not run.\n']);
    assert.equal((await flint('start', 'shard1', '--dir', dir)).code, 0);
    assert.match((await flint('start', 'shard1', '--dir', dir)).stderr, /runs already/);
    assert.match((await flint('logs', 'router1', '--dir', dir)).stdout, /^\{"t":/);
    assert.match((await flint('up', '--dir', dir)).stderr, /runs already/);
  });

  it('brings the same cluster up again, and refuses to make it another one', async () => {
    const first = await flint('up', '--shards', '1', '--dir', dir, '--detach');
    const uri = first.stdout.trim();
    const client = await new MongoClient(uri).connect();
    await client.db('test').collection('x').insertOne({ a: 1 });
    await client.close();
    await flint('down', '--dir', dir);
    const refused = await flint('up', '--shards', '2', '--dir', dir, '--detach');
    assert.match(refused.stderr, /holds another cluster: it has 1 shards, not 2/);
    const second = await flint('up', '--dir', dir, '--detach');
    assert.equal(second.stdout.trim(), uri);
    const later = await new MongoClient(uri).connect();
    assert.equal((await later.db('test').collection('x').find().toArray()).length, 1);
    await later.close();
  });

  it('is started by one of two who begin at once, and the other one harms nothing', async () => {
    const both = await Promise.allSettled([
      startCluster({ shards: 1, dir }),
      startCluster({ shards: 1, dir }),
    ]);
    const [cluster, ...others] = both.flatMap((each) =>
      each.status === 'fulfilled' ? [each.value] : [],
    );
    assert.ok(cluster !== undefined && others.length === 0);
    const [why] = both.flatMap((each) => (each.status === 'rejected' ? [String(each.reason)] : []));
    assert.match(why ?? '', /is being started by another process/);
    assert.ok(cluster.members.every(({ pid }) => pid !== undefined));
    await cluster.stop();
  });

  it('is whole after a start that was interrupted: what ran is seen and ended, shards are added', async () => {
    const starting = spawn(process.execPath, [FLINT, 'up', '--shards', '1', '--dir', dir]);
    while (!existsSync(join(dir, 'cluster.json'))) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    starting.kill('SIGKILL');
    await once(starting, 'exit');
    assert.equal((await flint('down', '--dir', dir)).code, 0);
    const cluster = await startCluster({ dir });
    const client = await new MongoClient(cluster.uri).connect();
    await client.db('test').collection('x').insertOne({ a: 1 });
    const { shards } = await client.db('admin').command({ listShards: 1 });
    assert.equal(shards.length, 1);
    await client.close();
    await cluster.stop();
  });

  it('ends everything at a signal', async () => {
    const child: ChildProcess = spawn(process.execPath, [
      FLINT,
      'up',
      '--shards',
      '1',
      '--dir',
      dir,
    ]);
    const [printed] = await once(child.stdout ?? process.stdin, 'data');
    assert.match(String(printed), /^mongodb:\/\/127\.0\.0\.1:\d+\/\n$/);
    child.kill('SIGINT');
    const [code] = await once(child, 'exit');
    assert.equal(code, 0);
    assert.match((await flint('status', '--dir', dir)).stdout, /^router1 +\d+ +stopped/m);
  });

  it('says what is wrong with a directory', async () => {
    assert.match((await flint('status', '--dir', dir)).stderr, /holds no cluster/);
    mkdirSync(dir, { recursive: true });
    writeFileSync(join(dir, 'something'), '');
    assert.match((await flint('up', '--dir', dir)).stderr, /not empty and holds no cluster/);
    writeFileSync(join(dir, 'cluster.json'), 'no json');
    assert.match((await flint('status', '--dir', dir)).stderr, /damaged/);
  });

  it('sees that a pid file is stale', async () => {
    await flint('up', '--shards', '1', '--dir', dir, '--detach');
    await flint('down', '--dir', dir);
    // A living process, but none of this cluster.
    writeFileSync(join(dir, 'shard1', 'pid'), `${process.pid}\n`);
    assert.match((await flint('status', '--dir', dir)).stdout, /^shard1 +\d+ +crashed/m);
    assert.match((await flint('down', '--dir', dir)).stdout, /shard1 had not ended in order/);
    assert.match((await flint('status', '--dir', dir)).stdout, /^shard1 +\d+ +stopped/m);
  });

  it('knows the names of the processes', async () => {
    await flint('up', '--shards', '1', '--dir', dir, '--detach');
    assert.match((await flint('kill', 'shard9', '--dir', dir)).stderr, /there is no 'shard9'/);
    assert.match((await flint('logs', 'nobody', '--dir', dir)).stderr, /there is no 'nobody'/);
  });
});
