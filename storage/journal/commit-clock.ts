/**
 * Hands out commit numbers and timestamps: each commit one of both, and both only grow.
 *
 * Never: steps back. When the wall clock does, or a second holds very many commits, the increment grows instead.
 */
import { invariant } from '../../common/assert.ts';
import type { Clock } from '../../common/clock.ts';
import type { CommitNumber } from '../contract.ts';
import type { JournalStamp } from '../format/journal-entry.ts';
import { compareTimestamps, ZERO_TIMESTAMP, type Timestamp } from '../format/timestamp.ts';

const LARGEST_INCREMENT = 0xffff_ffff;

export class CommitClock {
  private readonly clock: Clock;
  private readonly term: number;
  private commitNumber = 0 as CommitNumber;
  private timestamp: Timestamp = ZERO_TIMESTAMP;

  constructor(clock: Clock, term: number) {
    this.clock = clock;
    this.term = term;
  }

  get lastCommitNumber(): CommitNumber {
    return this.commitNumber;
  }

  get lastTimestamp(): Timestamp {
    return this.timestamp;
  }

  /** Goes on after a commit that was found in the journal. */
  continueAfter(commitNumber: CommitNumber, timestamp: Timestamp): void {
    invariant(commitNumber >= this.commitNumber, 'commit clock: commit numbers only grow');
    invariant(compareTimestamps(timestamp, this.timestamp) >= 0, 'commit clock: time only grows');
    this.commitNumber = commitNumber;
    this.timestamp = timestamp;
  }

  /** Draws the next commit. */
  next(): JournalStamp {
    const wallMs = Math.max(0, Math.floor(this.clock.wallMs()));
    this.timestamp = timestampAfter(this.timestamp, Math.floor(wallMs / 1000));
    this.commitNumber = (this.commitNumber + 1) as CommitNumber;
    return {
      commitNumber: this.commitNumber,
      timestamp: this.timestamp,
      term: this.term,
      wallMs,
    };
  }
}

/** The smallest timestamp after `last` whose seconds are not before the wall clock's. */
export function timestampAfter(last: Timestamp, wallSeconds: number): Timestamp {
  if (wallSeconds > last.seconds) return { seconds: wallSeconds, increment: 1 };
  if (last.increment < LARGEST_INCREMENT) {
    return { seconds: last.seconds, increment: last.increment + 1 };
  }
  return { seconds: last.seconds + 1, increment: 1 };
}
