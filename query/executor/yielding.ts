/**
 * Cooperative turns: long work gives up the event loop after a slice of time and waits for its next turn.
 *
 * Owns: the queue of waiting slices. One slice runs per turn of the event loop, so that sockets are served in between.
 * Promises: clients take turns in a circle, however many scans each of them runs; background work gets one turn in
 * BACKGROUND_SHARE when clients wait, and every turn when none does.
 */
import type { Clock } from '../../common/clock.ts';
import type { Interruption } from '../../common/interruption.ts';

/** Identity of somebody who gets an equal share of turns: a connection, say. */
export interface TurnClient {
  readonly background?: boolean;
}

/** Work runs this long before it offers the turn to others, milliseconds. */
export const SLICE_MS = 2;
/** Of this many turns one goes to background work while clients are waiting. */
export const BACKGROUND_SHARE = 10;

type Resume = () => void;

/** Deals out turns of the event loop. */
export class Scheduler {
  private readonly clients = new Map<TurnClient, Resume[]>();
  private readonly background: Resume[] = [];
  private turns = 0;
  private scheduled = false;

  /** Resolves when the client may run its next slice. */
  turn(client: TurnClient): Promise<void> {
    return new Promise((resolve) => {
      this.enqueue(client, resolve);
      this.schedule();
    });
  }

  private enqueue(client: TurnClient, resume: Resume): void {
    if (client.background === true) {
      this.background.push(resume);
      return;
    }
    const waiting = this.clients.get(client);
    if (waiting === undefined) this.clients.set(client, [resume]);
    else waiting.push(resume);
  }

  private schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    setImmediate(() => {
      this.scheduled = false;
      this.nextSlice()?.();
      if (this.clients.size > 0 || this.background.length > 0) this.schedule();
    });
  }

  private nextSlice(): Resume | undefined {
    this.turns += 1;
    const isForBackground = this.clients.size === 0 || this.turns % BACKGROUND_SHARE === 0;
    if (isForBackground && this.background.length > 0) return this.background.shift();
    for (const [client, waiting] of this.clients) {
      // Taking the client out and putting it back moves it to the end of the circle.
      this.clients.delete(client);
      const resume = waiting.shift();
      if (waiting.length > 0) this.clients.set(client, waiting);
      return resume;
    }
    return undefined;
  }
}

/** The turns of this process's event loop: there is one loop, so there is one scheduler. */
export const eventLoopTurns = new Scheduler();

const FIRST_TICKS = 32;
const MAX_TICKS = 1024;
/** The clock is asked about this often, milliseconds. */
const CHECK_MS = 0.25;

/**
 * Counts the work of one executor and says when its slice is over.
 * The clock is not asked per document: the number of ticks between two looks follows how long they took.
 */
export class Yielder {
  private readonly clock: Clock;
  private readonly scheduler: Scheduler;
  private readonly client: TurnClient;
  private remaining = FIRST_TICKS;
  private ticksPerCheck = FIRST_TICKS;
  private sliceStartMs = -1;
  private lastCheckMs = -1;
  /** Asked at every yield. */
  interruption: Interruption;
  /** Counts the yields. */
  statistics: { yields: number } | undefined;
  /** Called after a yield, before work goes on: renews the view of a scan without snapshot. */
  onResume: (() => void) | undefined;

  constructor(
    clock: Clock,
    interruption: Interruption,
    client: TurnClient = {},
    scheduler: Scheduler = eventLoopTurns,
  ) {
    this.clock = clock;
    this.interruption = interruption;
    this.client = client;
    this.scheduler = scheduler;
  }

  /** One unit of work was done. @returns true when the caller must await `pause()` before it goes on. */
  tick(): boolean {
    this.remaining -= 1;
    return this.remaining <= 0 && this.sliceIsOver();
  }

  /** Waits for the next turn. @throws the interruption's reason. */
  async pause(): Promise<void> {
    this.interruption.throwIfInterrupted();
    if (this.statistics !== undefined) this.statistics.yields += 1;
    await this.scheduler.turn(this.client);
    this.interruption.throwIfInterrupted();
    this.startSlice();
    this.onResume?.();
  }

  /** A new batch begins: the time that passed in between is not this work's. */
  startSlice(): void {
    this.sliceStartMs = -1;
    this.lastCheckMs = -1;
    this.remaining = Math.min(this.ticksPerCheck, FIRST_TICKS);
  }

  private sliceIsOver(): boolean {
    const nowMs = this.clock.monotonicMs();
    if (this.sliceStartMs < 0) {
      this.sliceStartMs = nowMs;
    } else {
      this.adaptTicks(nowMs - this.lastCheckMs);
    }
    this.lastCheckMs = nowMs;
    this.remaining = this.ticksPerCheck;
    this.interruption.throwIfInterrupted();
    return nowMs - this.sliceStartMs >= SLICE_MS;
  }

  private adaptTicks(elapsedMs: number): void {
    if (elapsedMs < CHECK_MS) this.ticksPerCheck = Math.min(this.ticksPerCheck * 2, MAX_TICKS);
    else if (elapsedMs > 4 * CHECK_MS) this.ticksPerCheck = Math.max(this.ticksPerCheck >> 1, 1);
  }
}
