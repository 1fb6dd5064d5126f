/**
 * Which commit numbers open snapshots read at: what decides whether anybody can still see an old version.
 *
 * Owns: a list of (commit number, how many snapshots), in order. A new snapshot always reads at the latest commit
 * number, so the list grows only at its end.
 */
import { invariant } from '../../common/assert.ts';

/** One commit number at which `count` snapshots read. */
export interface SnapshotPin {
  readonly commitNumber: number;
  count: number;
  older: SnapshotPin | undefined;
  newer: SnapshotPin | undefined;
}

export class OpenSnapshots {
  private newest: SnapshotPin | undefined;
  private oldest: SnapshotPin | undefined;
  /** Snapshots open now. */
  count = 0;

  /** Adds a snapshot. @param commitNumber at least that of every snapshot added before */
  pin(commitNumber: number): SnapshotPin {
    this.count += 1;
    const newest = this.newest;
    if (newest?.commitNumber === commitNumber) {
      newest.count += 1;
      return newest;
    }
    invariant(
      newest === undefined || newest.commitNumber < commitNumber,
      'snapshots: a new one is older than the newest',
    );
    const pin: SnapshotPin = { commitNumber, count: 1, older: newest, newer: undefined };
    if (newest === undefined) this.oldest = pin;
    else newest.newer = pin;
    this.newest = pin;
    return pin;
  }

  unpin(pin: SnapshotPin): void {
    invariant(pin.count > 0, 'snapshots: one was let go twice');
    this.count -= 1;
    pin.count -= 1;
    if (pin.count > 0) return;
    if (pin.older === undefined) this.oldest = pin.newer;
    else pin.older.newer = pin.newer;
    if (pin.newer === undefined) this.newest = pin.older;
    else pin.newer.older = pin.older;
  }

  /** Whether some snapshot sees a version written at `from` and replaced at `to`: one in [from, to). */
  anySees(from: number, to: number): boolean {
    // Nearly always the replaced version is newer than every snapshot: one comparison.
    for (let pin = this.newest; pin !== undefined; pin = pin.older) {
      if (pin.commitNumber < from) return false;
      if (pin.commitNumber < to) return true;
    }
    return false;
  }

  /** Commit number of the oldest open snapshot, or Infinity. */
  oldestCommitNumber(): number {
    return this.oldest?.commitNumber ?? Infinity;
  }
}
