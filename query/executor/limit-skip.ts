/**
 * LIMIT and SKIP: count rows that pass.
 */
import type { MaybePromise, ReadView } from '../../storage/index.ts';
import { StageOverInput, type Stage, type StageCounters, type Step } from './stage.ts';
import type { Yielder } from './yielding.ts';

export class Limit implements Stage {
  readonly counters: StageCounters = { advanced: 0, isEOF: false };
  private readonly input: Stage;
  private remaining: number;

  constructor(input: Stage, limit: number) {
    this.input = input;
    this.remaining = limit;
  }

  next(): MaybePromise<boolean> {
    if (this.remaining <= 0) return this.count(false);
    const moved = this.input.next();
    return typeof moved === 'boolean' ? this.count(moved) : moved.then((ok) => this.count(ok));
  }

  private count(moved: boolean): boolean {
    if (moved) {
      this.remaining -= 1;
      this.counters.advanced += 1;
    } else this.counters.isEOF = true;
    return moved;
  }

  detach(): void {
    this.input.detach();
  }

  attach(view: ReadView): void {
    this.input.attach(view);
  }

  close(): void {
    this.input.close();
  }
}

export class Skip extends StageOverInput {
  readonly counters: StageCounters = { advanced: 0, isEOF: false };
  private remaining: number;

  constructor(yielder: Yielder, input: Stage, skip: number) {
    super(yielder, input);
    this.remaining = skip;
  }

  protected step(): Step {
    for (;;) {
      const moved = this.input.next();
      if (typeof moved !== 'boolean') return this.afterInput(moved);
      if (!moved || this.remaining === 0) return this.count(moved);
      this.remaining -= 1;
    }
  }

  private async afterInput(moved: Promise<boolean>): Promise<boolean | undefined> {
    const ok = await moved;
    if (!ok || this.remaining === 0) return this.count(ok);
    this.remaining -= 1;
    return undefined;
  }

  private count(moved: boolean): boolean {
    if (moved) this.counters.advanced += 1;
    else this.counters.isEOF = true;
    return moved;
  }
}
