import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MongoClient } from 'mongodb';
import { Program, removeTemporaryDirectory, temporaryDirectory } from '../support/programs.ts';

const BIN = fileURLToPath(new URL('../../bin/', import.meta.url));

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program that ends by itself. */
function runToEnd(program: string, ...args: string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(process.execPath, [join(BIN, program), ...args], (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
      resolve({ code, stdout, stderr });
    });
  });
}

describe('integration: programs', () => {
  const programs: Program[] = [];
  const directories: string[] = [];

  const start = async (...options: Parameters<typeof Program.start>): Promise<Program> => {
    const program = await Program.start(...options);
    programs.push(program);
    return program;
  };
  const directory = (): string => {
    const path = temporaryDirectory();
    directories.push(path);
    return path;
  };

  afterEach(async () => {
    for (const program of programs.splice(0)) await program.dispose();
    for (const path of directories.splice(0)) removeTemporaryDirectory(path);
  });

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    it(`stops cleanly on ${signal}, also while a client is connected`, async () => {
      const flintd = await start();
      // At its end the driver looks for a server to end its sessions at; there is none any more.
      const client = await MongoClient.connect(flintd.uri, { serverSelectionTimeoutMS: 500 });
      await client.db('test').collection('c').insertOne({ a: 1 });
      assert.deepEqual(await flintd.stop(signal), { code: 0, signal: null });
      await client.close();
    });
  }

  it('stops cleanly on Ctrl-C under npm, which comes twice', async () => {
    const flintd = await start();
    const stopped = flintd.stop('SIGINT');
    assert.equal((await flintd.stop('SIGINT')).code, 0);
    assert.equal((await stopped).code, 0);
  });

  it('creates the directory for the first steps, and says what to type next', async () => {
    const dbpath = join(directory(), 'data');
    const flintd = await start({ dbpath, args: ['--firstSteps'] });
    await flintd.stop();
    assert.match(
      flintd.output,
      /FlintDB .* is ready at mongodb:\/\/127\.0\.0\.1:\d+\n[^]*npx mongosh/,
    );
    assert.ok(existsSync(dbpath));
  });

  it('reads a configuration file as mongod writes them', async () => {
    const path = directory();
    const config = join(path, 'flintd.yaml');
    const logPath = join(path, 'flintd.log');
    const pidPath = join(path, 'flintd.id');
    writeFileSync(
      config,
      `systemLog: { destination: file, path: ${logPath}, logAppend: true }
processManagement: { pidFilePath: ${pidPath} }
setParameter: { cursorTimeoutMillis: 1000 }
`,
    );
    const flintd = await start({ args: ['--config', config] });
    const client = await MongoClient.connect(flintd.uri);
    const admin = client.db('admin');
    const { cursorTimeoutMillis } = await admin.command({
      getParameter: 1,
      cursorTimeoutMillis: 1,
    });
    assert.equal(cursorTimeoutMillis, 1000);
    const { parsed } = await admin.command({ getCmdLineOpts: 1 });
    assert.equal(parsed.systemLog.path, logPath);
    assert.equal(parsed.storage.dbPath, flintd.dbpath);
    assert.equal(readFileSync(pidPath, 'utf8').trim(), `${flintd.pid}`);
    await client.close();
    await flintd.stop();
    assert.match(readFileSync(logPath, 'utf8'), /"msg":"Stopped cleanly"/);
    assert.equal(existsSync(pidPath), false);
  });

  it('serves health, readiness and metrics over HTTP when it is asked to', async () => {
    const flintd = await start({ args: ['--httpPort', '0'] });
    const { httpPort } = JSON.parse(JSON.stringify(flintd.readyLine));
    const get = (path: string) => fetch(`http://127.0.0.1:${httpPort}${path}`);
    assert.equal(await (await get('/healthz')).text(), 'ok\n');
    assert.equal((await get('/readyz')).status, 200);
    const client = await MongoClient.connect(flintd.uri);
    await client
      .db('test')
      .collection('c')
      .insertOne({ a: 1 }, { writeConcern: { j: true } });
    await client.close();
    const metrics = await (await get('/metrics')).text();
    assert.match(metrics, /^flintdb_operations_total\{kind="insert"\} 1$/m);
    assert.match(metrics, /^# TYPE flintdb_connections gauge$/m);
    for (const queue of ['journal', 'blocks']) {
      const latency = `flintdb_engine_${queue}_queue_operations_write_latency_us`;
      assert.match(metrics, new RegExp(`^# TYPE ${latency} histogram$`, 'm'));
      assert.match(metrics, new RegExp(`^${latency}_bucket\\{le="\\+Inf"\\} [1-9]`, 'm'));
      assert.match(
        metrics,
        new RegExp(`^flintdb_engine_${queue}_queue_operations_write_bytes`, 'm'),
      );
      assert.match(metrics, new RegExp(`^flintdb_engine_${queue}_queue_merges `, 'm'));
    }
    for (const line of metrics.trim().split('\n')) {
      assert.match(line, /^(# (HELP|TYPE) \w+ .+|\w+(\{\w+="[^"]*"(,\w+="[^"]*")*\})? [\d.e+-]+)$/);
    }
    assert.equal((await get('/nothing')).status, 404);
  });

  it('helps with flints and flint, and refuses what they do not know', async () => {
    for (const program of ['flints', 'flint']) {
      assert.match((await runToEnd(program, '--help')).stdout, new RegExp(`^${program}, the`));
      assert.equal((await runToEnd(program, 'nothing')).code, 2);
    }
  });
});
