/**
 * The versions of one index's entries within one generation.
 *
 * Owns: the bytes of keys and type bits, and for each entry (key, record id) whether it is there, since which commit.
 * Invariants:
 *  1. An entry stands once in the order; older versions hang behind its row, commit numbers falling.
 *  2. An entry that is not there, was not there below this generation either, and that no snapshot sees, leaves at once.
 *  3. Bytes that were handed out are never written again: growing and compacting copy into fresh memory.
 * Benchmark: bench/micro/storage/key-table.bench.ts; this is a hot loop, hence columns instead of objects.
 */
import { grownFloat64, grownInt32, grownUint16, grownUint32, grownUint8 } from './growable.ts';
import { KeyOrder, keyPrefix, PREFIX_BYTES, type KeyPosition } from './key-order.ts';
import type { MemoryCounter } from './memory-counter.ts';
import type { OpenSnapshots } from './open-snapshots.ts';
import { NO_ROW } from './version-rows.ts';

/** The entry is there. */
const PRESENT = 1;
/** The entry is there below this generation, or may be: taken away here, it leaves a row that says so. */
const PRESENT_BELOW = 2;
/** The key was cut: too long to be kept whole (format/tree-key.ts). */
const CUT = 4;

/** Of all columns, and of the row's place in the order. */
const ROW_BYTES = 4 + 2 + 2 + 8 + 8 + 1 + 4 + 8 + 16;
const EMPTY_TABLE_BYTES = 1200;
const COMPACT_FROM_BYTES = 256 * 1024;
/** Sizes at which a table looks how many bytes all its keys share. */
const GROW_SHARED_AT: ReadonlySet<number> = new Set([64, 512, 4096]);
const MOST_SHARED_SHRINKS = 4;
const NO_BYTES = new Uint8Array(0);

export interface KeyWrite {
  readonly key: Uint8Array;
  readonly typeBits: Uint8Array;
  /** False when the key was cut. */
  readonly whole: boolean;
  readonly recordId: number;
  readonly commitNumber: number;
  /** True to add the entry, false to take it away. */
  readonly present: boolean;
  /** The entry that is added may be there already, in this generation or below: it gets other type bits. */
  readonly replaces: boolean;
}

export class KeyTable {
  readonly order = new KeyOrder();
  bytes = new Uint8Array(256);
  offset = new Uint32Array(8);
  keyLength = new Uint16Array(8);
  typeBitsLength = new Uint16Array(8);
  recordId = new Float64Array(8);
  commitNumber = new Float64Array(8);
  older = new Int32Array(8);
  private flags = new Uint8Array(8);

  private usedRows = 0;
  private firstFree = NO_ROW;
  private usedBytes = 0;
  private deadBytes = 0;

  /** All keys begin with these bytes: what the order compares first are the ones behind them. */
  private shared: Uint8Array = NO_BYTES;
  private sharedShrinks = 0;

  private sought: Uint8Array = NO_BYTES;
  private soughtRecordId = 0;
  private soughtPrefix = 0;
  private readonly at: KeyPosition = { leaf: 0, position: 0 };
  private readonly compareSought = (row: number): number => this.compareWithSought(row);
  private readonly memory: MemoryCounter;
  private readonly keepsRemoved: boolean;

  /** @param keepsRemoved makes an exception of invariant 2 */
  constructor(memory: MemoryCounter, keepsRemoved = false) {
    this.memory = memory;
    this.keepsRemoved = keepsRemoved;
    memory.bytes += EMPTY_TABLE_BYTES;
  }

  /** Adds the newest version of an entry. */
  write(write: KeyWrite, snapshots: OpenSnapshots): void {
    if (this.compareShared(write.key) !== 0) this.shrinkShared(write.key);
    this.seekFor(write.key, write.recordId);
    if (this.order.endsBefore(this.compareSought, this.soughtPrefix)) {
      this.order.end(this.at);
      this.insertEntry(write);
    } else if (this.order.find(this.compareSought, this.soughtPrefix, this.at)) {
      this.replaceVersion(this.order.rowAt(this.at), write, snapshots);
    } else {
      this.insertEntry(write);
    }
  }

  /** Sets `at` to the first entry at or after (key, record id); -1 and Infinity stand before and after every record id. */
  find(key: Uint8Array, recordId: number, at: KeyPosition): boolean {
    this.seekFor(key, recordId);
    return this.order.find(this.compareSought, this.soughtPrefix, at);
  }

  /** The row of an entry's newest version, or NO_ROW when this generation does not know the entry. */
  newestRow(key: Uint8Array, recordId: number): number {
    return this.find(key, recordId, this.at) ? this.order.rowAt(this.at) : NO_ROW;
  }

  /** The version of an entry that a snapshot sees, or NO_ROW when this generation has none for it. */
  visibleRow(newest: number, commitNumber: number): number {
    let row = newest;
    while (row !== NO_ROW && (this.commitNumber[row] ?? 0) > commitNumber) {
      row = this.older[row] ?? NO_ROW;
    }
    return row;
  }

  isPresent(row: number): boolean {
    return ((this.flags[row] ?? 0) & PRESENT) !== 0;
  }

  /** False when the entry's key was cut. */
  isWhole(row: number): boolean {
    return ((this.flags[row] ?? 0) & CUT) === 0;
  }

  key(row: number): Buffer {
    const start = this.offset[row] ?? 0;
    return sliceOf(this.bytes, start, start + (this.keyLength[row] ?? 0));
  }

  typeBits(row: number): Buffer {
    const start = (this.offset[row] ?? 0) + (this.keyLength[row] ?? 0);
    return sliceOf(this.bytes, start, start + (this.typeBitsLength[row] ?? 0));
  }

  /** Whether a row's key is exactly these bytes. */
  keyEquals(row: number, key: Uint8Array): boolean {
    return this.compareKey(row, key) === 0;
  }

  /** Orders a row's key and other bytes, as unsigned bytes. */
  compareKey(row: number, key: Uint8Array): number {
    return this.compareKeyFrom(row, key, 0);
  }

  /** The same for keys that are known to begin alike. */
  private compareKeyFrom(row: number, key: Uint8Array, from: number): number {
    const bytes = this.bytes;
    const start = this.offset[row] ?? 0;
    const rowLength = this.keyLength[row] ?? 0;
    const common = Math.min(rowLength, key.length);
    for (let index = from; index < common; index += 1) {
      const difference = (bytes[start + index] ?? 0) - (key[index] ?? 0);
      if (difference !== 0) return difference;
    }
    return rowLength - key.length;
  }

  private compareWithSought(row: number): number {
    // The order asks only where prefixes are the same.
    const byKey = this.compareKeyFrom(row, this.sought, this.shared.length + PREFIX_BYTES);
    return byKey !== 0 ? byKey : (this.recordId[row] ?? 0) - this.soughtRecordId;
  }

  private seekFor(key: Uint8Array, recordId: number): void {
    this.sought = key;
    this.soughtRecordId = recordId;
    const order = this.compareShared(key);
    // A bound may begin otherwise than all keys: it lies before or behind them all.
    this.soughtPrefix = order === 0 ? this.prefixOf(key, 0, key.length) : order * Infinity;
  }

  private prefixOf(bytes: Uint8Array, start: number, length: number): number {
    const skipped = this.shared.length;
    return keyPrefix(bytes, start + skipped, length - skipped);
  }

  /** Where a key lies to those that begin with the shared bytes: 0 among them, -1 before and 1 behind them all. */
  private compareShared(key: Uint8Array): number {
    const { shared } = this;
    for (let index = 0; index < shared.length; index += 1) {
      if (index === key.length) return -1;
      const difference = key[index] - shared[index];
      if (difference !== 0) return Math.sign(difference);
    }
    return 0;
  }

  /** Keys of one index often begin alike (texts, ids of one day): six bytes that are the same in all of them settle nothing. */
  private growShared(): void {
    if (this.sharedShrinks === MOST_SHARED_SHRINKS) return;
    const first = this.key(this.order.rowAt({ leaf: 0, position: 0 }));
    const last = this.key(this.order.lastRow);
    const length = sharedLength(first, last);
    if (length > this.shared.length) this.setShared(Uint8Array.from(first.subarray(0, length)));
  }

  /** So often that a table of any size pays little for it; keys of many kinds are compared from their begin in the end. */
  private shrinkShared(key: Uint8Array): void {
    this.sharedShrinks += 1;
    const isLast = this.sharedShrinks === MOST_SHARED_SHRINKS;
    this.setShared(isLast ? NO_BYTES : this.shared.subarray(0, sharedLength(this.shared, key)));
  }

  private setShared(shared: Uint8Array): void {
    this.shared = shared;
    this.order.refreshPrefixes((row) =>
      this.prefixOf(this.bytes, this.offset[row], this.keyLength[row]),
    );
  }

  /** The entry is new to this generation: taking it away or replacing it means that it is there below. */
  private insertEntry(write: KeyWrite): void {
    const row = this.allocateRow();
    const isBelow = write.replaces || !write.present;
    this.recordId[row] = write.recordId;
    this.flags[row] =
      (write.present ? PRESENT : 0) | (isBelow ? PRESENT_BELOW : 0) | (write.whole ? 0 : CUT);
    this.commitNumber[row] = write.commitNumber;
    this.older[row] = NO_ROW;
    this.storeBytes(row, write);
    this.order.insertAt(this.at, row, this.soughtPrefix);
    if (GROW_SHARED_AT.has(this.order.size)) this.growShared();
  }

  /** `row` stays the entry's row, so that the order need not change; the version it held moves behind it. */
  private replaceVersion(row: number, write: KeyWrite, snapshots: OpenSnapshots): void {
    const below = (this.flags[row] ?? 0) & PRESENT_BELOW;
    const cut = (this.flags[row] ?? 0) & CUT;
    const older = this.prune(row, write.commitNumber, snapshots);
    if (!write.present && below === 0 && older === NO_ROW && !this.keepsRemoved) {
      this.order.removeAt(this.at);
      this.freeRow(row);
      return;
    }
    this.flags[row] = (write.present ? PRESENT : 0) | below | cut;
    this.commitNumber[row] = write.commitNumber;
    this.older[row] = older;
    if (write.present && !this.typeBitsEqual(row, write.typeBits)) {
      // Older versions keep pointing at the bytes that they had.
      this.storeBytes(row, write);
    }
  }

  /** Moves the versions that some snapshot sees behind the entry's row. @returns the newest of them. */
  private prune(newest: number, replacedAt: number, snapshots: OpenSnapshots): number {
    let head = NO_ROW;
    let lastKept = NO_ROW;
    let until = replacedAt;
    for (let row = newest; row !== NO_ROW;) {
      const older = this.older[row] ?? NO_ROW;
      const from = this.commitNumber[row] ?? 0;
      if (snapshots.anySees(from, until)) {
        const kept = row === newest ? this.copyRow(row) : row;
        if (lastKept === NO_ROW) head = kept;
        else this.older[lastKept] = kept;
        lastKept = kept;
      } else if (row !== newest) {
        this.freeRow(row);
      }
      until = from;
      row = older;
    }
    if (lastKept !== NO_ROW) this.older[lastKept] = NO_ROW;
    return head;
  }

  private copyRow(from: number): number {
    const row = this.allocateRow();
    this.offset[row] = this.offset[from] ?? 0;
    this.keyLength[row] = this.keyLength[from] ?? 0;
    this.typeBitsLength[row] = this.typeBitsLength[from] ?? 0;
    this.recordId[row] = this.recordId[from] ?? 0;
    this.commitNumber[row] = this.commitNumber[from] ?? 0;
    this.flags[row] = this.flags[from] ?? 0;
    return row;
  }

  private typeBitsEqual(row: number, typeBits: Uint8Array): boolean {
    const length = this.typeBitsLength[row] ?? 0;
    if (length !== typeBits.length) return false;
    const start = (this.offset[row] ?? 0) + (this.keyLength[row] ?? 0);
    for (let index = 0; index < length; index += 1) {
      if (this.bytes[start + index] !== typeBits[index]) return false;
    }
    return true;
  }

  private storeBytes(row: number, write: KeyWrite): void {
    const length = write.key.length + write.typeBits.length;
    if (this.usedBytes + length > this.bytes.length) this.makeRoom(length);
    this.bytes.set(write.key, this.usedBytes);
    if (write.typeBits.length > 0) {
      this.bytes.set(write.typeBits, this.usedBytes + write.key.length);
    }
    this.offset[row] = this.usedBytes;
    this.keyLength[row] = write.key.length;
    this.typeBitsLength[row] = write.typeBits.length;
    this.usedBytes += length;
  }

  private makeRoom(length: number): void {
    if (this.bytes.length >= COMPACT_FROM_BYTES && this.deadBytes * 2 > this.usedBytes) {
      this.compact(length);
    } else {
      const before = this.bytes.length;
      this.bytes = grownUint8(this.bytes, Math.max(before * 2, this.usedBytes + length));
      this.memory.bytes += this.bytes.length - before;
    }
  }

  /** Copies the keys of the entries, in order, into fresh memory: an index on a counter leaves a dead key per update. */
  private compact(room: number): void {
    const from = this.bytes;
    const compacted = new Uint8Array(Math.max(from.length, this.liveKeyBytes() + room));
    let used = 0;
    this.forEachRow((row, bytes) => {
      const start = this.offset[row] ?? 0;
      compacted.set(from.subarray(start, start + bytes), used);
      this.offset[row] = used;
      used += bytes;
    });
    this.memory.bytes += compacted.length - from.length;
    this.bytes = compacted;
    this.usedBytes = used;
    this.deadBytes = 0;
  }

  /** Versions of one entry may share their bytes; compacted, each has its own. */
  private liveKeyBytes(): number {
    let live = 0;
    this.forEachRow((_row, bytes) => {
      live += bytes;
    });
    return live;
  }

  private forEachRow(visit: (row: number, bytes: number) => void): void {
    const at: KeyPosition = { leaf: 0, position: 0 };
    for (let head = this.order.rowAt(at); head !== NO_ROW; head = this.order.rowAt(at)) {
      for (let row = head; row !== NO_ROW; row = this.older[row] ?? NO_ROW) {
        visit(row, (this.keyLength[row] ?? 0) + (this.typeBitsLength[row] ?? 0));
      }
      this.order.forward(at);
    }
  }

  private allocateRow(): number {
    const free = this.firstFree;
    if (free !== NO_ROW) {
      this.firstFree = this.older[free] ?? NO_ROW;
      return free;
    }
    if (this.usedRows === this.offset.length) this.grow();
    this.usedRows += 1;
    return this.usedRows - 1;
  }

  private freeRow(row: number): void {
    this.deadBytes += (this.keyLength[row] ?? 0) + (this.typeBitsLength[row] ?? 0);
    this.older[row] = this.firstFree;
    this.firstFree = row;
  }

  private grow(): void {
    const length = this.offset.length * 2;
    this.memory.bytes += (length - this.offset.length) * ROW_BYTES;
    this.offset = grownUint32(this.offset, length);
    this.keyLength = grownUint16(this.keyLength, length);
    this.typeBitsLength = grownUint16(this.typeBitsLength, length);
    this.recordId = grownFloat64(this.recordId, length);
    this.commitNumber = grownFloat64(this.commitNumber, length);
    this.older = grownInt32(this.older, length);
    this.flags = grownUint8(this.flags, length);
  }
}

function sharedLength(a: Uint8Array, b: Uint8Array): number {
  const most = Math.min(a.length, b.length);
  let length = 0;
  while (length < most && a[length] === b[length]) length += 1;
  return length;
}

function sliceOf(bytes: Uint8Array, start: number, end: number): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start);
}
