/**
 * Restores a cluster's backup into a directory, for `flint up --dir` to start from: every server at the same point.
 *
 * Promises: all of the backup is checked before anything is written; the directory is a cluster's when all servers have been restored, not before.
 * Migrations that were under way at the point are finished or given up by the servers when they start, as after a power cut.
 */
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import {
  ClusterError,
  layOutCluster,
  openCluster,
  type ClusterMember,
} from '../../client/index.ts';
import type { ClusterPoint } from '../../storage/index.ts';
import type { Progress } from '../command-line/progress.ts';
import { FailedCommand } from '../command-line/subcommand.ts';
import { checkClusterBackup, choosePoint, type CheckedServer } from './check-cluster.ts';
import { rewriteHosts } from './cluster-hosts.ts';
import { CONFIG_NAME } from './cluster-servers.ts';
import { restoreChecked } from './restore-directory.ts';

export interface ClusterRestoreOptions {
  /** Where the servers' data go: a directory of flint up. */
  readonly dir: string;
  /** A cluster that is there goes. */
  readonly force: boolean;
  /** Milliseconds since 1970; undefined: the last point. */
  readonly toMs: number | undefined;
  /** Where the cluster's backup is that this one goes on from, if it was moved. */
  readonly base: string | undefined;
  readonly progress: Progress;
}

export interface ClusterRestoreReport {
  readonly point: ClusterPoint;
  readonly servers: readonly string[];
  readonly plainBytes: number;
}

const HOST = '127.0.0.1';
/** While it is there the directory is no cluster's. */
const UNDER_WAY = 'cluster-restore.under-way';
const ROUTER: ClusterMember = { name: 'router1', kind: 'router', port: 0 };

/** @throws BackupDamage, FailedCommand */
export async function restoreCluster(
  backup: string,
  options: ClusterRestoreOptions,
): Promise<ClusterRestoreReport> {
  const { dir, force, progress } = options;
  const check = await checkClusterBackup(backup, options.base, progress);
  const point = choosePoint(check, options.toMs);
  const members = await membersFor(dir, check.servers, force);
  const layout = layOutCluster(dir);
  await mkdir(dir, { recursive: true });
  await writeFile(join(dir, UNDER_WAY), 'flint restore has not ended: run it again.\n');
  // Until all of it is there it is no cluster's: flint up must not start half of one.
  await rm(join(dir, 'cluster.json'), { force: true });
  const hosts = new Map(
    check.servers.map(({ server }, index) => [server.name, `${HOST}:${members[index].port}`]),
  );
  let plainBytes = 0;
  for (const [index, { server, chain }] of check.servers.entries()) {
    const dbpath = layout.data(members[index].name);
    const report = await restoreChecked(chain, {
      dbpath,
      // What an interrupted restore has left goes, too: the directory was looked at.
      force: true,
      to: undefined,
      toCommit: point.commits[index],
      label: server.name,
      progress,
    });
    await rewriteHosts(dbpath, server.name === CONFIG_NAME, hosts);
    plainBytes += report.plainBytes;
  }
  layout.write(members);
  await rm(join(dir, UNDER_WAY));
  return { point, servers: check.servers.map(({ server }) => server.name), plainBytes };
}

/** The servers in the order of the backup, then the routers. @throws FailedCommand when the directory has another cluster */
async function membersFor(
  dir: string,
  servers: readonly CheckedServer[],
  force: boolean,
): Promise<ClusterMember[]> {
  const existing = existingMembers(dir);
  if (existing === undefined) {
    await refuseForeign(dir);
    const ports = await freePorts(servers.length);
    return [
      ...servers.map(({ server }, index): ClusterMember => {
        const kind = server.name === CONFIG_NAME ? 'config' : 'shard';
        return { name: server.directory, kind, port: ports[index] };
      }),
      ROUTER,
    ];
  }
  if (!force) {
    throw new FailedCommand(
      `${dir} holds a cluster. Name an empty directory, or say --force: the cluster that is there goes.`,
    );
  }
  const known = new Map(existing.map((member) => [member.name, member]));
  const own = servers.map(({ server }) => known.get(server.directory));
  const shards = existing.filter(({ kind }) => kind === 'shard').length;
  const found = own.filter((member) => member !== undefined);
  if (found.length < servers.length || shards !== servers.length - 1) {
    throw new FailedCommand(
      `${dir} holds a cluster of ${existing.map(({ name }) => name).join(', ')}, and the backup is of ${servers.map(({ server }) => server.name).join(', ')}: its servers have no place there. Name an empty directory, or restore into a running cluster by its connection string.`,
    );
  }
  return [...found, ...existing.filter(({ kind }) => kind === 'router')];
}

/** @throws FailedCommand when there is something that no cluster's restore has left */
async function refuseForeign(dir: string): Promise<void> {
  const names: readonly string[] = await readdir(dir).catch(() => []);
  if (names.length === 0 || names.includes(UNDER_WAY)) return;
  throw new FailedCommand(
    `${dir} is not empty and holds no cluster: a cluster is restored into a directory of its own.`,
  );
}

/** @throws FailedCommand when one of them runs */
function existingMembers(dir: string): readonly ClusterMember[] | undefined {
  try {
    const { members } = openCluster(dir);
    const running = members.filter(({ pid }) => pid !== undefined).map(({ name }) => name);
    if (running.length > 0) {
      throw new FailedCommand(`the cluster in ${dir} runs (${running.join(', ')}): end it first.`);
    }
    return members.map(({ name, kind, port }) => ({ name, kind, port }));
  } catch (error) {
    if (error instanceof ClusterError && error.message.includes('holds no cluster')) {
      return undefined;
    }
    throw error instanceof ClusterError ? new FailedCommand(error.message) : error;
  }
}

/** Ports that nobody listens on now: the servers' addresses must be known before they start. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  try {
    return await Promise.all(
      servers.map(
        (server) =>
          new Promise<number>((resolve, reject) => {
            server.once('error', reject);
            server.listen(0, HOST, () => resolve(portOf(server.address())));
          }),
      ),
    );
  } finally {
    for (const server of servers) server.close();
  }
}

function portOf(address: AddressInfo | string | null): number {
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
