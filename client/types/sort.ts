/**
 * Sort orders, in the many forms that people write them in, and as commands take them.
 */
import type { Document } from 'bson';
import { MongoInvalidArgumentError } from '../errors/driver-errors.ts';

export type SortDirection =
  1 | -1 | 'asc' | 'desc' | 'ascending' | 'descending' | { readonly $meta: string };
export type Sort =
  | string
  | string[]
  | { [field: string]: SortDirection }
  | Map<string, SortDirection>
  | [string, SortDirection][]
  | [string, SortDirection];

type CommandSort = Map<string, number | { $meta: string }>;

/** @returns undefined for no order. @throws MongoInvalidArgumentError */
export function formatSort(sort: unknown, direction?: SortDirection): CommandSort | undefined {
  if (sort === undefined || sort === null) return undefined;
  if (typeof sort === 'string') return new Map([[sort, directionOf(direction)]]);
  if (typeof sort !== 'object') {
    throw new MongoInvalidArgumentError(
      `Invalid sort format: ${JSON.stringify(sort)} Sort must be a valid object`,
    );
  }
  const entries = entriesOf(sort, direction);
  return entries.length === 0 ? undefined : new Map(entries);
}

type Entry = [string, number | { $meta: string }];

function entriesOf(sort: object, direction: SortDirection | undefined): Entry[] {
  if (sort instanceof Map)
    return [...sort].map(([name, value]): Entry => [String(name), directionOf(value)]);
  if (!Array.isArray(sort)) {
    return Object.entries(sort).map(([name, value]): Entry => [name, directionOf(value)]);
  }
  if (sort.length === 2 && typeof sort[0] === 'string' && isDirection(sort[1])) {
    return [[sort[0], directionOf(sort[1])]];
  }
  return sort.map((part: unknown): Entry => {
    if (Array.isArray(part)) return [String(part[0]), directionOf(part[1])];
    return [String(part), directionOf(direction)];
  });
}

function isDirection(value: unknown): boolean {
  if (typeof value === 'object' && value !== null && '$meta' in value) return true;
  return /^(?:asc|desc|ascending|descending|1|-1)$/.test(String(value).toLowerCase());
}

function directionOf(direction: unknown = 1): number | { $meta: string } {
  if (typeof direction === 'object' && direction !== null) {
    const meta: unknown = Reflect.get(direction, '$meta');
    if (typeof meta === 'string') return { $meta: meta };
  }
  switch (String(direction).toLowerCase()) {
    case 'ascending':
    case 'asc':
    case '1':
      return 1;
    case 'descending':
    case 'desc':
    case '-1':
      return -1;
    default:
      throw new MongoInvalidArgumentError(`Invalid sort direction: ${JSON.stringify(direction)}`);
  }
}

/** An index to use, by name or key pattern. */
export type Hint = string | Document;
