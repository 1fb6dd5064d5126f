/**
 * The changes of one commit to the index store, packed into shared memory for the thread that writes them.
 *
 * Owns: the packing. Each change is written once, from where it stands; the writer reads it in place.
 * Changes apply in the order in which they were added. Trees filled in ascending key order write fewest pages.
 *
 * A packed change is a kind byte, its numbers (little-endian), its bytes. It never leaves the process.
 */
import { invariant } from '../../common/assert.ts';
import type { Ident, RecordId } from '../contract.ts';
import { RECORD_MAP_ENTRY, writeRecordPlace, type RecordPlace } from '../format/record-map.ts';
import {
  IDENT_BYTES,
  MAX_STORE_KEY_BYTES,
  MAX_WHOLE_INDEX_KEY_BYTES,
  RECORD_ID_BYTES,
  writeUInt48BE,
} from '../format/tree-key.ts';
import { CHUNK_BYTES, type ChangesMemory } from './changes-memory.ts';
import { CHECKSUM_BYTES } from './sealed-value.ts';

export const CHANGE_KIND = {
  put: 1,
  delete: 2,
  deleteRange: 3,
  setRecord: 4,
  removeRecord: 5,
} as const;

/** put: kind u8, key length u16, value length u32, key, value, room for the checksum. delete: the same without value. */
export const PUT_HEADER_BYTES = 7;
export const DELETE_HEADER_BYTES = 3;
/** deleteRange: kind u8, lower length u16, upper length u16, most entries u32, lower, upper. */
export const DELETE_RANGE_HEADER_BYTES = 9;
/** setRecord: kind u8, ident u48, record id u48 (both big-endian), entry. removeRecord: the same without entry. */
export const RECORD_HEADER_BYTES = 1 + IDENT_BYTES + RECORD_ID_BYTES;

const FIRST_CHUNK_BYTES = 64 * 1024;

/** A filled piece of shared memory: whole changes in [0, usedBytes). */
export interface ChangesChunk {
  readonly memory: SharedArrayBuffer;
  readonly usedBytes: number;
}

export class IndexChanges {
  private readonly filled: ChangesChunk[] = [];
  private chunk: Buffer;
  private memory: SharedArrayBuffer;
  private used = 0;
  private changeCount = 0;

  private readonly pool: ChangesMemory | undefined;

  /** @param pool where large pieces come from, and go to with recycle(); default: from the system */
  constructor(pool?: ChangesMemory) {
    this.pool = pool;
    this.memory = new SharedArrayBuffer(FIRST_CHUNK_BYTES);
    this.chunk = Buffer.from(this.memory);
  }

  get count(): number {
    return this.changeCount;
  }

  /** Bytes packed so far. */
  get bytes(): number {
    let bytes = this.used;
    for (const chunk of this.filled) bytes += chunk.usedBytes;
    return bytes;
  }

  put(key: Buffer, value: Buffer): void {
    invariant(key.length > 0, 'index changes: empty key');
    invariant(key.length <= MAX_STORE_KEY_BYTES, 'index changes: key too long');
    let at = this.beginPut(key.length, value.length);
    at += key.copy(this.chunk, at);
    value.copy(this.chunk, at);
  }

  /** Deletes a key; no error when it is not there. */
  delete(key: Buffer): void {
    invariant(key.length > 0, 'index changes: empty key');
    invariant(key.length <= MAX_STORE_KEY_BYTES, 'index changes: key too long');
    key.copy(this.chunk, this.beginDelete(key.length));
  }

  /** Puts an index entry: what put(indexEntryKey(...), value) would, without a Buffer for the key. */
  putIndexEntry(ident: Ident, storedKey: Buffer, recordId: RecordId, value: Buffer): void {
    const keyBytes = IDENT_BYTES + storedKey.length + RECORD_ID_BYTES;
    const at = this.writeIndexEntryKey(
      this.beginPut(keyBytes, value.length),
      ident,
      storedKey,
      recordId,
    );
    value.copy(this.chunk, at);
  }

  deleteIndexEntry(ident: Ident, storedKey: Buffer, recordId: RecordId): void {
    const keyBytes = IDENT_BYTES + storedKey.length + RECORD_ID_BYTES;
    this.writeIndexEntryKey(this.beginDelete(keyBytes), ident, storedKey, recordId);
  }

  /** Deletes up to `mostEntries` keys of [lower, upper), smallest first: a drop reaps its trees in slices. */
  deleteRange(lower: Buffer, upper: Buffer, mostEntries: number): void {
    invariant(lower.length > 0, 'index changes: open range');
    invariant(mostEntries > 0, 'index changes: empty slice');
    let at = this.begin(DELETE_RANGE_HEADER_BYTES + lower.length + upper.length);
    this.chunk[at] = CHANGE_KIND.deleteRange;
    this.chunk.writeUInt16LE(lower.length, at + 1);
    this.chunk.writeUInt16LE(upper.length, at + 3);
    this.chunk.writeUInt32LE(mostEntries, at + 5);
    at += DELETE_RANGE_HEADER_BYTES;
    at += lower.copy(this.chunk, at);
    upper.copy(this.chunk, at);
  }

  /**
   * Sets a record's place in the record map. The writer works neighbouring changes into one read and one write of
   * their block, so add them in order of record id.
   */
  setRecord(ident: Ident, recordId: RecordId, place: RecordPlace): void {
    const at = this.begin(RECORD_HEADER_BYTES + RECORD_MAP_ENTRY.size);
    this.writeRecordHeader(at, CHANGE_KIND.setRecord, ident, recordId);
    writeRecordPlace(this.chunk, place, at + RECORD_HEADER_BYTES);
  }

  /** Takes a record out of the record map; no error when it is not there. */
  removeRecord(ident: Ident, recordId: RecordId): void {
    this.writeRecordHeader(
      this.begin(RECORD_HEADER_BYTES),
      CHANGE_KIND.removeRecord,
      ident,
      recordId,
    );
  }

  /** What was packed, in order. Changes added later are not in it. */
  chunks(): ChangesChunk[] {
    return [...this.filled, { memory: this.memory, usedBytes: this.used }];
  }

  /** Gives its memory back: the commit is through, and nobody asks for these changes again. */
  recycle(): void {
    for (const { memory } of this.chunks()) this.pool?.giveBack(memory);
    this.filled.length = 0;
    this.memory = new SharedArrayBuffer(0);
    this.chunk = Buffer.from(this.memory);
    this.used = 0;
  }

  private beginPut(keyBytes: number, valueBytes: number): number {
    const at = this.begin(PUT_HEADER_BYTES + keyBytes + valueBytes + CHECKSUM_BYTES);
    this.chunk[at] = CHANGE_KIND.put;
    this.chunk.writeUInt16LE(keyBytes, at + 1);
    this.chunk.writeUInt32LE(valueBytes, at + 3);
    return at + PUT_HEADER_BYTES;
  }

  private beginDelete(keyBytes: number): number {
    const at = this.begin(DELETE_HEADER_BYTES + keyBytes);
    this.chunk[at] = CHANGE_KIND.delete;
    this.chunk.writeUInt16LE(keyBytes, at + 1);
    return at + DELETE_HEADER_BYTES;
  }

  private writeIndexEntryKey(
    offset: number,
    ident: Ident,
    storedKey: Buffer,
    recordId: RecordId,
  ): number {
    invariant(storedKey.length <= MAX_WHOLE_INDEX_KEY_BYTES, 'index changes: key was not cut');
    writeUInt48BE(this.chunk, ident, offset);
    const idAt = offset + IDENT_BYTES + storedKey.copy(this.chunk, offset + IDENT_BYTES);
    writeUInt48BE(this.chunk, recordId, idAt);
    return idAt + RECORD_ID_BYTES;
  }

  private writeRecordHeader(offset: number, kind: number, ident: Ident, recordId: RecordId): void {
    this.chunk[offset] = kind;
    writeUInt48BE(this.chunk, ident, offset + 1);
    writeUInt48BE(this.chunk, recordId, offset + 1 + IDENT_BYTES);
  }

  /** Makes room for one change. @returns its offset in the current chunk. */
  private begin(bytes: number): number {
    this.changeCount += 1;
    if (this.used + bytes > this.chunk.length) this.nextChunk(bytes);
    const at = this.used;
    this.used += bytes;
    return at;
  }

  private newMemory(atLeastBytes: number): SharedArrayBuffer {
    const pooled = atLeastBytes <= CHUNK_BYTES ? this.pool?.take() : undefined;
    if (pooled !== undefined) return pooled;
    const grown = Math.min(this.chunk.length * 2, CHUNK_BYTES);
    return new SharedArrayBuffer(Math.max(grown, atLeastBytes));
  }

  private nextChunk(atLeastBytes: number): void {
    if (this.used > 0) this.filled.push({ memory: this.memory, usedBytes: this.used });
    this.memory = this.newMemory(atLeastBytes);
    this.chunk = Buffer.from(this.memory);
    this.used = 0;
  }
}
