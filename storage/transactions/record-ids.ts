/**
 * Hands out record ids for new records, and none beside a part of the record map that is damaged.
 *
 * A checkpoint could not write the new record's place into a block that it cannot read, and would fail with everything that was committed.
 */
import type { CollectionState } from '../catalog/collection-state.ts';
import type { RecordId } from '../contract.ts';
import { RECORDS_PER_BLOCK, recordBlockOf } from '../format/record-map.ts';
import { isDamagedValue } from '../indexes/sealed-value.ts';
import type { StoreState } from '../views/store-state.ts';

/**
 * The next record id of a collection. Of what a base holds only the last block is not full: it is looked at once, with the first record
 * after a start.
 */
export function takeRecordId(store: StoreState, state: CollectionState): RecordId {
  if (!state.lastBlockIsKnown) {
    passOverDamagedBlock(store, state);
    state.lastBlockIsKnown = true;
  }
  return state.takeRecordId();
}

function passOverDamagedBlock({ epoch }: StoreState, state: CollectionState): void {
  const next = (state.recordIdHighWater + 1) as RecordId;
  try {
    epoch.base.place(state.ident, next);
  } catch (error) {
    if (!isDamagedValue(error)) throw error;
    state.noteRecordId((recordBlockOf(next) + 1) * RECORDS_PER_BLOCK - 1);
  }
}
