/**
 * Where an index's paths hold arrays, as catalog records and journal entries keep it: for each field an array of positions.
 *
 * Bytes: docs/format/catalog.md.
 */
import {
  ArrayBuilder,
  arrayValue,
  fieldsOf,
  int32Value,
  type MultikeyPaths,
  type RawValue,
} from '../../bson/index.ts';

export function encodeMultikeyPaths(paths: MultikeyPaths): RawValue {
  const fields = new ArrayBuilder();
  for (const components of paths) {
    const positions = new ArrayBuilder();
    for (const component of components) positions.push(int32Value(component));
    fields.push(arrayValue(positions.finish()));
  }
  return arrayValue(fields.finish());
}

/** @throws whatever reading a value of another type does: the callers name the record. */
export function decodeMultikeyPaths(value: RawValue): MultikeyPaths {
  return Array.from(fieldsOf(value.asDocument()), ([, field]) =>
    Array.from(fieldsOf(field.asDocument()), ([, component]) => component.asNumber()),
  );
}
