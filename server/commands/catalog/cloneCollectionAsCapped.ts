/**
 * cloneCollectionAsCapped: a capped copy of a collection in the same database, without its indexes.
 * Source: MongoDB's manual, "cloneCollectionAsCapped".
 */
import { TRUE } from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import { checkNotClustered } from '../../catalog/clustered-index.ts';
import { cappedSize, withOptions } from '../../catalog/collection-options.ts';
import {
  checkCreatable,
  checkHasRecords,
  namespaceOf,
  requireCollection,
} from '../../catalog/namespace.ts';
import { defineCommand } from '../../command/define-command.ts';
import type { OperationContext } from '../../operation/operation-context.ts';
import type { CollectionDescription, RecordCursor } from '../../../storage/index.ts';
import { RecordWriter } from '../crud/record-writer.ts';

/** Documents of one transaction, at most so many and, unless one is larger, so many bytes. */
const BATCH_COUNT = 128;
const BATCH_BYTES = 1024 * 1024;

export const cloneCollectionAsCapped = defineCommand({
  name: 'cloneCollectionAsCapped',
  help: 'Copies a collection into a new capped one.',
  kind: 'admin',
  takesWriteConcern: true,
  access: { action: 'convertToCapped', on: 'collection' },
  route: 'primaryShard',
  parse: (body) => {
    const source = body.collection();
    const target = namespaceOf(body.database, body.string('toCollection'));
    const size = cappedSize(body, 'size');
    if (size === undefined) throw body.missing('size');
    body.ignore('temp');
    return { source, target, size };
  },
  execute: async ({ source, target, size }, op) => {
    checkCreatable(target);
    const view = op.engine.snapshot();
    op.onRelease(() => view.close());
    const from = view.collection(source);
    checkHasRecords(from);
    if (from === undefined) {
      throw new CommandError('NamespaceNotFound', `source collection ${source} does not exist`);
    }
    checkNotClustered(from);
    const changes = new Map([
      ['capped', TRUE],
      ['size', size],
    ]);
    await op.transact((transaction) => {
      if (transaction.collection(target) !== undefined) {
        throw new CommandError(
          'NamespaceExists',
          `cloneCollectionAsCapped failed - destination collection ${target} already exists. source collection: ${source}`,
        );
      }
      transaction.createCollection(target, {
        options: withOptions(from.options, changes),
        compression: from.compression,
        idIndex: from.indexes[0].spec,
      });
    });
    const cursor = view.scanRecords(from);
    try {
      await copyInto(op, target, cursor);
    } catch (error) {
      await dropAgain(op, target);
      throw error;
    } finally {
      cursor.close();
    }
  },
  reply: () => ({}),
});

async function copyInto(op: OperationContext, target: string, cursor: RecordCursor): Promise<void> {
  for (;;) {
    const batch = await nextBatch(cursor);
    if (batch.length === 0) return;
    await op.transact((transaction) => {
      const collection = requireCollection(transaction, target);
      const writer = new RecordWriter(op, transaction, collection, { bypassValidation: true });
      for (const document of batch) writer.insert(document);
    });
    await op.yield();
  }
}

async function nextBatch(cursor: RecordCursor): Promise<Buffer[]> {
  const batch: Buffer[] = [];
  let bytes = 0;
  while (batch.length < BATCH_COUNT && bytes < BATCH_BYTES) {
    const moved = cursor.next();
    if (!(moved instanceof Promise ? await moved : moved)) break;
    batch.push(cursor.document);
    bytes += cursor.document.length;
  }
  return batch;
}

/** A copy that is not whole is no copy. */
async function dropAgain(op: OperationContext, target: string): Promise<void> {
  const transaction = op.engine.begin();
  const collection: CollectionDescription | undefined = transaction.collection(target);
  if (collection !== undefined) transaction.dropCollection(collection);
  transaction.commit();
  transaction.close();
}
