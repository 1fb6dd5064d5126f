/**
 * One durable base as readers see it: an index store snapshot and the block store's pages behind it.
 *
 * Owns: the snapshot, pinned until the last reader of this base is out. Everything read through it is as of one
 * checkpoint; nothing it names is overwritten while it is pinned (block store: reclaim). A page read in flight is a reader,
 * also when the view that began it has closed or moved on.
 */
import { invariant } from '../../common/assert.ts';
import { NO_ROW } from '../delta/version-rows.ts';
import type { Generation } from '../delta/generation.ts';
import type { BlockStore, DocumentLocation } from '../blocks/contract.ts';
import type { Place } from '../blocks/place.ts';
import type { CommitNumber, Ident, MaybePromise, RecordId } from '../contract.ts';
import {
  presentRecords,
  readRecordPlace,
  recordBlockOf,
  recordEntryOffset,
  recordMapKey,
  recordSlotOf,
  type RecordPlace,
} from '../format/record-map.ts';
import {
  recordIdOfEntry,
  storedKeyOfEntry,
  treeEnd,
  treeKey,
  treePrefix,
} from '../format/tree-key.ts';
import type { IndexSnapshot, StoreCursor, StoreRange } from '../indexes/contract.ts';
import { isDamagedValue } from '../indexes/sealed-value.ts';
import { PointCache } from './point-cache.ts';
import { TwoAgeCache } from './two-age-cache.ts';

/** An index entry in the base beside its key. */
export interface BaseEntry {
  readonly recordId: RecordId;
  /** As indexEntryValue made it. */
  readonly value: Buffer;
}

/** Blocks per age of their cache: about 10 MB when full. */
const CACHED_BLOCKS = 8192;
/** Most entries that are taken out of the caches one by one. */
const MOST_FORGOTTEN = 10_000;
/** Ident, record id, checksum, and LMDB's own bytes per entry. */
const ENTRY_OVERHEAD_BYTES = 32;

export class BaseEpoch {
  /** Counts checkpoints: what block store and index store call it. */
  readonly checkpoint: number;
  /** Everything up to here is in it, nothing after. */
  readonly commitNumber: CommitNumber;
  private readonly blocks: BlockStore;

  private readonly snapshot: IndexSnapshot;
  private readonly onUnpinned: (base: BaseEpoch) => void;
  private pins = 1;
  private points = new PointCache();
  /** Record map blocks by ident and number: see blockName. */
  private recordBlocks = new TwoAgeCache<number | string, Buffer>(CACHED_BLOCKS);
  private readonly lastKeys = new Map<number, Buffer | undefined>();

  /** Begins pinned once, by its maker. @param onUnpinned hears that the last pin is gone, after the snapshot's release */
  constructor(snapshot: IndexSnapshot, blocks: BlockStore, onUnpinned: (base: BaseEpoch) => void) {
    this.snapshot = snapshot;
    this.blocks = blocks;
    this.checkpoint = snapshot.stamp.checkpoint;
    this.commitNumber = snapshot.stamp.applied;
    this.onUnpinned = onUnpinned;
  }

  pin(): void {
    invariant(this.pins > 0, 'base: pinned after its release');
    this.pins += 1;
  }

  unpin(): void {
    invariant(this.pins > 0, 'base: let go more often than pinned');
    this.pins -= 1;
    if (this.pins > 0) return;
    this.snapshot.release();
    this.onUnpinned(this);
  }

  get(key: Buffer): Buffer | undefined {
    return this.snapshot.get(key);
  }

  scan(range: StoreRange): StoreCursor {
    return this.snapshot.scan(range);
  }

  /** Where a record's document lies, or undefined when this base does not have it. */
  place(collection: Ident, recordId: RecordId): RecordPlace | undefined {
    const block = this.recordBlock(collection, recordBlockOf(recordId));
    if (block === undefined) return undefined;
    const present = presentRecords(block);
    const slot = recordSlotOf(recordId);
    if ((present & (1 << slot)) === 0) return undefined;
    return readRecordPlace(block, recordEntryOffset(present, slot));
  }

  record(collection: Ident, recordId: RecordId): MaybePromise<Buffer | undefined> {
    const place = this.place(collection, recordId);
    return place === undefined ? undefined : this.pinnedWhile(this.blocks.record(place, recordId));
  }

  /** As the block store's. */
  locate(place: Place, recordId: RecordId, location: DocumentLocation): MaybePromise<void> {
    return this.pinnedWhile(this.blocks.locate(place, recordId, location));
  }

  /** As the block store's. */
  prefetch(places: Iterable<Place>): void {
    void this.pinnedWhile(this.blocks.prefetch(places));
  }

  /** The one entry of a unique index with exactly this stored key, remembered for a while. */
  uniqueEntry(index: Ident, key: Buffer): BaseEntry | undefined {
    const known = this.points.find(index, key);
    if (known < 0) return this.findUnique(index, key);
    return {
      recordId: this.points.recordIdAt(known) as RecordId,
      value: this.points.valueAt(known),
    };
  }

  /** Like uniqueEntry, but the record alone. */
  uniqueRecordId(index: Ident, key: Buffer): RecordId | undefined {
    const known = this.points.find(index, key);
    if (known < 0) return this.findUnique(index, key)?.recordId;
    return this.points.recordIdAt(known) as RecordId;
  }

  /** Takes over what the base before remembers, but for what was folded since, and records that the cleaner moved. */
  inherit(
    before: BaseEpoch,
    folded: Generation,
    movedBlocks: ReadonlyMap<Ident, ReadonlySet<number>>,
  ): void {
    let changes = 0;
    for (const blocks of movedBlocks.values()) changes += blocks.size;
    for (const table of folded.keys.values()) changes += table.order.size;
    for (const table of folded.records.values()) changes += table.chunkNumbers.size;
    // This runs inside a checkpoint's synchronous step: beyond a few milliseconds a fresh start is cheaper.
    if (changes > MOST_FORGOTTEN) return;
    this.points = before.points;
    this.recordBlocks = before.recordBlocks;
    before.points = new PointCache();
    before.recordBlocks = new TwoAgeCache(CACHED_BLOCKS);
    for (const [index, table] of folded.keys) {
      const at = { leaf: 0, position: 0 };
      for (let row = table.order.rowAt(at); row !== NO_ROW; row = table.order.rowAt(at)) {
        this.points.delete(index, table.key(row));
        table.order.forward(at);
      }
    }
    for (const [collection, blocks] of movedBlocks) {
      for (const block of blocks) this.recordBlocks.delete(blockName(collection, block));
    }
    for (const [collection, { chunkNumbers }] of folded.records) {
      for (
        let chunk = chunkNumbers.next(-1);
        chunk !== Infinity;
        chunk = chunkNumbers.next(chunk)
      ) {
        this.recordBlocks.delete(blockName(collection, chunk));
      }
    }
  }

  /** Record ids of the entries with exactly this stored key, in order. */
  recordIdsOf(index: Ident, key: Buffer): RecordId[] {
    const last = this.lastKey(index);
    // New ids mostly grow: a key behind the last one needs no look-up.
    if (last === undefined || key.compare(last) > 0) return [];
    const recordIds: RecordId[] = [];
    const cursor = this.snapshot.scan({ lower: treeKey(index, key), upper: treeEnd(index) });
    while (cursor.next() && storedKeyOfEntry(cursor.key).equals(key)) {
      recordIds.push(recordIdOfEntry(cursor.key) as RecordId);
    }
    cursor.close();
    return recordIds;
  }

  private pinnedWhile<Result>(reading: MaybePromise<Result>): MaybePromise<Result> {
    if (!(reading instanceof Promise)) return reading;
    this.pin();
    return reading.finally(() => this.unpin());
  }

  private recordBlock(collection: Ident, number: number): Buffer | undefined {
    const name = blockName(collection, number);
    const known = this.recordBlocks.get(name);
    if (known !== undefined) return known;
    const block = this.snapshot.get(recordMapKey(collection, number));
    if (block !== undefined) this.recordBlocks.set(name, block);
    return block;
  }

  private findUnique(index: Ident, key: Buffer): BaseEntry | undefined {
    const last = this.lastKey(index);
    if (last === undefined || key.compare(last) > 0) return undefined;
    const cursor = this.snapshot.scan({ lower: treeKey(index, key), upper: treeEnd(index) });
    const isThere = cursor.next() && storedKeyOfEntry(cursor.key).equals(key);
    const entry = isThere
      ? { recordId: recordIdOfEntry(cursor.key) as RecordId, value: cursor.value }
      : undefined;
    cursor.close();
    if (entry !== undefined) this.points.set(index, key, entry.recordId, entry.value);
    return entry;
  }

  /** The largest stored key of an index, remembered: this base never changes. */
  private lastKey(index: Ident): Buffer | undefined {
    if (this.lastKeys.has(index)) return this.lastKeys.get(index);
    const cursor = this.snapshot.scan({
      lower: treePrefix(index),
      upper: treeEnd(index),
      direction: -1,
    });
    const last = cursor.next() ? Buffer.from(storedKeyOfEntry(cursor.key)) : undefined;
    cursor.close();
    this.lastKeys.set(index, last);
    return last;
  }

  /** About how many bytes one of an index's entries takes; 0 for an empty tree. */
  entryBytes(index: Ident): number {
    const last = this.lastKey(index);
    return last === undefined ? 0 : last.length + ENTRY_OVERHEAD_BYTES;
  }

  /** Whether a tree has any key, be its value damaged. */
  holdsAny(tree: Ident): boolean {
    const cursor = this.snapshot.scan({ lower: treePrefix(tree), upper: treeEnd(tree) });
    try {
      return cursor.next();
    } catch (error) {
      if (isDamagedValue(error)) return true;
      throw error;
    } finally {
      cursor.close();
    }
  }
}

/** A collection's ident and a block number as one map key: a number where both fit, because that hashes fastest. */
function blockName(collection: number, block: number): number | string {
  const fits = collection < 2 ** 21 && block < 2 ** 32;
  return fits ? collection * 2 ** 32 + block : `${collection} ${block}`;
}
