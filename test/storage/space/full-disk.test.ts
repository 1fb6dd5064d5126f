/**
 * A real small disk that is filled: a file system in memory of a given size, where mounting one is allowed.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import { documentOf } from '../../../bson/index.ts';
import { SeededRandom } from '../../../common/random.ts';
import { uninterruptible } from '../../../common/interruption.ts';
import {
  openEngine,
  type RecordId,
  type StorageEngine,
  type Transaction,
} from '../../../storage/index.ts';
import { temporaryDirectory, removeTemporaryDirectory } from '../../support/programs.ts';
import { A_INDEX, createCollection, describe as collectionOf } from '../engine/fixture.ts';

const MEBIBYTE = 1024 * 1024;
const DISK_MEBIBYTES = 64;
const DOCUMENT_BYTES = 128 * 1024;
const PATIENCE_MS = 8000;

/** Bytes that no compression makes fewer. */
function noise(seed: number): string {
  return Buffer.from(new SeededRandom(seed).bytes(DOCUMENT_BYTES / 2)).toString('hex');
}

class SmallDisk {
  readonly path = temporaryDirectory();
  private readonly filler = join(this.path, 'filler');

  mount(mebibytes: number): boolean {
    try {
      const options = ['-t', 'tmpfs', '-o', `size=${mebibytes}m`, 'tmpfs', this.path];
      execFileSync('mount', options, { stdio: 'ignore' });
      return true;
    } catch {
      return false;
    }
  }

  /** Somebody else takes all that is left. */
  fill(): void {
    const chunk = Buffer.alloc(MEBIBYTE, 1);
    let bytes = MEBIBYTE;
    while (bytes >= 4096) {
      try {
        writeFileSync(this.filler, chunk.subarray(0, bytes), { flag: 'a' });
      } catch {
        bytes /= 2;
      }
    }
  }

  empty(): void {
    rmSync(this.filler, { force: true });
  }

  unmount(): void {
    execFileSync('umount', [this.path]);
    removeTemporaryDirectory(this.path);
  }
}

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const endMs = performance.now() + PATIENCE_MS;
  while (!(await holds())) {
    assert.ok(performance.now() < endMs, `in vain waited for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function isShort(engine: StorageEngine): boolean {
  const { space } = engine.statistics();
  return typeof space === 'object' && space.isShort === true;
}

async function write(
  engine: StorageEngine,
  act: (transaction: Transaction) => void,
): Promise<void> {
  await engine.admitWrite(uninterruptible);
  const transaction = engine.begin();
  try {
    act(transaction);
    await engine.flushed(transaction.commit());
  } finally {
    transaction.close();
  }
}

describe('A full disk', function () {
  this.timeout(60_000);
  let disk: SmallDisk;
  const kept = new Map<RecordId, number>();
  let nextId = 0;
  let failures: Error[];

  beforeEach(function () {
    disk = new SmallDisk();
    if (!disk.mount(DISK_MEBIBYTES)) {
      removeTemporaryDirectory(disk.path);
      console.log('      not tested: mounting a small file system is not allowed here');
      this.skip();
    }
    kept.clear();
    nextId = 0;
    failures = [];
  });

  afterEach(() => {
    if (disk !== undefined) disk.unmount();
  });

  function open(): Promise<StorageEngine> {
    return openEngine({
      dbpath: disk.path,
      cacheBytes: 8 * MEBIBYTE,
      deltaBytes: 16 * MEBIBYTE,
      onFailure: (error) => failures.push(error),
    });
  }

  async function insertOne(engine: StorageEngine): Promise<void> {
    const id = nextId;
    const document = documentOf({ _id: id, a: id % 7, text: noise(id) });
    let recordId: RecordId | undefined;
    await write(engine, (transaction) => {
      recordId = transaction.insert(collectionOf(engine, 'test.a'), document);
    });
    nextId += 1;
    if (recordId !== undefined) kept.set(recordId, id);
  }

  async function insertUntilRefused(engine: StorageEngine): Promise<void> {
    for (;;) {
      try {
        await insertOne(engine);
      } catch (error) {
        assert.equal((error as { codeName?: string }).codeName, 'OutOfDiskSpace');
        return;
      }
    }
  }

  async function remove(engine: StorageEngine, count: number): Promise<void> {
    for (const recordId of [...kept.keys()].slice(0, count)) {
      const view = engine.snapshot();
      const before = await view.record(collectionOf(engine, 'test.a'), recordId);
      view.close();
      assert.ok(before !== undefined);
      await write(engine, (transaction) =>
        transaction.delete(collectionOf(engine, 'test.a'), recordId, before),
      );
      kept.delete(recordId);
    }
  }

  async function assertWhole(engine: StorageEngine): Promise<void> {
    const report = await engine.validate('test.a', { full: true }, uninterruptible);
    assert.deepEqual(report.errors, []);
    assert.equal(report.recordCount, kept.size);
    const view = engine.snapshot();
    for (const [recordId, id] of kept) {
      const document = await view.record(collectionOf(engine, 'test.a'), recordId);
      assert.ok(document?.equals(documentOf({ _id: id, a: id % 7, text: noise(id) })));
    }
    view.close();
    assert.deepEqual(failures, []);
  }

  it('refuses inserts in time, reads and deletes on, and takes writes again once they made room', async () => {
    const engine = await open();
    createCollection(engine, 'test.a', A_INDEX);
    await insertUntilRefused(engine);
    assert.ok(kept.size * DOCUMENT_BYTES > 10 * MEBIBYTE, `${kept.size} documents fit`);
    assert.ok(isShort(engine));
    await assertWhole(engine);
    await remove(engine, Math.floor(kept.size / 2));
    await until('space', () => !isShort(engine));
    const before = kept.size;
    await insertOne(engine);
    await insertUntilRefused(engine);
    assert.ok(kept.size > before + 10, `${kept.size - before} more documents fit`);
    await assertWhole(engine);
    await engine.close();

    const again = await open();
    await assertWhole(again);
    await again.close();
  });

  it('that others filled stops writers until there is space, and harms nothing', async () => {
    const engine = await open();
    createCollection(engine, 'test.a', A_INDEX);
    for (let count = 0; count < 100; count += 1) await insertOne(engine);
    await engine.checkpoint();
    await until('ballast', () => {
      const { space } = engine.statistics();
      return typeof space === 'object' && Number(space.ballastBytes) > 0;
    });
    disk.fill();
    await insertUntilRefused(engine);
    // The ballast has room for these, and for a checkpoint or two.
    await remove(engine, 5);
    await assertWhole(engine);
    await engine.checkpoint().catch((error: { errno?: string }) => {
      assert.equal(error.errno, 'ENOSPC');
    });
    disk.empty();
    await until('space', () => !isShort(engine));
    await insertOne(engine);
    await engine.checkpoint();
    await assertWhole(engine);
    await engine.close();

    const again = await open();
    await assertWhole(again);
    await again.close();
  });

  it('is survived by a start, and by a close', async () => {
    const engine = await open();
    createCollection(engine, 'test.a', A_INDEX);
    for (let count = 0; count < 60; count += 1) await insertOne(engine);
    disk.fill();
    await engine.close();

    const again = await open();
    await assertWhole(again);
    await assert.rejects(
      async () => {
        for (;;) await insertOne(again);
      },
      { codeName: 'OutOfDiskSpace' },
    );
    disk.empty();
    await until('space', () => !isShort(again));
    await insertOne(again);
    await assertWhole(again);
    await again.close();
  });
});
