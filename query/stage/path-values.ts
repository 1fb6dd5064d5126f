/**
 * The values at a path as joins see them: arrays are taken apart, also at the path's end.
 */
import {
  BsonType,
  fieldsOf,
  type FieldPath,
  forEachPathValue,
  type RawValue,
} from '../../bson/index.ts';

/** Values to look up; empty when the path leads nowhere. */
export function valuesAt(document: Buffer, path: FieldPath): RawValue[] {
  const values: RawValue[] = [];
  const visit = (value: RawValue | undefined): boolean => {
    if (value === undefined) return false;
    if (value.type !== BsonType.array) values.push(value);
    else for (const [, element] of fieldsOf(value.asDocument())) values.push(element);
    return false;
  };
  forEachPathValue(document, path, visit, { expandLeafArrays: false });
  return values;
}
