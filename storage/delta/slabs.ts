/**
 * Slabs: the shared memory that a generation copies its documents into, once each.
 *
 * Owns: the slabs of one generation and the count of live bytes in each.
 * Invariants:
 *  1. Bytes that were handed out are never written again: a slab is filled once, from front to back. What nobody
 *     references any more goes to the collector as a whole slab; a reader that still holds a slice keeps it alive.
 *  2. A slab without live bytes is let go at once, unless it is the one being filled.
 * Memory is a SharedArrayBuffer, so that worker threads read documents without a copy.
 */
import { invariant } from '../../common/assert.ts';
import type { MemoryCounter } from './memory-counter.ts';

const FIRST_SLAB_BYTES = 64 * 1024;
const LARGEST_SLAB_BYTES = 1024 * 1024;

export class Slabs {
  /** Where the last allocate() put its bytes within the slab that it returned. */
  allocatedOffset = 0;

  private readonly memory: MemoryCounter;
  private readonly slabs: (Buffer | undefined)[] = [];
  private readonly liveBytes: number[] = [];
  private readonly freeNumbers: number[] = [];
  private filling = -1;
  private fillOffset = 0;
  private nextSlabBytes = FIRST_SLAB_BYTES;

  constructor(memory: MemoryCounter) {
    this.memory = memory;
  }

  /** Reserves `length` >= 0 bytes. @returns the slab's number; the offset is in `allocatedOffset`. */
  allocate(length: number): number {
    const current = this.filling < 0 ? undefined : this.slabs[this.filling];
    if (current !== undefined && this.fillOffset + length <= current.length) {
      this.allocatedOffset = this.fillOffset;
      this.fillOffset += length;
      this.liveBytes[this.filling] = (this.liveBytes[this.filling] ?? 0) + length;
      return this.filling;
    }
    this.allocatedOffset = 0;
    // A document of its own slab leaves the slab being filled as it is.
    if (length > LARGEST_SLAB_BYTES / 2) return this.addSlab(length, length);
    return this.startSlab(length);
  }

  /** The whole slab; slice it with the offset that allocate() gave. */
  bytes(slab: number): Buffer {
    const bytes = this.slabs[slab];
    invariant(bytes !== undefined, 'slabs: a slab was let go while something in it was live');
    return bytes;
  }

  /** Says that `length` bytes of a slab are dead. */
  release(slab: number, length: number): void {
    const live = (this.liveBytes[slab] ?? 0) - length;
    invariant(live >= 0, 'slabs: more bytes released than allocated');
    this.liveBytes[slab] = live;
    if (live === 0 && slab !== this.filling) this.letGo(slab);
  }

  private startSlab(length: number): number {
    const previous = this.filling;
    this.filling = this.addSlab(Math.max(this.nextSlabBytes, length), length);
    this.fillOffset = length;
    this.nextSlabBytes = Math.min(this.nextSlabBytes * 2, LARGEST_SLAB_BYTES);
    if (previous >= 0 && this.liveBytes[previous] === 0) this.letGo(previous);
    return this.filling;
  }

  private addSlab(slabBytes: number, liveBytes: number): number {
    const slab = this.freeNumbers.pop() ?? this.slabs.length;
    this.slabs[slab] = Buffer.from(new SharedArrayBuffer(slabBytes));
    this.liveBytes[slab] = liveBytes;
    this.memory.bytes += slabBytes;
    return slab;
  }

  private letGo(slab: number): void {
    this.memory.bytes -= this.bytes(slab).length;
    this.slabs[slab] = undefined;
    this.freeNumbers.push(slab);
  }
}
