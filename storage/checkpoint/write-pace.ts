/**
 * How fast writes may go while a checkpoint folds: so that the room left in the delta lasts until it is through.
 *
 * Bytes are earned at the rate of room over time left, and spent by operations as they begin: what one costs is known afterwards,
 * so each is charged what the ones before it cost on average, and what the delta really grew by sets it right. The rate falls with the room
 * and never jumps to nothing: a fold that takes longer than thought makes writers slower and slower, and stops none.
 *
 * Owns: the account. Knows no clock and nobody who waits.
 */

/** Fold rate assumed before the first checkpoint, bytes per millisecond. */
const FIRST_FOLD_RATE = 20_000;
/** A fold that is late is taken to need this part of its time so far again, and at least so long, milliseconds. */
const LATE_PART = 0.25;
const LEAST_LEFT_MS = 50;
/** Earned in advance at most, milliseconds: who comes after a pause may not go on for long without a wait. */
const MOST_SAVED_MS = 10;
/** An operation that was charged and wrote nothing gets it back in about so long, milliseconds. */
const FORGIVEN_AFTER_MS = 100;
/** So many operations make one figure of what an operation costs. */
const AVERAGE_OVER = 16;
const LEAST_FOLD_BYTES = 1024 * 1024;
/** Weight of the newest figure in an average. */
const NEWEST_WEIGHT = 0.3;

/** The delta as the pace sees it. */
export interface PaceState {
  readonly nowMs: number;
  /** Of all generations above the base. */
  readonly deltaBytes: number;
  readonly budgetBytes: number;
  /** Of the generation that is being folded; 0 when none is. */
  readonly foldingBytes: number;
  /** When its fold began. */
  readonly foldBeganMs: number;
}

export class WritePace {
  /** Bytes per millisecond. */
  private foldRate = FIRST_FOLD_RATE;
  /** What may begin now, bytes; negative while writers wait. */
  private earned = 0;
  private atMs = 0;
  /** Of the delta when the account was last set right. */
  private knownBytes = 0;
  /** Charged for operations whose growth has not shown yet. */
  private outstanding = 0;
  /** What an operation costs on average; what was seen of it since the average was taken. */
  private operationBytes = 0;
  private seenBytes = 0;
  private seenOperations = 0;

  /** Hears of each fold that succeeded: how large the generation was and how long it took. */
  noteFold(bytes: number, tookMs: number): void {
    // Small ones say more of their fixed cost than of the rate.
    if (bytes < LEAST_FOLD_BYTES || tookMs <= 0) return;
    this.foldRate += (bytes / tookMs - this.foldRate) * NEWEST_WEIGHT;
  }

  /** Whether an operation may begin; if so, it is charged. */
  mayBegin(state: PaceState): boolean {
    this.settle(state);
    if (this.earned < 0) return false;
    this.earned -= this.operationBytes;
    this.outstanding += this.operationBytes;
    this.seenOperations += 1;
    return true;
  }

  /** Begins anew after a time in which nobody had to wait. What an operation costs is remembered. */
  rest({ nowMs, deltaBytes }: PaceState): void {
    this.atMs = nowMs;
    this.knownBytes = deltaBytes;
    this.earned = 0;
    this.outstanding = 0;
    this.seenBytes = 0;
    this.seenOperations = 0;
  }

  /** Bytes per millisecond that the room allows. */
  private rateIn(state: PaceState): number {
    const { nowMs, deltaBytes, budgetBytes, foldingBytes, foldBeganMs } = state;
    const room = Math.max(0, budgetBytes - deltaBytes);
    const passedMs = nowMs - foldBeganMs;
    const expectedMs = foldingBytes / this.foldRate - passedMs;
    return room / Math.max(expectedMs, passedMs * LATE_PART, LEAST_LEFT_MS);
  }

  private settle(state: PaceState): void {
    const { nowMs, deltaBytes } = state;
    const rate = this.rateIn(state);
    const passedMs = nowMs - this.atMs;
    const grown = Math.max(0, deltaBytes - this.knownBytes);
    this.noteGrowth(grown);
    const covered = Math.min(this.outstanding, grown);
    // Who was charged and has written nothing so far is unlikely to.
    const forgiven = (this.outstanding - covered) * Math.min(1, passedMs / FORGIVEN_AFTER_MS);
    this.outstanding -= covered + forgiven;
    this.earned += rate * passedMs + covered + forgiven - grown;
    this.earned = Math.min(this.earned, rate * MOST_SAVED_MS);
    this.atMs = nowMs;
    this.knownBytes = deltaBytes;
  }

  private noteGrowth(grown: number): void {
    this.seenBytes += grown;
    if (this.seenOperations < AVERAGE_OVER) return;
    const each = this.seenBytes / this.seenOperations;
    this.operationBytes += (each - this.operationBytes) * NEWEST_WEIGHT;
    this.seenBytes = 0;
    this.seenOperations = 0;
  }
}
