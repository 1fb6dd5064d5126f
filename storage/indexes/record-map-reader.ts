/**
 * Looks records up in the record map of one snapshot, keeping the current block: neighbours cost no second read.
 */
import { invariant } from '../../common/assert.ts';
import type { Ident, RecordId } from '../contract.ts';
import {
  blockOfRecordMapKey,
  presentRecords,
  readRecordPlace,
  recordBlockOf,
  recordEntryOffset,
  recordMapKey,
  RECORDS_PER_BLOCK,
  recordSlotOf,
  type RecordPlace,
} from '../format/record-map.ts';
import { treeEnd, treePrefix } from '../format/tree-key.ts';
import type { IndexSnapshot, StoreCursor } from './contract.ts';

const NO_BLOCK = -1;

/** Point look-ups of one collection. */
export class RecordMapReader {
  private readonly snapshot: IndexSnapshot;
  private readonly ident: Ident;
  private blockNumber = NO_BLOCK;
  private block: Buffer | undefined;
  private present = 0;

  constructor(snapshot: IndexSnapshot, ident: Ident) {
    this.snapshot = snapshot;
    this.ident = ident;
  }

  /** Where a record's document lies; undefined when the record is not in the base. */
  get(recordId: RecordId): RecordPlace | undefined {
    const number = recordBlockOf(recordId);
    if (number !== this.blockNumber) this.enterBlock(number);
    const slot = recordSlotOf(recordId);
    if (this.block === undefined || (this.present & (1 << slot)) === 0) return undefined;
    return readRecordPlace(this.block, recordEntryOffset(this.present, slot));
  }

  private enterBlock(number: number): void {
    this.block = this.snapshot.get(recordMapKey(this.ident, number));
    this.present = this.block === undefined ? 0 : presentRecords(this.block);
    this.blockNumber = number;
  }
}

export interface RecordMapScanOptions {
  readonly direction?: 1 | -1;
  /** Begin after this record id, in the direction of the walk. */
  readonly after?: RecordId;
}

/** Walks one collection's record map in order of record id. */
export class RecordMapCursor {
  private readonly ident: Ident;
  private readonly ascending: boolean;
  private readonly startAfter: RecordId | undefined;
  private blocks: StoreCursor;
  private block: Buffer | undefined;
  private blockNumber = NO_BLOCK;
  private present = 0;
  /** Slot that next() looks at first. */
  private slot = 0;
  private foundSlot = NO_BLOCK;

  constructor(snapshot: IndexSnapshot, ident: Ident, options: RecordMapScanOptions = {}) {
    this.ident = ident;
    this.ascending = options.direction !== -1;
    this.startAfter = options.after;
    this.blocks = this.scanBlocks(snapshot);
    if (options.after !== undefined) this.seekAfter(options.after);
  }

  /** Of the current record; only after next() gave true. */
  get recordId(): RecordId {
    return (this.blockNumber * RECORDS_PER_BLOCK + this.foundSlot) as RecordId;
  }

  get place(): RecordPlace {
    invariant(this.block !== undefined, 'record map cursor: not on a record');
    return readRecordPlace(this.block, recordEntryOffset(this.present, this.foundSlot));
  }

  next(): boolean {
    for (;;) {
      while (this.block !== undefined && this.slot >= 0 && this.slot < RECORDS_PER_BLOCK) {
        const slot = this.slot;
        this.slot += this.ascending ? 1 : -1;
        if ((this.present & (1 << slot)) === 0) continue;
        this.foundSlot = slot;
        return true;
      }
      if (!this.nextBlock()) return false;
    }
  }

  /** To be called before anything is awaited. */
  suspend(): void {
    this.blocks.suspend();
  }

  /** Goes on in another snapshot, after the current record. */
  attach(snapshot: IndexSnapshot): void {
    const last = this.foundSlot === NO_BLOCK ? this.startAfter : this.recordId;
    this.blocks.close();
    this.blocks = this.scanBlocks(snapshot);
    this.block = undefined;
    if (last !== undefined) this.seekAfter(last);
  }

  close(): void {
    this.blocks.close();
    this.block = undefined;
  }

  private scanBlocks(snapshot: IndexSnapshot): StoreCursor {
    return snapshot.scan({
      lower: treePrefix(this.ident),
      upper: treeEnd(this.ident),
      direction: this.ascending ? 1 : -1,
    });
  }

  private nextBlock(): boolean {
    this.block = undefined;
    if (!this.blocks.next()) return false;
    this.enterBlock();
    this.slot = this.ascending ? 0 : RECORDS_PER_BLOCK - 1;
    return true;
  }

  private enterBlock(): void {
    this.block = this.blocks.value;
    this.blockNumber = blockOfRecordMapKey(this.blocks.key);
    this.present = presentRecords(this.block);
  }

  private seekAfter(recordId: RecordId): void {
    const number = recordBlockOf(recordId);
    this.blocks.seek(recordMapKey(this.ident, number));
    if (!this.nextBlock() || this.blockNumber !== number) return;
    this.slot = recordSlotOf(recordId) + (this.ascending ? 1 : -1);
  }
}
