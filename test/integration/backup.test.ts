/**
 * flint backup, restore and verify, as people run them, against a running server.
 */
import { setTimeout as delay } from 'node:timers/promises';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  openSync,
  readFileSync,
  readdirSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { cp } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Binary, MongoClient, MongoServerError, Timestamp, type Collection } from 'mongodb';
import {
  FailedCommand,
  readArguments,
  type Subcommand,
} from '../../cli/command-line/subcommand.ts';
import { startEmbedded } from '../../cli/programs/embedded.ts';
import { backup } from '../../cli/commands/backup.ts';
import { restore } from '../../cli/commands/restore.ts';
import { verify } from '../../cli/commands/verify.ts';
import { UsageError } from '../../server/index.ts';
import {
  Program,
  removeTemporaryDirectory,
  runToEnd,
  temporaryDirectory,
  type Finished,
} from '../support/programs.ts';
import { serverForTests } from '../support/test-server.ts';

const FLINT = fileURLToPath(new URL('../../bin/flint', import.meta.url));

/** A test that ran out of its time leaves them turned. */
const STREAMS = [process.stdout, process.stderr].map((stream) => ({
  stream,
  write: stream.write.bind(stream),
}));

/** In this process: a third of the time of the program. */
const HERE: Readonly<Record<string, Subcommand>> = { restore, verify };

function flint(...args: readonly string[]): Promise<Finished> {
  const [name, ...rest] = args;
  const subcommand = HERE[name];
  if (subcommand === undefined || rest.includes('--help')) {
    return runToEnd(args, { program: 'flint', timeoutMs: 60_000 });
  }
  return runHere(subcommand, rest);
}

async function runHere(subcommand: Subcommand, args: readonly string[]): Promise<Finished> {
  const printed = { stdout: '', stderr: '' };
  const streams = ['stdout', 'stderr'] as const;
  const before = streams.map((name) => process[name].write.bind(process[name]));
  for (const name of streams) {
    process[name].write = (text: string | Uint8Array) => {
      printed[name] += String(text);
      return true;
    };
  }
  try {
    const { given, positionals } = readArguments(subcommand, args);
    const code = await subcommand.run(given, positionals);
    return { code, signal: null, ...printed };
  } catch (error) {
    const isUsage = error instanceof UsageError;
    if (!isUsage && !(error instanceof FailedCommand)) throw error;
    return { code: isUsage ? 2 : 1, signal: null, ...printed, stderr: error.message };
  } finally {
    streams.forEach((name, index) => {
      process[name].write = before[index];
    });
  }
}

/** Runs it and expects success. @returns what it printed as JSON */
async function flintJson(...args: readonly string[]): Promise<Record<string, unknown>> {
  const [name, ...rest] = [...args, '--json', '--quiet'];
  const { code, stdout, stderr } = await (name === 'backup'
    ? runHere(backup, rest)
    : flint(name ?? '', ...rest));
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout) as Record<string, unknown>;
}

interface Item {
  _id: number;
  n: number;
  text?: string;
}

describe('flint backup', () => {
  const server = serverForTests({ args: ['--testing', '--oplogSize', '64'] });
  let directory = '';
  let items: Collection<Item>;

  before('fill the server', async () => {
    directory = temporaryDirectory();
    items = server.client.db('shop').collection<Item>('items');
    await items.createIndex({ n: 1 });
    await items.insertMany(
      Array.from({ length: 3000 }, (_, _id) => ({ _id, n: _id % 50, text: 'x'.repeat(_id % 300) })),
    );
    await server.client.db('other').collection('things').insertOne({ a: 1 });
    await server.client
      .db('shop')
      .createCollection('few', { viewOn: 'items', pipeline: [{ $match: { n: 1 } }] });
  });
  after(() => removeTemporaryDirectory(directory));

  afterEach('turn the streams back', () => {
    for (const { stream, write } of STREAMS) stream.write = write;
  });

  const place = (name: string): string => join(directory, name);

  /** What a server on a restored directory has. */
  async function restored(dbpath: string, args: readonly string[] = []): Promise<unknown> {
    const own = ['--dbpath', dbpath, '--port', '0', '--nounixsocket', '--testing'];
    const embedded = await startEmbedded([...own, ...args]);
    const client = await new MongoClient(`mongodb://127.0.0.1:${embedded.port}/`).connect();
    try {
      return await contentsOf(client);
    } finally {
      await client.close();
      await embedded.stop();
    }
  }

  async function contentsOf(client: MongoClient): Promise<unknown> {
    const contents: Record<string, unknown> = {};
    for (const database of ['shop', 'other']) {
      for (const { name } of await client.db(database).listCollections().toArray()) {
        if (name.startsWith('system.')) continue;
        const collection = client.db(database).collection(name);
        contents[`${database}.${name}`] = await collection.find().sort({ _id: 1 }).toArray();
        if (name === 'items') {
          contents[`${name} by n`] = await collection.countDocuments({ n: 7 }, { hint: { n: 1 } });
          const report = await client.db(database).command({ validate: name, full: true });
          assert.equal(report['valid'], true);
        }
      }
    }
    return contents;
  }

  it('takes a store as it is, and restore brings it back', async () => {
    const before = await contentsOf(server.client);
    const report = await flintJson('backup', server.uri, place('full'));
    assert.deepEqual([report['kind'], report['resumed']], ['full', false]);
    await items.insertOne({ _id: -1, n: 7 });
    const verified = await flintJson('verify', place('full'));
    assert.deepEqual([verified['sound'], verified['files']], [true, 1]);
    assert.equal(verified['commitNumber'], report['commitNumber']);
    const back = await flintJson('restore', place('full'), place('restored'));
    assert.equal(back['commitNumber'], report['commitNumber']);
    assert.deepEqual(await restored(place('restored')), before);
    await items.deleteOne({ _id: -1 });
  });

  it('writes over nothing unless it is told to', async () => {
    const again = await flint('backup', server.uri, place('full'));
    assert.equal(again.code, 1);
    assert.match(again.stderr, /is a finished backup.*--force/);
    const over = await flint('restore', place('full'), place('restored'));
    assert.equal(over.code, 1);
    assert.match(over.stderr, /is not empty.*--force/);
    // What is none of a store's files stays, whatever is said.
    const note = join(place('restored'), 'note.txt');
    writeFileSync(note, 'mine');
    await flintJson('restore', place('full'), place('restored'), '--force');
    assert.equal(readFileSync(note, 'utf8'), 'mine');
  });

  it('takes what was written since, and goes on from there to any time', async () => {
    await items.updateMany({ n: 3 }, { $set: { n: 7 } });
    await server.client.db('shop').collection('items').createIndex({ text: 1 });
    await items.deleteMany({ n: 4 });
    const first = await contentsOf(server.client);
    const report = await flintJson('backup', server.uri, place('second'), '--since', place('full'));
    assert.equal(report['kind'], 'journal');
    await items.deleteMany({ n: 5 });
    // Larger than a piece, and nearly as large as a message may be.
    await server.client
      .db('other')
      .collection('things')
      .insertOne({ b: 'z'.repeat(16 * 1024 * 1024 - 100) });
    await server.client
      .db('other')
      .collection('things')
      .insertMany([{ c: 'y'.repeat(3_000_000) }, { c: 1 }]);
    const second = await contentsOf(server.client);
    await flintJson('backup', server.uri, place('third'), '--since', place('second'));
    const verified = await flintJson('verify', place('third'));
    assert.deepEqual([verified['sound'], verified['files']], [true, 3]);
    await flintJson('restore', place('third'), place('latest'));
    assert.deepEqual(await restored(place('latest')), second);
    const to = String(report['timestamp']);
    const back = await flintJson('restore', place('third'), place('earlier'), '--to', to);
    assert.equal(back['timestamp'], to);
    assert.deepEqual(await restored(place('earlier')), first);
  });

  it('refuses a time that it has not, and a gap, with both times', async () => {
    const early = await flint(
      'restore',
      place('third'),
      place('none'),
      '--to',
      '2001-01-01T00:00:00Z',
    );
    assert.equal(early.code, 1);
    assert.match(early.stderr, /2001-01-01T00:00:00Z is before the backup, which is of \d+\.\d+/);
    const late = await flint(
      'restore',
      place('third'),
      place('none'),
      '--to',
      '2099-01-01T00:00:00Z',
    );
    assert.match(late.stderr, /2099.* is behind what is there, which ends at .*20\d\d/);
    const gap = await flint('restore', place('third'), place('none'), '--base', place('full'));
    assert.equal(gap.code, 1);
    assert.match(gap.stderr, /another one/);
    // The third without the second, under one roof.
    const holed = place('holed');
    await cp(place('full'), holed, { recursive: true });
    await cp(
      join(place('third'), 'journal-0000000001.backup'),
      join(holed, 'journal-0000000002.backup'),
    );
    const hole = await flint('restore', holed, place('none'));
    assert.equal(hole.code, 1);
    assert.match(hole.stderr, /there is a gap: .* ends at \d+\.\d+ .* goes on after \d+\.\d+/);
    const bad = await flint('restore', place('third'), place('none'), '--to', 'yesterday');
    assert.deepEqual([bad.code, /--to needs a time/.test(bad.stderr)], [2, true]);
    assert.throws(() => statSync(place('none')));
  });

  it('restores into a running server, whole or by namespace, and over nothing unless told to', async () => {
    const program = await Program.start({ args: ['--testing'] });
    const client = await new MongoClient(program.uri).connect();
    try {
      const args = ['restore', place('full'), program.uri] as const;
      const part = await flintJson(...args, '--nsInclude', 'shop.*', '--nsExclude', 'shop.few');
      assert.deepEqual([part['namespaces'], part['documents'], part['refused']], [1, 3000, 0]);
      const refused = await flint(...args);
      assert.equal(refused.code, 1);
      assert.match(refused.stderr, /shop\.items is there already.*--force/);
      await flintJson(...args, '--force');
      const there = (await contentsOf(client)) as Record<string, unknown[]>;
      assert.equal(there['shop.items'].length, 3000);
      assert.equal(there['shop.few'].length, 60);
      assert.equal(there['other.things'].length, 1);
      assert.deepEqual(
        Object.keys(await client.db('shop').collection('items').indexInformation()).sort(),
        ['_id_', 'n_1'],
      );
    } finally {
      await client.close();
      await program.dispose();
    }
  });

  it('restores parts of it into a directory', async () => {
    const args = ['restore', place('full'), place('parts'), '--nsInclude', 'other.*'] as const;
    assert.equal((await flintJson(...args))['namespaces'], 1);
    const there = (await restored(place('parts'))) as Record<string, unknown[]>;
    assert.deepEqual(Object.keys(there), ['other.things']);
  });

  it('goes to standard output, and comes back from standard input', async () => {
    const file = place('stream.backup');
    const out = openSync(file, 'w');
    const code = await ended(
      spawn(process.execPath, [FLINT, 'backup', server.uri, '-', '--quiet'], {
        stdio: ['ignore', out, 'inherit'],
      }),
    );
    closeSync(out);
    assert.equal(code, 0);
    const input = openSync(file, 'r');
    const args = [FLINT, 'restore', '-', place('streamed'), '--quiet'];
    assert.equal(
      await ended(spawn(process.execPath, args, { stdio: [input, 'ignore', 'inherit'] })),
      0,
    );
    closeSync(input);
    assert.deepEqual(await restored(place('streamed')), await contentsOf(server.client));
    assert.equal((await flintJson('verify', file))['sound'], true);
  });

  it('goes on after kill -9 where it was', async () => {
    const target = place('killed');
    const args = [FLINT, 'backup', server.uri, target, '--rate', '200k'];
    const child = spawn(process.execPath, args, { stdio: 'ignore' });
    const base = join(target, 'base.backup');
    while (sizeOf(base) < 20_000) await pause(5);
    child.kill('SIGKILL');
    await ended(child);
    assert.match((await flint('restore', target, place('none'))).stderr, /is not finished/);
    const size = sizeOf(base);
    // As if the last frame had been cut short.
    writeFileSync(base, readFileSync(base).subarray(0, size - 7));
    const before = await contentsOf(server.client);
    await items.insertOne({ _id: -2, n: 7 });
    const report = await flintJson('backup', server.uri, target);
    assert.equal(report['resumed'], true);
    await flintJson('restore', target, place('resumed'));
    assert.deepEqual(await restored(place('resumed')), before);
    await items.deleteOne({ _id: -2 });
  });

  it('begins anew when the server has let go what was being copied', async () => {
    const target = place('let-go');
    await cp(place('full'), target, { recursive: true });
    const base = join(target, 'base.backup');
    writeFileSync(base, readFileSync(base).subarray(0, 20_000));
    assert.equal((await flintJson('backup', server.uri, target))['resumed'], false);
    assert.equal((await flintJson('verify', target))['sound'], true);
  });

  it('finds a flipped bit anywhere, and restores nothing of it', async () => {
    const target = place('flipped');
    await cp(place('second'), target, { recursive: true });
    const files = [join(place('full'), 'base.backup'), join(target, 'journal-0000000001.backup')];
    for (const file of files) {
      const sound = readFileSync(file);
      for (const part of [0, 0.2, 0.5, 0.999]) {
        const offset = Math.min(sound.length - 1, Math.floor(part * sound.length));
        const damaged = Buffer.from(sound);
        damaged[offset] ^= 1 << (offset % 8);
        writeFileSync(file, damaged);
        const { code, stdout } = await flint('verify', target, '--json');
        assert.equal(code, 4, `a bit of byte ${offset} of ${file}`);
        const found = JSON.parse(stdout) as { file: string; offset: number };
        assert.equal(found.file, file);
        assert.ok(found.offset <= offset);
        if (part !== 0.5) continue;
        const refused = await flint('restore', target, place('none'));
        assert.equal(refused.code, 4);
        assert.ok(refused.stderr.includes(`${file}, offset ${found.offset}: `), refused.stderr);
        assert.throws(() => statSync(place('none')));
      }
      writeFileSync(file, sound);
    }
  }).timeout(30_000);

  it('becomes a full one when the journal does not reach back so far', async () => {
    const program = await Program.start({ args: ['--testing'] });
    const client = await new MongoClient(program.uri).connect();
    try {
      const writes = client.db('shop').collection<Item>('items');
      await writes.insertOne({ _id: 1, n: 1 });
      await flintJson('backup', program.uri, place('short'));
      const text = 'y'.repeat(400_000);
      for (let round = 0; round < 4; round += 1) {
        await writes.insertMany(
          Array.from({ length: 5 }, (_, n) => ({ _id: round * 10 + n + 2, n, text })),
        );
        await client.db('admin').command({ fsync: 1 });
      }
      const { stderr, code } = await flint(
        'backup',
        program.uri,
        place('fuller'),
        '--since',
        place('short'),
      );
      assert.equal(code, 0, stderr);
      assert.match(stderr, /this becomes a full backup/);
      assert.deepEqual(readdirSync(place('fuller')), ['base.backup']);
      const follow = await flint('backup', program.uri, place('short'), '--follow');
      assert.equal(follow.code, 1);
      assert.match(follow.stderr, /ends at \d+\.\d+ .* begins behind Timestamp\(\d+, \d+\).*gap/);
    } finally {
      await client.close();
      await program.dispose();
    }
  });

  it('follows the journal until it is stopped, and over a restart of the server', async () => {
    const program = await Program.start({
      args: ['--testing', '--oplogSize', '64'],
      port: await freePort(),
    });
    let client = await new MongoClient(program.uri).connect();
    const target = place('followed');
    const args = [FLINT, 'backup', program.uri, target, '--follow'];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.on('data', (text: Buffer) => (said += text.toString()));
    try {
      await client.db('shop').collection<Item>('items').createIndex({ n: 1 });
      await client.db('shop').collection<Item>('items').insertOne({ _id: 1, n: 7 });
      while (!said.includes('Following')) await pause(20);
      const shop = (): Collection<Item> => client.db('shop').collection<Item>('items');
      await shop().insertMany([
        { _id: 2, n: 7 },
        { _id: 3, n: 7 },
      ]);
      const { operationTime } = await timeOf(client);
      await client.close();
      await program.stop();
      await program.restart();
      client = await new MongoClient(program.uri).connect();
      await shop().insertOne({ _id: 4, n: 7 });
      const journal = join(target, 'journal-0000000001.backup');
      const before = sizeOf(journal);
      while (sizeOf(journal) === before) await pause(20);
      child.kill('SIGTERM');
      assert.equal(await ended(child), 0);
      await flintJson('restore', target, place('to-the-end'));
      const latest = (await restored(place('to-the-end'))) as Record<string, Item[]>;
      assert.deepEqual(
        latest['shop.items'].map(({ _id }) => _id),
        [1, 2, 3, 4],
      );
      await flintJson('restore', target, place('to-before'), '--to', operationTime);
      const earlier = (await restored(place('to-before'))) as Record<string, Item[]>;
      assert.deepEqual(
        earlier['shop.items'].map(({ _id }) => _id),
        [1, 2, 3],
      );
    } finally {
      child.kill('SIGKILL');
      await client.close();
      await program.dispose();
    }
  }).timeout(30_000);

  it('has commands of the server that refuse what they cannot do', async () => {
    const admin = server.client.db('admin');
    const opened = await admin.command({ backupOpen: 1 });
    const id = String(opened['backup']);
    const code = async (command: Record<string, unknown>): Promise<unknown> => {
      try {
        await admin.command(command);
      } catch (error) {
        return error instanceof MongoServerError ? error.codeName : error;
      }
      return 'ok';
    };
    assert.equal(await code({ backupRead: id, part: 'journal' }), 'BadValue');
    assert.equal(await code({ backupRead: id, part: 'nothing' }), 'BadValue');
    assert.equal(await code({ backupRead: 5, part: 'entries' }), 'TypeMismatch');
    assert.equal(await code({ backupRead: id, part: 'entries', after: 5 }), 'TypeMismatch');
    assert.equal(await code({ backupRead: id, part: 'sectors', first: 0, count: 1 }), 'BadValue');
    assert.equal(
      await code({ backupRead: id, part: 'sectors', first: 0, count: 2000 }),
      'BadValue',
    );
    // The sectors have been asked for: the entries are let go.
    assert.equal(await code({ backupRead: id, part: 'entries' }), 'BadValue');
    assert.equal(await code({ backupClose: id }), 'ok');
    assert.equal(await code({ backupClose: id }), 'CursorNotFound');
    const { storeId } = opened;
    assert.equal(await code({ backupOpenJournal: 1, after: {}, storeId }), 'BadValue');
    const timestamp = new Timestamp({ t: 1, i: 1 });
    const first = { commitNumber: 1, timestamp };
    assert.equal(await code({ backupOpenJournal: 1, after: first }), 'IDLFailedToParse');
    assert.equal(await code({ backupOpenJournal: 1, after: first, storeId }), 'CappedPositionLost');
    assert.equal(
      await code({ backupOpenJournal: 1, after: first, storeId: 'ff' }),
      'InvalidOptions',
    );
    assert.equal(
      await code({ backupOpenJournal: 1, after: { commitNumber: 1e12, timestamp }, storeId }),
      'CappedPositionLost',
    );
    assert.ok(opened['base'] instanceof Binary);
  });

  it('lets go what nobody has asked for in a while', async () => {
    const admin = server.client.db('admin');
    await admin.command({ setParameter: 1, backupIdleTimeoutMillis: 30 });
    try {
      const { backup } = await admin.command({ backupOpen: 1 });
      await pause(120);
      await assert.rejects(admin.command({ backupRead: backup, part: 'entries' }), /timed out/);
    } finally {
      await admin.command({ setParameter: 1, backupIdleTimeoutMillis: 600_000 });
    }
  });

  it('takes a server that keeps nothing on a disk', async () => {
    const embedded = await startEmbedded(['--inMemory', '--port', '0', '--nounixsocket']);
    const uri = `mongodb://127.0.0.1:${embedded.port}/`;
    const client = await new MongoClient(uri).connect();
    try {
      await client.db('other').collection('things').insertOne({ a: 1 });
      const before = await contentsOf(client);
      await flintJson('backup', uri, place('memory'));
      await flintJson('restore', place('memory'), place('from-memory'));
      assert.deepEqual(await restored(place('from-memory')), before);
    } finally {
      await client.close();
      await embedded.stop();
    }
  });

  it('takes what has come since then when it is run again, and knows what it goes on from', async () => {
    await flintJson('backup', server.uri, place('monday'));
    const since = ['--since', place('monday')];
    await flintJson('backup', server.uri, place('tuesday'), ...since);
    await server.client.db('other').collection('things').insertOne({ again: 1 });
    const now = await contentsOf(server.client);
    const more = await flintJson('backup', server.uri, place('tuesday'), ...since);
    assert.deepEqual([more['kind'], more['commits']], ['journal', 1]);
    assert.deepEqual(readdirSync(place('tuesday')).sort(), [
      'journal-0000000001.backup',
      'journal-0000000002.backup',
    ]);
    await flintJson('restore', place('tuesday'), place('of-tuesday'));
    assert.deepEqual(await restored(place('of-tuesday')), now);
    const other = await flint('backup', server.uri, place('tuesday'), '--since', place('full'));
    assert.equal(other.code, 1);
    assert.match(other.stderr, /goes on from another backup than/);
    const full = await flint('backup', server.uri, place('full'), '--since', place('monday'));
    assert.match(full.stderr, /holds a full backup, which goes on from no other one/);
  }).timeout(30_000);

  it('refuses the journal of another store, and that of another history', async () => {
    const embedded = await startEmbedded(['--inMemory', '--port', '0', '--nounixsocket']);
    const other = await startEmbedded(['--inMemory', '--port', '0', '--nounixsocket']);
    try {
      const uri = `mongodb://127.0.0.1:${embedded.port}/`;
      // Of an empty store there is neither a commit nor a time that tells it.
      await flintJson('backup', uri, place('empty'));
      const foreign = await flint(
        'backup',
        `mongodb://127.0.0.1:${other.port}/`,
        place('foreign'),
        '--since',
        place('empty'),
      );
      assert.equal(foreign.code, 1);
      assert.match(foreign.stderr, /this is store \w{32}, and the backup is of store \w{32}/);
    } finally {
      await embedded.stop();
      await other.stop();
    }
    // A store that was restored goes on in its own way, with the same commit numbers.
    await flintJson('backup', server.uri, place('fork'));
    await server.client
      .db('other')
      .collection('things')
      .insertMany([{ one: 1 }]);
    await server.client
      .db('other')
      .collection('things')
      .insertMany([{ one: 2 }]);
    await flintJson('backup', server.uri, place('one-way'), '--since', place('fork'));
    await flintJson('restore', place('fork'), place('forked'));
    // Histories are told apart by the time of a commit, whose seconds must have gone on.
    await delay(1100);
    const program = await Program.start({ dbpath: place('forked'), args: ['--testing'] });
    try {
      const client = await new MongoClient(program.uri).connect();
      for (let n = 0; n < 3; n += 1) {
        await client.db('other').collection('things').insertOne({ other: n });
      }
      await client.close();
      await flintJson('backup', program.uri, place('other-way'), '--since', place('fork'));
      const more = await flint('backup', program.uri, place('one-way'), '--since', place('fork'));
      assert.equal(more.code, 1);
      assert.match(more.stderr, /another history/);
    } finally {
      await program.stop();
    }
    // Files of both, put under one roof.
    const mixed = place('mixed');
    await cp(place('fork'), mixed, { recursive: true });
    for (const [number, from] of ['one-way', 'other-way'].entries()) {
      await cp(
        join(place(from), 'journal-0000000001.backup'),
        join(mixed, `journal-000000000${number + 1}.backup`),
      );
    }
    const verdict = await flint('verify', mixed);
    assert.deepEqual(
      [verdict.code, /is of another history: commit/.test(verdict.stderr)],
      [1, true],
    );
  }).timeout(30_000);

  it('lets go what is older than it has to reach back, and restores all the rest', async () => {
    const target = place('kept');
    const args = ['--follow', '--quiet', '--keep', '2s', '--fileSize', '20k'];
    const child = spawn(FLINT, ['backup', server.uri, target, ...args], { stdio: 'ignore' });
    const ended = new Promise((resolve) => child.once('close', resolve));
    const firstIs = (): string =>
      existsSync(target) ? (readdirSync(target).find((name) => name.startsWith('jour')) ?? '') : '';
    try {
      let n = 0;
      const endMs = Date.now() + 30_000;
      // The first file goes when a newer store is two seconds old.
      while (n === 0 || firstIs() === '' || firstIs() === 'journal-0000000001.backup') {
        assert.ok(Date.now() < endMs, 'nothing is let go');
        await items.insertOne({ _id: 50_000 + n, n: 7, text: randomBytes(300).toString('hex') });
        n += 1;
        await pause(20);
      }
      const admin = server.client.db('admin');
      const { barrier, commitNumber } = await admin.command({ backupBarrier: 1 });
      await admin.command({ backupBarrierEnd: barrier });
      // What has been written is followed within a second or so.
      for (let copied = 0; copied < Number(commitNumber);) {
        assert.ok(Date.now() < endMs, 'the journal does not come');
        copied = Number((await flintJson('verify', target))['commitNumber']);
      }
    } finally {
      child.kill('SIGTERM');
    }
    assert.equal(await ended, 0);
    const expected = await contentsOf(server.client);
    const { to } = await flintJson('verify', target);
    await flintJson('restore', target, place('restored-kept'), '--to', String(to));
    assert.deepEqual(await restored(place('restored-kept')), expected);
    const early = await flint('restore', target, place('no'), '--to', '2020-01-01T00:00:00Z');
    assert.match(early.stderr, /is before the backup/);
    const without = await flint('backup', server.uri, place('no'), '--keep', '7d');
    assert.match(without.stderr, /--keep is for --follow/);
  }).timeout(60_000);

  it('refuses an incremental backup that was interrupted, unless a time is named', async () => {
    await flintJson('backup', server.uri, place('whole'));
    await items.insertOne({ _id: 60_000, n: 7 });
    await flintJson('backup', server.uri, place('more'), '--since', place('whole'));
    const file = join(place('more'), 'journal-0000000001.backup');
    const sound = readFileSync(file);
    assert.equal((await flintJson('verify', place('more')))['finished'], true);
    // Without its last frame, which is its end.
    const end = sound.lastIndexOf('FBKP');
    writeFileSync(file, sound.subarray(0, end));
    assert.equal((await flintJson('verify', place('more')))['finished'], false);
    const refused = await flint('restore', place('more'), place('restored-more'));
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /is not finished. Run the same flint backup again/);
    await flintJson('backup', server.uri, place('more'), '--since', place('whole'));
    await flintJson('restore', place('more'), place('restored-more'));
  });

  it('keeps two tools at one target apart', async () => {
    const args = ['backup', server.uri, place('contended'), '--quiet'];
    const slow = spawn(FLINT, [...args, '--rate', '200k'], { stdio: 'ignore' });
    try {
      while (sizeOf(join(place('contended'), 'base.backup')) === 0) await pause(5);
      const second = await flint(...args);
      assert.equal(second.code, 1);
      assert.match(second.stderr, /another flint backup is writing to/);
    } finally {
      slow.kill('SIGKILL');
      await ended(slow);
    }
    // Nothing is left of a lock whose process was killed.
    await flintJson(...args.slice(0, -1));
  }).timeout(30_000);

  it('begins another file when one is full, and restores over all of them', async () => {
    const child = spawn(
      FLINT,
      ['backup', server.uri, place('rolled'), '--follow', '--fileSize', '1k', '--quiet'],
      { stdio: 'ignore' },
    );
    const files = (): string[] => {
      const directory = statSync(place('rolled'), { throwIfNoEntry: false });
      return directory === undefined ? [] : readdirSync(place('rolled'));
    };
    try {
      while (!files().includes('journal-0000000001.backup')) await pause(10);
      for (let n = 0; files().length < 4; n += 1) {
        const random = Array.from({ length: 40 }, () => Math.random());
        await server.client.db('other').collection('things').insertOne({ n, random });
        await pause(30);
      }
      const admin = server.client.db('admin');
      const { backup, commitNumber } = await admin.command({ backupOpen: 1 });
      await admin.command({ backupClose: backup });
      while ((await flintJson('verify', place('rolled')))['commitNumber'] !== commitNumber) {
        await pause(20);
      }
    } finally {
      child.kill('SIGTERM');
      await ended(child);
    }
    const now = await contentsOf(server.client);
    await flintJson('restore', place('rolled'), place('unrolled'));
    assert.deepEqual(await restored(place('unrolled')), now);
  }).timeout(30_000);

  it('says in a sentence that it cannot write, and that nobody reads', async () => {
    const nowhere = await flint('backup', server.uri, '/dev/null/x', '--quiet');
    assert.equal(nowhere.code, 1);
    assert.match(nowhere.stderr, /^flint: cannot write the backup to .*ENOTDIR.*\n$/);
    const child = spawn(FLINT, ['backup', server.uri, '-', '--quiet'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let said = '';
    child.stderr.on('data', (text: Buffer) => (said += text.toString()));
    child.stdout.destroy();
    assert.equal(await ended(child), 1);
    assert.match(said, /^flint: cannot write the backup to -: write EPIPE\n$/);
  }).timeout(30_000);

  it('says what was cut off a journal, and that a file is no backup', async () => {
    await cp(place('third'), place('cut'), { recursive: true });
    const file = join(place('cut'), 'journal-0000000001.backup');
    writeFileSync(file, readFileSync(file).subarray(0, -1));
    const verified = await flintJson('verify', place('cut'), '--base', place('second'));
    assert.deepEqual(
      (verified['cut'] as { file: string }[]).map((each) => each.file),
      [file],
    );
    writeFileSync(place('nothing'), '');
    const nothing = await flint('verify', place('nothing'));
    assert.deepEqual([nothing.code, /it holds nothing/.test(nothing.stderr)], [1, true]);
    const absent = await flint(
      'restore',
      place('full'),
      place('of-nothing'),
      '--nsInclude',
      'no.such',
    );
    assert.deepEqual([absent.code, /has no such namespace/.test(absent.stderr)], [1, true]);
  });

  it('says what is wrong with how it is used', async () => {
    const cases: readonly (readonly [readonly string[], number, RegExp])[] = [
      [['backup'], 2, /needs uri/],
      [['backup', server.uri, place('x'), '--rate', 'fast'], 2, /--rate needs bytes per second/],
      [['backup', server.uri, '-', '--json'], 2, /exclude each other/],
      [['backup', server.uri, place('x'), '--format', 'tar'], 2, /flintdb or mongodump/],
      [['backup', server.uri, place('x'), '--gzip'], 2, /--gzip is for --format mongodump/],
      [['backup', server.uri, place('x'), '--since', place('nowhere')], 1, /is no backup/],
      [['restore', place('nowhere'), place('x')], 1, /is no backup/],
      [['restore', place('full'), place('x'), '--format', 'mongodump'], 2, /connection string/],
    ];
    for (const [args, code, sentence] of cases) {
      const { code: actual, stderr } = await flint(...args);
      assert.equal(actual, code, `${args.join(' ')}: ${stderr}`);
      assert.match(stderr, sentence);
    }
    for (const name of ['backup', 'restore', 'verify']) {
      const { stdout } = await flint(name, '--help');
      assert.match(stdout, /Examples:/);
      assert.match(stdout, /Exit code/);
    }
  }).timeout(30_000);
});

/** Time of the last commit, as --to takes it. */
async function timeOf(client: MongoClient): Promise<{ operationTime: string }> {
  const { timestamp } = await client.db('admin').command({ backupOpen: 1 });
  assert.ok(timestamp instanceof Timestamp);
  return { operationTime: `${timestamp.getHighBitsUnsigned()}.${timestamp.getLowBitsUnsigned()}` };
}

function ended(child: ReturnType<typeof spawn>): Promise<number | null> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve(child.exitCode);
    else child.once('exit', (code) => resolve(code));
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
