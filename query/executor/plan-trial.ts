/**
 * One plan on trial: runs within granted works, and keeps the documents that it gives meanwhile.
 *
 * Promises: synchronous unless a page has to be read or a stage waits for its next grant. What it kept is given out first when the
 * plan goes on after the trial.
 */
import { CommandError } from '../../common/errors.ts';
import type { MaybePromise, ReadView, RecordId } from '../../storage/index.ts';
import type { StageExecutor } from './run.ts';
import type { TrialYielder } from './trial-yielder.ts';

/** A trial ends when a plan has given this many documents (internalQueryPlanEvaluationMaxResults). */
export const TRIAL_RESULTS = 101;
/** Or this many bytes: what is kept must stay small. */
const TRIAL_BYTES = 4 * 1024 * 1024;

const EXHAUSTED: unique symbol = Symbol('exhausted');

interface KeptRow {
  readonly document: Buffer;
  readonly recordId: RecordId | undefined;
}

export class PlanTrial {
  readonly executor: StageExecutor;
  private readonly yielder: TrialYielder;
  private readonly rows: KeptRow[] = [];
  private keptBytes = 0;
  private given = 0;
  /** A document that the plan was asked for, and has not found within its grants. */
  private pending: Promise<Buffer | undefined> | undefined;
  /** The plan came to its end. */
  isEof = false;
  /** The plan ran out of memory: another one may do. */
  failure: CommandError | undefined;
  /** Of the last row. */
  recordId: RecordId | undefined;

  constructor(executor: StageExecutor, yielder: TrialYielder) {
    this.executor = executor;
    this.yielder = yielder;
  }

  get works(): number {
    return this.yielder.works;
  }

  get advanced(): number {
    return this.rows.length;
  }

  /** It has shown what it can do. */
  get isDone(): boolean {
    return (
      this.isEof ||
      this.failure !== undefined ||
      this.rows.length >= TRIAL_RESULTS ||
      this.keptBytes >= TRIAL_BYTES
    );
  }

  /** Runs for a number of works. @throws the interruption's reason, and what the plan throws unless it ran out of memory. */
  turn(works: number): MaybePromise<void> {
    if (this.isDone) return undefined;
    this.yielder.grant(works);
    const { pending } = this;
    if (pending === undefined) return this.pull();
    this.yielder.continue();
    return this.pullOn(pending);
  }

  private pull(): MaybePromise<void> {
    try {
      while (!this.isDone && !this.yielder.isExhausted) {
        const next = this.executor.next();
        if (next instanceof Promise) return this.pullOn(next);
        this.keep(next);
      }
    } catch (error) {
      this.fail(error);
    }
    return undefined;
  }

  private async pullOn(first: Promise<Buffer | undefined>): Promise<void> {
    let next: Promise<Buffer | undefined> | Buffer | undefined = first;
    try {
      for (;;) {
        if (next instanceof Promise) {
          const outcome: Buffer | undefined | typeof EXHAUSTED = await Promise.race([
            next,
            this.yielder.whenExhausted().then((): typeof EXHAUSTED => EXHAUSTED),
          ]);
          if (outcome === EXHAUSTED) {
            this.pending = next;
            return;
          }
          this.pending = undefined;
          this.keep(outcome);
        } else this.keep(next);
        if (this.isDone || this.yielder.isExhausted) return;
        next = this.executor.next();
      }
    } catch (error) {
      this.pending = undefined;
      this.fail(error);
    }
  }

  private keep(document: Buffer | undefined): void {
    if (document === undefined) {
      this.isEof = true;
      return;
    }
    this.rows.push({ document, recordId: this.executor.recordId });
    this.keptBytes += document.length;
  }

  private fail(error: unknown): void {
    const isMemory =
      error instanceof CommandError &&
      error.codeName === 'QueryExceededMemoryLimitNoDiskUseAllowed';
    if (!isMemory) throw error;
    this.failure = error;
  }

  /** After the trial: what was kept, then what the plan gives, without limits. */
  next(): MaybePromise<Buffer | undefined> {
    const row = this.rows[this.given];
    if (row !== undefined) {
      this.given += 1;
      if (this.given === this.rows.length) this.forgetRows();
      this.recordId = row.recordId;
      return row.document;
    }
    if (this.isEof) return undefined;
    // Only now may a waiting stage go on: until then the plan can be detached.
    this.yielder.grant(Infinity);
    this.yielder.continue();
    const next = this.pending ?? this.executor.next();
    this.pending = undefined;
    if (next instanceof Promise) return next.then((document) => this.give(document));
    return this.give(next);
  }

  private forgetRows(): void {
    this.rows.length = 0;
    this.given = 0;
  }

  private give(document: Buffer | undefined): Buffer | undefined {
    this.recordId = this.executor.recordId;
    return document;
  }

  move(view: ReadView): void {
    this.executor.detach();
    this.executor.attach(view);
  }

  close(): void {
    this.rows.length = 0;
    this.executor.close();
  }
}
