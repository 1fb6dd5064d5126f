/**
 * Operations on a database entity.
 */
import type { Db, RunCommandCursor, Document } from 'mongodb';
import { CursorEntity } from '../runner/cursor-entity.ts';
import { ReadPreference } from 'mongodb';
import { cursorOptions } from './arguments.ts';
import { tableOf } from './definition.ts';

export const DATABASE_OPERATIONS = tableOf<Db>([
  {
    name: 'aggregate',
    requires: ['pipeline'],
    run: (database, { pipeline, ...options }) => database.aggregate(pipeline, options).toArray(),
  },
  {
    name: 'createChangeStream',
    requires: ['pipeline'],
    run: (database, { pipeline, ...options }) =>
      CursorEntity.open(database.watch(pipeline, options)),
  },
  {
    name: 'createCollection',
    requires: ['collection'],
    run: (database, { collection, ...options }) => database.createCollection(collection, options),
  },
  {
    name: 'createCommandCursor',
    requires: ['command'],
    run: (database, args) => CursorEntity.open(commandCursor(database, args)),
  },
  {
    name: 'dropCollection',
    requires: ['collection'],
    run: (database, { collection, ...options }) => database.dropCollection(collection, options),
  },
  {
    name: 'listCollections',
    requires: [],
    run: (database, { filter, ...options }) => database.listCollections(filter, options).toArray(),
  },
  {
    name: 'listCollectionNames',
    requires: [],
    run: async (database, { filter, ...options }) =>
      (await database.listCollections(filter, { ...options, nameOnly: true }).toArray()).map(
        ({ name }) => name,
      ),
  },
  {
    // The driver has no operation of this name: `collections` makes the objects of the list.
    name: 'listCollectionObjects',
    requires: [],
    run: async (database, options) => {
      await database.collections(options);
    },
  },
  {
    name: 'modifyCollection',
    requires: ['collection'],
    run: (database, { collection, ...changes }) =>
      database.command({ collMod: collection, ...changes }),
  },
  {
    name: 'runCommand',
    requires: ['command'],
    run: (database, { command, commandName: _name, ...options }) =>
      database.command(command, commandOptions(options)),
  },
  {
    name: 'runCursorCommand',
    requires: ['command'],
    run: (database, args) => commandCursor(database, args).toArray(),
  },
]);

function commandCursor(database: Db, args: Document): RunCommandCursor {
  const { command, commandName: _name, batchSize, maxTimeMS, comment, ...options } = args;
  const cursor = database.runCursorCommand(command, commandOptions(cursorOptions(options)));
  if (batchSize !== undefined) cursor.setBatchSize(batchSize);
  if (maxTimeMS !== undefined) cursor.setMaxTimeMS(maxTimeMS);
  if (comment !== undefined) cursor.setComment(comment);
  return cursor;
}

function commandOptions({ readPreference, ...options }: Document): Document {
  if (readPreference === undefined) return options;
  return { ...options, readPreference: ReadPreference.fromOptions({ readPreference }) };
}
