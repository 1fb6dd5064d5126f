/**
 * The figures of one collection that collStats, dbStats and listDatabases report.
 */
import type { CollectionDescription, ReadView, StorageEngine } from '../../../storage/index.ts';

export interface CollectionSizes {
  readonly recordCount: number;
  /** Documents, uncompressed, bytes. */
  readonly dataBytes: number;
  /** What their pages occupy in the block store, compressed, bytes. */
  readonly storageBytes: number;
  /** That part of it which dead documents hold, and which is used again. */
  readonly freeBytes: number;
  /** All indexes, bytes, and each by its name. */
  readonly indexBytes: number;
  readonly bytesByIndex: Readonly<Record<string, number>>;
}

export function collectionSizes(
  engine: StorageEngine,
  view: ReadView,
  collection: CollectionDescription,
): CollectionSizes {
  const { data, free, indexes } = engine.storageBytes(collection);
  return {
    recordCount: view.recordCount(collection),
    dataBytes: view.dataBytes(collection),
    storageBytes: data,
    freeBytes: free,
    indexBytes: Object.values(indexes).reduce((sum, bytes) => sum + bytes, 0),
    bytesByIndex: indexes,
  };
}
