/**
 * drop: removes a collection with its indexes.
 * Source: MongoDB's manual, "drop".
 */
import type { CollectionDescription, MaybePromise, Transaction } from '../../../storage/index.ts';
import { checkWritable, splitNamespace } from '../../catalog/namespace.ts';
import { dropView, dropViews, isSystemViews } from '../../catalog/view-catalog.ts';
import { defineCommand } from '../../command/define-command.ts';
import type { OperationContext } from '../../operation/operation-context.ts';

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
    if (!isSystemViews(namespace)) checkWritable(namespace);
    return op.transact((transaction) => {
      const collection = transaction.collection(namespace);
      if (collection === undefined) return undefined;
      const result = { namespace, indexCount: collection.indexes.length };
      const dropped = dropIn(op, transaction, collection);
      return dropped instanceof Promise ? dropped.then(() => result) : result;
    });
  },
  // A collection that is not there is dropped already.
  reply: (dropped) =>
    dropped === undefined
      ? {}
      : { nIndexesWas: dropped.indexCount || undefined, ns: dropped.namespace },
});

function dropIn(
  op: OperationContext,
  transaction: Transaction,
  collection: CollectionDescription,
): MaybePromise<void> {
  if (collection.kind === 'view') return dropView(transaction, collection);
  const { namespace } = collection;
  if (isSystemViews(namespace)) dropViews(transaction, splitNamespace(namespace).database);
  transaction.dropCollection(collection);
  op.afterCommit(() => op.service.cappedCollections.forget(collection));
}
