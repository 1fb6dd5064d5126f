import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { documentOf } from '../../../bson/index.ts';
import { DeviceError } from '../../../common/errors.ts';
import { uninterruptible } from '../../../common/interruption.ts';
import type { Bio } from '../../../storage/device/contract.ts';
import { MemoryVolume } from '../../../storage/device/memory-volume.ts';
import { MemoryIndexDisk } from '../../../storage/indexes/memory-store.ts';
import { filesOf, openEngine, type StorageEngine } from '../../../storage/index.ts';
import { guardedVolume } from '../device/guarded-volume.ts';
import { A_INDEX, createCollection, describe as collectionOf, insert } from '../engine/fixture.ts';

const BLOCKS = 'blocks.flint';
const EXTENT_BYTES = 128 * 1024;
const EXTENT_SECTORS = EXTENT_BYTES / 4096;
const DELTA_BYTES = 512 * 1024;

/** A disk of which some sectors cannot be written. */
class WornDisk {
  isBad: (sector: number) => boolean = () => false;
  errno = 'EIO';
  refused = 0;
  failures: Error[] = [];
  private readonly volume = new MemoryVolume();
  private readonly indexes = new MemoryIndexDisk();

  open(): Promise<StorageEngine> {
    return openEngine({
      checkpointIntervalMs: 0,
      extentBytes: EXTENT_BYTES,
      deltaBytes: DELTA_BYTES,
      files: filesOf(
        guardedVolume(this.volume, (device, bio) => this.refuse(device, bio)),
        this.indexes,
      ),
      onFailure: (error) => this.failures.push(error),
    });
  }

  private refuse(device: string, { operation, firstSector, sectorCount }: Bio): void {
    if (device !== BLOCKS || operation !== 'WRITE') return;
    for (let sector: number = firstSector; sector < firstSector + sectorCount; sector += 1) {
      if (!this.isBad(sector)) continue;
      this.refused += 1;
      throw new DeviceError(this.errno, `${device}: WRITE of sector ${sector} failed`);
    }
  }
}

const text = 'x'.repeat(16 * 1024);

function fill(engine: StorageEngine, from: number, to: number): void {
  const collection = collectionOf(engine, 'test.a');
  for (let id = from; id < to; id += 1) {
    insert(engine, collection, documentOf({ _id: id, a: id, text }));
  }
}

async function assertWhole(engine: StorageEngine, records: number): Promise<void> {
  const report = await engine.validate('test.a', { full: true }, uninterruptible);
  assert.deepEqual(report.errors, []);
  assert.equal(report.recordCount, records);
}

function damagedExtents(engine: StorageEngine): number {
  const { blocks } = engine.statistics();
  assert.ok(typeof blocks === 'object' && typeof blocks.extents === 'object');
  return Number(blocks.extents.damaged);
}

describe('A checkpoint whose page writes fail', () => {
  it('goes to other extents, and the bad ones are never tried again', async () => {
    const disk = new WornDisk();
    const engine = await disk.open();
    createCollection(engine, 'test.a', A_INDEX);
    fill(engine, 0, 20);
    disk.isBad = (sector) => sector >= 6 * EXTENT_SECTORS && sector < 9 * EXTENT_SECTORS;
    await engine.checkpoint();
    const { refused } = disk;
    assert.ok(refused > 0);
    for (let round = 1; round < 5; round += 1) {
      fill(engine, 20 * round, 20 * round + 20);
      await engine.checkpoint();
    }
    assert.ok(disk.refused - refused <= 2, 'what is bad is found out once');
    assert.ok(damagedExtents(engine) >= 3);
    await assertWhole(engine, 100);
    await engine.close();
    assert.deepEqual(disk.failures, []);

    const before = disk.refused;
    const again = await disk.open();
    assert.ok(damagedExtents(again) >= 3);
    await assertWhole(again, 100);
    fill(again, 100, 140);
    await again.close();
    assert.equal(disk.refused, before);
  });

  it('is survived by a start that has much to replay', async () => {
    const disk = new WornDisk();
    const engine = await disk.open();
    createCollection(engine, 'test.a', A_INDEX);
    await engine.checkpoint();
    fill(engine, 0, 40);
    disk.isBad = () => true;
    await engine.close();
    disk.isBad = (sector) => sector >= 6 * EXTENT_SECTORS && sector < 9 * EXTENT_SECTORS;
    disk.refused = 0;
    const again = await disk.open();
    await assertWhole(again, 40);
    assert.ok(disk.refused > 0);
    await again.close();
  });

  it('again and again ends the engine, and tells the writers that wait', async () => {
    const disk = new WornDisk();
    const engine = await disk.open();
    createCollection(engine, 'test.a', A_INDEX);
    await engine.checkpoint();
    disk.isBad = () => true;
    fill(engine, 0, 40);
    const waiting = [1, 2, 3].map(() => Promise.resolve(engine.admitWrite(uninterruptible)));
    for (const outcome of await Promise.allSettled(waiting)) {
      assert.equal(outcome.status, 'rejected');
      assert.equal(outcome.reason.codeName, 'InternalError');
      assert.equal(outcome.reason.cause.errno, 'EIO');
    }
    assert.equal(disk.failures.length, 1);
    assert.throws(() => engine.begin(), { codeName: 'InternalError' });
    await engine.close();

    disk.isBad = () => false;
    const again = await disk.open();
    await assertWhole(again, 40);
    assert.equal(damagedExtents(again), 0);
    await again.close();
  });

  it('for want of space never ends the engine', async () => {
    const disk = new WornDisk();
    disk.errno = 'ENOSPC';
    const engine = await disk.open();
    createCollection(engine, 'test.a', A_INDEX);
    await engine.checkpoint();
    disk.isBad = () => true;
    fill(engine, 0, 40);
    for (let attempt = 0; attempt < 10; attempt += 1) {
      await assert.rejects(engine.checkpoint(), { errno: 'ENOSPC' });
    }
    await assert.rejects(async () => engine.admitWrite(uninterruptible), {
      codeName: 'OutOfDiskSpace',
    });
    disk.isBad = () => false;
    await engine.checkpoint();
    assert.deepEqual(disk.failures, []);
    assert.equal(damagedExtents(engine), 0);
    await assertWhole(engine, 40);
    await engine.close();
  });
});
