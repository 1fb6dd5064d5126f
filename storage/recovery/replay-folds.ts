/**
 * Checkpoints of a replay, taken beside it: the delta of a long journal would not fit into memory.
 *
 * Owns: the checkpoint under way. Invariant: a generation is frozen between two groups, never within one; the next one is frozen when
 * the one before is in the base, so that both together stay within the budget.
 */
import type { Checkpointer } from '../checkpoint/checkpoint.ts';
import { isNoSpace } from '../journal/space-waits.ts';

export class ReplayFolds {
  private readonly checkpointer: Checkpointer;
  private readonly isDue: () => boolean;
  private readonly onNoSpace: (error: unknown) => void;
  /** Never rejects. */
  private folding: Promise<void> | undefined;
  private failure: unknown;
  private findsNoSpace = false;

  /**
   * @param parts.isDue whether the active generation is large enough to be folded
   * @param parts.onNoSpace hears of a full disk, which does not keep a store from opening: before it ended it held as much in memory
   */
  constructor(parts: {
    readonly checkpointer: Checkpointer;
    readonly isDue: () => boolean;
    readonly onNoSpace: (error: unknown) => void;
  }) {
    this.checkpointer = parts.checkpointer;
    this.isDue = parts.isDue;
    this.onNoSpace = parts.onNoSpace;
  }

  /** Whether begin() has something to do. To be asked between two groups. */
  get areDue(): boolean {
    return this.isDue() && !this.findsNoSpace;
  }

  /** Freezes what was replayed so far, and folds it while the replay goes on. @throws why the one before failed */
  async begin(): Promise<void> {
    await this.folding;
    this.throwFailure();
    if (!this.areDue) return;
    this.checkpointer.freeze();
    this.folding = this.checkpointer
      .foldFrozen()
      .catch((error: unknown) => this.noteFailure(error));
  }

  /** Resolves, or rejects, when both are at their end: the replay and what it has begun to fold. @throws why a checkpoint failed */
  async beside<Result>(replay: Promise<Result>): Promise<Result> {
    try {
      return await replay;
    } finally {
      await this.folding;
      this.throwFailure();
    }
  }

  private throwFailure(): void {
    if (this.failure !== undefined) throw this.failure;
  }

  private noteFailure(error: unknown): void {
    if (isNoSpace(error)) {
      this.findsNoSpace = true;
      this.onNoSpace(error);
    } else {
      this.failure = error;
    }
  }
}
