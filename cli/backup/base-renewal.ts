/**
 * Lets go what is older than a followed backup has to reach back: takes a new store beside the old one from time to time, and when that is old
 * enough itself, puts it in the old one's place and removes the journal before it.
 *
 * Owns: `next.backup` in the directory. Invariant: at every moment, also when this process is killed, the directory restores every point in time
 * of the last `keepMs`, or of all the time that it was followed. So it holds at most two stores and twice that time of journal.
 */
import { rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { foregroundClock, sleep, systemClock } from '../../common/clock.ts';
import type { Progress } from '../command-line/progress.ts';
import { FailedCommand } from '../command-line/subcommand.ts';
import { BASE_NAME, describe, journalFilesIn, NEXT_BASE_NAME } from './backup-chain.ts';
import type { FullDescription } from './description.ts';
import { fileSink } from './frame-writer.ts';
import {
  beginFullBackup,
  canGoOn,
  CopyStopped,
  goOnWithBackup,
  lookAtFile,
  type OpenFullBackup,
} from './full-backup.ts';
import { syncDirectory } from './journal-file.ts';
import type { RateLimit } from './rate-limit.ts';
import { isPassing, type ServerBackup } from './server-backup.ts';

export interface RenewalOptions {
  readonly server: ServerBackup;
  /** With a full backup that is followed. */
  readonly directory: string;
  readonly keepMs: number;
  readonly rate: RateLimit;
  readonly progress: Progress;
  /** For progress. */
  readonly label: string;
  readonly isStopped: () => boolean;
}

const LOOK_EVERY_MS = 1000;
const POLL_MS = 100;

/** Resolves when it is stopped. @throws FailedCommand, BackupDamage, what the server says except that it is away */
export async function renewBases(options: RenewalOptions): Promise<void> {
  const { isStopped } = options;
  while (!isStopped()) {
    try {
      await lookOnce(options);
    } catch (error) {
      if (error instanceof CopyStopped) return;
      // Who follows the journal says that the server is away.
      if (!isPassing(error)) throw error;
    }
    const endMs = systemClock.monotonicMs() + LOOK_EVERY_MS;
    while (!isStopped() && systemClock.monotonicMs() < endMs) await sleep(foregroundClock, POLL_MS);
  }
}

async function lookOnce(options: RenewalOptions): Promise<void> {
  const { directory, keepMs } = options;
  const path = join(directory, NEXT_BASE_NAME);
  if ((await stat(path).catch(() => undefined)) !== undefined) {
    const existing = await lookAtFile(path);
    if (existing.state === 'finished') {
      const next = await fullDescription(path);
      if (ageMs(next) >= keepMs) await promote(options, next);
      return;
    }
    const copyOptions = copyOptionsOf(options);
    if (existing.state === 'unfinished' && (await canGoOn(options.server, existing.at))) {
      await finish(await goOnWithBackup(options.server, path, existing.at, copyOptions));
      return;
    }
    await rm(path);
  }
  if (ageMs(await fullDescription(join(directory, BASE_NAME))) < keepMs) return;
  await finish(
    await beginFullBackup(options.server, await fileSink(path, 0), copyOptionsOf(options)),
  );
}

async function finish(copy: OpenFullBackup): Promise<void> {
  try {
    await copy.run();
  } finally {
    await copy.close().catch(() => undefined);
  }
}

/** The old store goes, and the journal that leads up to the new one. */
async function promote(
  { directory, progress, label }: RenewalOptions,
  { point, createdAt }: FullDescription,
): Promise<void> {
  await rename(join(directory, NEXT_BASE_NAME), join(directory, BASE_NAME));
  await syncDirectory(directory);
  const names = await journalFilesIn(directory);
  let removed = 0;
  for (const [index, name] of names.entries()) {
    const following = names[index + 1];
    // The last file is being written to.
    if (following === undefined) break;
    const journal = await describe(join(directory, following));
    if (journal.kind !== 'journal' || journal.after.commitNumber > point.commitNumber) break;
    await rm(join(directory, name));
    removed += 1;
  }
  progress.say(
    `${label} reaches back to ${createdAt.toISOString()} now; ${removed} files of the journal before it were removed.`,
  );
}

function copyOptionsOf({ rate, progress, label, isStopped }: RenewalOptions) {
  return { rate, progress, label: `${label}, a new store`, isStopped };
}

function ageMs({ createdAt }: FullDescription): number {
  return systemClock.wallMs() - createdAt.getTime();
}

async function fullDescription(path: string): Promise<FullDescription> {
  const description = await describe(path);
  if (description.kind === 'full') return description;
  throw new FailedCommand(`${path} holds no store.`);
}
