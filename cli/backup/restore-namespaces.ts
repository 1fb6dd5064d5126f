/**
 * Restores parts of a backup, or all of it into a running server: by way of a store of its own.
 *
 * Promises: what is read comes through the ordinary start and the ordinary reads; the temporary store goes afterwards.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startCluster, type BaseClient } from '../../client/index.ts';
import type { StorageEngine } from '../../storage/index.ts';
import { orFail } from '../command-line/cluster-options.ts';
import { withClient } from '../command-line/connect.ts';
import type { NamespaceFilter } from '../command-line/namespace-filter.ts';
import type { Progress } from '../command-line/progress.ts';
import { FailedCommand } from '../command-line/subcommand.ts';
import { startEmbedded } from '../programs/embedded.ts';
import { copyDocuments } from '../transfer/copy-documents.ts';
import { NamespaceLoader } from '../transfer/namespace-loader.ts';
import { listNamespaces } from '../transfer/namespaces.ts';
import { isRouter } from './cluster-servers.ts';
import type { ClusterRestoreReport } from './restore-cluster.ts';
import type { RestoreReport } from './restore-directory.ts';
import { withRestoredEngine } from './restored-engine.ts';
import { shardAlike } from './shard-alike.ts';

const BUCKETS = 'system.buckets.';

export interface ServerRestoreOptions {
  readonly uri: string;
  readonly filter: NamespaceFilter;
  /** Collections that are there are dropped first. */
  readonly force: boolean;
  /** Where the temporary store goes; undefined: the system's place for such. */
  readonly workDirectory: string | undefined;
  readonly progress: Progress;
}

export interface ServerRestoreReport extends RestoreReport {
  readonly namespaces: number;
  readonly documents: number;
  readonly refused: number;
}

/** @param restore writes the store into a directory, which is empty @throws FailedCommand */
export async function restoreIntoServer(
  restore: (dbpath: string) => Promise<RestoreReport>,
  options: ServerRestoreOptions,
): Promise<ServerRestoreReport> {
  // A server that is not there is noticed before a store is made.
  return withClient(options.uri, async (target) => {
    const dbpath = await mkdtemp(join(options.workDirectory ?? tmpdir(), 'flint-restore-'));
    try {
      const report = await restore(dbpath);
      const server = await startEmbedded(['--dbpath', dbpath, '--port', '0', '--nounixsocket']);
      try {
        const uri = `mongodb://127.0.0.1:${server.port}/`;
        const copied = await withClient(uri, (source) => copyAll(source, target, options));
        return { ...report, ...copied };
      } finally {
        await server.stop();
      }
    } finally {
      await rm(dbpath, { recursive: true, force: true });
    }
  });
}

/** @param restore writes a cluster into a directory, which is empty @throws FailedCommand */
export async function restoreClusterIntoServer(
  restore: (dir: string, force: boolean) => Promise<ClusterRestoreReport>,
  options: ServerRestoreOptions,
): Promise<{ readonly report: ClusterRestoreReport } & Copied> {
  return withClient(options.uri, async (target) => {
    const dir = await mkdtemp(join(options.workDirectory ?? tmpdir(), 'flint-restore-'));
    try {
      const report = await restore(dir, false);
      const cluster = await orFail(startCluster({ dir }));
      try {
        const copied = await withClient(cluster.uri, (source) => copyAll(source, target, options));
        return { report, ...copied };
      } finally {
        await cluster.stop();
      }
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  });
}

interface Copied {
  readonly namespaces: number;
  readonly documents: number;
  readonly refused: number;
}

async function copyAll(
  source: BaseClient,
  target: BaseClient,
  { filter, force, progress }: ServerRestoreOptions,
): Promise<Copied> {
  const namespaces = await listNamespaces(source, filter);
  if (namespaces.length === 0) throw new FailedCommand('the backup has no such namespace.');
  const loader = new NamespaceLoader(target, { drop: force, dropFlag: '--force', progress });
  await loader.prepare(namespaces);
  if ((await isRouter(source)) && (await isRouter(target))) {
    await shardAlike({ source, target, progress }, namespaces);
  }
  for (const namespace of namespaces) {
    if (namespace.kind !== 'view') await copyDocuments(source, namespace, loader);
    await loader.finish(namespace);
  }
  return { namespaces: namespaces.length, documents: loader.documents, refused: loader.refused };
}

/** Drops everything from a restored directory that the filter does not take. @returns how many namespaces are left */
export function keepNamespaces(dbpath: string, filter: NamespaceFilter): Promise<number> {
  return withRestoredEngine(dbpath, (engine) => dropOthers(engine, filter));
}

function dropOthers(engine: StorageEngine, filter: NamespaceFilter): number {
  const transaction = engine.begin();
  try {
    let kept = 0;
    for (const collection of transaction.collections()) {
      const dot = collection.namespace.indexOf('.');
      const name = collection.namespace.slice(dot + 1);
      const isTaken = filter({
        database: collection.namespace.slice(0, dot),
        // A time series is known by its own name, not by that of its buckets.
        collection: name.startsWith(BUCKETS) ? name.slice(BUCKETS.length) : name,
      });
      if (isTaken) kept += 1;
      else transaction.dropCollection(collection);
    }
    transaction.commit();
    return kept;
  } finally {
    transaction.close();
  }
}
