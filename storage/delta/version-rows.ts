/**
 * Versions of records, as rows of typed-array columns shared by all collections of one generation.
 *
 * Owns: the rows, their free list, and the release of a row's bytes in the slabs.
 * Each row is one version: when it was written, where its document lies, and the next older version of the record.
 */
import { grownFloat64, grownInt32, grownUint32, grownUint8 } from './growable.ts';
import type { MemoryCounter } from './memory-counter.ts';
import { documentFrom, type LentMemory } from '../lent-memory.ts';
import type { Slabs } from './slabs.ts';

/** In `slab`: the version is a deletion. */
export const TOMBSTONE = -1;
/** No row. */
export const NO_ROW = -1;

/** The record did not exist below this generation: its insert is here. */
export const CREATED_HERE = 1;

const ROW_BYTES = 8 + 4 + 4 + 4 + 4 + 1;

export class VersionRows {
  commitNumber = new Float64Array(64);
  slab = new Int32Array(64);
  offset = new Uint32Array(64);
  length = new Uint32Array(64);
  older = new Int32Array(64);
  flags = new Uint8Array(64);

  private readonly slabs: Slabs;
  private readonly memory: MemoryCounter;
  private used = 0;
  private firstFree = NO_ROW;

  constructor(slabs: Slabs, memory: MemoryCounter) {
    this.slabs = slabs;
    this.memory = memory;
  }

  /** A row whose columns the caller fills. */
  allocate(): number {
    const free = this.firstFree;
    if (free !== NO_ROW) {
      this.firstFree = this.older[free] ?? NO_ROW;
      return free;
    }
    if (this.used === this.commitNumber.length) this.grow();
    this.used += 1;
    return this.used - 1;
  }

  /** Gives a row back, and its document's bytes. */
  free(row: number): void {
    const slab = this.slab[row] ?? TOMBSTONE;
    if (slab !== TOMBSTONE) this.slabs.release(slab, this.length[row] ?? 0);
    this.older[row] = this.firstFree;
    this.firstFree = row;
  }

  /** The version's document, for a reader, who may keep it; undefined for a deletion. */
  document(row: number): Buffer | undefined {
    const slab = this.slab[row] ?? TOMBSTONE;
    if (slab === TOMBSTONE) return undefined;
    const offset = this.offset[row] ?? 0;
    return documentFrom(this.slabs.slab(slab), offset, this.length[row] ?? 0);
  }

  /** The version's document for the fold, which keeps it no longer than the generation lasts; undefined for a deletion. */
  documentToFold(row: number): Buffer | undefined {
    const slab = this.slab[row] ?? TOMBSTONE;
    if (slab === TOMBSTONE) return undefined;
    const offset = this.offset[row] ?? 0;
    return this.slabs.bytes(slab).subarray(offset, offset + (this.length[row] ?? 0));
  }

  /** The slab that holds the document of a row that is no deletion, from offset[row] on. */
  slabOf(row: number): LentMemory {
    return this.slabs.slab(this.slab[row] ?? TOMBSTONE);
  }

  private grow(): void {
    const length = this.commitNumber.length * 2;
    this.memory.bytes += (length - this.commitNumber.length) * ROW_BYTES;
    this.commitNumber = grownFloat64(this.commitNumber, length);
    this.slab = grownInt32(this.slab, length);
    this.offset = grownUint32(this.offset, length);
    this.length = grownUint32(this.length, length);
    this.older = grownInt32(this.older, length);
    this.flags = grownUint8(this.flags, length);
  }
}
