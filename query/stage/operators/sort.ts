/**
 * $sort: in the middle of a pipeline. At its beginning the planner takes it over.
 */
import { BsonType } from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import { withMetadata } from '../../document-metadata.ts';
import { sortKeyValue } from '../../executor/projection.ts';
import { Sorter, type SortOrder } from '../../executor/sorter.ts';
import { parseSort, sortOrderOf } from '../../planner/sort-pattern.ts';
import { defineStage, type PipelineRun, type PipelineStage } from '../definition.ts';
import { BlockingSource, type DocumentSource } from '../source.ts';

class SortSource extends BlockingSource {
  private readonly run: PipelineRun;
  private readonly limit: number;
  private readonly sorter: Sorter;

  constructor(run: PipelineRun, input: DocumentSource, order: SortOrder, limit: number) {
    super(run.yielder, input);
    this.run = run;
    this.limit = limit;
    this.sorter = new Sorter({
      order,
      limit,
      spill: run.spill,
      maxMemoryBytes: run.maxStageBytes,
    });
    run.statistics.hasSortStage = true;
  }

  protected take(document: Buffer): void {
    this.sorter.add(document, 0);
  }

  protected finish(): Iterator<Buffer> {
    if (this.sorter.usedDisk) this.run.statistics.usedDisk = true;
    return this.results();
  }

  private *results(): Generator<Buffer> {
    const wantsKey = this.run.metadata.has('sortKey');
    const rows = this.sorter.sorted();
    for (let given = 0; this.limit === 0 || given < this.limit; given += 1) {
      const next = rows.next();
      if (next.done === true) break;
      const { document, key } = next.value;
      yield wantsKey ? withMetadata(document, { sortKey: sortKeyValue(key) }) : document;
    }
    this.sorter.close();
  }

  override close(): void {
    this.sorter.close();
    super.close();
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
    letsGo: true,
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
