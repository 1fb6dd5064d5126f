/**
 * $_internalBoundedSort: sorts measurements by time when their buckets come in the order of their first times.
 *
 * The planner puts it in the place of a $sort (planner/ordered-buckets.ts). Of the buckets to come a bound is known, so that
 * what lies before it can be given at once: a sort of all measurements holds those of a few buckets, and one with a limit
 * ends early. When even these exceed the memory of a stage, the rest is sorted as $sort does it, on disk if need be.
 */
import { BsonType, DocumentBuilder, getField } from '../../../bson/index.ts';
import { Sorter, type SortOrder } from '../../executor/sorter.ts';
import { ownedDocument } from '../../owned.ts';
import type { PipelineRun, PipelineStage } from '../definition.ts';
import { AGAIN, type DocumentSource, PullSource, type SourceStep } from '../source.ts';
import { bucketBoundOf } from './internal-unpack-bucket.ts';

export interface BoundedSort {
  readonly timeField: string;
  readonly direction: 1 | -1;
  /** 0: all. */
  readonly limit: number;
  /** The whole order, should the memory not suffice. */
  readonly order: SortOrder;
}

interface Entry {
  /** Milliseconds, times the direction: the least comes first. */
  readonly rank: number;
  readonly document: Buffer;
}

/** What an entry costs besides its document, estimated, bytes. */
const ENTRY_BYTES = 64;

class BoundedSortSource extends PullSource {
  private readonly run: PipelineRun;
  private readonly input: DocumentSource;
  private readonly sort: BoundedSort;
  /** The least rank that a measurement to come can have. */
  private readonly bound: () => number;
  private readonly heap: Entry[] = [];
  private heapBytes = 0;
  private given = 0;
  /** Measurements of this rank or a greater one are not wanted any more. */
  private threshold = Infinity;
  private isOver = false;
  private sorter: Sorter | undefined;
  private sorted: Iterator<{ readonly document: Buffer }> | undefined;

  constructor(run: PipelineRun, input: DocumentSource, sort: BoundedSort) {
    super(run.yielder);
    this.run = run;
    this.input = input;
    this.sort = sort;
    this.bound = bucketBoundOf(run);
    run.statistics.hasSortStage = true;
  }

  protected step(): SourceStep {
    const { limit } = this.sort;
    for (;;) {
      if (this.yielder.tick()) return AGAIN;
      if (limit > 0 && this.given === limit) return undefined;
      if (this.isOver && this.sorter !== undefined) return this.giveSorted();
      const first = this.heap[0];
      if (first !== undefined && (this.isOver || first.rank <= this.bound())) {
        this.given += 1;
        return this.takeFirst(first);
      }
      if (this.isOver) return undefined;
      const document = this.input.next();
      if (document instanceof Promise) return this.later(document);
      this.add(document);
    }
  }

  private async later(document: Promise<Buffer | undefined>): Promise<typeof AGAIN> {
    this.add(await document);
    return AGAIN;
  }

  private add(document: Buffer | undefined): void {
    if (document === undefined) {
      this.isOver = true;
      return;
    }
    if (this.sorter !== undefined) {
      this.sorter.add(document, 0);
      return;
    }
    const time = getField(document, this.sort.timeField);
    const ms = time?.type === BsonType.date ? time.asDateMs() : 0;
    const rank = ms * this.sort.direction;
    if (rank >= this.threshold) return;
    if (!Number.isSafeInteger(ms)) {
      // Numbers do not tell times so far away apart: it takes the dates themselves.
      this.sortTheRest().add(document, 0);
      return;
    }
    const owned = ownedDocument(document);
    push(this.heap, { rank, document: owned });
    this.heapBytes += owned.length + ENTRY_BYTES;
    const wanted = this.sort.limit - this.given;
    if (this.sort.limit > 0 && this.heap.length >= 2 * wanted + 64) this.keepFirst(wanted);
    if (this.heapBytes > this.run.maxStageBytes) this.sortTheRest();
  }

  /** With a limit no more are wanted than so many, and none from the last of them on. */
  private keepFirst(wanted: number): void {
    // A sorted array is a heap.
    this.heap.sort((a, b) => a.rank - b.rank);
    this.heap.length = wanted;
    this.threshold = this.heap.at(-1)?.rank ?? -Infinity;
    this.heapBytes = this.heap.reduce(
      (sum, { document }) => sum + document.length + ENTRY_BYTES,
      0,
    );
  }

  private takeFirst(first: Entry): Buffer {
    pop(this.heap);
    this.heapBytes -= first.document.length + ENTRY_BYTES;
    return first.document;
  }

  /** What was not given yet comes behind all that was, so that sorting it by itself is right. */
  private sortTheRest(): Sorter {
    const { order, limit } = this.sort;
    const { spill, maxStageBytes } = this.run;
    const sorter = new Sorter({
      order,
      limit: limit === 0 ? 0 : limit - this.given,
      spill,
      maxMemoryBytes: maxStageBytes,
    });
    for (const { document } of this.heap) sorter.add(document, 0);
    this.heap.length = 0;
    this.heapBytes = 0;
    this.sorter = sorter;
    return sorter;
  }

  private giveSorted(): Buffer | undefined {
    if (this.sorter?.usedDisk === true) this.run.statistics.usedDisk = true;
    this.sorted ??= this.sorter?.sorted();
    const next = this.sorted?.next();
    this.given += 1;
    return next === undefined || next.done === true ? undefined : next.value.document;
  }

  close(): void {
    this.isOver = true;
    this.heap.length = 0;
    this.sorter?.close();
    this.sorter = undefined;
    this.input.close();
  }
}

function push(heap: Entry[], entry: Entry): void {
  let at = heap.length;
  heap.push(entry);
  while (at > 0) {
    const parent = (at - 1) >> 1;
    if (heap[parent].rank <= entry.rank) break;
    heap[at] = heap[parent];
    at = parent;
  }
  heap[at] = entry;
}

/** Takes the first entry out. */
function pop(heap: Entry[]): void {
  const last = heap.pop();
  const size = heap.length;
  if (last === undefined || size === 0) return;
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= size) break;
    if (child + 1 < size && heap[child + 1].rank < heap[child].rank) child += 1;
    if (heap[child].rank >= last.rank) break;
    heap[at] = heap[child];
    at = child;
  }
  heap[at] = last;
}

/** Must stand directly behind an unpack stage that reads its buckets in the order of their first times. */
export function boundedSortStage(sort: BoundedSort): PipelineStage {
  const name = '$_internalBoundedSort';
  const builder = new DocumentBuilder().beginDocument(name).beginDocument('sortKey');
  builder.appendInt32(sort.timeField, sort.direction).end();
  builder.appendString('bound', sort.direction === 1 ? 'min' : 'max');
  if (sort.limit > 0) builder.appendInt32('limit', sort.limit);
  return {
    name,
    nature: { kind: 'other' },
    shown: builder.end().finish(),
    open: (input, run) => new BoundedSortSource(run, input, sort),
  };
}
