/**
 * Writes the files of a store out of what a backup holds, so that the ordinary start opens them.
 *
 * Owns: a directory that nobody else has open, from create() to finish(). Promises: until finish() has ended no server opens it; then it
 * is the store as it was at the last commit that was appended, durably. What is given is believed: whoever reads the backup has checked it.
 * Invariant: the superblocks are written last, when all that they name is on the disk.
 */
import { mkdir, open, readdir, rm, stat, writeFile, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../common/clock.ts';
import { CommandError, CorruptionError } from '../../common/errors.ts';
import type { Random } from '../../common/random.ts';
import { DEFAULT_BLOCK_STORE_NAME } from '../blocks/block-store.ts';
import { StoreLayout } from '../blocks/layout.ts';
import {
  CATALOG_RANGE,
  decodeCatalogRecord,
  encodeCatalogRecord,
} from '../catalog/catalog-record.ts';
import type { BackupPoint, CommitNumber } from '../contract.ts';
import { physicalBlockBytes } from '../device/block-size.ts';
import { decodeBase } from '../format/base.ts';
import { EPOCH_BYTES } from '../format/journal-batch.ts';
import { journalEntryLength, journalEntryStamp } from '../format/journal-entry.ts';
import { forEachStoreEntry } from '../format/store-entries.ts';
import { encodeSuperblock, superblockSector } from '../format/superblock.ts';
import { readUInt48BE } from '../format/tree-key.ts';
import { IndexChanges } from '../indexes/changes.ts';
import type { IndexStore } from '../indexes/contract.ts';
import { openLmdbIndexStore } from '../indexes/lmdb-store.ts';
import { lockDbpath, type DbpathLock } from '../recovery/dbpath-lock.ts';
import {
  INDEX_STORE_NAME,
  JOURNAL_NAME,
  RESTORE_NAME,
  syncDirectory,
} from '../recovery/store-files.ts';
import { RestoredJournal } from './restored-journal.ts';
import { withWholeBuild } from './whole-builds.ts';
import { writeFully } from './write-fully.ts';

/** Changes of one commit to the index store. */
const COMMIT_BYTES = 32 * 1024 * 1024;
/** What a start that met an unfinished restore, or a crash, may have left: no data. */
const NO_DATA = /^(flintd\.(sock|pid)|flintd-.*\.sock|lost\+found|.*\.unfinished|_tmp)$/;

/** What a store keeps in its directory. Nothing else there is ever removed. */
const STORE_FILES =
  /^(blocks\.flint|ballast\.flint|index\.lmdb.*|journal(\.before-repair.*)?|_tmp|diagnostic\.data|crash\..*\.json|re(store|pair)\.under-way|.*\.unfinished)$/;

export interface RestoreOptions {
  readonly dbpath: string;
  readonly point: BackupPoint;
  readonly clock: Clock;
  readonly random: Random;
  /** A store that is in the directory goes; other files stay. */
  readonly overwrite: boolean;
}

/** The parts of a restore that is under way. */
interface Parts {
  readonly lock: DbpathLock;
  readonly blocks: FileHandle;
  readonly indexes: IndexStore;
  readonly journal: RestoredJournal;
}

export class RestoredStore {
  private readonly options: RestoreOptions;
  private readonly parts: Parts;
  private readonly layout: StoreLayout;
  private changes = new IndexChanges();
  /** Of index builds that had not ended in the base: see withWholeBuild. */
  private readonly unfinishedIndexes = new Set<number>();
  private sectorEnd = 0;
  private commitNumber: CommitNumber;

  /**
   * Begins in a directory that is empty, or missing, or holds an unfinished restore, or may be overwritten.
   * @throws CommandError DBPathInUse; IllegalOperation when there is something that must not be overwritten
   */
  static async create(options: RestoreOptions): Promise<RestoredStore> {
    const { dbpath, point, clock, random } = options;
    await mkdir(dbpath, { recursive: true, mode: 0o700 });
    const lock = await lockDbpath(dbpath);
    try {
      await clear(dbpath, options.overwrite);
      await writeFile(join(dbpath, RESTORE_NAME), 'flint restore has not ended: run it again.\n');
      await syncDirectory(dbpath);
      const storeId = Buffer.from(point.storeId, 'hex');
      const directory = join(dbpath, JOURNAL_NAME);
      await mkdir(directory, { mode: 0o700 });
      const journal = new RestoredJournal({
        directory,
        storeId,
        blockBytes: await physicalBlockBytes(directory),
        epoch: random.bytes(EPOCH_BYTES),
        wallMs: clock.wallMs(),
        after: point,
      });
      const blocks = await open(join(dbpath, DEFAULT_BLOCK_STORE_NAME), 'wx', 0o600);
      const path = join(dbpath, INDEX_STORE_NAME);
      const indexes = await openLmdbIndexStore({ path, clock, storeId, create: true });
      return new RestoredStore(options, { lock, blocks, indexes, journal });
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  private constructor(options: RestoreOptions, parts: Parts) {
    this.options = options;
    this.parts = parts;
    this.layout = new StoreLayout(options.point);
    this.commitNumber = options.point.commitNumber;
  }

  /** Of the last commit that was given. */
  get lastCommit(): CommitNumber {
    return this.commitNumber;
  }

  /** @param packed docs/format/backup.md#entry; in ascending order over all calls */
  async putEntries(packed: Buffer): Promise<void> {
    forEachStoreEntry(packed, (key, value) => this.putEntry(key, value));
    if (this.changes.bytes >= COMMIT_BYTES) await this.commitEntries();
  }

  async putSectors(first: number, sectors: Buffer): Promise<void> {
    const { sectorBytes } = this.layout;
    await writeFully(this.parts.blocks, sectors, first * sectorBytes);
    this.sectorEnd = Math.max(this.sectorEnd, first + sectors.length / sectorBytes);
  }

  /**
   * Appends journal entries, of whole commits or of parts of them, that go on where the last ones ended.
   * @throws CorruptionError malformed
   */
  async appendJournal(entries: Buffer): Promise<void> {
    let at = 0;
    while (at < entries.length) {
      const end = at + journalEntryLength(entries, at, entries.length);
      const { cn, ts } = journalEntryStamp(entries, at);
      const entry = withWholeBuild(entries.subarray(at, end));
      if (cn !== undefined) {
        if (cn !== this.commitNumber + 1) throw notConsecutive();
        this.commitNumber = cn;
      }
      const ends = cn === undefined ? undefined : { commitNumber: cn, timestamp: ts };
      await this.parts.journal.append(entry, ends);
      at = end;
    }
  }

  /** Everything is there: makes a store of it. */
  async finish(): Promise<void> {
    const { dbpath } = this.options;
    const { blocks, indexes, journal, lock } = this.parts;
    await this.commitEntries();
    await indexes.close();
    await journal.finish();
    await syncDirectory(join(dbpath, JOURNAL_NAME));
    const { layout } = this;
    const extents = Math.max(
      layout.reservedExtents,
      Math.ceil(this.sectorEnd / layout.extentSectors),
    );
    await blocks.truncate(extents * layout.extentBytes);
    await blocks.sync();
    await this.writeSuperblocks();
    await blocks.sync();
    await blocks.close();
    await syncDirectory(dbpath);
    await rm(join(dbpath, RESTORE_NAME));
    await syncDirectory(dbpath);
    await lock.release();
  }

  /** Gives up: what is there is no store, and another restore begins anew. */
  async abandon(): Promise<void> {
    const { blocks, indexes, journal, lock } = this.parts;
    await journal.abandon();
    await indexes.close();
    await blocks.close();
    await lock.release();
  }

  private putEntry(key: Buffer, value: Buffer): void {
    if (isCatalogKey(key)) {
      this.changes.put(key, this.withoutUnfinishedIndexes(key, value));
    } else if (!this.unfinishedIndexes.has(readUInt48BE(key, 0))) this.changes.put(key, value);
  }

  /** The catalog's tree comes before those of indexes. */
  private withoutUnfinishedIndexes(key: Buffer, value: Buffer): Buffer {
    const record = decodeCatalogRecord(key, value);
    const { indexes } = record.description;
    if (indexes.every(({ ready }) => ready)) return value;
    for (const { ident, ready } of indexes) if (!ready) this.unfinishedIndexes.add(ident);
    const whole = indexes.filter(({ ready }) => ready);
    return encodeCatalogRecord({
      ...record,
      description: { ...record.description, indexes: whole },
    });
  }

  private async commitEntries(): Promise<void> {
    const { checkpoint, commitNumber } = decodeBase(this.options.point.base);
    if (this.changes.count === 0) return;
    await this.parts.indexes.commit(this.changes, { checkpoint, applied: commitNumber });
    this.changes = new IndexChanges();
  }

  private async writeSuperblocks(): Promise<void> {
    const { point } = this.options;
    const base = decodeBase(point.base);
    for (const sequence of [2, 3]) {
      const bytes = Buffer.alloc(point.sectorBytes);
      encodeSuperblock({ ...point, ...base, sequence }, bytes);
      const sector = superblockSector(sequence % 2, point.sectorBytes);
      await writeFully(this.parts.blocks, bytes, sector * point.sectorBytes);
    }
  }
}

function isCatalogKey(key: Buffer): boolean {
  const { lower, upper } = CATALOG_RANGE;
  return key.compare(lower) >= 0 && key.compare(upper) < 0;
}

/** @throws CommandError IllegalOperation */
async function clear(dbpath: string, overwrite: boolean): Promise<void> {
  const names = (await namesIn(dbpath)).filter((name) => !NO_DATA.test(name));
  if (names.length === 0) return;
  if (!overwrite && !names.includes(RESTORE_NAME)) {
    throw new CommandError('IllegalOperation', `${dbpath} is not empty (${names[0]})`);
  }
  // Nobody may take half of what was there for a store.
  await rm(join(dbpath, DEFAULT_BLOCK_STORE_NAME), { force: true });
  for (const name of names) {
    if (!STORE_FILES.test(name)) continue;
    await rm(join(dbpath, name), { recursive: true, force: true });
  }
}

async function namesIn(dbpath: string): Promise<string[]> {
  const found = await stat(dbpath).catch(() => undefined);
  return found === undefined ? [] : readdir(dbpath);
}

function notConsecutive(): CorruptionError {
  return new CorruptionError('malformed', 'backup', 'commits of the journal do not follow');
}
