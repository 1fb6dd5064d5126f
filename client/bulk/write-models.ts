/**
 * The models of a collection's bulk write, and their translation into statements of write commands.
 */
import type { Document } from 'bson';
import { MongoInvalidArgumentError } from '../errors/driver-errors.ts';
import type { Filter } from '../types/filter.ts';
import type { CollationOptions, DeleteOptions, UpdateOptions } from '../types/options.ts';
import type { OptionalId, WithoutId } from '../types/schema.ts';
import { formatSort, type Hint, type Sort } from '../types/sort.ts';
import type { UpdateFilter } from '../types/update.ts';

export interface InsertOneModel<Schema = Document> {
  document: OptionalId<Schema>;
}
interface UpdateTraits {
  collation?: CollationOptions;
  hint?: Hint;
  upsert?: boolean;
}
export interface ReplaceOneModel<Schema = Document> extends UpdateTraits {
  filter: Filter<Schema>;
  replacement: WithoutId<Schema>;
  sort?: Sort;
}
export interface UpdateOneModel<Schema = Document> extends UpdateTraits {
  filter: Filter<Schema>;
  update: UpdateFilter<Schema> | readonly Document[];
  arrayFilters?: readonly Document[];
  sort?: Sort;
}
export type UpdateManyModel<Schema = Document> = Omit<UpdateOneModel<Schema>, 'sort'>;
export interface DeleteOneModel<Schema = Document> {
  filter: Filter<Schema>;
  collation?: CollationOptions;
  hint?: Hint;
}
export type DeleteManyModel<Schema = Document> = DeleteOneModel<Schema>;

export type AnyBulkWriteOperation<Schema = Document> =
  | { insertOne: InsertOneModel<Schema> }
  | { replaceOne: ReplaceOneModel<Schema> }
  | { updateOne: UpdateOneModel<Schema> }
  | { updateMany: UpdateManyModel<Schema> }
  | { deleteOne: DeleteOneModel<Schema> }
  | { deleteMany: DeleteManyModel<Schema> };

/** Whether an update has operators, or is a pipeline. */
export function hasAtomicOperators(update: unknown): boolean {
  if (Array.isArray(update)) {
    if (update.length === 0) {
      throw new MongoInvalidArgumentError('Update document requires atomic operators');
    }
    return update.every(hasAtomicOperators);
  }
  if (typeof update !== 'object' || update === null) return false;
  const keys = update instanceof Map ? [...update.keys()].map(String) : Object.keys(update);
  return keys[0]?.startsWith('$') === true;
}

/** One element of the command's `updates`. */
export function updateStatement(
  filter: unknown,
  update: unknown,
  options: UpdateOptions & { readonly multi?: boolean },
): Document {
  checkFilter(filter);
  if (typeof update !== 'object' || update === null) {
    throw new MongoInvalidArgumentError('Document must be a valid JavaScript object');
  }
  const { upsert, multi, hint, arrayFilters, collation } = options;
  const sort = formatSort(options.sort);
  return {
    q: filter,
    u: update,
    ...(upsert === undefined ? {} : { upsert }),
    ...(multi === undefined || !multi ? {} : { multi }),
    ...(hint === undefined ? {} : { hint }),
    ...(arrayFilters === undefined ? {} : { arrayFilters }),
    ...(collation === undefined ? {} : { collation }),
    ...(sort === undefined ? {} : { sort }),
  };
}

/** One element of the command's `deletes`. @param limit 1 for the first that matches, 0 for all. */
export function deleteStatement(
  filter: unknown,
  limit: 0 | 1,
  { collation, hint }: DeleteOptions,
): Document {
  checkFilter(filter);
  return {
    q: filter,
    limit,
    ...(collation === undefined ? {} : { collation }),
    ...(hint === undefined ? {} : { hint }),
  };
}

function checkFilter(filter: unknown): void {
  if (typeof filter !== 'object' || filter === null) {
    throw new MongoInvalidArgumentError('Selector must be a valid JavaScript object');
  }
}

/** An `update` must have operators, a `replacement` must have none. */
export function checkUpdate(update: unknown): void {
  if (!hasAtomicOperators(update)) {
    throw new MongoInvalidArgumentError('Update document requires atomic operators');
  }
}

/** @param verb as the official driver has it: contain, but use in a bulk write */
export function checkReplacement(replacement: unknown, verb: 'contain' | 'use' = 'contain'): void {
  if (hasAtomicOperators(replacement)) {
    throw new MongoInvalidArgumentError(`Replacement document must not ${verb} atomic operators`);
  }
}
