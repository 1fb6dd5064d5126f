/**
 * Bounds how fast the scrub reads: what it has read beyond its rate it waits for.
 */
import type { Clock } from '../../common/clock.ts';
import type { Interruption } from '../../common/interruption.ts';

/** Longest wait in one piece: the rate may change, and the scrub may be ended. Milliseconds. */
const LONGEST_WAIT_MS = 250;
/** Shorter waits are saved up: a timer has about a millisecond. */
const SHORTEST_WAIT_MS = 4;

export interface ScrubRate {
  /** Asked again and again: it may change at any time. Above 0. */
  readonly bytesPerSecond: () => number;
  readonly interruption: Interruption;
}

export class ScrubPace {
  private readonly clock: Clock;
  private readonly rate: ScrubRate;
  private lastMs: number;
  /** Read, and not yet waited for. */
  private debtBytes = 0;

  constructor(clock: Clock, rate: ScrubRate) {
    this.clock = clock;
    this.rate = rate;
    this.lastMs = clock.monotonicMs();
  }

  spend(bytes: number): void {
    this.debtBytes += bytes;
  }

  /** Resolves when the rate allows for more; undefined when it does already. @throws the interruption's reason */
  wait(): Promise<void> | undefined {
    this.payOff();
    return this.dueMs < SHORTEST_WAIT_MS ? undefined : this.waitUntilPaid();
  }

  private async waitUntilPaid(): Promise<void> {
    while (this.dueMs > 0) {
      this.rate.interruption.throwIfInterrupted();
      const delayMs = Math.min(LONGEST_WAIT_MS, Math.max(1, this.dueMs));
      await new Promise<void>((resolve) => {
        this.clock.after(delayMs, resolve);
      });
      this.payOff();
    }
  }

  private get dueMs(): number {
    return (this.debtBytes / this.rate.bytesPerSecond()) * 1000;
  }

  private payOff(): void {
    const nowMs = this.clock.monotonicMs();
    const paid = ((nowMs - this.lastMs) / 1000) * this.rate.bytesPerSecond();
    this.debtBytes = Math.max(0, this.debtBytes - paid);
    this.lastMs = nowMs;
  }
}
