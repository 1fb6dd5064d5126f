/**
 * Brings finished pages to the device: gathers neighbouring ones in one buffer, writes a buffer as one run of bios.
 *
 * Owns: the buffers and the writes in flight. Each page is a bio of its own; submitted together under a plug they become
 * device calls of up to a whole extent.
 * Invariants:
 *  1. A buffer's bytes never change from its submission until its write ended.
 *  2. After one failed write every later one is refused: drain() reports the first failure.
 *  3. Whose sectors could not be written is told before drain() reports it.
 */
import { invariant } from '../../common/assert.ts';
import { DeviceError } from '../../common/errors.ts';
import { allocateAligned, releaseAligned } from '../device/aligned-memory.ts';
import { sectorNumber, writeBio } from '../device/bio.ts';
import type { RequestQueue } from '../device/request-queue.ts';

/** Bytes in flight above which callers should wait. */
const PRESSURE_BYTES = 8 * 1024 * 1024;

export interface ExtentWriterOptions {
  readonly queue: RequestQueue;
  /** Size of a gathering buffer, bytes: an extent. */
  readonly bufferBytes: number;
  /** Awaited before anything is written up to this sector: makes the file large enough. */
  readonly makeRoom: (sectorEnd: number) => Promise<void>;
  /** Hears of sectors that the device failed to write (EIO): they are not to be trusted with anything again. */
  readonly onBadSectors: (firstSector: number, sectorCount: number) => void;
}

/** A run of neighbouring pages being gathered. */
interface Gathering {
  readonly firstSector: number;
  readonly buffer: Buffer;
  readonly pages: Buffer[];
  usedBytes: number;
}

export class ExtentWriter {
  private readonly queue: RequestQueue;
  private readonly bufferBytes: number;
  private readonly makeRoom: (sectorEnd: number) => Promise<void>;
  private readonly onBadSectors: (firstSector: number, sectorCount: number) => void;
  private gathering: Gathering | undefined;
  private readonly inFlight = new Set<Promise<void>>();
  private bytesInFlight = 0;
  private failure: { readonly error: unknown } | undefined;

  constructor(options: ExtentWriterOptions) {
    this.queue = options.queue;
    this.bufferBytes = options.bufferBytes;
    this.makeRoom = options.makeRoom;
    this.onBadSectors = options.onBadSectors;
  }

  /** Set while much is in flight. */
  get pressure(): Promise<void> | undefined {
    return this.bytesInFlight > PRESSURE_BYTES ? Promise.race(this.inFlight) : undefined;
  }

  /** Memory for a page of whole sectors that will lie at `sector`. Fill it before the next call; it is written later. */
  pageAt(sector: number, bytes: number): Buffer {
    const { sectorBytes } = this.queue.device;
    invariant(bytes % sectorBytes === 0, 'extent writer: page is not whole sectors');
    const { gathering } = this;
    const follows =
      gathering !== undefined &&
      gathering.firstSector + gathering.usedBytes / sectorBytes === sector &&
      gathering.usedBytes + bytes <= gathering.buffer.length;
    if (!follows) this.beginGathering(sector, bytes);
    const current = this.gathering;
    invariant(current !== undefined, 'extent writer: nothing begun');
    const page = current.buffer.subarray(current.usedBytes, current.usedBytes + bytes);
    current.pages.push(page);
    current.usedBytes += bytes;
    return page;
  }

  /** Submits what is gathered. */
  submit(): void {
    const { gathering } = this;
    if (gathering === undefined) return;
    this.gathering = undefined;
    this.bytesInFlight += gathering.usedBytes;
    const writing = this.write(gathering);
    this.inFlight.add(writing);
    void writing.finally(() => this.inFlight.delete(writing));
  }

  /** Submits the rest and waits for everything. @throws the first failure: DeviceError */
  async drain(): Promise<void> {
    this.submit();
    while (this.inFlight.size > 0) await Promise.all(this.inFlight);
    if (this.failure !== undefined) throw this.failure.error;
  }

  /** Forgets what is gathered and waits for what is in flight, whatever comes of it. */
  async abandon(): Promise<void> {
    if (this.gathering !== undefined) releaseAligned(this.gathering.buffer);
    this.gathering = undefined;
    while (this.inFlight.size > 0) await Promise.all(this.inFlight);
  }

  private beginGathering(sector: number, bytes: number): void {
    this.submit();
    const buffer = allocateAligned(Math.max(bytes, this.bufferBytes));
    this.gathering = { firstSector: sector, buffer, pages: [], usedBytes: 0 };
  }

  /** Never rejects: a failure is kept for drain(). */
  private async write(gathering: Gathering): Promise<void> {
    const { firstSector, buffer, pages, usedBytes } = gathering;
    try {
      if (this.failure === undefined) {
        await this.makeRoom(firstSector + usedBytes / this.queue.device.sectorBytes);
        await this.submitPages(firstSector, pages);
      }
    } catch (error) {
      this.failure ??= { error };
    }
    releaseAligned(buffer);
    this.bytesInFlight -= usedBytes;
  }

  private async submitPages(firstSector: number, pages: readonly Buffer[]): Promise<void> {
    const { device } = this.queue;
    let sector = firstSector;
    this.queue.plug();
    const writes = pages.flatMap((page) => {
      // A page larger than an extent goes in pieces: no single call should hold the device for long.
      const pieces = piecesOf(page, this.bufferBytes);
      return pieces.map((piece) => {
        const write = this.submitPiece(sector, piece);
        sector += piece.length / device.sectorBytes;
        return write;
      });
    });
    this.queue.unplug();
    // All must have ended before the buffer is given back.
    const outcomes = await Promise.allSettled(writes);
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
  }

  private async submitPiece(sector: number, piece: Buffer): Promise<void> {
    const { device } = this.queue;
    try {
      await this.queue.submit(writeBio(device, sectorNumber(sector), [piece]));
    } catch (error) {
      if (error instanceof DeviceError && error.errno === 'EIO') {
        this.onBadSectors(sector, piece.length / device.sectorBytes);
      }
      throw error;
    }
  }
}

function piecesOf(page: Buffer, pieceBytes: number): Buffer[] {
  const pieces: Buffer[] = [];
  for (let offset = 0; offset < page.length; offset += pieceBytes) {
    pieces.push(page.subarray(offset, Math.min(page.length, offset + pieceBytes)));
  }
  return pieces;
}
