/**
 * Slabs of generations that are gone, kept for the next ones: a checkpoint lets go of half the delta at once, which the collector
 * would find much later.
 *
 * Owns: free slabs of the usual size. Takes only what was never lent to a reader: a reader may hold a document for as long as it likes.
 */

/** Size of a slab, but for the first ones of a generation and those of large documents. */
export const SLAB_BYTES = 1024 * 1024;

export class SlabPool {
  private readonly free: Buffer[] = [];
  private readonly mostBytes: number;

  /** @param mostBytes kept at most */
  constructor(mostBytes: number) {
    this.mostBytes = mostBytes;
  }

  get freeBytes(): number {
    return this.free.length * SLAB_BYTES;
  }

  /** @returns SLAB_BYTES of whatever contents */
  take(): Buffer {
    return this.free.pop() ?? Buffer.allocUnsafeSlow(SLAB_BYTES);
  }

  /** @param slab that nobody else holds any of; one of another size goes to the collector */
  giveBack(slab: Buffer): void {
    if (slab.length === SLAB_BYTES && this.freeBytes < this.mostBytes) this.free.push(slab);
  }
}

/** For generations that are small, or short-lived: keeps nothing. */
export const NO_POOL = new SlabPool(0);
