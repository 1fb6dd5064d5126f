/**
 * A consistent state of the store at one commit number: what engine.snapshot() gives, and what a transaction reads from.
 *
 * Owns: its pin in the list of open snapshots. A page that turns out damaged throws at the read, never shows as data.
 */
import { EMPTY_SIZE, type CollectionSize } from '../catalog/collection-state.ts';
import type { CollectionVersion } from '../catalog/collection-version.ts';
import type {
  CollectionDescription,
  CollectionUuid,
  IndexCursor,
  IndexDescription,
  KeyRange,
  MaybePromise,
  ReadView,
  RecordCursor,
  RecordId,
  ScanOptions,
} from '../contract.ts';
import type { SnapshotPin } from '../delta/open-snapshots.ts';
import { NO_ROW } from '../delta/version-rows.ts';
import { storedIndexKey } from '../format/tree-key.ts';
import { MergedIndexCursor } from './index-cursor.ts';
import { damagedRecord } from './damaged-record.ts';
import { LayeredView } from './layered-view.ts';
import type { OpenPlace } from '../open-list.ts';
import { MergedRecordCursor } from './record-cursor.ts';
import type { OpenView, StoreState } from './store-state.ts';
import { uniqueOwner } from './unique-owner.ts';

export class SnapshotView extends LayeredView implements ReadView, OpenView {
  protected readonly store: StoreState;
  private readonly pin: SnapshotPin;
  private readonly place: OpenPlace<OpenView>;

  constructor(store: StoreState) {
    super(store.epoch, store.lastCommitNumber);
    this.store = store;
    this.pin = store.snapshots.pin(store.lastCommitNumber);
    this.place = store.views.add(this);
  }

  collection(namespace: string): CollectionVersion | undefined {
    this.refuseTooOld();
    return this.store.catalog.collection(namespace, this.commitNumber);
  }

  collectionByUuid(uuid: CollectionUuid): CollectionVersion | undefined {
    this.refuseTooOld();
    return this.store.catalog.stateByUuid(uuid)?.versions.at(this.commitNumber);
  }

  collections(database?: string): readonly CollectionDescription[] {
    this.refuseTooOld();
    return this.store.catalog.collections(this.commitNumber, database);
  }

  databases(): readonly string[] {
    this.refuseTooOld();
    return this.store.catalog.databases(this.commitNumber);
  }

  record(collection: CollectionDescription, recordId: RecordId): MaybePromise<Buffer | undefined> {
    const epoch = this.epoch;
    const own = this.ownWrites;
    if (own !== undefined) {
      const row = own.records.get(collection.ident)?.newestRow(recordId) ?? NO_ROW;
      if (row !== NO_ROW) return own.rows.document(row);
    }
    for (const generation of epoch.generations) {
      const table = generation.records.get(collection.ident);
      if (table === undefined) continue;
      const row = table.visibleRow(recordId, this.commitNumber);
      if (row !== NO_ROW) return generation.rows.document(row);
    }
    return this.baseRecord(collection, recordId);
  }

  private baseRecord(
    { ident, namespace }: CollectionDescription,
    recordId: RecordId,
  ): MaybePromise<Buffer | undefined> {
    try {
      const found = this.epoch.base.record(ident, recordId);
      if (!(found instanceof Promise)) return found;
      return found.catch((error: unknown) => {
        throw damagedRecord(error, namespace, recordId);
      });
    } catch (error) {
      throw damagedRecord(error, namespace, recordId);
    }
  }

  scanRecords(collection: CollectionDescription, options: ScanOptions = {}): RecordCursor {
    return new MergedRecordCursor(this, collection, options);
  }

  scanIndex(index: IndexDescription, range: KeyRange, direction: 1 | -1): IndexCursor {
    return new MergedIndexCursor(this, index, range, direction);
  }

  uniqueRecordId(index: IndexDescription, key: Buffer): RecordId | undefined {
    return uniqueOwner(this, index.ident, storedIndexKey(key).key);
  }

  recordCount(collection: CollectionDescription): number {
    return this.size(collection).records;
  }

  dataBytes(collection: CollectionDescription): number {
    return this.size(collection).bytes;
  }

  close(): void {
    if (this.letGo('closed')) this.unregister();
  }

  endAsTooOld(): void {
    if (this.letGo('tooOld')) this.unregister();
  }

  protected size(collection: CollectionDescription): CollectionSize {
    this.refuseTooOld();
    const state = this.store.catalog.stateByIdent(collection.ident);
    return state?.sizes.at(this.commitNumber) ?? EMPTY_SIZE;
  }

  private unregister(): void {
    this.store.snapshots.unpin(this.pin);
    this.store.views.remove(this.place);
  }
}
