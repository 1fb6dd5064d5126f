/**
 * Sort patterns: checked, and turned into fields for the planner and an order for the executor.
 */
import { BsonType, compileSort, fieldsOf, isEmpty, type RawValue } from '../../bson/index.ts';
import { uassert } from '../../common/assert.ts';
import { CommandError } from '../../common/errors.ts';
import type { QueryContext } from '../context.ts';
import type { SortOrder } from '../executor/sorter.ts';
import type { SortField } from './index-candidate.ts';

export interface SortPattern {
  readonly pattern: Buffer;
  readonly fields: readonly SortField[];
  /** {$natural: ±1}: the order of the records. */
  readonly natural: 1 | -1 | undefined;
}

/** @returns undefined for an absent or empty pattern. */
export function parseSort(pattern: Buffer | undefined): SortPattern | undefined {
  if (pattern === undefined || isEmpty(pattern)) return undefined;
  const fields: SortField[] = [];
  let natural: 1 | -1 | undefined;
  for (const [path, value] of fieldsOf(pattern)) {
    checkPath(path);
    const direction = directionOf(path, value);
    if (path === '$natural') natural = direction;
    else fields.push({ path, direction });
  }
  uassert(
    natural === undefined || fields.length === 0,
    'BadValue',
    'Cannot include $natural in compound sort',
  );
  uassert(fields.length <= 32, 13103, 'too many compound keys');
  return { pattern, fields, natural };
}

export function sortOrderOf(sort: SortPattern, context: QueryContext): SortOrder {
  return compileSort(sort.pattern, context.collator);
}

function checkPath(path: string): void {
  uassert(path.length > 0, 'BadValue', 'FieldPath cannot be constructed with empty string');
  if (path === '$natural') return;
  for (const part of path.split('.')) {
    uassert(part.length > 0, 15998, 'FieldPath field names may not be empty strings.');
    uassert(
      !part.startsWith('$'),
      16410,
      "FieldPath field names may not start with '$'. Consider using $getField or $setField.",
    );
  }
}

function directionOf(path: string, value: RawValue): 1 | -1 {
  if (value.type === BsonType.object) {
    throw new CommandError(
      'NotImplemented',
      'Sorting by $meta needs a text index or $search, which this server does not have',
    );
  }
  if (!value.isNumber) {
    throw new CommandError(15974, `Illegal key in $sort specification: ${path}`);
  }
  const number = value.asNumber();
  uassert(
    number === 1 || number === -1,
    15975,
    '$sort key ordering must be 1 (for ascending) or -1 (for descending)',
  );
  return number;
}
