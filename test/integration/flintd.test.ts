/**
 * flintd as a program: options, the lock on its data directory, how it starts and how it ends.
 */
import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MongoClient, type Document } from 'mongodb';
import {
  Program,
  removeTemporaryDirectory,
  runToEnd,
  temporaryDirectory,
} from '../support/programs.ts';

/** For a client that outlives its server: closing it asks for a server first. */
const IMPATIENT = { serverSelectionTimeoutMS: 500 } as const;

describe('flintd', () => {
  let directory: string;
  const programs: Program[] = [];

  beforeEach(() => {
    directory = temporaryDirectory();
  });
  afterEach(async () => {
    for (const program of programs.splice(0)) await program.dispose();
    removeTemporaryDirectory(directory);
  });

  async function start(args: readonly string[] = [], dbpath = directory): Promise<Program> {
    const program = await Program.start({ dbpath, args });
    programs.push(program);
    return program;
  }

  it('explains its options and ends with 0', async () => {
    const { code, stdout, stderr } = await runToEnd(['--help']);
    assert.equal(code, 0);
    assert.equal(stderr, '');
    for (const option of ['--dbpath', '--port', '--bind_ip', '--config', '--setParameter']) {
      assert.match(stdout, new RegExp(option));
    }
  });

  it('tells its version', async () => {
    const { code, stdout } = await runToEnd(['--version']);
    assert.equal(code, 0);
    assert.match(stdout, /flintd v\d+\.\d+\.\d+/);
  });

  it('takes a free port with --port 0 and prints one line that a machine can read', async () => {
    const program = await start();
    assert.ok(program.port > 0);
    assert.equal(await ping(program.uri), 1);
    const lines = program.output.split('\n').filter((line) => line.includes('"ready":true'));
    assert.equal(lines.length, 1);
    assert.equal(JSON.parse(lines[0] ?? '').pid, program.pid);
  });

  it('refuses a missing data directory and does not make it', async () => {
    const missing = join(directory, 'missing');
    const { code, stderr } = await runToEnd(['--dbpath', missing, '--port', '0']);
    assert.notEqual(code, 0);
    assert.match(stderr, /does not exist/);
    assert.ok(stderr.includes(missing));
    assert.equal(existsSync(missing), false);
  });

  it('refuses to be reached from other machines without --noauth', async () => {
    const args = ['--dbpath', directory, '--port', '0', '--bind_ip', '0.0.0.0'];
    const { code, stderr } = await runToEnd(args);
    assert.notEqual(code, 0);
    assert.match(stderr, /--noauth/);
    const program = await start(['--bind_ip', '0.0.0.0', '--noauth']);
    assert.equal(await ping(program.uri), 1);
  });

  it('refuses an option it does not know, and one that it does not support, by name', async () => {
    const unknown = await runToEnd(['--dbpth', directory]);
    assert.notEqual(unknown.code, 0);
    assert.match(unknown.stderr, /--dbpth.*Did you mean --dbpath/s);
    const unsupported = await runToEnd(['--dbpath', directory, '--replSet', 'rs']);
    assert.notEqual(unsupported.code, 0);
    assert.match(unsupported.stderr, /--replSet.*later version/s);
  });

  it('refuses a port that is taken', async () => {
    const program = await start();
    const other = temporaryDirectory();
    const { code, stderr } = await runToEnd(['--dbpath', other, '--port', String(program.port)]);
    removeTemporaryDirectory(other);
    assert.notEqual(code, 0);
    assert.ok(stderr.includes(String(program.port)), stderr);
  });

  it('refuses a YAML file with an unknown key, and one that is no YAML', async () => {
    const file = join(directory, 'flintd.yaml');
    writeFileSync(file, 'net:\n  prot: 27017\n');
    const unknown = await runToEnd(['--config', file, '--dbpath', directory]);
    assert.notEqual(unknown.code, 0);
    assert.match(unknown.stderr, /net\.prot/);
    writeFileSync(file, 'net: [\n');
    const broken = await runToEnd(['--config', file, '--dbpath', directory]);
    assert.notEqual(broken.code, 0);
    assert.match(broken.stderr, /YAML/);
  });

  it('keeps a second flintd out of its data directory, and names the first', async () => {
    const program = await start();
    await insert(program.uri, { _id: 1 });
    const { code, stderr } = await runToEnd(['--dbpath', directory, '--port', '0']);
    assert.notEqual(code, 0);
    assert.match(stderr, new RegExp(`\\bpid ${program.pid}\\b`));
    assert.ok(stderr.includes(directory));
    assert.equal(await count(program.uri), 1);
  });

  it('keeps all but one of several that start at once out', async () => {
    const started = await Promise.allSettled(
      Array.from({ length: 4 }, () => Program.start({ dbpath: directory })),
    );
    const winners = started.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
    programs.push(...winners);
    assert.equal(winners.length, 1);
    for (const each of started) {
      if (each.status === 'rejected') assert.match(String(each.reason), /already running/);
    }
  });

  it('starts on a directory whose flintd was killed, with everything journaled', async () => {
    const program = await start();
    await insert(program.uri, { _id: 1 });
    await program.kill();
    await program.restart();
    assert.equal(await count(program.uri), 1);
  });

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    it(`stops cleanly at ${signal}, exit code 0, and keeps what it has`, async () => {
      const program = await start();
      await insert(program.uri, { _id: 1 }, false);
      assert.deepEqual(await program.stop(signal), { code: 0, signal: null });
      assert.match(program.output, /Stopped cleanly/);
      await program.restart();
      assert.equal(await count(program.uri), 1);
    });
  }

  it('stops cleanly at the command shutdown', async () => {
    const program = await start();
    const client = await new MongoClient(program.uri, IMPATIENT).connect();
    await client
      .db('admin')
      .command({ shutdown: 1 })
      .catch(() => undefined);
    assert.deepEqual(await program.waitForExit(), { code: 0, signal: null });
    assert.match(program.output, /Stopped cleanly/);
    await client.close();
  });

  it('stops while clients are writing, and loses nothing that it answered', async () => {
    const program = await start();
    const client = await new MongoClient(program.uri, {
      ...IMPATIENT,
      retryWrites: false,
    }).connect();
    const collection = client.db('stop').collection<{ _id: number }>('items');
    const acknowledged: number[] = [];
    const writing = Array.from({ length: 4 }, async (_, writer) => {
      for (let n = 0; ; n += 1) {
        const _id = writer * 1_000_000 + n;
        try {
          await collection.insertOne({ _id });
          acknowledged.push(_id);
        } catch {
          return;
        }
      }
    });
    await new Promise((resolve) => setTimeout(resolve, 300));
    assert.deepEqual(await program.stop(), { code: 0, signal: null });
    assert.match(program.output, /Stopped cleanly/);
    await client.close();
    await Promise.all(writing);
    await program.restart();
    const again = await new MongoClient(program.uri).connect();
    const found = await again.db('stop').collection<{ _id: number }>('items').find().toArray();
    await again.close();
    const ids = new Set(found.map(({ _id }) => _id));
    assert.ok(acknowledged.length > 0);
    assert.deepEqual(
      acknowledged.filter((id) => !ids.has(id)),
      [],
    );
  });
});

async function withClient<Result>(
  uri: string,
  run: (client: MongoClient) => Promise<Result>,
): Promise<Result> {
  const client = await new MongoClient(uri).connect();
  try {
    return await run(client);
  } finally {
    await client.close();
  }
}

function ping(uri: string): Promise<unknown> {
  return withClient(uri, async (client) => (await client.db('any').command({ ping: 1 }))['ok']);
}

async function insert(uri: string, document: Document, j = true): Promise<void> {
  await withClient(uri, (client) =>
    client
      .db('program')
      .collection('items')
      .insertOne(document, { writeConcern: { w: 1, j } }),
  );
}

function count(uri: string): Promise<number> {
  return withClient(uri, (client) => client.db('program').collection('items').countDocuments());
}
