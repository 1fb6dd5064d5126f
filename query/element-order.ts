/**
 * The order of an array's elements, as $sortArray and the $sort of $push have it.
 *
 * Promises: arrays on a path are followed by index only, and a value that is an array compares as a whole, unlike in the
 * sort of documents; missing counts as null.
 */
import {
  BsonType,
  type Collator,
  compareValues,
  fieldsOf,
  getField,
  isEmpty,
  NULL,
  type RawValue,
} from '../bson/index.ts';
import { uassert } from '../common/assert.ts';

export type ElementOrder = (a: RawValue, b: RawValue) => number;

/** @param sort 1, -1, or a pattern of paths. @throws CommandError BadValue for anything else. */
export function elementOrderFrom(sort: RawValue, collator: Collator | undefined): ElementOrder {
  if (sort.isNumber) {
    const direction = parseDirection(sort);
    return (a, b) => direction * compareValues(a, b, collator);
  }
  uassert(
    sort.type === BsonType.object,
    'BadValue',
    'The $sort is invalid: use 1/-1 to sort the whole element, or {field:1/-1} to sort embedded fields',
  );
  uassert(
    !isEmpty(sort.asDocument()),
    'BadValue',
    'The $sort pattern is empty when it should be a set of fields.',
  );
  const keys = Array.from(fieldsOf(sort.asDocument()), ([path, direction]) => ({
    parts: parseSortPath(path),
    direction: parseDirection(direction),
  }));
  return (a, b) => {
    for (const { parts, direction } of keys) {
      const order = compareValues(valueAt(a, parts), valueAt(b, parts), collator);
      if (order !== 0) return direction * order;
    }
    return 0;
  };
}

function parseDirection(value: RawValue): number {
  const direction = value.asNumber();
  uassert(
    value.isNumber && (direction === 1 || direction === -1),
    'BadValue',
    'The $sort element value must be either 1 or -1',
  );
  return direction;
}

function parseSortPath(path: string): readonly string[] {
  uassert(path !== '', 'BadValue', 'The $sort field cannot be empty');
  const parts = path.split('.');
  uassert(
    !parts.includes(''),
    'BadValue',
    `The $sort field is a dotted field but has an empty part: ${path}`,
  );
  return parts;
}

/** An element that is no document has none of the fields, also when it is an array. */
function valueAt(element: RawValue, parts: readonly string[]): RawValue {
  if (element.type !== BsonType.object) return NULL;
  let value: RawValue | undefined = element;
  for (const part of parts) {
    if (value?.type !== BsonType.object && value?.type !== BsonType.array) return NULL;
    value = getField(value.asDocument(), part);
  }
  return value ?? NULL;
}
