/**
 * The backup of one server of a cluster: a store that is being copied, and the journal behind it up to the cluster's points.
 *
 * Owns: the directory of that server. Promises: the journal is copied beside the store, so that it is not lost while a large store takes its time;
 * an interrupted one goes on where it was as long as the server holds what was being copied.
 */
import { mkdir, rm, stat } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { foregroundClock, sleep } from '../../common/clock.ts';
import type { CommitNumber } from '../../storage/index.ts';
import type { Progress } from '../command-line/progress.ts';
import { FailedCommand } from '../command-line/subcommand.ts';
import {
  BASE_NAME,
  findChain,
  forEachJournalPiece,
  isBackup,
  journalFilesIn,
  NEXT_BASE_NAME,
  timestampText,
  type BackupChain,
} from './backup-chain.ts';
import { renewBases } from './base-renewal.ts';
import type { ConnectedServer } from './cluster-servers.ts';
import { fileSink } from './frame-writer.ts';
import {
  beginFullBackup,
  canGoOn,
  goOnWithBackup,
  lookAtFile,
  type OpenFullBackup,
} from './full-backup.ts';
import { JournalArchive } from './journal-archive.ts';
import { beginJournalFile, firstBackupId, syncDirectory } from './journal-file.ts';
import type { RateLimit } from './rate-limit.ts';
import { isPassing, isPositionLost } from './server-backup.ts';

export interface MemberOptions {
  /** Of the cluster's backup. */
  readonly target: string;
  /** Of the cluster's backup that this one goes on from. */
  readonly since: string | undefined;
  readonly fileBytes: number;
  /** What is older is let go while the journal is followed; undefined: nothing is. */
  readonly keepMs: number | undefined;
  readonly rate: RateLimit;
  readonly progress: Progress;
}

/** What the journal is copied for. */
export type JournalGoal =
  | { readonly kind: 'until'; readonly commit: CommitNumber }
  | { readonly kind: 'follow'; readonly isStopped: () => boolean };

const RETRY_MS = 1000;

export class MemberBackup {
  readonly server: ConnectedServer;
  readonly directory: string;
  /** Of what was read from the server, this time. */
  plainBytes = 0;
  storedBytes = 0;
  /** An interrupted copy of the store is gone on with. */
  resumed = false;
  /** How often the server was away while its journal was followed: it may have lost what it had not flushed. */
  interruptions = 0;
  private readonly options: MemberOptions;
  private copy: OpenFullBackup | undefined;
  private chain: BackupChain | undefined;
  private archive: JournalArchive | undefined;

  constructor(server: ConnectedServer, options: MemberOptions) {
    this.server = server;
    this.options = options;
    this.directory = join(options.target, server.directory);
  }

  get name(): string {
    return this.server.name;
  }

  /** 32 hexadecimal digits. Known when it is open. */
  get storeId(): string {
    return this.requiredChain.description.storeId;
  }

  /** Up to here the journal is on the disk. */
  get durable(): CommitNumber | undefined {
    return this.archive?.durable;
  }

  /**
   * Has the server hold its store still, or finds what was begun before.
   * @returns 'lost' when something was begun that cannot be gone on with
   */
  async openFull(): Promise<'open' | 'lost'> {
    await mkdir(this.directory, { recursive: true, mode: 0o700 });
    const path = join(this.directory, BASE_NAME);
    const options = {
      rate: this.options.rate,
      progress: this.options.progress,
      label: this.name,
    };
    const isThere = (await stat(path).catch(() => undefined)) !== undefined;
    const existing = isThere ? await lookAtFile(path) : ({ state: 'unusable' } as const);
    if (existing.state === 'unfinished') {
      if (!(await canGoOn(this.server.backup, existing.at))) return 'lost';
      this.copy = await goOnWithBackup(this.server.backup, path, existing.at, options);
      this.resumed = true;
    } else if (existing.state === 'unusable') {
      if ((await journalFilesIn(this.directory)).length > 0) return 'lost';
      this.copy = await beginFullBackup(this.server.backup, await fileSink(path, 0), options);
      await syncDirectory(this.directory);
    }
    this.chain = await findChain(this.directory);
    return 'open';
  }

  /** Goes on from what there is: in this directory, or in that of the backup before. */
  async openSince(): Promise<void> {
    await mkdir(this.directory, { recursive: true, mode: 0o700 });
    this.chain = await findChain((await this.hasOwn()) ? this.directory : this.sincePlace);
  }

  /** Before anything is written: whether the server still has the journal behind what there is. @throws MongoServerError: see isPositionLost */
  async checkJournal(): Promise<void> {
    const { last } = await forEachJournalPiece(this.requiredChain, () => Promise.resolve('go on'));
    await this.server.backup.close(await this.server.backup.openJournal(last, this.storeId));
  }

  /** Copies the journal behind all that there is. Resolves when the goal is reached. @throws FailedCommand for a gap */
  async copyJournal(goal: JournalGoal): Promise<void> {
    const { progress, rate, fileBytes } = this.options;
    const chain = this.requiredChain;
    const { storeId } = this;
    const end = await forEachJournalPiece(chain, () => Promise.resolve('go on'));
    if (goal.kind === 'until' && end.last.commitNumber >= goal.commit && (await this.hasOwn()))
      return;
    const isFollowed = goal.kind === 'follow';
    const since = (await this.hasOwn())
      ? { path: '.', backupId: await this.ownId() }
      : {
          path: relative(resolve(this.directory), resolve(this.sincePlace)),
          backupId: (await firstBackupId(this.sincePlace)) ?? chain.description.backupId,
        };
    const start = { storeId, isFollowed };
    const { writer } = await beginJournalFile(this.directory, { ...start, after: end.last, since });
    const archive = new JournalArchive(this.server.backup, writer, end, {
      storeId,
      follow: isFollowed,
      ...(goal.kind === 'until' ? { until: goal.commit } : {}),
      fileBytes,
      nextFile: async (after) => {
        const own = { path: '.', backupId: await this.ownId() };
        return (await beginJournalFile(this.directory, { ...start, after, since: own })).writer;
      },
      rate,
      task: progress.begin(`${this.name} journal`, { unit: 'bytes' }),
      isStopped: goal.kind === 'follow' ? goal.isStopped : () => false,
    });
    this.archive = archive;
    try {
      await this.runToEnd(archive, goal);
    } catch (error) {
      await archive.close();
      throw error;
    }
    await archive.end();
    this.plainBytes += archive.plainBytes;
    this.storedBytes += archive.storedBytes;
  }

  /** Of the store that the directory has. */
  async firstCommit(): Promise<CommitNumber> {
    return (await findChain(this.directory)).description.point.commitNumber;
  }

  /** Lets go what is older than it has to be, until it is stopped. */
  async renew(isStopped: () => boolean): Promise<void> {
    const { keepMs, rate, progress } = this.options;
    if (keepMs === undefined) return;
    const { directory, name: label } = this;
    const server = this.server.backup;
    await renewBases({ server, directory, keepMs, rate, progress, label, isStopped });
  }

  /** Copies the store, if it is not finished. */
  async copyStore(): Promise<void> {
    if (this.copy === undefined) return;
    const { plainBytes, storedBytes } = await this.copy.run();
    this.plainBytes += plainBytes;
    this.storedBytes += storedBytes;
    this.copy = undefined;
  }

  /** Gives up: the directory can be gone on with. */
  async close(): Promise<void> {
    await this.copy?.close().catch(() => undefined);
    this.copy = undefined;
  }

  /** Everything of this server goes. */
  async clear(): Promise<void> {
    await this.close();
    for (const name of await journalFilesIn(this.directory).catch(() => [])) {
      await rm(join(this.directory, name));
    }
    await rm(join(this.directory, BASE_NAME), { force: true });
    await rm(join(this.directory, NEXT_BASE_NAME), { force: true });
  }

  private get requiredChain(): BackupChain {
    if (this.chain === undefined) throw new Error('a backup that is not open');
    return this.chain;
  }

  private get sincePlace(): string {
    return join(this.options.since ?? this.options.target, this.server.directory);
  }

  private hasOwn(): Promise<boolean> {
    return isBackup(this.directory);
  }

  private async ownId(): Promise<string> {
    return (await firstBackupId(this.directory)) ?? this.requiredChain.description.backupId;
  }

  /** A server that is away for a while is waited for by who follows it. */
  private async runToEnd(archive: JournalArchive, goal: JournalGoal): Promise<void> {
    const isStopped = goal.kind === 'follow' ? goal.isStopped : undefined;
    for (;;) {
      try {
        await archive.run();
        return;
      } catch (error) {
        this.interruptions += 1;
        if (isPositionLost(error)) throw gap(this.name, archive, error);
        if (isStopped === undefined || isStopped() || !isPassing(error)) throw error;
        await sleep(foregroundClock, RETRY_MS);
        if (isStopped()) return;
      }
    }
  }
}

function gap(name: string, { last }: JournalArchive, error: Error): FailedCommand {
  return new FailedCommand(
    `what was copied of ${name} ends at ${timestampText(last.timestamp)} (commit ${last.commitNumber}), and ${error.message}. The server has let go what lies in between: take a new backup in another directory.`,
  );
}
