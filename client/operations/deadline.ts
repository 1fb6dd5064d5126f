/**
 * timeoutMS: the end of an operation, shared by everything that it waits for.
 * Source: driver specification "Client Side Operations Timeout".
 */
import type { Clock } from '../../common/clock.ts';
import { MongoOperationTimeoutError } from '../errors/driver-errors.ts';

export class Deadline {
  /** Nobody set timeoutMS: the other time-outs hold. */
  static readonly none = new Deadline(undefined, undefined);

  private readonly clock: Clock | undefined;
  private readonly endMs: number;
  /** As it was set; 0 for no end. */
  readonly timeoutMS: number | undefined;

  /** @param timeoutMS milliseconds from now; 0: no end, but the old time-outs do not hold either. */
  static in(clock: Clock, timeoutMS: number | undefined): Deadline {
    return timeoutMS === undefined ? Deadline.none : new Deadline(clock, timeoutMS);
  }

  private constructor(clock: Clock | undefined, timeoutMS: number | undefined) {
    this.clock = clock;
    this.timeoutMS = timeoutMS;
    this.endMs =
      clock === undefined || timeoutMS === undefined || timeoutMS === 0
        ? Infinity
        : clock.monotonicMs() + timeoutMS;
  }

  get isSet(): boolean {
    return this.timeoutMS !== undefined;
  }

  /** Milliseconds; undefined when timeoutMS is not set, Infinity when it has no end. */
  get leftMs(): number | undefined {
    if (!this.isSet) return undefined;
    return this.clock === undefined || this.endMs === Infinity
      ? Infinity
      : this.endMs - this.clock.monotonicMs();
  }

  throwIfOver(): void {
    const left = this.leftMs;
    if (left !== undefined && left <= 0) {
      throw new MongoOperationTimeoutError(`Timed out after ${this.timeoutMS}ms`);
    }
  }
}
