/**
 * startServer: a server for a test run that is there at once, can be emptied and made to fail, and leaves nothing behind.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import {
  FlintClient,
  MongoNetworkError,
  MongoServerError,
  startServer,
  type TestServer,
} from '../../../client/index.ts';

const WAYS = [
  { name: 'a child process', options: {} },
  { name: 'a child process with its data in memory', options: { memory: true } },
  { name: 'this process', options: { inProcess: true } },
  { name: 'this process with its data in memory', options: { inProcess: true, memory: true } },
];

const COLLECTIONS = 20;

for (const { name, options } of WAYS) {
  describe(`startServer in ${name}`, () => {
    let server: TestServer;
    let client: FlintClient;
    before('start', async () => {
      server = await startServer(options);
      client = await new FlintClient(server.uri).connect();
    });
    after('end', async () => {
      await client.close();
      await server.stop();
    });

    it('answers', async () => {
      const { ok } = await client.db('test').command({ ping: 1 });
      assert.equal(ok, 1);
    });

    it('resets everything: collections, indexes, cursors, fail points', async () => {
      const db = client.db('app');
      for (let number = 0; number < COLLECTIONS; number += 1) {
        const collection = db.collection(`c${number}`);
        await collection.createIndex({ name: 1 }, { unique: true });
        await collection.insertMany(Array.from({ length: 100 }, (_, n) => ({ name: `n${n}` })));
      }
      const cursor = db.collection('c0').find().batchSize(2);
      await cursor.next();
      await server.failNext({ command: 'insert', code: 11_600, times: 1000 });
      await server.reset();
      assert.deepEqual(await db.listCollections().toArray(), []);
      await db.collection('c0').insertMany([{ name: 'same' }, { name: 'same' }]);
      assert.equal((await db.collection('c0').indexes()).length, 1);
      await assert.rejects(
        async () => {
          for await (const _document of cursor) continue;
        },
        (error: MongoServerError) => error.code === 43,
      );
    });

    it('makes the next command fail, and only that', async () => {
      const collection = client.db('app').collection('failing');
      await server.failNext({ command: 'insert', code: 11_600 });
      await assert.rejects(
        collection.insertOne({}),
        (error: unknown) => error instanceof MongoServerError && error.code === 11_600,
      );
      await collection.insertOne({});
      await server.failNext({ command: ['find', 'insert'], closeConnection: true, times: 1 });
      await assert.rejects(
        collection.insertOne({}),
        (error: unknown) => error instanceof MongoNetworkError,
      );
      assert.equal(await collection.countDocuments(), 1);
    });
  });
}

describe('what startServer leaves behind', () => {
  it('is nothing after stop', async () => {
    const server = await startServer();
    const { dbPath = '', pid } = server;
    assert.equal(existsSync(dbPath), true);
    await server.stop();
    await server.stop();
    assert.equal(existsSync(dbPath), false);
    assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
  });

  for (const [where, argument, signal] of [
    ['a child process', 'child', 'SIGKILL'],
    ['the killed process itself', 'inProcess', 'SIGKILL'],
    ['the interrupted process itself', 'inProcess', 'SIGINT'],
  ] as const) {
    it(`is nothing when the parent is killed and the server was in ${where}`, async () => {
      const parent = spawn(
        process.execPath,
        ['--import', 'tsx', fileURLToPath(new URL('parent.job.ts', import.meta.url)), argument],
        { stdio: ['ignore', 'pipe', 'inherit'] },
      );
      const [line] = await once(createInterface({ input: parent.stdout }), 'line');
      const { dbPath, pid }: { dbPath: string; pid: number } = JSON.parse(String(line));
      assert.equal(existsSync(dbPath), true);
      parent.kill(signal);
      await until(() => !existsSync(dbPath));
      await until(() => !isRunning(pid));
    });
  }

  it('is nothing once the next server starts, when parent and child were killed together', async () => {
    const parent = spawn(
      process.execPath,
      ['--import', 'tsx', fileURLToPath(new URL('parent.job.ts', import.meta.url)), 'child'],
      { stdio: ['ignore', 'pipe', 'inherit'], detached: true },
    );
    const [line] = await once(createInterface({ input: parent.stdout }), 'line');
    const { dbPath, pid }: { dbPath: string; pid: number } = JSON.parse(String(line));
    process.kill(-(parent.pid ?? 0), 'SIGKILL');
    await until(() => !isRunning(pid) && !isRunning(parent.pid ?? 0));
    assert.equal(existsSync(dbPath), true);
    const own = mkdtempSync(dbPath.replace(/-\d+-\d+-\w+$/, `-${process.pid}-1-`));
    const foreign = mkdtempSync(join(tmpdir(), 'flintdb-0badb007.1-1-1-'));
    const living = await startServer();
    const next = await startServer();
    // Gone: that of the killed, and one of an earlier process of our number. Left: what lives, and what another boot made.
    assert.deepEqual([dbPath, own, foreign, living.dbPath ?? ''].map(existsSync), [
      false,
      false,
      true,
      true,
    ]);
    rmSync(foreign, { recursive: true });
    await living.stop();
    await next.stop();
  });

  it('is nothing of a cluster when the parent is killed', async () => {
    const parent = spawn(
      process.execPath,
      ['--import', 'tsx', fileURLToPath(new URL('parent.job.ts', import.meta.url)), 'cluster'],
      { stdio: ['ignore', 'pipe', 'inherit'], detached: true },
    );
    const [line] = await once(createInterface({ input: parent.stdout }), 'line');
    const { dbPath, pids }: { dbPath: string; pids: number[] } = JSON.parse(String(line));
    assert.equal(pids.filter(isRunning).length, 3);
    process.kill(-(parent.pid ?? 0), 'SIGKILL');
    await until(() => !pids.some(isRunning));
    await until(() => !existsSync(dbPath));
  });

  it('is nothing when the server itself is killed, once it is stopped', async () => {
    const server = await startServer();
    const { dbPath = '' } = server;
    process.kill(server.pid, 'SIGKILL');
    await server.stop();
    assert.equal(existsSync(dbPath), false);
  });
});

describe('startServer', () => {
  it('says why the server did not start', async () => {
    await assert.rejects(startServer({ args: ['--noSuchOption'] }), /noSuchOption/);
    await assert.rejects(startServer({ dbPath: '/no/such/directory' }), /does not exist/);
  });

  it('refuses a directory for data in memory', async () => {
    await assert.rejects(startServer({ memory: true, dbPath: '/tmp' }), /exclude each other/);
  });

  it('refuses a failure that fails nothing', async () => {
    const server = await startServer({ inProcess: true, memory: true });
    try {
      await assert.rejects(server.failNext({ command: 'insert' }), /failNext needs/);
    } finally {
      await server.stop();
    }
  });
});

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function until(holds: () => boolean): Promise<void> {
  const deadline = performance.now() + 5_000;
  while (!holds()) {
    assert.ok(performance.now() < deadline, 'it did not come to pass within five seconds');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
