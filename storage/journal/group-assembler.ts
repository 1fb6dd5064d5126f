/**
 * Puts the entries of batches together to commits: an entry, or a chain of which only the last has the commit number.
 */
import { CorruptionError } from '../../common/errors.ts';
import type { CommitNumber } from '../contract.ts';
import {
  journalEntryLength,
  journalEntryStamp,
  readJournalEntry,
  type JournalEntry,
} from '../format/journal-entry.ts';
import { compareTimestamps, type Timestamp } from '../format/timestamp.ts';
import type { JournalGroup } from './contract.ts';
import type { ReadBatch } from './segment-reader.ts';

export class GroupAssembler {
  private commitNumber: CommitNumber;
  private timestamp: Timestamp;
  /** Entries of a commit whose last one has not come yet. */
  private chain: JournalEntry[] = [];
  /** Commits up to here are not handed over, and hardly looked at: a start reads the segment that its base ends in. */
  private readonly skipThrough: number;
  private isInSkippedChain = false;
  /** Entries read so far. */
  entries = 0;

  /** @param commitNumber and @param timestamp of the commit before the first batch */
  constructor(commitNumber: CommitNumber, timestamp: Timestamp, skipThrough = 0) {
    this.commitNumber = commitNumber;
    this.timestamp = timestamp;
    this.skipThrough = skipThrough;
  }

  get lastCommitNumber(): CommitNumber {
    return this.commitNumber;
  }

  get lastTimestamp(): Timestamp {
    return this.timestamp;
  }

  get isInChain(): boolean {
    return this.chain.length > 0 || this.isInSkippedChain;
  }

  /** The commits that end in this batch. Their memory is the batch's, and must not be used once the next one is read. */
  *groupsOf(batch: ReadBatch): Generator<JournalGroup> {
    // What was unfinished when the process before died never happened.
    if (batch.header.firstOfEpoch) {
      this.chain = [];
      this.isInSkippedChain = false;
    }
    let count = 0;
    let at = batch.entriesStart;
    while (at < batch.entriesEnd) {
      const bytes = journalEntryLength(batch.bytes, at, batch.entriesEnd);
      const isSkipped = this.commitNumber < this.skipThrough;
      const group = isSkipped
        ? this.skip(batch.bytes, at)
        : this.add(readJournalEntry(batch.bytes, at));
      at += bytes;
      count += 1;
      if (group !== undefined) yield group;
    }
    if (count !== batch.header.entryCount)
      throw malformed('a batch holds another number of entries');
    this.entries += count;
    this.chain = this.chain.map(inOwnMemory);
  }

  /** Takes commit number and time from an entry whose commit nobody asks for. */
  private skip(bytes: Buffer, at: number): undefined {
    const { cn, ts } = journalEntryStamp(bytes, at);
    this.isInSkippedChain = cn === undefined;
    if (cn !== undefined) this.advance(cn, ts);
  }

  private add(entry: JournalEntry): JournalGroup | undefined {
    this.chain.push(entry);
    if (entry.cn === undefined) return undefined;
    this.advance(entry.cn, entry.ts);
    const entries = this.chain;
    this.chain = [];
    return { commitNumber: entry.cn, timestamp: entry.ts, entries };
  }

  private advance(commitNumber: CommitNumber, timestamp: Timestamp): void {
    if (commitNumber !== this.commitNumber + 1)
      throw malformed('commit numbers are not consecutive');
    if (compareTimestamps(timestamp, this.timestamp) <= 0) throw malformed('time went backwards');
    this.commitNumber = commitNumber;
    this.timestamp = timestamp;
  }
}

function inOwnMemory(entry: JournalEntry): JournalEntry {
  return readJournalEntry(Buffer.from(entry.bytes), 0);
}

function malformed(what: string): CorruptionError {
  return new CorruptionError('malformed', 'journal batch', what);
}
