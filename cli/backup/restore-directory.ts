/**
 * Restores a backup into a data directory, for a server to start on.
 *
 * Promises: a backup in files is checked whole before anything is written; one from standard input is checked frame by frame as it comes, and
 * nothing opens before its end has come. What the directory holds at the end is the store at one commit.
 */
import { systemClock } from '../../common/clock.ts';
import { systemRandom } from '../../common/random.ts';
import {
  compareTimestamps,
  RestoredStore,
  type CommitNumber,
  type CommitPoint,
  type Timestamp,
} from '../../storage/index.ts';
import type { Progress } from '../command-line/progress.ts';
import { asFailedCommand, FailedCommand } from '../command-line/subcommand.ts';
import { forEachJournalPiece, timestampText, type BackupChain } from './backup-chain.ts';
import { checkBackup, readBase, type BackupCheck } from './check-backup.ts';
import type { FullDescription } from './description.ts';
import { commitsUpTo } from './points-in-time.ts';

export interface DirectoryRestoreOptions {
  readonly dbpath: string;
  /** A store that is there goes. */
  readonly force: boolean;
  /** undefined: up to the last commit that there is. */
  readonly to: Timestamp | undefined;
  /** Of a cluster's point: up to this commit, whatever its time. */
  readonly toCommit?: CommitNumber;
  /** For progress; default restore. */
  readonly label?: string;
  readonly progress: Progress;
}

export interface RestoreReport {
  readonly at: CommitPoint;
  readonly plainBytes: number;
}

/** @throws BackupDamage, FailedCommand */
export async function restoreDirectory(
  chain: BackupChain,
  options: DirectoryRestoreOptions,
): Promise<RestoreReport> {
  const check = await checkBackup(chain, options.progress);
  refuseUnreachable(chain, check, options.to);
  if (options.toCommit !== undefined) refuseMissing(chain, check, options.toCommit);
  else if (options.to === undefined) refuseUnfinished(check);
  return restoreChecked(chain, options);
}

/** Of a chain that has been checked. @throws BackupDamage, FailedCommand */
export function restoreChecked(
  chain: BackupChain,
  options: DirectoryRestoreOptions,
): Promise<RestoreReport> {
  return writeStore(chain.base, options, async (store, description) => {
    let at: CommitPoint = description.point;
    await forEachJournalPiece(chain, async (piece) => {
      const chosen = commitsUpTo(piece.entries, piece.after, options);
      await store.appendJournal(chosen.entries);
      if (chosen.last.commitNumber > at.commitNumber) at = chosen.last;
      const isBehind = chosen.last.commitNumber < piece.last.commitNumber;
      return isBehind ? 'stop' : 'go on';
    });
    return at;
  });
}

/** From standard input: a full backup alone. @throws BackupDamage, FailedCommand */
export function restoreDirectoryFromStream(
  options: DirectoryRestoreOptions,
): Promise<RestoreReport> {
  return writeStore('-', options, (_store, description) => {
    const { to } = options;
    const { timestamp } = description.point;
    if (to === undefined || compareTimestamps(to, timestamp) === 0) {
      return Promise.resolve(description.point);
    }
    throw new FailedCommand(
      `what comes from standard input is of ${timestampText(timestamp)}, and has no journal to go on to another time.`,
    );
  });
}

async function writeStore(
  path: string,
  { dbpath, force, progress, label = 'restore' }: DirectoryRestoreOptions,
  finish: (store: RestoredStore, description: FullDescription) => Promise<CommitPoint>,
): Promise<RestoreReport> {
  let store: RestoredStore | undefined;
  let plainBytes = 0;
  const task = progress.begin(label, { unit: 'bytes' });
  const began = (): RestoredStore => {
    if (store === undefined) throw new FailedCommand(`${path} does not begin as a backup does.`);
    return store;
  };
  try {
    const description = await readBase(path, {
      async begin({ point }) {
        store = await RestoredStore.create({
          dbpath,
          point,
          clock: systemClock,
          random: systemRandom,
          overwrite: force,
        });
      },
      async entries(packed) {
        await began().putEntries(packed);
        plainBytes += packed.length;
        task.advance(packed.length);
      },
      async sectors(first, sectors) {
        await began().putSectors(first, sectors);
        plainBytes += sectors.length;
        task.advance(sectors.length);
      },
    });
    const at = await finish(began(), description);
    await began().finish();
    task.end(`commit ${at.commitNumber} of ${timestampText(at.timestamp)}`);
    return { at, plainBytes };
  } catch (error) {
    await store?.abandon().catch(() => undefined);
    throw withAdvice(asFailedCommand(`cannot restore into ${dbpath}`, error));
  }
}

function withAdvice(error: unknown): unknown {
  if (!(error instanceof FailedCommand) || !error.message.includes('is not empty')) return error;
  return new FailedCommand(
    `${error.message}. Name an empty directory, or say --force: a store that is there goes.`,
  );
}

/** @throws FailedCommand when a commit that a cluster's point names is not there */
export function refuseMissing(
  { description, base }: BackupChain,
  { last }: BackupCheck,
  commit: CommitNumber,
): void {
  const from = description.point.commitNumber;
  if (from <= commit && commit <= last.commitNumber) return;
  throw new FailedCommand(
    `${base} and its journal hold commits ${from} to ${last.commitNumber}, and the cluster's point needs commit ${commit}.`,
  );
}

/** Of an incremental backup that was interrupted nobody knows what is missing. */
function refuseUnfinished({ open, coveredTo }: BackupCheck): void {
  if (open === undefined || open.isFollowed) return;
  throw new FailedCommand(
    `${open.file} is not finished. Run the same flint backup again, and it goes on; or restore what there is, up to ${timestampText(coveredTo)}, with --to.`,
  );
}

function refuseUnreachable(
  { description }: BackupChain,
  { coveredTo, last }: BackupCheck,
  to: Timestamp | undefined,
): void {
  if (to === undefined) return;
  const { timestamp } = description.point;
  if (compareTimestamps(to, timestamp) < 0) {
    throw new FailedCommand(
      `${timestampText(to)} is before the backup, which is of ${timestampText(timestamp)}. Take an older one.`,
    );
  }
  if (compareTimestamps(to, coveredTo) <= 0) return;
  throw new FailedCommand(
    `${timestampText(to)} is behind what is there, which ends at ${timestampText(coveredTo)} (last commit ${last.commitNumber} of ${timestampText(last.timestamp)}). Without --to everything that is there is restored.`,
  );
}
