/**
 * The versions of one collection's records within one generation.
 *
 * Owns: for each record id the chain of its versions, newest first, and the order of the record ids.
 * Invariants:
 *  1. Commit numbers fall along a chain.
 *  2. A version that no open snapshot can see, and that is not the newest, leaves when the record is next written. A
 *     record that was inserted and deleted here leaves altogether: nothing below this generation knows it.
 * Record ids stand in chunks of 32, as the base's record map has them, so that a scan merges chunk by chunk.
 */
import { grownInt32 } from './growable.ts';
import type { MemoryCounter } from './memory-counter.ts';
import { NumberTable } from './number-table.ts';
import type { OpenSnapshots } from './open-snapshots.ts';
import { SortedNumbers } from './sorted-numbers.ts';
import { CREATED_HERE, NO_ROW, TOMBSTONE, type VersionRows } from './version-rows.ts';

/** Record ids per chunk. */
export const CHUNK_RECORDS = 32;

/** Heads, hash entry and ordered entry of a chunk, growth included. */
const CHUNK_BYTES = CHUNK_RECORDS * 4 * 1.5 + 36 + 12;
const EMPTY_TABLE_BYTES = 800;

/** What is written: a document in a slab, or a deletion. */
export interface RecordWrite {
  readonly commitNumber: number;
  /** TOMBSTONE for a deletion. */
  readonly slab: number;
  readonly offset: number;
  readonly length: number;
  /** The record did not exist before. */
  readonly created: boolean;
}

export class RecordTable {
  /** The chunks that have at least one version, in order. */
  readonly chunkNumbers = new SortedNumbers();

  private readonly rows: VersionRows;
  private readonly memory: MemoryCounter;
  private readonly chunks = new NumberTable();
  /** Per chunk 32 newest rows, each plus one; 0 is none. */
  private heads = new Int32Array(CHUNK_RECORDS);
  private chunkCount = 0;
  private lastChunkNumber = -1;
  private lastChunkStart = 0;

  constructor(rows: VersionRows, memory: MemoryCounter) {
    this.rows = rows;
    this.memory = memory;
    memory.bytes += EMPTY_TABLE_BYTES;
  }

  /** Adds the newest version of a record. */
  write(recordId: number, write: RecordWrite, snapshots: OpenSnapshots): void {
    const slot = this.slotFor(recordId);
    const previous = (this.heads[slot] ?? 0) - 1;
    const rows = this.rows;
    const createdHere = previous === NO_ROW ? write.created : rows.flags[previous] === CREATED_HERE;
    const older =
      previous === NO_ROW ? NO_ROW : this.prune(previous, write.commitNumber, snapshots);
    if (write.slab === TOMBSTONE && createdHere && older === NO_ROW) {
      this.heads[slot] = 0;
      return;
    }
    const row = rows.allocate();
    rows.commitNumber[row] = write.commitNumber;
    rows.slab[row] = write.slab;
    rows.offset[row] = write.offset;
    rows.length[row] = write.length;
    rows.older[row] = older;
    rows.flags[row] = createdHere ? CREATED_HERE : 0;
    this.heads[slot] = row + 1;
  }

  /** Row of the newest version, or NO_ROW. */
  newestRow(recordId: number): number {
    const start = this.chunkStart(Math.floor(recordId / CHUNK_RECORDS));
    if (start < 0) return NO_ROW;
    return (this.heads[start + (recordId % CHUNK_RECORDS)] ?? 0) - 1;
  }

  /** Row of the newest version at or before `commitNumber`, or NO_ROW when this generation has none. */
  visibleRow(recordId: number, commitNumber: number): number {
    const newest = this.newestRow(recordId);
    return newest === NO_ROW ? NO_ROW : this.visibleFrom(newest, commitNumber);
  }

  /** Start of a chunk for rowInChunk, or -1. */
  chunkStart(chunkNumber: number): number {
    if (chunkNumber === this.lastChunkNumber) return this.lastChunkStart;
    const chunk = this.chunks.get(chunkNumber);
    if (chunk < 0) return -1;
    this.lastChunkNumber = chunkNumber;
    this.lastChunkStart = chunk * CHUNK_RECORDS;
    return this.lastChunkStart;
  }

  /** Like visibleRow, for the record at `position` (0 to 31) of the chunk that starts at `chunkStart`. */
  visibleRowInChunk(chunkStart: number, position: number, commitNumber: number): number {
    const newest = (this.heads[chunkStart + position] ?? 0) - 1;
    if (newest === NO_ROW) return NO_ROW;
    // Nearly always the newest is the one: keep the chain out of the scan's loop.
    if ((this.rows.commitNumber[newest] ?? 0) <= commitNumber) return newest;
    return this.visibleFrom(newest, commitNumber);
  }

  private visibleFrom(newest: number, commitNumber: number): number {
    let row = newest;
    while (row !== NO_ROW && (this.rows.commitNumber[row] ?? 0) > commitNumber) {
      row = this.rows.older[row] ?? NO_ROW;
    }
    return row;
  }

  /** Drops what nobody sees of the chain that begins at `newest` and is replaced at `replacedAt`. @returns its new head. */
  private prune(newest: number, replacedAt: number, snapshots: OpenSnapshots): number {
    const rows = this.rows;
    let head = NO_ROW;
    let lastKept = NO_ROW;
    let until = replacedAt;
    for (let row = newest; row !== NO_ROW;) {
      const older = rows.older[row] ?? NO_ROW;
      const from = rows.commitNumber[row] ?? 0;
      if (snapshots.anySees(from, until)) {
        if (lastKept === NO_ROW) head = row;
        else rows.older[lastKept] = row;
        lastKept = row;
      } else {
        rows.free(row);
      }
      until = from;
      row = older;
    }
    if (lastKept !== NO_ROW) rows.older[lastKept] = NO_ROW;
    return head;
  }

  private slotFor(recordId: number): number {
    const chunkNumber = Math.floor(recordId / CHUNK_RECORDS);
    const start = this.chunkStart(chunkNumber);
    return (start < 0 ? this.addChunk(chunkNumber) : start) + (recordId % CHUNK_RECORDS);
  }

  private addChunk(chunkNumber: number): number {
    const start = this.chunkCount * CHUNK_RECORDS;
    if (start === this.heads.length) this.heads = grownInt32(this.heads, this.heads.length * 2);
    this.memory.bytes += CHUNK_BYTES;
    this.chunks.add(chunkNumber, this.chunkCount);
    this.chunkNumbers.add(chunkNumber);
    this.chunkCount += 1;
    this.lastChunkNumber = chunkNumber;
    this.lastChunkStart = start;
    return start;
  }
}
