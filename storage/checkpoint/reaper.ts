/**
 * Reaping: deletes the trees of dropped collections and indexes, a slice with every checkpoint.
 *
 * Owns: the list of trees that wait. It stands in the base, too: a crash forgets none.
 * Older bases that readers still pin keep the trees in their own snapshots of the index store.
 */
import {
  decodeReapRecord,
  encodeReapRecord,
  REAP_RANGE,
  reapKey,
  type ReapRecord,
} from '../catalog/catalog-record.ts';
import type { Ident } from '../contract.ts';
import {
  presentRecords,
  readRecordPlace,
  recordEntryOffset,
  RECORDS_PER_BLOCK,
} from '../format/record-map.ts';
import { treeEnd, treePrefix } from '../format/tree-key.ts';
import type { CommitResult } from '../indexes/contract.ts';
import { isDamagedValue } from '../indexes/sealed-value.ts';
import type { BaseEpoch } from '../views/base-epoch.ts';
import type { FoldTarget } from './fold.ts';

/** Most keys deleted of one tree with one checkpoint: blocks of a record map, each for up to 32 records, or entries. */
const SLICE_KEYS = { records: 4096, keys: 100_000 } as const;
/** Records and entries deleted with one checkpoint, about. */
const MOST_ENTRIES = 400_000;
const MOST_TREES = 1000;

export class Reaper {
  private waiting: ReapRecord[] = [];
  /** Trees that are empty; their records go with the next checkpoint. */
  private finished: ReapRecord[] = [];
  /** What the checkpoint under way will leave, if it succeeds. */
  private proposed: { waiting: ReapRecord[]; inCommit: ReapRecord[] } = {
    waiting: [],
    inCommit: [],
  };

  /** Reads the trees that still wait. */
  load(base: BaseEpoch): void {
    this.waiting = [];
    const cursor = base.scan(REAP_RANGE);
    while (cursor.next()) this.waiting.push(decodeReapRecord(cursor.key, cursor.value));
    cursor.close();
  }

  get hasWork(): boolean {
    return this.waiting.length > 0;
  }

  /** Adds this checkpoint's slice to its changes. @param dropped trees that this checkpoint drops */
  async addSlice(target: FoldTarget, dropped: readonly ReapRecord[]): Promise<void> {
    const { base, changes } = target;
    for (const { ident } of this.finished) changes.delete(reapKey(ident));
    const added = dropped.filter(({ ident }) => base.holdsAny(ident));
    for (const record of added) changes.put(reapKey(record.ident), encodeReapRecord(record));
    const waiting = [...this.waiting, ...added];
    const inCommit = firstSlices(waiting);
    for (const { ident, kind } of inCommit) {
      if (kind === 'records') await supersedeRecords(target, ident);
      changes.deleteRange(treePrefix(ident), treeEnd(ident), SLICE_KEYS[kind]);
    }
    this.proposed = { waiting, inCommit };
  }

  /** The checkpoint's commit is durable. */
  noteCommitted(result: CommitResult): void {
    const { waiting, inCommit } = this.proposed;
    this.finished = inCommit.filter((_, index) => result.deletedRanges[index]?.finished === true);
    this.waiting = waiting.filter((record) => !this.finished.includes(record));
  }
}

/** As many trees as one checkpoint should work on. */
function firstSlices(waiting: readonly ReapRecord[]): ReapRecord[] {
  const slices: ReapRecord[] = [];
  let entries = 0;
  for (const record of waiting) {
    if (entries >= MOST_ENTRIES || slices.length >= MOST_TREES) break;
    slices.push(record);
    entries += Math.min(record.entries, MOST_ENTRIES / 4);
  }
  return slices;
}

/**
 * The blocks that the slice deletes, the first ones of the tree, name places that are no longer live. What a damaged block named is not
 * known: it counts as live until `flint repair` counts again, which must not keep the checkpoint from being taken.
 */
async function supersedeRecords(target: FoldTarget, collection: Ident): Promise<void> {
  const { base, slices } = target;
  const cursor = base.scan({ lower: treePrefix(collection), upper: treeEnd(collection) });
  for (let blocks = 0; blocks < SLICE_KEYS.records; blocks += 1) {
    try {
      if (!cursor.next()) break;
      supersedeBlock(target, collection, cursor.value);
    } catch (error) {
      if (!isDamagedValue(error)) throw error;
    }
    if (!slices.isOverAfter(RECORDS_PER_BLOCK)) continue;
    cursor.suspend();
    await slices.turn();
  }
  cursor.close();
}

function supersedeBlock({ writer }: FoldTarget, collection: Ident, block: Buffer): void {
  const present = presentRecords(block);
  for (let slot = 0; slot < RECORDS_PER_BLOCK; slot += 1) {
    if ((present & (1 << slot)) === 0) continue;
    writer.supersede(collection, readRecordPlace(block, recordEntryOffset(present, slot)));
  }
}
