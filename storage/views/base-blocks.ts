/**
 * Walks the record map of one collection in one base, block by block, ahead of a record cursor.
 *
 * Reads blocks in batches and holds no cursor of the index store in between: nothing of the store lives across an await.
 */
import type { Ident } from '../contract.ts';
import { blockOfRecordMapKey, recordMapKey } from '../format/record-map.ts';
import { treeEnd, treePrefix } from '../format/tree-key.ts';
import type { BaseEpoch } from './base-epoch.ts';

const FIRST_BATCH_BLOCKS = 2;
const LARGEST_BATCH_BLOCKS = 64;

export class BaseBlocks {
  private readonly base: BaseEpoch;
  private readonly collection: Ident;
  private readonly direction: 1 | -1;
  private numbers: number[] = [];
  private blocks: Buffer[] = [];
  private index = 0;
  private batchBlocks = FIRST_BATCH_BLOCKS;
  private atEnd = false;

  constructor(base: BaseEpoch, collection: Ident, direction: 1 | -1) {
    this.base = base;
    this.collection = collection;
    this.direction = direction;
  }

  /** Number of the next block at or past `from` in the direction of the walk; Infinity or -Infinity when there is none. */
  peek(from: number): number {
    const direction = this.direction;
    for (;;) {
      while (
        this.index < this.numbers.length &&
        (this.numbers[this.index] - from) * direction < 0
      ) {
        this.index += 1;
      }
      if (this.index < this.numbers.length) return this.numbers[this.index];
      if (this.atEnd) return direction * Infinity;
      this.fill(from);
    }
  }

  /** The block that peek() found. */
  get current(): Buffer {
    return this.blocks[this.index];
  }

  /** The blocks read ahead, the current one first. */
  ahead(): { numbers: readonly number[]; blocks: readonly Buffer[] } {
    return { numbers: this.numbers.slice(this.index), blocks: this.blocks.slice(this.index) };
  }

  private fill(from: number): void {
    this.numbers = [];
    this.blocks = [];
    this.index = 0;
    const cursor = this.base.scan(this.rangeFrom(from));
    try {
      while (this.numbers.length < this.batchBlocks && cursor.next()) {
        this.numbers.push(blockOfRecordMapKey(cursor.key));
        this.blocks.push(cursor.value);
      }
    } catch (error) {
      // What stands before the damage can be read: the next batch begins at it.
      if (this.numbers.length === 0) throw error;
      this.batchBlocks = this.numbers.length;
    } finally {
      cursor.close();
    }
    this.atEnd = this.numbers.length < this.batchBlocks;
    this.batchBlocks = Math.min(this.batchBlocks * 4, LARGEST_BATCH_BLOCKS);
  }

  private rangeFrom(from: number) {
    const direction = this.direction;
    if (direction === 1) {
      const lower = recordMapKey(this.collection, Math.max(from, 0));
      return { lower, upper: treeEnd(this.collection), direction };
    }
    const upper =
      from === Infinity ? treeEnd(this.collection) : recordMapKey(this.collection, from + 1);
    return { lower: treePrefix(this.collection), upper, direction };
  }
}
