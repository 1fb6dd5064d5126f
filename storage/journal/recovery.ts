/**
 * Recovery: finds the segments, follows the chain, and decides whether its end is the tail or damage.
 *
 * A batch missing beyond the last known flush is the tail: torn, or one of two that landed out of order; what lies
 * behind it is dead. A batch missing before it was acknowledged once, so something destroyed it. How far the journal
 * was flushed is written in later batches: if any intact one anywhere says that the missing one was flushed, it is damage.
 * Tests: test/storage/journal/recovery.test.ts.
 */
import { CorruptionError } from '../../common/errors.ts';
import type { CommitNumber, MaybePromise } from '../contract.ts';
import type { JournalEndRecord } from '../format/journal-end.ts';
import { SMALLEST_BLOCK_BYTES, type SegmentHeader } from '../format/journal-segment.ts';
import { compareTimestamps, ZERO_TIMESTAMP, type Timestamp } from '../format/timestamp.ts';
import { ChainWalk } from './chain-walk.ts';
import type { JournalGroup, ReplayObserver, ReplaySummary, Salvage } from './contract.ts';
import { GroupAssembler } from './group-assembler.ts';
import { SegmentReader } from './segment-reader.ts';
import type { FoundSegment, LiveSegment, Segments } from './segments.ts';

/** Where the next batch goes, and what it must say. */
export interface JournalEnd {
  /** undefined: in a new segment. */
  readonly place: { readonly segment: LiveSegment; readonly offset: number } | undefined;
  readonly nextSegmentNumber: number;
  readonly sequence: number;
  readonly chain: number;
  readonly commitNumber: CommitNumber;
  readonly timestamp: Timestamp;
  /** The last batch says that all before it were flushed, or there is none. */
  readonly flushIsRecorded: boolean;
}

export interface Recovered {
  readonly end: JournalEnd;
  readonly summary: ReplaySummary;
}

const NEW_JOURNAL: JournalEnd = {
  place: undefined,
  nextSegmentNumber: 1,
  sequence: 1,
  chain: 0,
  commitNumber: 0 as CommitNumber,
  timestamp: ZERO_TIMESTAMP,
  flushIsRecorded: true,
};

/** What the caller knows before the journal is read. */
export interface RecoverySource {
  /** The last commit that the base holds. */
  readonly from: CommitNumber;
  /** Where the journal ended when it was closed, if it was. */
  readonly closedAt: JournalEndRecord | undefined;
  /** Hears of damage, which then counts as the journal's end; absent: damage is thrown. */
  readonly salvage?: Salvage;
  readonly observer?: ReplayObserver;
  /** Looks only: files that hold nothing that happened stay as they are. */
  readonly readOnly?: boolean;
}

/** Visits the commits above `from` and leaves `segments` with what is alive and what is free. @throws CorruptionError */
export async function recoverJournal(
  segments: Segments,
  source: RecoverySource,
  visit: (group: JournalGroup) => MaybePromise<void>,
): Promise<Recovered> {
  const { from } = source;
  const found = await segments.find(source.salvage);
  let start: LiveSegment;
  try {
    const withHeader = inOrder(found);
    if (withHeader.length === 0) {
      await refuseLostJournal(segments, found, from);
      if (source.readOnly !== true) for (const file of found) await segments.reclaim(file);
      return { end: NEW_JOURNAL, summary: { ...NOTHING_REPLAYED, tail: 'the journal is new' } };
    }
    start = startOf(withHeader, from);
    segments.live.push(...runAround(withHeader, start));
  } catch (error) {
    noteLoss(source, error);
    segments.live.length = 0;
    const end = endBehindDamage(found, { ...NEW_JOURNAL, commitNumber: from });
    return { end, summary: { ...NOTHING_REPLAYED, tail: NOTHING_USABLE } };
  }
  const walk = new ChainWalk(segments, start);
  try {
    return await followChain({ ...source, segments, walk, found, visit });
  } finally {
    await walk.close();
  }
}

/** @throws the error, unless it is damage and somebody salvages what there is */
function noteLoss({ salvage }: RecoverySource, error: unknown): void {
  if (salvage === undefined || !(error instanceof CorruptionError)) throw error;
  salvage(error);
}

/**
 * The end of a journal that was damaged: it goes on in numbers that no batch of before has. The files stay as they are until the next
 * start, which finds that the base does not need them.
 */
function endBehindDamage(
  found: readonly FoundSegment[],
  last: Pick<JournalEnd, 'commitNumber' | 'timestamp' | 'sequence'>,
): JournalEnd {
  let end = { ...NEW_JOURNAL, ...last };
  for (const { header } of found) {
    if (header === undefined) continue;
    end = {
      ...end,
      nextSegmentNumber: Math.max(end.nextSegmentNumber, header.number + 1),
      sequence: Math.max(end.sequence, header.firstSequence),
      timestamp: laterOf(end.timestamp, header.timestampBefore),
    };
  }
  return { ...end, sequence: end.sequence + SEQUENCES_SKIPPED };
}

const NOTHING_USABLE = 'nothing of the journal could be used';

/** More batches than a segment has. */
const SEQUENCES_SKIPPED = 2 ** 32;

function laterOf(a: Timestamp, b: Timestamp): Timestamp {
  return compareTimestamps(a, b) < 0 ? b : a;
}

const NOTHING_REPLAYED = { groups: 0, entries: 0, bytes: 0 };

interface Recovery extends RecoverySource {
  readonly segments: Segments;
  readonly walk: ChainWalk;
  readonly found: readonly FoundSegment[];
  readonly visit: (group: JournalGroup) => MaybePromise<void>;
}

async function followChain(recovery: Recovery): Promise<Recovered> {
  const { segments, walk, from, visit } = recovery;
  const { commitBefore, timestampBefore } = walk.at.segment.header;
  const assembler = new GroupAssembler(commitBefore, timestampBefore, from);
  let groups = 0;
  let flushIsRecorded = false;
  let isDamaged = false;
  const mostBytes = bytesFrom(segments.live, walk.at.segment);
  try {
    for (let batch = await walk.next(); batch !== undefined; batch = await walk.next()) {
      const found = [...assembler.groupsOf(batch)].filter((group) => group.commitNumber > from);
      if (found.length > 0) recovery.observer?.onBatch?.(found);
      for (const group of found) {
        groups += 1;
        // Only a visitor that waits makes the replay wait.
        const visited = visit(group);
        if (visited !== undefined) await visited;
      }
      walk.at.segment.newestCommit = newestCommitOf(assembler);
      recovery.observer?.onProgress?.({ bytes: walk.bytesRead, mostBytes });
      flushIsRecorded = batch.header.entryCount === 0;
    }
    await refuseDamage(recovery);
    refuseShortJournal(assembler.lastCommitNumber, from, walk);
  } catch (error) {
    noteLoss(recovery, error);
    isDamaged = true;
  }
  const { segment, offset } = walk.at;
  const summary = {
    groups,
    entries: assembler.entries,
    bytes: walk.bytesRead,
    tail: `segment ${segment.header.number} (${segment.file.name}), offset ${offset}`,
  };
  if (isDamaged) {
    segments.live.length = 0;
    const end = endBehindDamage(recovery.found, {
      commitNumber: Math.max(assembler.lastCommitNumber, from) as CommitNumber,
      timestamp: assembler.lastTimestamp,
      sequence: walk.expected.sequence,
    });
    return { end, summary };
  }
  if (recovery.readOnly !== true) await reclaimDead(recovery);
  const canContinue = segment.header.blockBytes === segments.blockBytes;
  return {
    end: {
      place: canContinue ? { segment, offset } : undefined,
      nextSegmentNumber: segment.header.number + 1,
      sequence: walk.expected.sequence,
      chain: walk.expected.chain,
      commitNumber: assembler.lastCommitNumber,
      timestamp: assembler.lastTimestamp,
      flushIsRecorded,
    },
    summary,
  };
}

/** Segments with a header, in order of number. @throws CorruptionError when two have the same */
function inOrder(found: readonly FoundSegment[]): LiveSegment[] {
  const segments: LiveSegment[] = [];
  for (const { file, header } of found) {
    if (header !== undefined) {
      const newestCommit = header.commitBefore;
      segments.push({ file, header, newestCommit, isBeingWritten: false });
    }
  }
  segments.sort((a, b) => a.header.number - b.header.number);
  for (const [index, segment] of segments.entries()) {
    const next = segments[index + 1];
    if (next === undefined) break;
    if (next.header.number === segment.header.number) {
      throw malformed(`${segment.file.name} and ${next.file.name} have the same number`);
    }
    segment.newestCommit = newestCommitBefore(next.header);
  }
  return segments;
}

function bytesFrom(live: readonly LiveSegment[], start: LiveSegment): number {
  return live.slice(live.indexOf(start)).reduce((bytes, { file }) => bytes + file.bytes, 0);
}

/** The newest commit that may have an entry before this segment. */
function newestCommitBefore(header: SegmentHeader): CommitNumber {
  const goesOn = header.chainSegment < header.number;
  return (goesOn ? header.commitBefore + 1 : header.commitBefore) as CommitNumber;
}

function newestCommitOf(assembler: GroupAssembler): CommitNumber {
  const last = assembler.lastCommitNumber;
  return (assembler.isInChain ? last + 1 : last) as CommitNumber;
}

/** The last segment from which every commit above `from` can be read whole. @throws CorruptionError */
function startOf(segments: readonly LiveSegment[], from: CommitNumber): LiveSegment {
  const holder = segments.findLast(({ header }) => header.commitBefore <= from);
  if (holder !== undefined) {
    // The commit that goes on here is needed only when it is above `from`.
    if (newestCommitBefore(holder.header) <= from) return holder;
    const begin = segments.find(({ header }) => header.number === holder.header.chainSegment);
    if (begin !== undefined) return begin;
  }
  throw new CorruptionError(
    'missing',
    'journal',
    `the segment with the commits after ${from} is not there; the oldest is ${segments[0].file.name} (segment ${segments[0].header.number})`,
  );
}

/** The segments before and after `start` as far as their numbers are consecutive. */
function runAround(segments: readonly LiveSegment[], start: LiveSegment): LiveSegment[] {
  const numberAt = (index: number): number | undefined => segments[index]?.header.number;
  const place = segments.indexOf(start);
  let first = place;
  while (numberAt(first - 1) === start.header.number - (place - first) - 1) first -= 1;
  let last = place;
  while (numberAt(last + 1) === start.header.number + (last - place) + 1) last += 1;
  return segments.slice(first, last + 1);
}

/** No segment has a header: a new journal, unless something says otherwise. @throws CorruptionError */
async function refuseLostJournal(
  segments: Segments,
  found: readonly FoundSegment[],
  from: CommitNumber,
): Promise<void> {
  for (const { file } of found) {
    const record = await findFlushRecord(segments, file.name, FIRST_BATCH);
    if (record === undefined) continue;
    throw new CorruptionError(
      'checksum',
      'journal segment',
      `${file.name} has a damaged header at offset 0, but holds flushed batches`,
      { file: file.name, offset: 0 },
    );
  }
  if (from === 0) return;
  throw new CorruptionError(
    'missing',
    'journal',
    `it has no segment, but commit ${from} is in the base`,
  );
}

const FIRST_BATCH = { offset: SMALLEST_BLOCK_BYTES, number: 1, sequence: 1 };

/** @throws CorruptionError when something says that the batch where the chain ended had been flushed. */
async function refuseDamage({ segments, walk, found, closedAt }: Recovery): Promise<void> {
  const { segment, offset } = walk.at;
  const { number } = segment.header;
  const { sequence, chain } = walk.expected;
  if (closedAt?.sequence === sequence && closedAt.chain === chain) {
    // Closed here, and nothing was written since: there is nothing to search.
    if (closedAt.segment === number && closedAt.offset === offset) return;
  }
  if (closedAt !== undefined && closedAt.sequence > sequence) {
    throw new CorruptionError(
      'checksum',
      'journal segment',
      `${segment.file.name} (segment ${number}) is damaged at offset ${offset}: batch ${sequence} cannot be read, but the journal was closed behind batch ${closedAt.sequence - 1}`,
      { file: segment.file.name, offset },
    );
  }
  for (const { file, header } of found) {
    const isHere = file.name === segment.file.name;
    if (!isHere && header !== undefined && header.number <= number) continue;
    const record = await findFlushRecord(segments, file.name, {
      offset: isHere ? offset : SMALLEST_BLOCK_BYTES,
      number,
      sequence,
    });
    if (record === undefined) continue;
    throw new CorruptionError(
      'checksum',
      'journal segment',
      `${segment.file.name} (segment ${number}) is damaged at offset ${offset}: batch ${sequence} was flushed, as batch ${record.sequence} says, and cannot be read`,
      { file: segment.file.name, offset },
    );
  }
}

async function findFlushRecord(
  segments: Segments,
  name: string,
  missing: { readonly offset: number; readonly number: number; readonly sequence: number },
): ReturnType<SegmentReader['findFlushRecord']> {
  const segment = await segments.open(name);
  const reader = new SegmentReader(segment);
  try {
    return await reader.findFlushRecord(missing.offset, missing.number, missing.sequence);
  } finally {
    reader.close();
    await segment.close();
  }
}

/** What is in the base was in the journal first: a journal that ends before is an old one, or lost its end. */
function refuseShortJournal(last: CommitNumber, from: CommitNumber, walk: ChainWalk): void {
  if (last >= from) return;
  const { segment, offset } = walk.at;
  throw new CorruptionError(
    'older',
    'journal segment',
    `${segment.file.name} (segment ${segment.header.number}) ends at offset ${offset} with commit ${last}, but commit ${from} is in the base`,
    { file: segment.file.name, offset },
  );
}

/** Files that the chain does not pass through hold nothing that happened, or nothing that can still be read. */
async function reclaimDead({ segments, walk, found }: Recovery): Promise<void> {
  segments.dropLiveAbove(walk.at.segment.header.number);
  const alive = new Set(segments.live.map(({ file }) => file.name));
  for (const file of found) {
    if (!alive.has(file.file.name)) await segments.reclaim(file);
  }
}

function malformed(what: string): CorruptionError {
  return new CorruptionError('malformed', 'journal segment', what);
}
