/**
 * collStats: count and sizes of one collection.
 * Source: MongoDB's manual, "collStats".
 */
import { uassert } from '../../../common/assert.ts';
import { namespaceOfBuckets } from '../../../query/index.ts';
import type { CollectionDescription, IndexDescription } from '../../../storage/index.ts';
import { creationStringOf } from '../../catalog/wired-tiger-config.ts';
import { clusteredIndexOf } from '../../catalog/clustered-index.ts';
import { checkNotView } from '../../catalog/namespace.ts';
import { timeseriesOf } from '../../catalog/timeseries-catalog.ts';
import { cappedLimitsOf } from '../../catalog/capped-collections.ts';
import { defineCommand } from '../../command/define-command.ts';
import type { ReplyFields } from '../../command/reply.ts';
import { type CollectionSizes, collectionSizes } from './collection-sizes.ts';

const NOTHING: CollectionSizes = {
  recordCount: 0,
  dataBytes: 0,
  storageBytes: 0,
  freeBytes: 0,
  indexBytes: 0,
  bytesByIndex: {},
};

export const collStats = defineCommand({
  name: 'collStats',
  aliases: ['collstats'],
  help: 'Reports count and sizes of a collection.',
  kind: 'read',
  access: { action: 'collStats', on: 'collection' },
  route: 'allShards',
  parse: (body) => {
    const namespace = body.collection();
    const scale = body.integer('scale', 1);
    uassert(scale >= 1, 51024, `BSON field 'scale' value must be >= 1, actual value '${scale}'`);
    body.ignore('verbose');
    return { namespace, scale };
  },
  execute: ({ namespace, scale }, op) => {
    const view = op.view();
    const found = view.collection(namespace);
    checkNotView(found);
    const collection = timeseriesOf(view, found)?.buckets ?? found;
    const sizes = collection === undefined ? NOTHING : collectionSizes(op.engine, view, collection);
    return { namespace, scale, collection, sizes };
  },
  reply: ({ namespace, ...stats }) => ({ ns: namespace, ...sizeFields(stats) }),
});

interface CollectionStats {
  /** Sizes are divided by it, and cut to integers. */
  readonly scale: number;
  readonly collection: CollectionDescription | undefined;
  readonly sizes: CollectionSizes;
}

/** `max` and `maxSize` are there for a capped collection only. */
function cappedFields(collection: CollectionDescription | undefined, scale: number): ReplyFields {
  const limits = collection === undefined ? undefined : cappedLimitsOf(collection.options);
  if (limits === undefined) return { capped: false };
  return {
    capped: true,
    max: limits.count === Infinity ? 0 : limits.count,
    maxSize: Math.floor(limits.bytes / scale),
  };
}

/** Of a time series: its buckets. How many measurements they hold only reading them would tell. */
function countFields(
  collection: CollectionDescription | undefined,
  { recordCount, dataBytes }: CollectionSizes,
): ReplyFields {
  const average = recordCount === 0 ? undefined : Math.floor(dataBytes / recordCount);
  const series = collection === undefined ? undefined : namespaceOfBuckets(collection.namespace);
  if (series === undefined) return { count: recordCount, avgObjSize: average };
  return {
    timeseries: {
      bucketsNs: collection?.namespace,
      bucketCount: recordCount,
      avgBucketSize: average ?? 0,
    },
  };
}

/** As MongoDB's tools ask for it: how the pages are compressed, and what they occupy, unscaled. */
function engineFields(
  collection: CollectionDescription | undefined,
  sizes: CollectionSizes,
): ReplyFields {
  if (collection === undefined || collection.kind === 'view') return {};
  return {
    wiredTiger: {
      creationString: creationStringOf(collection),
      type: 'file',
      'block-manager': {
        'file bytes available for reuse': sizes.freeBytes,
        'file size in bytes': sizes.storageBytes,
      },
    },
  };
}

/** The order of a clustered collection is no index of its own, so it does not count as one. */
function shownIndexes(collection: CollectionDescription | undefined): readonly IndexDescription[] {
  if (collection === undefined) return [];
  return isClustered(collection) ? collection.indexes.slice(1) : collection.indexes;
}

function isClustered(collection: CollectionDescription | undefined): boolean {
  return collection !== undefined && clusteredIndexOf(collection.options) !== undefined;
}

/** The fields that collStats and the stage $collStats have in common. */
export function sizeFields({ scale, collection, sizes }: CollectionStats): ReplyFields {
  const scaled = (bytes: number): number => Math.floor(bytes / scale);
  const indexes = shownIndexes(collection);
  const names = new Set(indexes.map(({ name }) => name));
  const shownSizes = Object.entries(sizes.bytesByIndex).filter(([name]) => names.has(name));
  const indexBytes = shownSizes.reduce((sum, [, bytes]) => sum + bytes, 0);
  const indexSizes = shownSizes.map(([name, bytes]) => [name, scaled(bytes)]);
  return {
    size: scaled(sizes.dataBytes),
    ...countFields(collection, sizes),
    numOrphanDocs: 0,
    storageSize: scaled(sizes.storageBytes),
    freeStorageSize: scaled(sizes.freeBytes),
    ...cappedFields(collection, scale),
    ...engineFields(collection, sizes),
    clustered: isClustered(collection) ? true : undefined,
    nindexes: indexes.length,
    indexBuilds: indexes.filter(({ ready }) => !ready).map(({ name }) => name),
    totalIndexSize: scaled(indexBytes),
    totalSize: scaled(sizes.storageBytes + sizes.indexBytes),
    indexSizes: Object.fromEntries(indexSizes),
    scaleFactor: scale,
  };
}
