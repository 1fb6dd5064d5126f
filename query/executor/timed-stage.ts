/**
 * A stage under a stop-watch, for explain: how long it and those below worked, waits included.
 */
import type { Clock } from '../../common/clock.ts';
import type { MaybePromise, ReadView } from '../../storage/index.ts';
import type { Stage, StageCounters } from './stage.ts';

export class TimedStage implements Stage {
  elapsedMs = 0;
  private readonly stage: Stage;
  private readonly clock: Clock;

  constructor(stage: Stage, clock: Clock) {
    this.stage = stage;
    this.clock = clock;
  }

  get counters(): StageCounters {
    return this.stage.counters;
  }

  next(): MaybePromise<boolean> {
    const startMs = this.clock.monotonicMs();
    const moved = this.stage.next();
    if (typeof moved === 'boolean') {
      this.elapsedMs += this.clock.monotonicMs() - startMs;
      return moved;
    }
    return moved.finally(() => {
      this.elapsedMs += this.clock.monotonicMs() - startMs;
    });
  }

  detach(): void {
    this.stage.detach();
  }

  attach(view: ReadView): void {
    this.stage.attach(view);
  }

  close(): void {
    this.stage.close();
  }
}
