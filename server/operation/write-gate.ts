/**
 * The gate that every write of a client goes through, which fsync with `lock: true` closes.
 *
 * Owns: how many locks are held or wanted, how many writes are inside, and who waits. Invariants:
 *  1. While a lock is held or wanted no write begins; those inside are waited for before the lock counts as held.
 *  2. Reads never ask.
 *  3. A lock that is only wanted can be given up by who wants it, and by nobody else.
 * Source: MongoDB's manual, "fsync": the lock is counted, each needs its fsyncUnlock.
 */
import { invariant } from '../../common/assert.ts';

/** One place in a queue. */
export interface Waiting {
  readonly over: Promise<void>;
  /** Waits no longer: nothing is kept of who was interrupted, however long the gate stays closed. */
  readonly cancel: () => void;
}

/** A lock on its way. Ends with exactly one of `take` and `giveUp`. */
export interface WantedLock {
  /** Over when no write is inside any more. */
  readonly drained: Waiting;
  /** @returns the locks held now, this one included. */
  readonly take: () => number;
  readonly giveUp: () => void;
}

type Queue = Set<() => void>;

export class WriteGate {
  private held = 0;
  private wanted = 0;
  private inside = 0;
  private readonly opened: Queue = new Set();
  private readonly drained: Queue = new Set();

  /** Locks held, those that are only wanted not counted. */
  get lockCount(): number {
    return this.held;
  }

  /** No write begins. */
  get isClosed(): boolean {
    return this.held + this.wanted > 0;
  }

  /** A write begins. Only when the gate is open. */
  enter(): void {
    invariant(!this.isClosed, 'write-gate 1: a write entered a closed gate');
    this.inside += 1;
  }

  /** A write has ended. */
  leave(): void {
    this.inside -= 1;
    if (this.inside === 0) wakeAll(this.drained);
  }

  /** Over when the gate opens; who waits looks again, it may be closed once more. */
  whenOpen(): Waiting {
    return waitIn(this.opened, !this.isClosed);
  }

  /** Closes the gate for one more lock. */
  want(): WantedLock {
    this.wanted += 1;
    return {
      drained: waitIn(this.drained, this.inside === 0),
      take: () => {
        this.wanted -= 1;
        this.held += 1;
        return this.held;
      },
      giveUp: () => {
        this.wanted -= 1;
        this.openIfFree();
      },
    };
  }

  /** Gives one held lock back; the last opens the gate. @returns the locks still held. */
  unlock(): number {
    invariant(this.held > 0, 'write-gate: unlocked more often than locked');
    this.held -= 1;
    this.openIfFree();
    return this.held;
  }

  private openIfFree(): void {
    if (!this.isClosed) wakeAll(this.opened);
  }
}

function waitIn(queue: Queue, isOver: boolean): Waiting {
  if (isOver) return { over: Promise.resolve(), cancel: () => {} };
  let wake = (): void => {};
  const over = new Promise<void>((resolve) => {
    wake = resolve;
  });
  queue.add(wake);
  return { over, cancel: () => void queue.delete(wake) };
}

function wakeAll(queue: Queue): void {
  const wakes = [...queue];
  queue.clear();
  for (const wake of wakes) wake();
}
