/**
 * Reads one segment batch by batch through a window of aligned memory.
 *
 * Owns: the window. What it hands out is valid until the next call.
 */
import { allocateAligned, releaseAligned } from '../device/aligned-memory.ts';
import { readBio, sectorNumber } from '../device/bio.ts';
import {
  BATCH_HEADER,
  batchIsIntact,
  peekBatchHeader,
  type StoredBatchHeader,
} from '../format/journal-batch.ts';
import { SMALLEST_BLOCK_BYTES, type SegmentHeader } from '../format/journal-segment.ts';
import type { OpenSegment } from './segments.ts';

/** What the next batch of a chain must say of itself. */
export interface ChainLink {
  readonly sequence: number;
  /** Checksum of the batch before. */
  readonly chain: number;
  /** Epoch of the batch before; undefined before the first one read. */
  readonly epoch: Buffer | undefined;
}

export interface ReadBatch {
  readonly header: StoredBatchHeader;
  /** Memory that holds its entries from entriesStart to entriesEnd. */
  readonly bytes: Buffer;
  readonly entriesStart: number;
  readonly entriesEnd: number;
  /** Offset in the segment where the next batch begins. */
  readonly nextOffset: number;
}

/** Several of the largest usual batches: what is left of one behind the window's end is read again. */
const WINDOW_BYTES = 4 * 1024 * 1024;

export class SegmentReader {
  private readonly segment: OpenSegment;
  private window: Buffer | undefined;
  private windowStart = 0;
  private windowEnd = 0;

  constructor(segment: OpenSegment) {
    this.segment = segment;
  }

  /** Bytes read from the device. */
  bytesRead = 0;

  /**
   * The batch at `offset`, if it is the next one of the chain.
   * @returns undefined when there is none, or one that is torn, damaged, misdirected, or of another life.
   */
  async readLink(
    offset: number,
    header: SegmentHeader,
    link: ChainLink,
  ): Promise<ReadBatch | undefined> {
    const at = await this.enter(offset, BATCH_HEADER.size);
    if (at === undefined || this.window === undefined) return undefined;
    const batch = peekBatchHeader(this.window, at);
    if (batch === undefined) return undefined;
    const isNext =
      batch.segment === header.number &&
      batch.offset === offset &&
      batch.sequence === link.sequence &&
      batch.chain === link.chain &&
      (batch.firstOfEpoch || link.epoch === undefined || batch.epoch.equals(link.epoch));
    return isNext ? this.readWhole(offset, batch, header.blockBytes) : undefined;
  }

  /**
   * Looks from `offset` on for an intact batch that says that the batch numbered `sequence` was flushed, in a segment
   * numbered `leastSegment` or more.
   */
  async findFlushRecord(
    offset: number,
    leastSegment: number,
    sequence: number,
  ): Promise<StoredBatchHeader | undefined> {
    const last = this.segment.file.bytes - SMALLEST_BLOCK_BYTES;
    for (let place = offset; place <= last; place += SMALLEST_BLOCK_BYTES) {
      const at = await this.enter(place, BATCH_HEADER.size);
      if (at === undefined || this.window === undefined) return undefined;
      const batch = peekBatchHeader(this.window, at);
      if (batch === undefined || batch.offset !== place) continue;
      if (batch.segment < leastSegment || batch.flushedSequence < sequence) continue;
      const whole = await this.readWhole(place, batch, SMALLEST_BLOCK_BYTES);
      if (whole !== undefined) return batch;
    }
    return undefined;
  }

  /** What was read may have been written meanwhile: read it again. */
  forget(): void {
    this.windowEnd = 0;
  }

  close(): void {
    if (this.window !== undefined) releaseAligned(this.window);
    this.window = undefined;
  }

  private async readWhole(
    offset: number,
    header: StoredBatchHeader,
    blockBytes: number,
  ): Promise<ReadBatch | undefined> {
    const paddedBytes = Math.ceil(header.length / blockBytes) * blockBytes;
    const at = await this.enter(offset, paddedBytes);
    if (at === undefined || this.window === undefined) return undefined;
    if (!batchIsIntact(this.window, at, header, paddedBytes)) return undefined;
    return {
      header,
      bytes: this.window,
      entriesStart: at + BATCH_HEADER.size,
      entriesEnd: at + header.length,
      nextOffset: offset + paddedBytes,
    };
  }

  /** Makes bytes [offset, offset + bytes) of the segment present. @returns their place in the window */
  private async enter(offset: number, bytes: number): Promise<number | undefined> {
    const end = offset + bytes;
    if (end > this.segment.file.bytes) return undefined;
    if (offset >= this.windowStart && end <= this.windowEnd) return offset - this.windowStart;
    await this.fill(offset, end);
    return offset - this.windowStart;
  }

  private async fill(offset: number, end: number): Promise<void> {
    const { device, queue, file } = this.segment;
    const { sectorBytes } = device;
    const start = Math.floor(offset / sectorBytes) * sectorBytes;
    const needed = Math.ceil((end - start) / sectorBytes) * sectorBytes;
    const target = this.windowOf(Math.max(needed, WINDOW_BYTES));
    const length = Math.min(target.length, file.bytes - start);
    this.windowEnd = 0;
    await queue.submit(
      readBio(device, sectorNumber(start / sectorBytes), [target.subarray(0, length)]),
    );
    this.bytesRead += length;
    this.windowStart = start;
    this.windowEnd = start + length;
  }

  /** Memory of at least `bytes`; what the window held is gone. */
  private windowOf(bytes: number): Buffer {
    if (this.window !== undefined && this.window.length >= bytes) return this.window;
    this.close();
    this.window = allocateAligned(bytes);
    return this.window;
  }
}
