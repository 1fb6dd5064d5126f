/**
 * Stands where a plan evaluates what may take long ($map over a long array, say): evaluates a row under a watch, so that nobody
 * waits for it and it can be stopped.
 */
import type { Clock } from '../../common/clock.ts';
import { CommandError } from '../../common/errors.ts';
import type { Yielding } from '../long-steps.ts';
import type { Filter } from '../matcher/filter.ts';
import {
  activateWatch,
  LoopSuspended,
  LoopWatch,
  type LongWork,
  needsWatch,
} from '../expression/long-work.ts';
import type { Row } from './row.ts';
import {
  type ExecutionContext,
  StageOverInput,
  type Stage,
  type StageCounters,
  type Step,
} from './stage.ts';

export interface WatchedEvaluation {
  /** Rows that do not match are dropped. */
  readonly filter?: Filter;
  /** What the stage above evaluates on a row. */
  readonly evaluate?: (row: Row) => void;
  readonly longWork: LongWork | undefined;
}

export class WatchedRows extends StageOverInput {
  readonly counters: StageCounters;
  private readonly context: ExecutionContext;
  private readonly watched: WatchedEvaluation;
  private hasRow = false;
  private watch: LoopWatch | undefined;

  constructor(context: ExecutionContext, input: Stage, watched: WatchedEvaluation) {
    super(context.yielder, input);
    this.context = context;
    this.watched = watched;
    this.counters = { ...input.counters, advanced: 0 };
  }

  protected step(): Step {
    for (;;) {
      if (!this.hasRow) {
        const moved = this.input.next();
        if (typeof moved !== 'boolean') return moved.then((ok) => this.moved(ok));
        if (!moved) return this.finished();
        this.begin();
      }
      if (this.context.yielder.tick()) return undefined;
      const passes = this.watch === undefined ? this.passes() : this.evaluate(this.watch);
      if (passes === undefined) return this.goOn();
      this.watch = undefined;
      this.hasRow = false;
      if (passes) {
        this.counters.advanced += 1;
        return true;
      }
    }
  }

  private moved(ok: boolean): false | undefined {
    if (!ok) return this.finished();
    this.begin();
    return undefined;
  }

  private finished(): false {
    Object.assign(this.counters, { ...this.input.counters, advanced: this.counters.advanced });
    return this.end();
  }

  private begin(): void {
    const { row, clock } = this.context;
    this.hasRow = true;
    if (needsWatch(this.watched.longWork, row.document)) this.watch = newWatch(row.document, clock);
  }

  /** undefined: it goes on later. */
  private evaluate(watch: LoopWatch): boolean | undefined {
    const { row } = this.context;
    return evaluateWatched(watch, () => {
      const passes = this.passes();
      if (passes) this.watched.evaluate?.(row);
      return passes;
    });
  }

  private goOn(): Step {
    return this.watch?.outside(this.context.yielder.interruption)?.then(() => undefined);
  }

  private passes(): boolean {
    return this.watched.filter?.matches(this.context.row.document) !== false;
  }
}

export function newWatch(document: Buffer, clock: Clock): LoopWatch {
  return new LoopWatch(document, () => clock.monotonicMs());
}

/**
 * One slice of an evaluation. The watch stays active afterwards: whoever evaluates the same on the same document finds its values.
 * @returns undefined when it has to go on.
 */
export function evaluateWatched<Result>(
  watch: LoopWatch,
  evaluate: () => Result,
): Result | undefined {
  activateWatch(watch);
  watch.restart();
  try {
    return evaluate();
  } catch (error) {
    if (!(error instanceof LoopSuspended)) throw error;
    activateWatch(undefined);
    return undefined;
  } finally {
    watch.rest();
  }
}

/** Evaluates something long for one document slice by slice; whoever evaluates the same next finds it done. */
export async function evaluateInSlices(
  document: Buffer,
  clock: Clock,
  evaluate: () => void,
  op: Yielding,
): Promise<void> {
  const watch = newWatch(document, clock);
  const slice = (): boolean | undefined =>
    evaluateWatched(watch, () => {
      evaluate();
      return true;
    });
  try {
    while (slice() === undefined) await (watch.outside(op) ?? op.yield());
  } catch (error) {
    // Whoever evaluates it for its result meets it again. A stop is not the evaluation's.
    if (!(error instanceof CommandError) || isStop(error)) throw error;
  }
}

const STOPS: ReadonlySet<string> = new Set([
  'Interrupted',
  'MaxTimeMSExpired',
  'ClientDisconnect',
  'InterruptedAtShutdown',
  'InterruptedDueToReplStateChange',
]);

function isStop(error: CommandError): boolean {
  return STOPS.has(error.codeName);
}
