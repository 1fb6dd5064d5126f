/**
 * Turns within turns: while plans are tried side by side, each may do a number of works, then waits for its next go.
 *
 * Owns: one plan's share. A work is what MongoDB calls one: a key or a document looked at. The turns of the event loop stay with the
 * yielder below, which all plans of the trial share.
 */
import { Yielder } from './yielding.ts';

export class TrialYielder extends Yielder {
  /** Works done so far. */
  works = 0;
  private readonly shared: Yielder;
  private granted = 0;
  private resume: (() => void) | undefined;
  private signal: (() => void) | undefined;

  constructor(shared: Yielder) {
    super(NO_CLOCK, shared.interruption);
    this.shared = shared;
  }

  /** Allows this many works more. */
  grant(works: number): void {
    this.granted = this.works + works;
  }

  get isExhausted(): boolean {
    return this.works >= this.granted;
  }

  /** Resolves when a stage waits because the grant is used up. */
  whenExhausted(): Promise<void> {
    if (this.resume !== undefined) return Promise.resolve();
    return new Promise((resolve) => {
      this.signal = resolve;
    });
  }

  /** Lets the stage that waits go on. */
  continue(): void {
    const { resume } = this;
    this.resume = undefined;
    resume?.();
  }

  override tick(): boolean {
    this.works += 1;
    // The work that is begun is still done: the plan pauses before the one after it.
    return this.works > this.granted || this.shared.tick();
  }

  override async pause(): Promise<void> {
    const isExhausted = this.works > this.granted;
    // The work was not done: it counts when it is.
    this.works -= 1;
    if (!isExhausted) return this.shared.pause();
    await new Promise<void>((resolve) => {
      this.resume = resolve;
      this.signal?.();
    });
  }

  /** Slices are the shared yielder's business. */
  override startSlice(): void {}
}

/** The shared yielder asks the clock. */
const NO_CLOCK = {
  wallMs: () => 0,
  monotonicMs: () => 0,
  after: () => ({ cancel: () => {} }),
};
