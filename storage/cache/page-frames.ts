/**
 * Memory for cached pages, used again when nobody but the cache has seen it.
 *
 * Owns: free frames, a few of each size. What is lent to readers never comes back here: the collector takes it.
 */
const STEP_BYTES = 4096;
/** Free frames kept of one size: a page comes for each one that goes. */
const MOST_FREE = 32;

/** What a page of so many bytes takes. */
export function frameBytesFor(bytes: number): number {
  return Math.ceil(bytes / STEP_BYTES) * STEP_BYTES;
}

export class PageFrames {
  private readonly free = new Map<number, Buffer[]>();

  /** @returns exactly `bytes`, of whatever contents */
  take(bytes: number): Buffer {
    const frameBytes = frameBytesFor(bytes);
    const frame = this.free.get(frameBytes)?.pop() ?? Buffer.allocUnsafeSlow(frameBytes);
    return frame.length === bytes ? frame : frame.subarray(0, bytes);
  }

  /** @param bytes as take() gave it, and nobody else holds any of it */
  giveBack(bytes: Buffer): void {
    const { buffer, byteOffset, length } = bytes;
    // A page that did not get its memory here.
    const isFrame = byteOffset === 0 && buffer.byteLength === frameBytesFor(length);
    if (!isFrame || !(buffer instanceof ArrayBuffer)) return;
    const free = this.free.get(buffer.byteLength);
    const frame = Buffer.from(buffer);
    if (free === undefined) this.free.set(frame.length, [frame]);
    else if (free.length < MOST_FREE) free.push(frame);
  }
}
