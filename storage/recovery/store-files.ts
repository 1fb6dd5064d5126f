/**
 * Where a store keeps its parts: the volumes of block store and journal, and how its index store is opened.
 *
 * Three kinds: a directory of files, memory that ends with the process, and a simulated disk.
 */
import { mkdir, open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../common/clock.ts';
import { FileVolume } from '../device/file-volume.ts';
import { MemoryVolume } from '../device/memory-volume.ts';
import type { Volume } from '../device/contract.ts';
import { openLmdbIndexStore } from '../indexes/lmdb-store.ts';
import { MemoryIndexDisk, openMemoryIndexStore } from '../indexes/memory-store.ts';
import type { IndexStore } from '../indexes/contract.ts';
import { lockDbpath } from './dbpath-lock.ts';

export interface IndexStoreOpening {
  readonly storeId: Buffer;
  readonly create: boolean;
}

export interface StoreFiles {
  readonly blockVolume: Volume;
  readonly journalVolume: Volume;
  /** Prefix of the journal's segments within its volume. */
  readonly journalPrefix: string;
  /** Whether there is anything where the index store would be. */
  hasIndexStore(): Promise<boolean>;
  openIndexStore(opening: IndexStoreOpening): Promise<IndexStore>;
  /** After everything in it was closed. */
  close(): Promise<void>;
}

const INDEX_STORE_NAME = 'index.lmdb';

/**
 * A store in a directory, which must exist. Locks it against a second process.
 * @throws CommandError DBPathInUse
 */
export async function openDirectory(dbpath: string, clock: Clock): Promise<StoreFiles> {
  const lock = await lockDbpath(dbpath);
  try {
    const blockVolume = await FileVolume.open(dbpath);
    const journalPath = join(dbpath, 'journal');
    await mkdir(journalPath, { recursive: true });
    const journalVolume = await FileVolume.open(journalPath);
    const path = join(dbpath, INDEX_STORE_NAME);
    return {
      blockVolume,
      journalVolume,
      journalPrefix: '',
      hasIndexStore: () => exists(path),
      async openIndexStore(opening) {
        const store = await openLmdbIndexStore({ path, clock, ...opening });
        // LMDB makes its commits durable, but not the name of a new file.
        if (opening.create) await syncDirectory(dbpath);
        return store;
      },
      async close() {
        await journalVolume.close();
        await blockVolume.close();
        await lock.release();
      },
    };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/** A store that ends with the process. */
export function memoryFiles(): StoreFiles {
  return filesOf(new MemoryVolume(), new MemoryIndexDisk());
}

/** A store on any volume with an index store in memory: for simulation and tests, which open it again and again. */
export function filesOf(volume: Volume, disk: MemoryIndexDisk): StoreFiles {
  return {
    blockVolume: volume,
    journalVolume: volume,
    journalPrefix: 'journal/',
    hasIndexStore: () => Promise.resolve(disk.state !== undefined),
    openIndexStore: (opening) => openMemoryIndexStore({ disk, ...opening }),
    close: () => Promise.resolve(),
  };
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
