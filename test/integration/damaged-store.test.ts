import assert from 'node:assert/strict';
import { openSync, closeSync, readSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, it } from 'mocha';
import { MongoClient } from 'mongodb';
import { Program, runToEnd } from '../support/programs.ts';

describe('A store that is damaged', () => {
  let flintd: Program | undefined;
  let client: MongoClient | undefined;

  afterEach(async () => {
    await client?.close();
    await flintd?.dispose();
  });

  async function startWithData(): Promise<Program> {
    const program = await Program.start();
    flintd = program;
    client = await new MongoClient(program.uri).connect();
    // Uncompressed, so that a text can be found in its page.
    const collection = await client.db('test').createCollection('c', {
      storageEngine: { wiredTiger: { configString: 'block_compressor=none' } },
    });
    await collection.createIndex({ a: 1 });
    await collection.createIndex({ '$**': 'text' });
    const documents = Array.from({ length: 500 }, (_, a) => ({
      a,
      text: `word${a}`,
      pad: 'x'.repeat(500),
    }));
    await collection.insertMany(documents);
    await client.db('admin').command({ fsync: 1 });
    await collection.deleteMany({ a: { $lt: 100 } });
    await collection.updateMany(
      { a: { $gte: 400 } },
      { $set: { changed: true } },
      { writeConcern: { j: true } },
    );
    return program;
  }

  it('is named when the server starts, reported by flint verify, and mended by flint repair', async () => {
    const program = await startWithData();
    await client?.close();
    await program.kill();
    const { dbpath } = program;
    rmSync(join(dbpath, 'index.lmdb'));

    const refused = await runToEnd(['--dbpath', dbpath, '--port', '0']);
    assert.equal(refused.code, 100);
    assert.match(
      refused.stderr,
      /index store: .* is missing, empty, or without its identity record/,
    );
    assert.match(refused.stderr, /"flint repair .*" brings back what can be/);

    const verified = await runToEnd(['verify', dbpath, '--json'], { program: 'flint' });
    assert.equal(verified.code, 4, verified.stderr);
    const report = JSON.parse(verified.stdout) as { sound: boolean; findings: { file: string }[] };
    assert.equal(report.sound, false);
    assert.deepEqual(
      report.findings.map(({ file }) => file),
      ['index.lmdb'],
    );

    const unasked = await runToEnd(['repair', dbpath], { program: 'flint' });
    assert.equal(unasked.code, 1);
    assert.match(unasked.stderr, /say --yes/);

    const repaired = await runToEnd(['repair', dbpath, '--yes'], { program: 'flint' });
    assert.equal(repaired.code, 0, repaired.stderr);
    assert.match(repaired.stdout, /Nothing was lost/);
    const sound = await runToEnd(['verify', dbpath], { program: 'flint' });
    assert.equal(sound.code, 0, sound.stdout);
    assert.match(sound.stdout, /Sound\./);

    await program.restart();
    client = await new MongoClient(program.uri).connect();
    const collection = client.db('test').collection('c');
    assert.equal(await collection.countDocuments({}), 400);
    assert.equal(await collection.countDocuments({ a: { $gte: 450 } }), 50);
    assert.equal(await collection.countDocuments({ changed: true }), 100);
    assert.equal(await collection.countDocuments({ $text: { $search: 'word321' } }), 1);
    const names = (await collection.indexes()).map(({ name }) => name);
    assert.deepEqual(names, ['_id_', 'a_1', '$**_text']);
    const validated = await client.db('test').command({ validate: 'c', full: true });
    assert.equal(validated['valid'], true);
    const running = await runToEnd(['verify', dbpath], { program: 'flint' });
    assert.equal(running.code, 1);
    assert.match(running.stderr, /already running/);
  });

  it('loses the documents of a rotten page to reads that need them, by an error that names them, and no others', async () => {
    const program = await startWithData();
    await client?.db('admin').command({ fsync: 1 });
    await client?.close();
    await program.stop();
    rot(join(program.dbpath, 'blocks.flint'), 'word321');

    await program.restart();
    client = await new MongoClient(program.uri).connect();
    const collection = client.db('test').collection('c');
    await assert.rejects(collection.findOne({ a: 321 }), (error: Error & { code?: number }) => {
      assert.equal(error.code, 301);
      assert.match(error.message, /test\.c, record \d+: blocks\.flint, offset \d+: .*\(checksum\)/);
      return true;
    });
    await assert.rejects(collection.find().toArray(), { code: 301 });
    assert.equal((await collection.findOne({ a: 450 }))?.['text'], 'word450');
    assert.equal(await collection.countDocuments({ a: { $gte: 450 } }), 50);
    await collection.insertOne({ a: 1000 });
    assert.equal(await collection.countDocuments({ a: 1000 }), 1);
    const report = await client.db('test').command({ validate: 'c', full: true });
    assert.equal(report['valid'], false);
    assert.ok(report['corruptRecords'].length > 0);
    assert.deepEqual(report['missingIndexEntries'], []);
    assert.deepEqual(report['extraIndexEntries'], []);
    await client.close();
    await program.stop();

    const repaired = await runToEnd(['repair', program.dbpath, '--yes', '--json'], {
      program: 'flint',
    });
    assert.equal(repaired.code, 4, repaired.stderr);
    const { lost } = JSON.parse(repaired.stdout) as {
      lost: { namespace: string; recordIds: number[] }[];
    };
    assert.equal(lost[0]?.namespace, 'test.c');
    assert.equal(lost[0]?.recordIds.length, report['corruptRecords'].length);
    await program.restart();
    client = await new MongoClient(program.uri).connect();
    const documents = await client.db('test').collection('c').find().toArray();
    assert.equal(documents.length, 401 - report['corruptRecords'].length);
  });

  it('is found by the scrub, which shows its progress and can be slowed, hastened and switched off', async () => {
    const program = await startWithData();
    await client?.db('admin').command({ fsync: 1 });
    const admin = client!.db('admin');
    await admin.command({ setParameter: 1, scrubMegabytesPerSecond: 0.1 });
    await admin.command({ setParameter: 1, scrubIntervalSecs: 1 });
    const isScrub = { desc: 'internal', msg: /^Scrub: / };
    const shown = await eventually(async () => {
      const { inprog } = await admin.command({ currentOp: 1, ...isScrub });
      return inprog[0] as { ns: string; progress: { total: number } } | undefined;
    });
    assert.match(shown.ns, /\w+\.\w+/);
    assert.ok(shown.progress.total > 1000);
    await admin.command({ setParameter: 1, scrubEnabled: false });
    await eventually(async () => {
      const { inprog } = await admin.command({ currentOp: 1, ...isScrub });
      return inprog.length === 0 ? true : undefined;
    });
    await admin.command({ setParameter: 1, scrubMegabytesPerSecond: 1000 });
    await admin.command({ setParameter: 1, scrubEnabled: true });
    const scrub = async (): Promise<Record<string, unknown>> =>
      (await admin.command({ serverStatus: 1 }))['flintdb'].scrub;
    await eventually(async () => (Number((await scrub())['passes']) > 0 ? true : undefined));
    assert.equal(Number((await scrub())['errors']), 0);
    rot(join(program.dbpath, 'blocks.flint'), 'word321');
    const found = await eventually(async () => {
      const status = await scrub();
      return Number(status['lastPassErrors']) > 0 ? status : undefined;
    });
    assert.ok(found['lastPassEnded'] instanceof Date);
    const { log } = await admin.command({ getLog: 'startupWarnings' });
    assert.match(log.join('\n'), /scrub found damage in test\.c: .*blocks\.flint, offset \d+/);
  });
});

/** Asks until there is an answer. */
async function eventually<T>(ask: () => Promise<T | undefined>): Promise<T> {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('there was no answer in 10 s');
}

/** Flips a bit within the newest page that holds some text. */
function rot(path: string, text: string): void {
  const file = openSync(path, 'r+');
  const bytes = Buffer.alloc(64 * 1024 * 1024);
  const length = readSync(file, bytes, 0, bytes.length, 0);
  const found = bytes.subarray(0, length);
  if (!found.includes(text)) throw new Error(`${text} stands nowhere in ${path}`);
  for (let at = found.indexOf(text); at >= 0; at = found.indexOf(text, at + 1)) {
    writeSync(file, Buffer.of(found[at] ^ 1), 0, 1, at);
  }
  closeSync(file);
}
