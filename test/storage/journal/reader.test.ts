import assert from 'node:assert/strict';
import { CommandError } from '../../../common/errors.ts';
import type { CommitNumber } from '../../../storage/contract.ts';
import { MemoryVolume } from '../../../storage/device/memory-volume.ts';
import { ZERO_TIMESTAMP } from '../../../storage/format/timestamp.ts';
import type { JournalReader } from '../../../storage/journal/contract.ts';
import { GatedVolume, idOf, insertOf, openAndReplay, settle } from './journal-fixture.ts';

async function rest(reader: JournalReader): Promise<number[]> {
  const ids: number[] = [];
  for (let group = await reader.next(); group !== undefined; group = await reader.next()) {
    ids.push(...group.entries.map(({ o }) => idOf(o)));
  }
  return ids;
}

describe('journal reader', () => {
  it('reads from a timestamp on, through segments', async () => {
    const { journal } = await openAndReplay(new MemoryVolume(), { largestSegmentBytes: 2 ** 20 });
    const times = [ZERO_TIMESTAMP];
    for (let n = 1; n <= 40; n += 1) {
      journal.append([insertOf(n, 90_000)]);
      times.push(journal.lastTimestamp);
      await journal.flushed(journal.lastCommitNumber);
    }
    for (const after of [0, 1, 17, 39, 40]) {
      const reader = journal.readAfter(times[after]);
      const expected = Array.from({ length: 40 - after }, (_, n) => after + n + 1);
      assert.deepEqual(await rest(reader), expected);
      await reader.close();
    }
    await journal.close();
  });

  it('reads from a commit on, and says when that was', async () => {
    const { journal } = await openAndReplay(new MemoryVolume(), { largestSegmentBytes: 2 ** 20 });
    const times = [ZERO_TIMESTAMP];
    // Every third commit is a chain; some of these begin in one segment and end in the next.
    for (let n = 1; n <= 40; n += 1) {
      const chain =
        n % 3 === 0 ? [insertOf(n, 90_000), insertOf(n, 90_000)] : [insertOf(n, 90_000)];
      journal.append(chain);
      times.push(journal.lastTimestamp);
      await journal.flushed(journal.lastCommitNumber);
    }
    for (let after = 0; after <= 40; after += 1) {
      const { timestamp, reader } = await journal.readFrom(after as CommitNumber);
      assert.deepEqual(timestamp, times[after]);
      const ids = Array.from({ length: 40 - after }, (_, n) => after + n + 1);
      assert.deepEqual(
        await rest(reader),
        ids.flatMap((n) => (n % 3 === 0 ? [n, n] : [n])),
      );
      await reader.close();
    }
    // What recovery needs no longer goes; from the last commit on it can be read still.
    journal.release(39 as CommitNumber);
    const { timestamp, reader } = await journal.readFrom(39 as CommitNumber);
    assert.deepEqual(timestamp, times[39]);
    assert.deepEqual(await rest(reader), [40]);
    await reader.close();
    await assert.rejects(journal.readFrom(1 as CommitNumber), /it begins behind Timestamp\(/);
    await journal.close();
  });

  it('goes on with what is flushed later', async () => {
    const { journal } = await openAndReplay(new MemoryVolume());
    const reader = journal.readAfter(ZERO_TIMESTAMP);
    assert.deepEqual(await rest(reader), []);
    for (let n = 1; n <= 20; n += 1) {
      await journal.flushed(journal.append([insertOf(n, 60_000)]));
      assert.deepEqual(await rest(reader), [n]);
    }
    await reader.close();
    await journal.close();
  });

  it('shows nothing that is not flushed', async () => {
    const volume = new GatedVolume();
    const { journal } = await openAndReplay(volume);
    await journal.flushed(journal.append([insertOf(1)]));
    volume.closed = true;
    const reader = journal.readAfter(ZERO_TIMESTAMP);
    const second = journal.flushed(journal.append([insertOf(2)]));
    await settle();
    const third = journal.flushed(journal.append([insertOf(3)]));
    await settle();
    volume.held[1].release();
    await settle();
    assert.deepEqual(await rest(reader), [1]);
    volume.held[0].release();
    await Promise.all([second, third]);
    assert.deepEqual(await rest(reader), [2, 3]);
    volume.closed = false;
    await reader.close();
    await journal.close();
  });

  it('says so when the segments it needs have been recycled', async () => {
    const { journal } = await openAndReplay(new MemoryVolume(), { largestSegmentBytes: 2 ** 20 });
    await journal.flushed(journal.append([insertOf(1, 90_000)]));
    const slow = journal.readAfter(ZERO_TIMESTAMP);
    assert.ok((await slow.next()) !== undefined);
    for (let n = 2; n <= 60; n += 1) await journal.flushed(journal.append([insertOf(n, 90_000)]));
    journal.release((journal.flushedCommitNumber - 1) as CommitNumber);
    const isLost = (error: unknown): boolean =>
      error instanceof CommandError && error.codeName === 'CappedPositionLost';
    await assert.rejects(rest(slow), isLost);
    assert.throws(() => journal.readAfter(ZERO_TIMESTAMP), isLost);
    await slow.close();
    await journal.close();
  });
});
