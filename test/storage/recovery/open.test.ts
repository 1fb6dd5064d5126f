import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import { documentOf } from '../../../bson/index.ts';
import { CorruptionError } from '../../../common/errors.ts';
import { openEngine } from '../../../storage/index.ts';
import { lockDbpath } from '../../../storage/recovery/dbpath-lock.ts';
import { A_INDEX, createCollection, insert, scan, withDirectory } from '../engine/fixture.ts';

async function fill(dbpath: string): Promise<void> {
  const engine = await openEngine({ dbpath, checkpointIntervalMs: 0 });
  const collection = createCollection(engine, 'test.a', A_INDEX);
  for (let id = 0; id < 100; id += 1) insert(engine, collection, documentOf({ _id: id, a: id }));
  await engine.close();
}

function isKind(kind: string, part: RegExp) {
  return (error: unknown): boolean =>
    error instanceof CorruptionError && error.kind === kind && part.test(error.message);
}

describe('Opening a store', () => {
  it('finds what was closed, and what was written after the last checkpoint', async () => {
    await withDirectory(async (dbpath) => {
      await fill(dbpath);
      const engine = await openEngine({ dbpath, checkpointIntervalMs: 0 });
      const view = engine.snapshot();
      const collection = view.collection('test.a');
      assert.ok(collection !== undefined);
      assert.equal((await scan(view, collection, 'a')).length, 100);
      view.close();
      const { recordId } = insert(engine, collection, documentOf({ _id: 100, a: 100 }));
      assert.ok(recordId > 100, 'a record id is used once');
      await engine.close();
    });
  });

  it('names and refuses an index store that is gone or empty', async () => {
    await withDirectory(async (dbpath) => {
      await fill(dbpath);
      await truncate(join(dbpath, 'index.lmdb'), 0);
      await assert.rejects(openEngine({ dbpath }), isKind('missing', /index store/));
      await rm(join(dbpath, 'index.lmdb'));
      await assert.rejects(openEngine({ dbpath }), isKind('missing', /index store/));
    });
  });

  it('names and refuses a block store that is gone', async () => {
    await withDirectory(async (dbpath) => {
      await fill(dbpath);
      await rm(join(dbpath, 'blocks.flint'));
      await assert.rejects(openEngine({ dbpath }), isKind('missing', /block store/));
    });
  });

  it('names and refuses a journal that is gone', async () => {
    await withDirectory(async (dbpath) => {
      await fill(dbpath);
      await rm(join(dbpath, 'journal'), { recursive: true });
      await assert.rejects(openEngine({ dbpath }), isKind('missing', /journal/));
    });
  });

  it('names and refuses a part of another store', async () => {
    await withDirectory(async (dbpath) => {
      const other = join(dbpath, 'other');
      const own = join(dbpath, 'own');
      await mkdir(other);
      await mkdir(own);
      await fill(other);
      await fill(own);
      await rm(join(own, 'index.lmdb'));
      const { copyFile } = await import('node:fs/promises');
      await copyFile(join(other, 'index.lmdb'), join(own, 'index.lmdb'));
      await assert.rejects(openEngine({ dbpath: own }), isKind('foreign', /index store/));
    });
  });
});

describe('A dbpath', () => {
  it('is refused to a second process, with the first one’s pid', async () => {
    await withDirectory(async (dbpath) => {
      const lock = await lockDbpath(dbpath);
      await assert.rejects(lockDbpath(dbpath), (error) => {
        assert.match(String(error), new RegExp(`pid ${process.pid}`));
        return true;
      });
      await lock.release();
      await (await lockDbpath(dbpath)).release();
    });
  });

  it('is free again after kill -9, also when its path is longer than a socket’s may be', async () => {
    await withDirectory(async (directory) => {
      const dbpath = join(directory, 'x'.repeat(200));
      await mkdir(dbpath);
      const holder = new URL('./hold-lock.ts', import.meta.url);
      const child = spawn(process.execPath, ['--import', 'tsx', holder.pathname, dbpath], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      await once(child.stdout, 'data');
      await assert.rejects(lockDbpath(dbpath), new RegExp(`pid ${child.pid}`));
      child.kill('SIGKILL');
      await once(child, 'exit');
      const lock = await lockDbpath(dbpath);
      assert.equal(
        (await readFile(join(dbpath, 'flintd.pid'), 'utf8')).trim(),
        String(process.pid),
      );
      await lock.release();
    });
  });
});
