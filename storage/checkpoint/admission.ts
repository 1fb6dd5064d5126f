/**
 * Decides when a checkpoint is due, and slows writers smoothly when the delta outgrows its budget.
 *
 * Only the start of a write operation waits here, never a commit, an abort or a decision. Nobody waits for a checkpoint that
 * cannot succeed: on a full disk, or once the store has failed, writers get that error.
 */
import { CommandError, DeviceError } from '../../common/errors.ts';
import { sleep, type Clock } from '../../common/clock.ts';
import type { Interruption } from '../../common/interruption.ts';
import type { MaybePromise } from '../contract.ts';
import { requireWorking, type StoreState } from '../views/store-state.ts';
import type { Checkpointer } from './checkpoint.ts';

/** Of the budget: the active generation is frozen at this size, so that as much is left for writes meanwhile. */
const CHECKPOINT_SHARE = 0.5;
/** Of the budget: from here on writers wait, the longer the fuller. */
const SLOW_SHARE = 0.8;
const LONGEST_DELAY_MS = 20;
/** How often a writer that has to wait looks again, milliseconds. */
const FULL_POLL_MS = 5;
/** After a checkpoint that failed the next one begins so much later, and twice as much after each further failure. */
const RETRY_DELAY_MS = 25;

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
    if (this.isCheckpointDue && this.mayStart) this.startCheckpoint();
    if (this.deltaBytes < this.budgetBytes * SLOW_SHARE) return undefined;
    return this.wait(interruption);
  }

  /** Starts a checkpoint that nobody waits for. */
  startCheckpoint(): void {
    this.checkpointer.start().then(
      () => {
        this.lastFailure = undefined;
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

  private get mayStart(): boolean {
    return !this.checkpointer.isRunning && this.clock.monotonicMs() >= this.retryAtMs;
  }

  private async wait(interruption: Interruption): Promise<void> {
    this.delayed += 1;
    const startMs = this.clock.monotonicMs();
    const fullness = this.deltaBytes / this.budgetBytes;
    const share = Math.min(1, (fullness - SLOW_SHARE) / (1 - SLOW_SHARE));
    // Squared: hardly felt at first, then enough to let the checkpoint catch up.
    await sleep(this.clock, Math.max(1, LONGEST_DELAY_MS * share * share));
    while (this.deltaBytes >= this.budgetBytes) {
      requireWorking(this.store);
      interruption.throwIfInterrupted();
      if (this.closed) {
        throw new CommandError('InterruptedAtShutdown', 'interrupted at shutdown');
      }
      this.refuseOnFullDisk();
      if (this.mayStart) this.startCheckpoint();
      await sleep(this.clock, FULL_POLL_MS);
    }
    interruption.throwIfInterrupted();
    this.delayedMs += this.clock.monotonicMs() - startMs;
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
