/**
 * A running flintd: a server program over an engine that keeps its data in a directory, or in memory.
 */
import { mkdirSync, statSync } from 'node:fs';
import { hostname, totalmem } from 'node:os';
import { systemClock } from '../../common/clock.ts';
import { CorruptionError } from '../../common/errors.ts';
import { systemRandom } from '../../common/random.ts';
import {
  loadServer,
  type FlintdOptions,
  type LoadedServer,
  type Role,
} from '../../server/index.ts';
import { openEngine, type StorageEngine } from '../../storage/index.ts';
import { EXIT } from './exit-codes.ts';
import {
  EndError,
  isSystemError,
  messageOf,
  runServer,
  type Invocation,
  type Surroundings,
} from './run-server.ts';

/** Runs until it is told to stop. @returns the exit code. */
export function runFlintd(options: FlintdOptions, invocation: Invocation): Promise<number> {
  // The engine waits for its disk and its threads meanwhile.
  const loading = loadServer();
  return runServer(
    {
      name: 'flintd',
      openEngine: async (surroundings) => {
        prepareDataDirectory(options);
        return openData(options, surroundings, loading);
      },
      createServer: async (serverOptions) => {
        const loaded = await loading;
        return loaded.createServer({ ...serverOptions, role: await roleFrom(options, loaded) });
      },
    },
    options,
    invocation,
  );
}

/** What the server is in a cluster. Only who asks for a role loads it. */
async function roleFrom(
  { clusterRole, bindAddresses }: FlintdOptions,
  { createShardRole }: LoadedServer,
): Promise<Role | undefined> {
  switch (clusterRole) {
    case 'configsvr': {
      const { createConfigServerRole } = await import('../../config-server/index.ts');
      return createConfigServerRole({ host: advertisedHost(bindAddresses) });
    }
    case 'shardsvr':
      return createShardRole();
    case undefined:
      return undefined;
  }
}

/** The name under which others reach this server. */
function advertisedHost([first = 'localhost']: readonly string[]): string {
  if (first === '0.0.0.0' || first === '::') return hostname();
  return first.includes(':') ? `[${first}]` : first;
}

/** A missing directory may be a missing mount: only the first steps make one. */
function prepareDataDirectory({ dbPath, firstSteps, inMemory }: FlintdOptions): void {
  if (inMemory) return;
  try {
    if (firstSteps) mkdirSync(dbPath, { recursive: true });
    if (statSync(dbPath).isDirectory()) return;
  } catch (error) {
    if (isSystemError(error) && error.code !== 'ENOENT') {
      throw new EndError(EXIT.dataDirectory, `cannot use ${dbPath}: ${messageOf(error)}`);
    }
  }
  throw new EndError(
    EXIT.dataDirectory,
    `the data directory ${dbPath} does not exist. Create it, or name another one with --dbpath or storage.dbPath.`,
  );
}

async function openData(
  options: FlintdOptions,
  { log, recentLog, failPoints, stop }: Surroundings,
  loading: Promise<LoadedServer>,
): Promise<StorageEngine> {
  try {
    return await openEngine({
      ...(options.inMemory ? {} : { dbpath: options.dbPath }),
      clock: systemClock,
      random: systemRandom,
      log,
      failPoints,
      keyGenerators: loading.then(({ indexKeyGenerator }) => indexKeyGenerator),
      versionedKeys: loading.then(({ versionedKeys }) => versionedKeys),
      cacheBytes: options.cacheBytes ?? defaultCacheBytes(),
      ...(options.compression === undefined ? {} : { compression: options.compression }),
      ...(options.elevator === undefined ? {} : { elevator: options.elevator }),
      ...(options.freeSpaceReserveBytes === undefined
        ? {}
        : { freeSpaceReserveBytes: options.freeSpaceReserveBytes }),
      ...(options.journalCommitIntervalMs === undefined
        ? {}
        : { journalCommitIntervalMs: options.journalCommitIntervalMs }),
      journalRetention: options.journalRetention,
      ...(options.checkpointIntervalMs === undefined
        ? {}
        : { checkpointIntervalMs: options.checkpointIntervalMs }),
      verifyWrites: options.verifyWrites,
      startupWarning: (line) => recentLog.addWarning(systemClock, line),
      onFailure: (error) => stop.fail(error),
    });
  } catch (error) {
    const advice = error instanceof CorruptionError ? `. ${repairAdvice(options.dbPath)}` : '';
    throw new EndError(
      EXIT.dataDirectory,
      `cannot open ${options.dbPath}: ${messageOf(error)}${advice}`,
    );
  }
}

function repairAdvice(dbPath: string): string {
  return `"flint verify ${dbPath}" tells all that is damaged, "flint repair ${dbPath}" brings back what can be`;
}

const GIGABYTE = 1024 ** 3;

/**
 * Half of the memory beyond 1 GB, at least 256 MB or, where that is less, an eighth of the memory, because the heap and the
 * rest of the process need as much whatever the cache is. Memory is what the process may use: in a container, its limit.
 */
function defaultCacheBytes(): number {
  const limit = process.constrainedMemory() ?? 0;
  const memory = limit > 0 && limit < totalmem() ? limit : totalmem();
  const least = Math.min(GIGABYTE / 4, Math.floor(memory / 8));
  return Math.max(least, Math.floor((memory - GIGABYTE) / 2));
}
