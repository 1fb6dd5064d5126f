/**
 * COLLSCAN: walks all records of a collection and keeps those that match.
 *
 * The hot loop of unindexed reads: per record one cursor step and one call of the filter; bench/micro/query/plans.bench.ts.
 */
import { getField, isEmpty } from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import type { Filter } from '../matcher/filter.ts';
import type { CollscanNode } from '../planner/plan-node.ts';
import {
  LARGEST_COPIED_BYTES,
  type MaybePromise,
  type ReadView,
  type RecordCursor,
} from '../../storage/index.ts';
import { type ExecutionContext, PullStage, type StageCounters, type Step } from './stage.ts';

export class CollectionScan extends PullStage {
  readonly counters: StageCounters = { advanced: 0, docsExamined: 0, isEOF: false };
  private readonly context: ExecutionContext;
  private readonly filter: Filter | undefined;
  private readonly cursor: RecordCursor;
  private readonly isTailable: boolean;
  private readonly inPlace: boolean;
  /** Records go while it is read: those who change records themselves know what they do. */
  private readonly mayLosePosition: boolean;
  private mustCheckPosition = false;

  /** @param inPlace the stage above is done with each document when it asks for the next one */
  constructor(
    context: ExecutionContext,
    { filter, direction, tailable }: CollscanNode,
    inPlace: boolean,
  ) {
    super(context.yielder);
    this.inPlace = inPlace;
    this.context = context;
    this.filter = filter === undefined || filter.isEmpty ? undefined : filter;
    this.isTailable = tailable === true;
    this.mayLosePosition = !context.forWrites && isCapped(context.collection.options);
    this.cursor = context.view.scanRecords(context.collection, { direction });
  }

  protected step(): Step {
    const { cursor } = this;
    const { yielder } = this.context;
    if (this.counters.isEOF) return false;
    if (this.mustCheckPosition) {
      const checked = this.checkPosition();
      if (checked instanceof Promise) return checked;
    }
    for (;;) {
      if (yielder.tick()) return undefined;
      const moved = cursor.next();
      if (moved !== true) return moved === false ? this.atEnd() : this.afterLoad(moved);
      if (this.accept()) return true;
    }
  }

  private async afterLoad(moved: Promise<boolean>): Promise<boolean | undefined> {
    if (!(await moved)) return this.atEnd();
    return this.accept() ? true : undefined;
  }

  /** A tailable scan goes on after the last record that it has seen; without one it has no place to go on from. */
  private atEnd(): false {
    return this.isTailable && this.counters.docsExamined! > 0 ? false : this.end();
  }

  /** In a capped collection what comes after a record that is gone may be gone as well. */
  private checkPosition(): MaybePromise<undefined> {
    this.mustCheckPosition = false;
    const { view, collection } = this.context;
    const check = (document: Buffer | undefined): undefined => {
      if (document === undefined) throw this.positionLost();
    };
    const document = view.record(collection, this.cursor.recordId);
    return document instanceof Promise ? document.then(check) : check(document);
  }

  private positionLost(): CommandError {
    const why = this.isTailable
      ? 'failure to restore tailable cursor position'
      : 'position in capped collection being deleted';
    return new CommandError(
      'CappedPositionLost',
      `CollectionScan died due to ${why}. Last seen record id: RecordId(${this.cursor.recordId})`,
    );
  }

  private accept(): boolean {
    const { context, cursor, counters, filter } = this;
    counters.docsExamined! += 1;
    context.statistics.docsExamined += 1;
    if (filter !== undefined && !filter.matchesAt(cursor.bytes, cursor.start)) return false;
    counters.advanced += 1;
    const { row } = context;
    row.document = this.inPlace ? cursor.documentInPlace : cursor.document;
    row.isInPlace = this.inPlace && row.document.length <= LARGEST_COPIED_BYTES;
    row.recordId = cursor.recordId;
    return true;
  }

  detach(): void {
    this.cursor.detach();
  }

  attach(view: ReadView): void {
    this.cursor.attach(view);
    this.mustCheckPosition = this.mayLosePosition && this.counters.docsExamined! > 0;
  }

  close(): void {
    this.cursor.close();
  }
}

function isCapped(options: Buffer): boolean {
  return !isEmpty(options) && getField(options, 'capped')?.isTruthy() === true;
}
