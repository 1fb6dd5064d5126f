/**
 * Decides when a checkpoint is due, and lets writers begin no faster than the delta's room and the journal's device allow.
 *
 * Only the start of a write operation waits here, never a commit, an abort or a decision. Who waits is let on in order of arrival, and
 * hears of an interruption within milliseconds. Nobody waits for a checkpoint that cannot succeed: on a full disk, or once
 * the store has failed, writers get that error.
 */
import { CommandError, DeviceError } from '../../common/errors.ts';
import type { Clock } from '../../common/clock.ts';
import type { Interruption } from '../../common/interruption.ts';
import type { MaybePromise } from '../contract.ts';
import { requireWorking, type StoreState } from '../views/store-state.ts';
import type { Checkpointer } from './checkpoint.ts';
import { WritePace, type PaceState } from './write-pace.ts';

/** Of the budget: the active generation is frozen at this size, so that as much is left for writes meanwhile. */
const CHECKPOINT_SHARE = 0.5;
/** Of the budget: below, nobody waits. */
const FREE_SHARE = 0.6;
/** Appended to the journal and not yet on its device: beyond it the device is what everybody waits for, bytes. */
const MOST_UNFLUSHED_BYTES = 32 * 1024 * 1024;
/** Of the budget, besides: what waits stands in buffers that are never given back. */
const UNFLUSHED_SHARE = 0.25;
/** How often those who wait are looked after, milliseconds. */
const POLL_MS = 4;
/** After a checkpoint that failed the next one begins so much later, and twice as much after each further failure. */
const RETRY_DELAY_MS = 25;

/** Somebody who wants to begin to write. */
interface Waiter {
  readonly interruption: Interruption;
  readonly sinceMs: number;
  readonly begin: () => void;
  readonly refuse: (error: unknown) => void;
}

export class Admission {
  /** Operations that had to wait, and how long in all, milliseconds. */
  delayed = 0;
  delayedMs = 0;
  private readonly store: StoreState;
  private readonly checkpointer: Checkpointer;
  private readonly clock: Clock;
  readonly budgetBytes: number;
  private readonly onError: (error: unknown) => void;
  private lastFailure: unknown;
  private retryAtMs = 0;
  private closed = false;
  private readonly pace = new WritePace();
  /** In order of arrival. */
  private waiters: Waiter[] = [];
  private isPolling = false;
  private isPacing = false;

  constructor(options: {
    readonly store: StoreState;
    readonly checkpointer: Checkpointer;
    readonly clock: Clock;
    readonly budgetBytes: number;
    /** Hears of background checkpoints that failed. */
    readonly onError: (error: unknown) => void;
  }) {
    this.store = options.store;
    this.checkpointer = options.checkpointer;
    this.clock = options.clock;
    this.budgetBytes = options.budgetBytes;
    this.onError = options.onError;
  }

  /** Memory of the generations above the current base, bytes. */
  get deltaBytes(): number {
    let bytes = 0;
    for (const generation of this.store.epoch.generations) bytes += generation.memoryBytes;
    return bytes;
  }

  /** Whether the active generation is large enough to be folded. */
  get isCheckpointDue(): boolean {
    return this.store.epoch.generations[0].memoryBytes >= this.budgetBytes * CHECKPOINT_SHARE;
  }

  admit(interruption: Interruption): MaybePromise<void> {
    if (this.isFoldDue && this.mayStart) this.startCheckpoint();
    if (this.waiters.length === 0 && this.mayBegin()) return undefined;
    return this.wait(interruption);
  }

  /** Starts a checkpoint that nobody waits for. */
  startCheckpoint(): void {
    const foldedBytes = this.store.epoch.generations[0].memoryBytes;
    this.checkpointer.start().then(
      () => {
        this.lastFailure = undefined;
        this.pace.noteFold(foldedBytes, this.checkpointer.lastDurationMs);
      },
      (error: unknown) => {
        this.lastFailure = error;
        const delayMs = RETRY_DELAY_MS * 2 ** this.checkpointer.failuresInARow;
        this.retryAtMs = this.clock.monotonicMs() + delayMs;
        this.onError(error);
      },
    );
  }

  /** From here on nobody waits, and no checkpoint begins by itself. */
  close(): void {
    this.closed = true;
  }

  /** Also when a generation is frozen, and its fold has failed: nothing else would begin it again while writers wait. */
  private get isFoldDue(): boolean {
    return this.isCheckpointDue || this.store.epoch.generations.length > 1;
  }

  private get mayStart(): boolean {
    return !this.checkpointer.isRunning && this.clock.monotonicMs() >= this.retryAtMs;
  }

  private get mostUnflushedBytes(): number {
    return Math.min(MOST_UNFLUSHED_BYTES, this.budgetBytes * UNFLUSHED_SHARE);
  }

  private mayBegin(): boolean {
    const { store } = this;
    if (store.journal.pendingBytes > this.mostUnflushedBytes) return false;
    if (this.deltaBytes < this.budgetBytes * FREE_SHARE) {
      this.isPacing = false;
      return true;
    }
    const state = this.paceState();
    if (!this.isPacing) this.pace.rest(state);
    this.isPacing = true;
    return state.deltaBytes < this.budgetBytes && this.pace.mayBegin(state);
  }

  private paceState(): PaceState {
    const { budgetBytes, checkpointer, deltaBytes } = this;
    const nowMs = this.clock.monotonicMs();
    const [, folding] = this.store.epoch.generations;
    return {
      nowMs,
      deltaBytes,
      budgetBytes,
      foldingBytes: folding?.memoryBytes ?? 0,
      foldBeganMs: checkpointer.isRunning ? checkpointer.beganMs : nowMs,
    };
  }

  private wait(interruption: Interruption): Promise<void> {
    this.delayed += 1;
    return new Promise((begin, refuse) => {
      this.waiters.push({ interruption, sinceMs: this.clock.monotonicMs(), begin, refuse });
      this.poll();
    });
  }

  private poll(): void {
    if (this.isPolling) return;
    this.isPolling = true;
    this.clock.after(POLL_MS, () => {
      this.isPolling = false;
      this.lookAfterWaiters();
      if (this.waiters.length > 0) this.poll();
    });
  }

  private lookAfterWaiters(): void {
    const { waiters } = this;
    this.waiters = [];
    let mayBegin = true;
    for (const waiter of waiters) {
      try {
        this.throwIfHopeless(waiter.interruption);
      } catch (error) {
        this.delayedMs += this.clock.monotonicMs() - waiter.sinceMs;
        waiter.refuse(error);
        continue;
      }
      mayBegin &&= this.mayBegin();
      if (mayBegin) {
        this.delayedMs += this.clock.monotonicMs() - waiter.sinceMs;
        waiter.begin();
      } else {
        this.waiters.push(waiter);
      }
    }
    if (this.waiters.length > 0 && this.isFoldDue && this.mayStart) this.startCheckpoint();
  }

  private throwIfHopeless(interruption: Interruption): void {
    requireWorking(this.store);
    interruption.throwIfInterrupted();
    if (this.closed) throw new CommandError('InterruptedAtShutdown', 'interrupted at shutdown');
    if (this.deltaBytes >= this.budgetBytes) this.refuseOnFullDisk();
    const { journal } = this.store;
    if (journal.isWaitingForSpace && journal.pendingBytes > this.mostUnflushedBytes) {
      throw new CommandError('OutOfDiskSpace', 'No space is left for the journal');
    }
  }

  private refuseOnFullDisk(): void {
    const failure = this.lastFailure;
    if (failure instanceof DeviceError && failure.errno === 'ENOSPC') {
      throw new CommandError('OutOfDiskSpace', 'No space is left to store what was written', {
        cause: failure,
      });
    }
  }
}
