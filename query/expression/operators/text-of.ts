/**
 * Values as text: what $toString gives, and what string operators make of arguments that are no strings.
 */
import { BsonType, type RawValue } from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import type { Value } from '../definition.ts';
import { isNullish, typeNameOf } from '../types.ts';
import { isoText } from './date-calendar.ts';

/** @returns the empty text for null and missing. @throws 16007 for types without a text. */
export function coercedText(name: string, value: Value): string {
  if (isNullish(value)) return '';
  const text = textOf(value);
  if (text !== undefined) return text;
  throw new CommandError(
    16007,
    `can't convert from BSON type ${typeNameOf(value)} to String in ${name}`,
  );
}

/** undefined for a type that has no text. */
export function textOf(value: RawValue): string | undefined {
  switch (value.type) {
    case BsonType.string:
    case BsonType.symbol:
    case BsonType.javascript:
      return value.asString();
    case BsonType.double:
      return numberText(value.asNumber());
    case BsonType.int32:
    case BsonType.int64:
      return value.asInt64().toString();
    case BsonType.decimal128:
      return value.asDecimal().toString();
    case BsonType.date:
      return isoText(value.asDateMs());
    case BsonType.timestamp: {
      const { seconds, increment } = value.asTimestamp();
      return `Timestamp(${seconds}, ${increment})`;
    }
    default:
      return undefined;
  }
}

/** A double as MongoDB prints it: shortest digits that read back the same, exponents with two digits. */
export function numberText(number: number): string {
  if (Object.is(number, -0)) return '-0';
  const text = String(number);
  const exponent = /^(.*)e([+-])(\d+)$/.exec(text);
  if (exponent === null) return text;
  return `${exponent[1]}e${exponent[2]}${exponent[3].padStart(2, '0')}`;
}
