/**
 * count.
 */
import type { Document } from 'bson';
import type { CountOptions } from '../types/options.ts';
import { fieldsFrom } from './scope.ts';

const FIELDS = ['limit', 'skip', 'hint', 'maxTimeMS', 'collation', 'comment', 'rawData'] as const;

export function countCommand(
  collection: string,
  filter: Document | undefined,
  options: CountOptions,
): Document {
  return {
    count: collection,
    ...(filter === undefined ? {} : { query: filter }),
    ...fieldsFrom(options, FIELDS),
  };
}
