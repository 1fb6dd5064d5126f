/**
 * listIndexes: the indexes of a collection, as a cursor.
 * Source: MongoDB's manual, "listIndexes".
 */
import { requireCollection } from '../../catalog/namespace.ts';
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
    const collection = requireCollection(op.view(), namespace);
    return firstBatch(op, {
      namespace,
      producer: new DocumentListProducer(
        collection.indexes.filter(({ ready }) => ready).map(({ spec }) => spec),
      ),
      batchSize: batchSize ?? Infinity,
    });
  },
  reply: (body) => body,
});
