import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { documentOf } from '../../../bson/index.ts';
import { uninterruptible } from '../../../common/interruption.ts';
import { SimulatedVolume } from '../../../storage/device/simulated-volume.ts';
import { MemoryIndexDisk } from '../../../storage/indexes/memory-store.ts';
import { filesOf, openEngine } from '../../../storage/index.ts';
import { A_INDEX, createCollection, insert } from '../engine/fixture.ts';

const RECORDS = 5;

describe('A start', () => {
  it('goes on over an index that is made of records on a damaged page, and validate names them', async () => {
    const volume = new SimulatedVolume({ seed: 1 });
    const disk = new MemoryIndexDisk();
    const options = { checkpointIntervalMs: 0, extentBytes: 128 * 1024 };
    const engine = await openEngine({ ...options, files: filesOf(volume, disk) });
    const collection = createCollection(engine, 'test.a');
    for (let id = 1; id <= RECORDS; id += 1)
      insert(engine, collection, documentOf({ _id: id, a: id }));
    await engine.checkpoint();
    await engine.buildIndexes('test.a', [A_INDEX], uninterruptible);
    const { commitNumber } = insert(engine, collection, documentOf({ _id: 9, a: 9 }));
    await engine.flushed(commitNumber);
    volume.powerCut();
    disk.powerCut(volume.random);
    await engine.close();
    damageRecords(volume);
    const again = await openEngine({ ...options, files: filesOf(volume, disk) });
    const report = await again.validate('test.a', { full: true }, uninterruptible);
    assert.deepEqual(report.corruptRecords, [1, 2, 3, 4, 5]);
    assert.equal(report.errors.length, RECORDS);
    assert.deepEqual(report.keysPerIndex, { _id_: 1, a_1: 1 });
    await again.close();
  });
});

/** Flips a bit in the first page that holds record 1. */
function damageRecords(volume: SimulatedVolume): void {
  const document = documentOf({ _id: 1, a: 1 });
  for (let sector = 0; ; sector += 1) {
    const at = volume.peek('blocks.flint', sector).indexOf(document);
    if (at < 0) continue;
    volume.rot('blocks.flint', sector, at * 8);
    return;
  }
}
