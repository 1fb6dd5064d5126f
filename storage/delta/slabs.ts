/**
 * Slabs: the memory that a generation copies its documents into, once each.
 *
 * Owns: the slabs of one generation, the count of live bytes in each, and which of them were lent to readers.
 * Invariants:
 *  1. Bytes that were lent are never written again: a slab is filled once, from front to back. What was lent, or is looked at, goes to
 *     the collector as a whole slab, and a reader that still holds a slice keeps it alive; what was not, to the pool.
 *  2. A slab without live bytes is let go at once, unless it is the one being filled.
 * Memory is that of ordinary Buffers: V8 does not count what threads may share, and would collect it late.
 */
import { invariant } from '../../common/assert.ts';
import type { LentMemory } from '../lent-memory.ts';
import type { MemoryCounter } from './memory-counter.ts';
import { SLAB_BYTES, type SlabPool } from './slab-pool.ts';

const FIRST_SLAB_BYTES = 64 * 1024;

class Slab implements LentMemory {
  readonly bytes: Buffer;
  lookers = 0;
  isLent = false;
  liveBytes: number;

  constructor(bytes: Buffer, liveBytes: number) {
    this.bytes = bytes;
    this.liveBytes = liveBytes;
  }

  lend(): Buffer {
    this.isLent = true;
    return this.bytes;
  }
}

export class Slabs {
  /** Where the last allocate() put its bytes within the slab that it returned. */
  allocatedOffset = 0;

  private readonly memory: MemoryCounter;
  private readonly pool: SlabPool;
  private readonly slabs: (Slab | undefined)[] = [];
  private readonly freeNumbers: number[] = [];
  private filling = -1;
  private fillOffset = 0;
  private nextSlabBytes = FIRST_SLAB_BYTES;

  constructor(memory: MemoryCounter, pool: SlabPool) {
    this.memory = memory;
    this.pool = pool;
  }

  /** Reserves `length` >= 0 bytes. @returns the slab's number; the offset is in `allocatedOffset`. */
  allocate(length: number): number {
    const current = this.filling < 0 ? undefined : this.slabs[this.filling];
    if (current !== undefined && this.fillOffset + length <= current.bytes.length) {
      this.allocatedOffset = this.fillOffset;
      this.fillOffset += length;
      current.liveBytes += length;
      return this.filling;
    }
    this.allocatedOffset = 0;
    // A document of its own slab leaves the slab being filled as it is.
    if (length > SLAB_BYTES / 2) return this.addSlab(length, length);
    return this.startSlab(length);
  }

  /** For a reader; documents lie at the offsets that allocate() gave. */
  slab(number: number): LentMemory {
    return this.live(number);
  }

  /** The whole slab, for whoever keeps none of it beyond the generation's end: to fill it, to fold it. */
  bytes(slab: number): Buffer {
    return this.live(slab).bytes;
  }

  /** Lets all slabs go: nobody reads this generation any more. */
  recycle(): void {
    for (const [number, slab] of this.slabs.entries()) if (slab !== undefined) this.letGo(number);
    this.filling = -1;
  }

  /** Says that `length` bytes of a slab are dead. */
  release(slab: number, length: number): void {
    const from = this.live(slab);
    from.liveBytes -= length;
    invariant(from.liveBytes >= 0, 'slabs: more bytes released than allocated');
    if (from.liveBytes === 0 && slab !== this.filling) this.letGo(slab);
  }

  private startSlab(length: number): number {
    const previous = this.filling;
    this.filling = this.addSlab(Math.max(this.nextSlabBytes, length), length);
    this.fillOffset = length;
    this.nextSlabBytes = Math.min(this.nextSlabBytes * 2, SLAB_BYTES);
    if (previous >= 0 && this.live(previous).liveBytes === 0) this.letGo(previous);
    return this.filling;
  }

  private addSlab(slabBytes: number, liveBytes: number): number {
    const slab = this.freeNumbers.pop() ?? this.slabs.length;
    const bytes = slabBytes === SLAB_BYTES ? this.pool.take() : Buffer.allocUnsafeSlow(slabBytes);
    this.slabs[slab] = new Slab(bytes, liveBytes);
    this.memory.bytes += slabBytes;
    return slab;
  }

  private letGo(slab: number): void {
    const { bytes, isLent, lookers } = this.live(slab);
    this.memory.bytes -= bytes.length;
    if (!isLent && lookers === 0) this.pool.giveBack(bytes);
    this.slabs[slab] = undefined;
    this.freeNumbers.push(slab);
  }

  private live(number: number): Slab {
    const slab = this.slabs[number];
    invariant(slab !== undefined, 'slabs: a slab was let go while something in it was live');
    return slab;
  }
}
