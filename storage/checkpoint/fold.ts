/**
 * Folds a frozen generation into a checkpoint: documents to the block store, all else to the index store's changes.
 *
 * Works in slices on the calling thread and lets others run in between; what is heavy below (page writes, the index
 * commit) runs on other threads. The frozen generation and the base below it never change meanwhile.
 */
import { invariant } from '../../common/assert.ts';
import type { Clock } from '../../common/clock.ts';
import type { CheckpointWriter } from '../blocks/contract.ts';
import type { CommitNumber, Ident, RecordId } from '../contract.ts';
import type { Generation } from '../delta/generation.ts';
import type { KeyPosition } from '../delta/key-order.ts';
import { CHUNK_RECORDS, type RecordTable } from '../delta/record-table.ts';
import { NO_ROW } from '../delta/version-rows.ts';
import {
  presentRecords,
  readRecordPlace,
  recordEntryOffset,
  recordMapKey,
} from '../format/record-map.ts';
import { indexEntryValue } from '../format/tree-key.ts';
import type { IndexChanges } from '../indexes/changes.ts';
import type { BaseEpoch } from '../views/base-epoch.ts';

export interface FoldTarget {
  readonly writer: CheckpointWriter;
  readonly changes: IndexChanges;
  /** The base that the generation lies on. */
  readonly base: BaseEpoch;
  readonly slices: Slices;
}

/** Longest time that a fold keeps the event loop, milliseconds. */
const LONGEST_SLICE_MS = 1;
const SHORTEST_SLICE_MS = 0.2;
/** A turn in which others took less was theirs alone as long as they wanted it. */
const IDLE_TURN_MS = 0.05;
/** Records or entries after which the clock is asked. */
const CHECK_EVERY = 32;

/**
 * Lets the event loop turn whenever a slice of time is used up. Who shares the loop gets half of it: a slice is as long as what
 * the others took of the turn before, so that requests beside a fold wait about twice as long as otherwise, not five times.
 */
export class Slices {
  private readonly clock: Clock;
  private untilMs: number;
  private done = 0;

  constructor(clock: Clock) {
    this.clock = clock;
    this.untilMs = clock.monotonicMs() + LONGEST_SLICE_MS;
  }

  /** True once the slice is over: then await turn(). To be asked after each record or entry. */
  get isOver(): boolean {
    return this.isOverAfter(1);
  }

  /** The same after several records or entries. */
  isOverAfter(count: number): boolean {
    this.done += count;
    if (this.done < CHECK_EVERY) return false;
    this.done = 0;
    return this.clock.monotonicMs() >= this.untilMs;
  }

  async turn(): Promise<void> {
    const fromMs = this.clock.monotonicMs();
    await new Promise((resolve) => setImmediate(resolve));
    const nowMs = this.clock.monotonicMs();
    this.untilMs = nowMs + sliceAfter(nowMs - fromMs);
  }
}

function sliceAfter(othersMs: number): number {
  if (othersMs < IDLE_TURN_MS) return LONGEST_SLICE_MS;
  return Math.min(LONGEST_SLICE_MS, Math.max(SHORTEST_SLICE_MS, othersMs));
}

/** Folds one collection's records, in order of record id. */
export async function foldRecords(
  target: FoldTarget,
  collection: Ident,
  generation: Generation,
  table: RecordTable,
): Promise<void> {
  const { writer, slices } = target;
  for (
    let chunk = table.chunkNumbers.next(-1);
    chunk !== Infinity;
    chunk = table.chunkNumbers.next(chunk)
  ) {
    foldChunk(target, collection, generation, table, chunk);
    if (writer.pressure !== undefined) await writer.pressure;
    if (slices.isOverAfter(CHUNK_RECORDS)) await slices.turn();
  }
}

/** Folds one index's entries, in order of key. */
export async function foldKeys(
  target: FoldTarget,
  index: Ident,
  generation: Generation,
): Promise<void> {
  const table = generation.keys.get(index);
  invariant(table !== undefined, 'fold: index without a table');
  const { changes, slices } = target;
  const at: KeyPosition = { leaf: 0, position: 0 };
  for (let row = table.order.rowAt(at); row !== NO_ROW; row = table.order.rowAt(at)) {
    const recordId = table.recordId[row] as RecordId;
    if (table.isPresent(row)) {
      const value = indexEntryValue(table.typeBits(row), table.isWhole(row));
      changes.putIndexEntry(index, table.key(row), recordId, value);
    } else {
      changes.deleteIndexEntry(index, table.key(row), recordId);
    }
    table.order.forward(at);
    if (slices.isOver) await slices.turn();
  }
}

function foldChunk(
  target: FoldTarget,
  collection: Ident,
  generation: Generation,
  table: RecordTable,
  chunk: number,
): void {
  const { writer, changes, base } = target;
  const { rows } = generation;
  const block = base.get(recordMapKey(collection, chunk));
  const present = block === undefined ? 0 : presentRecords(block);
  for (let position = 0; position < CHUNK_RECORDS; position += 1) {
    const recordId = (chunk * CHUNK_RECORDS + position) as RecordId;
    const row = table.newestRow(recordId);
    if (row === NO_ROW) continue;
    if (block !== undefined && (present & (1 << position)) !== 0) {
      writer.supersede(collection, readRecordPlace(block, recordEntryOffset(present, position)));
    }
    const document = rows.documentToFold(row);
    if (document === undefined) {
      writer.appendTombstone(collection, recordId);
      changes.removeRecord(collection, recordId);
    } else {
      writer.append(collection, recordId, document, rows.commitNumber[row] as CommitNumber);
    }
  }
}
