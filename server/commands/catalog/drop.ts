/**
 * drop: removes a collection with its indexes.
 * Source: MongoDB's manual, "drop".
 */
import { checkWritable } from '../../catalog/namespace.ts';
import { defineCommand } from '../../command/define-command.ts';

export const drop = defineCommand({
  name: 'drop',
  help: 'Drops a collection.',
  kind: 'admin',
  takesWriteConcern: true,
  access: { action: 'dropCollection', on: 'collection' },
  route: 'primaryShard',
  apiVersions: ['1'],
  parse: (body) => {
    const namespace = body.collection();
    body.refuse('collectionUUID');
    return { namespace };
  },
  execute: ({ namespace }, op) => {
    checkWritable(namespace);
    return op.transact((transaction) => {
      const collection = transaction.collection(namespace);
      if (collection === undefined) return undefined;
      transaction.dropCollection(collection);
      return { namespace, indexCount: collection.indexes.length };
    });
  },
  // A collection that is not there is dropped already.
  reply: (dropped) =>
    dropped === undefined ? {} : { nIndexesWas: dropped.indexCount, ns: dropped.namespace },
});
