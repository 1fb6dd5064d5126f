import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { documentOf } from '../../../bson/index.ts';
import { ManualClock } from '../../../common/clock.ts';
import { uninterruptible } from '../../../common/interruption.ts';
import type { LogLine } from '../../../common/log.ts';
import { SeededRandom } from '../../../common/random.ts';
import { DEFAULT_BLOCK_STORE_NAME } from '../../../storage/blocks/block-store.ts';
import { SimulatedVolume } from '../../../storage/device/simulated-volume.ts';
import { filesOf, openEngine, type StorageEngine } from '../../../storage/index.ts';
import { MemoryIndexDisk } from '../../../storage/indexes/memory-store.ts';
import { A_INDEX, createCollection, insert, scan } from './fixture.ts';

const DOCUMENTS = 600;

describe('verifyWrites', () => {
  // A misdirected write may hit what an earlier checkpoint wrote: the scrub finds that, not the check of what is written.
  const faults = [
    { fault: 'lostWrite', rounds: 3 },
    { fault: 'misdirectedWrite', rounds: 1 },
  ] as const;
  for (const { fault, rounds } of faults) {
    it(`finds each ${fault} before the checkpoint counts, and writes the documents elsewhere`, async () => {
      let struck = 0;
      for (let seed = 1; seed <= 16; seed += 1) {
        const volume = new SimulatedVolume({
          seed,
          faulty: (device) => device === DEFAULT_BLOCK_STORE_NAME,
        });
        const disk = new MemoryIndexDisk();
        const open = (verifyWrites: boolean): Promise<StorageEngine> =>
          openEngine({
            files: filesOf(volume, disk),
            clock: new ManualClock(),
            random: new SeededRandom(seed),
            checkpointIntervalMs: 0,
            extentBytes: 128 * 1024,
            verifyWrites,
          });
        const engine = await open(true);
        const collection = createCollection(engine, 'test.a', A_INDEX);
        let documents = 0;
        let hasFailed = false;
        for (let round = 0; round < rounds && !hasFailed; round += 1) {
          for (let id = 0; id < DOCUMENTS / rounds; id += 1) {
            insert(engine, collection, documentOf({ _id: documents, a: id, t: 'x'.repeat(300) }));
            documents += 1;
          }
          volume.setFaults({ [fault]: 0.15 });
          // A checkpoint that cannot be verified is taken again, in other extents; one that fails again and again ends the engine.
          await engine.checkpoint().catch((error: unknown) => {
            assert.match(String(error), /CorruptionError/);
            hasFailed = true;
          });
          volume.setFaults({});
        }
        await engine.close();
        struck += volume.faults[fault];
        // Whatever was acknowledged as a checkpoint is whole on the disk.
        const again = await open(false);
        const view = again.snapshot();
        const found = await scan(view, view.collection('test.a')!, 'a');
        view.close();
        assert.equal(found.length, documents);
        const report = await again.validate('test.a', { full: true }, uninterruptible);
        assert.deepEqual(report.errors, []);
        await again.close();
      }
      assert.ok(struck > 10, `${struck} faults`);
    });
  }

  it('says at the start when the file system lets nobody past its cache', async () => {
    const warnings: LogLine[] = [];
    const options = {
      verifyWrites: true,
      checkpointIntervalMs: 0,
      startupWarning: (line: LogLine) => warnings.push(line),
    };
    const files = filesOf(new SimulatedVolume({ seed: 1 }), new MemoryIndexDisk());
    const direct = await openEngine({ ...options, files });
    await direct.close();
    assert.deepEqual(warnings, []);
    const cached = await openEngine({ ...options, files: { ...files, readsFromDisk: false } });
    await cached.close();
    assert.equal(warnings.length, 1);
    assert.match(warnings.map(({ message }) => message).join(), /no direct I\/O/);
  });
});
