/**
 * Equality of values in which the order of fields does not count, as JSON schema defines it.
 */
import {
  ArrayBuilder,
  arrayValue,
  BsonType,
  canonicalKey,
  DocumentBuilder,
  documentValue,
  fieldsOf,
  type RawValue,
} from '../../../bson/index.ts';

/** Equal strings for values that are equal when the order of fields in documents is ignored. */
export function unorderedKey(value: RawValue): string {
  return canonicalKey(withSortedFields(value));
}

function withSortedFields(value: RawValue): RawValue {
  if (value.type === BsonType.array) {
    const array = new ArrayBuilder();
    for (const [, element] of fieldsOf(value.asDocument())) array.push(withSortedFields(element));
    return arrayValue(array.finish());
  }
  if (value.type !== BsonType.object) return value;
  const fields = [...fieldsOf(value.asDocument())];
  const document = new DocumentBuilder();
  for (const [name, field] of fields.toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))) {
    document.append(name, withSortedFields(field));
  }
  return documentValue(document.finish());
}
