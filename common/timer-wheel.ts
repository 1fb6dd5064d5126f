/**
 * One timer wheel for all deadlines of a process: idle connections, maxTimeMS, cursors, sessions.
 *
 * Owns: the slots and the one timer that is armed on the clock. Setting, moving and cancelling a deadline cost a few
 * pointer writes, so a deadline per operation is cheap.
 * Promises: a deadline fires at or after its time, at most one tick late while the event loop is free; deadlines of one tick
 * fire in no particular order; an exception in one goes to `onError` and stops no other.
 * Invariants:
 *  1. An entry is in the slot of its due tick, or in none.
 *  2. While any entry is set, the clock's timer is armed for no later than the earliest occupied slot of this round.
 * Source: Varghese and Lauck, "Hashed and Hierarchical Timing Wheels" (scheme 6, a hashed wheel with rounds).
 */
import { invariant } from './assert.ts';
import type { Clock, TimerHandle } from './clock.ts';

const TICK_MS = 10;
const SLOT_COUNT = 1024;

/** A time at which something is called unless it is cancelled or moved before. */
export class Deadline {
  /** Internal to the wheel: neighbours in the slot, and the tick at which it fires. */
  next: Deadline | undefined;
  previous: Deadline | undefined;
  slot = -1;
  dueTick = 0;
  readonly run: () => void;
  private readonly wheel: TimerWheel;

  /** Made by TimerWheel.create. */
  constructor(wheel: TimerWheel, run: () => void) {
    this.wheel = wheel;
    this.run = run;
  }

  get isSet(): boolean {
    return this.slot >= 0;
  }

  /** Sets it, or moves it, to `delayMs` >= 0 from now. */
  set(delayMs: number): void {
    this.wheel.insert(this, delayMs);
  }

  /** Idempotent. */
  cancel(): void {
    if (this.slot >= 0) this.wheel.remove(this);
  }
}

export class TimerWheel {
  private readonly slots: (Deadline | undefined)[] = Array.from({ length: SLOT_COUNT });
  private readonly clock: Clock;
  private readonly onError: (error: unknown) => void;
  private count = 0;
  /** Every slot up to and including this tick has been served. */
  private servedTick: number;
  private armed: TimerHandle | undefined;
  private armedTick = Infinity;

  constructor(clock: Clock, onError: (error: unknown) => void) {
    this.clock = clock;
    this.onError = onError;
    this.servedTick = this.nowTick();
  }

  /** A deadline that is not set yet. */
  create(run: () => void): Deadline {
    return new Deadline(this, run);
  }

  /** A deadline that fires `delayMs` from now. */
  after(delayMs: number, run: () => void): Deadline {
    const deadline = this.create(run);
    deadline.set(delayMs);
    return deadline;
  }

  /** How many deadlines are set. */
  get size(): number {
    return this.count;
  }

  /** Cancels the clock's timer; deadlines that are set never fire. */
  close(): void {
    this.armed?.cancel();
    this.armed = undefined;
    this.armedTick = -Infinity;
  }

  /** For Deadline only. */
  insert(deadline: Deadline, delayMs: number): void {
    invariant(delayMs >= 0, 'timer-wheel: a delay is negative');
    if (deadline.slot >= 0) this.remove(deadline);
    const dueTick = Math.max(
      Math.ceil((this.clock.monotonicMs() + delayMs) / TICK_MS),
      this.servedTick + 1,
    );
    const slot = dueTick % SLOT_COUNT;
    const head = this.slots[slot];
    deadline.dueTick = dueTick;
    deadline.slot = slot;
    deadline.previous = undefined;
    deadline.next = head;
    if (head !== undefined) head.previous = deadline;
    this.slots[slot] = deadline;
    this.count += 1;
    if (dueTick < this.armedTick) this.arm(dueTick);
  }

  /** For Deadline only. */
  remove(deadline: Deadline): void {
    invariant(deadline.slot >= 0, 'timer-wheel 1: a removed deadline was not set');
    if (deadline.previous === undefined) this.slots[deadline.slot] = deadline.next;
    else deadline.previous.next = deadline.next;
    if (deadline.next !== undefined) deadline.next.previous = deadline.previous;
    deadline.next = undefined;
    deadline.previous = undefined;
    deadline.slot = -1;
    this.count -= 1;
  }

  private nowTick(): number {
    return Math.floor(this.clock.monotonicMs() / TICK_MS);
  }

  private arm(tick: number): void {
    this.armed?.cancel();
    this.armedTick = tick;
    const delayMs = Math.max(0, tick * TICK_MS - this.clock.monotonicMs());
    this.armed = this.clock.after(delayMs, () => this.serve());
  }

  private serve(): void {
    this.armed = undefined;
    this.armedTick = Infinity;
    const nowTick = this.nowTick();
    const due: Deadline[] = [];
    // One round reaches every slot, however long the event loop was held.
    const lastTick = Math.min(nowTick, this.servedTick + SLOT_COUNT);
    for (let tick = this.servedTick + 1; tick <= lastTick; tick += 1) {
      let entry = this.slots[tick % SLOT_COUNT];
      while (entry !== undefined) {
        if (entry.dueTick <= nowTick) due.push(entry);
        entry = entry.next;
      }
    }
    this.servedTick = Math.max(this.servedTick, nowTick);
    for (const deadline of due) {
      // An earlier one of this turn may have cancelled or moved it.
      if (deadline.slot >= 0 && deadline.dueTick <= nowTick) this.fire(deadline);
    }
    this.armNext();
  }

  private fire(deadline: Deadline): void {
    this.remove(deadline);
    try {
      deadline.run();
    } catch (error) {
      this.onError(error);
    }
  }

  /** Arms for the first occupied slot of the coming round: entries of later rounds are looked at once a round. */
  private armNext(): void {
    if (this.count === 0 || this.armedTick === -Infinity) return;
    for (let tick = this.servedTick + 1; tick <= this.servedTick + SLOT_COUNT; tick += 1) {
      if (this.slots[tick % SLOT_COUNT] === undefined) continue;
      if (tick < this.armedTick) this.arm(tick);
      return;
    }
  }
}
