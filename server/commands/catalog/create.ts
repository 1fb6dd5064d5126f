/**
 * create: makes a collection or a view.
 * Source: MongoDB's manual, "create".
 */
import { inspect } from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import { type CollectionDescription } from '../../../storage/index.ts';
import {
  parseCollectionOptions,
  type RequestedCollection,
} from '../../catalog/collection-options.ts';
import { checkCreatable, checkDatabaseCase } from '../../catalog/namespace.ts';
import { defineCommand } from '../../command/define-command.ts';

export const create = defineCommand({
  name: 'create',
  help: 'Creates a collection or a view.',
  kind: 'admin',
  takesWriteConcern: true,
  access: { action: 'createCollection', on: 'collection' },
  route: 'primaryShard',
  apiVersions: ['1'],
  unstableFields: ['autoIndexId', 'capped', 'indexOptionDefaults', 'max', 'size', 'storageEngine'],
  parse: (body) => {
    const namespace = body.collection();
    body.refuse('capped', 'viewOn', 'clusteredIndex', 'validator', 'collation', 'idIndex');
    return { namespace, requested: parseCollectionOptions(body) };
  },
  execute: ({ namespace, requested }, op) => {
    checkCreatable(namespace);
    return op.transact((transaction) => {
      const existing = transaction.collection(namespace);
      if (existing !== undefined) return refuseUnlessSame(existing, requested);
      checkDatabaseCase(transaction, namespace);
      const { kind, options } = requested;
      transaction.createCollection(namespace, { kind, options });
      return undefined;
    });
  },
  reply: () => ({}),
});

/** Creating a collection again with the options that it has is no error, as in MongoDB since 7.0. */
function refuseUnlessSame(
  existing: CollectionDescription,
  requested: RequestedCollection,
): undefined {
  const isSame = existing.kind === requested.kind && existing.options.equals(requested.options);
  if (isSame) return undefined;
  throw new CommandError(
    'NamespaceExists',
    `namespace ${existing.namespace} already exists, but with different options: ${inspect(existing.options)}`,
  );
}
