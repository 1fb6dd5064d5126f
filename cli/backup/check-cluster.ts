/**
 * Reads all of a cluster's backup and checks it, and says which of its points can be restored.
 */
import { join, resolve } from 'node:path';
import { stat } from 'node:fs/promises';
import type { ClusterPoint } from '../../storage/index.ts';
import type { Progress } from '../command-line/progress.ts';
import { FailedCommand } from '../command-line/subcommand.ts';
import { BackupDamage } from './backup-damage.ts';
import { findChain, type BackupChain } from './backup-chain.ts';
import { checkBackup, type BackupCheck } from './check-backup.ts';
import { isReached, readManifest, type ClusterManifest } from './cluster-manifest.ts';
import type { ClusterServer } from './description.ts';

export interface CheckedServer {
  readonly server: ClusterServer;
  readonly chain: BackupChain;
  readonly check: BackupCheck;
}

export interface ClusterCheck {
  readonly manifest: ClusterManifest;
  /** Those that can be restored, in order of their times. */
  readonly points: readonly ClusterPoint[];
  readonly servers: readonly CheckedServer[];
  readonly files: number;
  readonly storedBytes: number;
}

/** @param basePath where the cluster's backup is that this one goes on from, if it was moved @throws BackupDamage, FailedCommand */
export async function checkClusterBackup(
  directory: string,
  basePath: string | undefined,
  progress: Progress,
): Promise<ClusterCheck> {
  const manifest = await readManifest(directory);
  const servers: CheckedServer[] = [];
  let files = 1;
  let storedBytes = (await stat(manifest.path)).size;
  for (const server of manifest.description.servers) {
    const base = basePath === undefined ? undefined : join(basePath, server.directory);
    const chain = await findChain(join(directory, server.directory), base);
    refuseForeign(manifest, server, chain);
    const check = await checkBackup(chain, progress);
    files += check.files;
    storedBytes += check.storedBytes;
    servers.push({ server, chain, check });
  }
  refuseMissing(manifest, servers);
  // What is let go with --keep goes server by server: points before that are there for a while.
  const from = servers.map(({ chain }) => chain.description.point.commitNumber);
  const points = manifest.points.filter((point) => isReached(point, from));
  if (points.length === 0) {
    throw new FailedCommand(
      `${manifest.path} has no point that the stores reach: they belong to another backup.`,
    );
  }
  return { manifest, points, servers, files, storedBytes };
}

/** The last point that is not later than a time. @throws FailedCommand with both times when there is none */
export function choosePoint({ points }: ClusterCheck, toMs: number | undefined): ClusterPoint {
  const [first] = points;
  const last = points[points.length - 1];
  if (toMs === undefined) return last;
  if (toMs < first.wallMs) {
    throw new FailedCommand(
      `${timeText(toMs)} is before the first point of the backup, which is ${timeText(first.wallMs)}. Take an older one.`,
    );
  }
  // A time without a fraction means all of its second.
  if (Math.floor(toMs / 1000) > Math.floor(last.wallMs / 1000)) {
    throw new FailedCommand(
      `${timeText(toMs)} is behind the last point of the backup, which is ${timeText(last.wallMs)}. Without --to that one is restored.`,
    );
  }
  return points.findLast(({ wallMs }) => wallMs <= toMs) ?? first;
}

export function timeText(wallMs: number): string {
  return new Date(wallMs).toISOString();
}

/** @throws FailedCommand when a directory holds the backup of another server */
function refuseForeign(
  { path }: ClusterManifest,
  { name, storeId, directory }: ClusterServer,
  { description }: BackupChain,
): void {
  if (description.storeId === storeId) return;
  throw new FailedCommand(
    `${directory} holds store ${description.storeId}, and ${name} is store ${storeId} in ${path}: the directories of two servers were mixed up.`,
  );
}

/** The points are written when the journals hold them: what is missing now was there. @throws BackupDamage */
function refuseMissing({ path, points }: ClusterManifest, servers: readonly CheckedServer[]): void {
  const last = points[points.length - 1];
  for (const [index, { server, chain, check }] of servers.entries()) {
    const file = resolve(chain.journals[chain.journals.length - 1] ?? chain.base);
    const held = check.last.commitNumber;
    if (last.commits[index] > held) {
      throw new BackupDamage(
        file,
        check.cut[check.cut.length - 1]?.offset ?? 0,
        `${server.name} ends with commit ${held}, and ${path} has a point at commit ${last.commits[index]}`,
      );
    }
  }
}
