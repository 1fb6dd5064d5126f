/**
 * convertToCapped: makes a collection capped where it is; its oldest documents go until the rest fits.
 *
 * MongoDB copies into a new collection under a lock. Here capped is a matter of options: one commit makes it so and drops
 * the other indexes, as MongoDB does; the documents that are too many follow in commits of a few at a time.
 * Source: MongoDB's manual, "convertToCapped".
 */
import { TRUE } from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import { cappedLimitsOf } from '../../catalog/capped-collections.ts';
import { checkNotClustered } from '../../catalog/clustered-index.ts';
import { cappedSize, withOptions } from '../../catalog/collection-options.ts';
import { checkHasRecords, checkWritable } from '../../catalog/namespace.ts';
import { defineCommand } from '../../command/define-command.ts';
import type { OperationContext } from '../../operation/operation-context.ts';
import { RecordWriter } from '../crud/record-writer.ts';

export const convertToCapped = defineCommand({
  name: 'convertToCapped',
  help: 'Makes a collection capped.',
  kind: 'admin',
  changesCollection: true,
  takesWriteConcern: true,
  access: { action: 'convertToCapped', on: 'collection' },
  route: 'primaryShard',
  parse: (body) => {
    const namespace = body.collection();
    const size = cappedSize(body, 'size');
    if (size === undefined) throw body.missing('size');
    body.expectCollection();
    return { namespace, size };
  },
  execute: async ({ namespace, size }, op) => {
    checkWritable(namespace);
    await op.transact((transaction) => {
      const existing = transaction.collection(namespace);
      checkHasRecords(existing);
      if (existing === undefined) {
        throw new CommandError(
          'NamespaceNotFound',
          `source collection ${namespace} does not exist`,
        );
      }
      checkNotClustered(existing);
      for (const index of existing.indexes.slice(1)) transaction.dropIndex(existing, index);
      const changes = new Map([
        ['capped', TRUE],
        ['size', size],
      ]);
      transaction.modifyCollection(existing, withOptions(existing.options, changes));
    });
    op.service.cursors.killWhere((cursor) => cursor.namespace === namespace);
    await shrink(op, namespace);
  },
  reply: () => ({}),
});

/** Removes the oldest documents of a capped collection until it is within its limits. */
async function shrink(op: OperationContext, namespace: string): Promise<void> {
  for (;;) {
    const isDone = await op.transact((transaction) => {
      const collection = transaction.collection(namespace);
      if (collection === undefined || cappedLimitsOf(collection.options) === undefined) return true;
      return new RecordWriter(op, transaction, collection).trim();
    });
    if (isDone) return;
    await op.yield();
  }
}
