/**
 * One stage of a running plan.
 *
 * Owns: the contract between stages. Pull model: the top stage is asked, and asks those below.
 * Invariants:
 *  1. next() gives true after filling the row, false at the end; it stays false then.
 *  2. A promise is given only when a page has to be read or the slice is over; callers test for it and await only then.
 *  3. After detach() nothing is called but attach() and close().
 */
import type { Clock } from '../../common/clock.ts';
import type { Random } from '../../common/random.ts';
import type { CollectionDescription, MaybePromise, ReadView } from '../../storage/index.ts';
import type { ExecutorStatistics } from './plan-executor.ts';
import type { ScriptSession } from '../script/script-session.ts';
import type { SpillSpace } from '../spill/spill-space.ts';
import type { Row } from './row.ts';
import type { Yielder } from './yielding.ts';

export interface Stage {
  next(): MaybePromise<boolean>;
  detach(): void;
  attach(view: ReadView): void;
  close(): void;
  readonly counters: StageCounters;
}

/** What explain shows of a stage that ran. */
export interface StageCounters {
  /** Rows that the stage gave upwards. */
  advanced: number;
  keysExamined?: number;
  docsExamined?: number;
  /** Ranges of keys that were opened. */
  seeks?: number;
  /** Rows that were dropped because their record had been seen. */
  dupsDropped?: number;
  /** Record ids that were looked up among those seen. */
  dupsTested?: number;
  /** Documents that a write found, and those that it would change. */
  matched?: number;
  changed?: number;
  /** Rows that a COUNT left out. */
  skipped?: number;
  /** Bytes of a SORT's rows at the highest. */
  memoryBytes?: number;
  usedDisk?: boolean;
  /** Bytes of the record ids that an AND_HASH keeps, and how many there were after its first input. */
  hashBytes?: number;
  mapAfterChild?: number[];
  /** Records of each input of an AND_SORTED that the other does not have. */
  failedAnd?: number[];
  isEOF: boolean;
}

/** What all stages of one executor share. */
export interface ExecutionContext {
  readonly row: Row;
  readonly yielder: Yielder;
  statistics: ExecutorStatistics;
  readonly clock: Clock;
  readonly random: Random;
  /** The collection that record stages read. */
  readonly collection: CollectionDescription;
  readonly forWrites: boolean;
  /** Memory of one blocking stage, bytes. */
  readonly maxStageBytes: number;
  /** undefined: a stage that exceeds its memory fails. */
  readonly spill: SpillSpace | undefined;
  /** Of the query's JavaScript, if it has any. */
  readonly scripts: ScriptSession | undefined;
  view: ReadView;
}

/** true: the row is filled; false: the end; undefined: the slice is over, or (from a promise) ask again. */
export type Step = MaybePromise<boolean | undefined>;

/**
 * A stage that may wait. Its loop is a synchronous step(); only a step that has to wait enters the asynchronous driver,
 * which loops instead of chaining promises, so that a scan of hours holds one promise.
 */
export abstract class PullStage implements Stage {
  abstract readonly counters: StageCounters;
  private readonly yielder: Yielder;

  constructor(yielder: Yielder) {
    this.yielder = yielder;
  }

  protected abstract step(): Step;
  abstract detach(): void;
  abstract attach(view: ReadView): void;
  abstract close(): void;

  next(): MaybePromise<boolean> {
    const step = this.step();
    return typeof step === 'boolean' ? step : this.drive(step);
  }

  protected end(): false {
    this.counters.isEOF = true;
    return false;
  }

  private async drive(first: Exclude<Step, boolean>): Promise<boolean> {
    let step: Step = first;
    for (;;) {
      if (step === undefined) {
        await this.yielder.pause();
      } else {
        const result: boolean | undefined = await step;
        if (result !== undefined) return result;
      }
      step = this.step();
      if (typeof step === 'boolean') return step;
    }
  }
}

/** A stage that pulls from others, and follows them from view to view. */
export abstract class StageOverInputs extends PullStage {
  protected readonly inputs: readonly Stage[];

  constructor(yielder: Yielder, inputs: readonly Stage[]) {
    super(yielder);
    this.inputs = inputs;
  }

  detach(): void {
    for (const input of this.inputs) input.detach();
  }

  attach(view: ReadView): void {
    for (const input of this.inputs) input.attach(view);
  }

  close(): void {
    for (const input of this.inputs) input.close();
  }
}

/** The same over one of them. */
export abstract class StageOverInput extends PullStage {
  protected readonly input: Stage;

  constructor(yielder: Yielder, input: Stage) {
    super(yielder);
    this.input = input;
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

/** A stage that changes each row of its input and holds nothing back. */
export abstract class MapStage implements Stage {
  readonly counters: StageCounters = { advanced: 0, isEOF: false };
  private readonly input: Stage;

  constructor(input: Stage) {
    this.input = input;
  }

  /** Changes the row that the input has filled. */
  protected abstract change(): void;

  next(): MaybePromise<boolean> {
    const moved = this.input.next();
    return typeof moved === 'boolean' ? this.count(moved) : moved.then((ok) => this.count(ok));
  }

  private count(moved: boolean): boolean {
    if (moved) {
      this.change();
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
