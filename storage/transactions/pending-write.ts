/**
 * A transaction's writes before they are published, and how one is put into a generation.
 */
import type { MultikeyPaths } from '../../bson/index.ts';
import type { CollectionState } from '../catalog/collection-state.ts';
import type { CollectionVersion } from '../catalog/collection-version.ts';
import type { StoredKey } from '../catalog/index-keys.ts';
import type { Ident, RecordId } from '../contract.ts';
import type { Generation } from '../delta/generation.ts';
import type { OpenSnapshots } from '../delta/open-snapshots.ts';
import { TOMBSTONE } from '../delta/version-rows.ts';
import type { JournalOperation } from '../format/journal-entry.ts';

/** An index entry that comes or goes. */
export interface KeyChange {
  readonly index: Ident;
  readonly stored: StoredKey;
  readonly present: boolean;
  /** The record has the entry already, or may have it: only its type bits change. */
  readonly replaces: boolean;
}

/** An index with arrays where it had none before. */
export interface MultikeyChange {
  readonly index: Ident;
  readonly paths: MultikeyPaths;
}

/** One record written. */
export interface RecordWrite {
  readonly kind: 'record';
  readonly state: CollectionState;
  readonly recordId: RecordId;
  /** The new document; undefined for a deletion. */
  document: Buffer | undefined;
  /** Length of the document before; undefined for an insert. */
  readonly bytesBefore: number | undefined;
  readonly keys: readonly KeyChange[];
  readonly multikey: readonly MultikeyChange[];
  readonly journal: JournalOperation | undefined;
}

/** Entries of an index that is made, or mended, over records which are there already. */
export interface KeysWrite {
  readonly kind: 'keys';
  readonly state: CollectionState;
  readonly recordId: RecordId;
  readonly keys: readonly KeyChange[];
  readonly multikey: readonly MultikeyChange[];
  readonly journal: JournalOperation | undefined;
}

/** One collection created, changed or dropped. */
export interface CatalogWrite {
  readonly kind: 'catalog';
  readonly state: CollectionState;
  /** undefined: dropped. */
  readonly version: CollectionVersion | undefined;
  readonly namespaces: readonly string[];
  readonly journal: JournalOperation | undefined;
  /** The version knows of all arrays that there are: what the one before knew does not count. */
  readonly knowsArrays?: boolean;
}

export type PendingWrite = RecordWrite | KeysWrite | CatalogWrite;

/** How much a write changes its collection's size. */
export function sizeChangeOf(write: RecordWrite): { records: number; bytes: number } {
  const before = write.bytesBefore;
  const after = write.document?.length;
  return {
    records: (after === undefined ? 0 : 1) - (before === undefined ? 0 : 1),
    bytes: (after ?? 0) - (before ?? 0),
  };
}

/** Puts a record's new version into a generation; the document is copied into a slab. */
export function writeRecord(
  generation: Generation,
  write: RecordWrite,
  commitNumber: number,
  snapshots: OpenSnapshots,
): void {
  const { document, state } = write;
  let slab = TOMBSTONE;
  if (document !== undefined) {
    slab = generation.slabs.allocate(document.length);
    document.copy(generation.slabs.bytes(slab), generation.slabs.allocatedOffset);
  }
  generation.recordsOf(state.ident).write(
    write.recordId,
    {
      commitNumber,
      slab,
      offset: generation.slabs.allocatedOffset,
      length: document?.length ?? 0,
      created: write.bytesBefore === undefined,
    },
    snapshots,
  );
}

/** Puts index entries into a generation. */
export function writeKeys(
  generation: Generation,
  write: RecordWrite | KeysWrite,
  commitNumber: number,
  snapshots: OpenSnapshots,
): void {
  for (const { index, stored, present, replaces } of write.keys) {
    generation.keysOf(index).write(
      {
        key: stored.key,
        typeBits: stored.typeBits,
        whole: stored.whole,
        recordId: write.recordId,
        commitNumber,
        present,
        replaces,
      },
      snapshots,
    );
  }
}
