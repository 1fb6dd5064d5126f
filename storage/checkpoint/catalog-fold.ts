/**
 * Writes the catalog records of a checkpoint twice: into the index store, and as records of a collection of its own into the
 * block store, from which they come back when the index store is lost.
 *
 * Invariant: record n of that collection describes the collection with ident n; both copies are of one checkpoint.
 */
import {
  CATALOG_COLLECTION,
  catalogKey,
  decodeCatalogRecord,
  decodeStoreRecord,
  encodeCatalogRecord,
  encodeStoreCounters,
  STORE_RECORD_KEY,
  STORED_COUNTERS,
  type ReapRecord,
  type StoreCounters,
} from '../catalog/catalog-record.ts';
import type { CommitNumber, Ident, RecordId } from '../contract.ts';
import {
  presentRecords,
  readRecordPlace,
  recordBlockOf,
  recordEntryOffset,
  recordMapKey,
  recordSlotOf,
  type RecordPlace,
} from '../format/record-map.ts';
import type { BaseEpoch } from '../views/base-epoch.ts';
import type { FoldTarget } from './fold.ts';
import type { Frozen, FrozenCollection } from './freeze.ts';
import type { MovedRecords } from './moved-records.ts';

/** @returns trees whose collection or index this checkpoint drops */
export async function foldCatalog(
  target: FoldTarget,
  frozen: Frozen,
  moved: MovedRecords,
): Promise<ReapRecord[]> {
  const dropped: ReapRecord[] = [];
  foldCounters(target, frozen, moved);
  for (const collection of frozen.collections) {
    if (target.slices.isOver) await target.slices.turn();
    foldCollection(target, frozen.commitNumber, collection, moved, dropped);
  }
  return dropped;
}

function foldCounters(target: FoldTarget, frozen: Frozen, moved: MovedRecords): void {
  const { identHighWater, keyVersion, commitNumber } = frozen;
  const stored = target.base.get(STORE_RECORD_KEY);
  if (stored !== undefined && isEqual(decodeStoreRecord(stored), frozen)) return;
  const counters = encodeStoreCounters({ identHighWater, keyVersion });
  writeRecord(target, STORED_COUNTERS, counters, commitNumber, moved);
}

function isEqual(before: StoreCounters, after: StoreCounters): boolean {
  return before.identHighWater === after.identHighWater && before.keyVersion === after.keyVersion;
}

function foldCollection(
  target: FoldTarget,
  commitNumber: CommitNumber,
  collection: FrozenCollection,
  moved: MovedRecords,
  dropped: ReapRecord[],
): void {
  const { base, changes } = target;
  const { version, ident } = collection;
  const key = catalogKey(ident);
  const stored = base.get(key);
  const before = stored === undefined ? undefined : decodeCatalogRecord(key, stored);
  const kept = new Set(version?.indexes.map((index) => index.ident));
  for (const index of before?.description.indexes ?? []) {
    if (kept.has(index.ident)) continue;
    dropped.push({ ident: index.ident, kind: 'keys', entries: before?.size.records ?? 0 });
  }
  const recordId = recordIdOf(ident);
  if (version !== undefined) {
    const record = encodeCatalogRecord({
      description: version,
      size: collection.size,
      recordIdHighWater: collection.recordIdHighWater,
    });
    changes.put(key, record);
    writeRecord(target, recordId, record, commitNumber, moved);
  } else if (before !== undefined) {
    changes.delete(key);
    removeRecord(target, recordId, moved);
    dropped.push({ ident, kind: 'records', entries: before.size.records });
  }
}

/** The record of the catalog's collection that describes a collection. */
export function recordIdOf(collection: Ident): RecordId {
  const number: number = collection;
  return number as RecordId;
}

function writeRecord(
  target: FoldTarget,
  recordId: RecordId,
  record: Buffer,
  commitNumber: CommitNumber,
  moved: MovedRecords,
): void {
  const { base, writer } = target;
  const before = placeOf(base, recordId);
  if (before !== undefined) writer.supersede(CATALOG_COLLECTION, before);
  writer.append(CATALOG_COLLECTION, recordId, record, commitNumber);
  moved.noteRewritten(CATALOG_COLLECTION, recordId);
}

function removeRecord(target: FoldTarget, recordId: RecordId, moved: MovedRecords): void {
  const { base, changes, writer } = target;
  const before = placeOf(base, recordId);
  if (before !== undefined) writer.supersede(CATALOG_COLLECTION, before);
  writer.appendTombstone(CATALOG_COLLECTION, recordId);
  changes.removeRecord(CATALOG_COLLECTION, recordId);
  moved.noteRewritten(CATALOG_COLLECTION, recordId);
}

function placeOf(base: BaseEpoch, recordId: RecordId): RecordPlace | undefined {
  const block = base.get(recordMapKey(CATALOG_COLLECTION, recordBlockOf(recordId)));
  if (block === undefined) return undefined;
  const present = presentRecords(block);
  const slot = recordSlotOf(recordId);
  if ((present & (1 << slot)) === 0) return undefined;
  return readRecordPlace(block, recordEntryOffset(present, slot));
}
