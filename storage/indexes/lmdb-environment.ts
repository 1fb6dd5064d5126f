/**
 * Opens the LMDB environment, with one set of options for the reading thread and for the writing one.
 */
import { createRequire } from 'node:module';
import type { RootDatabase, RootDatabaseOptions } from 'lmdb';
import { LMDB_PAGE_BYTES } from './lmdb-file.ts';

export type Environment = RootDatabase<Buffer, Buffer>;

/** Address space, not disk: the file grows with what it holds. */
export const DEFAULT_MAP_BYTES = 4 * 2 ** 40;

interface EnvironmentOptions extends RootDatabaseOptions {
  /** Missing from lmdb's types. */
  readonly noReadAhead: boolean;
}

/**
 * Opens the file, and makes it when it is missing. Both threads of a process share one environment below.
 * @param mapBytes the same in both threads @param readOnly for who looks at a store that nobody has open
 */
export function openEnvironment(path: string, mapBytes: number, readOnly = false): Environment {
  const options: EnvironmentOptions = {
    noSubdir: true,
    readOnly,
    mapSize: mapBytes,
    // Sparse folds touch one page per entry; at 8 KiB they write twice the bytes, and only dense ones gain (docs/format/lmdb.md).
    pageSize: LMDB_PAGE_BYTES,
    // Keys are scattered: reading ahead made a cold get's 99th percentile 40 times slower.
    noReadAhead: true,
    // Every epoch is a reader, and long snapshots keep theirs.
    maxReaders: 2000,
    maxDbs: 1,
    // With it a commit is visible seconds before it is durable, and after kill -9 the environment believes it.
    overlappingSync: false,
    keyEncoding: 'binary',
    encoding: 'binary',
  };
  return lmdb().open<Buffer, Buffer>(path, options);
}

let loaded: typeof import('lmdb') | undefined;

/** Loaded with the first file: a store in memory does without, and starts sooner. */
function lmdb(): typeof import('lmdb') {
  loaded ??= createRequire(import.meta.url)('lmdb') as typeof import('lmdb');
  return loaded;
}
