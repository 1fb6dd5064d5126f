import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { documentOf } from '../../../bson/index.ts';
import { DeviceError } from '../../../common/errors.ts';
import { uninterruptible } from '../../../common/interruption.ts';
import { MemoryVolume } from '../../../storage/device/memory-volume.ts';
import { filesOf, openEngine, type EngineOptions } from '../../../storage/index.ts';
import type { CommitResult, IndexStore } from '../../../storage/indexes/contract.ts';
import { MemoryIndexDisk } from '../../../storage/indexes/memory-store.ts';
import { A_INDEX, createCollection, insert, numberOf } from '../engine/fixture.ts';

/** What a commit does beside committing, by its number. */
type Outcome = 'committed' | 'applied, then EIO' | 'EIO' | 'ENOSPC';

function withOutcomes(store: IndexStore, outcomes: Outcome[]): IndexStore {
  return {
    get stamp() {
      return store.stamp;
    },
    beginRead: () => store.beginRead(),
    statistics: () => store.statistics(),
    close: () => store.close(),
    async commit(changes, stamp): Promise<CommitResult> {
      const outcome = outcomes.shift() ?? 'committed';
      if (outcome === 'EIO' || outcome === 'ENOSPC') throw new DeviceError(outcome, 'refused');
      const result = await store.commit(changes, stamp);
      if (outcome === 'applied, then EIO') throw new DeviceError('EIO', 'the writer ended');
      return result;
    },
  };
}

function optionsOf(volume: MemoryVolume, disk: MemoryIndexDisk, outcomes: Outcome[]) {
  const files = filesOf(volume, disk);
  return {
    checkpointIntervalMs: 0,
    extentBytes: 128 * 1024,
    files: {
      ...files,
      openIndexStore: async (opening) =>
        withOutcomes(await files.openIndexStore(opening), outcomes),
    },
  } satisfies EngineOptions;
}

describe('An index commit whose outcome nobody knows', () => {
  for (const outcomes of [
    ['committed', 'applied, then EIO', 'EIO', 'EIO', 'EIO'],
    ['committed', 'EIO', 'EIO', 'EIO', 'EIO'],
  ] as const) {
    it(`ends the engine, and the next start finds everything: ${outcomes.join(', ')}`, async () => {
      const volume = new MemoryVolume();
      const disk = new MemoryIndexDisk();
      const failures: Error[] = [];
      const engine = await openEngine({
        ...optionsOf(volume, disk, [...outcomes]),
        onFailure: (error) => failures.push(error),
      });
      const collection = createCollection(engine, 'test.a', A_INDEX);
      for (let id = 1; id <= 20; id += 1) {
        const { commitNumber } = insert(engine, collection, documentOf({ _id: id, a: id }));
        await engine.flushed(commitNumber);
        if (id % 5 === 0 && failures.length === 0) await engine.checkpoint().catch(() => undefined);
        if (failures.length > 0) break;
      }
      assert.equal(failures.length, 1);
      assert.throws(() => engine.begin(), { codeName: 'InternalError' });
      await engine.close();
      await check(volume, disk, 10);
    });
  }

  it('is known for a full disk: the checkpoint is taken again', async () => {
    const volume = new MemoryVolume();
    const disk = new MemoryIndexDisk();
    const engine = await openEngine(optionsOf(volume, disk, ['committed', 'ENOSPC']));
    const collection = createCollection(engine, 'test.a', A_INDEX);
    for (let id = 1; id <= 5; id += 1) insert(engine, collection, documentOf({ _id: id, a: id }));
    await engine.checkpoint();
    for (let id = 6; id <= 10; id += 1) insert(engine, collection, documentOf({ _id: id, a: id }));
    await assert.rejects(engine.checkpoint(), { errno: 'ENOSPC' });
    await engine.checkpoint();
    await engine.close();
    await check(volume, disk, 10);
  });
});

async function check(volume: MemoryVolume, disk: MemoryIndexDisk, records: number): Promise<void> {
  const engine = await openEngine(optionsOf(volume, disk, []));
  const view = engine.snapshot();
  const collection = view.collection('test.a');
  assert.ok(collection !== undefined);
  for (let id = 1; id <= records; id += 1) {
    const document = await view.record(collection, id as never);
    assert.equal(numberOf(document!, 'a'), id);
  }
  view.close();
  const report = await engine.validate('test.a', { full: true }, uninterruptible);
  assert.deepEqual(report.errors, []);
  await engine.close();
}
