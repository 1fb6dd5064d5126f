/**
 * Operations on a client entity.
 */
import type { ClientBulkWriteModel, Document } from 'mongodb';
import { CursorEntity } from '../runner/cursor-entity.ts';
import type { ObservedClient } from '../runner/observed-client.ts';
import { tableOf } from './definition.ts';

export const CLIENT_OPERATIONS = tableOf<ObservedClient>([
  {
    name: 'clientBulkWrite',
    requires: ['models'],
    run: ({ client }, { models, ...options }) => client.bulkWrite(models.map(writeModel), options),
  },
  {
    name: 'close',
    requires: [],
    run: ({ client }) => client.close(),
  },
  {
    name: 'createChangeStream',
    requires: ['pipeline'],
    run: ({ client }, { pipeline, ...options }) =>
      CursorEntity.open(client.watch(pipeline, options)),
  },
  {
    name: 'listDatabases',
    requires: [],
    run: async ({ client }, options) =>
      (await client.db().admin().listDatabases(options)).databases,
  },
  {
    name: 'listDatabaseNames',
    requires: [],
    run: async ({ client }, options) =>
      (
        await client
          .db()
          .admin()
          .listDatabases({ ...options, nameOnly: true })
      ).databases.map(({ name }) => name),
  },
  {
    // The driver has no operation of this name: the objects are made of the list.
    name: 'listDatabaseObjects',
    requires: [],
    run: async ({ client }, options) => {
      const { databases } = await client.db().admin().listDatabases(options);
      for (const { name } of databases) client.db(name);
    },
  },
]);

/** `{ insertOne: { namespace, document } }` is `{ name: 'insertOne', namespace, document }` to the driver. */
function writeModel(model: Document): ClientBulkWriteModel {
  const [[name, fields]] = Object.entries(model);
  return { name, ...fields };
}
