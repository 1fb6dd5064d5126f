/**
 * The code that V8 made of the programs and that starts are sped up with: kept beside the bundle, and never trusted blindly.
 */
import assert from 'node:assert/strict';
import {
  chmodSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join, relative } from 'node:path';
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { MongoClient } from 'mongodb';
import {
  Program,
  removeTemporaryDirectory,
  runToEnd,
  temporaryDirectory,
} from '../support/programs.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

describe('the code kept of the programs', () => {
  let copy = '';
  let programs = '';

  before('copy what is installed', () => {
    copy = temporaryDirectory();
    programs = join(copy, 'dist/programs');
    for (const path of ['bin', 'dist/programs']) {
      cpSync(join(ROOT, path), join(copy, path), {
        recursive: true,
        filter: (name) => !/\.(?:map|code)$/.test(name),
      });
    }
    writeFileSync(join(copy, 'package.json'), '{ "type": "module" }');
    symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
  });
  after(() => removeTemporaryDirectory(copy));

  /** As programs are named: from the starters of the tree. */
  const flintd = (): string => relative(join(ROOT, 'bin'), join(copy, 'bin/flintd'));
  const kept = (): string[] => readdirSync(programs).filter((name) => name.includes('.code'));

  /** Starts a server, has it answer, and waits a little with it. */
  async function serve(waitMs = 0): Promise<void> {
    const program = await Program.start({
      program: flintd(),
      args: ['--testing'],
    });
    const client = await new MongoClient(program.uri).connect();
    try {
      await client.db('a').collection('b').insertOne({ a: 1 });
      assert.equal(
        await client
          .db('a')
          .collection('b')
          .countDocuments({ a: { $gt: 0 } }),
        1,
      );
      const endMs = performance.now() + waitMs;
      while (performance.now() < endMs && kept().length === 0) {
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    } finally {
      await client.close();
      await program.stop();
    }
  }

  it('is there after the first start, whole, and one file for the same settings of Node', async () => {
    assert.deepEqual(kept(), []);
    await serve(8000);
    assert.equal(kept().length, 1);
    const before = readFileSync(join(programs, kept()[0] ?? ''));
    assert.ok(before.length > 500_000, String(before.length));
    await serve();
    assert.deepEqual(readFileSync(join(programs, kept()[0] ?? '')), before);
  });

  it('is as none when it is damaged, cut short, or what another program left there', async () => {
    const path = join(programs, kept()[0] ?? '');
    const whole = readFileSync(path);
    const flipped = Buffer.from(whole);
    flipped[100_000]! ^= 4;
    for (const content of [flipped, whole.subarray(0, 5000), Buffer.alloc(0), Buffer.from('x')]) {
      writeFileSync(path, content);
      const { code, stdout } = await runToEnd(['--version'], { program: flintd() });
      assert.equal(code, 0);
      assert.match(stdout, /^flintd v/);
    }
    writeFileSync(path, whole);
  });

  it('is of one bundle: a program that changed runs as it is now, not as it was', async () => {
    const bundle = join(programs, 'programs.js');
    const text = readFileSync(bundle, 'utf8');
    assert.match(text, /speaks as MongoDB/);
    // As an upgrade does: another bundle, and the loader that was made for it.
    const loader = join(programs, 'load-programs.js');
    const before = readFileSync(loader, 'utf8');
    writeFileSync(bundle, text.replaceAll('speaks as MongoDB', 'SPEAKS AS MongoDB'));
    writeFileSync(loader, before.replace(/"[0-9a-f]{16}"/, '"0123456789abcdef"'));
    const { stdout } = await runToEnd(['--version'], { program: flintd() });
    assert.match(stdout, /SPEAKS AS/);
    writeFileSync(bundle, text);
    writeFileSync(loader, before);
  });

  it('is not missed where nothing can be written', async () => {
    const folder = join(copy, 'locked');
    mkdirSync(folder);
    cpSync(programs, join(folder, 'programs'), {
      recursive: true,
      filter: (name) => !/code/.test(name),
    });
    chmodSync(join(folder, 'programs'), 0o555);
    const { status, stdout } = spawnSync(
      process.execPath,
      [join(folder, 'programs/flintd.js'), '--version'],
      { encoding: 'utf8' },
    );
    assert.equal(status, 0);
    assert.match(stdout, /^flintd v/);
    chmodSync(join(folder, 'programs'), 0o755);
  });
});
