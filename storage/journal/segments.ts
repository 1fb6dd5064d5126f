/**
 * The journal's segment files: which hold entries, which are free, and getting the next one ready in time.
 *
 * A file's name is only a name; its header's number says where it stands. A recycled file keeps its old header until it
 * is used again, and by its older number everybody sees that what it holds is past.
 *
 * Owns: the files. Invariants:
 *  1. Live segments have consecutive numbers.
 *  2. A segment is ready only when its whole length is zero-written or was written before, durably.
 * Tests: test/storage/journal/writer.test.ts, recovery.test.ts.
 */
import { invariant } from '../../common/assert.ts';
import type { Clock } from '../../common/clock.ts';
import { CorruptionError, DeviceError } from '../../common/errors.ts';
import type { CommitNumber } from '../contract.ts';
import { allocateAligned, releaseAligned } from '../device/aligned-memory.ts';
import { flushBio, readBio, sectorNumber, writeBio } from '../device/bio.ts';
import type { Device, Volume } from '../device/contract.ts';
import { QueueCounters } from '../device/queue-counters.ts';
import { RequestQueue } from '../device/request-queue.ts';
import type { Salvage } from './contract.ts';
import { readSegmentHeader, type SegmentHeader } from '../format/journal-segment.ts';

/** A file of the journal. */
export interface SegmentFile {
  readonly name: string;
  readonly bytes: number;
}

/** A segment that holds entries, or did until it was released. */
export interface LiveSegment {
  readonly file: SegmentFile;
  readonly header: SegmentHeader;
  /** The newest commit that has an entry in it, or an upper bound of it. */
  newestCommit: CommitNumber;
  /** A write to it may be in flight. */
  isBeingWritten: boolean;
}

/** A file found at start. `header` is undefined when it was never used, wiped, torn or damaged. */
export interface FoundSegment {
  readonly file: SegmentFile;
  readonly header: SegmentHeader | undefined;
}

/** A segment's device with its queue. */
export class OpenSegment {
  readonly file: SegmentFile;
  readonly device: Device;
  readonly queue: RequestQueue;

  constructor(file: SegmentFile, device: Device, clock: Clock, counters: QueueCounters) {
    this.file = file;
    this.device = device;
    this.queue = new RequestQueue(device, { clock, counters });
  }

  /** Waits for what is in flight. */
  async close(): Promise<void> {
    await this.queue.idle();
    await this.device.close();
  }
}

export interface SegmentsOptions {
  readonly volume: Volume;
  readonly prefix: string;
  readonly storeId: Buffer;
  readonly clock: Clock;
  readonly firstSegmentBytes: number;
  readonly largestSegmentBytes: number;
}

/** A segment that filled faster than this is followed by one twice as large; one 100 times slower, by half as large. */
const FAST_FILL_MS = 5000;
const SLOW_FILL_MS = 500_000;
/** A new segment takes at most this part of the free space. */
const MOST_OF_FREE = 16;
const NAME_DIGITS = 10;

export class Segments {
  /** In order of number; the last is being written. Empty in a new store. */
  readonly live: LiveSegment[] = [];
  private readonly free: SegmentFile[] = [];
  private readonly options: SegmentsOptions;
  /** Of the queues of all segments, past ones included. */
  readonly counters = new QueueCounters();
  private lastName = 0;
  private wantedBytes: number;
  private next: OpenSegment | undefined;
  private preparing: Promise<void> | undefined;
  private lastSwitchMs: number;
  /** Fewest free files since the last trim: so many were not needed. */
  private fewestFree = 0;

  constructor(options: SegmentsOptions) {
    this.options = options;
    this.wantedBytes = options.firstSegmentBytes;
    this.lastSwitchMs = options.clock.monotonicMs();
  }

  get blockBytes(): number {
    return this.options.volume.sectorBytes;
  }

  get freeCount(): number {
    return this.free.length;
  }

  get totalBytes(): number {
    const files = [...this.live.map(({ file }) => file), ...this.free];
    if (this.next !== undefined) files.push(this.next.file);
    return files.reduce((bytes, file) => bytes + file.bytes, 0);
  }

  /**
   * Reads the headers of all files.
   * @param salvage hears of files of another store, which are passed over then @throws CorruptionError foreign, malformed
   */
  async find(salvage?: Salvage): Promise<FoundSegment[]> {
    const found: FoundSegment[] = [];
    for (const name of await this.names()) {
      this.lastName = Math.max(this.lastName, Number(name.slice(this.options.prefix.length)));
      const segment = await this.open(name);
      try {
        const header = await readHeader(segment);
        this.refuseForeign(name, header);
        found.push({ file: segment.file, header });
      } catch (error) {
        if (salvage === undefined || !(error instanceof CorruptionError)) throw error;
        salvage(error, name);
      } finally {
        await segment.close();
      }
    }
    return found;
  }

  /** Opens an existing file. The caller closes it. */
  async open(name: string): Promise<OpenSegment> {
    const { volume, clock } = this.options;
    const device = await volume.open(name, { durableWrites: true, zeroed: true, thread: true });
    const file = { name, bytes: device.sectorCount * device.sectorBytes };
    return new OpenSegment(file, device, clock, this.counters);
  }

  /** A file found at start holds nothing that is alive: its header goes, so that its number is nobody's. */
  async reclaim({ file, header }: FoundSegment): Promise<void> {
    if (header !== undefined) {
      const segment = await this.open(file.name);
      const zeros = allocateAligned(this.blockBytes).fill(0);
      try {
        await segment.queue.submit(
          writeBio(segment.device, sectorNumber(0), [zeros], { fua: true }),
        );
      } finally {
        releaseAligned(zeros);
        await segment.close();
      }
    }
    this.free.push(file);
  }

  /** The prepared segment, when there is one with room for `bytes`; it is then the caller's. */
  tryTakeNext(bytes: number): OpenSegment | undefined {
    const next = this.next;
    if (next === undefined || next.file.bytes < bytes) return undefined;
    this.next = undefined;
    if (this.live.length > 0) this.adaptSize();
    return next;
  }

  get isPrepared(): boolean {
    return this.next !== undefined;
  }

  get isPreparing(): boolean {
    return this.preparing !== undefined;
  }

  /**
   * Gets a segment of at least `bytes` ready. Resolves when tryTakeNext will give one; calls while one is being made
   * share it. @throws DeviceError
   */
  prepareNext(bytes: number): Promise<void> {
    this.preparing ??= this.makeNext(bytes).finally(() => {
      this.preparing = undefined;
    });
    return this.preparing;
  }

  liveByNumber(number: number): LiveSegment | undefined {
    const first = this.live[0];
    return first === undefined ? undefined : this.live[number - first.header.number];
  }

  /** Segments numbered above `number` hold nothing that happened. */
  dropLiveAbove(number: number): void {
    while ((this.live.at(-1)?.header.number ?? 0) > number) this.live.pop();
  }

  /** Free from now on: the oldest live segment. */
  recycleOldest(): void {
    const oldest = this.live.shift();
    invariant(oldest !== undefined, 'segments: nothing to recycle');
    invariant(this.live.length > 0, 'segments: the segment being written stays');
    this.free.push(oldest.file);
  }

  /** On a full disk: removes all free files. The next segment is ready, or its making is what has priority now. */
  async giveBack(): Promise<void> {
    for (const file of this.free.splice(0)) await this.options.volume.remove(file.name);
    this.fewestFree = 0;
  }

  /** Removes half of the free files that were not needed since the last time. */
  async trim(): Promise<void> {
    const surplus = Math.ceil(Math.min(this.fewestFree, this.free.length) / 2);
    for (const file of this.free.splice(0, surplus)) await this.options.volume.remove(file.name);
    this.fewestFree = this.free.length;
  }

  /** Closes what was prepared. It stays on the device, free. */
  async close(): Promise<void> {
    // Whoever asked for it hears of its failure.
    await this.preparing?.catch(() => {});
    await this.next?.close();
    this.next = undefined;
  }

  private async makeNext(bytes: number): Promise<void> {
    if (this.next !== undefined) {
      // Ready, but too small for one very large batch: back to the free ones.
      const tooSmall = this.next;
      this.next = undefined;
      await tooSmall.close();
      this.free.push(tooSmall.file);
    }
    const needed = this.roundToBlocks(Math.max(this.options.firstSegmentBytes, bytes));
    const wanted = Math.max(await this.affordableBytes(), needed);
    try {
      this.next = await this.obtain(wanted);
    } catch (error) {
      const isFull = error instanceof DeviceError && error.errno === 'ENOSPC';
      if (!isFull || needed === wanted) throw error;
      // A full disk may still have room for as little as is needed.
      this.next = await this.obtain(needed);
    }
  }

  /** As much as the load wants, but no large part of what is left of the disk. */
  private async affordableBytes(): Promise<number> {
    const { freeBytes } = await this.options.volume.space();
    return this.roundToBlocks(Math.min(this.wantedBytes, freeBytes / MOST_OF_FREE));
  }

  private async obtain(bytes: number): Promise<OpenSegment> {
    const file = this.takeFree(bytes);
    if (file === undefined) return this.create(bytes);
    try {
      return await this.reuse(file, bytes);
    } catch (error) {
      this.free.push(file);
      throw error;
    }
  }

  /** The smallest free file that is large enough, else the largest one. */
  private takeFree(bytes: number): SegmentFile | undefined {
    this.free.sort((a, b) => a.bytes - b.bytes);
    const fitting = this.free.findIndex((file) => file.bytes >= bytes);
    // -1 counts from the end: the largest.
    const [file] = this.free.splice(fitting, 1);
    this.fewestFree = Math.min(this.fewestFree, this.free.length);
    return file;
  }

  private async create(bytes: number): Promise<OpenSegment> {
    const { volume, prefix, clock } = this.options;
    this.lastName += 1;
    const name = prefix + String(this.lastName).padStart(NAME_DIGITS, '0');
    const device = await volume.open(name, {
      create: true,
      sectorCount: bytes / volume.sectorBytes,
      zeroed: true,
      durableWrites: true,
      thread: true,
    });
    return new OpenSegment({ name, bytes }, device, clock, this.counters);
  }

  private async reuse(file: SegmentFile, bytes: number): Promise<OpenSegment> {
    const segment = await this.open(file.name);
    if (segment.file.bytes >= bytes) return segment;
    try {
      await segment.device.grow(bytes / segment.device.sectorBytes);
    } finally {
      await segment.close();
    }
    return this.open(file.name);
  }

  /** Segments follow the load: large ones are switched rarely, small ones leave an idle server small. */
  private adaptSize(): void {
    const nowMs = this.options.clock.monotonicMs();
    const filledMs = nowMs - this.lastSwitchMs;
    this.lastSwitchMs = nowMs;
    const { firstSegmentBytes, largestSegmentBytes } = this.options;
    if (filledMs < FAST_FILL_MS) {
      this.wantedBytes = Math.min(this.wantedBytes * 2, largestSegmentBytes);
    } else if (filledMs > SLOW_FILL_MS) {
      this.wantedBytes = Math.max(this.wantedBytes / 2, firstSegmentBytes);
    }
  }

  private roundToBlocks(bytes: number): number {
    return Math.ceil(bytes / this.blockBytes) * this.blockBytes;
  }

  private async names(): Promise<string[]> {
    const { volume, prefix } = this.options;
    const isSegment = (name: string): boolean =>
      name.startsWith(prefix) && /^\d+$/.test(name.slice(prefix.length));
    return (await volume.list()).filter(isSegment);
  }

  private refuseForeign(name: string, header: SegmentHeader | undefined): void {
    if (header === undefined || header.storeId.equals(this.options.storeId)) return;
    throw new CorruptionError(
      'foreign',
      'journal segment',
      `${name} belongs to store ${header.storeId.toString('hex')}`,
      { file: name, offset: 0 },
    );
  }
}

async function readHeader(segment: OpenSegment): Promise<SegmentHeader | undefined> {
  if (segment.device.sectorCount === 0) return undefined;
  const block = allocateAligned(segment.device.sectorBytes);
  try {
    // What another process wrote may still be on its way to the medium: trust nothing that could vanish again.
    await segment.queue.submit(flushBio());
    await segment.queue.submit(readBio(segment.device, sectorNumber(0), [block]));
    return readSegmentHeader(block);
  } finally {
    releaseAligned(block);
  }
}
