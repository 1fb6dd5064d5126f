/**
 * Arrays as lists of values, and back.
 */
import { ArrayBuilder, arrayValue, FieldCursor, NULL, type RawValue } from '../../bson/index.ts';
import type { Value } from './definition.ts';

export function elementsOf(array: RawValue): RawValue[] {
  const elements: RawValue[] = [];
  const cursor = new FieldCursor(array.bytes, array.start);
  while (cursor.next()) elements.push(cursor.value());
  return elements;
}

/** A missing element becomes null: an array has no holes. */
export function arrayOf(values: Iterable<Value>): RawValue {
  const builder = new ArrayBuilder();
  for (const value of values) builder.push(value ?? NULL);
  return arrayValue(builder.finish());
}
