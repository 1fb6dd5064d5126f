/**
 * dbStats: counts and sizes of one database.
 * Source: MongoDB's manual, "dbStats".
 */
import { statfs } from 'node:fs/promises';
import { doubleValue, int64Value } from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import { defineCommand } from '../../command/define-command.ts';
import { collectionSizes } from './collection-sizes.ts';

export const dbStats = defineCommand({
  name: 'dbStats',
  aliases: ['dbstats'],
  help: 'Reports counts and sizes of a database.',
  kind: 'read',
  access: { action: 'dbStats', on: 'database' },
  route: 'allShards',
  parse: (body) => {
    const scale = body.integer('scale', 1);
    uassert(scale >= 1, 51024, `BSON field 'scale' value must be >= 1, actual value '${scale}'`);
    return { database: body.database, scale, withFree: body.safeBoolean('freeStorage', false) };
  },
  execute: async ({ database, scale, withFree }, op) => {
    const view = op.view();
    const collections = view.collections(database);
    const sizes = collections.map((collection) => collectionSizes(op.engine, view, collection));
    const sum = (figure: (index: number) => number): number =>
      collections.reduce((total, _collection, index) => total + figure(index), 0);
    return {
      database,
      scale,
      withFree,
      disk: await diskOf(op.service.identity.dbPath),
      // A time series is a view on its buckets, and counts as that.
      collections: collections.filter(({ kind }) => kind === 'collection').length,
      views: collections.filter(({ kind }) => kind !== 'collection').length,
      indexes: sum((index) => collections[index].indexes.length),
      objects: sum((index) => sizes[index].recordCount),
      dataBytes: sum((index) => sizes[index].dataBytes),
      storageBytes: sum((index) => sizes[index].storageBytes),
      freeBytes: sum((index) => sizes[index].freeBytes),
      indexBytes: sum((index) => sizes[index].indexBytes),
    };
  },
  reply: (stats) => {
    const scaled = (bytes: number) => doubleValue(bytes / stats.scale);
    const { objects, dataBytes, storageBytes, indexBytes } = stats;
    return {
      db: stats.database,
      collections: int64Value(BigInt(stats.collections)),
      views: int64Value(BigInt(stats.views)),
      objects: int64Value(BigInt(objects)),
      avgObjSize: doubleValue(objects === 0 ? 0 : dataBytes / objects),
      dataSize: scaled(dataBytes),
      storageSize: scaled(storageBytes),
      ...(stats.withFree ? { freeStorageSize: scaled(stats.freeBytes) } : {}),
      indexes: int64Value(BigInt(stats.indexes)),
      indexSize: scaled(indexBytes),
      ...(stats.withFree ? { indexFreeStorageSize: NONE } : {}),
      totalSize: scaled(storageBytes + indexBytes),
      ...(stats.withFree ? { totalFreeStorageSize: scaled(stats.freeBytes) } : {}),
      scaleFactor: int64Value(BigInt(stats.scale)),
      fsUsedSize: stats.disk === undefined ? undefined : scaled(stats.disk.usedBytes),
      fsTotalSize: stats.disk === undefined ? undefined : scaled(stats.disk.totalBytes),
    };
  },
});

const NONE = doubleValue(0);

/** The file system that the data lie on; undefined for a store in memory. */
async function diskOf(
  dbPath: string,
): Promise<{ usedBytes: number; totalBytes: number } | undefined> {
  if (dbPath === '') return undefined;
  const { bsize, blocks, bfree } = await statfs(dbPath);
  return { usedBytes: (blocks - bfree) * bsize, totalBytes: blocks * bsize };
}
