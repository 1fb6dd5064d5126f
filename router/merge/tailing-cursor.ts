/**
 * A tailable cursor of one shard: it stays open at the end of a capped collection.
 *
 * Promises: waits where the shard does, and no longer than the client's getMore. Invariants:
 *  1. One that awaits data asks the shard only from awaitGrowth: each of its requests may take that long.
 *  2. One that does not asks once per getMore: an empty batch is an answer.
 */
import { uninterruptible, type Interruption } from '../../common/interruption.ts';
import type { CursorProducer, CursorReader } from '../../server/cluster.ts';
import type { ShardCursor } from './shard-cursor.ts';

export class TailingCursor implements CursorProducer {
  private readonly cursor: ShardCursor;
  private readonly awaitData: boolean;
  private interruption: Interruption;
  /** The find itself asked. */
  private hasAsked = true;

  constructor(cursor: ShardCursor, interruption: Interruption, awaitData: boolean) {
    this.cursor = cursor;
    this.awaitData = awaitData;
    this.interruption = interruption;
  }

  get isExhausted(): boolean {
    return this.cursor.isOver;
  }

  get mayGrow(): boolean {
    return !this.cursor.isOver;
  }

  next(): Buffer | undefined | Promise<Buffer | undefined> {
    const { cursor } = this;
    const { head } = cursor;
    if (head !== undefined) {
      cursor.shift();
      return head;
    }
    if (cursor.isLast || this.awaitData || this.hasAsked) return undefined;
    this.hasAsked = true;
    return cursor.fetch(this.interruption).then(() => this.next());
  }

  async awaitGrowth(atMostMs: number): Promise<void> {
    await this.cursor.fetch(this.interruption, atMostMs);
  }

  detach(): void {
    this.interruption = uninterruptible;
  }

  attach(_view: unknown, reader: CursorReader): void {
    this.interruption = reader;
    this.hasAsked = false;
  }

  close(): void {
    this.cursor.close();
  }
}
