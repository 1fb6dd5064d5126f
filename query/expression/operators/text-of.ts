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
  if (value.type === BsonType.double) return shortNumberText(value.asNumber());
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

/** A double as $toString prints it: shortest digits that read back the same, an exponent below 1e-4 and from 1e16 on. */
export function numberText(number: number): string {
  if (Object.is(number, -0)) return '-0';
  const size = Math.abs(number);
  if (!Number.isFinite(number) || number === 0 || (size >= 1e-4 && size < 1e16)) {
    return String(number);
  }
  const [digits, exponent] = number.toExponential().split('e');
  return `${digits}e${exponentText(Number(exponent))}`;
}

/** A double as string operators see it: six digits, as printf's %g has them. */
function shortNumberText(number: number): string {
  if (!Number.isFinite(number)) return Number.isNaN(number) ? 'nan' : number > 0 ? 'inf' : '-inf';
  if (number === 0) return Object.is(number, -0) ? '-0' : '0';
  const [digits, exponentDigits] = number.toExponential(SHORT_DIGITS - 1).split('e');
  const exponent = Number(exponentDigits);
  if (exponent < -4 || exponent >= SHORT_DIGITS) {
    return `${withoutTrailingZeros(digits)}e${exponentText(exponent)}`;
  }
  return withoutTrailingZeros(number.toFixed(SHORT_DIGITS - 1 - exponent));
}

const SHORT_DIGITS = 6;

function withoutTrailingZeros(digits: string): string {
  return digits.includes('.') ? digits.replace(/\.?0+$/, '') : digits;
}

function exponentText(exponent: number): string {
  return `${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;
}
