/**
 * find.
 */
import type { Document } from 'bson';
import { MongoInvalidArgumentError } from '../errors/driver-errors.ts';
import { formatSort } from '../types/sort.ts';
import type { FindOptions } from '../types/options.ts';
import { fieldsFrom } from './scope.ts';

const FIELDS = [
  'projection',
  'hint',
  'skip',
  'comment',
  'maxTimeMS',
  'max',
  'min',
  'returnKey',
  'showRecordId',
  'tailable',
  'oplogReplay',
  'noCursorTimeout',
  'awaitData',
  'allowPartialResults',
  'collation',
  'allowDiskUse',
  'let',
  'rawData',
] as const;

export function findCommand(collection: string, filter: unknown, options: FindOptions): Document {
  if (typeof filter !== 'object' || filter === null || Array.isArray(filter)) {
    throw new MongoInvalidArgumentError('Query filter must be a plain object or ObjectId');
  }
  const sort = formatSort(options.sort);
  const { limit, batchSize } = options;
  const command: Document = {
    find: collection,
    filter,
    ...(sort === undefined ? {} : { sort }),
    ...fieldsFrom(options, FIELDS),
  };
  // A negative limit or batch asks for one batch of so many.
  if (limit !== undefined && limit !== 0) command['limit'] = Math.abs(limit);
  if (limit !== undefined && limit < 0) command['singleBatch'] = true;
  else if (options.singleBatch !== undefined) command['singleBatch'] = options.singleBatch;
  if (batchSize !== undefined) {
    if (batchSize < 0) {
      command['singleBatch'] = true;
      command['limit'] ??= Math.abs(batchSize);
    } else {
      // With a batch that holds everything the server would keep a cursor for nothing.
      command['batchSize'] = batchSize === limit ? batchSize + 1 : batchSize;
    }
  }
  return command;
}
