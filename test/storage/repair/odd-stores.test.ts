import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import { documentOf } from '../../../bson/index.ts';
import { ManualClock } from '../../../common/clock.ts';
import { uninterruptible } from '../../../common/interruption.ts';
import { SeededRandom } from '../../../common/random.ts';
import { SimulatedVolume } from '../../../storage/device/simulated-volume.ts';
import {
  filesOf,
  openEngine,
  repairStore,
  type RepairReport,
  type StorageEngine,
} from '../../../storage/index.ts';
import { MemoryIndexDisk } from '../../../storage/indexes/memory-store.ts';
import { A_INDEX, createCollection, insert, remove } from '../engine/fixture.ts';
import { readAll, repair } from './store-image.ts';

class Machine {
  readonly volume = new SimulatedVolume({ seed: 3 });
  readonly disk = new MemoryIndexDisk();

  open(): Promise<StorageEngine> {
    return openEngine({
      files: filesOf(this.volume, this.disk),
      clock: new ManualClock(),
      random: new SeededRandom(5),
      checkpointIntervalMs: 0,
      extentBytes: 128 * 1024,
    });
  }

  repair(): Promise<RepairReport> {
    return repairStore({
      files: filesOf(this.volume, this.disk),
      clock: new ManualClock(),
      random: new SeededRandom(6),
      keyGenerators: () => undefined,
    });
  }
}

describe('flint repair', () => {
  it('refuses a directory without a store by a sentence', async () => {
    const dbpath = await mkdtemp(join(tmpdir(), 'flint-repair-'));
    await assert.rejects(repair(dbpath), /there is no blocks\.flint/);
    await assert.rejects(repair(join(dbpath, 'none')), /ENOENT/);
    await rm(dbpath, { recursive: true });
  });

  it('brings back a store that never took a checkpoint', async () => {
    const machine = new Machine();
    const engine = await machine.open();
    const collection = createCollection(engine, 'test.a', A_INDEX);
    const { commitNumber } = insert(engine, collection, documentOf({ _id: 1, a: 7 }));
    await engine.flushed(commitNumber);
    machine.volume.powerCut();
    machine.disk.powerCut(new SeededRandom(1));
    await engine.close().catch(() => {});
    machine.disk.lose();
    const report = await machine.repair();
    assert.deepEqual(
      report.collections.map(({ namespace, records }) => [namespace, records]),
      [['test.a', 1]],
    );
    const again = await machine.open();
    assert.deepEqual(await readAll(again, 'test.a'), new Map([[1, 7]]));
    await again.close();
  });

  it('keeps views, options, empty collections and the next record id, and reuses the space of what was dropped', async () => {
    const machine = new Machine();
    const engine = await machine.open();
    const options = documentOf({ viewOn: 'a', pipeline: documentOf({}) });
    const transaction = engine.begin();
    transaction.createCollection('test.view', { kind: 'view', options });
    transaction.commit();
    createCollection(engine, 'test.empty', A_INDEX);
    const collection = createCollection(engine, 'test.a', A_INDEX);
    const dropped = createCollection(engine, 'test.dropped', A_INDEX);
    for (let id = 0; id < 300; id += 1) {
      const { recordId } = insert(engine, collection, documentOf({ _id: id, a: id }));
      insert(engine, dropped, documentOf({ _id: id, a: id, t: 'x'.repeat(500) }));
      if (id === 299) await remove(engine, collection, recordId);
    }
    await engine.checkpoint();
    const drop = engine.begin();
    drop.dropCollection(dropped);
    drop.commit();
    await engine.close();
    machine.disk.lose();
    assert.deepEqual((await machine.repair()).lost, []);
    const again = await machine.open();
    const view = again.snapshot();
    assert.deepEqual(
      view.collections().map(({ namespace, kind }) => [namespace, kind]),
      [
        ['test.a', 'collection'],
        ['test.empty', 'collection'],
        ['test.view', 'view'],
      ],
    );
    assert.deepEqual(view.collection('test.view')?.options, options);
    assert.equal(view.collection('test.empty')?.indexes.length, 2);
    const found = view.collection('test.a')!;
    view.close();
    const { recordId } = insert(again, found, documentOf({ _id: 'next', a: 0 }));
    assert.equal(recordId, 301);
    const more = again.begin();
    more.delete(found, recordId, (await more.record(found, recordId))!);
    more.commit();
    for (let round = 0; round < 6; round += 1) {
      for (let id = 0; id < 100; id += 1) {
        const inserted = insert(again, found, documentOf({ _id: `${round} ${id}`, a: id }));
        await remove(again, found, inserted.recordId);
      }
      await again.checkpoint();
    }
    const report = await again.validate('test.a', { full: true }, uninterruptible);
    assert.deepEqual(report.errors, []);
    await again.close();
    machine.disk.lose();
    assert.deepEqual((await machine.repair()).lost, []);
  });
});
