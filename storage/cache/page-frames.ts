/**
 * Memory for cached pages, used again when nobody but the cache has seen it.
 *
 * Owns: free frames by size, up to a bound of all of them together: beyond it those go of the size that was asked for the longest time ago.
 * What is lent to readers never comes back here: the collector takes it.
 */
const STEP_BYTES = 4096;
/** A larger frame costs little beside filling it, and a few of them would be all that is kept. */
const LARGEST_KEPT_BYTES = 256 * 1024;

/** What a page of so many bytes takes. */
export function frameBytesFor(bytes: number): number {
  return Math.ceil(bytes / STEP_BYTES) * STEP_BYTES;
}

export class PageFrames {
  /** Sizes stand in the order in which they were last asked for. */
  private readonly free = new Map<number, Buffer[]>();
  private readonly mostBytes: number;
  freeBytes = 0;

  /** @param mostBytes kept at most */
  constructor(mostBytes: number) {
    this.mostBytes = mostBytes;
  }

  /** @returns exactly `bytes`, of whatever contents */
  take(bytes: number): Buffer {
    const frameBytes = frameBytesFor(bytes);
    const frame = this.takeFree(frameBytes) ?? Buffer.allocUnsafeSlow(frameBytes);
    return frame.length === bytes ? frame : frame.subarray(0, bytes);
  }

  /** @param bytes as take() gave it, and nobody else holds any of it */
  giveBack(bytes: Buffer): void {
    const { buffer, byteOffset, length } = bytes;
    const frameBytes = buffer.byteLength;
    // A page that did not get its memory here.
    const isFrame = byteOffset === 0 && frameBytes === frameBytesFor(length);
    if (!isFrame || !(buffer instanceof ArrayBuffer)) return;
    if (frameBytes > LARGEST_KEPT_BYTES) return;
    const frame = Buffer.from(buffer);
    const free = this.free.get(frameBytes);
    if (free === undefined) this.free.set(frameBytes, [frame]);
    else free.push(frame);
    this.freeBytes += frameBytes;
    while (this.freeBytes > this.mostBytes) this.forgetOne();
  }

  private takeFree(frameBytes: number): Buffer | undefined {
    const free = this.free.get(frameBytes);
    if (free === undefined) return undefined;
    this.free.delete(frameBytes);
    const frame = free.pop();
    if (frame === undefined) return undefined;
    this.freeBytes -= frameBytes;
    this.free.set(frameBytes, free);
    return frame;
  }

  private forgetOne(): void {
    for (const [frameBytes, free] of this.free) {
      if (free.pop() === undefined) this.free.delete(frameBytes);
      else {
        this.freeBytes -= frameBytes;
        return;
      }
    }
  }
}
