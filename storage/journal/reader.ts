/**
 * Reads flushed commits from the segments: what an oplog cursor, a change stream or a secondary sees.
 *
 * It pins nothing: whoever reads too slowly finds that the segments have been recycled.
 */
import { CommandError, CorruptionError } from '../../common/errors.ts';
import type { CommitNumber } from '../contract.ts';
import { compareTimestamps, ZERO_TIMESTAMP, type Timestamp } from '../format/timestamp.ts';
import { ChainWalk } from './chain-walk.ts';
import type { CommitReading, JournalGroup, JournalReader } from './contract.ts';
import { GroupAssembler } from './group-assembler.ts';
import type { ReadBatch } from './segment-reader.ts';
import type { LiveSegment, Segments } from './segments.ts';

/** What a reader asks of the journal. */
export interface ReadSource {
  readonly segments: Segments;
  /** Number of the last batch of which it and all before it are on the device. */
  flushedBatch(): number;
}

/** @throws CommandError CappedPositionLost when commits after `after` are no longer there */
export function readSegmentsAfter(source: ReadSource, after: Timestamp): JournalReader {
  const start = segmentAfter(source.segments, after);
  return start === undefined
    ? new UnbegunReader(source, after)
    : new SegmentsReader(source, start, after);
}

/** @throws CommandError CappedPositionLost when commit `after`, or one behind it, is no longer there */
export async function readSegmentsFrom(
  source: ReadSource,
  after: CommitNumber,
): Promise<CommitReading> {
  const { live } = source.segments;
  const holder = live.findLast(({ header }) => header.commitBefore <= after);
  if (holder === undefined) {
    if (live.length > 0 || after > 0) throw positionLost(live[0]);
    return { timestamp: ZERO_TIMESTAMP, reader: new UnbegunReader(source, ZERO_TIMESTAMP) };
  }
  const { commitBefore, timestampBefore, chainSegment } = holder.header;
  if (commitBefore === after) {
    // The commit behind it may have begun in an earlier segment.
    const begin = source.segments.liveByNumber(chainSegment);
    if (begin === undefined) throw positionLost(live[0]);
    return {
      timestamp: timestampBefore,
      reader: new SegmentsReader(source, begin, timestampBefore),
    };
  }
  // The commit itself, or what of it lies here, is read for its time; those before it are hardly looked at.
  const reader = new SegmentsReader(source, holder, ZERO_TIMESTAMP, after - 1);
  const group = await reader.next();
  if (group?.commitNumber === after) return { timestamp: group.timestamp, reader };
  await reader.close();
  throw positionLost(live[0]);
}

/** Of a journal without any segment yet. */
class UnbegunReader implements JournalReader {
  private readonly source: ReadSource;
  private readonly after: Timestamp;
  private begun: JournalReader | undefined;

  constructor(source: ReadSource, after: Timestamp) {
    this.source = source;
    this.after = after;
  }

  async next(): Promise<JournalGroup | undefined> {
    if (this.begun === undefined) {
      const start = segmentAfter(this.source.segments, this.after);
      if (start === undefined) return undefined;
      this.begun = new SegmentsReader(this.source, start, this.after);
    }
    return this.begun.next();
  }

  async close(): Promise<void> {
    await this.begun?.close();
  }
}

class SegmentsReader implements JournalReader {
  private readonly source: ReadSource;
  private readonly after: Timestamp;
  private readonly walk: ChainWalk;
  private readonly assembler: GroupAssembler;
  private groups: Iterator<JournalGroup> | undefined;

  /** @param skipThrough commits up to this number are passed over, too, without being decoded */
  constructor(source: ReadSource, start: LiveSegment, after: Timestamp, skipThrough = 0) {
    this.source = source;
    this.after = after;
    this.walk = new ChainWalk(source.segments, start);
    const { commitBefore, timestampBefore } = start.header;
    this.assembler = new GroupAssembler(commitBefore, timestampBefore, skipThrough);
  }

  async next(): Promise<JournalGroup | undefined> {
    for (;;) {
      for (let step = this.groups?.next(); step?.done === false; step = this.groups?.next()) {
        if (compareTimestamps(step.value.timestamp, this.after) > 0) return step.value;
      }
      this.groups = undefined;
      if (!(await this.enterBatch())) return undefined;
    }
  }

  close(): Promise<void> {
    return this.walk.close();
  }

  /** @returns false when the next batch is not flushed yet */
  private async enterBatch(): Promise<boolean> {
    if (this.walk.expected.sequence > this.source.flushedBatch()) return false;
    const batch = await this.readBatch();
    this.refuseRecycled();
    if (batch === undefined) throw damaged(this.walk);
    this.groups = this.assembler.groupsOf(batch);
    return true;
  }

  private async readBatch(): Promise<ReadBatch | undefined> {
    try {
      const batch = await this.walk.next();
      if (batch !== undefined) return batch;
      this.walk.refresh();
      return await this.walk.next();
    } catch (error) {
      // A recycled file may be gone.
      this.refuseRecycled();
      throw error;
    }
  }

  private refuseRecycled(): void {
    const { segment } = this.walk.at;
    if (this.source.segments.liveByNumber(segment.header.number) !== segment) throw positionLost();
  }
}

/** The last segment from which every commit after a timestamp can be read whole; undefined in a new journal. */
function segmentAfter(segments: Segments, after: Timestamp): LiveSegment | undefined {
  const { live } = segments;
  if (live.length === 0) return undefined;
  const holder = live.findLast(
    ({ header }) => compareTimestamps(header.timestampBefore, after) <= 0,
  );
  const begin = holder && segments.liveByNumber(holder.header.chainSegment);
  if (begin === undefined) throw positionLost();
  return begin;
}

/** @param oldest the first segment that is still there */
function positionLost(oldest?: LiveSegment): CommandError {
  const { seconds, increment } = oldest?.header.timestampBefore ?? ZERO_TIMESTAMP;
  const begin =
    oldest === undefined ? '' : `; it begins behind Timestamp(${seconds}, ${increment})`;
  return new CommandError(
    'CappedPositionLost',
    `the journal no longer holds the operations after this point${begin}`,
  );
}

function damaged(walk: ChainWalk): CorruptionError {
  const { segment, offset } = walk.at;
  return new CorruptionError(
    'checksum',
    'journal segment',
    `${segment.file.name} (segment ${segment.header.number}) is damaged at offset ${offset}: a flushed batch cannot be read`,
  );
}
