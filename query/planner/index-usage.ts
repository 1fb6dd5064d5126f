/**
 * How often plans have used each index: what $indexStats shows.
 *
 * Owns: the counters, from the start of the server or the creation of an index on. They are not kept across restarts, as in MongoDB.
 */
import type { Clock } from '../../common/clock.ts';
import type { IndexDescription } from '../../storage/index.ts';

export interface IndexAccesses {
  /** Operations that read the index. */
  readonly operations: number;
  /** Since when they are counted, milliseconds since 1970. */
  readonly sinceWallMs: number;
}

/** Those of indexes that are long gone must not stay for ever. */
const MAX_COUNTERS = 100_000;

export class IndexUsage {
  private readonly clock: Clock;
  private readonly startedWallMs: number;
  private readonly counters = new Map<number, { operations: number; sinceWallMs: number }>();

  constructor(clock: Clock) {
    this.clock = clock;
    this.startedWallMs = clock.wallMs();
  }

  /** A plan that reads these indexes begins to run. */
  used(indexes: readonly IndexDescription[]): void {
    for (const index of indexes) this.counterOf(index).operations += 1;
  }

  usedOne(index: IndexDescription): void {
    this.counterOf(index).operations += 1;
  }

  /** An index was created: it is counted from now on. */
  created(index: IndexDescription): void {
    this.counters.set(index.ident, { operations: 0, sinceWallMs: this.clock.wallMs() });
    if (this.counters.size <= MAX_COUNTERS) return;
    const oldest = this.counters.keys().next().value;
    if (oldest !== undefined) this.counters.delete(oldest);
  }

  accessesOf(index: IndexDescription): IndexAccesses {
    return this.counters.get(index.ident) ?? { operations: 0, sinceWallMs: this.startedWallMs };
  }

  private counterOf(index: IndexDescription): { operations: number; sinceWallMs: number } {
    let counter = this.counters.get(index.ident);
    if (counter === undefined) {
      counter = { operations: 0, sinceWallMs: this.startedWallMs };
      this.counters.set(index.ident, counter);
    }
    return counter;
  }
}
