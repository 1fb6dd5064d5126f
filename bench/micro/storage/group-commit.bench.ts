/**
 * Question: how many durable commits per second does the journal make of the flushes that its disk can do, at 1, 8, 64 and 256 waiters?
 *
 * The raw figure beside it, in turns within one run: the same disk, a file written before, one writer that writes 4 KiB and calls
 * fdatasync, as fast as it can. The ratio is commits per such flush.
 * Estimate beforehand: alone a commit is one write of 4 KiB with O_DSYNC, a little cheaper than write and fdatasync, plus the way to the
 * journal's thread and back: 0.8. With more waiters each flush carries those that came meanwhile, two writes in flight: 3, 15 and
 * 20 times as many commits as flushes; from 64 on processor time is the bound.
 * Run: `npm run bench -- storage/group-commit`.
 */
import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '../../../common/clock.ts';
import { silentLog } from '../../../common/log.ts';
import { systemRandom } from '../../../common/random.ts';
import type { CommitNumber, RecordId } from '../../../storage/contract.ts';
import { FileVolume } from '../../../storage/device/file-volume.ts';
import type { JournalOperation } from '../../../storage/format/journal-entry.ts';
import type { Journal } from '../../../storage/journal/contract.ts';
import { openJournal } from '../../../storage/journal/journal.ts';
import { line, measureLanes } from './measure.ts';

const KIB = 1024;
const ROUNDS = 3;
const RAW_FILE_BYTES = 16 * KIB * KIB;
const RAW_FLUSHES = 1000;

const document = Buffer.alloc(KIB);
document.writeUInt32LE(document.length, 0);
const operation: JournalOperation = {
  op: 'i',
  ui: Buffer.alloc(16, 3),
  rid: 77 as RecordId,
  o: document,
};

/** @returns flushes per second */
function rawFlushes(file: number): number {
  const block = Buffer.alloc(4 * KIB, 1);
  const beganMs = performance.now();
  for (let flush = 0; flush < RAW_FLUSHES; flush += 1) {
    writeSync(file, block, 0, block.length, (flush * block.length) % RAW_FILE_BYTES);
    fdatasyncSync(file);
  }
  return (RAW_FLUSHES / (performance.now() - beganMs)) * 1000;
}

function openRawFile(path: string): number {
  const file = openSync(path, 'w');
  writeSync(file, Buffer.alloc(RAW_FILE_BYTES), 0, RAW_FILE_BYTES, 0);
  fdatasyncSync(file);
  return file;
}

async function commitsPerSecond(journal: Journal, waiters: number, commits: number) {
  const figures = await measureLanes(commits, waiters, () =>
    journal.flushed(journal.append([operation])),
  );
  journal.release(journal.flushedCommitNumber);
  return figures;
}

const directory = await mkdtemp(join(process.cwd(), 'data-bench-'));
try {
  const journal = openJournal({
    volume: await FileVolume.open(directory),
    storeId: Buffer.alloc(16, 7),
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    onFailure: (error) => {
      throw error;
    },
  });
  await journal.replay(0 as CommitNumber, () => {});
  const file = openRawFile(join(directory, 'raw'));
  // The device's threads take a moment to start, and everything compiles.
  await commitsPerSecond(journal, 64, 20_000);
  for (const [waiters, commits] of [
    [1, 2000],
    [8, 10_000],
    [64, 50_000],
    [256, 100_000],
  ] as const) {
    for (let round = 0; round < ROUNDS; round += 1) {
      const flushes = rawFlushes(file);
      const { perSecond, p99Us } = await commitsPerSecond(journal, waiters, commits);
      line(
        `${waiters} waiting: ${perSecond.toFixed(0)} commits/s, p99 ${p99Us.toFixed(0)} us; ${flushes.toFixed(0)} flushes/s`,
        `${(perSecond / flushes).toFixed(2)} per flush`,
      );
    }
  }
  closeSync(file);
  await journal.close();
} finally {
  await rm(directory, { recursive: true });
}
