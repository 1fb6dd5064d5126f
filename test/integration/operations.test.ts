/**
 * What operators do to a server: stop it under load, rotate its log, look at its metrics, find out why it ended.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import { unpackTar } from 'modern-tar';
import { MongoClient, type Document } from 'mongodb';
import { crc32c } from '../../common/crc32c.ts';
import {
  BLOCK_FORMAT_VERSION,
  SECOND_COPY_OFFSET_BYTES,
  SUPERBLOCK,
  SUPERBLOCK_BYTES,
} from '../../storage/format/superblock.ts';
import {
  Program,
  removeTemporaryDirectory,
  runToEnd,
  temporaryDirectory,
} from '../support/programs.ts';

describe('integration: operations', () => {
  const directories: string[] = [];
  const programs: Program[] = [];
  const directory = (): string => {
    const path = temporaryDirectory();
    directories.push(path);
    return path;
  };
  const start = async (...options: Parameters<typeof Program.start>): Promise<Program> => {
    const program = await Program.start(...options);
    programs.push(program);
    return program;
  };

  afterEach(async () => {
    for (const program of programs.splice(0)) await program.dispose();
    for (const path of directories.splice(0)) removeTemporaryDirectory(path);
  });

  it('keeps every acknowledged write when it is told to stop under load', async () => {
    const flintd = await start();
    const acknowledged = await writeUntilStopped(flintd, 8, 200);
    await flintd.restart();
    const client = await MongoClient.connect(flintd.uri);
    const found = await client.db('test').collection('writes').distinct('_id');
    await client.close();
    const kept = new Set(found.map(String));
    assert.deepEqual(
      acknowledged.filter((id) => !kept.has(id)),
      [],
    );
  });

  /** Clients insert; when so many inserts were acknowledged the server gets SIGTERM. @returns their ids, and those of later ones. */
  async function writeUntilStopped(
    flintd: Program,
    clients: number,
    wantedCount: number,
  ): Promise<string[]> {
    const acknowledged: string[] = [];
    const writers = Array.from({ length: clients }, async (_, writer) => {
      const client = await MongoClient.connect(flintd.uri, { serverSelectionTimeoutMS: 300 });
      try {
        for (let number = 0; ; number += 1) {
          const id = `${writer}-${number}`;
          // The driver's own type of _id is an ObjectId.
          await client.db('test').collection<{ _id: string }>('writes').insertOne({ _id: id });
          acknowledged.push(id);
        }
      } catch {
        await client.close();
      }
    });
    while (acknowledged.length < wantedCount) await pause(5);
    const stoppedMs = performance.now();
    assert.deepEqual(await flintd.stop('SIGTERM'), { code: 0, signal: null });
    assert.ok(performance.now() - stoppedMs < 10_000);
    await Promise.all(writers);
    return acknowledged;
  }

  for (const how of ['the command logRotate', 'SIGUSR1'] as const) {
    it(`loses no line of the log when ${how} rotates it under load`, async () => {
      const path = directory();
      const flintd = await start({ args: ['--logpath', join(path, 'flintd.log')] });
      const client = await MongoClient.connect(flintd.uri);
      const connecting = connectAgainAndAgain(flintd.uri, 60);
      await pause(50);
      if (how === 'SIGUSR1') process.kill(flintd.pid, 'SIGUSR1');
      else await client.db('admin').command({ logRotate: 1 });
      await connecting;
      await client.close();
      await flintd.stop();
      const files = readdirSync(path).sort();
      assert.equal(files.length, 2, files.join(', '));
      const lines = files
        .flatMap((name) => readFileSync(join(path, name), 'utf8').split('\n'))
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as { msg: string; attr?: { connectionId?: number } });
      const numbers = lines
        .filter(({ msg }) => msg === 'Connection accepted')
        .map(({ attr }) => attr?.connectionId);
      const last = Math.max(...numbers.map(Number));
      assert.deepEqual(
        numbers.map(Number).sort((a, b) => a - b),
        Array.from({ length: last }, (_, index) => index + 1),
      );
      assert.ok(last > 60);
    });
  }

  async function connectAgainAndAgain(uri: string, times: number): Promise<void> {
    for (let time = 0; time < times; time += 1) {
      const client = await MongoClient.connect(uri, { maxPoolSize: 1 });
      await client.db('test').command({ ping: 1 });
      await client.close();
    }
  }

  it('opens the name of the log again, for tools that move the file themselves', async () => {
    const path = directory();
    const log = join(path, 'flintd.log');
    const refused = await runToEnd(['--dbpath', path, '--logpath', log, '--logRotate', 'reopen']);
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /--logRotate reopen needs --logappend/);
    const flintd = await start({
      args: ['--logpath', log, '--logappend', '--logRotate', 'reopen'],
    });
    const client = await MongoClient.connect(flintd.uri);
    await client.db('admin').command({ logRotate: 'server' });
    await client.close();
    assert.deepEqual(readdirSync(path), ['flintd.log']);
    assert.match(readFileSync(log, 'utf8'), /Log rotated/);
  });

  it('goes on when its log takes no line, and says how many were lost when it takes them again', async () => {
    const path = directory();
    const log = join(path, 'flintd.log');
    symlinkSync('/dev/full', log);
    const flintd = await start({
      args: ['--logpath', log, '--logappend', '--logRotate', 'reopen'],
    });
    const client = await MongoClient.connect(flintd.uri);
    await client.db('test').collection('c').insertOne({ a: 1 });
    rmSync(log);
    await client.db('admin').command({ logRotate: 1 });
    await client.close();
    assert.deepEqual(await flintd.stop(), { code: 0, signal: null });
    assert.equal(flintd.output.match(/cannot write the log to .*ENOSPC/g)?.length, 1);
    const [first, second] = readFileSync(log, 'utf8').trim().split('\n');
    const lost = JSON.parse(first) as { id: number; attr: { count: number } };
    assert.equal(lost.id, 2_300_005);
    assert.ok(lost.attr.count > 3);
    assert.match(second, /Log rotated/);
  });

  it('begins a new log when somebody else has taken the old one away', async () => {
    const log = join(directory(), 'flintd.log');
    const flintd = await start({ args: ['--logpath', log] });
    rmSync(log);
    const client = await MongoClient.connect(flintd.uri);
    await client.db('admin').command({ logRotate: 1 });
    await client.close();
    await flintd.stop();
    assert.match(readFileSync(log, 'utf8'), /Log rotated/);
  });

  it('ends with a sentence when it cannot say its process id, and cleanly when that file is gone', async () => {
    const path = directory();
    const missing = join(path, 'none', 'flintd.id');
    const refused = await runToEnd(['--dbpath', path, '--port', '0', '--pidfilepath', missing]);
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /flintd: cannot write .*none\/flintd\.id: ENOENT/);
    const pidFile = join(path, 'flintd.id');
    const flintd = await start({ dbpath: path, args: ['--pidfilepath', pidFile] });
    rmSync(pidFile);
    assert.deepEqual(await flintd.stop(), { code: 0, signal: null });
  });

  it('names the option of the port that is taken', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' ? String(address?.port) : '';
    const refused = await runToEnd(['--dbpath', directory(), '--port', '0', '--httpPort', port]);
    server.close();
    assert.equal(refused.code, 48);
    assert.match(refused.stderr, new RegExp(`port ${port}: .*Give another one with --httpPort`));
  });

  it('leaves a crash report when it ends at a bug, and starts again', async () => {
    // A timer that throws is a bug like any other.
    const bug = "data:text/javascript,setTimeout(() => { throw new Error('planted') }, 1500)";
    const flintd = await start({ env: { NODE_OPTIONS: `--import="${bug}"` } });
    const client = await MongoClient.connect(flintd.uri, { serverSelectionTimeoutMS: 200 });
    await client.db('test').collection('c').insertOne({ a: 1 });
    assert.equal((await flintd.waitForExit()).code, 14);
    await client.close();
    const [name] = readdirSync(flintd.dbpath).filter((each) => each.startsWith('crash.'));
    const report = JSON.parse(readFileSync(join(flintd.dbpath, name), 'utf8')) as Document;
    assert.match(String(report['stack']), /planted/);
    assert.equal(report['message'], 'Uncaught exception');
    const operations = report['recentOperations'] as { command: string; namespace: string }[];
    assert.ok(operations.some(({ command }) => command === 'insert'));
    assert.ok(!JSON.stringify(operations).includes('"a"'));
    assert.equal(typeof report['engine'], 'object');
    assert.ok(Array.isArray(report['log']));
  });

  it('refuses the data of a later version by a sentence that says what to do', async () => {
    const flintd = await start();
    await flintd.stop();
    const path = join(flintd.dbpath, 'blocks.flint');
    const bytes = readFileSync(path);
    for (const copy of [0, SECOND_COPY_OFFSET_BYTES]) {
      const sector = bytes.subarray(copy, copy + SUPERBLOCK_BYTES);
      sector.writeUInt32LE(BLOCK_FORMAT_VERSION + 1, SUPERBLOCK.formatVersion);
      sector.writeUInt32LE(crc32c(sector, SUPERBLOCK.formatVersion), SUPERBLOCK.checksum);
    }
    writeFileSync(path, bytes);
    const refused = await runToEnd(['--dbpath', flintd.dbpath, '--port', '0']);
    assert.equal(refused.code, 100);
    assert.match(
      refused.stderr,
      /format version \d+; this server reads version \d+\. Use a newer server/,
    );
  });

  it('packs its counters over time and what it says of itself into a report', async () => {
    const flintd = await start({
      args: ['--setParameter', 'diagnosticDataCollectionPeriodMillis=100'],
    });
    await pause(1300);
    const output = join(directory(), 'report.tar.gz');
    const made = await runToEnd(
      ['report', flintd.uri, '--dbpath', flintd.dbpath, '--output', output],
      { program: 'flint' },
    );
    assert.equal(made.code, 0, made.stderr);
    const entries = await unpackTar(gunzipSync(readFileSync(output)));
    const names = entries.map(({ header }) => header.name);
    for (const name of ['system.json', 'files.json', 'server/serverStatus.json']) {
      assert.ok(names.includes(`flintdb-report/${name}`), names.join(', '));
    }
    const metrics = entries.find(({ header }) => header.name.includes('diagnostic.data/metrics.'));
    const lines = gunzipSync(metrics?.data ?? new Uint8Array())
      .toString()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { names?: string[]; values?: number[]; d?: number[] });
    assert.ok(lines.length >= 10);
    const [first, ...others] = lines;
    assert.ok(first.names?.includes('operations.insert'));
    assert.ok(others.every(({ d }) => d?.length === first.names?.length));
    const again = await runToEnd(['report', flintd.uri, '-o', output], { program: 'flint' });
    assert.equal(again.code, 1);
    assert.match(again.stderr, /cannot write .*report\.tar\.gz/);
  });

  it('refuses to report on what cannot be read by a sentence', async () => {
    const path = directory();
    const cases: readonly (readonly [readonly string[], RegExp])[] = [
      [['--dbpath', path, '--log', path], /cannot read .*EISDIR/],
      [['--dbpath', join(path, 'none')], /cannot read .*ENOENT/],
      [['mongodb://127.0.0.1:99999'], /99999 is no port/],
    ];
    for (const [args, message] of cases) {
      const output = ['--output', join(path, 'report.tar.gz')];
      const refused = await runToEnd(['report', ...args, ...output], { program: 'flint' });
      assert.equal(refused.code, 1);
      assert.match(refused.stderr, message);
      assert.equal(refused.stderr.trim().split('\n').length, 1);
    }
  });

  it('shows what it does to flint top', async () => {
    const flintd = await start();
    const shown = await runToEnd(
      ['top', flintd.uri, '--json', '--count', '1', '--interval', '0.2'],
      {
        program: 'flint',
      },
    );
    assert.equal(shown.code, 0, shown.stderr);
    const round = JSON.parse(shown.stdout) as { rates: Document; operations: Document[] };
    assert.ok('insert' in round.rates);
    assert.ok(round.operations.length >= 1);
  });

  it('tells flint top in a sentence that the server has gone', async () => {
    const flintd = await start();
    const shown = runToEnd(['top', flintd.uri, '--interval', '1'], { program: 'flint' });
    await connected(flintd);
    await flintd.stop();
    const { code, stderr } = await shown;
    assert.equal(code, 1);
    assert.match(stderr, /^flint: the server (did not answer|refused): .*\n$/);
  });

  /** Resolves when somebody besides us is there. */
  async function connected(flintd: Program): Promise<void> {
    const client = await MongoClient.connect(flintd.uri);
    for (let others = 0; others === 0; await pause(20)) {
      const { inprog } = await client.db('admin').command({ currentOp: 1, $all: true });
      others = (inprog as Document[]).filter(
        (each) => each['clientMetadata']?.driver?.name === 'flint',
      ).length;
    }
    await client.close();
  }

  it('tells flint in a sentence that nobody listens', async () => {
    const server = createServer().listen(0);
    await once(server, 'listening');
    const address = server.address();
    server.close();
    const port = typeof address === 'object' ? address?.port : 0;
    const refused = await runToEnd(['top', `mongodb://127.0.0.1:${port}`], { program: 'flint' });
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /^flint: cannot reach .*Is a server running there\?\n$/);
    const wrong = await runToEnd(['top', '--colour'], { program: 'flint' });
    assert.equal(wrong.code, 2);
  });
});
