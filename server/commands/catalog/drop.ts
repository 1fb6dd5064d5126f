/**
 * drop: removes a collection with its indexes.
 * Source: MongoDB's manual, "drop".
 */
import { uassert } from '../../../common/assert.ts';
import { namespaceOfBuckets } from '../../../query/index.ts';
import type { CollectionDescription, MaybePromise, Transaction } from '../../../storage/index.ts';
import { checkWritable, isSystemProfile, splitNamespace } from '../../catalog/namespace.ts';
import { dropTimeseries, timeseriesOf } from '../../catalog/timeseries-catalog.ts';
import { dropView, dropViews, isSystemViews } from '../../catalog/view-catalog.ts';
import { defineCommand } from '../../command/define-command.ts';
import type { OperationContext } from '../../operation/operation-context.ts';

export const drop = defineCommand({
  name: 'drop',
  help: 'Drops a collection.',
  kind: 'admin',
  changesCollection: true,
  takesWriteConcern: true,
  access: { action: 'dropCollection', on: 'collection' },
  route: 'primaryShard',
  apiVersions: ['1'],
  parse: (body) => {
    const namespace = body.collection();
    body.expectCollection();
    return { namespace };
  },
  execute: ({ namespace }, op) => {
    checkDroppable(op, namespace);
    return op.transact((transaction) => {
      const collection = droppable(transaction, namespace);
      if (collection === undefined) return undefined;
      const timeseries = timeseriesOf(transaction, collection);
      const { indexes } = timeseries?.buckets ?? collection;
      const result = { namespace, indexCount: indexes.length };
      op.afterCommit(() => op.service.collectionUsage.forget(namespace));
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

/** @throws CommandError InvalidNamespace, IllegalOperation */
function checkDroppable({ service }: OperationContext, namespace: string): void {
  if (isSystemViews(namespace)) return;
  if (!isSystemProfile(namespace)) return checkWritable(namespace);
  uassert(
    service.profiler.levelOf(splitNamespace(namespace).database) === 0,
    'IllegalOperation',
    'turn off profiling before dropping system.profile collection',
  );
}

/** Buckets are dropped with the time series that they belong to. */
function droppable(transaction: Transaction, namespace: string): CollectionDescription | undefined {
  const series = namespaceOfBuckets(namespace);
  const shown = series === undefined ? undefined : transaction.collection(series);
  return shown?.kind === 'timeseries' ? shown : transaction.collection(namespace);
}

function dropIn(
  op: OperationContext,
  transaction: Transaction,
  collection: CollectionDescription,
): MaybePromise<void> {
  if (collection.kind === 'view') return dropView(transaction, collection);
  const timeseries = timeseriesOf(transaction, collection);
  if (timeseries !== undefined) return dropTimeseries(transaction, timeseries);
  const { namespace } = collection;
  if (isSystemViews(namespace)) {
    const { database } = splitNamespace(namespace);
    uassert(
      transaction.collections(database).every(({ kind }) => kind !== 'timeseries'),
      'CommandFailed',
      `cannot drop collection ${namespace} when time-series collections are present`,
    );
    dropViews(transaction, database);
  }
  transaction.dropCollection(collection);
  op.afterCommit(() => op.service.cappedCollections.forget(collection));
}
