/**
 * A real disk that fails LMDB's own commit: a file system on a loop device whose backing file has no room left, so that what LMDB
 * wrote cannot be made durable although the file system says that there is plenty of space.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { documentOf } from '../../../bson/index.ts';
import { uninterruptible } from '../../../common/interruption.ts';
import { SeededRandom } from '../../../common/random.ts';
import { openEngine, type StorageEngine } from '../../../storage/index.ts';
import { temporaryDirectory, removeTemporaryDirectory } from '../../support/programs.ts';
import { A_INDEX, createCollection, describe as collectionOf, insert } from '../engine/fixture.ts';

const KEY_BYTES = 400;

/** A file system of 64 MiB, of which only what it has written takes memory. */
class LoopDisk {
  private readonly root = temporaryDirectory();
  private readonly backing = join(this.root, 'backing');
  private readonly filler = join(this.backing, 'filler');
  readonly path = join(this.root, 'disk');
  private device = '';

  /** @returns false where that is not allowed */
  mount(): boolean {
    try {
      mkdirSync(this.backing);
      mkdirSync(this.path);
      run('mount', '-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', this.backing);
      const image = join(this.backing, 'image');
      run('truncate', '-s', '64m', image);
      // Without a journal of its own, which would make it read-only at the first error.
      run('mke2fs', '-q', '-t', 'ext4', '-O', '^has_journal', image);
      this.device = run('losetup', '-f', '--show', image).trim();
      run('mount', this.device, this.path);
      return true;
    } catch {
      return false;
    }
  }

  fail(): void {
    for (const bytes of [64 * 1024, 4096]) {
      try {
        for (;;) writeFileSync(this.filler, Buffer.alloc(bytes, 1), { flag: 'a' });
      } catch {
        // Full.
      }
    }
  }

  heal(): void {
    rmSync(this.filler, { force: true });
  }

  unmount(): void {
    this.heal();
    for (const [command, ...args] of [
      ['umount', '-l', this.path],
      ['losetup', '-d', this.device],
      ['umount', '-l', this.backing],
    ]) {
      try {
        run(command, ...args);
      } catch {
        // It was never there.
      }
    }
    removeTemporaryDirectory(this.root);
  }
}

function run(command: string, ...args: readonly string[]): string {
  return execFileSync(command, args, { stdio: ['ignore', 'pipe', 'ignore'] }).toString();
}

describe('A disk that fails LMDB’s commit', function () {
  this.timeout(30_000);
  let disk: LoopDisk;
  let dbpath: string;
  let failures: Error[];
  let documents: number;
  const random = new SeededRandom(9);

  beforeEach(async function () {
    failures = [];
    documents = 0;
    dbpath = temporaryDirectory();
    disk = new LoopDisk();
    if (!disk.mount()) {
      console.log('      not tested: a loop device is not allowed here');
      this.skip();
    }
    const engine = await open();
    createCollection(engine, 'test.a', A_INDEX);
    await insertSome(engine, 500);
    await engine.close();
    // The index store alone lies on the failing disk.
    const path = join(dbpath, 'index.lmdb');
    run('cp', path, join(disk.path, 'index.lmdb'));
    renameSync(path, `${path}.moved`);
    symlinkSync(join(disk.path, 'index.lmdb'), path);
  });

  afterEach(() => {
    disk.unmount();
    removeTemporaryDirectory(dbpath);
  });

  function open(): Promise<StorageEngine> {
    return openEngine({
      dbpath,
      checkpointIntervalMs: 0,
      onFailure: (error) => failures.push(error),
    });
  }

  async function insertSome(engine: StorageEngine, count: number): Promise<void> {
    const collection = collectionOf(engine, 'test.a');
    let last: ReturnType<typeof insert>['commitNumber'] | undefined;
    for (let done = 0; done < count; done += 1) {
      const a = random.bytes(KEY_BYTES / 2).toString('hex');
      last = insert(engine, collection, documentOf({ _id: documents, a })).commitNumber;
      documents += 1;
    }
    if (last !== undefined) await engine.flushed(last);
  }

  async function assertWhole(engine: StorageEngine): Promise<void> {
    const report = await engine.validate('test.a', { full: true }, uninterruptible);
    assert.deepEqual(report.errors, []);
    assert.equal(report.recordCount, documents);
  }

  it('ends the store, since nobody knows what is durable; the next start has everything that was acknowledged', async () => {
    const engine = await open();
    await insertSome(engine, 500);
    await engine.checkpoint();
    disk.fail();
    await insertSome(engine, 4_000);
    await assert.rejects(engine.checkpoint(), /index store/);
    assert.equal(failures.length, 1);
    assert.throws(() => engine.begin(), /storage engine has failed/);
    await engine.close().catch(() => {});
    disk.heal();

    const again = await open();
    await assertWhole(again);
    await insertSome(again, 100);
    await again.checkpoint();
    await assertWhole(again);
    await again.close();
  });
});
