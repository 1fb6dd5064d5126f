import assert from 'node:assert/strict';
import { ManualClock } from '../../../common/clock.ts';
import { DeviceError } from '../../../common/errors.ts';
import type { CommitNumber } from '../../../storage/contract.ts';
import { MemoryVolume } from '../../../storage/device/memory-volume.ts';
import { peekBatchHeader } from '../../../storage/format/journal-batch.ts';
import type { Journal } from '../../../storage/journal/contract.ts';
import { GatedVolume, insertOf, openAndReplay, settle } from './journal-fixture.ts';

const MIB = 1024 * 1024;

describe('group commit', () => {
  async function openGated(clock = new ManualClock()): Promise<{
    journal: Journal;
    volume: GatedVolume;
    failures: readonly Error[];
  }> {
    const volume = new GatedVolume();
    const { journal, failures } = await openAndReplay(volume, { clock });
    // The first write carries the segment's header; the tests look at what comes after.
    await journal.flushed(journal.append([insertOf(0)]));
    volume.closed = true;
    return { journal, volume, failures };
  }

  function entryCounts(volume: GatedVolume): number[] {
    return volume.held.map(({ bio }) => peekBatchHeader(bio.buffers[0], 0)?.entryCount ?? -1);
  }

  it('writes what is appended in one turn as one batch, with one durable write', async () => {
    const { journal, volume } = await openGated();
    const waiting = [1, 2, 3].map((n) => journal.flushed(journal.append([insertOf(n)])));
    assert.equal(volume.held.length, 0);
    await settle();
    assert.deepEqual(entryCounts(volume), [3]);
    assert.equal(volume.held[0].bio.fua, true);
    volume.held[0].release();
    await Promise.all(waiting);
  });

  it('has at most two writes in flight, and joins what comes meanwhile', async () => {
    const { journal, volume } = await openGated();
    for (const n of [1, 2, 3, 4]) {
      void journal.flushed(journal.append([insertOf(n)]));
      await settle();
    }
    assert.deepEqual(entryCounts(volume), [1, 1]);
    volume.held[0].release();
    await settle();
    assert.deepEqual(entryCounts(volume), [1, 1, 2]);
    volume.held[1].release();
    volume.held[2].release();
    await journal.flushed(journal.lastCommitNumber);
  });

  it('resolves waiters in order, even when writes land out of order', async () => {
    const { journal, volume } = await openGated();
    const resolved: string[] = [];
    const first = journal.flushed(journal.append([insertOf(1)])).then(() => resolved.push('1'));
    await settle();
    const second = journal.flushed(journal.append([insertOf(2)])).then(() => resolved.push('2'));
    await settle();
    volume.held[1].release();
    await settle();
    assert.deepEqual(resolved, []);
    assert.equal(journal.flushedCommitNumber, 1);
    volume.held[0].release();
    await Promise.all([first, second]);
    assert.deepEqual(resolved, ['1', '2']);
    assert.equal(journal.flushedCommitNumber, 3);
  });

  it('gives many waiters of one batch one promise', async () => {
    const { journal } = await openAndReplay(new MemoryVolume());
    const commits = [1, 2, 3].map((n) => journal.append([insertOf(n)]));
    const promises = new Set(commits.map((commit) => journal.flushed(commit)));
    assert.equal(promises.size, 1);
    await Promise.all(promises);
    await journal.close();
  });

  it('writes what nobody waits for when the commit interval is over', async () => {
    const clock = new ManualClock();
    const { journal } = await openAndReplay(new MemoryVolume(), { clock });
    journal.append([insertOf(1)]);
    clock.advance(99);
    await settle();
    assert.equal(journal.flushedCommitNumber, 0);
    clock.advance(1);
    await settle();
    assert.equal(journal.flushedCommitNumber, 1);
    await journal.close();
  });

  it('records the flush in an empty batch after a quiet moment, once', async () => {
    const clock = new ManualClock();
    const { journal } = await openAndReplay(new MemoryVolume(), { clock });
    await journal.flushed(journal.append([insertOf(1)]));
    assert.equal(journal.statistics().emptyBatches, 0);
    for (let round = 0; round < 5; round += 1) {
      clock.advance(100);
      await settle();
    }
    const { batches, emptyBatches } = journal.statistics();
    assert.deepEqual([batches, emptyBatches], [2, 1]);
    await journal.close();
    assert.equal(journal.statistics().emptyBatches, 1);
  });

  it('flushes at close, and records that', async () => {
    const volume = new MemoryVolume();
    const { journal } = await openAndReplay(volume);
    journal.append([insertOf(1)]);
    await journal.close();
    const { replayed } = await openAndReplay(volume);
    assert.deepEqual(replayed, [[1, [1]]]);
    assert.equal(journal.statistics().emptyBatches, 1);
  });

  it('fails for good with the first failed flush, and says so once', async () => {
    const { journal, volume, failures } = await openGated();
    const first = journal.flushed(journal.append([insertOf(1)]));
    await settle();
    const second = journal.flushed(journal.append([insertOf(2)]));
    await settle();
    const third = journal.flushed(journal.append([insertOf(3)]));
    const error = new DeviceError('EIO', 'planned');
    volume.held[1].fail(error);
    const outcomes = await Promise.allSettled([first, second, third]);
    assert.deepEqual(
      outcomes.map((outcome) => outcome.status),
      ['rejected', 'rejected', 'rejected'],
    );
    assert.throws(() => journal.append([insertOf(4)]), error);
    await assert.rejects(journal.flushed(4 as CommitNumber), error);
    volume.held[0].release();
    await settle();
    assert.equal(journal.flushedCommitNumber, 1);
    assert.deepEqual(failures, [error]);
    await journal.close();
  });

  describe('on a full disk', () => {
    /** Appends until a flush has to wait for space. */
    async function fillUp(): Promise<{
      readonly volume: MemoryVolume;
      readonly clock: ManualClock;
      readonly opened: Awaited<ReturnType<typeof openAndReplay>>;
      readonly waiting: Promise<void>;
      readonly reported: Error[];
    }> {
      const volume = new MemoryVolume({ capacityBytes: 2 * MIB + 8192 });
      const clock = new ManualClock();
      await volume.open('filler', { create: true, sectorCount: MIB / 4096 });
      const reported: Error[] = [];
      const opened = await openAndReplay(volume, {
        clock,
        onNoSpace: (error) => reported.push(error),
      });
      for (let n = 1; ; n += 1) {
        const waiting = opened.journal.flushed(opened.journal.append([insertOf(n, 100_000)]));
        await settle();
        if (!opened.journal.isWaitingForSpace) continue;
        return { volume, clock, opened, waiting, reported };
      }
    }

    it('waits for the next segment, says so, and goes on when there is space', async () => {
      const { volume, clock, opened, waiting, reported } = await fillUp();
      const { journal, failures } = opened;
      assert.match(String(reported[0]), /no space left/);
      clock.advance(1000);
      await settle();
      assert.ok(journal.isWaitingForSpace, 'still full');
      const last = journal.append([insertOf(99, 100)]);
      await volume.remove('filler');
      clock.advance(200);
      await waiting;
      await journal.flushed(last);
      assert.deepEqual(failures, []);
      assert.ok(journal.statistics().spaceWaits > 1);
      await journal.close();
      const { replayed } = await openAndReplay(volume);
      assert.equal(replayed.at(-1)?.[1][0], 99);
    });

    it('does not wait when it is closed', async () => {
      const { opened, waiting } = await fillUp();
      const outcome = Promise.allSettled([waiting]);
      await opened.journal.close();
      const [settled] = await outcome;
      assert.equal(settled?.status, 'rejected');
      assert.match(String(opened.failures[0]), /no space left/);
    });

    it('writes again what the device had no space for, in its place', async () => {
      const clock = new ManualClock();
      const { journal, volume, failures } = await openGated(clock);
      const first = journal.append([insertOf(1)]);
      const flushed = journal.flushed(journal.append([insertOf(2)]));
      await settle();
      volume.held.shift()?.fail(new DeviceError('ENOSPC', 'no space left'));
      await settle();
      assert.ok(journal.flushedCommitNumber < first);
      clock.advance(200);
      await settle();
      for (const held of volume.held.splice(0)) held.release();
      await flushed;
      assert.deepEqual(failures, []);
      volume.closed = false;
      await journal.close();
      const { replayed } = await openAndReplay(volume);
      assert.deepEqual(
        replayed.flatMap(([, ids]) => ids),
        [0, 1, 2],
      );
    });
  });

  it('makes do with a small segment when the disk has no room for a large one', async () => {
    const volume = new MemoryVolume({ capacityBytes: 4 * MIB });
    const { journal, failures } = await openAndReplay(volume);
    for (let n = 1; n <= 30; n += 1) {
      await journal.flushed(journal.append([insertOf(n, 90_000)]));
    }
    assert.deepEqual(failures, []);
    assert.ok(journal.statistics().segments >= 3);
    await journal.close();
  });

  it('goes on filling a batch while it waits for the next segment', async () => {
    const { journal, volume } = await openGated();
    volume.closed = false;
    // The next segment takes many turns to come.
    volume.opening = settle(200);
    await journal.flushed(journal.append([insertOf(1, 900_000)]));
    const { batches } = journal.statistics();
    // Too large for what is left of this one.
    void journal.flushed(journal.append([insertOf(2, 200_000)]));
    for (let n = 3; n <= 100; n += 1) {
      void journal.flushed(journal.append([insertOf(n)]));
      await settle(1);
    }
    volume.opening = Promise.resolve();
    await journal.flushed(journal.lastCommitNumber);
    assert.ok(journal.statistics().batches - batches <= 3);
    await journal.close();
  });

  it('keeps the entries of one commit together, in order, through batches and segments', async () => {
    const volume = new MemoryVolume();
    const { journal } = await openAndReplay(volume);
    await journal.flushed(journal.append([insertOf(0)]));
    const ids = Array.from({ length: 60 }, (_, n) => n + 1);
    journal.append(ids.map((id) => insertOf(id, 90_000)));
    journal.append([insertOf(61)]);
    await journal.flushed(journal.lastCommitNumber);
    assert.ok(journal.statistics().batches > 5);
    assert.ok(journal.statistics().segments > 1);
    await journal.close();
    const { replayed } = await openAndReplay(volume);
    assert.deepEqual(replayed, [
      [1, [0]],
      [2, ids],
      [3, [61]],
    ]);
  });

  it('takes an entry larger than any usual batch or segment', async () => {
    const volume = new MemoryVolume();
    const { journal } = await openAndReplay(volume);
    await journal.flushed(journal.append([insertOf(1, 9_000_000)]));
    await journal.flushed(journal.append([insertOf(2)]));
    await journal.close();
    const { replayed } = await openAndReplay(volume);
    assert.deepEqual(replayed, [
      [1, [1]],
      [2, [2]],
    ]);
  });
});

describe('commit numbers and timestamps', () => {
  it('only grow, when the clock stands still, steps back, and across restarts', async () => {
    const volume = new MemoryVolume();
    const clock = new ManualClock(5_000_000);
    const { journal } = await openAndReplay(volume, { clock });
    const seen = [];
    for (const advance of [0, 0, 1500]) {
      clock.advance(advance);
      seen.push([journal.append([insertOf(1)]), { ...journal.lastTimestamp }]);
    }
    await journal.close();
    const earlier = new ManualClock(1_000_000);
    const { journal: later } = await openAndReplay(volume, { clock: earlier });
    seen.push([later.append([insertOf(2)]), { ...later.lastTimestamp }]);
    assert.deepEqual(seen, [
      [1, { seconds: 5000, increment: 1 }],
      [2, { seconds: 5000, increment: 2 }],
      [3, { seconds: 5001, increment: 1 }],
      [4, { seconds: 5001, increment: 2 }],
    ]);
    await later.close();
  });
});

describe('segments', () => {
  it('take at most 8 MiB on an empty server', async () => {
    const volume = new MemoryVolume();
    const { journal } = await openAndReplay(volume);
    await journal.flushed(journal.append([insertOf(1)]));
    await journal.close();
    const { totalBytes, freeBytes } = await volume.space();
    assert.ok(totalBytes - freeBytes <= 8 * MIB);
  });

  it('grow while they fill fast, up to their largest size', async () => {
    const { journal } = await openAndReplay(new MemoryVolume(), { largestSegmentBytes: 4 * MIB });
    for (let n = 1; n <= 200; n += 1) await journal.flushed(journal.append([insertOf(n, 90_000)]));
    const { segments, segmentBytes } = journal.statistics();
    assert.ok(segmentBytes / segments > 2 * MIB);
    assert.ok(segmentBytes / segments <= 4 * MIB);
    await journal.close();
  });

  it('are recycled once released, and hold only later commits then', async () => {
    const volume = new MemoryVolume();
    const { journal } = await openAndReplay(volume, { largestSegmentBytes: MIB });
    let most = 0;
    for (let n = 1; n <= 100; n += 1) {
      const commit = journal.append([insertOf(n, 90_000)]);
      await journal.flushed(commit);
      if (n > 10) journal.release((n - 10) as CommitNumber);
      most = Math.max(most, (await volume.list()).length);
    }
    assert.ok(most <= 5, `${most} files`);
    await journal.close();
    const { replayed } = await openAndReplay(volume, { from: 90 });
    assert.deepEqual(
      replayed.map(([commit]) => commit),
      [91, 92, 93, 94, 95, 96, 97, 98, 99, 100],
    );
  });

  it('stay while the window needs them', async () => {
    const clock = new ManualClock();
    const keep = { largestSegmentBytes: MIB, retainBytes: 3 * MIB, retainMs: 60_000, clock };
    const { journal } = await openAndReplay(new MemoryVolume(), keep);
    for (let n = 1; n <= 60; n += 1) await journal.flushed(journal.append([insertOf(n, 90_000)]));
    const before = journal.statistics().segments;
    journal.release(journal.flushedCommitNumber);
    assert.equal(journal.statistics().segments, before);
    clock.advance(60_000);
    journal.release(journal.flushedCommitNumber);
    assert.equal(journal.statistics().segments, 3);
    await journal.close();
  });

  it('that nobody needs any more are removed when it is quiet', async () => {
    const clock = new ManualClock();
    const volume = new MemoryVolume();
    const { journal } = await openAndReplay(volume, { largestSegmentBytes: MIB, clock });
    for (let n = 1; n <= 100; n += 1) await journal.flushed(journal.append([insertOf(n, 90_000)]));
    journal.release(journal.flushedCommitNumber);
    for (let round = 0; round < 8; round += 1) {
      await journal.flushed(journal.append([insertOf(1)]));
      clock.advance(100);
      await settle();
      clock.advance(100);
      await settle();
    }
    assert.ok((await volume.list()).length <= 3);
    await journal.close();
  });
});
