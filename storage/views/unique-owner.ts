/**
 * Point look-ups in unique indexes: the layers asked one after the other, newest first, without a cursor.
 *
 * The hot path of find by _id. Measured from a base of 100,000 documents: 1.5 us less than through a cursor.
 */
import type { Ident, RecordId } from '../contract.ts';
import type { KeyPosition } from '../delta/key-order.ts';
import type { KeyTable } from '../delta/key-table.ts';
import { NO_ROW } from '../delta/version-rows.ts';
import type { LayeredView } from './layered-view.ts';

/** Shared: a look-up never enters another one. */
const at: KeyPosition = { leaf: 0, position: 0 };

/**
 * The record that holds a key in this view; undefined when none does.
 * @param key as delta and base keep it: cut when it is long
 */
export function uniqueOwner(view: LayeredView, index: Ident, key: Buffer): RecordId | undefined {
  const { epoch, ownWrites, commitNumber } = view;
  const search = new LayerSearch(key, commitNumber);
  const own = ownWrites?.keys.get(index);
  if (own !== undefined && search.decides(own)) return search.owner;
  for (const { keys } of epoch.generations) {
    const table = keys.get(index);
    if (table !== undefined && search.decides(table)) return search.owner;
  }
  const recordId = epoch.base.uniqueRecordId(index, key);
  return recordId === undefined || search.isGone(recordId) ? undefined : recordId;
}

class LayerSearch {
  owner: RecordId | undefined;
  private readonly key: Buffer;
  private readonly commitNumber: number;
  /** Records that had the key, and lost it in a layer that was asked already. */
  private gone: number[] | undefined;

  constructor(key: Buffer, commitNumber: number) {
    this.key = key;
    this.commitNumber = commitNumber;
  }

  isGone(recordId: number): boolean {
    return this.gone?.includes(recordId) === true;
  }

  /** Whether a layer says which record holds the key; what it says of others is kept. */
  decides(table: KeyTable): boolean {
    table.find(this.key, -1, at);
    for (
      let newest = table.order.rowAt(at);
      newest !== NO_ROW && table.keyEquals(newest, this.key);
      newest = table.order.rowAt(at)
    ) {
      const row = table.visibleRow(newest, this.commitNumber);
      const recordId = table.recordId[newest];
      if (row !== NO_ROW && !this.isGone(recordId)) {
        if (table.isPresent(row)) {
          this.owner = recordId as RecordId;
          return true;
        }
        (this.gone ??= []).push(recordId);
      }
      table.order.forward(at);
    }
    return false;
  }
}
