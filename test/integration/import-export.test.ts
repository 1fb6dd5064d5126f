/**
 * `flint import` and `flint export` against a running server.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import {
  removeTemporaryDirectory,
  runToEnd,
  temporaryDirectory,
  type Finished,
} from '../support/programs.ts';
import { contentsOf } from '../support/server-contents.ts';
import { serverForTests } from '../support/test-server.ts';
import { fillWithVariedData } from '../support/varied-data.ts';

const FLINT = fileURLToPath(new URL('../../bin/flint', import.meta.url));

describe('flint import and export', function () {
  this.timeout(60_000);
  const server = serverForTests();
  let directory = '';
  before(() => {
    directory = temporaryDirectory();
  });
  after(() => removeTemporaryDirectory(directory));

  const flint = (command: string, database: string, ...args: string[]): Promise<Finished> =>
    runToEnd([command, `${server.uri}${database}`, ...args], { program: 'flint' });
  const file = (name: string, content: string | Buffer): string => {
    const path = join(directory, name);
    writeFileSync(path, content);
    return path;
  };
  /** Runs flint with something on its standard input. */
  const piped = async (args: string[], input: string | Buffer): Promise<Finished> => {
    const child = spawn(process.execPath, [FLINT, ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
    const printed = { stdout: '', stderr: '' };
    child.stdout.on('data', (text: Buffer) => (printed.stdout += text.toString()));
    child.stderr.on('data', (text: Buffer) => (printed.stderr += text.toString()));
    child.stdin.end(input);
    const [code] = await once(child, 'close');
    return { code, signal: null, ...printed };
  };

  for (const [name, ...options] of [
    ['items.json', '--jsonFormat', 'canonical'],
    ['items.json', '--jsonFormat', 'canonical', '--jsonArray'],
    ['items.json', '--jsonFormat', 'canonical', '--pretty'],
    ['items.bson'],
    ['items.bson.gz', '--gzip'],
  ]) {
    it(`bring everything back through ${name} ${options.join(' ')}`, async () => {
      const db = server.freshDatabase();
      await fillWithVariedData(db);
      const path = join(directory, name);
      const exported = await flint(
        'export',
        db.databaseName,
        '-c',
        'items',
        '--out',
        path,
        '--force',
        ...options,
      );
      assert.deepEqual([exported.code, exported.stdout], [0, ''], exported.stderr);
      const arrays = options.filter((option) => option === '--jsonArray');
      const imported = await flint(
        'import',
        `${db.databaseName}_again`,
        path,
        '-c',
        'items',
        '--json',
        ...arrays,
      );
      assert.equal(imported.code, 0, imported.stderr);
      assert.equal(JSON.parse(imported.stdout).inserted, 2_501);
      const contents = await contentsOf(server.client);
      assert.deepEqual(
        contents[`${db.databaseName}_again.items`]?.documents,
        contents[`${db.databaseName}.items`]?.documents,
      );
    });
  }

  it('write what a query finds, sorted, to standard output and nothing else', async () => {
    const db = server.freshDatabase();
    await db
      .collection<{ _id: number }>('c')
      .insertMany([1, 2, 3, 4].map((_id) => ({ _id, a: { b: _id } })));
    const query = [
      '--query',
      '{"_id":{"$gt":1}}',
      '--sort',
      '{"_id":-1}',
      '--skip',
      '1',
      '--limit',
      '1',
    ];
    const { code, stdout } = await flint('export', db.databaseName, '-c', 'c', ...query);
    assert.deepEqual([code, stdout], [0, '{"_id":3,"a":{"b":3}}\n']);
    const csv = await flint(
      'export',
      db.databaseName,
      '-c',
      'c',
      ...query,
      '--type',
      'csv',
      '-f',
      'a.b,_id',
    );
    assert.equal(csv.stdout, 'a.b,_id\n3,3\n');
  });

  it('name what the server refuses by its line, and write the others', async () => {
    const db = server.freshDatabase();
    const path = file('twice.json', '{"_id":1}\n\n{"_id":2}\n{"_id":1}\n{"_id":3}\n');
    const { code, stderr } = await flint('import', db.databaseName, path);
    assert.equal(code, 1);
    assert.match(
      stderr,
      /^line 4: E11000 duplicate key error[^\n]*\n3 documents imported, 1 refused\.\n$/,
    );
    const stopped = await flint('import', db.databaseName, path, '-c', 'other', '--stopOnError');
    assert.equal(stopped.code, 1);
    assert.equal(await db.collection('other').countDocuments(), 2);
  });

  it('stop at what cannot be read, with its line, and keep what came before', async () => {
    const db = server.freshDatabase();
    const { code, stderr } = await flint(
      'import',
      db.databaseName,
      file('bad.json', '{"_id":1}\n{"_id":\n}\n'),
    );
    assert.equal(code, 1);
    assert.match(stderr, /1 document imported, 0 refused\.\nflint: line 2: /);
  });

  it('take the modes of mongoimport', async () => {
    const db = server.freshDatabase();
    const items = db.collection('items');
    await items.insertMany([
      { sku: 'a', n: 1, kept: true },
      { sku: 'b', n: 2 },
    ]);
    const path = file('items.json', '{"sku":"a","n":10}\n{"sku":"c","n":30}\n{"other":1}\n');
    const found = async () =>
      items
        .find({}, { projection: { _id: 0 } })
        .sort({ sku: 1 })
        .toArray();
    const merged = await flint(
      'import',
      db.databaseName,
      path,
      '--mode',
      'merge',
      '--upsertFields',
      'sku',
      '--json',
    );
    assert.equal(merged.code, 0, merged.stderr);
    assert.deepEqual(JSON.parse(merged.stdout), {
      inserted: 1,
      matched: 1,
      modified: 1,
      upserted: 1,
      deleted: 0,
      refused: 0,
      skipped: 0,
    });
    assert.deepEqual(await found(), [
      { other: 1 },
      { sku: 'a', n: 10, kept: true },
      { sku: 'b', n: 2 },
      { sku: 'c', n: 30 },
    ]);
    await flint(
      'import',
      db.databaseName,
      file('one.json', '{"sku":"a","n":11}'),
      '-c',
      'items',
      '--upsertFields',
      'sku',
    );
    assert.deepEqual((await found())[1], { sku: 'a', n: 11 });
    const deleted = await flint(
      'import',
      db.databaseName,
      path,
      '--mode',
      'delete',
      '--upsertFields',
      'sku',
    );
    assert.equal(deleted.code, 1);
    assert.match(
      deleted.stderr,
      /left out: line 3: it has none of the fields sku\n2 documents deleted, 1 left out, 0 refused/,
    );
    assert.deepEqual(await found(), [{ other: 1 }, { sku: 'b', n: 2 }]);
  });

  it('read standard input, packed or not, and drop what was there', async () => {
    const db = server.freshDatabase();
    await db.collection('c').insertOne({ old: true });
    const args = [
      'import',
      `${server.uri}${db.databaseName}`,
      '-c',
      'c',
      '--type',
      'csv',
      '--headerline',
      '--drop',
    ];
    for (const csv of ['a,b\n1,x\n', gzipSync('a,b\n1,x\n')]) {
      const { code, stderr } = await piped(args, csv);
      assert.equal(code, 0, stderr);
      const documents = await db
        .collection('c')
        .find({}, { projection: { _id: 0 } })
        .toArray();
      assert.deepEqual(documents, [{ a: 1, b: 'x' }]);
    }
  });

  it('stay within memory, however much there is', async function () {
    this.timeout(60_000);
    const db = server.freshDatabase();
    const path = join(directory, 'large.json');
    const line = `{"text":"${'x'.repeat(1000)}"}\n`;
    writeFileSync(path, line.repeat(60_000));
    const args = [
      '--max-old-space-size=48',
      FLINT,
      'import',
      `${server.uri}${db.databaseName}`,
      path,
      '--quiet',
    ];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
    const [code] = await once(child, 'close');
    assert.equal(code, 0);
    assert.equal(await db.collection('large').countDocuments(), 60_000);
  });

  const refused: [args: string[], message: RegExp][] = [
    [
      ['import', '--mode', 'update'],
      /--mode is one of insert, upsert, merge, delete, not 'update'/,
    ],
    [['import', '--mode', 'insert', '--upsertFields', 'a'], /do not go together/],
    [['import', '-c', 'c', '--headerline'], /--headerline is for --type csv and tsv, not json/],
    [['import', '-c', 'c', '--type', 'csv'], /--headerline, --fields or --fieldFile/],
    [
      ['import', '-c', 'c', '--type', 'csv', '--headerline', '--fields', 'a'],
      /--headerline and --fields do not go together/,
    ],
    [['import', '-c', 'c', '--legacy'], /--legacy: Extended JSON of version 1/],
    [['import', '-c', 'c', '--host', 'x'], /--host: say it in the connection string/],
    [['import', '-c', 'c', '--tls', 'x'], /--tls: say it in the connection string/],
    [['import', '-d', 'a.b', '-c', 'c'], /--db: 'a\.b' is no name/],
    [
      ['import', '-c', 'c', '--jsonArry'],
      /There is no option --jsonArry\. Did you mean --jsonArray\?/,
    ],
    [['import', '-c', 'c', '--writeConcern', '{"x":1}'], /--writeConcern has no field 'x'/],
    [['import'], /needs --collection/],
    [['export'], /needs --collection/],
    [['export', '-c', 'c', '--type', 'csv'], /--type csv needs --fields or --fieldFile/],
    [['export', '-c', 'c', '--query', '{a:1}'], /--query is no Extended JSON/],
    [['export', '-c', 'c', '--sort', '{"a":"x"}'], /--sort: 'a' is sorted by 1 or -1/],
    [['export', '-c', 'c', '--type', 'bson', '--pretty'], /--pretty is not for --type bson/],
    [['export', '-c', 'c', '--forceTableScan'], /--forceTableScan: a collection is read/],
    [['export', 'http//x', '-c', 'c'], /'http\/\/x' is no connection string/],
  ];
  for (const [args, message] of refused) {
    it(`refuse ${args.join(' ')}`, async () => {
      const { code, stdout, stderr } = await runToEnd(args, { program: 'flint' });
      assert.deepEqual([code, stdout], [2, '']);
      assert.match(stderr, message);
    });
  }

  it('leave no part of a file behind that could not be written to its end', async () => {
    const halves = server.client.db('halves').collection<{ _id: number; n: number }>('c');
    const documents = Array.from({ length: 500 }, (_, _id) => ({ _id, n: _id === 450 ? 0 : 1 }));
    await halves.insertMany(documents);
    const query = JSON.stringify({ $expr: { $gt: [{ $divide: [1, '$n'] }, 0] } });
    const path = file('whole.json', 'mine');
    const args = ['-c', 'c', '--query', query, '--out', path, '--force', '--quiet'];
    const { code, stderr } = await flint('export', 'halves', ...args);
    assert.equal(code, 1);
    assert.match(stderr, /divide by zero/);
    assert.equal(readFileSync(path, 'utf8'), 'mine');
    const left = readdirSync(directory).filter((name) => name.endsWith('.unfinished'));
    assert.deepEqual(left, []);
  });

  it('do not write over a file, and say when a collection is not there', async () => {
    const path = file('there.json', 'mine');
    const { code, stderr } = await flint('export', 'nothing', '-c', 'c', '--out', path);
    assert.equal(code, 1);
    assert.match(stderr, /there\.json is there already; it is not overwritten/);
    assert.equal(readFileSync(path, 'utf8'), 'mine');
    const missing = await flint('export', 'nothing', '-c', 'c', '--assertExists');
    assert.deepEqual(
      [missing.code, missing.stderr],
      [1, 'flint: there is no collection nothing.c.\n'],
    );
  });
});
