/**
 * Time as a parameter: a real clock for programs, a manual one for tests and simulation.
 *
 * Promises: only this folder calls Date.now, performance.now and setTimeout.
 */

/** A timer that was asked for; `cancel` is idempotent. */
export interface TimerHandle {
  cancel(): void;
}

export interface Clock {
  /** Wall-clock time, milliseconds since 1970. May step back. */
  wallMs(): number;
  /** Milliseconds since an arbitrary start; never steps back; fractions allowed. */
  monotonicMs(): number;
  /** Calls `run` once after at least `delayMs` >= 0. Does not keep the process alive. */
  after(delayMs: number, run: () => void): TimerHandle;
}

/** Waits on a clock. */
export function sleep(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(delayMs, resolve);
  });
}

export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs);
    timer.unref();
    return { cancel: () => clearTimeout(timer) };
  },
};

/**
 * The system's clock for who only waits: its timers keep the process alive, as a deadline must when nothing else does (a
 * program that waits for a server which is not there).
 */
export const foregroundClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs);
    return { cancel: () => clearTimeout(timer) };
  },
};

interface ManualTimer {
  readonly dueMs: number;
  readonly sequence: number;
  readonly run: () => void;
}

/** A clock that moves only when told to. Timers fire in order of due time, then of creation. */
export class ManualClock implements Clock {
  private nowMs: number;
  private sequence = 0;
  private timers: ManualTimer[] = [];

  constructor(startMs = 1_700_000_000_000) {
    this.nowMs = startMs;
  }

  wallMs(): number {
    return this.nowMs;
  }

  monotonicMs(): number {
    return this.nowMs;
  }

  after(delayMs: number, run: () => void): TimerHandle {
    const timer = { dueMs: this.nowMs + delayMs, sequence: this.sequence++, run };
    this.timers.push(timer);
    return {
      cancel: () => {
        this.timers = this.timers.filter((other) => other !== timer);
      },
    };
  }

  /** Moves time forward by `byMs` and fires what is due on the way. */
  advance(byMs: number): void {
    const untilMs = this.nowMs + byMs;
    for (;;) {
      const due = this.timers
        .filter((timer) => timer.dueMs <= untilMs)
        .sort((a, b) => a.dueMs - b.dueMs || a.sequence - b.sequence)[0];
      if (due === undefined) break;
      this.timers = this.timers.filter((timer) => timer !== due);
      this.nowMs = Math.max(this.nowMs, due.dueMs);
      due.run();
    }
    this.nowMs = untilMs;
  }
}
