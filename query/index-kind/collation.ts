/**
 * Collations of indexes: read from the specification, and put on values as the keys hold them.
 */
import {
  ArrayBuilder,
  arrayValue,
  BsonType,
  type Collator,
  documentValue,
  DocumentBuilder,
  fieldsOf,
  getField,
  type RawValue,
  stringValue,
} from '../../bson/index.ts';
import type { IndexDescription } from '../../storage/index.ts';
import { collationSpecOf, compileCollation } from '../collation/collation.ts';

const COLLATORS = new WeakMap<Buffer, { readonly collator: Collator | undefined }>();

/** The collator of an index; undefined for the simple one. Each specification is read once. */
export function collatorOf({ spec }: Pick<IndexDescription, 'spec'>): Collator | undefined {
  let known = COLLATORS.get(spec);
  if (known === undefined) {
    const collation = getField(spec, 'collation');
    known = {
      collator:
        collation?.type === BsonType.object ? compileCollation(collation.asDocument()) : undefined,
    };
    COLLATORS.set(spec, known);
  }
  return known.collator;
}

/** Whether two collators order strings in the same way. */
export function sameCollation(left: Collator | undefined, right: Collator | undefined): boolean {
  if (left === right) return true;
  const leftSpec = collationSpecOf(left);
  const rightSpec = collationSpecOf(right);
  return leftSpec !== undefined && rightSpec !== undefined && leftSpec.equals(rightSpec);
}

/** Strings, and what may hold strings: what compares by a collation. */
export function dependsOnCollation({ type }: RawValue): boolean {
  switch (type) {
    case BsonType.string:
    case BsonType.symbol:
    case BsonType.object:
    case BsonType.array:
      return true;
    default:
      return false;
  }
}

/** The value with all its strings, nested ones too, as their collation keys. */
export function collatedValue(value: RawValue, collator: Collator): RawValue {
  switch (value.type) {
    case BsonType.string:
    case BsonType.symbol:
      return stringValue(collator.key(value.asString()));
    case BsonType.object: {
      const builder = new DocumentBuilder();
      for (const [name, element] of fieldsOf(value.asDocument())) {
        builder.append(name, collatedValue(element, collator));
      }
      return documentValue(builder.finish());
    }
    case BsonType.array: {
      const builder = new ArrayBuilder();
      for (const [, element] of fieldsOf(value.asDocument())) {
        builder.push(collatedValue(element, collator));
      }
      return arrayValue(builder.finish());
    }
    default:
      return value;
  }
}
