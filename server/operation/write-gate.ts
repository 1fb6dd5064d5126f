/**
 * The gate that every write of a client goes through, which fsync with `lock: true` closes.
 *
 * Owns: how many locks are held, and how many writes are inside. Invariants:
 *  1. While the gate is closed no write begins; those inside are waited for before the lock counts as taken.
 *  2. Reads never ask.
 * Source: MongoDB's manual, "fsync": the lock is counted, each needs its fsyncUnlock.
 */
import { invariant } from '../../common/assert.ts';

export class WriteGate {
  private locks = 0;
  private inside = 0;
  private opened: (() => void)[] = [];
  private drained: (() => void)[] = [];

  /** Locks held; 0: writes go on. */
  get lockCount(): number {
    return this.locks;
  }

  get isClosed(): boolean {
    return this.locks > 0;
  }

  /** A write begins. Only when the gate is open. */
  enter(): void {
    invariant(this.locks === 0, 'write-gate 1: a write entered a closed gate');
    this.inside += 1;
  }

  /** A write has ended. */
  leave(): void {
    this.inside -= 1;
    if (this.inside === 0) for (const wake of this.drained.splice(0)) wake();
  }

  /** Resolves when the gate opens; who waits looks again, it may be closed once more. */
  whenOpen(): Promise<void> {
    if (!this.isClosed) return Promise.resolve();
    return new Promise((resolve) => this.opened.push(resolve));
  }

  /** Takes one more lock. @returns resolves when no write is inside any more. */
  lock(): Promise<void> {
    this.locks += 1;
    if (this.inside === 0) return Promise.resolve();
    return new Promise((resolve) => this.drained.push(resolve));
  }

  /** Gives one lock back; the last opens the gate. @returns the locks still held. */
  unlock(): number {
    invariant(this.locks > 0, 'write-gate: unlocked more often than locked');
    this.locks -= 1;
    if (this.locks === 0) for (const wake of this.opened.splice(0)) wake();
    return this.locks;
  }
}
