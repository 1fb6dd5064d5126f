/**
 * Brings finished pages to the device: each page is a bio of its own; submitted together under a plug, neighbours become
 * device calls of up to a whole extent.
 *
 * Owns: the writes in flight. Invariants:
 *  1. A page's bytes never change from its submission until its write ended.
 *  2. After one failed write every later one is refused: drain() reports the first failure.
 *  3. Whose sectors could not be written is told before drain() reports it.
 */
import { invariant } from '../../common/assert.ts';
import { DeviceError } from '../../common/errors.ts';
import { sectorNumber, writeBio } from '../device/bio.ts';
import type { RequestQueue } from '../device/request-queue.ts';

/** Bytes in flight above which callers should wait. */
const PRESSURE_BYTES = 8 * 1024 * 1024;

export interface ExtentWriterOptions {
  readonly queue: RequestQueue;
  /** What one bio holds at most, bytes: an extent. */
  readonly pieceBytes: number;
  /** Awaited before anything is written up to this sector: makes the file large enough. */
  readonly makeRoom: (sectorEnd: number) => Promise<void>;
  /** Hears of sectors that the device failed to write (EIO): they are not to be trusted with anything again. */
  readonly onBadSectors: (firstSector: number, sectorCount: number) => void;
}

/** A finished page, and where it goes. */
export interface PlacedPage {
  readonly sector: number;
  /** Whole sectors, aligned. */
  readonly bytes: Buffer;
}

export class ExtentWriter {
  private readonly options: ExtentWriterOptions;
  private readonly inFlight = new Set<Promise<void>>();
  private bytesInFlight = 0;
  private failure: { readonly error: unknown } | undefined;

  constructor(options: ExtentWriterOptions) {
    this.options = options;
  }

  /** Set while much is in flight. */
  get pressure(): Promise<void> | undefined {
    return this.bytesInFlight > PRESSURE_BYTES ? Promise.race(this.inFlight) : undefined;
  }

  /**
   * Writes pages.
   * @param release called when nobody looks at their bytes any more, however it ended
   */
  write(pages: readonly PlacedPage[], release: () => void): void {
    let bytes = 0;
    for (const page of pages) bytes += page.bytes.length;
    this.bytesInFlight += bytes;
    const writing = this.writeAll(pages).then(() => {
      this.inFlight.delete(writing);
      this.bytesInFlight -= bytes;
      release();
    });
    this.inFlight.add(writing);
  }

  /** Waits for everything. @throws the first failure: DeviceError */
  async drain(): Promise<void> {
    await this.idle();
    if (this.failure !== undefined) throw this.failure.error;
  }

  /** Waits for what is in flight, whatever comes of it. */
  async idle(): Promise<void> {
    while (this.inFlight.size > 0) await Promise.all(this.inFlight);
  }

  /** Never rejects: a failure is kept for drain(). */
  private async writeAll(pages: readonly PlacedPage[]): Promise<void> {
    if (this.failure !== undefined) return;
    try {
      await this.options.makeRoom(this.endOf(pages));
      await this.submit(pages);
    } catch (error) {
      this.failure ??= { error };
    }
  }

  private endOf(pages: readonly PlacedPage[]): number {
    const { sectorBytes } = this.options.queue.device;
    let end = 0;
    for (const { sector, bytes } of pages) {
      invariant(bytes.length % sectorBytes === 0, 'extent writer: page is not whole sectors');
      end = Math.max(end, sector + bytes.length / sectorBytes);
    }
    return end;
  }

  private async submit(pages: readonly PlacedPage[]): Promise<void> {
    const { pieceBytes, queue } = this.options;
    const writes: Promise<void>[] = [];
    queue.plug();
    for (const { sector, bytes } of pages) {
      // A page larger than an extent goes in pieces: no single call should hold the device for long.
      for (let offset = 0; offset < bytes.length; offset += pieceBytes) {
        const piece = bytes.subarray(offset, Math.min(bytes.length, offset + pieceBytes));
        writes.push(this.submitPiece(sector + offset / queue.device.sectorBytes, piece));
      }
    }
    queue.unplug();
    // All must have ended before the memory is given back.
    const outcomes = await Promise.allSettled(writes);
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
  }

  private async submitPiece(sector: number, piece: Buffer): Promise<void> {
    const { queue, onBadSectors } = this.options;
    try {
      await queue.submit(writeBio(queue.device, sectorNumber(sector), [piece]));
    } catch (error) {
      if (error instanceof DeviceError && error.errno === 'EIO') {
        onBadSectors(sector, piece.length / queue.device.sectorBytes);
      }
      throw error;
    }
  }
}
