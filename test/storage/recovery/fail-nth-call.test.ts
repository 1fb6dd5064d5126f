import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { documentOf } from '../../../bson/index.ts';
import { DeviceError } from '../../../common/errors.ts';
import { uninterruptible } from '../../../common/interruption.ts';
import { SimulatedVolume } from '../../../storage/device/simulated-volume.ts';
import { MemoryIndexDisk } from '../../../storage/indexes/memory-store.ts';
import { filesOf, openEngine } from '../../../storage/index.ts';
import { A_INDEX, createCollection, insert, numberOf, update } from '../engine/fixture.ts';

const OPTIONS = { checkpointIntervalMs: 0, extentBytes: 128 * 1024 };

/** Writes, checkpoints and closes. `promised` gets the value of each record that is on the device. */
async function story(
  volume: SimulatedVolume,
  disk: MemoryIndexDisk,
  promised: Map<number, number>,
): Promise<void> {
  const engine = await openEngine({ ...OPTIONS, files: filesOf(volume, disk) });
  try {
    const collection = createCollection(engine, 'test.a', A_INDEX);
    for (let id = 1; id <= 8; id += 1) {
      const { commitNumber } = insert(engine, collection, documentOf({ _id: id, a: id }));
      await engine.flushed(commitNumber);
      promised.set(id, id);
    }
    await engine.checkpoint();
    for (let id = 1; id <= 4; id += 1) {
      await engine.flushed(
        await update(engine, collection, id as never, documentOf({ _id: id, a: -id })),
      );
      promised.set(id, -id);
    }
    await engine.checkpoint();
  } finally {
    await engine.close();
  }
}

async function check(
  volume: SimulatedVolume,
  disk: MemoryIndexDisk,
  promised: ReadonlyMap<number, number>,
): Promise<void> {
  const engine = await openEngine({ ...OPTIONS, files: filesOf(volume, disk) });
  const view = engine.snapshot();
  const collection = view.collection('test.a');
  for (const [id, value] of promised) {
    assert.ok(collection !== undefined);
    const document = await view.record(collection, id as never);
    assert.ok(document !== undefined, `record ${id} was promised`);
    // A later value may have reached the device without being promised.
    assert.ok([value, -id].includes(numberOf(document, 'a')), `record ${id}`);
  }
  view.close();
  if (collection !== undefined) {
    const { errors } = await engine.validate('test.a', { full: true }, uninterruptible);
    assert.deepEqual(errors, []);
  }
  await engine.close();
}

describe('A store whose n-th device call fails', () => {
  for (const errno of ['EIO', 'ENOSPC']) {
    it(`with ${errno} keeps what it promised, for every n`, async () => {
      for (let call = 1; ; call += 1) {
        const volume = new SimulatedVolume({ seed: call });
        const disk = new MemoryIndexDisk();
        volume.plan({ kind: 'error', atStep: call, errno });
        const promised = new Map<number, number>();
        let failed = false;
        await story(volume, disk, promised).catch((error: unknown) => {
          failed = true;
          assert.ok(error instanceof Error);
        });
        const wasHit = volume.steps >= call;
        volume.powerCut();
        disk.powerCut(volume.random);
        await check(volume, disk, promised);
        if (!failed && !wasHit) break;
      }
    });
  }

  it('names the failure of a start', async () => {
    const volume = new SimulatedVolume({ seed: 1 });
    volume.plan({ kind: 'error', atStep: 1, errno: 'EIO' });
    await assert.rejects(
      openEngine({ files: filesOf(volume, new MemoryIndexDisk()) }),
      DeviceError,
    );
  });
});
