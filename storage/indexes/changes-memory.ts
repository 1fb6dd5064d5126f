/**
 * Shared memory for packed changes, kept from one commit to the next: V8 does not count it, and would collect it late.
 *
 * Owns: free pieces, all of one size.
 */

/** Size of a piece, but for the first one of a commit and those of a change that is larger. */
export const CHUNK_BYTES = 4 * 1024 * 1024;
/** Kept at most; a checkpoint that needs more takes it from the system. */
const MOST_FREE = 8;

export class ChangesMemory {
  private readonly free: SharedArrayBuffer[] = [];

  get freeBytes(): number {
    return this.free.length * CHUNK_BYTES;
  }

  take(): SharedArrayBuffer | undefined {
    return this.free.pop();
  }

  /** @param memory that no thread uses any more; a piece of another size goes to the collector */
  giveBack(memory: SharedArrayBuffer): void {
    if (memory.byteLength === CHUNK_BYTES && this.free.length < MOST_FREE) this.free.push(memory);
  }
}
