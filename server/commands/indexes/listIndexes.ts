/**
 * listIndexes: the indexes of a collection, as a cursor.
 * Source: MongoDB's manual, "listIndexes".
 */
import { shownIndexSpec } from '../../catalog/bucket-index.ts';
import { listedSpec } from '../../catalog/clustered-index.ts';
import { requireCollection } from '../../catalog/namespace.ts';
import { timeseriesOf } from '../../catalog/timeseries-catalog.ts';
import { defineCommand } from '../../command/define-command.ts';
import { DocumentListProducer, firstBatch } from '../../cursors/first-batch.ts';
import { cursorBatchSize } from '../catalog/cursor-argument.ts';

export const listIndexes = defineCommand({
  name: 'listIndexes',
  help: 'Lists the indexes of a collection.',
  kind: 'admin',
  access: { action: 'listIndexes', on: 'collection' },
  route: 'primaryShard',
  apiVersions: ['1'],
  parse: (body) => {
    const namespace = body.collection();
    body.refuse('includeBuildUUIDs', 'includeIndexBuildInfo', 'isTimeseriesNamespace');
    return { namespace, batchSize: cursorBatchSize(body) };
  },
  execute: ({ namespace, batchSize }, op) => {
    const view = op.view();
    const collection = requireCollection(view, namespace);
    const timeseries = timeseriesOf(view, collection);
    const ready = (timeseries?.buckets ?? collection).indexes.filter((index) => index.ready);
    return firstBatch(op, {
      namespace,
      producer: new DocumentListProducer(
        ready.flatMap((index) =>
          timeseries === undefined
            ? [listedSpec(collection, index)]
            : (shownIndexSpec(index, timeseries.options) ?? []),
        ),
      ),
      batchSize: batchSize ?? Infinity,
    });
  },
  reply: (body) => body,
});
