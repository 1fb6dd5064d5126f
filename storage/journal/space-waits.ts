/**
 * What the journal does while the disk is full: waits, and tries again what had no space.
 *
 * A full disk is no failed flush: nothing was promised for what could not be written, and it can still be written when there
 * is space. Only a journal that is closing waits no more.
 */
import type { Clock, TimerHandle } from '../../common/clock.ts';
import { DeviceError } from '../../common/errors.ts';

const RETRY_MS = 100;

export class SpaceWaits {
  /** How often something had to wait. */
  count = 0;
  private readonly clock: Clock;
  private readonly onNoSpace: (error: DeviceError) => void;
  private readonly onFailure: (error: Error) => void;
  private waiting: (() => void)[] = [];
  private lastError: Error | undefined;
  private timer: TimerHandle | undefined;
  private isPatient = true;

  /** @param onFailure hears of errors that are no want of space, or are not waited for */
  constructor(
    clock: Clock,
    onNoSpace: (error: DeviceError) => void,
    onFailure: (error: Error) => void,
  ) {
    this.clock = clock;
    this.onNoSpace = onNoSpace;
    this.onFailure = onFailure;
  }

  get isWaiting(): boolean {
    return this.waiting.length > 0;
  }

  /** Something failed: for want of space it is tried `again` later, else it has failed. */
  add(error: Error, again: () => void): void {
    if (!this.isPatient || !isNoSpace(error)) {
      this.onFailure(error);
      return;
    }
    this.count += 1;
    this.lastError = error;
    this.waiting.push(again);
    this.timer ??= this.clock.after(RETRY_MS, () => this.tryAgain());
    this.onNoSpace(error);
  }

  /** There may be space: whoever waits tries again. */
  tryAgain(): void {
    this.timer?.cancel();
    this.timer = undefined;
    for (const again of this.waiting.splice(0)) again();
  }

  /** From here on a want of space is a failure; what waits has failed. */
  end(): void {
    this.isPatient = false;
    this.timer?.cancel();
    const { lastError } = this;
    if (this.isWaiting && lastError !== undefined) this.onFailure(lastError);
    this.waiting = [];
  }
}

export function isNoSpace(error: unknown): error is DeviceError {
  return error instanceof DeviceError && error.errno === 'ENOSPC';
}
