/**
 * Group commit: joins entries of concurrent writers into one batch and writes it with one durable write.
 *
 * A batch that somebody waits for is written at the end of the turn of the event loop, or when a write lands; one that
 * nobody waits for, when the commit interval is over or it is full. After a quiet moment an empty batch records how far
 * the journal was flushed.
 *
 * Owns: the filling batch, the queue of waiters, and the place of the next batch. Nobody else appends to a segment.
 * Invariants:
 *  1. At most two writes are in flight; their bytes never change until they end; waiters resolve in order.
 *  2. A waiter resolves only after the batch that holds its last entry, and every batch before it, is on the device.
 *  3. After a failed flush every later append fails: what the device holds is unknown.
 *  4. A full disk is no failed flush: whoever waits goes on waiting until there is space, or the journal is closed.
 *  5. A batch is numbered, placed and chained when it is written, in the order in which it was filled.
 * Bytes: docs/format/journal.md. Tests: test/storage/journal/writer.test.ts, test/simulation/.
 */
import { invariant } from '../../common/assert.ts';
import type { Clock, TimerHandle } from '../../common/clock.ts';
import type { DeviceError } from '../../common/errors.ts';
import type { CommitNumber } from '../contract.ts';
import { allocateAligned, releaseAligned } from '../device/aligned-memory.ts';
import { sectorNumber, writeBio } from '../device/bio.ts';
import type { Bio } from '../device/contract.ts';
import type { RequestQueue } from '../device/request-queue.ts';
import { BATCH_HEADER, writeBatchHeader } from '../format/journal-batch.ts';
import {
  journalEntryBytes,
  writeJournalEntry,
  type JournalOperation,
} from '../format/journal-entry.ts';
import { writeSegmentHeader } from '../format/journal-segment.ts';
import type { Timestamp } from '../format/timestamp.ts';
import { Batch, type LastCommit } from './batch.ts';
import type { CommitClock } from './commit-clock.ts';
import type { EndRecordFile } from './end-record.ts';
import type { JournalEnd } from './recovery.ts';
import type { LiveSegment, OpenSegment, Segments } from './segments.ts';
import { isNoSpace, SpaceWaits } from './space-waits.ts';

const MOST_IN_FLIGHT = 2;
/** The next segment is made when the present one is this full. */
const PREPARE_FROM = 0.5;

export interface WriterOptions {
  readonly segments: Segments;
  readonly commitClock: CommitClock;
  readonly clock: Clock;
  readonly endRecord: EndRecordFile;
  readonly storeId: Buffer;
  readonly epoch: Buffer;
  readonly commitIntervalMs: number;
  readonly onFailure: (error: Error) => void;
  readonly onNoSpace: (error: DeviceError) => void;
}

/** The segment being written, and where in it the next batch goes. */
interface WritePlace {
  readonly segment: OpenSegment;
  readonly live: LiveSegment;
  offset: number;
  /** The next segment was asked for ahead of time. */
  preparedEarly: boolean;
}

export class JournalWriter {
  private readonly options: WriterOptions;
  private filling: Batch | undefined;
  /** Full batches that wait for a place or for a write to land; in order. */
  private readonly sealed: Batch[] = [];
  private readonly inFlight: Batch[] = [];
  private place: WritePlace | undefined;
  private nextSegmentNumber: number;
  private nextSequence: number;
  private chain: number;
  private firstOfEpoch = true;
  /** Segment in which the commit began that the last written batch ends within; undefined between commits. */
  private chainSegment: number | undefined;
  /** State behind the last batch written. */
  private writtenLast: LastCommit;
  private flushedLast: LastCommit;
  private flushedSequence: number;
  private lastWrittenIsEmpty: boolean;
  private kickScheduled = false;
  private commitTimer: TimerHandle | undefined;
  private quietTimer: TimerHandle | undefined;
  private wroteSinceQuietTimer = false;
  private readonly background = new Set<Promise<void>>();
  private readonly spaceWaits: SpaceWaits;
  private failure: Error | undefined;
  private closing = false;
  readonly counters = {
    batches: 0,
    emptyBatches: 0,
    groups: 0,
    entries: 0,
    entryBytes: 0,
    writtenBytes: 0,
  };

  private constructor(options: WriterOptions, end: JournalEnd, place: WritePlace | undefined) {
    this.options = options;
    this.place = place;
    this.nextSegmentNumber = end.nextSegmentNumber;
    this.nextSequence = end.sequence;
    this.chain = end.chain;
    this.flushedSequence = end.sequence - 1;
    this.flushedLast = { commitNumber: end.commitNumber, timestamp: end.timestamp };
    this.writtenLast = this.flushedLast;
    this.lastWrittenIsEmpty = end.flushIsRecorded;
    const { clock, onNoSpace } = options;
    this.spaceWaits = new SpaceWaits(clock, onNoSpace, (error) => this.fail(error));
    if (!end.flushIsRecorded) this.quietTimer = this.startQuietTimer();
  }

  /** Goes on where recovery ended. */
  static async open(options: WriterOptions, end: JournalEnd): Promise<JournalWriter> {
    if (end.place === undefined) {
      await options.segments.prepareNext(0);
      return new JournalWriter(options, end, undefined);
    }
    const { segment: live, offset } = end.place;
    const segment = await options.segments.open(live.file.name);
    live.isBeingWritten = true;
    return new JournalWriter(options, end, { segment, live, offset, preparedEarly: false });
  }

  get flushedCommitNumber(): CommitNumber {
    return this.flushedLast.commitNumber;
  }

  get flushedTimestamp(): Timestamp {
    return this.flushedLast.timestamp;
  }

  /** Number of the last batch of which it and all before it are on the device. */
  get flushedBatch(): number {
    return this.flushedSequence;
  }

  /** How often a full disk made it wait, and whether it waits now. */
  get spaceWaitCount(): number {
    return this.spaceWaits.count;
  }

  get isWaitingForSpace(): boolean {
    return this.spaceWaits.isWaiting;
  }

  /** Segments became free, or the disk has room again. */
  tryAgain(): void {
    this.spaceWaits.tryAgain();
  }

  endSpaceWaits(): void {
    this.spaceWaits.end();
  }

  /** Asked at the start of every write. */
  get pendingBytes(): number {
    let bytes = this.filling?.used ?? 0;
    for (const batch of this.inFlight) bytes += batch.used;
    for (const batch of this.sealed) bytes += batch.used;
    return bytes;
  }

  /** @throws the error of a failed flush */
  append(operations: readonly JournalOperation[]): CommitNumber {
    if (this.failure !== undefined) throw this.failure;
    invariant(!this.closing, 'journal: append after close');
    invariant(operations.length > 0, 'journal: commit without operations');
    try {
      return this.encode(operations);
    } catch (error) {
      // Half a commit in the batch would become part of the next one.
      const failure = error instanceof Error ? error : new Error(String(error));
      this.fail(failure);
      throw failure;
    }
  }

  flushed(commitNumber: CommitNumber): Promise<void> {
    if (commitNumber <= this.flushedLast.commitNumber) return FLUSHED;
    if (this.failure !== undefined) return Promise.reject(this.failure);
    invariant(
      commitNumber <= this.options.commitClock.lastCommitNumber,
      'journal: flush of a commit that was not appended',
    );
    const batch = this.batchOf(commitNumber);
    if (batch === this.filling) this.want(batch);
    return batch.flushed();
  }

  /** Writes what there is, and the record of its flush. Closes the devices. On a full disk it does not wait. */
  async close(): Promise<void> {
    if (this.closing) return;
    this.spaceWaits.end();
    try {
      await this.flushed(this.options.commitClock.lastCommitNumber);
      await this.recordFlush();
    } catch {
      // Whoever waited for a flush has heard of its failure; what is left is to close.
    }
    this.closing = true;
    this.commitTimer?.cancel();
    this.quietTimer?.cancel();
    while (this.background.size > 0) await Promise.all(this.background);
    await this.place?.segment.close();
    await this.recordEnd();
    this.filling?.release();
    this.filling = undefined;
  }

  /** Spares the next start the search for lost batches; failing to do so costs that search. */
  private async recordEnd(): Promise<void> {
    const { place } = this;
    const isWritten = this.inFlight.length === 0 && this.sealed.length === 0;
    const isComplete = isWritten && (this.filling === undefined || this.filling.isEmpty);
    if (place === undefined || !isComplete || this.failure !== undefined) return;
    const end = {
      segment: place.live.header.number,
      offset: place.offset,
      sequence: this.nextSequence,
      chain: this.chain,
    };
    await this.options.endRecord.write(end).catch(() => {});
  }

  private encode(operations: readonly JournalOperation[]): CommitNumber {
    const stamp = this.options.commitClock.next();
    let left = operations.length;
    for (const operation of operations) {
      left -= 1;
      const bytes = journalEntryBytes(operation, left === 0);
      const batch = this.roomFor(bytes);
      batch.used = writeJournalEntry(batch.buffer, batch.used, operation, stamp, left === 0);
      batch.entryCount += 1;
      batch.newestCommit = stamp.commitNumber;
      this.counters.entryBytes += bytes;
    }
    this.counters.entries += operations.length;
    this.counters.groups += 1;
    invariant(this.filling !== undefined, 'journal: a commit ends in the filling batch');
    this.filling.lastCommit = stamp.commitNumber;
    this.filling.lastTimestamp = stamp.timestamp;
    this.commitTimer ??= this.startCommitTimer();
    return stamp.commitNumber;
  }

  /** The filling batch, with room for an entry; a full one is sealed and goes to the device. */
  private roomFor(bytes: number): Batch {
    const { filling } = this;
    if (filling?.hasRoom(bytes) === true) return filling;
    if (filling !== undefined) this.seal(filling);
    const last = filling ?? this.sealed.at(-1) ?? this.inFlight.at(-1);
    this.filling = Batch.forEntry(bytes, this.options.segments.blockBytes, {
      commitNumber: last?.lastCommit ?? this.writtenLast.commitNumber,
      timestamp: last?.lastTimestamp ?? this.writtenLast.timestamp,
    });
    return this.filling;
  }

  private seal(batch: Batch): void {
    invariant(batch === this.filling, 'journal: only the filling batch is sealed');
    this.filling = undefined;
    this.sealed.push(batch);
    this.scheduleKick();
  }

  private batchOf(commitNumber: CommitNumber): Batch {
    const holds = (batch: Batch): boolean => batch.lastCommit >= commitNumber;
    const batch = this.inFlight.find(holds) ?? this.sealed.find(holds) ?? this.filling;
    invariant(batch !== undefined && holds(batch), 'journal: no batch holds an unflushed commit');
    return batch;
  }

  private want(batch: Batch): void {
    if (batch.wanted) return;
    batch.wanted = true;
    this.scheduleKick();
  }

  /** At the end of this turn, so that all that is appended in it goes together. */
  private scheduleKick(): void {
    if (this.kickScheduled) return;
    this.kickScheduled = true;
    setImmediate(() => {
      this.kickScheduled = false;
      this.kick();
    });
  }

  /** Starts as many writes as there are batches due and places free. */
  private kick(): void {
    while (this.failure === undefined && this.inFlight.length < MOST_IN_FLIGHT) {
      // Until it has a place, a batch that is not full goes on filling.
      const due = this.filling?.wanted === true ? this.filling : undefined;
      const batch = this.sealed[0] ?? due;
      if (batch === undefined || !this.enterSegmentFor(batch)) return;
      if (batch === this.filling) this.filling = undefined;
      else this.sealed.shift();
      this.write(batch);
    }
  }

  /**
   * Makes sure that the batch has a place.
   * @returns false when it must wait for the next segment, which kicks again when it is there
   */
  private enterSegmentFor(batch: Batch): boolean {
    const bytes = this.paddedBytes(batch);
    const { place } = this;
    if (place !== undefined && place.offset + bytes <= place.segment.file.bytes) {
      const fullness = (place.offset + bytes) / place.segment.file.bytes;
      if (fullness >= PREPARE_FROM) this.prepareEarly(place);
      return true;
    }
    const needed = this.options.segments.blockBytes + bytes;
    const next = this.options.segments.tryTakeNext(needed);
    if (next === undefined) {
      const { isPreparing } = this.options.segments;
      if (!isPreparing && !this.spaceWaits.isWaiting) this.prepareNow(needed);
      return false;
    }
    if (place !== undefined) this.keep(this.leave(place));
    this.place = this.beginSegment(next);
    return true;
  }

  /** Gets the next segment ready while there is still room in this one. Failing is no failure yet: space may come. */
  private prepareEarly(place: WritePlace): void {
    const { isPreparing, isPrepared } = this.options.segments;
    if (isPreparing || isPrepared || place.preparedEarly) return;
    place.preparedEarly = true;
    const prepared = this.options.segments.prepareNext(0).then(
      () => this.kick(),
      (error: Error) => {
        if (isNoSpace(error)) this.options.onNoSpace(error);
        this.kick();
      },
    );
    this.keep(prepared);
  }

  /** A batch waits for the next segment: failing to get it is failing to flush. */
  private prepareNow(bytes: number): void {
    const prepared = this.options.segments.prepareNext(bytes).then(
      () => this.kick(),
      (error: Error) => this.spaceWaits.add(error, () => this.kick()),
    );
    this.keep(prepared);
  }

  /** Closes a full segment when its last write has landed. */
  private async leave({ segment, live }: WritePlace): Promise<void> {
    try {
      await segment.close();
      live.isBeingWritten = false;
    } catch (error) {
      this.fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  private beginSegment(segment: OpenSegment): WritePlace {
    const { segments, storeId, clock } = this.options;
    const number = this.nextSegmentNumber;
    this.nextSegmentNumber += 1;
    const live: LiveSegment = {
      file: segment.file,
      header: {
        blockBytes: segments.blockBytes,
        storeId,
        number,
        segmentBytes: segment.file.bytes,
        firstSequence: this.nextSequence,
        firstChain: this.chain,
        commitBefore: this.writtenLast.commitNumber,
        timestampBefore: this.writtenLast.timestamp,
        chainSegment: this.chainSegment ?? number,
        wallMs: Math.max(0, Math.floor(clock.wallMs())),
      },
      newestCommit: this.writtenLast.commitNumber,
      isBeingWritten: true,
    };
    segments.live.push(live);
    return { segment, live, offset: 0, preparedEarly: false };
  }

  private write(batch: Batch): void {
    const { place } = this;
    invariant(place !== undefined, 'journal: write without a place');
    invariant(this.inFlight.length < MOST_IN_FLIGHT, 'journal 1: at most two writes are in flight');
    const { device, queue } = place.segment;
    const { blockBytes } = this.options.segments;
    const firstSector = sectorNumber(place.offset / device.sectorBytes);
    const buffers: Buffer[] = [];
    // A segment's header goes with its first batch, in one write.
    const headerBlock = place.offset === 0 ? this.headerBlock(place) : undefined;
    if (headerBlock !== undefined) {
      buffers.push(headerBlock);
      place.offset = blockBytes;
    }
    buffers.push(this.finish(batch, place));
    place.offset += this.paddedBytes(batch);
    this.inFlight.push(batch);
    const bio = writeBio(device, firstSector, buffers, { fua: true });
    this.submit(queue, bio, () => {
      if (headerBlock !== undefined) releaseAligned(headerBlock);
      this.land(batch);
    });
  }

  /** What found no space is written again to the same place: it was not acknowledged, and its bytes are the same. */
  private submit(queue: RequestQueue, bio: Bio, onLanded: () => void): void {
    queue
      .submit(bio)
      .then(onLanded, (error: Error) =>
        this.spaceWaits.add(error, () => this.submit(queue, bio, onLanded)),
      );
  }

  private headerBlock(place: WritePlace): Buffer {
    const block = allocateAligned(this.options.segments.blockBytes);
    writeSegmentHeader(block, place.live.header);
    return block;
  }

  /** Numbers, places and chains a batch. @returns its bytes with padding */
  private finish(batch: Batch, place: WritePlace): Buffer {
    const padded = batch.buffer.subarray(0, this.paddedBytes(batch));
    padded.fill(0, batch.used);
    batch.sequence = this.nextSequence;
    this.chain = writeBatchHeader(padded, {
      length: batch.used,
      chain: this.chain,
      epoch: this.options.epoch,
      sequence: batch.sequence,
      segment: place.live.header.number,
      offset: place.offset,
      entryCount: batch.entryCount,
      flushedSequence: this.flushedSequence,
      firstOfEpoch: this.firstOfEpoch,
    });
    this.nextSequence += 1;
    this.firstOfEpoch = false;
    this.lastWrittenIsEmpty = batch.isEmpty;
    place.live.newestCommit = batch.newestCommit;
    this.chainSegment = this.chainSegmentAfter(batch, place);
    this.writtenLast = { commitNumber: batch.lastCommit, timestamp: batch.lastTimestamp };
    this.count(batch, padded.length);
    return padded;
  }

  /** Where the commit began that goes on after this batch. */
  private chainSegmentAfter(batch: Batch, place: WritePlace): number | undefined {
    if (!batch.endsInChain) return undefined;
    // If no commit ends in this batch, the one it ends within may have begun before it.
    const began =
      batch.lastCommit === this.writtenLast.commitNumber ? this.chainSegment : undefined;
    return began ?? place.live.header.number;
  }

  private land(batch: Batch): void {
    batch.landed = true;
    if (this.failure !== undefined) return;
    for (let first = this.inFlight[0]; first?.landed === true; first = this.inFlight[0]) {
      this.inFlight.shift();
      this.flushedSequence = first.sequence;
      this.flushedLast = { commitNumber: first.lastCommit, timestamp: first.lastTimestamp };
      first.settle(undefined);
      first.release();
    }
    this.kick();
    this.wroteSinceQuietTimer = true;
    this.quietTimer ??= this.startQuietTimer();
  }

  private fail(error: Error): void {
    if (this.failure !== undefined) return;
    this.failure = error;
    const waiting = [...this.inFlight, ...this.sealed];
    if (this.filling !== undefined) waiting.push(this.filling);
    for (const batch of waiting) batch.settle(error);
    this.options.onFailure(error);
  }

  private startCommitTimer(): TimerHandle {
    return this.options.clock.after(this.options.commitIntervalMs, () => {
      this.commitTimer = undefined;
      if (this.filling === undefined || this.filling.isEmpty) return;
      this.filling.wanted = true;
      this.kick();
    });
  }

  /** One timer, restarted when it fires and not with each write: a busy journal pays nothing for it. */
  private startQuietTimer(): TimerHandle {
    this.wroteSinceQuietTimer = false;
    return this.options.clock.after(this.options.commitIntervalMs, () => {
      this.quietTimer = undefined;
      if (this.wroteSinceQuietTimer) this.quietTimer = this.startQuietTimer();
      else this.keep(this.afterQuiet());
    });
  }

  private async afterQuiet(): Promise<void> {
    try {
      await this.recordFlush();
      await this.options.segments.trim();
    } catch (error) {
      this.fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** Writes an empty batch, unless there is something to write anyway, or the last one was empty. */
  private async recordFlush(): Promise<void> {
    const hasWork =
      this.inFlight.length > 0 || this.sealed.length > 0 || this.filling !== undefined;
    if (this.lastWrittenIsEmpty || hasWork || this.failure !== undefined) return;
    const batch = new Batch(BATCH_HEADER.size, this.options.segments.blockBytes, this.writtenLast);
    const recorded = batch.flushed();
    this.sealed.push(batch);
    this.kick();
    await recorded;
  }

  private paddedBytes(batch: Batch): number {
    const { blockBytes } = this.options.segments;
    return Math.ceil(batch.used / blockBytes) * blockBytes;
  }

  private count(batch: Batch, bytes: number): void {
    this.counters.batches += 1;
    if (batch.isEmpty) this.counters.emptyBatches += 1;
    this.counters.writtenBytes += bytes;
  }

  /** Background work that close() waits for. It must not reject. */
  private keep(work: Promise<void>): void {
    this.background.add(work);
    void work.finally(() => this.background.delete(work));
  }
}

const FLUSHED = Promise.resolve();
