/**
 * The text of a value in a cell of CSV, as mongoexport writes it: numbers and strings plain, dates in ISO, ids as
 * ObjectId(...), documents and arrays as Extended JSON.
 */
import { BsonType, getField, toExtendedJsonText, type RawValue } from '../../bson/index.ts';

/** @param path through documents by name, through arrays by number. */
export function cellText(document: Buffer, path: readonly string[]): string {
  let value: RawValue | undefined;
  let inside: Buffer | undefined = document;
  for (const name of path) {
    value = inside === undefined ? undefined : getField(inside, name);
    const isNested: boolean = value?.type === BsonType.object || value?.type === BsonType.array;
    inside = isNested ? value?.asDocument() : undefined;
  }
  return value === undefined ? '' : textOf(value);
}

function textOf(value: RawValue): string {
  switch (value.type) {
    case BsonType.null:
    case BsonType.undefined:
      return '';
    case BsonType.string:
      return value.asString();
    case BsonType.bool:
      return String(value.asBoolean());
    case BsonType.int32:
      return String(value.asNumber());
    case BsonType.int64:
      return String(value.asInt64());
    case BsonType.double:
      return String(value.asNumber());
    case BsonType.decimal128:
      return String(value.asDecimal());
    case BsonType.objectId:
      return `ObjectId(${value.asObjectIdBytes().toString('hex')})`;
    case BsonType.date:
      return dateText(value);
    default:
      return toExtendedJsonText(value, { relaxed: true });
  }
}

/** The furthest that a Date of JavaScript goes, milliseconds. */
const FURTHEST_MS = 8.64e15;

function dateText(value: RawValue): string {
  const ms = value.asDateMs();
  return Math.abs(ms) <= FURTHEST_MS ? new Date(ms).toISOString() : toExtendedJsonText(value);
}
