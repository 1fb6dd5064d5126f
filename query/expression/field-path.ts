/**
 * Paths as expressions read them: through objects, and through the objects of arrays, which gives an array of values.
 *
 * Differs from the matcher: numbers in a path never index an array, and arrays directly inside arrays are not entered.
 */
import {
  ArrayBuilder,
  arrayValue,
  BsonType,
  FieldCursor,
  getField,
  getFieldAt,
} from '../../bson/index.ts';
import { uassert } from '../../common/assert.ts';
import { checkPathLength } from '../path-length.ts';
import type { Value } from './definition.ts';

/** Splits and checks a path without its dollars. @throws the codes of MongoDB's FieldPath. */
export function splitFieldPath(text: string): readonly string[] {
  uassert(text.length > 0, 40352, 'FieldPath cannot be constructed with empty string');
  uassert(!text.endsWith('.'), 40353, "FieldPath must not end with a '.'.");
  checkPathLength(text);
  const parts = text.split('.');
  for (const part of parts) checkPathPart(part);
  return parts;
}

function checkPathPart(part: string): void {
  uassert(part.length > 0, 15998, 'FieldPath field names may not be empty strings.');
  uassert(
    !part.startsWith('$'),
    16410,
    "FieldPath field names may not start with '$'. Consider using $getField or $setField.",
  );
  uassert(!part.includes('\0'), 16411, 'FieldPath field names may not contain null bytes.');
}

/** The value at parts[from..] below a document. */
export function valueAtPath(document: Buffer, parts: readonly string[], from: number): Value {
  let current = document;
  const last = parts.length - 1;
  for (let index = from; index < last; index += 1) {
    const value = getField(current, parts[index]!);
    if (value === undefined) return undefined;
    if (value.type === BsonType.array)
      return valuesBelowArray(value.asDocument(), parts, index + 1);
    if (value.type !== BsonType.object) return undefined;
    current = value.asDocument();
  }
  return getField(current, parts[last]!);
}

/** The value at parts[from..] below any value: what "$$variable.a.b" reads. */
export function valueBelow(value: Value, parts: readonly string[], from: number): Value {
  if (from >= parts.length) return value;
  if (value === undefined) return undefined;
  if (value.type === BsonType.object) return valueAtPath(value.asDocument(), parts, from);
  if (value.type === BsonType.array) return valuesBelowArray(value.asDocument(), parts, from);
  return undefined;
}

function valuesBelowArray(array: Buffer, parts: readonly string[], from: number): Value {
  const result = new ArrayBuilder();
  const cursor = new FieldCursor(array);
  const isLast = from === parts.length - 1;
  while (cursor.next()) {
    if (cursor.type !== BsonType.object) continue;
    const value = isLast
      ? getFieldAt(array, cursor.valueStart, parts[from]!)
      : valueAtPath(array.subarray(cursor.valueStart, cursor.valueEnd), parts, from);
    if (value !== undefined) result.push(value);
  }
  return arrayValue(result.finish());
}
