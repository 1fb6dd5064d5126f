/**
 * When a migration has caught up with its writers: how many changes may be left for the critical section, and when writers are held
 * back for a round because they are faster than what is sent.
 *
 * Owns: the speed at which changes were sent. Promises: what is left for the critical section is sent within a tenth of a second, as far
 * as the rounds before it tell.
 * Source: what MongoDB has in README_migrations as the critical section's bound on what is left to transfer.
 */

/** As few changes as are sent at once whatever the speed was. */
const FEW_CHANGES = 20;
/** Of the critical section's time so much is for changes, milliseconds. */
const RESIDUE_MS = 50;
/** Rounds beside writers that go on; a round that is one tenth of the one before each time would need three for a million changes. */
const FREE_ROUNDS = 10;
/** For so long writers are held back in one round, and for so long they go on behind it, milliseconds. */
const HELD_MS = 100;
const RELEASED_MS = 20;
const MAX_ROUNDS = 500;

export class CatchUpPace {
  rounds = 0;
  private changesPerMs = 0;

  /** What is left can be sent while nobody writes. */
  isEnough(left: number): boolean {
    return left <= Math.max(FEW_CHANGES, this.changesPerMs * RESIDUE_MS);
  }

  /** Writers are as fast as what is sent: they wait for a moment in each round. */
  get holdsWriters(): boolean {
    return this.rounds >= FREE_ROUNDS;
  }

  get pauseMs(): number {
    return RELEASED_MS;
  }

  /** Most changes of the next round. */
  get most(): number {
    return this.holdsWriters ? Math.max(FEW_CHANGES, this.changesPerMs * HELD_MS) : Infinity;
  }

  /** It was tried for long enough. */
  get isHopeless(): boolean {
    return this.rounds >= MAX_ROUNDS;
  }

  note(changes: number, tookMs: number): void {
    this.rounds += 1;
    this.changesPerMs = changes / Math.max(1, tookMs);
  }
}
