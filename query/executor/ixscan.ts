/**
 * IXSCAN: walks ranges of one index and gives record ids with their keys.
 *
 * Promises: each record once, although a multikey index holds several entries of it, and although a writer moves its
 * entries while it pulls (forWrites). Ranges are disjoint and in the order of the walk. When arrays come into the index meanwhile,
 * documents decide from then on: the bounds were made for keys that are whole values.
 */
import {
  CUT_INDEX_KEY_PREFIX_BYTES,
  type IndexCursor,
  type IndexDescription,
  type KeyRange,
  type ReadView,
} from '../../storage/index.ts';
import type { Filter } from '../matcher/filter.ts';
import type { KeyBounds } from '../planner/key-bounds.ts';
import { type ExecutionContext, PullStage, type StageCounters, type Step } from './stage.ts';
import { RecordIdSet } from './record-id-set.ts';
import { holdsMoreArrays, indexAsItIs } from './still-there.ts';

export interface IndexScanOptions {
  readonly index: IndexDescription;
  readonly ranges: readonly KeyRange[];
  readonly direction: 1 | -1;
  /** Bounds that the ranges leave open. */
  readonly keyBounds?: KeyBounds | undefined;
  /** The condition for entries whose key was cut, when nobody above reads the documents. */
  readonly whole?: Filter;
}

export class IndexScan extends PullStage {
  readonly counters: StageCounters = {
    advanced: 0,
    keysExamined: 0,
    seeks: 0,
    dupsDropped: 0,
    isEOF: false,
  };
  private readonly context: ExecutionContext;
  private readonly options: IndexScanOptions;
  private seen: RecordIdSet | undefined;
  private cursor: IndexCursor | undefined;
  private nextRange = 0;
  /** Arrays are where there were none when the plan was made. */
  private hasNewArrays = false;

  constructor(context: ExecutionContext, options: IndexScanOptions) {
    super(context.yielder);
    this.context = context;
    this.options = options;
    const hasSeveral =
      options.index.multikey || isWildcard(options.index) || mayOverlap(options.ranges);
    this.seen = hasSeveral || context.forWrites ? new RecordIdSet() : undefined;
  }

  protected step(): Step {
    const { yielder } = this.context;
    for (;;) {
      const cursor = this.cursor ?? this.openRange();
      if (cursor === undefined) return this.end();
      if (yielder.tick()) return undefined;
      if (!cursor.next()) this.closeRange();
      else if (this.accept(cursor)) {
        const decided = this.options.whole === undefined || this.decide(this.options.whole);
        if (decided === true) return true;
        if (decided !== false) return decided;
      }
    }
  }

  private openRange(): IndexCursor | undefined {
    const { index, ranges, direction } = this.options;
    const range = ranges[this.nextRange];
    if (range === undefined) return undefined;
    this.nextRange += 1;
    this.counters.seeks! += 1;
    this.cursor = this.context.view.scanIndex(index, range, direction);
    return this.cursor;
  }

  private accept(cursor: IndexCursor): boolean {
    const { context, counters, seen } = this;
    counters.keysExamined! += 1;
    context.statistics.keysExamined += 1;
    const { recordId } = cursor;
    if (seen !== undefined && seen.has(recordId)) {
      counters.dupsDropped! += 1;
      return false;
    }
    if (!this.isInside(cursor)) return false;
    seen?.add(recordId);
    this.fillRow(cursor);
    counters.advanced += 1;
    return true;
  }

  /** A key that was cut says too little: the document decides. */
  private decide(whole: Filter): boolean | Promise<boolean | undefined> {
    const { view, collection, row, statistics } = this.context;
    if (row.keyIsWhole) return true;
    const matches = (document: Buffer | undefined): boolean => {
      statistics.docsExamined += 1;
      const isMatch = document !== undefined && whole.matches(document);
      if (!isMatch) this.counters.advanced -= 1;
      return isMatch;
    };
    const document = view.record(collection, row.recordId!);
    if (!(document instanceof Promise)) return matches(document);
    return document.then((loaded) => (matches(loaded) ? true : undefined));
  }

  /** Jumps over what the bounds exclude. */
  private isInside(cursor: IndexCursor): boolean {
    const { keyBounds } = this.options;
    const checked = keyBounds === undefined ? true : keyBounds.check(cursor);
    if (checked === true) return true;
    if (checked === undefined) return false;
    cursor.seek(checked);
    this.counters.seeks! += 1;
    return false;
  }

  private fillRow(cursor: IndexCursor): void {
    const { row } = this.context;
    row.recordId = cursor.recordId;
    row.key = cursor.key;
    row.typeBits = cursor.typeBits;
    row.keyIsWhole = cursor.keyIsWhole && !this.hasNewArrays;
    row.index = this.options.index;
  }

  private closeRange(): void {
    this.cursor?.close();
    this.cursor = undefined;
  }

  detach(): void {
    this.cursor?.detach();
  }

  attach(view: ReadView): void {
    const index = indexAsItIs(view, this.context.collection, this.options.index);
    // An array may have come in meanwhile: from now on a record can have several entries.
    if (index.multikey) this.seen ??= new RecordIdSet();
    this.hasNewArrays ||= holdsMoreArrays(index, this.options.index);
    this.cursor?.attach(view);
  }

  close(): void {
    this.closeRange();
    this.nextRange = this.options.ranges.length;
  }
}

/** Around a bound that is itself cut a walk may give entries from outside: those of the next range. */
function mayOverlap(ranges: readonly KeyRange[]): boolean {
  return (
    ranges.length > 1 &&
    ranges.some(({ lower, upper }) => {
      const longest = Math.max(lower?.length ?? 0, upper?.length ?? 0);
      return longest > CUT_INDEX_KEY_PREFIX_BYTES;
    })
  );
}

/** Of a key that was cut nobody knows the path: a document may come once for each of its paths. */
function isWildcard({ fields }: IndexDescription): boolean {
  return fields.some(({ path }) => path === '$_path');
}
