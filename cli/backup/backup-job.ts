/**
 * One run of flint backup: decides what is to be taken, what can be gone on with, and does it.
 *
 * Promises: it changes nothing in the target but what it adds, unless it is told to replace; what another run may need is on the disk
 * before it says that it is done.
 */
import { mkdir, rm, stat } from 'node:fs/promises';
import { setPriority } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { foregroundClock, sleep, systemClock } from '../../common/clock.ts';
import type { BaseClient, MongoServerError } from '../../client/index.ts';
import type { CommitPoint } from '../../storage/index.ts';
import type { Progress } from '../command-line/progress.ts';
import { FailedCommand } from '../command-line/subcommand.ts';
import {
  BASE_NAME,
  describe,
  findChain,
  forEachJournalPiece,
  isBackup,
  journalFilesIn,
  journalName,
  NEXT_BASE_NAME,
  timestampText,
  type BackupChain,
  type ChainEnd,
} from './backup-chain.ts';
import { renewBases } from './base-renewal.ts';
import { BackupDamage } from './backup-damage.ts';
import { fileSink, streamSink } from './frame-writer.ts';
import {
  beginFullBackup,
  canGoOn,
  goOnWithBackup,
  lookAtFile,
  type FullBackupOptions,
  type FullBackupSummary,
  type OpenFullBackup,
} from './full-backup.ts';
import { JournalArchive } from './journal-archive.ts';
import { beginJournalFile, firstBackupId, syncDirectory } from './journal-file.ts';
import { RateLimit } from './rate-limit.ts';
import { isPassing, isPositionLost, ServerBackup } from './server-backup.ts';
import { lockTarget } from './target-lock.ts';

export interface BackupJobOptions {
  /** A directory, or '-'. */
  readonly target: string;
  readonly since: string | undefined;
  readonly follow: boolean;
  /** Replaces a finished backup in the target. */
  readonly force: boolean;
  readonly bytesPerSecond: number | undefined;
  /** Of a journal that is followed: what is older, milliseconds, is let go. */
  readonly keepMs: number | undefined;
  /** Of a journal that is followed: another file begins when one has so many bytes. Default 256 MiB. */
  readonly fileBytes: number | undefined;
  readonly progress: Progress;
}

export interface BackupSummary {
  readonly kind: 'full' | 'journal';
  readonly backupId: string;
  /** The last commit in it. */
  readonly at: CommitPoint;
  readonly plainBytes: number;
  readonly storedBytes: number;
  /** Of the journal; undefined when none was copied. */
  readonly commits: number | undefined;
  readonly seconds: number;
  readonly resumed: boolean;
}

/** A tool in the background gives way to the server beside it. */
const NICENESS = 10;
const RETRY_MS = 1000;
export const DEFAULT_FILE_BYTES = 256 * 1024 * 1024;

export class BackupJob {
  private readonly server: ServerBackup;
  private readonly options: BackupJobOptions;
  private readonly rate: RateLimit;
  private readonly startMs = systemClock.monotonicMs();
  private isStopped = false;

  constructor(client: BaseClient, options: BackupJobOptions) {
    this.server = new ServerBackup(client);
    this.options = options;
    this.rate = new RateLimit(foregroundClock, options.bytesPerSecond);
  }

  /** Ends a job that follows the journal, with what has come so far. */
  stop(): void {
    if (!this.options.follow) process.exit(130);
    this.isStopped = true;
  }

  /** @throws FailedCommand, BackupDamage, and what the server says */
  async run(): Promise<BackupSummary> {
    giveWay();
    const { target, since, follow } = this.options;
    if (target === '-') {
      if (follow)
        throw new FailedCommand('a journal is followed into a directory, not to standard output.');
      return since === undefined ? this.takeFull('-') : this.takeSince('-', since);
    }
    await this.prepareDirectory();
    await this.refuseKeep();
    const lock = await lockTarget(target);
    try {
      if (since === undefined) {
        return await (follow ? this.followBehind(target) : this.takeFull(target));
      }
      if (!(await isBackup(target))) return await this.takeSince(target, since);
      return await (follow ? this.followBehind(target) : this.takeMoreSince(target, since));
    } finally {
      await lock.release();
    }
  }

  /** What another backup rests on is not this one's to let go. */
  private async refuseKeep(): Promise<void> {
    const { keepMs, target, since } = this.options;
    if (keepMs === undefined) return;
    if (since === undefined) {
      const hasJournal = (await journalFilesIn(target)).length > 0;
      if (!hasJournal || (await stateOf(join(target, BASE_NAME))) !== 'missing') return;
    }
    throw new FailedCommand(
      `--keep needs a directory with a full backup of its own, and ${target} goes on from another one.`,
    );
  }

  /** The target holds a backup already: what has come since then is added to it. */
  private async takeMoreSince(target: string, since: string): Promise<BackupSummary> {
    const base = await stateOf(join(target, BASE_NAME));
    // It was to become a full one, and was interrupted.
    if (base === 'unfinished' || base === 'unusable') return this.takeFull(target);
    if (resolve(target) === resolve(since)) return this.followBehind(target);
    const [first] = await journalFilesIn(target);
    if (base === 'finished' || first === undefined) {
      throw new FailedCommand(
        `${target} holds a full backup, which goes on from no other one. Name another directory.`,
      );
    }
    const description = await describe(join(target, first));
    const sinceId = await firstBackupId(since);
    if (description.kind !== 'journal' || description.since.backupId !== sinceId) {
      throw new FailedCommand(
        `${target} goes on from another backup than ${since}. Name another directory.`,
      );
    }
    return this.followBehind(target);
  }

  /** A full backup in the directory, if there is none yet, and then the journal behind all that there is. */
  private async followBehind(directory: string): Promise<BackupSummary> {
    const names = await journalFilesIn(directory);
    if (names.length === 0 && (await stateOf(join(directory, BASE_NAME))) !== 'finished') {
      await this.takeFull(directory);
    }
    const chain = await findChain(directory);
    return this.archive(directory, chain, '.');
  }

  private async takeFull(target: string): Promise<BackupSummary> {
    const options: FullBackupOptions = { rate: this.rate, progress: this.options.progress };
    if (target === '-') {
      return this.fullSummary(
        await (await beginFullBackup(this.server, streamSink(process.stdout), options)).run(),
      );
    }
    const path = join(target, BASE_NAME);
    const resumed = await this.tryGoOn(path, options);
    if (resumed !== undefined) return this.fullSummary(await resumed.run());
    const begun = await beginFullBackup(this.server, await fileSink(path, 0), options);
    const summary = await begun.run();
    await syncDirectory(target);
    return this.fullSummary(summary);
  }

  /** @returns undefined when there is nothing to go on with. @throws FailedCommand when it is finished */
  private async tryGoOn(
    path: string,
    options: FullBackupOptions,
  ): Promise<OpenFullBackup | undefined> {
    if ((await stat(path).catch(() => undefined)) === undefined) return undefined;
    const { progress, force } = this.options;
    const existing = await lookAtFile(path).catch((error: unknown) => {
      if (force && error instanceof BackupDamage) return { state: 'unusable' } as const;
      throw error;
    });
    if (existing.state === 'finished') {
      if (!force) {
        throw new FailedCommand(
          `${path} is a finished backup. Name another directory, or say --force to replace it.`,
        );
      }
      await this.removeBackup();
      return undefined;
    }
    if (existing.state === 'unusable') return undefined;
    if (await canGoOn(this.server, existing.at)) {
      progress.say(
        `Going on with the backup of ${existing.at.description.createdAt.toISOString()}.`,
      );
      return goOnWithBackup(this.server, path, existing.at, options);
    }
    progress.say(
      'The server no longer holds what the interrupted backup was copying: it begins anew.',
    );
    return undefined;
  }

  private async takeSince(target: string, since: string): Promise<BackupSummary> {
    if (!(await isBackup(since))) throw new FailedCommand(`${since} is no backup.`);
    const chain = await findChain(since);
    if ((await stateOf(chain.base)) !== 'finished') {
      throw new FailedCommand(`${chain.base} is not finished: nothing can go on from it.`);
    }
    const path = target === '-' ? resolve(since) : relative(resolve(target), resolve(since));
    try {
      return await this.archive(target, chain, path);
    } catch (error) {
      if (!isPositionLost(error)) throw error;
      const { progress, follow } = this.options;
      progress.say(`${capitalized(error.message)}: this becomes a full backup.`);
      if (target === '-') return this.takeFull('-');
      await rm(join(target, journalName(1)), { force: true });
      return follow ? this.followBehind(target) : this.takeFull(target);
    }
  }

  /** The journal behind a chain, into the next file of a directory. */
  private async archive(
    target: string,
    chain: BackupChain,
    sincePath: string,
  ): Promise<BackupSummary> {
    const { follow, progress } = this.options;
    const end = await forEachJournalPiece(chain, () => Promise.resolve('go on'));
    // Asked before a file is made: the server may have no journal for it.
    const { storeId } = chain.description;
    await this.server.close(await this.openJournal(end, storeId, target, sincePath));
    // Asked before the file is there, which says nothing of itself yet.
    const since = { backupId: await this.sinceId(chain, sincePath), path: sincePath };
    const start = { storeId, isFollowed: follow };
    const first = { ...start, after: end.last, since };
    const { writer, backupId } = await beginJournalFile(target, first);
    const archive = new JournalArchive(this.server, writer, end, {
      storeId,
      follow,
      fileBytes: target === '-' ? undefined : (this.options.fileBytes ?? DEFAULT_FILE_BYTES),
      nextFile: async (after) => {
        const place = { backupId: await this.sinceId(chain, '.'), path: '.' };
        return (await beginJournalFile(target, { ...start, after, since: place })).writer;
      },
      rate: this.rate,
      task: progress.begin('journal', { unit: 'bytes' }),
      isStopped: () => this.isStopped,
    });
    try {
      if (follow) progress.say(`Following the journal from ${timestampText(end.coveredTo)} on.`);
      await this.followed(archive, target);
    } catch (error) {
      await archive.close();
      throw error;
    }
    await archive.end();
    return {
      kind: 'journal',
      backupId,
      at: archive.last,
      plainBytes: archive.plainBytes,
      storedBytes: archive.storedBytes,
      commits: archive.commits,
      ...this.common(false),
    };
  }

  /** With what is let go meanwhile. */
  private async followed(archive: JournalArchive, target: string): Promise<void> {
    const { keepMs, progress } = this.options;
    if (keepMs === undefined) {
      await this.runToEnd(archive);
      return;
    }
    let isOver = false;
    const renewing = renewBases({
      server: this.server,
      directory: target,
      keepMs,
      rate: this.rate,
      progress,
      label: target,
      isStopped: () => isOver,
    }).catch((error: unknown) => {
      this.isStopped = true;
      throw error;
    });
    renewing.catch(() => undefined);
    try {
      await this.runToEnd(archive);
    } finally {
      isOver = true;
      await Promise.allSettled([renewing]);
    }
    await renewing;
  }

  /** What a journal goes on from: the first file of the place that `sincePath` names. */
  private async sinceId(chain: BackupChain, sincePath: string): Promise<string> {
    const { target, since } = this.options;
    const place = sincePath === '.' || since === undefined ? target : since;
    return (await firstBackupId(place)) ?? chain.description.backupId;
  }

  /** A server that is restarted, or away for a while, is waited for by who follows it. */
  private async runToEnd(archive: JournalArchive): Promise<void> {
    const { follow, progress } = this.options;
    let isAway = false;
    for (;;) {
      try {
        await archive.run();
        return;
      } catch (error) {
        if (isPositionLost(error)) throw gap(archive, error);
        if (!follow || this.isStopped || !isPassing(error)) throw error;
        if (!isAway) progress.say(`${messageOf(error)}. Trying again until the server is back.`);
        isAway = true;
        await sleep(foregroundClock, RETRY_MS);
        if (this.isStopped) return;
      }
    }
  }

  private async openJournal(
    end: ChainEnd,
    storeId: string,
    target: string,
    sincePath: string,
  ): Promise<string> {
    try {
      return await this.server.openJournal(end.last, storeId);
    } catch (error) {
      if (!isPositionLost(error) || sincePath !== '.') throw error;
      throw new FailedCommand(
        `${target} ends at ${timestampText(end.last.timestamp)} (commit ${end.last.commitNumber}), and ${error.message}. There is a gap in between: take a new backup in another directory.`,
      );
    }
  }

  private async prepareDirectory(): Promise<void> {
    const { target } = this.options;
    const found = await stat(target).catch(() => undefined);
    if (found !== undefined && !found.isDirectory()) {
      throw new FailedCommand(`${target} is a file: name a directory, or - for standard output.`);
    }
    await mkdir(target, { recursive: true, mode: 0o700 });
  }

  private async removeBackup(): Promise<void> {
    const { target } = this.options;
    for (const name of await journalFilesIn(target)) await rm(join(target, name));
    await rm(join(target, BASE_NAME));
    await rm(join(target, NEXT_BASE_NAME), { force: true });
  }

  private fullSummary(summary: FullBackupSummary): BackupSummary {
    const { backupId, description, plainBytes, storedBytes, resumed } = summary;
    return {
      kind: 'full',
      backupId,
      at: description.point,
      plainBytes,
      storedBytes,
      commits: undefined,
      ...this.common(resumed),
    };
  }

  private common(resumed: boolean): Pick<BackupSummary, 'seconds' | 'resumed'> {
    return { seconds: (systemClock.monotonicMs() - this.startMs) / 1000, resumed };
  }
}

async function stateOf(path: string): Promise<'finished' | 'unfinished' | 'unusable' | 'missing'> {
  if ((await stat(path).catch(() => undefined)) === undefined) return 'missing';
  return (await lookAtFile(path)).state;
}

function gap(archive: JournalArchive, error: MongoServerError): FailedCommand {
  return new FailedCommand(
    `what was copied ends at ${timestampText(archive.last.timestamp)} (commit ${archive.last.commitNumber}), and ${error.message}. The server has let go what lies in between: take a new backup in another directory.`,
  );
}

function giveWay(): void {
  try {
    setPriority(NICENESS);
  } catch {
    // As it was, then.
  }
}

function capitalized(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
