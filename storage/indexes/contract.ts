/**
 * The index store: one ordered map of raw keys to raw values with snapshots and atomic durable commits.
 *
 * It holds the base's catalog, record map and index trees; every key begins with the ident of its tree (format/tree-key.ts).
 * Keys sort as unsigned bytes. Implementations: LmdbIndexStore (lmdb-store.ts) and MemoryIndexStore (memory-store.ts),
 * held to one suite, test/contracts/index-store.ts.
 */
import type { CheckpointStamp } from '../format/store-identity.ts';
import type { IndexChanges } from './changes.ts';

export interface CommitResult {
  /** For each deleteRange, in order: how many entries it deleted, and whether the range is now empty. */
  readonly deletedRanges: readonly { readonly deleted: number; readonly finished: boolean }[];
}

export interface IndexStore {
  /** The stamp of the last durable commit. */
  readonly stamp: CheckpointStamp;
  /** Pins the last durable commit. Cheap, but each pinned state keeps its pages from reuse. */
  beginRead(): IndexSnapshot;
  /**
   * Applies all changes in one transaction and stamps it. Resolves when it is durable; nothing of it is visible before.
   * One at a time: the caller awaits a commit before it starts the next. After a CorruptionError nothing was applied;
   * after a DeviceError it is unknown whether all or nothing was, and the store is of no more use.
   */
  commit(changes: IndexChanges, stamp: CheckpointStamp): Promise<CommitResult>;
  statistics(): IndexStoreStatistics;
  /** Snapshots must have been released. */
  close(): Promise<void>;
}

export interface IndexStoreStatistics {
  readonly commits: number;
  readonly operations: number;
  readonly commitMs: number;
  readonly openSnapshots: number;
  readonly fileBytes: number;
  /** Memory of the writer, which keeps as many pages as its largest commit changed. */
  readonly writerBytes: number;
}

/** Bounds of a walk over whole store keys, compared as unsigned bytes; an absent bound is open. */
export interface StoreRange {
  readonly lower?: Buffer;
  /** Default true. */
  readonly lowerInclusive?: boolean;
  readonly upper?: Buffer;
  /** Default false. */
  readonly upperInclusive?: boolean;
  /** Default 1, ascending. */
  readonly direction?: 1 | -1;
}

/** One state of the store. All reads are synchronous, and throw CorruptionError for an entry whose checksum is wrong. */
export interface IndexSnapshot {
  readonly stamp: CheckpointStamp;
  /** The value in memory of its own, or undefined. */
  get(key: Buffer): Buffer | undefined;
  scan(range: StoreRange): StoreCursor;
  /** Closes its cursors, too. Idempotent. */
  release(): void;
}

/**
 * Walks entries in order. Call suspend() before anything is awaited: it lets go of the store's own cursor and keeps the
 * position; the following next() seeks again by key.
 */
export interface StoreCursor {
  /** Moves to the next entry; false at the end of the range. */
  next(): boolean;
  /** Of the current entry, in memory of their own; only after next() gave true. */
  readonly key: Buffer;
  readonly value: Buffer;
  /** The following next() gives the first entry at or after `key` in the direction of the walk, within the range. */
  seek(key: Buffer): void;
  suspend(): void;
  close(): void;
}
