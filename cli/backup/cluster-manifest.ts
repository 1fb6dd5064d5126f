/**
 * cluster.backup: what makes the backups of several servers that of one cluster. docs/format/backup.md#cluster
 *
 * Its first frame names the servers; each further one is a point: for every server the commit that it stood at. A point is
 * there only when the journals hold all of it, so that every point in the file can be restored.
 */
import { rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '../../common/clock.ts';
import { CorruptionError } from '../../common/errors.ts';
import { systemRandom } from '../../common/random.ts';
import { FLINTDB_VERSION } from '../../common/version.ts';
import {
  decodeClusterPoint,
  encodeClusterPoint,
  type ClusterPoint,
  type CommitNumber,
} from '../../storage/index.ts';
import { FailedCommand } from '../command-line/subcommand.ts';
import { BackupDamage } from './backup-damage.ts';
import {
  decodeDescription,
  encodeDescription,
  type ClusterDescription,
  type ClusterServer,
} from './description.ts';
import { FrameReader } from './frame-reader.ts';
import { fileSink, FrameWriter, type FramePosition } from './frame-writer.ts';
import { syncDirectory } from './journal-file.ts';

export const CLUSTER_NAME = 'cluster.backup';

export interface ClusterManifest {
  readonly path: string;
  readonly description: ClusterDescription;
  /** In order of their times. */
  readonly points: readonly ClusterPoint[];
  /** Where the next point goes. */
  readonly position: FramePosition;
}

export async function isClusterBackup(path: string): Promise<boolean> {
  if (path === '-') return false;
  return (await stat(join(path, CLUSTER_NAME)).catch(() => undefined))?.isFile() === true;
}

/** @returns undefined for a file that was interrupted within its first frame @throws BackupDamage, FailedCommand */
export async function tryReadManifest(directory: string): Promise<ClusterManifest | undefined> {
  const path = join(directory, CLUSTER_NAME);
  const reader = await FrameReader.open(path);
  try {
    const first = await reader.next();
    if (first === undefined) return undefined;
    const description = decodeDescription(path, first);
    if (description.kind !== 'cluster') {
      throw new FailedCommand(`${path} holds a ${description.kind} backup of one server.`);
    }
    const points: ClusterPoint[] = [];
    let position = { offset: first.nextOffset, sequence: 1 };
    for (let frame = await reader.next(); frame !== undefined; frame = await reader.next()) {
      if (frame.header.kind !== 'point') {
        const what = `a frame of ${frame.header.kind} does not belong here`;
        throw new BackupDamage(path, frame.offset, what);
      }
      points.push(pointOf(path, frame, description.servers.length));
      position = { offset: frame.nextOffset, sequence: frame.header.sequence + 1 };
    }
    return { path, description, points, position };
  } finally {
    await reader.close();
  }
}

/** @throws BackupDamage; FailedCommand for a backup that was interrupted at its beginning */
export async function readManifest(directory: string): Promise<ClusterManifest> {
  const manifest = await tryReadManifest(directory);
  if (manifest !== undefined && manifest.points.length > 0) return manifest;
  throw new FailedCommand(
    `${directory} is not finished: it has no point at which all servers were copied. Run the same flint backup again, and it goes on.`,
  );
}

/** Writes points behind those that a manifest has. */
export class ManifestWriter {
  readonly description: ClusterDescription;
  private readonly directory: string;
  private writer: FrameWriter;

  /** Begins one, or goes on. */
  static async open(
    directory: string,
    existing: ClusterManifest | undefined,
    start: Pick<ClusterDescription, 'servers' | 'since'>,
  ): Promise<ManifestWriter> {
    const path = join(directory, CLUSTER_NAME);
    if (existing !== undefined) {
      const sink = await fileSink(path, existing.position.offset);
      const { description, position } = existing;
      const writer = await FrameWriter.open(sink, description.backupId, position);
      return new ManifestWriter(directory, description, writer);
    }
    const description: ClusterDescription = {
      kind: 'cluster',
      backupId: systemRandom.bytes(16).toString('hex'),
      createdAt: new Date(systemClock.wallMs()),
      version: FLINTDB_VERSION,
      ...start,
    };
    const writer = await FrameWriter.open(await fileSink(path, 0), description.backupId);
    await writer.write('start', encodeDescription(description));
    await writer.sync();
    await syncDirectory(directory);
    return new ManifestWriter(directory, description, writer);
  }

  private constructor(directory: string, description: ClusterDescription, writer: FrameWriter) {
    this.directory = directory;
    this.description = description;
    this.writer = writer;
  }

  async add(point: ClusterPoint): Promise<void> {
    await this.writer.write('point', encodeClusterPoint(point));
    await this.writer.sync();
  }

  /** Forgets the points before the stores' commits, if there are any: a new file takes the place of the old one. */
  async forgetBefore(from: readonly CommitNumber[]): Promise<void> {
    const manifest = await tryReadManifest(this.directory);
    const points = manifest?.points ?? [];
    const kept = points.filter((point) => isReached(point, from));
    if (kept.length === points.length) return;
    const path = join(this.directory, `${CLUSTER_NAME}.unfinished`);
    const writer = await FrameWriter.open(await fileSink(path, 0), this.description.backupId);
    await writer.write('start', encodeDescription(this.description));
    for (const point of kept) await writer.write('point', encodeClusterPoint(point));
    await writer.sync();
    await rename(path, join(this.directory, CLUSTER_NAME));
    await syncDirectory(this.directory);
    await this.writer.close();
    this.writer = writer;
  }

  close(): Promise<void> {
    return this.writer.close();
  }
}

/** Whether stores that begin with these commits can be brought to a point. */
export function isReached({ commits }: ClusterPoint, from: readonly CommitNumber[]): boolean {
  return commits.every((commit, index) => commit >= from[index]);
}

/** @throws FailedCommand when it is of other servers */
export function refuseOtherServers(
  directory: string,
  description: ClusterDescription,
  servers: readonly Pick<ClusterServer, 'name'>[],
): void {
  const names = (of: readonly Pick<ClusterServer, 'name'>[]): string =>
    of.map(({ name }) => name).join(', ');
  if (names(description.servers) === names(servers)) return;
  throw new FailedCommand(
    `${directory} is a backup of a cluster of ${names(description.servers)}, and this one has ${names(servers)}. Take a new backup in another directory.`,
  );
}

function pointOf(
  path: string,
  frame: { readonly contents: Buffer; readonly offset: number },
  servers: number,
): ClusterPoint {
  try {
    return decodeClusterPoint(frame.contents, servers);
  } catch (error) {
    if (!(error instanceof CorruptionError)) throw error;
    throw new BackupDamage(path, frame.offset, error.detail);
  }
}
