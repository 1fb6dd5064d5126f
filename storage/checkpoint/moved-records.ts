/**
 * What the block store's cleaner asks of a checkpoint: which records still count, and where they lie from now on.
 *
 * Owns: the list of record map blocks that moved records stand in, so that caches of the base before are not believed.
 */
import { invariant } from '../../common/assert.ts';
import type { LiveRecords } from '../blocks/contract.ts';
import type { Place } from '../blocks/place.ts';
import type { CommitNumber, Ident, RecordId } from '../contract.ts';
import type { Generation } from '../delta/generation.ts';
import { NO_ROW } from '../delta/version-rows.ts';
import { recordBlockOf } from '../format/record-map.ts';
import type { BaseEpoch } from '../views/base-epoch.ts';

export class MovedRecords implements LiveRecords {
  /** Record map blocks by collection. */
  readonly blocks = new Map<Ident, Set<number>>();
  /** Records of the catalog that this checkpoint wrote anew, by collection. */
  private readonly rewritten = new Map<Ident, Set<RecordId>>();
  private readonly base: BaseEpoch;
  private readonly folded: Generation;

  /** @param base the one before this checkpoint @param folded the generation that the checkpoint folds into it */
  constructor(base: BaseEpoch, folded: Generation) {
    this.base = base;
    this.folded = folded;
  }

  /** A record that the checkpoint wrote, or removed, without a version in the generation. */
  noteRewritten(collection: Ident, recordId: RecordId): void {
    let records = this.rewritten.get(collection);
    if (records === undefined) {
      records = new Set();
      this.rewritten.set(collection, records);
    }
    records.add(recordId);
    this.noteBlock(collection, recordId);
  }

  isLive(collection: Ident, recordId: RecordId, place: Place): boolean {
    if (this.rewritten.get(collection)?.has(recordId) === true) return false;
    const row = this.folded.records.get(collection)?.newestRow(recordId) ?? NO_ROW;
    if (row !== NO_ROW) return false;
    const current = this.base.place(collection, recordId);
    return (
      current !== undefined &&
      current.sector === place.sector &&
      current.slot === place.slot &&
      current.generation === place.generation
    );
  }

  moving(collection: Ident, recordId: RecordId): CommitNumber {
    const before = this.base.place(collection, recordId);
    invariant(before !== undefined, 'moved records: a record moves that is not alive');
    this.noteBlock(collection, recordId);
    // The version stays the same one: a transaction that read it before must not meet a conflict.
    return before.commitNumber;
  }

  private noteBlock(collection: Ident, recordId: RecordId): void {
    let blocks = this.blocks.get(collection);
    if (blocks === undefined) {
      blocks = new Set();
      this.blocks.set(collection, blocks);
    }
    blocks.add(recordBlockOf(recordId));
  }
}
