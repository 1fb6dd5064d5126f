/**
 * The journal: opens, replays, appends, flushes, releases. Its parts: recovery.ts, writer.ts, segments.ts, reader.ts.
 *
 * Owns: the order of these calls and the release of segments.
 * Invariant: a segment is recycled only when no commit in it is needed for recovery, and none is younger than the window.
 */
import { invariant } from '../../common/assert.ts';
import type { CorruptionError } from '../../common/errors.ts';
import type { CommitNumber, MaybePromise } from '../contract.ts';
import { EPOCH_BYTES } from '../format/journal-batch.ts';
import type { JournalOperation } from '../format/journal-entry.ts';
import { ZERO_TIMESTAMP, type Timestamp } from '../format/timestamp.ts';
import { CommitClock } from './commit-clock.ts';
import type {
  CommitReading,
  Journal,
  JournalGroup,
  JournalOptions,
  JournalReader,
  JournalStatistics,
  ReplayObserver,
  ReplaySummary,
} from './contract.ts';
import { EndRecordFile } from './end-record.ts';
import { readSegmentsAfter, readSegmentsFrom, type ReadSource } from './reader.ts';
import { recoverJournal } from './recovery.ts';
import { Segments } from './segments.ts';
import { JournalWriter } from './writer.ts';

const MIB = 1024 * 1024;
export const JOURNAL_DEFAULTS = {
  commitIntervalMs: 100,
  firstSegmentBytes: MIB,
  largestSegmentBytes: 64 * MIB,
} as const;

/** Opens a store's journal, or begins a new one. Nothing is read or written before replay. */
export function openJournal(options: JournalOptions): Journal {
  invariant(options.storeId.length === 16, 'journal: a store id has 16 bytes');
  return new SegmentedJournal(options);
}

/**
 * Reads a store's journal as a start would, and changes nothing.
 * @param from the last commit that the base holds @param onDamage hears of everything that would keep a start from its end
 */
export async function checkJournal(
  options: JournalOptions,
  from: CommitNumber,
  onDamage: (damage: CorruptionError) => void,
  onGroup: (group: JournalGroup, bytes: number) => void = () => {},
): Promise<ReplaySummary> {
  const { segments, endRecord } = partsOf(options);
  const closedAt = await endRecord.read();
  let bytes = 0;
  const source = { from, closedAt, salvage: onDamage, readOnly: true };
  const { summary } = await recoverJournal(segments, source, (group) => {
    for (const entry of group.entries) bytes += entry.bytes.length;
    onGroup(group, bytes);
  });
  await segments.close();
  return summary;
}

function partsOf(options: JournalOptions): {
  readonly segments: Segments;
  readonly endRecord: EndRecordFile;
} {
  const { volume, prefix = '', storeId, clock } = options;
  return {
    endRecord: new EndRecordFile({ volume, prefix, storeId, clock }),
    segments: new Segments({
      volume,
      prefix,
      storeId,
      clock,
      firstSegmentBytes: options.firstSegmentBytes ?? JOURNAL_DEFAULTS.firstSegmentBytes,
      largestSegmentBytes: options.largestSegmentBytes ?? JOURNAL_DEFAULTS.largestSegmentBytes,
    }),
  };
}

class SegmentedJournal implements Journal {
  private readonly options: JournalOptions;
  private readonly segments: Segments;
  private readonly commitClock: CommitClock;
  private readonly endRecord: EndRecordFile;
  private writer: JournalWriter | undefined;
  private isReplaying = false;

  constructor(options: JournalOptions) {
    this.options = options;
    this.commitClock = new CommitClock(options.clock, options.term ?? 1);
    const { segments, endRecord } = partsOf(options);
    this.endRecord = endRecord;
    this.segments = segments;
  }

  get lastCommitNumber(): CommitNumber {
    return this.commitClock.lastCommitNumber;
  }

  get lastTimestamp(): Timestamp {
    return this.commitClock.lastTimestamp;
  }

  get flushedCommitNumber(): CommitNumber {
    return this.writer?.flushedCommitNumber ?? this.lastCommitNumber;
  }

  get flushedTimestamp(): Timestamp {
    return this.writer?.flushedTimestamp ?? ZERO_TIMESTAMP;
  }

  get pendingBytes(): number {
    return this.writer?.pendingBytes ?? 0;
  }

  async replay(
    from: CommitNumber,
    visit: (group: JournalGroup) => MaybePromise<void>,
    observer?: ReplayObserver,
  ): Promise<ReplaySummary> {
    invariant(this.writer === undefined && !this.isReplaying, 'journal: replayed once');
    this.isReplaying = true;
    const closedAt = await this.endRecord.read();
    const { salvage } = this.options;
    const source = {
      from,
      closedAt,
      ...(salvage === undefined ? {} : { salvage }),
      ...(observer === undefined ? {} : { observer }),
    };
    const { end, summary } = await recoverJournal(this.segments, source, (group) => {
      this.commitClock.continueAfter(group.commitNumber, group.timestamp);
      return visit(group);
    });
    // Before anything is written behind the end that it names.
    await this.endRecord.remove();
    this.commitClock.continueAfter(end.commitNumber, end.timestamp);
    const { clock, storeId, random, onFailure } = this.options;
    const writerOptions = {
      segments: this.segments,
      endRecord: this.endRecord,
      commitClock: this.commitClock,
      clock,
      storeId,
      epoch: random.bytes(EPOCH_BYTES),
      commitIntervalMs: this.options.commitIntervalMs ?? JOURNAL_DEFAULTS.commitIntervalMs,
      onFailure,
      onNoSpace: this.options.onNoSpace ?? (() => {}),
    };
    this.writer = await JournalWriter.open(writerOptions, end);
    return summary;
  }

  append(operations: readonly JournalOperation[]): CommitNumber {
    return this.ready.append(operations);
  }

  flushed(commitNumber: CommitNumber): Promise<void> {
    if (this.writer !== undefined) return this.writer.flushed(commitNumber);
    // While replay runs, every commit that was handed over has come from the device.
    invariant(commitNumber <= this.lastCommitNumber, 'journal: flush of a commit not replayed');
    return Promise.resolve();
  }

  release(upTo: CommitNumber): void {
    // Replay reads the segments: what a checkpoint in its midst would release waits for the next one.
    if (this.writer === undefined) return;
    invariant(upTo <= this.writer.flushedCommitNumber, 'journal: released before it was flushed');
    while (this.mayRecycleOldest(upTo)) this.segments.recycleOldest();
    this.writer.tryAgain();
  }

  get isWaitingForSpace(): boolean {
    return this.writer?.isWaitingForSpace ?? false;
  }

  tryAgain(): void {
    this.writer?.tryAgain();
  }

  giveBack(): Promise<void> {
    return this.segments.giveBack();
  }

  endSpaceWaits(): void {
    this.writer?.endSpaceWaits();
  }

  readAfter(after: Timestamp): JournalReader {
    return readSegmentsAfter(this.readSource, after);
  }

  readFrom(after: CommitNumber): Promise<CommitReading> {
    return readSegmentsFrom(this.readSource, after);
  }

  statistics(): JournalStatistics {
    const { segments, writer } = this;
    const queue = segments.counters.statistics('noop');
    const { READ, WRITE, FLUSH } = queue.operations;
    return {
      segments: segments.live.length,
      segmentBytes: segments.totalBytes,
      freeSegments: segments.freeCount,
      ...(writer?.counters ?? NOTHING_WRITTEN),
      pendingBytes: writer?.pendingBytes ?? 0,
      spaceWaits: writer?.spaceWaitCount ?? 0,
      lastCommitNumber: this.lastCommitNumber,
      flushedCommitNumber: this.flushedCommitNumber,
      deviceReads: READ.calls,
      deviceWrites: WRITE.calls,
      deviceFlushes: FLUSH.calls,
      queue,
    };
  }

  async close(): Promise<void> {
    await this.writer?.close();
    await this.segments.close();
  }

  private get readSource(): ReadSource {
    const writer = this.ready;
    return { segments: this.segments, flushedBatch: () => writer.flushedBatch };
  }

  private get ready(): JournalWriter {
    invariant(this.writer !== undefined, 'journal: used before replay');
    return this.writer;
  }

  /** The oldest segment, when neither recovery nor the window needs it. */
  private mayRecycleOldest(upTo: CommitNumber): boolean {
    const [oldest, next] = this.segments.live;
    if (next === undefined || oldest.isBeingWritten || oldest.newestCommit > upTo) return false;
    const { retainBytes = 0, retainMs = 0, clock } = this.options;
    const younger = this.segments.live.slice(1);
    const youngerBytes = younger.reduce((bytes, { file }) => bytes + file.bytes, 0);
    // The next segment's header was written when this one was full.
    return youngerBytes >= retainBytes && clock.wallMs() - next.header.wallMs >= retainMs;
  }
}

const NOTHING_WRITTEN: JournalWriter['counters'] = {
  batches: 0,
  emptyBatches: 0,
  groups: 0,
  entries: 0,
  entryBytes: 0,
  writtenBytes: 0,
};
