/**
 * The figures of one collection that collStats, dbStats and listDatabases report.
 */
import type { CollectionDescription, ReadView, StorageEngine } from '../../../storage/index.ts';

export interface CollectionSizes {
  readonly recordCount: number;
  /** Documents, uncompressed, bytes. */
  readonly dataBytes: number;
  /** Documents as the block store keeps them, bytes. */
  readonly storageBytes: number;
  /** All indexes, bytes, and each by its name. */
  readonly indexBytes: number;
  readonly bytesByIndex: Readonly<Record<string, number>>;
}

export function collectionSizes(
  engine: StorageEngine,
  view: ReadView,
  collection: CollectionDescription,
): CollectionSizes {
  const { data, indexes } = engine.storageBytes(collection);
  return {
    recordCount: view.recordCount(collection),
    dataBytes: view.dataBytes(collection),
    storageBytes: data,
    indexBytes: Object.values(indexes).reduce((sum, bytes) => sum + bytes, 0),
    bytesByIndex: indexes,
  };
}
