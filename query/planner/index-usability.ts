/**
 * Which indexes the planner may use at all, and for which queries.
 *
 * Owns: reading the options of an index's specification that bear on queries. Each description is read once.
 */
import { BsonType, fieldsOf, getField } from '../../bson/index.ts';
import type { Collator } from '../../bson/index.ts';
import { collationSpecOf, compileCollation } from '../collation/collation.ts';
import type { IndexDescription } from '../../storage/index.ts';

export interface IndexTraits {
  /** All fields are plain ascending or descending. */
  readonly plain: boolean;
  readonly hidden: boolean;
  /** Only documents that match this filter are in the index. */
  readonly partialFilter: Buffer | undefined;
  /** Normal form of the collation; undefined: simple. */
  readonly collation: Buffer | undefined;
}

const TRAITS = new WeakMap<IndexDescription, IndexTraits>();

export function traitsOf(index: IndexDescription): IndexTraits {
  let traits = TRAITS.get(index);
  if (traits === undefined) {
    traits = readTraits(index.spec);
    TRAITS.set(index, traits);
  }
  return traits;
}

function readTraits(spec: Buffer): IndexTraits {
  const key = getField(spec, 'key');
  const hidden = getField(spec, 'hidden');
  const partial = getField(spec, 'partialFilterExpression');
  const collation = getField(spec, 'collation');
  return {
    plain: key === undefined || isPlain(key.asDocument()),
    hidden: hidden?.isTruthy() ?? false,
    partialFilter: partial?.type === BsonType.object ? partial.asDocument() : undefined,
    collation:
      collation?.type === BsonType.object
        ? compileCollation(collation.asDocument())?.spec
        : undefined,
  };
}

function isPlain(keyPattern: Buffer): boolean {
  for (const [name, value] of fieldsOf(keyPattern)) {
    if (!value.isNumber || name.includes('$**')) return false;
  }
  return true;
}

/** Whether strings of the index are in the order that the query asks for. */
export function collationsAgree(index: IndexDescription, collator: Collator | undefined): boolean {
  const wanted = collationSpecOf(collator);
  const { collation } = traitsOf(index);
  if (wanted === undefined || collation === undefined) {
    return collation === undefined && collator === undefined;
  }
  return wanted.equals(collation);
}
