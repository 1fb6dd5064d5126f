/**
 * Where a store keeps its parts: the volumes of block store and journal, and how its index store is opened.
 *
 * Three kinds: a directory of files, memory that ends with the process, and a simulated disk.
 */
import { copyFile, link, mkdir, open, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../common/clock.ts';
import { CommandError, CorruptionError, DeviceError } from '../../common/errors.ts';
import { decodeStoreRecord, STORE_RECORD_KEY } from '../catalog/catalog-record.ts';
import { FileVolume } from '../device/file-volume.ts';
import { MemoryVolume } from '../device/memory-volume.ts';
import type { Volume } from '../device/contract.ts';
import type { Base } from '../format/base.ts';
import { checkLmdbFile, linkTo, refuseUnreadableLmdb } from '../indexes/lmdb-check.ts';
import { removeLmdbFile } from '../indexes/lmdb-file.ts';
import { openLmdbIndexStore } from '../indexes/lmdb-store.ts';
import { MemoryIndexDisk, openMemoryIndexStore } from '../indexes/memory-store.ts';
import type { IndexStore } from '../indexes/contract.ts';
import { prepareSpillDirectory } from '../spill/spill-area.ts';
import { lockDbpath, refuseIfInUse } from './dbpath-lock.ts';

export interface IndexStoreOpening {
  readonly storeId: Buffer;
  readonly create: boolean;
}

export interface StoreFiles {
  readonly blockVolume: Volume;
  readonly journalVolume: Volume;
  /** Prefix of the journal's segments within its volume. */
  readonly journalPrefix: string;
  /** For temporary files; undefined: the system's directory. */
  readonly spillDirectory: string | undefined;
  /** On a disk that may fill up. */
  readonly keepsBallast: boolean;
  /** Whether heavy work may leave for other threads; in a simulation all happens on one, in the order of its seed. */
  readonly usesThreads: boolean;
  /** What is read comes from the disk itself, not from a cache of the system. */
  readonly readsFromDisk: boolean;
  /** Whether there is anything where the index store would be. */
  hasIndexStore(): Promise<boolean>;
  openIndexStore(opening: IndexStoreOpening): Promise<IndexStore>;
  /** The start has read what it needs of the index store, and lives. */
  noteIndexStoreWorks(): Promise<void>;
  readonly repair: RepairFiles;
  /** After everything in it was closed. */
  close(): Promise<void>;
}

/** What an index store says of itself to who only looks. */
export interface IndexStoreLook {
  /** 32 hexadecimal digits. */
  readonly storeId: string;
  readonly checkpoint: number;
  /** undefined before the first checkpoint. */
  readonly base: Base | undefined;
  /** Sentences about entries that are damaged; the rest can be read. */
  readonly damages: readonly string[];
}

/** How a new index store comes into the place of one that is lost. */
export interface RepairFiles {
  /** A repair began to write and has not ended: nothing else may open the store. */
  isUnfinished(): Promise<boolean>;
  begin(): Promise<void>;
  /** Reads all of the index store, and only reads. @throws CorruptionError when nothing of it can be used */
  look(onProgress: (entries: number) => void): Promise<IndexStoreLook>;
  /** Makes a new index store beside the old one; what a repair before has left of it goes. */
  createIndexStore(storeId: Buffer): Promise<IndexStore>;
  /** The new one, which was closed, takes the place of the old one in one step. The old one stays aside until end(). */
  replaceIndexStore(): Promise<void>;
  /** Keeps the journal's segments as they are now beside it, for who wants to look. @returns where */
  copyJournal(): Promise<string>;
  /** Removes what was kept aside, but for copies of the journal, and says that the store is whole. */
  end(): Promise<void>;
}

export const INDEX_STORE_NAME = 'index.lmdb';
/** Is there while a start reads the index store. */
const BEING_OPENED_NAME = 'index.lmdb.being-opened';
const REBUILT_NAME = 'index.lmdb.rebuilt';
const REPLACED_NAME = 'index.lmdb.before-repair';
const UNFINISHED_NAME = 'repair.under-way';
export const JOURNAL_NAME = 'journal';
/** Is there from a restore's first file to its last: what lies beside it is no store, and must not be mended into one. */
export const RESTORE_NAME = 'restore.under-way';
const JOURNAL_COPY_NAME = 'journal.before-repair';

/** @throws CommandError IllegalOperation */
async function refuseHalfARestore(dbpath: string): Promise<void> {
  if (!(await exists(join(dbpath, RESTORE_NAME)))) return;
  throw new CommandError(
    'IllegalOperation',
    `a restore into ${dbpath} has not ended: run the same flint restore again`,
  );
}

/**
 * A store in a directory, which must exist. Locks it against a second process.
 * @throws CommandError DBPathInUse; IllegalOperation when a restore into it has not ended
 */
export async function openDirectory(dbpath: string, clock: Clock): Promise<StoreFiles> {
  const lock = await lockDbpath(dbpath);
  try {
    await refuseHalfARestore(dbpath);
    const blockVolume = await FileVolume.open(dbpath);
    const journalPath = join(dbpath, JOURNAL_NAME);
    await mkdir(journalPath, { recursive: true });
    const journalVolume = await FileVolume.open(journalPath);
    const path = join(dbpath, INDEX_STORE_NAME);
    const opened = join(dbpath, BEING_OPENED_NAME);
    return {
      blockVolume,
      journalVolume,
      journalPrefix: '',
      spillDirectory: await prepareSpillDirectory(dbpath),
      keepsBallast: true,
      usesThreads: true,
      readsFromDisk: blockVolume.direct,
      hasIndexStore: () => exists(path),
      async openIndexStore(opening) {
        if (await exists(opened)) await checkBeforeOpening(path, opening.create);
        // Without it, on a full disk, a second crash would have no name: no reason not to start.
        await writeFile(opened, '').catch(() => {});
        const store = await openLmdbIndexStore({ path, clock, ...opening });
        // LMDB makes its commits durable, but not the name of a new file.
        if (opening.create) await syncDirectory(dbpath);
        return store;
      },
      noteIndexStoreWorks: () => rm(opened, { force: true }),
      repair: repairFilesIn(dbpath, clock, journalVolume),
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

/**
 * A store in a directory that nobody has open, to be read alone: not a byte in it changes.
 * @throws CommandError DBPathInUse; IllegalOperation when a restore into it has not ended
 */
export async function openDirectoryToRead(dbpath: string, clock: Clock): Promise<StoreFiles> {
  await refuseIfInUse(dbpath);
  await refuseHalfARestore(dbpath);
  const path = join(dbpath, INDEX_STORE_NAME);
  const { link: linked, remove } = await linkTo(path);
  return {
    blockVolume: await FileVolume.open(dbpath, { readOnly: true }),
    journalVolume: await journalToRead(join(dbpath, JOURNAL_NAME)),
    journalPrefix: '',
    spillDirectory: undefined,
    usesThreads: false,
    keepsBallast: false,
    readsFromDisk: false,
    hasIndexStore: () => exists(path),
    openIndexStore: ({ storeId }) =>
      openLmdbIndexStore({ path: linked, clock, storeId, create: false, readOnly: true }),
    noteIndexStoreWorks: () => Promise.resolve(),
    repair: {
      isUnfinished: () => exists(join(dbpath, UNFINISHED_NAME)),
      look: (onProgress) => lookAtIndexStore(path, onProgress),
      begin: onlyReading,
      createIndexStore: onlyReading,
      replaceIndexStore: onlyReading,
      copyJournal: onlyReading,
      end: onlyReading,
    },
    close: remove,
  };
}

/** A journal that is not there has no segments. */
async function journalToRead(path: string): Promise<Volume> {
  return (await exists(path)) ? FileVolume.open(path, { readOnly: true }) : new MemoryVolume();
}

function onlyReading(): Promise<never> {
  return Promise.reject(new DeviceError('EROFS', 'the store was opened to be read'));
}

/** Whoever opened it last did not come to the end of his start: perhaps LMDB ended it. @throws CorruptionError */
async function checkBeforeOpening(path: string, create: boolean): Promise<void> {
  try {
    await refuseUnreadableLmdb(path, 'a start ended while it was being opened');
  } catch (error) {
    if (!create) throw error;
    // Before the first checkpoint the journal holds everything.
    removeLmdbFile(path);
  }
}

function repairFilesIn(dbpath: string, clock: Clock, journal: Volume): RepairFiles {
  const [path, rebuilt, replaced] = [INDEX_STORE_NAME, REBUILT_NAME, REPLACED_NAME].map((name) =>
    join(dbpath, name),
  );
  const unfinished = join(dbpath, UNFINISHED_NAME);
  return {
    isUnfinished: () => exists(unfinished),
    async begin() {
      await writeFile(unfinished, 'flint repair has not ended: run it again.\n');
      await syncDirectory(dbpath);
    },
    look: (onProgress) => lookAtIndexStore(path, onProgress),
    async createIndexStore(storeId) {
      removeLmdbFile(rebuilt);
      return openLmdbIndexStore({ path: rebuilt, clock, storeId, create: true });
    },
    async replaceIndexStore() {
      // A repair that was interrupted here has kept the original already.
      if ((await exists(path)) && !(await exists(replaced))) await link(path, replaced);
      await rename(rebuilt, path);
      await rm(`${rebuilt}-lock`, { force: true });
      await rm(`${path}-lock`, { force: true });
      await rm(join(dbpath, BEING_OPENED_NAME), { force: true });
      await syncDirectory(dbpath);
    },
    async copyJournal() {
      const copy = join(dbpath, JOURNAL_COPY_NAME);
      // The first copy is the original.
      if (await exists(copy)) return copy;
      const unfinishedCopy = `${copy}.copying`;
      await rm(unfinishedCopy, { recursive: true, force: true });
      await mkdir(unfinishedCopy);
      for (const name of await journal.list()) {
        await copyFile(join(dbpath, JOURNAL_NAME, name), join(unfinishedCopy, name));
      }
      await rename(unfinishedCopy, copy);
      return copy;
    },
    async end() {
      await rm(replaced, { force: true });
      await rm(unfinished, { force: true });
      await syncDirectory(dbpath);
    },
  };
}

/** @throws CorruptionError when nothing of it can be used */
export async function lookAtIndexStore(
  path: string,
  onProgress: (entries: number) => void,
): Promise<IndexStoreLook> {
  const { storeId, stamp, storeRecord, damages } = await checkLmdbFile(path, onProgress);
  if (storeId === undefined || stamp === undefined) {
    throw new CorruptionError('malformed', 'index store', `${path}: ${damages[0] ?? 'unreadable'}`);
  }
  if (storeRecord === undefined && stamp.checkpoint > 0) {
    throw new CorruptionError('missing', 'index store', `${path} names no base`);
  }
  return {
    storeId,
    checkpoint: stamp.checkpoint,
    base: storeRecord === undefined ? undefined : baseOfRecord(Buffer.from(storeRecord, 'hex')),
    damages,
  };
}

function baseOfRecord(record: Buffer): Base {
  return decodeStoreRecord(record).base;
}

/** A store that ends with the process. */
export function memoryFiles(): StoreFiles {
  return { ...filesOf(new MemoryVolume(), new MemoryIndexDisk()), keepsBallast: false };
}

/** A store on any volume with an index store in memory: for simulation and tests, which open it again and again. */
export function filesOf(volume: Volume, disk: MemoryIndexDisk): StoreFiles {
  return {
    blockVolume: volume,
    journalVolume: volume,
    journalPrefix: 'journal/',
    spillDirectory: undefined,
    keepsBallast: true,
    usesThreads: false,
    readsFromDisk: true,
    hasIndexStore: () => Promise.resolve(disk.state !== undefined),
    openIndexStore: (opening) => openMemoryIndexStore({ disk, ...opening }),
    noteIndexStoreWorks: () => Promise.resolve(),
    repair: repairFilesOf(disk),
    close: () => Promise.resolve(),
  };
}

function repairFilesOf(disk: MemoryIndexDisk): RepairFiles {
  let rebuilt = new MemoryIndexDisk();
  return {
    isUnfinished: () => Promise.resolve(disk.repairIsUnfinished),
    begin() {
      disk.repairIsUnfinished = true;
      return Promise.resolve();
    },
    async look() {
      const { storeId } = disk;
      const store = await openMemoryIndexStore({ disk, storeId, create: false });
      const snapshot = store.beginRead();
      try {
        const record = snapshot.get(STORE_RECORD_KEY);
        const { checkpoint } = snapshot.stamp;
        const base = record === undefined ? undefined : baseOfRecord(record);
        return { storeId: storeId.toString('hex'), checkpoint, base, damages: [] };
      } finally {
        snapshot.release();
        await store.close();
      }
    },
    createIndexStore(storeId) {
      rebuilt = new MemoryIndexDisk();
      return openMemoryIndexStore({ disk: rebuilt, storeId, create: true });
    },
    replaceIndexStore() {
      disk.become(rebuilt);
      return Promise.resolve();
    },
    copyJournal: () => Promise.resolve('nowhere: it is in memory'),
    end() {
      disk.repairIsUnfinished = false;
      return Promise.resolve();
    },
  };
}

export async function syncDirectory(path: string): Promise<void> {
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
