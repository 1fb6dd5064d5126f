/**
 * Makes values out of numbers, text and bytes: each constructor gives a RawValue over a small buffer of its own.
 *
 * Promises: documentValue, arrayValue and rawValueOf are views over the given bytes; all others copy.
 */
import { CommandError } from '../common/errors.ts';
import type { Decimal } from './decimal.ts';
import { malformed } from './malformed.ts';
import { RawValue } from './raw-value.ts';
import { writeInt32 } from './scalars.ts';
import { BsonType, isBsonType, type BsonTypeCode } from './types.ts';
import { valueEndOf } from './value-size.ts';

const NOTHING = Buffer.alloc(0);

export const NULL = new RawValue(BsonType.null, NOTHING, 0, 0);
export const UNDEFINED_VALUE = new RawValue(BsonType.undefined, NOTHING, 0, 0);
export const MIN_KEY = new RawValue(BsonType.minKey, NOTHING, 0, 0);
export const MAX_KEY = new RawValue(BsonType.maxKey, NOTHING, 0, 0);
export const TRUE = new RawValue(BsonType.bool, Buffer.of(1), 0, 1);
export const FALSE = new RawValue(BsonType.bool, Buffer.of(0), 0, 1);

function whole(type: BsonTypeCode, bytes: Buffer): RawValue {
  return new RawValue(type, bytes, 0, bytes.length);
}

export function doubleValue(value: number): RawValue {
  const bytes = Buffer.allocUnsafe(8);
  bytes.writeDoubleLE(value, 0);
  return whole(BsonType.double, bytes);
}

/** @param value an integer in -2^31..2^31-1. */
export function int32Value(value: number): RawValue {
  const bytes = Buffer.allocUnsafe(4);
  writeInt32(bytes, 0, value);
  return whole(BsonType.int32, bytes);
}

/** @param value in -2^63..2^63-1. */
export function int64Value(value: bigint): RawValue {
  const bytes = Buffer.allocUnsafe(8);
  bytes.writeBigInt64LE(value, 0);
  return whole(BsonType.int64, bytes);
}

/**
 * int32 if it fits, else int64, as MongoDB gives out counts and sizes.
 * @param value a whole number, at most 2^53 in magnitude.
 */
export function integerValue(value: number): RawValue {
  return (value | 0) === value ? int32Value(value) : int64Value(BigInt(value));
}

export function decimalValue(value: Decimal): RawValue {
  return whole(BsonType.decimal128, value.toBytes());
}

export function stringValue(text: string): RawValue {
  return whole(BsonType.string, lengthPrefixed(text));
}

export function symbolValue(text: string): RawValue {
  return whole(BsonType.symbol, lengthPrefixed(text));
}

/** Code without a scope. */
export function javascriptValue(code: string): RawValue {
  return whole(BsonType.javascript, lengthPrefixed(code));
}

export function javascriptWithScopeValue(code: string, scope: Buffer): RawValue {
  const text = lengthPrefixed(code);
  const bytes = Buffer.concat([Buffer.alloc(4), text, scope]);
  writeInt32(bytes, 0, bytes.length);
  return whole(BsonType.javascriptWithScope, bytes);
}

export function booleanValue(value: boolean): RawValue {
  return value ? TRUE : FALSE;
}

/** @param ms a whole number of milliseconds since 1970, at most 2^53 in magnitude. */
export function dateValue(ms: number): RawValue {
  return dateBigIntValue(BigInt(ms));
}

/** @param ms milliseconds since 1970, -2^63..2^63-1. */
export function dateBigIntValue(ms: bigint): RawValue {
  return whole(BsonType.date, int64Value(ms).bytes);
}

/** @param document exactly one BSON document. */
export function documentValue(document: Buffer): RawValue {
  return whole(BsonType.object, document);
}

/** @param document exactly one BSON document whose names are "0", "1", … (ArrayBuilder makes them). */
export function arrayValue(document: Buffer): RawValue {
  return whole(BsonType.array, document);
}

/** @param bytes the twelve bytes; copied. */
export function objectIdValue(bytes: Buffer): RawValue {
  if (bytes.length !== 12) throw new CommandError('BadValue', 'An ObjectId has 12 bytes');
  return whole(BsonType.objectId, Buffer.from(bytes));
}

/** @param seconds and increment unsigned 32-bit numbers. */
export function timestampValue(seconds: number, increment: number): RawValue {
  const bytes = Buffer.allocUnsafe(8);
  writeInt32(bytes, 0, increment);
  writeInt32(bytes, 4, seconds);
  return whole(BsonType.timestamp, bytes);
}

/** @param subtype 0..255; for subtype 2 `content` holds its inner length. */
export function binaryValue(content: Buffer, subtype = 0): RawValue {
  const bytes = Buffer.allocUnsafe(5 + content.length);
  writeInt32(bytes, 0, content.length);
  bytes[4] = subtype;
  content.copy(bytes, 5);
  return whole(BsonType.binData, bytes);
}

/** @throws CommandError BadValue when one of the texts has a NUL. */
export function regexValue(pattern: string, options: string): RawValue {
  if (pattern.includes('\0') || options.includes('\0')) {
    throw new CommandError('BadValue', 'Regular expression cannot contain an embedded null byte');
  }
  return whole(BsonType.regex, Buffer.from(`${pattern}\0${options}\0`));
}

export function dbPointerValue(namespace: string, id: Buffer): RawValue {
  return whole(
    BsonType.dbPointer,
    Buffer.concat([lengthPrefixed(namespace), id], namespaceBytes(namespace) + 12),
  );
}

function namespaceBytes(namespace: string): number {
  return 5 + Buffer.byteLength(namespace);
}

/**
 * The value of one element.
 * @param element type, name and value, as they stand in a document; bytes after the value are ignored.
 * @throws CommandError InvalidBSON when `element` is too short for its type.
 */
export function rawValueOf(element: Buffer): RawValue {
  const type = element[0];
  const nameEnd = element.indexOf(0, 1);
  if (type === undefined || !isBsonType(type) || nameEnd < 0) {
    throw malformed('not a BSON element');
  }
  const start = nameEnd + 1;
  return new RawValue(type, element, start, valueEndOf(element, type, start, element.length));
}

/** The value of type `type` that `bytes` hold exactly. */
export function rawValueFrom(type: BsonTypeCode, bytes: Buffer): RawValue {
  if (valueEndOf(bytes, type, 0, bytes.length) !== bytes.length) {
    throw malformed('a value does not fill its bytes');
  }
  return whole(type, bytes);
}

function lengthPrefixed(text: string): Buffer {
  const contentBytes = Buffer.byteLength(text);
  const bytes = Buffer.allocUnsafe(contentBytes + 5);
  writeInt32(bytes, 0, contentBytes + 1);
  bytes.write(text, 4, 'utf8');
  bytes[contentBytes + 4] = 0;
  return bytes;
}
