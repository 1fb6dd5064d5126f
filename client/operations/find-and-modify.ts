/**
 * findAndModify: findOneAndDelete, findOneAndReplace, findOneAndUpdate.
 */
import type { Document } from 'bson';
import { MongoInvalidArgumentError } from '../errors/driver-errors.ts';
import type { FindOneAndUpdateOptions } from '../types/options.ts';
import { formatSort } from '../types/sort.ts';
import { fieldsFrom, type Scope } from './scope.ts';

const FIELDS = [
  'bypassDocumentValidation',
  'hint',
  'let',
  'collation',
  'arrayFilters',
  'comment',
  'maxTimeMS',
  'rawData',
] as const;

/** @param change `{ remove: true }` or `{ update }`. @returns the whole reply. */
export async function findAndModify(
  scope: Scope,
  filter: unknown,
  change: { readonly remove: true } | { readonly update: unknown },
  options: FindOneAndUpdateOptions,
): Promise<Document> {
  if (typeof filter !== 'object' || filter === null) {
    throw new MongoInvalidArgumentError('Argument "filter" must be an object');
  }
  const sort = formatSort(options.sort);
  const isRemoval = 'remove' in change;
  const command: Document = {
    findAndModify: scope.collection,
    query: filter,
    remove: isRemoval,
    ...(isRemoval
      ? {}
      : {
          new: options.returnDocument === 'after',
          upsert: options.upsert === true,
          update: change.update,
        }),
    ...(sort === undefined ? {} : { sort }),
    ...(options.projection === undefined ? {} : { fields: options.projection }),
    ...fieldsFrom(options, FIELDS),
  };
  return scope.run(command, options, {
    kind: 'write',
    mayRetry: true,
    takesWriteConcern: true,
  });
}
