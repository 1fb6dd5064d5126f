/**
 * create: makes a collection.
 * Source: MongoDB's manual, "create".
 */
import { CommandError } from '../../../common/errors.ts';
import { type CollectionDescription } from '../../../storage/index.ts';
import { checkCreatable, checkDatabaseCase } from '../../catalog/namespace.ts';
import { defineCommand } from '../../command/define-command.ts';

export const create = defineCommand({
  name: 'create',
  help: 'Creates a collection.',
  kind: 'admin',
  takesWriteConcern: true,
  access: { action: 'createCollection', on: 'collection' },
  route: 'primaryShard',
  apiVersions: ['1'],
  parse: (body) => {
    const namespace = body.collection();
    body.refuse('capped', 'size', 'max', 'viewOn', 'pipeline', 'timeseries', 'clusteredIndex');
    body.refuse('validator', 'validationLevel', 'validationAction', 'collation');
    body.refuse('expireAfterSeconds', 'changeStreamPreAndPostImages', 'recordPreImages');
    body.refuse('encryptedFields', 'storageEngine', 'indexOptionDefaults', 'idIndex');
    // Every collection has its _id index, as in MongoDB since 4.0; flags was an option of a storage engine that is gone.
    body.ignore('autoIndexId', 'flags', 'temp');
    return { namespace };
  },
  execute: ({ namespace }, op) => {
    checkCreatable(namespace);
    return op.transact((transaction) => {
      const existing = transaction.collection(namespace);
      if (existing !== undefined) return refuseUnlessSame(existing);
      checkDatabaseCase(transaction, namespace);
      transaction.createCollection(namespace);
      return undefined;
    });
  },
  reply: () => ({}),
});

/** Creating a collection again with the options that it has is no error, as in MongoDB since 7.0. */
function refuseUnlessSame(existing: CollectionDescription): undefined {
  if (existing.kind === 'collection') return undefined;
  throw new CommandError(
    'NamespaceExists',
    `namespace ${existing.namespace} already exists, but with different options`,
  );
}
