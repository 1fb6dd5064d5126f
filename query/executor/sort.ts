/**
 * SORT: takes all rows from below, then gives them in order; with a limit it keeps only the first ones in a heap.
 *
 * Promises: stable (rows with equal keys keep their order); memory is bounded by `maxMemoryBytes`, beyond it the sort
 * spills where it may, else fails as MongoDB does.
 */
import type { RawValue } from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import type { ReadView, RecordId } from '../../storage/index.ts';
import {
  type ExecutionContext,
  PullStage,
  type Stage,
  type StageCounters,
  type Step,
} from './stage.ts';

export type SortKey = readonly (RawValue | undefined)[];

/** What SORT needs of a compiled sort pattern. */
export interface SortOrder {
  keyOf(document: Buffer): SortKey;
  compare(a: SortKey, b: SortKey): number;
}

/** Memory for one stage's rows before it spills or fails, bytes. */
export const MAX_BLOCKING_SORT_BYTES = 100 * 1024 * 1024;
/** What a row costs besides its document: objects, key values, array slots. Estimated, bytes. */
const ROW_OVERHEAD_BYTES = 200;

interface SortedRow {
  readonly key: SortKey;
  readonly sequence: number;
  readonly document: Buffer;
  readonly recordId: RecordId | undefined;
}

export interface SortOptions {
  readonly order: SortOrder;
  /** Only this many rows are wanted; 0: all. */
  readonly limit: number;
  readonly maxMemoryBytes?: number;
}

export class Sort extends PullStage {
  readonly counters: StageCounters = { advanced: 0, memoryBytes: 0, isEOF: false };
  private readonly context: ExecutionContext;
  private readonly input: Stage;
  private readonly order: SortOrder;
  private readonly limit: number;
  private readonly maxMemoryBytes: number;
  /** While collecting with a limit: a heap whose first row is the last in order. Afterwards: sorted. */
  private rows: SortedRow[] = [];
  private sequence = 0;
  private memoryBytes = 0;
  /** Next row to give; -1 while collecting. */
  private position = -1;

  constructor(context: ExecutionContext, input: Stage, options: SortOptions) {
    super(context.yielder);
    this.context = context;
    this.input = input;
    this.order = options.order;
    this.limit = options.limit;
    this.maxMemoryBytes = options.maxMemoryBytes ?? MAX_BLOCKING_SORT_BYTES;
    context.statistics.hasSortStage = true;
  }

  protected step(): Step {
    if (this.position >= 0) return this.give();
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
    const row = {
      key: this.order.keyOf(document),
      sequence: this.sequence,
      document,
      recordId,
    };
    this.sequence += 1;
    if (this.limit > 0 && this.rows.length >= this.limit) this.replaceLast(row);
    else this.add(row);
  }

  private add(row: SortedRow): void {
    this.account(row, 1);
    this.rows.push(row);
    if (this.limit > 0) this.siftUp(this.rows.length - 1);
  }

  private replaceLast(row: SortedRow): void {
    const last = this.rows[0]!;
    if (this.compare(row, last) >= 0) return;
    this.account(last, -1);
    this.account(row, 1);
    this.rows[0] = row;
    this.siftDown();
  }

  private account(row: SortedRow, sign: 1 | -1): void {
    this.memoryBytes += sign * (row.document.length + ROW_OVERHEAD_BYTES);
    if (this.memoryBytes > this.counters.memoryBytes!) {
      this.counters.memoryBytes = this.memoryBytes;
    }
    if (this.memoryBytes <= this.maxMemoryBytes) return;
    throw new CommandError(
      'QueryExceededMemoryLimitNoDiskUseAllowed',
      `Executor error during find command :: caused by :: Sort exceeded memory limit of ${this.maxMemoryBytes} bytes, but did not opt in to external sorting.`,
    );
  }

  private startGiving(): boolean {
    this.rows.sort((a, b) => this.compare(a, b));
    this.position = 0;
    return this.give();
  }

  private give(): boolean {
    const row = this.rows[this.position];
    if (row === undefined) {
      this.rows = [];
      this.position = 0;
      return this.end();
    }
    this.position += 1;
    this.counters.advanced += 1;
    const out = this.context.row;
    out.document = row.document;
    out.recordId = row.recordId;
    out.sortKey = row.key;
    return true;
  }

  private compare(a: SortedRow, b: SortedRow): number {
    return this.order.compare(a.key, b.key) || a.sequence - b.sequence;
  }

  private siftUp(start: number): void {
    const { rows } = this;
    let index = start;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (this.compare(rows[parent]!, rows[index]!) >= 0) return;
      swap(rows, parent, index);
      index = parent;
    }
  }

  private siftDown(): void {
    const { rows } = this;
    let index = 0;
    for (;;) {
      const left = 2 * index + 1;
      if (left >= rows.length) return;
      const right = left + 1;
      const larger =
        right < rows.length && this.compare(rows[right]!, rows[left]!) > 0 ? right : left;
      if (this.compare(rows[index]!, rows[larger]!) >= 0) return;
      swap(rows, index, larger);
      index = larger;
    }
  }

  detach(): void {
    this.input.detach();
  }

  attach(view: ReadView): void {
    this.input.attach(view);
  }

  close(): void {
    this.rows = [];
    this.input.close();
  }
}

function swap(rows: SortedRow[], a: number, b: number): void {
  const row = rows[a]!;
  rows[a] = rows[b]!;
  rows[b] = row;
}
