/**
 * renameCollection: gives a collection another name, in its own database or in another one.
 * Source: MongoDB's manual, "renameCollection".
 */
import { uassert } from '../../../common/assert.ts';
import { CommandError } from '../../../common/errors.ts';
import { BsonType } from '../../../bson/index.ts';
import { namespaceOfBuckets } from '../../../query/index.ts';
import {
  checkCreatable,
  checkDatabaseCase,
  checkWritable,
  wholeNamespace,
} from '../../catalog/namespace.ts';
import { defineCommand } from '../../command/define-command.ts';
import { admitOutput } from '../../sharding/involved-collections.ts';

export const renameCollection = defineCommand({
  name: 'renameCollection',
  help: 'Renames a collection.',
  kind: 'admin',
  changesCollection: true,
  adminOnly: true,
  takesWriteConcern: true,
  access: { action: 'renameCollection', on: 'cluster' },
  route: 'primaryShard',
  parse: (body) => {
    if (body.target.type !== BsonType.string) {
      throw body.wrongType('renameCollection', body.target, "expected type 'string'");
    }
    const source = wholeNamespace(body.target.asString());
    const target = wholeNamespace(body.string('to'));
    body.namespace = source;
    body.refuse('stayTemp', 'collectionUUID');
    return { source, target, dropTarget: body.safeBoolean('dropTarget', false) };
  },
  execute: ({ source, target, dropTarget }, op) => {
    checkWritable(source);
    uassert(
      namespaceOfBuckets(source) === undefined,
      'IllegalOperation',
      `cannot rename time-series buckets collection: ${source}`,
    );
    checkCreatable(target);
    if (source === target) {
      throw new CommandError('IllegalOperation', "Can't rename a collection to itself");
    }
    admitOutput(op, op.view(), target);
    return op.transact((transaction) => {
      if (op.routedBy !== undefined) op.service.sharding?.enterTransaction(op, target);
      const collection = transaction.collection(source);
      if (collection === undefined) {
        throw new CommandError('NamespaceNotFound', `Source collection ${source} does not exist`);
      }
      const existing = transaction.collection(target);
      if (collection.kind !== 'collection') {
        throw new CommandError('CommandNotSupportedOnView', `cannot rename view: ${source}`);
      }
      if (existing !== undefined && existing.kind !== 'collection') {
        throw new CommandError(
          'NamespaceExists',
          `a view already exists with that name: ${target}`,
        );
      }
      if (existing !== undefined && !dropTarget) {
        throw new CommandError('NamespaceExists', 'target namespace exists');
      }
      checkDatabaseCase(transaction, target);
      if (existing !== undefined) {
        transaction.dropCollection(existing);
        op.afterCommit(() => op.service.cappedCollections.forget(existing));
      }
      transaction.renameCollection(collection, target);
      op.afterCommit(() => {
        op.service.cappedCollections.forget(collection);
        op.service.collectionUsage.forget(source);
      });
    });
  },
  reply: () => ({}),
});
