/**
 * Makes the record map anew out of the pages of the block store: of each record the newest version counts, and a tombstone ends it.
 *
 * Owns: versions on their way into the new index store, a bounded number of them. Generations decide, not the order in which pages are
 * met. A record id is never used twice, so a tombstone of any generation is the last word.
 * While the walk lasts, a tombstone stands in the record map as a place without bytes; sweep() takes them out.
 */
import type { Place } from '../blocks/place.ts';
import type { CommitNumber, Ident, RecordId } from '../contract.ts';
import {
  presentRecords,
  readRecordPlace,
  recordBlockOf,
  recordEntryOffset,
  recordMapKey,
  RECORDS_PER_BLOCK,
  recordSlotOf,
  blockOfRecordMapKey,
  type RecordPlace,
} from '../format/record-map.ts';
import type { CheckpointStamp } from '../format/store-identity.ts';
import { treeEnd, treePrefix } from '../format/tree-key.ts';
import { IndexChanges } from '../indexes/changes.ts';
import type { IndexSnapshot, IndexStore } from '../indexes/contract.ts';

/** Versions that are sorted and written together. */
const BATCH_VERSIONS = 200_000;
/** Changes of one commit, bytes about. */
const COMMIT_BYTES = 32 * 1024 * 1024;

interface Version {
  readonly collection: Ident;
  readonly recordId: RecordId;
  readonly place: RecordPlace;
}

export class RecordMapRebuild {
  private readonly indexes: IndexStore;
  private readonly stamp: CheckpointStamp;
  private versions: Version[] = [];

  /** @param stamp that every commit carries until the store is whole: one that no block store agrees with */
  constructor(indexes: IndexStore, stamp: CheckpointStamp) {
    this.indexes = indexes;
    this.stamp = stamp;
  }

  /** True when flush() is due. */
  get isFull(): boolean {
    return this.versions.length >= BATCH_VERSIONS;
  }

  addDocument(collection: Ident, recordId: RecordId, place: Place, commitNumber: number): void {
    this.versions.push({
      collection,
      recordId,
      place: { ...place, commitNumber: commitNumber as CommitNumber },
    });
  }

  addTombstone(collection: Ident, recordId: RecordId, generation: number): void {
    const place = {
      sector: 0,
      sectors: 0,
      slot: 0,
      bytes: 0,
      generation,
      commitNumber: 0 as CommitNumber,
    };
    this.versions.push({ collection, recordId, place });
  }

  async flush(): Promise<void> {
    const { versions } = this;
    if (versions.length === 0) return;
    this.versions = [];
    versions.sort((a, b) => a.collection - b.collection || a.recordId - b.recordId);
    const changes = new IndexChanges();
    const snapshot = this.indexes.beginRead();
    try {
      for (const { collection, recordId, place } of winners(versions)) {
        const before = placeIn(snapshot, collection, recordId);
        if (before !== undefined && !isNewer(place, before)) continue;
        changes.setRecord(collection, recordId, place);
      }
    } finally {
      snapshot.release();
    }
    await this.indexes.commit(changes, this.stamp);
  }

  /** After the last flush(): takes the tombstones out and shows each record that lives, in order. */
  async sweep(
    collection: Ident,
    visit: (recordId: RecordId, place: RecordPlace) => void,
  ): Promise<void> {
    const snapshot = this.indexes.beginRead();
    let changes = new IndexChanges();
    const cursor = snapshot.scan({ lower: treePrefix(collection), upper: treeEnd(collection) });
    try {
      while (cursor.next()) {
        const firstRecord = blockOfRecordMapKey(cursor.key) * RECORDS_PER_BLOCK;
        const block = cursor.value;
        const present = presentRecords(block);
        for (let slot = 0; slot < RECORDS_PER_BLOCK; slot += 1) {
          if ((present & (1 << slot)) === 0) continue;
          const place = readRecordPlace(block, recordEntryOffset(present, slot));
          const recordId = (firstRecord + slot) as RecordId;
          if (place.bytes > 0) visit(recordId, place);
          else changes.removeRecord(collection, recordId);
        }
        if (changes.bytes < COMMIT_BYTES) continue;
        cursor.suspend();
        await this.indexes.commit(changes, this.stamp);
        changes = new IndexChanges();
      }
    } finally {
      cursor.close();
      snapshot.release();
    }
    if (changes.count > 0) await this.indexes.commit(changes, this.stamp);
  }
}

/** Of sorted versions the one of each record that counts. */
function* winners(versions: readonly Version[]): Iterable<Version> {
  let best: Version | undefined;
  for (const version of versions) {
    const isSame = best?.collection === version.collection && best.recordId === version.recordId;
    if (best !== undefined && !isSame) yield best;
    if (best === undefined || !isSame || isNewer(version.place, best.place)) best = version;
  }
  if (best !== undefined) yield best;
}

function isNewer(place: RecordPlace, than: RecordPlace): boolean {
  const isTombstone = place.bytes === 0;
  if (isTombstone !== (than.bytes === 0)) return isTombstone;
  return place.generation > than.generation;
}

function placeIn(
  snapshot: IndexSnapshot,
  collection: Ident,
  recordId: RecordId,
): RecordPlace | undefined {
  const block = snapshot.get(recordMapKey(collection, recordBlockOf(recordId)));
  if (block === undefined) return undefined;
  const present = presentRecords(block);
  const slot = recordSlotOf(recordId);
  if ((present & (1 << slot)) === 0) return undefined;
  return readRecordPlace(block, recordEntryOffset(present, slot));
}
