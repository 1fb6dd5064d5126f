/**
 * `flint backup` and `flint restore` with --format mongodump: out of one server, into another, and nothing is lost.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  removeTemporaryDirectory,
  runToEnd,
  temporaryDirectory,
  type Finished,
} from '../support/programs.ts';
import { contentsOf } from '../support/server-contents.ts';
import { serverForTests } from '../support/test-server.ts';
import { fillWithVariedData, LONG_NAME } from '../support/varied-data.ts';

const FLINT = fileURLToPath(new URL('../../bin/flint', import.meta.url));

describe("flint backup and restore in mongodump's format", function () {
  this.timeout(60_000);
  const source = serverForTests();
  const target = serverForTests();
  let directory = '';
  before('fill the source', async () => {
    directory = temporaryDirectory();
    await fillWithVariedData(source.client.db('shop'));
    await source.client.db('other').collection('c').insertOne({ a: 1 });
  });
  after(() => removeTemporaryDirectory(directory));

  const flint = (...args: string[]): Promise<Finished> =>
    runToEnd([...args, '--format', 'mongodump'], { program: 'flint' });
  const backup = async (name: string, ...args: string[]): Promise<string> => {
    const path = join(directory, name);
    if (existsSync(path)) return path;
    const { code, stderr } = await flint('backup', source.uri, path, ...args);
    assert.equal(code, 0, stderr);
    return path;
  };
  const roundTrip = async (path: string): Promise<void> => {
    const { code, stderr } = await flint('restore', path, target.uri, '--force');
    assert.equal(code, 0, stderr);
    assert.match(stderr, /2,569 documents restored, 0 refused/);
    assert.deepEqual(await contentsOf(target.client), await contentsOf(source.client));
  };

  for (const [name, ...options] of [
    ['plain'],
    ['packed', '--gzip'],
    ['archive', '--archive'],
    ['archive.gz', '--archive', '--gzip'],
  ]) {
    it(`bring everything back through ${name}`, async () =>
      roundTrip(await backup(name, ...options)));
  }

  it('lay files down as mongodump names them', async () => {
    const path = await backup('plain');
    assert.deepEqual(readdirSync(path).sort(), ['other', 'prelude.json', 'shop']);
    const { ServerVersion } = JSON.parse(readFileSync(join(path, 'prelude.json'), 'utf8'));
    assert.match(ServerVersion, /^8\.0\./);
    const long = readdirSync(join(path, 'shop')).find(
      (name) => name.startsWith('nnnn') && name.endsWith('.bson'),
    );
    assert.equal(long, `${LONG_NAME.replaceAll('!', '%21').slice(0, 208)}%24${long?.slice(211)}`);
    assert.deepEqual(
      readdirSync(join(path, 'shop'))
        .filter((name) => !name.startsWith('nnnn'))
        .sort(),
      [
        'a%2Fb%20%25%C3%BC.bson',
        'a%2Fb%20%25%C3%BC.metadata.json',
        'cheap.metadata.json',
        'clustered.bson',
        'clustered.metadata.json',
        'items.bson',
        'items.metadata.json',
        'log.bson',
        'log.metadata.json',
        'places.bson',
        'places.metadata.json',
        'system.buckets.weather.bson',
        'weather.metadata.json',
      ],
    );
    const metadata = JSON.parse(readFileSync(join(path, 'shop/items.metadata.json'), 'utf8'));
    assert.deepEqual(Object.keys(metadata), [
      'options',
      'indexes',
      'uuid',
      'collectionName',
      'type',
    ]);
    assert.deepEqual(metadata.indexes[0].key, { _id: { $numberInt: '1' } });
  });

  it('go through a pipe', async () => {
    const format = '--format mongodump --quiet';
    const line = `"$0" "$1" backup ${source.uri} - ${format} | "$0" "$1" restore - ${target.uri} ${format} --force`;
    const child = spawn('sh', ['-c', line, process.execPath, FLINT], { stdio: 'inherit' });
    const [code] = await once(child, 'close');
    assert.equal(code, 0);
    assert.deepEqual(await contentsOf(target.client), await contentsOf(source.client));
  });

  it('take the namespaces that are asked for', async () => {
    await target.client.db('other').dropDatabase();
    const path = await backup('archive', '--archive');
    const { code, stderr } = await flint('restore', path, target.uri, '--nsInclude', 'other.*');
    assert.equal(code, 0, stderr);
    assert.equal(await target.client.db('other').collection('c').countDocuments(), 1);
  });

  it('write over nothing that is there', async () => {
    const path = await backup('plain');
    const again = await flint('backup', source.uri, path);
    assert.equal(again.code, 1);
    assert.match(again.stderr, /plain is not empty; it is not overwritten/);
    const before = await contentsOf(target.client);
    const restored = await flint('restore', path, target.uri);
    assert.equal(restored.code, 1);
    assert.match(
      restored.stderr,
      /are there already\. Nothing was written\. With --force they are dropped first/,
    );
    assert.deepEqual(await contentsOf(target.client), before);
  });

  it('name what is damaged', async () => {
    const path = await backup('cut', '--archive');
    truncateSync(path, 5000);
    await target.client.db('shop').collection('mine').insertOne({ a: 1 });
    await target.client.db('other').collection('c').replaceOne({}, { a: 2 }, { upsert: true });
    const before = await contentsOf(target.client);
    const cut = await flint('restore', path, target.uri, '--force');
    assert.equal(cut.code, 1);
    assert.match(cut.stderr, /cut at offset \d+ ends after \d+ of \d+ bytes/);
    // It was to be dropped and filled: not by a dump that is none.
    assert.deepEqual(await contentsOf(target.client), before);
    const text = join(directory, 'text');
    writeFileSync(text, 'some text');
    const { code, stderr } = await flint('restore', text, target.uri);
    assert.deepEqual([code, stderr], [1, `flint: ${text} is no archive of mongodump.\n`]);
  });
});
