/**
 * What engine, checkpoint and delta see of the block store. block-store.ts opens and creates one.
 *
 * The life of a checkpoint, as STORAGE draws it:
 *   writer = await store.beginCheckpoint(c, records)
 *   writer.append / supersede / drop ...                    (synchronous; await writer.pressure when it is set)
 *   records.placed ...                                      once the page is compressed, on another thread; by finish()
 *   base = await writer.finish()                            pages and manifest are durable
 *   the index store commits, with the base in its stamp   the checkpoint happened
 *   await store.recordCheckpoint(base)                      superblock
 *   store.reclaim(oldest base still pinned)                 extents of older bases are reused from here on
 * When anything fails before the index store's commit: await writer.abort().
 */
import type { CorruptionError } from '../../common/errors.ts';
import type { CommitNumber, Ident, MaybePromise, PageCompression, RecordId } from '../contract.ts';
import type { PageCacheStatistics } from '../cache/page-cache.ts';
import type { RequestQueueStatistics } from '../device/queue-counters.ts';
import type { Base } from '../format/base.ts';
import type { Superblock } from '../format/superblock.ts';
import type { ExtentCounts } from './allocation-map.ts';
import type { CommittedPlace, Place } from './place.ts';
import type { LentMemory } from '../lent-memory.ts';

/** What the manifest knows of a collection. */
export interface CollectionSpace {
  readonly ident: Ident;
  /** Highest record id ever given out, so that none is used twice. */
  readonly recordIdHighWater: RecordId;
  /** Live documents, bytes. */
  readonly liveBytes: number;
  /** What they occupy in their pages on the disk, compressed. */
  readonly storedBytes: number;
}

/** Whose records a checkpoint writes. */
export interface CheckpointRecords {
  /** How the collection's pages are compressed. */
  compressionOf(collection: Ident): PageCompression;
  /**
   * A document that was appended lies there, once finish() resolved. Told in the order of append, some time after it.
   */
  placed(collection: Ident, recordId: RecordId, place: CommittedPlace): void;
}

/** What the cleaner asks of the record map's owner. */
export interface LiveRecords {
  /**
   * Whether the record at this place still counts: the base's record map names exactly this place, and the checkpoint under
   * way neither replaced nor deleted the record, nor dropped its collection.
   */
  isLive(collection: Ident, recordId: RecordId, place: Place): boolean;
  /**
   * A live record gets another place with this checkpoint: its entry in the record map changes, its commit number does not.
   * @returns that number
   */
  moving(collection: Ident, recordId: RecordId): CommitNumber;
}

/** Where a document lies: in `bytes[start, start + length)` of what is looked at. Filled in place: a scan makes no object per record. */
export interface DocumentLocation {
  start: number;
  length: number;
  /** From now on it is in this memory, which is not used for anything else until another one is looked at. */
  lookAt(memory: LentMemory): void;
}

/** Collects one checkpoint. Documents come collection by collection, each in record order. */
export interface CheckpointWriter {
  readonly checkpoint: number;
  /** Whether an extent could not be written. It is set aside: another attempt does not meet it again. */
  readonly metBadExtent: boolean;
  readonly commitNumber: CommitNumber;
  /** Appends a document: CheckpointRecords.placed hears where it lies. Its bytes stay unchanged until settle(). */
  append(collection: Ident, recordId: RecordId, document: Buffer, commitNumber: CommitNumber): void;
  /** Notes a deletion, so that the records can be found again from the block store alone. */
  appendTombstone(collection: Ident, recordId: RecordId): void;
  /** A record that this checkpoint replaced or deleted: its place is no longer live. Ignores places of dropped extents. */
  supersede(collection: Ident, place: Place): void;
  /**
   * Frees the extents that only this collection fills, whole. Its records in shared extents are freed by superseding
   * each, now or in later checkpoints, while the record map is reaped.
   */
  dropCollection(collection: Ident): void;
  /** Notes the highest record id given out in a collection. Never lowers it. */
  noteRecordId(collection: Ident, highWater: RecordId): void;
  /**
   * Empties mostly-dead extents: appends again what lives in them. Call it after everything else was appended.
   * @param limitBytes live bytes to move at most; default: half of what the checkpoint has appended, at least 4 MiB
   */
  clean(records: LiveRecords, limitBytes?: number): Promise<CleaningSummary>;
  /** Resolves when everything that was appended has its place, and `placed` has heard of it. @throws what failed */
  settle(): Promise<void>;
  /** Set while more is queued than the device should hold: await it before appending more. */
  readonly pressure: Promise<void> | undefined;
  /** Writes what is left and the manifest, flushes the device. @throws DeviceError (ENOSPC, EIO): then call abort(). */
  finish(): Promise<Base>;
  /** Gives back everything this checkpoint took. The base before it is untouched. */
  abort(): Promise<void>;
}

/** What the cleaner did. */
export interface CleaningSummary {
  readonly extents: number;
  readonly movedRecords: number;
  readonly movedBytes: number;
}

export interface BlockStoreStatistics {
  readonly extentBytes: number;
  readonly extents: ExtentCounts;
  /** What of them is still needed, on the disk: pages by the part of them that lives, the manifest. */
  readonly liveBytes: number;
  /** What extents in use or about to be free occupy. */
  readonly usedBytes: number;
  readonly fileBytes: number;
  readonly pagesRead: number;
  readonly pagesReadSync: number;
  readonly pagesPrefetched: number;
  readonly corruptPages: number;
  readonly pagesWritten: number;
  readonly bytesWritten: number;
  /** What the cleaner moved since the start. */
  readonly cleaned: CleaningSummary;
  readonly cache: PageCacheStatistics;
  readonly queue: RequestQueueStatistics;
}

export interface BlockStore {
  /** 32 lower-case hexadecimal digits; journal and index store carry it, too. */
  readonly storeId: string;
  /** The base that was opened or recorded last. */
  readonly base: Base;
  /** As it was written last. */
  readonly superblock: Superblock;
  /** What is wrong with one copy of the superblock, if anything: for the log; recordBase() mends it. */
  readonly superblockDamage: CorruptionError | undefined;
  /** Highest record id given out per collection and live bytes, as of the last finished checkpoint. */
  collectionSpace(collection: Ident): CollectionSpace | undefined;
  /** What only dead records hold in extents that the collection fills alone, bytes on the disk. */
  deadBytes(collection: Ident): number;
  collectionSpaces(): CollectionSpace[];

  /**
   * The document at a place. Synchronous when its page is cached, or when one page is cheaply read at once.
   * The Buffer stays valid and unchanged as long as it is referenced. It is a part of its page: who keeps it long (a
   * cursor's batch, a cache) copies it, else it keeps the whole page in memory.
   * The base that names the place must stay pinned until then, or the page may be overwritten before it is read.
   * @throws CorruptionError kinds checksum, lostWrite, misdirectedWrite, foreign, malformed; DeviceError
   */
  record(place: Place, recordId: RecordId): MaybePromise<Buffer>;
  /** The same without a Buffer of the document's own: fills `location`, at once or before the promise resolves. */
  locate(place: Place, recordId: RecordId, location: DocumentLocation): MaybePromise<void>;
  /**
   * Starts reading the pages of these places that are not cached. Best effort; errors show when records are asked for.
   * @returns resolves when these reads have ended: as long as the base that names the places must stay pinned.
   */
  prefetch(places: Iterable<Place>): MaybePromise<void>;

  /**
   * Reads the page of a place from the device, past all caches, and checks it; nothing of it is kept.
   * @returns its length, bytes @throws CorruptionError, DeviceError
   */
  verify(place: Place): Promise<number>;
  /** Pages that record() and locate() had to read from the device so far. */
  readonly pagesRead: number;
  /** Sectors as they lie on the device, past all caches. @throws DeviceError */
  readSectors(firstSector: number, sectorCount: number): Promise<Buffer>;
  /** Writes the base that was opened into both copies of the superblock: a damaged copy is whole again. */
  recordBase(): Promise<void>;
  beginCheckpoint(
    commitNumber: CommitNumber,
    records: CheckpointRecords,
  ): Promise<CheckpointWriter>;
  /** Writes the superblock for a base whose index commit is durable. */
  recordCheckpoint(base: Base): Promise<void>;
  /**
   * Makes extents free that no base from `oldestPinned` on needs, and begins to give some back to the disk.
   * @param oldestPinned `checkpoint` of the oldest base that a reader still holds; store.base.checkpoint when none is held.
   */
  reclaim(oldestPinned: number): void;
  /** On a full disk: gives all free extents back to the disk, and resolves when that is done. Never rejects. */
  giveBack(): Promise<void>;

  statistics(): BlockStoreStatistics;
  close(): Promise<void>;
}
