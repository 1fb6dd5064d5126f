/**
 * Sets of types that operators accept, and the words for them in MongoDB's messages.
 */
import { BsonType, type RawValue } from '../../bson/index.ts';
import type { TypeSet, Value } from './definition.ts';

export const NUMERIC: TypeSet = { words: 'numeric', accepts: (value) => value.isNumber };
export const STRING: TypeSet = { words: 'string', accepts: isString };

/** The name of a value's type as messages and $type spell it. */
export function typeNameOf(value: Value): string {
  return value === undefined ? 'missing' : value.typeName;
}

export function isNullish(value: Value): value is undefined {
  return value === undefined || value.isNullish;
}

export function isString(value: Value): value is RawValue {
  return value !== undefined && value.type === BsonType.string;
}

export function isArray(value: Value): value is RawValue {
  return value !== undefined && value.type === BsonType.array;
}

export function isObject(value: Value): value is RawValue {
  return value !== undefined && value.type === BsonType.object;
}
