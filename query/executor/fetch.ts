/**
 * FETCH: loads the document of each record id from below and applies the conditions that the index could not decide.
 */
import type { Filter } from '../matcher/filter.ts';
import type { MaybePromise } from '../../storage/index.ts';
import {
  type ExecutionContext,
  StageOverInput,
  type Stage,
  type StageCounters,
  type Step,
} from './stage.ts';

export interface FetchFilters {
  /** What the index bounds leave open; absent when they decide everything. */
  readonly residual?: Filter | undefined;
  /** The whole condition, for entries whose key was cut. */
  readonly whole?: Filter | undefined;
}

export class Fetch extends StageOverInput {
  readonly counters: StageCounters = { advanced: 0, docsExamined: 0, isEOF: false };
  private readonly context: ExecutionContext;
  private readonly filters: FetchFilters;

  constructor(context: ExecutionContext, input: Stage, filters: FetchFilters) {
    super(context.yielder, input);
    this.context = context;
    this.filters = filters;
  }

  protected step(): Step {
    for (;;) {
      const moved = this.input.next();
      if (moved === false) return this.end();
      if (moved !== true) return this.afterInput(moved);
      const accepted = this.fetch();
      if (accepted === true) return true;
      if (accepted !== false) return this.afterLoad(accepted);
    }
  }

  private fetch(): MaybePromise<boolean> {
    const { view, collection, row } = this.context;
    const document = view.record(collection, row.recordId!);
    // The row of a promise stays as it is: nobody pulls before it resolves.
    if (document instanceof Promise) return document.then((loaded) => this.accept(loaded));
    return this.accept(document);
  }

  private async afterInput(moved: Promise<boolean>): Promise<boolean | undefined> {
    if (!(await moved)) return this.end();
    return (await this.fetch()) ? true : undefined;
  }

  private async afterLoad(accepted: Promise<boolean>): Promise<boolean | undefined> {
    return (await accepted) ? true : undefined;
  }

  private accept(document: Buffer | undefined): boolean {
    // Deleted between the turn that read its key and this one: only a scan without snapshot meets this.
    if (document === undefined) return false;
    const { row, statistics } = this.context;
    this.counters.docsExamined! += 1;
    statistics.docsExamined += 1;
    const filter = row.keyIsWhole ? this.filters.residual : this.filters.whole;
    if (filter !== undefined && !filter.matches(document)) return false;
    row.document = document;
    this.counters.advanced += 1;
    return true;
  }
}
