/**
 * Operations on a collection entity.
 */
import type { Collection, Document } from 'mongodb';
import { CursorEntity } from '../runner/cursor-entity.ts';
import { cursorOptions, returnOptions } from './arguments.ts';
import { tableOf } from './definition.ts';

export const COLLECTION_OPERATIONS = tableOf<Collection>([
  {
    name: 'aggregate',
    requires: ['pipeline'],
    run: (collection, { pipeline, ...options }) =>
      collection.aggregate(pipeline, options).toArray(),
  },
  {
    name: 'bulkWrite',
    requires: ['requests'],
    run: (collection, { requests, ...options }) => collection.bulkWrite(requests, options),
  },
  {
    name: 'count',
    requires: ['filter'],
    run: (collection, { filter, ...options }) => collection.count(filter, options),
  },
  {
    name: 'countDocuments',
    requires: ['filter'],
    run: (collection, { filter, ...options }) => collection.countDocuments(filter, options),
  },
  {
    name: 'createChangeStream',
    requires: ['pipeline'],
    run: (collection, { pipeline, ...options }) =>
      CursorEntity.open(collection.watch(pipeline, options)),
  },
  {
    name: 'createFindCursor',
    requires: ['filter'],
    run: (collection, { filter, ...options }) =>
      CursorEntity.open(collection.find(filter, cursorOptions(options))),
  },
  {
    name: 'createIndex',
    requires: ['keys'],
    run: (collection, { keys, ...options }) => collection.createIndex(keys, options),
  },
  {
    name: 'createSearchIndex',
    requires: ['model'],
    run: (collection, { model }) => collection.createSearchIndex(model),
  },
  {
    name: 'createSearchIndexes',
    requires: ['models'],
    run: (collection, { models }) => collection.createSearchIndexes(models),
  },
  {
    name: 'deleteMany',
    requires: ['filter'],
    run: (collection, { filter, ...options }) => collection.deleteMany(filter, options),
  },
  {
    name: 'deleteOne',
    requires: ['filter'],
    run: (collection, { filter, ...options }) => collection.deleteOne(filter, options),
  },
  {
    name: 'distinct',
    requires: ['fieldName', 'filter'],
    run: (collection, { fieldName, filter, ...options }) =>
      collection.distinct(fieldName, filter, options),
  },
  {
    name: 'drop',
    requires: [],
    run: (collection, options) => collection.drop(options),
  },
  {
    name: 'dropIndex',
    requires: ['name'],
    run: (collection, { name, ...options }) => collection.dropIndex(name, options),
  },
  {
    name: 'dropIndexes',
    requires: [],
    run: (collection, options) => collection.dropIndexes(options),
  },
  {
    name: 'dropSearchIndex',
    requires: ['name'],
    run: (collection, { name }) => collection.dropSearchIndex(name),
  },
  {
    name: 'estimatedDocumentCount',
    requires: [],
    run: (collection, options) => collection.estimatedDocumentCount(options),
  },
  {
    name: 'find',
    requires: ['filter'],
    run: (collection, { filter, ...options }) =>
      collection.find(filter, cursorOptions(options)).toArray(),
  },
  {
    name: 'findOne',
    requires: ['filter'],
    run: (collection, { filter, ...options }) => collection.findOne(filter, options),
  },
  {
    name: 'findOneAndDelete',
    requires: ['filter'],
    run: (collection, { filter, ...options }) => collection.findOneAndDelete(filter, options),
  },
  {
    name: 'findOneAndReplace',
    requires: ['filter', 'replacement'],
    run: (collection, { filter, replacement, ...options }) =>
      collection.findOneAndReplace(filter, replacement, returnOptions(options)),
  },
  {
    name: 'findOneAndUpdate',
    requires: ['filter', 'update'],
    run: (collection, { filter, update, ...options }) =>
      collection.findOneAndUpdate(filter, update, returnOptions(options)),
  },
  {
    name: 'insertMany',
    requires: ['documents'],
    run: (collection, { documents, ...options }) =>
      collection.insertMany(documents.map(copyOf), options),
  },
  {
    name: 'insertOne',
    requires: ['document'],
    run: (collection, { document, ...options }) => collection.insertOne(copyOf(document), options),
  },
  {
    name: 'listIndexes',
    requires: [],
    run: (collection, options) => collection.listIndexes(options).toArray(),
  },
  {
    // The driver has no operation of this name: its list of indexes tells the names.
    name: 'listIndexNames',
    requires: [],
    run: async (collection, options) =>
      (await collection.listIndexes(options).toArray()).map((index) => index['name']),
  },
  {
    name: 'listSearchIndexes',
    requires: [],
    run: (collection, { name, aggregationOptions }) =>
      collection.listSearchIndexes(name, aggregationOptions).toArray(),
  },
  {
    // The driver has no operation of this name: the command says the same, and is retried as little.
    name: 'mapReduce',
    requires: ['map', 'reduce', 'out'],
    run: async (collection, { map, reduce, out, ...options }) => {
      const command = { mapReduce: collection.collectionName, map, reduce, out };
      return (await collection.db.command(command, options))['results'];
    },
  },
  {
    name: 'rename',
    requires: ['to'],
    run: (collection, { to, ...options }) => collection.rename(to, options),
  },
  {
    name: 'replaceOne',
    requires: ['filter', 'replacement'],
    run: (collection, { filter, replacement, ...options }) =>
      collection.replaceOne(filter, replacement, options),
  },
  {
    name: 'updateMany',
    requires: ['filter', 'update'],
    run: (collection, { filter, update, ...options }) =>
      collection.updateMany(filter, update, options),
  },
  {
    name: 'updateOne',
    requires: ['filter', 'update'],
    run: (collection, { filter, update, ...options }) =>
      collection.updateOne(filter, update, options),
  },
  {
    name: 'updateSearchIndex',
    requires: ['name', 'definition'],
    run: (collection, { name, definition }) => collection.updateSearchIndex(name, definition),
  },
]);

/** The driver adds an _id to what it is given, and the case's document is compared later. */
function copyOf(document: Document): Document {
  return { ...document };
}
