/**
 * dataSize: bytes and number of documents of a collection.
 * Source: MongoDB's manual, "dataSize". With a key range it measures part of a collection, for chunk splits.
 */
import { BsonType } from '../../../bson/index.ts';
import { checkNotView, wholeNamespace } from '../../catalog/namespace.ts';
import { defineCommand } from '../../command/define-command.ts';

export const dataSize = defineCommand({
  name: 'dataSize',
  aliases: ['datasize'],
  help: 'Reports the size of the documents of a collection.',
  kind: 'read',
  access: { action: 'find', on: 'collection' },
  route: 'allShards',
  parse: (body) => {
    if (body.target.type !== BsonType.string) {
      throw body.wrongType('dataSize', body.target, "expected type 'string'");
    }
    const namespace = wholeNamespace(body.target.asString());
    body.namespace = namespace;
    // Counts and sizes are kept exactly, so an estimate is not any cheaper.
    body.safeBoolean('estimate', false);
    body.refuse('keyPattern', 'min', 'max', 'maxSize', 'maxObjects');
    return { namespace };
  },
  execute: ({ namespace }, op) => {
    const view = op.view();
    const collection = view.collection(namespace);
    checkNotView(collection);
    if (collection === undefined) return { dataBytes: 0, recordCount: 0 };
    return { dataBytes: view.dataBytes(collection), recordCount: view.recordCount(collection) };
  },
  reply: ({ dataBytes, recordCount }) => ({
    estimate: false,
    size: BigInt(dataBytes),
    numObjects: BigInt(recordCount),
    millis: 0n,
  }),
});
