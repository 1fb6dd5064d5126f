import assert from 'node:assert/strict';
import { CorruptionError } from '../../../common/errors.ts';
import { SimulatedVolume } from '../../../storage/device/simulated-volume.ts';
import { insertOf, openAndReplay } from './journal-fixture.ts';

const FIRST = '0000000001';
const END = 'end';

/** A journal of three commits, each flushed alone, closed. */
async function closed(): Promise<SimulatedVolume> {
  const volume = new SimulatedVolume({ seed: 1 });
  const { journal } = await openAndReplay(volume);
  for (const n of [1, 2, 3]) await journal.flushed(journal.append([insertOf(n)]));
  await journal.close();
  return volume;
}

/** Reads of segments that a start makes. */
async function readsAtStart(volume: SimulatedVolume): Promise<number> {
  const { journal } = await openAndReplay(volume, { seed: 9 });
  return journal.statistics().deviceReads;
}

describe('the journal’s end record', () => {
  it('spares a start the search behind the end of the chain', async () => {
    const volume = await closed();
    const searched = await closed();
    await searched.remove(END);
    const withRecord = await readsAtStart(volume);
    const withoutRecord = await readsAtStart(searched);
    assert.ok(withRecord < withoutRecord, `${withRecord} reads, ${withoutRecord} without`);
  });

  it('is gone once the journal goes on, so that it never speaks of an end that was passed', async () => {
    const volume = await closed();
    const { journal } = await openAndReplay(volume, { seed: 2 });
    assert.equal((await volume.list()).includes(END), false);
    await journal.flushed(journal.append([insertOf(4)]));
    // The process dies here.
    volume.powerCut();
    const { replayed } = await openAndReplay(volume, { seed: 3 });
    assert.deepEqual(
      replayed.map(([commit]) => commit),
      [1, 2, 3, 4],
    );
  });

  it('makes damage of a last batch that cannot be read, which without it would pass for the tail', async () => {
    const volume = await closed();
    volume.rot(FIRST, 3, 700);
    volume.rot(FIRST, 4, 3);
    await assert.rejects(openAndReplay(volume.copy(1), { seed: 2 }), CorruptionError);
  });

  it('is done without when it is damaged itself', async () => {
    for (const bit of [0, 40, 100, 300, 450]) {
      const volume = await closed();
      volume.rot(END, 0, bit);
      const { replayed } = await openAndReplay(volume, { seed: 2 });
      assert.equal(replayed.length, 3);
    }
  });
});
