/**
 * dropDatabase: removes all collections of a database at once.
 * Source: MongoDB's manual, "dropDatabase".
 */
import { CommandError } from '../../../common/errors.ts';
import { defineCommand } from '../../command/define-command.ts';

export const dropDatabase = defineCommand({
  name: 'dropDatabase',
  help: 'Drops all collections of a database.',
  kind: 'admin',
  takesWriteConcern: true,
  access: { action: 'dropDatabase', on: 'database' },
  route: 'primaryShard',
  apiVersions: ['1'],
  parse: (body) => {
    if (!body.target.isNumber || body.target.asNumber() !== 1) {
      throw new CommandError('BadValue', "'dropDatabase' must be 1");
    }
    return { database: body.database };
  },
  execute: ({ database }, op) => {
    if (database === 'admin' || database === 'config' || database === 'local') {
      throw new CommandError(
        'IllegalOperation',
        `Dropping the '${database}' database is prohibited.`,
      );
    }
    return op.transact((transaction) => {
      const collections = transaction.collections(database);
      for (const collection of collections) {
        transaction.dropCollection(collection);
        op.afterCommit(() => {
          op.service.cappedCollections.forget(collection);
          op.service.collectionUsage.forget(collection.namespace);
        });
      }
      op.afterCommit(() => op.service.profiler.forget(database));
      return collections.length > 0 ? database : undefined;
    });
  },
  reply: (dropped) => ({ dropped }),
});
