/**
 * DISTINCT_SCAN: of all entries with the same values up to one field, gives the first, and jumps to the next value.
 *
 * Promises: no value is skipped. Where a key does not say the value (it was cut, it is null for a missing field, it is an array), the row
 * says so (keyIsWhole is false), and the entries around it are walked one by one.
 */
import {
  BsonType,
  decodeIndexKey,
  type Direction,
  encodeIndexKey,
  type RawValue,
  successorOfPrefix,
} from '../../bson/index.ts';
import {
  CUT_INDEX_KEY_PREFIX_BYTES,
  type IndexCursor,
  type ReadView,
} from '../../storage/index.ts';
import type { DistinctScanNode } from '../planner/plan-node.ts';
import { type ExecutionContext, PullStage, type StageCounters, type Step } from './stage.ts';
import { holdsMoreArrays, indexAsItIs } from './still-there.ts';

export class DistinctScan extends PullStage {
  readonly counters: StageCounters = { advanced: 0, keysExamined: 0, seeks: 0, isEOF: false };
  private readonly context: ExecutionContext;
  private readonly node: DistinctScanNode;
  private readonly directions: readonly Direction[];
  private cursor: IndexCursor | undefined;
  private nextRange = 0;
  /** An array came in while the plan rested: from now on documents decide. */
  private mayJump = true;

  constructor(context: ExecutionContext, node: DistinctScanNode) {
    super(context.yielder);
    this.context = context;
    this.node = node;
    this.directions = node.scan.index.fields.map((field) => field.direction);
  }

  protected step(): Step {
    for (;;) {
      const cursor = this.cursor ?? this.openRange();
      if (cursor === undefined) return this.end();
      if (this.context.yielder.tick()) return undefined;
      if (!cursor.next()) {
        cursor.close();
        this.cursor = undefined;
      } else if (this.accept(cursor)) return true;
    }
  }

  private openRange(): IndexCursor | undefined {
    const { index, ranges, direction } = this.node.scan;
    const range = ranges[this.nextRange];
    if (range === undefined) return undefined;
    this.nextRange += 1;
    this.counters.seeks! += 1;
    this.cursor = this.context.view.scanIndex(index, range, direction);
    return this.cursor;
  }

  private accept(cursor: IndexCursor): boolean {
    const { counters, context, node } = this;
    counters.keysExamined! += 1;
    context.statistics.keysExamined += 1;
    const { keyBounds } = node.scan;
    const checked = keyBounds === undefined ? true : keyBounds.check(cursor);
    if (checked !== true) {
      this.seek(cursor, checked);
      return false;
    }
    const { row } = context;
    row.recordId = cursor.recordId;
    // Copies: the cursor may jump before they are read.
    row.key = Buffer.from(cursor.key);
    row.typeBits = Buffer.from(cursor.typeBits);
    row.index = node.scan.index;
    row.keyIsWhole = this.jump(cursor);
    counters.advanced += 1;
    return true;
  }

  /** Goes behind all entries with these values. @returns false when the key does not say them. */
  private jump(cursor: IndexCursor): boolean {
    if (!cursor.keyIsWhole) return false;
    // Which entry of a value is the first is not known among cut ones.
    if (this.node.scan.order !== undefined && cursor.key.length > CUT_INDEX_KEY_PREFIX_BYTES) {
      return true;
    }
    const values = decodeIndexKey(cursor.key, cursor.typeBits, this.directions);
    const value = values[this.node.position];
    if (value === undefined || !this.mayJump || value.isNullish) return false;
    if (value.type === BsonType.array) return false;
    this.seek(cursor, this.behind(values.slice(0, this.node.position + 1)));
    return true;
  }

  private behind(values: readonly RawValue[]): Buffer {
    const { key } = encodeIndexKey(values, this.directions);
    return this.node.scan.direction === 1 ? successorOfPrefix(key) : key;
  }

  private seek(cursor: IndexCursor, target: Buffer | undefined): void {
    if (target === undefined) return;
    cursor.seek(target);
    this.counters.seeks! += 1;
  }

  detach(): void {
    this.cursor?.detach();
  }

  attach(view: ReadView): void {
    const { scan } = this.node;
    const index = indexAsItIs(view, this.context.collection, scan.index);
    if (holdsMoreArrays(index, scan.index)) this.mayJump = false;
    this.cursor?.attach(view);
  }

  close(): void {
    this.cursor?.close();
    this.cursor = undefined;
    this.nextRange = this.node.scan.ranges.length;
  }
}
