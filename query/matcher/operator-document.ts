/**
 * Tells `{ $gt: 1 }` from a value: the first field name begins with a dollar, and it is no DBRef.
 */
import { BsonType, fieldsOf, type RawValue } from '../../bson/index.ts';

/** A DBRef has both $ref and $id. With `orPartOfDBRef`, any of $ref, $id and $db makes the document a value. */
export function isOperatorDocument(value: RawValue, orPartOfDBRef = false): boolean {
  if (value.type !== BsonType.object) return false;
  const names = Array.from(fieldsOf(value.asDocument()), ([name]) => name);
  if (names[0]?.startsWith('$') !== true) return false;
  const hasRef = names.includes('$ref');
  const hasId = names.includes('$id');
  if (orPartOfDBRef) return !(hasRef || hasId || names.includes('$db'));
  return !(hasRef && hasId);
}
