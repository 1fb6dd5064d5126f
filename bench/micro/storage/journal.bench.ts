/**
 * Question: what do the journal's parts cost: encoding and decoding an insert of 1 KiB, group commit with 1 to 256
 * writers that wait for their flush, writers that do not wait, and replay?
 *
 * Estimate beforehand: encoding is one copy of 1.1 KiB (0.2 us) and a dozen small writes (0.3 us); one durable write
 * takes 100 us and 10 us of processor time in its thread, shared by the batch; so at 64 writers 2-3 us per commit.
 * Run: `npm run bench -- storage/journal`.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '../../../common/clock.ts';
import { silentLog } from '../../../common/log.ts';
import { systemRandom } from '../../../common/random.ts';
import type { CommitNumber, RecordId } from '../../../storage/contract.ts';
import { FileVolume } from '../../../storage/device/file-volume.ts';
import {
  journalEntryBytes,
  readJournalEntry,
  writeJournalEntry,
  type JournalOperation,
  type JournalStamp,
} from '../../../storage/format/journal-entry.ts';
import type { Journal } from '../../../storage/journal/contract.ts';
import { openJournal } from '../../../storage/journal/journal.ts';
import { line, measureLanes, nanosecondsPerCall, showLanes } from './measure.ts';

const KIB = 1024;
const document = Buffer.alloc(KIB);
document.writeUInt32LE(document.length, 0);
const operation: JournalOperation = {
  op: 'i',
  ui: Buffer.alloc(16, 3),
  rid: 77 as RecordId,
  o: document,
};

function measureCodec(): void {
  const stamp: JournalStamp = {
    timestamp: { seconds: 1_700_000_000, increment: 2 },
    term: 1,
    wallMs: 1_700_000_000_000,
    commitNumber: 5 as CommitNumber,
  };
  const batch = Buffer.alloc(KIB * KIB);
  const entryBytes = journalEntryBytes(operation, true);
  let at = 0;
  const encodeNs = nanosecondsPerCall(500_000, () => {
    if (at + entryBytes > batch.length) at = 0;
    at = writeJournalEntry(batch, at, operation, stamp, true);
  });
  line('encode an insert of 1 KiB', `${encodeNs.toFixed(0)} ns`);
  writeJournalEntry(batch, 0, operation, stamp, true);
  const decodeNs = nanosecondsPerCall(500_000, () => void readJournalEntry(batch, 0));
  line('decode it', `${decodeNs.toFixed(0)} ns`);
}

async function open(directory: string): Promise<Journal> {
  return openJournal({
    volume: await FileVolume.open(directory),
    storeId: Buffer.alloc(16, 7),
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    onFailure: (error) => {
      throw error;
    },
  });
}

async function measureGroupCommit(journal: Journal): Promise<void> {
  // The device's threads take a moment to start.
  await journal.flushed(journal.append([operation]));
  await new Promise((resolve) => setTimeout(resolve, 1000));
  for (const [writers, commits] of [
    [1, 5000],
    [2, 10_000],
    [8, 40_000],
    [64, 200_000],
    [256, 400_000],
  ] as const) {
    const before = journal.statistics();
    const figures = await measureLanes(commits, writers, () =>
      journal.flushed(journal.append([operation])),
    );
    const after = journal.statistics();
    const perBatch = (after.entries - before.entries) / (after.batches - before.batches);
    line(
      `${writers} waiting, ${perBatch.toFixed(1)} per batch`,
      `${showLanes(figures)} (${figures.cpuUs.toFixed(1)})`,
    );
    journal.release(journal.flushedCommitNumber);
  }
}

async function measureWithoutWaiting(journal: Journal): Promise<void> {
  const commits = 300_000;
  const beganMs = performance.now();
  for (let commit = 0; commit < commits; commit += 1) {
    journal.append([operation]);
    if (commit % 100 === 99) await new Promise((resolve) => setImmediate(resolve));
  }
  await journal.flushed(journal.lastCommitNumber);
  const perSecond = (commits / (performance.now() - beganMs)) * 1000;
  line('nobody waits, 100 per turn', `${perSecond.toFixed(0)}/s`);
}

async function measureReplay(directory: string, from: CommitNumber): Promise<void> {
  const journal = await open(directory);
  const beganMs = performance.now();
  const summary = await journal.replay(from, () => {});
  const tookMs = performance.now() - beganMs;
  line(
    `replay of ${summary.groups} commits`,
    `${((summary.entries / tookMs) * 1000).toFixed(0)}/s, ${(summary.bytes / tookMs / 1000).toFixed(0)} MB/s`,
  );
  await journal.close();
}

measureCodec();
const directory = await mkdtemp(join(process.cwd(), 'data-bench-'));
try {
  const journal = await open(directory);
  await journal.replay(0 as CommitNumber, () => {});
  await measureGroupCommit(journal);
  const before = journal.flushedCommitNumber;
  await measureWithoutWaiting(journal);
  await journal.close();
  await measureReplay(directory, before);
} finally {
  await rm(directory, { recursive: true });
}
