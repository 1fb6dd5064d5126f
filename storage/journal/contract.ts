/**
 * What the engine sees of the journal: the types behind openJournal (journal.ts).
 *
 * Life: openJournal, then exactly one replay, then append and flushed until close. While the replay runs, flushed and
 * release may be called (for checkpoints that it needs); release then does nothing.
 */
import type { CorruptionError } from '../../common/errors.ts';
import type { CommitNumber, MaybePromise } from '../contract.ts';
import type { Clock } from '../../common/clock.ts';
import type { DeviceError } from '../../common/errors.ts';
import type { Log } from '../../common/log.ts';
import type { Random } from '../../common/random.ts';
import type { Volume } from '../device/contract.ts';
import type { RequestQueueStatistics } from '../device/queue-counters.ts';
import type { JournalEntry, JournalOperation } from '../format/journal-entry.ts';
import type { Timestamp } from '../format/timestamp.ts';

export interface JournalOptions {
  readonly volume: Volume;
  /** Put before the segments' names, for a volume that holds more than the journal. Default ''. */
  readonly prefix?: string;
  /** 16 bytes. A segment of another store is refused. */
  readonly storeId: Buffer;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Longest time that a write nobody waits for stays unflushed, milliseconds. Default 100. */
  readonly commitIntervalMs?: number;
  /** Size of the first segment, bytes. Default 1 MiB. */
  readonly firstSegmentBytes?: number;
  /** Size that segments grow to under load, bytes. Default 64 MiB. */
  readonly largestSegmentBytes?: number;
  /** Released segments stay while the younger ones hold less than this. Default 0. */
  readonly retainBytes?: number;
  /** Released segments stay until they are this old. Default 0. */
  readonly retainMs?: number;
  /** Written into every entry as `t`. Default 1. */
  readonly term?: number;
  /**
   * For repair: hears of damage that would end the replay. The journal then counts as ended there, and what lies behind is lost.
   */
  readonly salvage?: Salvage;
  /** Hears of the first failed flush, once. Everything after it fails: what the device holds is unknown. */
  readonly onFailure: (error: Error) => void;
  /** Hears that there is no space for what is to be written: it waits until there is. */
  readonly onNoSpace?: (error: DeviceError) => void;
}

/** @param foreignFile a file that must go, because every start would refuse it */
export type Salvage = (loss: CorruptionError, foreignFile?: string) => void;

/** The entries of one commit, in the order in which they were appended. */
export interface JournalGroup {
  readonly commitNumber: CommitNumber;
  readonly timestamp: Timestamp;
  /** Their Buffers are valid until the visitor is done (a reader: until its next call). */
  readonly entries: readonly JournalEntry[];
}

export interface ReplaySummary {
  readonly groups: number;
  readonly entries: number;
  /** Bytes read from segments. */
  readonly bytes: number;
  /** Why the journal ended where it did, for the log. */
  readonly tail: string;
}

/** How far a replay is; told with every batch. */
export interface ReplayProgress {
  /** Read so far. */
  readonly bytes: number;
  /** At most so many are to be read: the last segment may be filled in part only. */
  readonly mostBytes: number;
}

/** Who sees more of a replay than one group after the other. */
export interface ReplayObserver {
  /** The groups of one batch, before the first of them is visited: what they need can be fetched. Valid until the last one was visited. */
  onBatch?(groups: readonly JournalGroup[]): void;
  onProgress?(progress: ReplayProgress): void;
}

/** Reads groups in order, flushed ones only. */
export interface JournalReader {
  /** The next flushed group; undefined when the reader has caught up (call again later). */
  next(): Promise<JournalGroup | undefined>;
  close(): Promise<void>;
}

/** A reader behind a commit. */
export interface CommitReading {
  /** Of that commit. */
  readonly timestamp: Timestamp;
  readonly reader: JournalReader;
}

export interface JournalStatistics {
  readonly segments: number;
  readonly segmentBytes: number;
  readonly freeSegments: number;
  readonly batches: number;
  readonly emptyBatches: number;
  readonly groups: number;
  readonly entries: number;
  /** Bytes of entries appended, without headers and padding. */
  readonly entryBytes: number;
  /** Bytes written to segments, with headers and padding. */
  readonly writtenBytes: number;
  /** Bytes appended and not yet on the device. */
  readonly pendingBytes: number;
  /** How often a full disk made the journal wait. */
  readonly spaceWaits: number;
  readonly lastCommitNumber: number;
  readonly flushedCommitNumber: number;
  /** Calls of the devices through their request queues, by operation. */
  readonly deviceReads: number;
  readonly deviceWrites: number;
  readonly deviceFlushes: number;
  /** Of the request queues of all segments, past ones included. */
  readonly queue: RequestQueueStatistics;
}

export interface Journal {
  /** Of the last append, or of the last group that replay found. */
  readonly lastCommitNumber: CommitNumber;
  readonly lastTimestamp: Timestamp;
  /** Everything up to here is on the device. */
  readonly flushedCommitNumber: CommitNumber;
  readonly flushedTimestamp: Timestamp;
  /** Bytes appended and not yet on the device. */
  readonly pendingBytes: number;

  /**
   * Hands over, in commit order, every group with a commit number above `from`, then makes the journal ready to append.
   * An unfinished chain at the end never happened and is not handed over.
   * @throws CorruptionError that names segment and offset, when the chain breaks before the last known flush or the
   * journal ends before `from`.
   */
  replay(
    from: CommitNumber,
    visit: (group: JournalGroup) => MaybePromise<void>,
    observer?: ReplayObserver,
  ): Promise<ReplaySummary>;

  /**
   * Appends one commit: draws its commit number (the last one plus 1) and its timestamp, and copies the operations into
   * the filling batch. Synchronous; the operations' Buffers are free afterwards.
   * @throws the error of a failed flush.
   */
  append(operations: readonly JournalOperation[]): CommitNumber;

  /** Resolves when everything up to `commitNumber` is on the device; asks for a flush now. Cheap for many waiters. */
  flushed(commitNumber: CommitNumber): Promise<void>;

  /** Something waits for space on the disk. */
  readonly isWaitingForSpace: boolean;
  /** There may be space: what waits for it tries again. */
  tryAgain(): void;
  /** On a full disk: removes segment files that hold nothing. */
  giveBack(): Promise<void>;
  /** From here on, for a store that closes, a want of space is a failed flush. */
  endSpaceWaits(): void;

  /** Nothing up to and including `upTo` is needed for recovery any more: older segments are recycled. */
  release(upTo: CommitNumber): void;

  /**
   * Reads flushed groups with a timestamp after `after`.
   * @throws CommandError CappedPositionLost when they are no longer kept; the reader's next() throws it, too.
   */
  readAfter(after: Timestamp): JournalReader;
  /**
   * Reads flushed groups behind a commit, which must be flushed itself, and says when it was.
   * @throws CommandError CappedPositionLost, as readAfter
   */
  readFrom(after: CommitNumber): Promise<CommitReading>;

  statistics(): JournalStatistics;

  /** Flushes what was appended, records the flush, and closes the devices. */
  close(): Promise<void>;
}
