import assert from 'node:assert/strict';
import { CorruptionError, DeviceError, type CorruptionKind } from '../../../common/errors.ts';
import type { CommitNumber } from '../../../storage/contract.ts';
import { SimulatedVolume } from '../../../storage/device/simulated-volume.ts';
import type { JournalOperation } from '../../../storage/format/journal-entry.ts';
import type { Journal } from '../../../storage/journal/contract.ts';
import { idOf, insertOf, openAndReplay, settle, type OpenedJournal } from './journal-fixture.ts';

const SECTOR = 4096;
const FIRST = '0000000001';

/** A journal of `commits` commits, each flushed alone, closed with the record of its flush. */
async function written(commits: number, padding = 0): Promise<SimulatedVolume> {
  const volume = new SimulatedVolume({ seed: 1 });
  const { journal } = await openAndReplay(volume);
  for (let n = 1; n <= commits; n += 1) {
    await journal.flushed(journal.append([insertOf(n, padding)]));
  }
  await journal.close();
  return volume;
}

function commitsOf({ replayed }: OpenedJournal): number[] {
  return replayed.map(([commit]) => commit);
}

function upTo(last: number): number[] {
  return Array.from({ length: last }, (_, n) => n + 1);
}

function damageAt(offset: number, kind: CorruptionKind = 'checksum'): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof CorruptionError);
    assert.equal(error.kind, kind);
    assert.match(error.message, new RegExp(`${FIRST}.*offset ${offset}\\b`));
    return true;
  };
}

describe('journal recovery', () => {
  it('hands over every commit after a position, in order', async () => {
    const volume = await written(9);
    for (const from of [0, 1, 8, 9]) {
      const opened = await openAndReplay(volume.copy(1), { from });
      assert.deepEqual(commitsOf(opened), upTo(9).slice(from));
      assert.equal(opened.journal.lastCommitNumber, 9);
    }
  });

  it('waits for a visitor that waits', async () => {
    const volume = await written(3);
    const order: string[] = [];
    await openAndReplay(volume, {
      visit: async ({ commitNumber }) => {
        order.push(`begin ${commitNumber}`);
        await settle(2);
        order.push(`end ${commitNumber}`);
      },
    });
    assert.deepEqual(order, ['begin 1', 'end 1', 'begin 2', 'end 2', 'begin 3', 'end 3']);
  });

  it('goes on appending where it ended, start after start', async () => {
    const volume = new SimulatedVolume({ seed: 1 });
    for (let start = 1; start <= 5; start += 1) {
      const opened = await openAndReplay(volume, { seed: start });
      assert.deepEqual(commitsOf(opened), upTo(start - 1));
      await opened.journal.flushed(opened.journal.append([insertOf(start)]));
      await opened.journal.close();
    }
  });

  it('forgets a commit whose last entry is missing, also when others follow later', async () => {
    const volume = await written(2);
    const { journal } = await openAndReplay(volume);
    // Two batches: the first ends within the commit. Power goes before the second one lands.
    journal.append([1, 2, 3].map((n) => insertOf(n, 600_000)));
    volume.plan({ kind: 'powerCut', atStep: 2 });
    await assert.rejects(journal.flushed(3 as CommitNumber));
    const second = await openAndReplay(volume, { seed: 2 });
    assert.deepEqual(commitsOf(second), [1, 2]);
    await second.journal.flushed(second.journal.append([insertOf(33)]));
    await second.journal.close();
    const third = await openAndReplay(volume, { seed: 3 });
    assert.deepEqual(third.replayed, [
      [1, [1]],
      [2, [2]],
      [3, [33]],
    ]);
  });

  it('takes a damaged last batch for the tail, when nothing says that it was flushed', async () => {
    const volume = new SimulatedVolume({ seed: 1 });
    const { journal } = await openAndReplay(volume);
    for (const n of [1, 2, 3]) await journal.flushed(journal.append([insertOf(n)]));
    // The process dies here: batch 3 stands behind batches 1 and 2, and no later one tells of its flush.
    volume.powerCut();
    volume.rot(FIRST, 3, 700);
    assert.deepEqual(commitsOf(await openAndReplay(volume.copy(1))), [1, 2]);
  });

  it('reports a damaged batch that a later one says was flushed, with segment and offset', async () => {
    const volume = await written(3);
    for (const batch of [1, 2, 3]) {
      for (const bit of [0, 100, 300, 8 * 200]) {
        const damaged = volume.copy(1);
        damaged.rot(FIRST, batch, bit);
        await assert.rejects(openAndReplay(damaged), damageAt(batch * SECTOR));
      }
    }
  });

  it('finds any flipped bit of a flushed batch, in its padding, too', async () => {
    const volume = await written(2);
    for (let bit = 0; bit < SECTOR * 8; bit += 211) {
      const damaged = volume.copy(1);
      damaged.rot(FIRST, 1, bit);
      await assert.rejects(openAndReplay(damaged), damageAt(SECTOR));
    }
  });

  it('reports a flushed batch that was lost, replaced by an older one, or written elsewhere', async () => {
    const volume = await written(4);
    const second = volume.peek(FIRST, 2);
    const lost = volume.copy(1);
    lost.poke(FIRST, 2, Buffer.alloc(SECTOR));
    await assert.rejects(openAndReplay(lost), damageAt(2 * SECTOR));
    const replaced = volume.copy(1);
    replaced.poke(FIRST, 3, second);
    await assert.rejects(openAndReplay(replaced), damageAt(3 * SECTOR));
  });

  it('reports a damaged header of a segment that holds flushed batches', async () => {
    const volume = await written(2);
    volume.rot(FIRST, 0, 130);
    await assert.rejects(openAndReplay(volume), damageAt(0));
  });

  it('reports a damaged header of a later segment', async () => {
    const volume = await written(40, 90_000);
    const names = await volume.list();
    assert.ok(names.length > 2);
    for (const name of names.slice(1, 3)) {
      const damaged = volume.copy(1);
      damaged.rot(name, 0, 130);
      await assert.rejects(openAndReplay(damaged), /is damaged at offset/);
    }
  });

  it('reports a segment that is gone from between others', async () => {
    const volume = await written(40, 90_000);
    const names = await volume.list();
    await volume.remove(names[1]);
    await assert.rejects(openAndReplay(volume), /is damaged at offset/);
  });

  it('refuses a journal that ends before what is in the base, or begins after it', async () => {
    const volume = await written(40, 90_000);
    await assert.rejects(openAndReplay(volume.copy(1), { from: 41 }), isKind('older'));
    const beheaded = volume.copy(1);
    await beheaded.remove(FIRST);
    await assert.rejects(openAndReplay(beheaded, { from: 0 }), isKind('missing'));
    await assert.rejects(
      openAndReplay(new SimulatedVolume({ seed: 1 }), { from: 1 }),
      isKind('missing'),
    );
  });

  it('refuses segments of another store', async () => {
    const volume = await written(1);
    const storeId = Buffer.alloc(16, 1);
    await assert.rejects(openAndReplay(volume, { storeId }), isKind('foreign'));
  });

  it('finds every acknowledged commit after power cuts at any step, and whole commits only', async () => {
    const totals = { cuts: 0, cutStarts: 0, vanished: 0, recycled: 0 };
    for (let seed = 1; seed <= 30; seed += 1) {
      const life = new JournalLife(new SimulatedVolume({ seed, faults: { stall: 0.2 } }));
      for (let start = 0; start < 4; start += 1) {
        const opened = await life.start();
        life.checkNothingIsLost(opened);
        await life.writeUntilPowerIsCut(opened);
      }
      totals.cuts += life.volume.faults.powerCut;
      totals.cutStarts += life.cutStarts;
      totals.vanished += life.vanished;
      totals.recycled += life.recycled;
    }
    assert.ok(totals.cuts > 120, JSON.stringify(totals));
    assert.ok(totals.cutStarts > 10, JSON.stringify(totals));
    assert.ok(totals.vanished > 25, JSON.stringify(totals));
    assert.ok(totals.recycled > 25, JSON.stringify(totals));
  });

  it('never hands over anything but what was appended, whatever the disk does', async () => {
    const faults = { lostWrite: 0.02, misdirectedWrite: 0.02, bitRot: 0.005, stall: 0.1 };
    const outcomes = { replayed: 0, refused: 0 };
    for (let seed = 1; seed <= 40; seed += 1) {
      const life = new JournalLife(new SimulatedVolume({ seed, faults }));
      try {
        for (let start = 0; start < 3; start += 1) {
          const opened = await life.start();
          outcomes.replayed += 1;
          await life.writeUntilPowerIsCut(opened);
        }
      } catch (error) {
        assert.ok(error instanceof CorruptionError, String(error));
        outcomes.refused += 1;
      }
    }
    assert.ok(outcomes.replayed > 40, JSON.stringify(outcomes));
    assert.ok(outcomes.refused > 3, JSON.stringify(outcomes));
  });
});

/** A journal that lives through power cuts, and what was promised of it. */
class JournalLife {
  readonly volume: SimulatedVolume;
  acknowledged = 0;
  /** Commits that a crash took; none of them was acknowledged. */
  vanished = 0;
  /** Starts that were themselves cut short. */
  cutStarts = 0;
  /** Segments released. */
  recycled = 0;
  private appended = 0;
  /** Commits up to here count as being in the base: replay begins after them. */
  private applied = 0;
  private starts = 0;

  constructor(volume: SimulatedVolume) {
    this.volume = volume;
  }

  /** Starts until power stays on, and checks what was handed over. */
  async start(): Promise<OpenedJournal> {
    for (;;) {
      this.starts += 1;
      const { random } = this.volume;
      if (random.below(2) === 0) {
        this.volume.plan({ kind: 'powerCut', atStep: 1 + random.below(12) });
      }
      try {
        const opened = await openAndReplay(this.volume, {
          seed: this.starts,
          from: this.applied,
          firstSegmentBytes: SMALL_SEGMENT_BYTES,
          largestSegmentBytes: SMALL_SEGMENT_BYTES,
        });
        this.checkReplayed(opened);
        return opened;
      } catch (error) {
        if (!(error instanceof DeviceError)) throw error;
        this.cutStarts += 1;
      }
    }
  }

  checkNothingIsLost({ journal }: OpenedJournal): void {
    const last = journal.lastCommitNumber;
    assert.ok(last >= this.acknowledged, `commit ${last + 1} is lost`);
    this.vanished += this.appended - last;
  }

  /** Appends, and waits for some, until a write fails. */
  async writeUntilPowerIsCut({ journal, failures }: OpenedJournal): Promise<void> {
    const { random } = this.volume;
    this.appended = journal.lastCommitNumber;
    this.acknowledged = journal.lastCommitNumber;
    this.volume.plan({ kind: 'powerCut', atStep: 1 + random.below(60) });
    const waits: Promise<void>[] = [];
    while (failures.length === 0) {
      const commit = this.appended + 1;
      assert.equal(journal.append(operationsOf(commit, random.below(3) * 6000)), commit);
      this.appended = commit;
      if (random.below(2) === 0) {
        const flushed = journal.flushed(commit as CommitNumber).then(() => {
          this.acknowledged = Math.max(this.acknowledged, commit);
        });
        waits.push(flushed.catch(() => {}));
      }
      await settle(random.below(3));
      if (random.below(8) === 0) this.takeCheckpoint(journal);
    }
    await Promise.all(waits);
    await journal.close();
  }

  /** What was applied by the checkpoint before is released. */
  private takeCheckpoint(journal: Journal): void {
    const { segments } = journal.statistics();
    journal.release(this.applied as CommitNumber);
    this.recycled += segments - journal.statistics().segments;
    this.applied = journal.flushedCommitNumber;
  }

  private checkReplayed({ journal, replayed }: OpenedJournal): void {
    const last = journal.lastCommitNumber;
    assert.ok(last <= this.appended);
    const expected = upTo(last).slice(this.applied);
    assert.deepEqual(
      replayed,
      expected.map((commit) => [commit, operationsOf(commit, 0).map(({ o }) => idOf(o))]),
    );
  }
}

const SMALL_SEGMENT_BYTES = 2 ** 17;

/** One to four inserts, by the commit's number. */
function operationsOf(commit: number, padding: number): JournalOperation[] {
  return Array.from({ length: 1 + (commit % 4) }, () => insertOf(commit, padding));
}

function isKind(kind: CorruptionKind): (error: unknown) => boolean {
  return (error) => error instanceof CorruptionError && error.kind === kind;
}
