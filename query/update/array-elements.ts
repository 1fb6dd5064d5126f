/**
 * Arrays as lists of values, and back.
 */
import {
  ArrayBuilder,
  arrayValue,
  FieldCursor,
  indexName,
  type RawValue,
} from '../../bson/index.ts';
import { splice } from './splice.ts';

export function elementsOf(array: RawValue): RawValue[] {
  const elements: RawValue[] = [];
  const cursor = new FieldCursor(array.bytes, array.start);
  while (cursor.next()) elements.push(cursor.value());
  return elements;
}

/** @param bytes about how large the array will be. */
export function arrayOf(elements: Iterable<RawValue>, bytes: number): RawValue {
  const builder = new ArrayBuilder(bytes);
  for (const element of elements) builder.push(element);
  return arrayValue(builder.finish());
}

export function elementCount(array: RawValue): number {
  const cursor = new FieldCursor(array.bytes, array.start);
  let count = 0;
  while (cursor.next()) count += 1;
  return count;
}

/** The array with values at its end; the elements that are there are copied as bytes. */
export function withAppended(
  array: RawValue,
  count: number,
  values: readonly RawValue[],
): RawValue {
  if (values.length === 0) return array;
  const additions = values.map((value, index) => ({ name: indexName(count + index), value }));
  return arrayValue(splice(array.bytes, array.start, [], additions));
}
