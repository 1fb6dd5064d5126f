/**
 * SORT: takes all rows from below, then gives them in order.
 */
import type { RecordId } from '../../storage/index.ts';
import { Sorter, type SortOrder, type SortedRow } from './sorter.ts';
import {
  type ExecutionContext,
  StageOverInput,
  type Stage,
  type StageCounters,
  type Step,
} from './stage.ts';

export interface SortOptions {
  readonly order: SortOrder;
  /** Only this many rows are wanted; 0: all. */
  readonly limit: number;
}

export class Sort extends StageOverInput {
  readonly counters: StageCounters = { advanced: 0, memoryBytes: 0, isEOF: false };
  private readonly context: ExecutionContext;
  private readonly limit: number;
  private readonly sorter: Sorter;
  /** Set once all rows have been taken. */
  private output: Iterator<SortedRow> | undefined;

  constructor(context: ExecutionContext, input: Stage, options: SortOptions) {
    super(context.yielder, input);
    this.context = context;
    this.limit = options.limit;
    this.sorter = new Sorter({
      order: options.order,
      limit: options.limit,
      spill: context.spill,
      maxMemoryBytes: context.maxStageBytes,
    });
    context.statistics.hasSortStage = true;
  }

  protected step(): Step {
    if (this.output !== undefined) return this.give(this.output);
    for (;;) {
      const moved = this.input.next();
      if (moved === false) return this.startGiving();
      if (moved !== true) return this.afterInput(moved);
      this.collect();
    }
  }

  private async afterInput(moved: Promise<boolean>): Promise<boolean | undefined> {
    if (!(await moved)) return this.startGiving();
    this.collect();
    return undefined;
  }

  private collect(): void {
    const { document, recordId } = this.context.row;
    this.sorter.add(document, recordId ?? 0);
  }

  private startGiving(): boolean {
    const { sorter } = this;
    this.output = sorter.sorted();
    this.counters.memoryBytes = sorter.peakBytes;
    this.counters.usedDisk = sorter.usedDisk;
    if (sorter.usedDisk) this.context.statistics.usedDisk = true;
    return this.give(this.output);
  }

  private give(output: Iterator<SortedRow>): boolean {
    const next = this.limit > 0 && this.counters.advanced >= this.limit ? undefined : output.next();
    if (next === undefined || next.done === true) {
      this.sorter.close();
      return this.end();
    }
    this.counters.advanced += 1;
    const { row } = this.context;
    row.document = next.value.document;
    row.isInPlace = false;
    row.recordId = next.value.recordId === 0 ? undefined : recordIdOf(next.value.recordId);
    row.sortKey = next.value.key;
    return true;
  }

  override close(): void {
    this.sorter.close();
    super.close();
  }
}

/** A record id that was kept as a plain number. */
function recordIdOf(number: number): RecordId {
  return number as RecordId;
}
