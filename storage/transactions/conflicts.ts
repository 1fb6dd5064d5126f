/**
 * Who may write what: the first writer of a record or unique key wins.
 *
 * Three layers are asked: what other open transactions have written and not committed, what was committed since the
 * writer's snapshot, and what its snapshot shows. Unique keys are compared without their record id.
 */
import { WriteConflictError, type Ident, type RecordId } from '../contract.ts';
import type { KeyPosition } from '../delta/key-order.ts';
import { NO_ROW } from '../delta/version-rows.ts';
import { indexEntryKey, typeBitsOfEntry } from '../format/tree-key.ts';
import type { LayeredView } from '../views/layered-view.ts';
import type { PendingWriter, StoreState } from '../views/store-state.ts';

/** @throws WriteConflictError when somebody else has written the record, or commits have since `view`'s snapshot. */
export function checkRecord(
  store: StoreState,
  view: LayeredView & PendingWriter,
  collection: Ident,
  recordId: RecordId,
): void {
  if (store.writers.size > 0) {
    for (const other of store.writers) {
      if (other !== view && other.hasWrittenRecord(collection, recordId)) {
        throw new WriteConflictError(other.ended);
      }
    }
  }
  if (view.commitNumber === store.lastCommitNumber) return;
  if (writtenSince(store, view, collection, recordId)) throw new WriteConflictError();
}

/** @throws WriteConflictError when another open transaction has written the key. */
export function checkPendingKeys(
  store: StoreState,
  writer: PendingWriter,
  index: Ident,
  key: Buffer,
): void {
  for (const other of store.writers) {
    if (other !== writer && other.hasWrittenKey(index, key)) {
      throw new WriteConflictError(other.ended);
    }
  }
}

/** Shared: a search never enters another one. */
const at: KeyPosition = { leaf: 0, position: 0 };

/**
 * The record that holds a key as of now, by what is committed; undefined when none does.
 * @param except record ids that do not count: the writer's own, and those that it took the key away from
 */
export function committedOwner(
  store: StoreState,
  index: Ident,
  key: Buffer,
  except: readonly number[],
): number | undefined {
  let decided = except;
  for (const generation of store.epoch.generations) {
    const table = generation.keys.get(index);
    if (table === undefined) continue;
    table.find(key, -1, at);
    for (
      let row = table.order.rowAt(at);
      row !== NO_ROW && table.keyEquals(row, key);
      row = table.order.rowAt(at)
    ) {
      const recordId = table.recordId[row];
      if (!decided.includes(recordId)) {
        if (table.isPresent(row)) return recordId;
        decided = [...decided, recordId];
      }
      table.order.forward(at);
    }
  }
  return store.epoch.base.recordIdsOf(index, key).find((recordId) => !decided.includes(recordId));
}

/** The type bits of an index's entry for exactly this stored key and record, by what is committed; undefined when there is none. */
export function committedEntry(
  store: StoreState,
  index: Ident,
  key: Buffer,
  recordId: RecordId,
): Buffer | undefined {
  for (const generation of store.epoch.generations) {
    const table = generation.keys.get(index);
    const row = table?.newestRow(key, recordId) ?? NO_ROW;
    if (table === undefined || row === NO_ROW) continue;
    return table.isPresent(row) ? table.typeBits(row) : undefined;
  }
  const value = store.epoch.base.get(indexEntryKey(index, key, recordId));
  return value === undefined ? undefined : typeBitsOfEntry(value);
}

function writtenSince(
  store: StoreState,
  view: LayeredView,
  collection: Ident,
  recordId: RecordId,
): boolean {
  for (const generation of store.epoch.generations) {
    const table = generation.records.get(collection);
    const row = table?.newestRow(recordId) ?? NO_ROW;
    if (row !== NO_ROW) return generation.rows.commitNumber[row] > view.commitNumber;
  }
  // The generation that held the newer version may have been folded: then the record map knows.
  if (store.epoch.base === view.epoch.base) return false;
  const place = store.epoch.base.place(collection, recordId);
  return place === undefined || place.commitNumber > view.commitNumber;
}
