/**
 * Reads the catalog of a base into memory.
 */
import {
  CATALOG_RANGE,
  decodeCatalogRecord,
  decodeStoreRecord,
  STORE_RECORD_KEY,
} from '../catalog/catalog-record.ts';
import { CollectionState } from '../catalog/collection-state.ts';
import { CollectionVersion } from '../catalog/collection-version.ts';
import type { StoreState } from '../views/store-state.ts';

/** Every version begins at the base's commit number: nobody reads before it. */
export function loadCatalog(store: StoreState): void {
  const { base } = store.epoch;
  const record = base.get(STORE_RECORD_KEY);
  if (record !== undefined) {
    const { identHighWater, keyVersion } = decodeStoreRecord(record);
    store.catalog.noteIdent(identHighWater - 1);
    store.keyVersion = keyVersion;
  }
  const cursor = base.scan(CATALOG_RANGE);
  while (cursor.next()) {
    const { description, size, recordIdHighWater } = decodeCatalogRecord(cursor.key, cursor.value);
    const state = new CollectionState(description.ident, description.uuid, recordIdHighWater + 1);
    const version = new CollectionVersion(description, store.keyGenerators);
    store.catalog.write(state, version, base.commitNumber, store.snapshots);
    state.sizes.write(base.commitNumber, size, store.snapshots);
    // What loading wrote is in the base already, and older than every transaction.
    state.schemaChangedAt = 0;
  }
  cursor.close();
}
