/**
 * listIndexes: the indexes of a collection, those that are being built among them, as a cursor.
 * Source: MongoDB's manual, "listIndexes"; how builds are shown: jstests/noPassthrough/list_indexes_index_build_info.js.
 */
import { createHash } from 'node:crypto';
import { binaryValue, documentOf } from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import type { CollectionDescription, IndexDescription } from '../../../storage/index.ts';
import { shownIndexSpec } from '../../catalog/bucket-index.ts';
import { listedSpec } from '../../catalog/clustered-index.ts';
import { requireCollection } from '../../catalog/namespace.ts';
import { timeseriesOf } from '../../catalog/timeseries-catalog.ts';
import { defineCommand } from '../../command/define-command.ts';
import { DocumentListProducer, firstBatch } from '../../cursors/first-batch.ts';
import { cursorBatchSize } from '../catalog/cursor-argument.ts';

const UUID_SUBTYPE = 4;

export const listIndexes = defineCommand({
  name: 'listIndexes',
  help: 'Lists the indexes of a collection.',
  kind: 'admin',
  access: { action: 'listIndexes', on: 'collection' },
  route: 'primaryShard',
  apiVersions: ['1'],
  parse: (body) => {
    const namespace = body.collection();
    body.refuse('isTimeseriesNamespace');
    const showsUuids = body.safeBoolean('includeBuildUUIDs', false);
    const showsBuilds = body.safeBoolean('includeIndexBuildInfo', false);
    uassert(
      !showsUuids || !showsBuilds,
      'InvalidOptions',
      'The includeBuildUUIDs flag and includeBuildIndexInfo flag cannot both be set to true',
    );
    return { namespace, showsUuids, showsBuilds, batchSize: cursorBatchSize(body) };
  },
  execute: ({ namespace, showsUuids, showsBuilds, batchSize }, op) => {
    const view = op.view();
    const collection = requireCollection(view, namespace);
    const timeseries = timeseriesOf(view, collection);
    const stored = timeseries?.buckets ?? collection;
    return firstBatch(op, {
      namespace,
      producer: new DocumentListProducer(
        stored.indexes.flatMap((index) => {
          const spec =
            timeseries === undefined
              ? listedSpec(collection, index)
              : shownIndexSpec(index, timeseries.options);
          if (spec === undefined) return [];
          if (index.ready) return showsBuilds ? documentOf({ spec }) : spec;
          if (!showsUuids && !showsBuilds) return spec;
          const buildUUID = binaryValue(buildUuid(stored, index), UUID_SUBTYPE);
          return showsUuids
            ? documentOf({ spec, buildUUID })
            : documentOf({ spec, indexBuildInfo: documentOf({ buildUUID }) });
        }),
      ),
      batchSize: batchSize ?? Infinity,
    });
  },
  reply: (body) => body,
});

/** Of the one build that makes this index: made of what never is the same for another, so that nobody has to keep it. */
function buildUuid({ uuid }: CollectionDescription, { ident }: IndexDescription): Buffer {
  const bytes = createHash('sha256').update(`${uuid} ${ident}`).digest().subarray(0, 16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x80;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  return bytes;
}
