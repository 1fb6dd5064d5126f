/**
 * Cursors of several shards as one: in the order of a sort, or as they come.
 *
 * Promises: pulls from a shard only when nothing of it is here; in order, when every shard has shown its next document. Skips and
 * limits the whole, not the parts.
 */
import type { Interruption } from '../../common/interruption.ts';
import { uninterruptible } from '../../common/interruption.ts';
import type { CursorProducer, CursorReader } from '../../server/cluster.ts';
import type { ShardCursor } from './shard-cursor.ts';

type MaybePromise<Value> = Value | Promise<Value>;

/** The order in which documents of several shards come out. */
export interface MergeOrder {
  /** What a document is compared by. Called once for each. */
  keyOf(document: Buffer): SortKey;
  compare(a: SortKey, b: SortKey): number;
}

export type SortKey = readonly import('../../bson/index.ts').RawValue[];

export interface MergeOptions {
  /** Absent: as they come. */
  readonly order?: MergeOrder | undefined;
  readonly skip?: number;
  /** 0: none. */
  readonly limit?: number;
  /** Makes of a shard's document what the client gets: takes away what was there for merging. */
  readonly finish?: ((document: Buffer) => Buffer) | undefined;
}

interface Input {
  readonly cursor: ShardCursor;
  /** Of the document at its head. */
  key: SortKey | undefined;
}

export class MergedCursor implements CursorProducer {
  private readonly options: MergeOptions;
  private readonly inputs: Input[];
  private interruption: Interruption;
  private toSkip: number;
  private left: number;
  private turn = 0;

  /** @param interruption of the operation that pulls the first batch */
  constructor(cursors: readonly ShardCursor[], options: MergeOptions, interruption: Interruption) {
    this.options = options;
    this.inputs = cursors.map((cursor) => ({ cursor, key: undefined }));
    this.interruption = interruption;
    this.toSkip = options.skip ?? 0;
    const { limit = 0 } = options;
    this.left = limit === 0 ? Infinity : limit;
  }

  next(): MaybePromise<Buffer | undefined> {
    for (;;) {
      if (this.left <= 0) return undefined;
      const wanting = this.wanting();
      if (wanting.length > 0) return this.afterFetching(wanting);
      const input = this.options.order === undefined ? this.anyInput() : this.smallest();
      const document = input?.cursor.head;
      if (input === undefined || document === undefined) return undefined;
      input.cursor.shift();
      input.key = undefined;
      if (this.toSkip > 0) {
        this.toSkip -= 1;
        continue;
      }
      this.left -= 1;
      return this.options.finish === undefined ? document : this.options.finish(document);
    }
  }

  get isExhausted(): boolean {
    return this.left <= 0 || this.inputs.every(({ cursor }) => cursor.isOver);
  }

  detach(): void {
    this.interruption = uninterruptible;
  }

  attach(_view: unknown, reader: CursorReader): void {
    this.interruption = reader;
  }

  close(): void {
    this.left = 0;
    for (const { cursor } of this.inputs) cursor.close();
  }

  private async afterFetching(wanting: readonly ShardCursor[]): Promise<Buffer | undefined> {
    await Promise.all(wanting.map((cursor) => cursor.fetch(this.interruption)));
    return this.next();
  }

  /** Those that must give before anything can come out. */
  private wanting(): readonly ShardCursor[] {
    const empty: ShardCursor[] = [];
    for (const { cursor } of this.inputs) {
      if (cursor.head !== undefined) {
        if (this.options.order === undefined) return [];
      } else if (!cursor.isLast) empty.push(cursor);
    }
    return empty;
  }

  /** Goes round, so that no shard's documents wait for the end of another's. */
  private anyInput(): Input | undefined {
    for (let count = 0; count < this.inputs.length; count += 1) {
      const input = this.inputs[(this.turn + count) % this.inputs.length];
      if (input?.cursor.head === undefined) continue;
      this.turn = (this.turn + count) % this.inputs.length;
      return input;
    }
    return undefined;
  }

  private smallest(): Input | undefined {
    const { order } = this.options;
    let best: Input | undefined;
    for (const input of this.inputs) {
      const { head } = input.cursor;
      if (head === undefined || order === undefined) continue;
      input.key ??= order.keyOf(head);
      if (best?.key === undefined || order.compare(input.key, best.key) < 0) best = input;
    }
    return best;
  }
}
