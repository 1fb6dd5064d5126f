/**
 * COLLSCAN: walks all records of a collection and keeps those that match.
 *
 * The hot loop of unindexed reads: per record one cursor step and one call of the filter; bench/micro/query/plans.bench.ts.
 */
import type { Filter } from '../matcher/filter.ts';
import type { ReadView, RecordCursor } from '../../storage/index.ts';
import { type ExecutionContext, PullStage, type StageCounters, type Step } from './stage.ts';

export class CollectionScan extends PullStage {
  readonly counters: StageCounters = { advanced: 0, docsExamined: 0, isEOF: false };
  private readonly context: ExecutionContext;
  private readonly filter: Filter | undefined;
  private readonly cursor: RecordCursor;

  constructor(context: ExecutionContext, filter: Filter | undefined, direction: 1 | -1) {
    super(context.yielder);
    this.context = context;
    this.filter = filter === undefined || filter.isEmpty ? undefined : filter;
    this.cursor = context.view.scanRecords(context.collection, { direction });
  }

  protected step(): Step {
    const { cursor } = this;
    const { yielder } = this.context;
    if (this.counters.isEOF) return false;
    for (;;) {
      if (yielder.tick()) return undefined;
      const moved = cursor.next();
      if (moved !== true) return moved === false ? this.end() : this.afterLoad(moved);
      if (this.accept()) return true;
    }
  }

  private async afterLoad(moved: Promise<boolean>): Promise<boolean | undefined> {
    if (!(await moved)) return this.end();
    return this.accept() ? true : undefined;
  }

  private accept(): boolean {
    const { context, cursor, counters, filter } = this;
    counters.docsExamined! += 1;
    context.statistics.docsExamined += 1;
    if (filter !== undefined && !filter.matchesAt(cursor.bytes, cursor.start)) return false;
    counters.advanced += 1;
    context.row.document = cursor.document;
    context.row.recordId = cursor.recordId;
    return true;
  }

  detach(): void {
    this.cursor.detach();
  }

  attach(view: ReadView): void {
    this.cursor.attach(view);
  }

  close(): void {
    this.cursor.close();
  }
}
