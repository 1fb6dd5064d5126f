/**
 * Sorts rows of any number: in memory, and beyond its budget in runs on disk that are merged.
 *
 * Owns: the rows of one sort. Promises: stable; no step works on more than CHUNK_ROWS rows at once, so that a large sort does not
 * hold up the event loop; with a limit no more than about twice as many rows are held.
 */
import type { RawValue } from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import { carryMetadata } from '../document-metadata.ts';
import { carryWatch } from '../expression/long-work.ts';
import { ownedDocument } from '../owned.ts';
import { readRun, RunWriter } from '../spill/document-run.ts';
import type { SpillFile, SpillSpace } from '../spill/spill-space.ts';

export type SortKey = readonly (RawValue | undefined)[];

/** What sorting needs of a compiled sort pattern. */
export interface SortOrder {
  keyOf(document: Buffer): SortKey;
  compare(a: SortKey, b: SortKey): number;
}

/** What a row costs besides its document: objects, key values, array slots. Estimated, bytes. */
const ROW_OVERHEAD_BYTES = 200;
/** About 10 ms of sorting. */
const CHUNK_ROWS = 16_384;

export interface SortedRow {
  readonly key: SortKey;
  readonly document: Buffer;
  /** 0: none. */
  readonly recordId: number;
}

export interface SorterOptions {
  readonly order: SortOrder;
  /** Only this many rows are wanted; 0: all. */
  readonly limit: number;
  /** undefined: a sort that exceeds its memory fails. */
  readonly spill: SpillSpace | undefined;
  /** Memory for rows before the sort spills or fails. */
  readonly maxMemoryBytes: number;
}

export class Sorter {
  /** The highest amount of memory so far, bytes. */
  peakBytes = 0;
  usedDisk = false;
  private readonly order: SortOrder;
  private readonly limit: number;
  private readonly spill: SpillSpace | undefined;
  private readonly maxMemoryBytes: number;
  private chunk: SortedRow[] = [];
  /** Sorted, in the order of their rows' arrival. */
  private chunks: SortedRow[][] = [];
  private readonly runs: { readonly start: number; readonly end: number }[] = [];
  private file: SpillFile | undefined;
  private memoryBytes = 0;
  /** With a limit: the last row that is still wanted. */
  private threshold: SortKey | undefined;

  constructor(options: SorterOptions) {
    this.order = options.order;
    this.limit = options.limit <= CHUNK_ROWS ? options.limit : 0;
    this.spill = options.spill;
    this.maxMemoryBytes = options.maxMemoryBytes;
  }

  add(document: Buffer, recordId: number): void {
    if (this.threshold !== undefined) {
      const key = this.order.keyOf(document);
      // A later row of an equal key comes behind the rows that are held already.
      if (this.order.compare(key, this.threshold) >= 0) return;
    }
    // The key's values are views too: they are taken from the copy.
    const owned = carryMetadata(document, ownedDocument(document));
    carryWatch(document, owned);
    this.chunk.push({ key: this.order.keyOf(owned), document: owned, recordId });
    this.memoryBytes += document.length + ROW_OVERHEAD_BYTES;
    if (this.memoryBytes > this.peakBytes) this.peakBytes = this.memoryBytes;
    if (this.limit > 0) {
      if (this.chunk.length >= 2 * this.limit + 64) this.keepFirst();
    } else if (this.chunk.length >= CHUNK_ROWS) this.closeChunk();
    if (this.memoryBytes > this.mostBytes) this.shrink();
  }

  /** Who may spill does so the sooner, the more others work; who may not has what MongoDB gives. */
  private get mostBytes(): number {
    const { maxMemoryBytes, spill } = this;
    return spill === undefined ? maxMemoryBytes : Math.min(maxMemoryBytes, spill.memoryBytes);
  }

  private shrink(): void {
    if (this.limit > 0 && this.chunk.length > this.limit) this.keepFirst();
    if (this.memoryBytes > this.mostBytes) this.spillChunks();
  }

  private keepFirst(): void {
    this.sortChunk();
    this.chunk.length = this.limit;
    this.threshold = this.chunk.at(-1)?.key;
    this.memoryBytes = this.chunk.reduce(
      (sum, row) => sum + row.document.length + ROW_OVERHEAD_BYTES,
      0,
    );
  }

  private sortChunk(): void {
    // Array.sort is stable, and a chunk holds its rows in the order they came in.
    this.chunk.sort((a, b) => this.order.compare(a.key, b.key));
  }

  private closeChunk(): void {
    if (this.chunk.length === 0) return;
    this.sortChunk();
    this.chunks.push(this.chunk);
    this.chunk = [];
  }

  private spillChunks(): void {
    if (this.spill === undefined) {
      throw new CommandError(
        'QueryExceededMemoryLimitNoDiskUseAllowed',
        `Executor error during find command :: caused by :: Sort exceeded memory limit of ${this.maxMemoryBytes} bytes, but did not opt in to external sorting.`,
      );
    }
    this.closeChunk();
    this.file ??= this.spill.create();
    this.usedDisk = true;
    const writer = new RunWriter(this.file);
    for (const row of merged(
      this.chunks.map((chunk) => chunk.values()),
      this.order,
    )) {
      writer.write(row.document, row.recordId);
    }
    this.runs.push({ start: writer.start, end: writer.finish() });
    this.chunks = [];
    this.memoryBytes = 0;
  }

  /** All rows in order. Called once, after the last add(). */
  sorted(): Iterator<SortedRow> {
    this.closeChunk();
    const { file } = this;
    // Runs were filled before the chunks in memory: earlier sources win ties.
    const sources =
      file === undefined ? [] : this.runs.map((run) => this.rowsOf(file, run.start, run.end));
    const all = [...sources, ...this.chunks.map((chunk) => chunk.values())];
    this.chunks = [];
    const [only] = all;
    return all.length === 1 && only !== undefined ? only : merged(all, this.order);
  }

  private *rowsOf(file: SpillFile, start: number, end: number): Generator<SortedRow> {
    for (const { document, recordId } of readRun(file, start, end)) {
      yield { key: this.order.keyOf(document), document, recordId };
    }
  }

  close(): void {
    this.chunk = [];
    this.chunks = [];
    this.file?.close();
    this.file = undefined;
  }
}

interface Source {
  readonly rows: Iterator<SortedRow>;
  /** Earlier sources come first among equal keys. */
  readonly rank: number;
  row: SortedRow;
}

/** Merges sorted sources through a heap whose first entry has the next row. */
function* merged(
  iterators: readonly Iterator<SortedRow>[],
  order: SortOrder,
): Generator<SortedRow> {
  const heap: Source[] = [];
  const before = (a: Source, b: Source): boolean => {
    const compared = order.compare(a.row.key, b.row.key);
    return compared < 0 || (compared === 0 && a.rank < b.rank);
  };
  iterators.forEach((rows, rank) => {
    const first = rows.next();
    if (first.done !== true) heap.push({ rows, rank, row: first.value });
  });
  for (let index = (heap.length >> 1) - 1; index >= 0; index -= 1) siftDown(heap, index, before);
  while (heap.length > 0) {
    const top = heap[0];
    yield top.row;
    const next = top.rows.next();
    if (next.done === true) {
      const last = heap.pop()!;
      if (heap.length === 0) return;
      if (last !== top) heap[0] = last;
    } else top.row = next.value;
    siftDown(heap, 0, before);
  }
}

function siftDown(heap: Source[], start: number, before: (a: Source, b: Source) => boolean): void {
  let index = start;
  for (;;) {
    const left = 2 * index + 1;
    if (left >= heap.length) return;
    const right = left + 1;
    const first = right < heap.length && before(heap[right], heap[left]) ? right : left;
    if (!before(heap[first], heap[index])) return;
    const moved = heap[index];
    heap[index] = heap[first];
    heap[first] = moved;
    index = first;
  }
}
