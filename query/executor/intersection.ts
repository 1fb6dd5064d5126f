/**
 * What AND_HASH and AND_SORTED have in common: rows of two inputs that stand for the same record become one.
 *
 * Promises: a row counts as decided by its keys only when both of them are whole and were read in the view that the plan still has.
 * Anything else is left to the document: a FETCH above looks at it, or this stage when there is none.
 */
import type { Filter } from '../matcher/filter.ts';
import type { MaybePromise } from '../../storage/index.ts';
import { type ExecutionContext, StageOverInputs, type Stage, type Step } from './stage.ts';

export interface IntersectionOptions {
  /** The whole condition, when nobody above reads the documents. */
  readonly whole?: Filter | undefined;
}

export abstract class Intersection extends StageOverInputs {
  protected readonly context: ExecutionContext;
  private readonly options: IntersectionOptions;

  constructor(
    context: ExecutionContext,
    inputs: readonly [Stage, Stage],
    options: IntersectionOptions,
  ) {
    super(context.yielder, inputs);
    this.context = context;
    this.options = options;
  }

  /** The input that is asked next. */
  protected abstract asked(): Stage | undefined;

  /** What its answer makes: a row, the end, or undefined to go on. */
  protected abstract receive(moved: boolean): Step;

  protected step(): Step {
    for (;;) {
      const input = this.asked();
      if (input === undefined) return this.end();
      const moved = input.next();
      if (typeof moved !== 'boolean') return this.afterInput(moved);
      const received = this.receive(moved);
      if (received !== undefined) return received;
    }
  }

  private async afterInput(moved: Promise<boolean>): Promise<boolean | undefined> {
    return this.receive(await moved);
  }

  /** @param otherIsWhole of the key that the other input had for the record. */
  protected give(otherIsWhole: boolean): Step {
    const { row, view, collection } = this.context;
    row.keyIsWhole &&= otherIsWhole;
    const { whole } = this.options;
    if (whole === undefined || row.keyIsWhole) return this.advance();
    const document: MaybePromise<Buffer | undefined> = view.record(collection, row.recordId!);
    if (document instanceof Promise) return document.then((loaded) => this.decide(loaded, whole));
    return this.decide(document, whole);
  }

  private decide(document: Buffer | undefined, whole: Filter): true | undefined {
    this.context.statistics.docsExamined += 1;
    return document !== undefined && whole.matches(document) ? this.advance() : undefined;
  }

  private advance(): true {
    this.counters.advanced += 1;
    return true;
  }
}
