/**
 * One run of flint backup on a cluster: all servers side by side, each into a directory of its own, and the points that make them one.
 *
 * Order: every server holds its store still, then a barrier fixes the point, then the journals are copied up to it, then the stores. So what is
 * needed of the journal is there before it can be lost, and the servers are held back for a moment only. With --follow the journals
 * go on, and a barrier fixes a point every second.
 */
import { mkdir, rm, stat } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { foregroundClock, sleep, systemClock } from '../../common/clock.ts';
import type { BaseClient, MongoClientOptions } from '../../client/index.ts';
import type { ClusterPoint } from '../../storage/index.ts';
import { FailedCommand } from '../command-line/subcommand.ts';
import { findChain, isBackup } from './backup-chain.ts';
import { DEFAULT_FILE_BYTES, type BackupJobOptions } from './backup-job.ts';
import { fixPoint } from './cluster-barrier.ts';
import {
  CLUSTER_NAME,
  isClusterBackup,
  ManifestWriter,
  readManifest,
  refuseOtherServers,
  tryReadManifest,
  type ClusterManifest,
} from './cluster-manifest.ts';
import { findServers, withServers, type ServerPlace } from './cluster-servers.ts';
import type { ClusterDescription } from './description.ts';
import { lookAtFile } from './full-backup.ts';
import { MemberBackup } from './member-backup.ts';
import { RateLimit } from './rate-limit.ts';
import { isPassing, isPositionLost } from './server-backup.ts';
import { lockTarget } from './target-lock.ts';

export interface ClusterJobOptions extends BackupJobOptions {
  /** Of a router. */
  readonly uri: string;
  readonly clientOptions: MongoClientOptions;
  /** With `follow`: how often a point is fixed, milliseconds; undefined: as EVERY_MS and MOST_HELD_SHARE say. */
  readonly pointEveryMs: number | undefined;
}

export interface ClusterBackupSummary {
  readonly kind: 'cluster';
  readonly backupId: string;
  readonly servers: readonly string[];
  /** How many points were fixed this time, and the last one that there is. */
  readonly points: number;
  readonly at: ClusterPoint;
  /** For how long replies were held back, milliseconds; of each point. */
  readonly heldMs: readonly number[];
  readonly plainBytes: number;
  readonly storedBytes: number;
  readonly seconds: number;
  readonly resumed: boolean;
}

const POLL_MS = 10;
const EVERY_MS = 1000;
/** Of servers that are so busy that a barrier takes long: replies are held back for one part in so many of the time. */
const MOST_HELD_SHARE = 50;
/** The list of shards is looked at so often while a cluster is followed. */
const SHARDS_EVERY_MS = 10_000;

export class ClusterBackupJob {
  private readonly router: BaseClient;
  private readonly options: ClusterJobOptions;
  private readonly rate: RateLimit;
  private readonly startMs = systemClock.monotonicMs();
  private readonly heldMs: number[] = [];
  private lastPoint: ClusterPoint | undefined;
  private isStopped = false;

  constructor(router: BaseClient, options: ClusterJobOptions) {
    this.router = router;
    this.options = options;
    this.rate = new RateLimit(foregroundClock, options.bytesPerSecond);
  }

  /** Ends a job that follows the journals, with a last point. */
  stop(): void {
    if (!this.options.follow) process.exit(130);
    this.isStopped = true;
  }

  /** @throws FailedCommand, BackupDamage, and what the servers say */
  async run(): Promise<ClusterBackupSummary> {
    const { target, uri, clientOptions } = this.options;
    if (target === '-') {
      throw new FailedCommand('a cluster is backed up into a directory, not to standard output.');
    }
    await this.prepareDirectory();
    const lock = await lockTarget(target);
    try {
      const places = await findServers(this.router);
      return await withServers(uri, places, clientOptions, async (servers) => {
        const existing = (await isClusterBackup(target))
          ? await tryReadManifest(target)
          : undefined;
        if (existing !== undefined) refuseOtherServers(target, existing.description, servers);
        const since = await this.sincePlace(existing, places);
        if (since !== undefined && this.options.keepMs !== undefined) {
          throw new FailedCommand(
            `--keep needs a directory with a full backup of its own, and ${target} goes on from another one.`,
          );
        }
        const members = servers.map(
          (server) => new MemberBackup(server, this.memberOptions(since)),
        );
        try {
          return await this.take(members, existing, since);
        } finally {
          for (const member of members) await member.close();
        }
      });
    } finally {
      await lock.release();
    }
  }

  private async take(
    members: readonly MemberBackup[],
    before: ClusterManifest | undefined,
    since: string | undefined,
  ): Promise<ClusterBackupSummary> {
    const isSince = since !== undefined && (await this.openSince(members, since));
    const existing = isSince ? before : await this.openFull(members, before);
    const writer = await ManifestWriter.open(this.options.target, existing, {
      servers: members.map(({ server, storeId }) => {
        const { name, host, directory } = server;
        return { name, host, directory, storeId };
      }),
      since: isSince ? await this.sinceEntry(since) : undefined,
    });
    try {
      const isGoneOn = members.some(({ resumed }) => resumed);
      const [point] = existing?.points.slice(-1) ?? [];
      if (this.options.follow) await this.follow(members, writer);
      else if (isGoneOn && point !== undefined) this.lastPoint = point;
      else await this.takePoint(members, writer);
      if (!this.options.follow) await all(members.map((member) => member.copyStore()));
    } finally {
      await writer.close();
    }
    return this.summary(members, writer.description);
  }

  /** One point, and the journals up to it. */
  private async takePoint(members: readonly MemberBackup[], writer: ManifestWriter): Promise<void> {
    const point = await this.fix(members);
    await all(
      members.map((member, index) =>
        member.copyJournal({ kind: 'until', commit: point.commits[index] }),
      ),
    );
    await this.refuseNewShards(writer.description);
    await writer.add(point);
    this.lastPoint = point;
  }

  /** The journals on and on, the stores if need be, and a point again and again. */
  private async follow(members: readonly MemberBackup[], writer: ManifestWriter): Promise<void> {
    let isOver = false;
    const isStopped = (): boolean => isOver;
    this.options.progress.say(
      `Following the journals of ${members.map(({ name }) => name).join(', ')}.`,
    );
    const endless = members.map((member) => member.copyJournal({ kind: 'follow', isStopped }));
    const stores = members.map((member) => member.copyStore());
    // Not before: a store that is being copied is not old yet.
    const renewing = all(stores).then(() =>
      all(members.map((member) => member.renew(() => isOver || this.isStopped))),
    );
    let failure: { readonly error: unknown } | undefined;
    for (const work of [...endless, ...stores, renewing]) {
      work.catch((error: unknown) => {
        failure ??= { error };
      });
    }
    try {
      await this.fixPoints(members, writer, () => failure !== undefined);
      // What was begun is finished, as without --follow: else none of the points could be restored.
      if (failure === undefined) await all(stores);
    } finally {
      isOver = true;
      await Promise.allSettled([...endless, ...stores, renewing]);
    }
    if (failure !== undefined) throw failure.error;
  }

  private async fixPoints(
    members: readonly MemberBackup[],
    writer: ManifestWriter,
    hasFailed: () => boolean,
  ): Promise<void> {
    const { pointEveryMs, progress } = this.options;
    let isAway = false;
    let shardsMs = this.nowMs;
    for (let isLast = false; !isLast && !hasFailed();) {
      const startMs = this.nowMs;
      isLast = this.isStopped;
      try {
        const isAdded = await this.addPoint(members, writer, hasFailed);
        if (isAdded) isAway = false;
        if (startMs - shardsMs >= SHARDS_EVERY_MS) {
          shardsMs = startMs;
          await this.refuseNewShards(writer.description);
          await this.forgetPoints(writer, members);
        }
      } catch (error) {
        if (!isPassing(error)) throw error;
        if (!isAway) progress.say(`${messageOf(error)}. No points until all servers are back.`);
        isAway = true;
      }
      const heldMs = this.heldMs[this.heldMs.length - 1] ?? 0;
      const nextMs = startMs + (pointEveryMs ?? Math.max(EVERY_MS, heldMs * MOST_HELD_SHARE));
      while (!this.isStopped && !hasFailed() && this.nowMs < nextMs) {
        await sleep(foregroundClock, POLL_MS);
      }
    }
  }

  /** Points that the stores no longer reach back to. */
  private async forgetPoints(
    writer: ManifestWriter,
    members: readonly MemberBackup[],
  ): Promise<void> {
    if (this.options.keepMs === undefined) return;
    const from = await all(members.map((member) => member.firstCommit()));
    await writer.forgetBefore(from);
  }

  /** @returns false when it is no point: a server was restarted, and may have lost what it named */
  private async addPoint(
    members: readonly MemberBackup[],
    writer: ManifestWriter,
    hasFailed: () => boolean,
  ): Promise<boolean> {
    const lives = members.map(({ interruptions }) => interruptions);
    const point = await this.fix(members);
    const isSame = (): boolean =>
      members.every(({ interruptions }, index) => interruptions === lives[index]);
    const isReached = (): boolean =>
      members.every(
        ({ durable }, index) => durable !== undefined && durable >= point.commits[index],
      );
    while (!isReached()) {
      if (hasFailed() || !isSame()) return false;
      await sleep(foregroundClock, POLL_MS);
    }
    if (!isSame()) return false;
    await writer.add(point);
    this.lastPoint = point;
    return true;
  }

  private async fix(members: readonly MemberBackup[]): Promise<ClusterPoint> {
    const { point, heldMs } = await this.rate.pauseFor(() =>
      fixPoint(members.map(({ server }) => server.backup)),
    );
    this.heldMs.push(heldMs);
    return point;
  }

  /** @returns what there is of a manifest to go on with */
  private async openFull(
    members: readonly MemberBackup[],
    existing: ClusterManifest | undefined,
  ): Promise<ClusterManifest | undefined> {
    const { target, follow, force, progress } = this.options;
    if (existing !== undefined && !follow && (await isWhole(target, existing))) {
      if (!force) {
        throw new FailedCommand(
          `${target} is a finished backup. Name another directory, or say --force to replace it.`,
        );
      }
      await this.clear(members);
      await all(members.map((member) => member.openFull()));
      return undefined;
    }
    const opened = await all(members.map((member) => member.openFull()));
    if (!opened.includes('lost')) return existing;
    progress.say(
      'The servers no longer hold what the interrupted backup was copying: it begins anew.',
    );
    await this.clear(members);
    await all(members.map((member) => member.openFull()));
    return undefined;
  }

  /** @returns false when it has to become a full one */
  private async openSince(members: readonly MemberBackup[], since: string): Promise<boolean> {
    const { target, progress } = this.options;
    try {
      await all(members.map((member) => member.openSince()));
      await all(members.map((member) => member.checkJournal()));
      return true;
    } catch (error) {
      if (!isPositionLost(error)) throw error;
      if (resolve(since) === resolve(target) || (await isClusterBackup(target))) {
        throw new FailedCommand(
          `${error.message}. There is a gap behind what ${target} has: take a new backup in another directory.`,
        );
      }
      progress.say(
        `${error.message.slice(0, 1).toUpperCase()}${error.message.slice(1)}: this becomes a full backup.`,
      );
      return false;
    }
  }

  /** Where the backup is that this one goes on from; undefined: it is a full one. */
  private async sincePlace(
    existing: ClusterManifest | undefined,
    servers: readonly ServerPlace[],
  ): Promise<string | undefined> {
    const { since, target } = this.options;
    const own = existing?.description.since;
    if (since === undefined) return own === undefined ? undefined : resolve(target, own.path);
    if (!(await isClusterBackup(since))) {
      throw new FailedCommand(`${since} is no backup of a cluster: nothing can go on from it.`);
    }
    const manifest = await readManifest(since);
    if (!(await isWhole(since, manifest))) {
      throw new FailedCommand(`${since} is not finished: nothing can go on from it.`);
    }
    refuseOtherServers(since, manifest.description, servers);
    if (existing === undefined || resolve(since) === resolve(target)) return since;
    if (own?.backupId === manifest.description.backupId) return since;
    // It was to become a full one, and was interrupted.
    if (own === undefined && !(await isWhole(target, existing))) return undefined;
    throw new FailedCommand(`${target} does not go on from ${since}. Name another directory.`);
  }

  private async sinceEntry(since: string): Promise<ClusterDescription['since']> {
    const { target } = this.options;
    const { description } = await readManifest(since);
    return { backupId: description.backupId, path: relative(resolve(target), resolve(since)) };
  }

  /** A shard that came or went: chunks may be where nothing is copied. @throws FailedCommand */
  private async refuseNewShards(description: ClusterDescription): Promise<void> {
    refuseOtherServers(this.options.target, description, await findServers(this.router));
  }

  private memberOptions(since: string | undefined) {
    const { target, fileBytes = DEFAULT_FILE_BYTES, keepMs, progress } = this.options;
    return { target, since, fileBytes, keepMs, rate: this.rate, progress };
  }

  private async clear(members: readonly MemberBackup[]): Promise<void> {
    await rm(join(this.options.target, CLUSTER_NAME), { force: true });
    for (const member of members) await member.clear();
  }

  private async prepareDirectory(): Promise<void> {
    const { target } = this.options;
    const found = await stat(target).catch(() => undefined);
    if (found !== undefined && !found.isDirectory()) {
      throw new FailedCommand(`${target} is a file: name a directory.`);
    }
    if (found !== undefined && (await isBackup(target))) {
      throw new FailedCommand(`${target} is a backup of one server. Name another directory.`);
    }
    await mkdir(target, { recursive: true, mode: 0o700 });
  }

  private get nowMs(): number {
    return systemClock.monotonicMs();
  }

  private summary(
    members: readonly MemberBackup[],
    { backupId }: ClusterDescription,
  ): ClusterBackupSummary {
    const { lastPoint } = this;
    if (lastPoint === undefined) {
      throw new FailedCommand('it was stopped before all servers had been copied at one point.');
    }
    return {
      kind: 'cluster',
      backupId,
      servers: members.map(({ name }) => name),
      points: this.heldMs.length,
      at: lastPoint,
      heldMs: this.heldMs,
      plainBytes: members.reduce((sum, member) => sum + member.plainBytes, 0),
      storedBytes: members.reduce((sum, member) => sum + member.storedBytes, 0),
      seconds: (this.nowMs - this.startMs) / 1000,
      resumed: members.some(({ resumed }) => resumed),
    };
  }
}

/** Whether there is a point, and every store that it rests on is whole. */
async function isWhole(
  directory: string,
  { description, points }: ClusterManifest,
): Promise<boolean> {
  if (points.length === 0) return false;
  for (const server of description.servers) {
    const place = join(directory, server.directory);
    if (!(await isBackup(place))) return false;
    const { base } = await findChain(place);
    if ((await lookAtFile(base)).state !== 'finished') return false;
  }
  return true;
}

/** As Promise.all, but over only when all of them are: nothing is written behind the caller's back. */
async function all<Value>(promises: readonly Promise<Value>[]): Promise<Value[]> {
  await Promise.allSettled(promises);
  return Promise.all(promises);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
