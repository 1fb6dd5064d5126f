/**
 * A string per value that is equal exactly when the values are equal in MongoDB's sense: keys for Map and Set.
 *
 * Promises: canonicalKey(a) === canonicalKey(b) if and only if compareValues(a, b) === 0.
 */
import type { Collator } from './collator.ts';
import { compareDecimalToDouble } from './compare-numbers.ts';
import { keyText } from './index-key.ts';
import type { RawValue } from './raw-value.ts';
import { readInt32 } from './scalars.ts';
import { BsonType } from './types.ts';

const NULL_KEY = 'nul:';

/**
 * The key of a value; a missing one (undefined) has null's.
 * Frequent types have short forms. They never meet: a string's begins with its length, whose fourth character would
 * have to be ':' (a string of a gigabyte) to equal another's four-character mark.
 */
export function canonicalKey(value: RawValue | undefined, collator?: Collator): string {
  if (value === undefined) return NULL_KEY;
  const type: number = value.type;
  switch (type) {
    case BsonType.string:
    case BsonType.symbol:
      if (collator !== undefined) return `col:${collator.key(value.asString())}`;
      return value.bytes.toString('latin1', value.start, value.end - 1);
    case BsonType.int32:
      return `num:${readInt32(value.bytes, value.start)}`;
    case BsonType.double:
    case BsonType.int64:
    case BsonType.decimal128:
      return numberKey(value);
    case BsonType.null:
      return NULL_KEY;
    default:
      return `key:${keyText(value, collator)}`;
  }
}

/** A number that a double holds exactly, and prints exactly, is its text; all others are their index key. */
function numberKey(value: RawValue): string {
  const number = value.asNumber();
  if (Number.isNaN(number)) return 'num:NaN';
  const prints = Math.abs(number) <= Number.MAX_SAFE_INTEGER;
  const exact =
    value.type !== BsonType.decimal128 || compareDecimalToDouble(value.asDecimal(), number) === 0;
  return prints && exact ? `num:${number}` : `key:${keyText(value)}`;
}
