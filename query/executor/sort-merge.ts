/**
 * SORT_MERGE: inputs that are in order each become one in order; each record once.
 *
 * Owns: the heads of the inputs, least first. Values to sort by come from the index keys; only where a key was cut is the document read.
 */
import { decodeIndexKey, type RawValue } from '../../bson/index.ts';
import type { IndexDescription, MaybePromise, ReadView, RecordId } from '../../storage/index.ts';
import { RecordIdSet } from './record-id-set.ts';
import type { Row } from './row.ts';
import type { SortOrder } from './sorter.ts';
import {
  type ExecutionContext,
  StageOverInputs,
  type Stage,
  type StageCounters,
  type Step,
} from './stage.ts';

type SortKey = readonly (RawValue | undefined)[];

/** A row that waits for its turn. */
interface Head {
  readonly input: Stage;
  readonly sortKey: SortKey;
  readonly document: Buffer;
  readonly recordId: RecordId | undefined;
  readonly key: Buffer | undefined;
  readonly typeBits: Buffer | undefined;
  /** Not so any more once the view was renewed: the document may have another key by now. */
  keyIsWhole: boolean;
  readonly index: IndexDescription | undefined;
}

export interface SortMergeOptions {
  /** Paths that the order goes by. */
  readonly paths: readonly string[];
  readonly order: SortOrder;
}

export class SortMerge extends StageOverInputs {
  readonly counters: StageCounters = { advanced: 0, dupsDropped: 0, isEOF: false };
  private readonly context: ExecutionContext;
  private readonly options: SortMergeOptions;
  private readonly seen = new RecordIdSet();
  private readonly positions = new WeakMap<IndexDescription, readonly number[]>();
  /** Heap: no head is less than that at half its place. */
  private readonly heads: Head[] = [];
  /** Inputs that have to be asked for their next row. */
  private readonly asked: Stage[];

  constructor(context: ExecutionContext, inputs: readonly Stage[], options: SortMergeOptions) {
    super(context.yielder, inputs);
    this.context = context;
    this.options = options;
    this.asked = inputs.toReversed();
  }

  protected step(): Step {
    for (;;) {
      const input = this.asked.at(-1);
      if (input === undefined) {
        const least = this.takeLeast();
        if (least === undefined) return this.end();
        this.asked.push(least.input);
        if (this.give(least)) return true;
        continue;
      }
      const moved = input.next();
      if (typeof moved !== 'boolean') return this.afterInput(input, moved);
      const waits = this.receive(input, moved);
      if (waits !== undefined) return waits;
    }
  }

  private async afterInput(input: Stage, moved: Promise<boolean>): Promise<undefined> {
    await this.receive(input, await moved);
    return undefined;
  }

  /** @returns a promise when a document has to be read for the row's sort key. */
  private receive(input: Stage, moved: boolean): Promise<undefined> | undefined {
    if (!moved) {
      this.asked.pop();
      return undefined;
    }
    const sortKey = this.sortKeyOf(this.context.row);
    if (sortKey instanceof Promise) return sortKey.then((key) => this.keep(input, key));
    return this.keep(input, sortKey);
  }

  /** @param sortKey undefined: the record has vanished. */
  private keep(input: Stage, sortKey: SortKey | undefined): undefined {
    if (sortKey === undefined) return;
    this.asked.pop();
    const { document, recordId, keyIsWhole, index } = this.context.row;
    // The scan goes on below: its buffers are its own.
    const key = copied(this.context.row.key);
    const typeBits = copied(this.context.row.typeBits);
    this.insert({ input, sortKey, document, recordId, key, typeBits, keyIsWhole, index });
  }

  private sortKeyOf(row: Row): MaybePromise<SortKey | undefined> {
    const { index, key, typeBits } = row;
    if (index === undefined || key === undefined || typeBits === undefined || !row.keyIsWhole) {
      return this.sortKeyOfDocument(row);
    }
    const directions = index.fields.map((field) => field.direction);
    const values = decodeIndexKey(key, typeBits, directions);
    return this.positionsIn(index).map((position) => values[position]);
  }

  private sortKeyOfDocument(row: Row): MaybePromise<SortKey | undefined> {
    const { view, collection } = this.context;
    const keyOf = (document: Buffer | undefined): SortKey | undefined =>
      document === undefined ? undefined : this.options.order.keyOf(document);
    const document = view.record(collection, row.recordId!);
    return document instanceof Promise ? document.then(keyOf) : keyOf(document);
  }

  private positionsIn(index: IndexDescription): readonly number[] {
    let positions = this.positions.get(index);
    if (positions === undefined) {
      positions = this.options.paths.map((path) =>
        index.fields.findIndex((field) => field.path === path),
      );
      this.positions.set(index, positions);
    }
    return positions;
  }

  private insert(head: Head): void {
    const { heads } = this;
    let place = heads.push(head) - 1;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (this.compare(heads[parent], head) <= 0) break;
      heads[place] = heads[parent];
      place = parent;
    }
    heads[place] = head;
  }

  private takeLeast(): Head | undefined {
    const { heads } = this;
    const least = heads[0];
    const last = heads.pop();
    if (last === undefined || heads.length === 0) return least;
    let place = 0;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= heads.length) break;
      if (child + 1 < heads.length && this.compare(heads[child + 1], heads[child]) < 0) child += 1;
      if (this.compare(last, heads[child]) <= 0) break;
      heads[place] = heads[child];
      place = child;
    }
    heads[place] = last;
    return least;
  }

  private compare(a: Head, b: Head): number {
    return this.options.order.compare(a.sortKey, b.sortKey);
  }

  private give(head: Head): boolean {
    const recordId = head.recordId!;
    if (this.seen.has(recordId)) {
      this.counters.dupsDropped! += 1;
      return false;
    }
    this.seen.add(recordId);
    const { row } = this.context;
    row.document = head.document;
    row.recordId = recordId;
    row.key = head.key;
    row.typeBits = head.typeBits;
    row.keyIsWhole = head.keyIsWhole;
    row.index = head.index;
    row.sortKey = head.sortKey;
    this.counters.advanced += 1;
    return true;
  }

  override attach(view: ReadView): void {
    for (const head of this.heads) head.keyIsWhole = false;
    super.attach(view);
  }

  override close(): void {
    super.close();
    this.heads.length = 0;
    this.asked.length = 0;
  }
}

function copied(bytes: Buffer | undefined): Buffer | undefined {
  return bytes === undefined ? undefined : Buffer.from(bytes);
}
