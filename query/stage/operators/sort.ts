/**
 * $sort: in the middle of a pipeline. At its beginning the planner takes it over.
 */
import { BsonType } from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import { CommandError } from '../../../common/errors.ts';
import { MAX_BLOCKING_SORT_BYTES, type SortKey, type SortOrder } from '../../executor/sort.ts';
import { parseSort, sortOrderOf } from '../../planner/sort-pattern.ts';
import { defineStage, type PipelineRun, type PipelineStage } from '../definition.ts';
import { BlockingSource, type DocumentSource } from '../source.ts';

const ROW_OVERHEAD_BYTES = 200;

interface SortedDocument {
  readonly key: SortKey;
  readonly document: Buffer;
  readonly sequence: number;
}

class SortSource extends BlockingSource {
  private readonly order: SortOrder;
  private readonly limit: number;
  private rows: SortedDocument[] = [];
  private bytes = 0;
  private sequence = 0;

  constructor(run: PipelineRun, input: DocumentSource, order: SortOrder, limit: number) {
    super(run.yielder, input);
    this.order = order;
    this.limit = limit;
    run.statistics.hasSortStage = true;
  }

  protected take(document: Buffer): void {
    this.rows.push({ key: this.order.keyOf(document), document, sequence: this.sequence });
    this.sequence += 1;
    this.bytes += document.length + ROW_OVERHEAD_BYTES;
    if (this.limit > 0 && this.rows.length >= 2 * this.limit + 64) this.keepFirst();
    if (this.bytes > MAX_BLOCKING_SORT_BYTES) {
      throw new CommandError(
        'QueryExceededMemoryLimitNoDiskUseAllowed',
        `Sort exceeded memory limit of ${MAX_BLOCKING_SORT_BYTES} bytes, but did not opt in to external sorting.`,
      );
    }
  }

  /** With a limit the rows are cut whenever they have doubled: less work than a heap, and as little memory. */
  private keepFirst(): void {
    this.sort();
    this.rows.length = this.limit;
    this.bytes = this.rows.reduce((sum, row) => sum + row.document.length + ROW_OVERHEAD_BYTES, 0);
  }

  private sort(): void {
    this.rows.sort((a, b) => this.order.compare(a.key, b.key) || a.sequence - b.sequence);
  }

  protected finish(): Iterator<Buffer> {
    this.sort();
    if (this.limit > 0 && this.rows.length > this.limit) this.rows.length = this.limit;
    return this.results();
  }

  private *results(): Generator<Buffer> {
    for (const row of this.rows) yield row.document;
    this.rows = [];
  }
}

/** @param limit 0: all. */
export function sortStage(
  pattern: Buffer,
  order: SortOrder,
  limit: number,
  shown: Buffer,
): PipelineStage {
  return {
    name: '$sort',
    nature: { kind: 'sort', pattern, limit },
    shown,
    open: (input, run) => new SortSource(run, input, order, limit),
  };
}

export const $sort = defineStage({
  name: '$sort',
  position: 'anywhere',
  parse: (argument, { context }, shown) => {
    uassert(
      argument.type === BsonType.object,
      15973,
      'the $sort key specification must be an object',
    );
    const sort = parseSort(argument.asDocument());
    uassert(sort !== undefined, 15976, '$sort stage must have at least one sort key');
    return [sortStage(sort.pattern, sortOrderOf(sort, context), 0, shown)];
  },
});
