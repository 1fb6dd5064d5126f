/**
 * What a filter says about one field of a shard key: single values, a range, or nothing that helps.
 *
 * Promises: complete: every document that the filter matches has its value among those given. A shard key is never an array, so
 * several conditions on a field hold for one value, and the narrowest counts. What is not understood counts as nothing said.
 */
import { BsonType, fieldsOf, type RawValue } from '../../bson/index.ts';

export interface Bound {
  readonly value: RawValue;
  readonly isInclusive: boolean;
}

export type FieldCondition =
  | { readonly kind: 'any' }
  | { readonly kind: 'values'; readonly values: readonly RawValue[] }
  | { readonly kind: 'range'; readonly lower?: Bound; readonly upper?: Bound };

const ANY: FieldCondition = { kind: 'any' };

/** @param comparesBytes strings are compared as the chunks' bounds are: no collation is in force. */
export function conditionOn(filter: Buffer, path: string, comparesBytes: boolean): FieldCondition {
  let condition: FieldCondition = ANY;
  for (const [name, value] of fieldsOf(filter)) {
    if (name === path) condition = narrower(condition, ofValue(value, comparesBytes));
    else if (name === '$and' && value.type === BsonType.array) {
      for (const [, branch] of fieldsOf(value.asDocument())) {
        if (branch.type !== BsonType.object) continue;
        condition = narrower(condition, conditionOn(branch.asDocument(), path, comparesBytes));
      }
    }
  }
  return condition;
}

/** Of two that both hold, the one that says more. */
function narrower(a: FieldCondition, b: FieldCondition): FieldCondition {
  if (a.kind === 'any') return b;
  if (b.kind === 'any' || a.kind === 'values') return a;
  if (b.kind === 'values') return b;
  const lower = a.lower ?? b.lower;
  const upper = a.upper ?? b.upper;
  return {
    kind: 'range',
    ...(lower === undefined ? {} : { lower }),
    ...(upper === undefined ? {} : { upper }),
  };
}

function ofValue(value: RawValue, comparesBytes: boolean): FieldCondition {
  const isOperators =
    value.type === BsonType.object &&
    fieldsOf(value.asDocument())[Symbol.iterator]().next().value?.[0].startsWith('$') === true;
  if (!isOperators) return equalTo([value], comparesBytes);
  let condition: FieldCondition = ANY;
  for (const [operator, operand] of fieldsOf(value.asDocument())) {
    condition = narrower(condition, ofOperator(operator, operand, comparesBytes));
  }
  return condition;
}

function ofOperator(operator: string, operand: RawValue, comparesBytes: boolean): FieldCondition {
  switch (operator) {
    case '$eq':
      return equalTo([operand], comparesBytes);
    case '$in':
      if (operand.type !== BsonType.array) return ANY;
      return equalTo(
        Array.from(fieldsOf(operand.asDocument()), ([, value]) => value),
        comparesBytes,
      );
    case '$gt':
    case '$gte':
      if (!isPlain(operand, comparesBytes)) return ANY;
      return { kind: 'range', lower: { value: operand, isInclusive: operator === '$gte' } };
    case '$lt':
    case '$lte':
      if (!isPlain(operand, comparesBytes)) return ANY;
      return { kind: 'range', upper: { value: operand, isInclusive: operator === '$lte' } };
    default:
      return ANY;
  }
}

function equalTo(values: readonly RawValue[], comparesBytes: boolean): FieldCondition {
  return values.every((value) => isPlain(value, comparesBytes)) ? { kind: 'values', values } : ANY;
}

/** A value that a filter compares as the order of keys does. */
function isPlain(value: RawValue, comparesBytes: boolean): boolean {
  switch (value.type) {
    case BsonType.array:
    case BsonType.regex:
    case BsonType.undefined:
      return false;
    case BsonType.string:
    case BsonType.symbol:
    case BsonType.object:
      return comparesBytes;
    default:
      return true;
  }
}
