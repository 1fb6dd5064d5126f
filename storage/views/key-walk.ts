/**
 * Walks of one layer's index entries: a generation's key table, or the base's tree. An index cursor merges them.
 *
 * Both give the current entry as a region of bytes, so that merging compares without making Buffers.
 */
import { invariant } from '../../common/assert.ts';
import type { Ident, RecordId } from '../contract.ts';
import type { KeyPosition } from '../delta/key-order.ts';
import type { KeyTable } from '../delta/key-table.ts';
import { NO_ROW } from '../delta/version-rows.ts';
import {
  entryKeyIsWhole,
  IDENT_BYTES,
  RECORD_ID_BYTES,
  recordIdOfEntry,
  storedKeyOfEntry,
  treeEnd,
  treeKey,
  typeBitsOfEntry,
} from '../format/tree-key.ts';
import type { StoreRange } from '../indexes/contract.ts';
import type { BaseEntry, BaseEpoch } from './base-epoch.ts';

/** Where a walk starts: at (key, record id), in its direction; without a key at its end. */
export interface WalkStart {
  readonly key: Buffer | undefined;
  /** -1 and Infinity stand before and after every record id. */
  readonly recordId: number;
}

/** One layer's entries in order. */
export interface EntryWalk {
  readonly atEnd: boolean;
  /** The current entry's key lies in bytes[start, start + length). */
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly length: number;
  readonly recordId: RecordId;
  /** False: this layer says that the entry is not there, whatever the layers below say. */
  readonly present: boolean;
  seek(start: WalkStart): void;
  advance(): void;
  typeBits(): Buffer;
  isWhole(): boolean;
}

export class TableWalk implements EntryWalk {
  atEnd = true;
  bytes: Uint8Array = EMPTY;
  start = 0;
  length = 0;
  recordId = 0 as RecordId;
  present = false;

  private readonly table: KeyTable;
  private readonly commitNumber: number;
  private readonly direction: 1 | -1;
  private readonly at: KeyPosition = { leaf: 0, position: 0 };
  private row = NO_ROW;
  private changes = -1;

  constructor(table: KeyTable, commitNumber: number, direction: 1 | -1) {
    this.table = table;
    this.commitNumber = commitNumber;
    this.direction = direction;
  }

  seek(start: WalkStart): void {
    const { order } = this.table;
    this.changes = order.changes;
    if (start.key === undefined) {
      this.seekEnd();
    } else {
      const exact = this.table.find(start.key, start.recordId, this.at);
      if (this.direction === -1 && !exact && !order.backward(this.at)) {
        this.atEnd = true;
        return;
      }
    }
    this.settle();
  }

  advance(): void {
    const { order } = this.table;
    if (order.changes !== this.changes) this.findAgain();
    else this.step();
    this.settle();
  }

  typeBits(): Buffer {
    return this.table.typeBits(this.row);
  }

  isWhole(): boolean {
    return this.table.isWhole(this.row);
  }

  private seekEnd(): void {
    const { order } = this.table;
    if (this.direction === 1) {
      this.at.leaf = 0;
      this.at.position = 0;
    } else {
      order.end(this.at);
      if (!order.backward(this.at)) this.at.leaf = 1;
    }
  }

  /** Entries came or went since: finds the place behind the current entry by its key. */
  private findAgain(): void {
    const { order } = this.table;
    this.changes = order.changes;
    const key = this.bytes.subarray(this.start, this.start + this.length);
    const exact = this.table.find(key, this.recordId, this.at);
    if (this.direction === -1 ? true : exact) this.step();
  }

  private step(): void {
    const { order } = this.table;
    if (this.direction === 1) order.forward(this.at);
    else if (!order.backward(this.at)) this.at.leaf = Infinity;
  }

  /** Goes on to the first entry of which this view sees a version. */
  private settle(): void {
    const table = this.table;
    for (;;) {
      const newest = table.order.rowAt(this.at);
      if (newest === NO_ROW) {
        this.atEnd = true;
        return;
      }
      const row = table.visibleRow(newest, this.commitNumber);
      if (row !== NO_ROW) {
        this.show(row);
        return;
      }
      this.step();
    }
  }

  private show(row: number): void {
    const table = this.table;
    this.row = row;
    this.atEnd = false;
    this.bytes = table.bytes;
    this.start = table.offset[row];
    this.length = table.keyLength[row];
    this.recordId = table.recordId[row] as RecordId;
    this.present = table.isPresent(row);
  }
}

const EMPTY = new Uint8Array(0);
const FIRST_BATCH_ENTRIES = 1;
const LARGEST_BATCH_ENTRIES = 128;
const AFTER_EVERY_RECORD_ID = Buffer.alloc(RECORD_ID_BYTES, 0xff);

/** Reads entries in batches and holds no cursor of the store in between. */
export class BaseWalk implements EntryWalk {
  atEnd = true;
  bytes: Uint8Array = EMPTY;
  readonly start = IDENT_BYTES;
  length = 0;
  recordId = 0 as RecordId;
  readonly present = true;

  private readonly base: BaseEpoch;
  private readonly index: Ident;
  private readonly direction: 1 | -1;
  private readonly limits: StoreRange;
  private keys: Buffer[] = [];
  private values: Buffer[] = [];
  private current = 0;
  private batchEntries = FIRST_BATCH_ENTRIES;
  private exhausted = false;

  /** @param limits whole store keys between which all entries of the walk lie */
  constructor(base: BaseEpoch, index: Ident, direction: 1 | -1, limits: StoreRange) {
    this.base = base;
    this.index = index;
    this.direction = direction;
    this.limits = limits;
  }

  seek(start: WalkStart): void {
    this.batchEntries = FIRST_BATCH_ENTRIES;
    this.fill(this.rangeFrom(start));
    this.show();
  }

  advance(): void {
    this.current += 1;
    if (this.current >= this.keys.length && !this.exhausted) {
      const last = this.keys[this.keys.length - 1];
      this.fill(
        this.direction === 1
          ? { ...this.limits, lower: last, lowerInclusive: false, direction: 1 }
          : { ...this.limits, upper: last, upperInclusive: false, direction: -1 },
      );
    }
    this.show();
  }

  typeBits(): Buffer {
    return typeBitsOfEntry(this.values[this.current]);
  }

  isWhole(): boolean {
    return entryKeyIsWhole(this.values[this.current]);
  }

  private show(): void {
    this.atEnd = this.current >= this.keys.length;
    if (this.atEnd) return;
    const key = this.keys[this.current];
    this.bytes = key;
    this.length = key.length - IDENT_BYTES - RECORD_ID_BYTES;
    this.recordId = recordIdOfEntry(key) as RecordId;
  }

  private fill(range: StoreRange): void {
    this.keys = [];
    this.values = [];
    this.current = 0;
    const cursor = this.base.scan(range);
    while (this.keys.length < this.batchEntries && cursor.next()) {
      this.keys.push(cursor.key);
      this.values.push(cursor.value);
    }
    cursor.close();
    this.exhausted = this.keys.length < this.batchEntries;
    this.batchEntries = Math.min(this.batchEntries * 8, LARGEST_BATCH_ENTRIES);
  }

  private rangeFrom(start: WalkStart): StoreRange {
    if (start.key === undefined) return { ...this.limits, direction: this.direction };
    const bound = this.boundAt(start.key, start.recordId);
    return this.direction === 1
      ? { ...this.limits, lower: bound, direction: 1 }
      : { ...this.limits, upper: bound, upperInclusive: true, direction: -1 };
  }

  /** (key, record id) as a whole store key. */
  private boundAt(key: Buffer, recordId: number): Buffer {
    if (recordId < 0) return treeKey(this.index, key);
    if (recordId === Infinity) {
      // A prefix of longer keys stands before them; only behind a whole key's entries do all record ids lie.
      return this.holdsKey(key)
        ? treeKey(this.index, Buffer.concat([key, AFTER_EVERY_RECORD_ID]))
        : treeKey(this.index, key);
    }
    const id = Buffer.alloc(RECORD_ID_BYTES);
    id.writeUIntBE(recordId, 0, RECORD_ID_BYTES);
    return treeKey(this.index, Buffer.concat([key, id]));
  }

  private holdsKey(key: Buffer): boolean {
    const cursor = this.base.scan({ lower: treeKey(this.index, key), upper: treeEnd(this.index) });
    const holds = cursor.next() && storedKeyOfEntry(cursor.key).equals(key);
    cursor.close();
    return holds;
  }
}

/** The one entry that a unique index of the base may have for a key. */
export class PointWalk implements EntryWalk {
  atEnd = true;
  readonly start = 0;
  readonly present = true;
  recordId = 0 as RecordId;
  readonly bytes: Buffer;
  readonly length: number;
  private readonly direction: 1 | -1;
  private readonly entry: BaseEntry | undefined;

  constructor(base: BaseEpoch, index: Ident, key: Buffer, direction: 1 | -1) {
    this.bytes = key;
    this.length = key.length;
    this.direction = direction;
    this.entry = base.uniqueEntry(index, key);
    if (this.entry !== undefined) this.recordId = this.entry.recordId;
  }

  /** The key may have moved to another record since: an entry behind the start is none of the walk's. */
  seek(start: WalkStart): void {
    const { entry, direction } = this;
    if (entry === undefined || start.key === undefined) {
      this.atEnd = entry === undefined;
      return;
    }
    const order = this.bytes.compare(start.key) || entry.recordId - start.recordId;
    this.atEnd = order * direction < 0;
  }

  advance(): void {
    this.atEnd = true;
  }

  typeBits(): Buffer {
    return typeBitsOfEntry(this.value());
  }

  isWhole(): boolean {
    return entryKeyIsWhole(this.value());
  }

  private value(): Buffer {
    invariant(this.entry !== undefined, 'point walk: no entry');
    return this.entry.value;
  }
}

/** Orders two walks' current entries by key, then record id. */
export function compareEntries(a: EntryWalk, b: EntryWalk): number {
  const byKey = compareRegions(a, b.bytes, b.start, b.length);
  return byKey !== 0 ? byKey : a.recordId - b.recordId;
}

/** Orders a walk's current key and a key, as unsigned bytes. */
export function compareEntryKey(walk: EntryWalk, key: Uint8Array): number {
  return compareRegions(walk, key, 0, key.length);
}

function compareRegions(a: EntryWalk, bytes: Uint8Array, start: number, length: number): number {
  const common = Math.min(a.length, length);
  const aBytes = a.bytes;
  const aStart = a.start;
  for (let index = 0; index < common; index += 1) {
    const difference = aBytes[aStart + index] - bytes[start + index];
    if (difference !== 0) return difference;
  }
  return a.length - length;
}
