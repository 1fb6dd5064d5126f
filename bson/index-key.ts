/**
 * Index keys: several values as bytes whose unsigned order is the values' order. docs/format/index-keys.md
 *
 * Promises: sign(compare(bytes of a, bytes of b)) is that of comparing a and b value by value, each in its direction;
 * equal values of different types give the same bytes, their types stand in the type bits. No value's encoding is a
 * prefix of another's, so a key of fewer values is a prefix of exactly the keys that begin with these values.
 * Bytes are permanent: they are on disk.
 */
import { invariant } from '../common/assert.ts';
import type { Collator } from './collator.ts';
import { FieldCursor } from './field-cursor.ts';
import { writeNumber } from './index-key-number.ts';
import { KEY_CLASS } from './key-classes.ts';
import { KeyWriter } from './key-writer.ts';
import { checkDepth } from './malformed.ts';
import type { RawValue } from './raw-value.ts';
import { readInt32 } from './scalars.ts';
import { BsonType, type BsonTypeCode } from './types.ts';
import { scopeStartOf } from './value-size.ts';

/** 1 ascending, -1 descending. */
export type Direction = 1 | -1;

export interface EncodedKey {
  /** What is compared. */
  readonly key: Buffer;
  /** What the key forgets; empty for ordinary values. Never compared. */
  readonly typeBits: Buffer;
}

/** A binData of fewer bytes gives its length in one byte. */
export const LONG_BINARY = 255;

const writer = new KeyWriter();

/**
 * The key of `values`, one direction each. A missing value (undefined) is null in an index. With fewer values than the
 * index has fields it is a bound: a prefix of every key that begins with these values.
 * @param collator strings are written as their collation keys; decoding then gives back those.
 */
export function encodeIndexKey(
  values: readonly (RawValue | undefined)[],
  directions: readonly Direction[],
  collator?: Collator,
): EncodedKey {
  writer.clear();
  for (let field = 0; field < values.length; field += 1) {
    const start = writer.length;
    writeValue(writer, values[field], collator, 0);
    if (directions[field] < 0) writer.invert(start);
  }
  return { key: writer.finish(), typeBits: writer.typeBits.finish() };
}

/** One value's key bytes as a string of one character per byte, for comparisons by equality. */
export function keyText(value: RawValue | undefined, collator?: Collator): string {
  writer.clear();
  writeValue(writer, value, collator, 0);
  return writer.finishAsText();
}

/**
 * The smallest key above all keys that begin with `key`.
 * @param key as encodeIndexKey gives it; for the empty key the result lies above every key.
 */
export function successorOfPrefix(key: Buffer): Buffer {
  if (key.length === 0) return Buffer.of(0xff);
  let last = key.length - 1;
  while (last >= 0 && key[last] === 0xff) last -= 1;
  invariant(last >= 0, 'index key: a key never begins with 0xff');
  const successor = Buffer.from(key.subarray(0, last + 1));
  successor[last] += 1;
  return successor;
}

function writeValue(
  target: KeyWriter,
  value: RawValue | undefined,
  collator: Collator | undefined,
  depth: number,
): void {
  if (value === undefined) {
    target.byte(KEY_CLASS.null);
    return;
  }
  const { bytes, start, end } = value;
  switch (value.type) {
    case BsonType.int32:
    case BsonType.double:
    case BsonType.int64:
    case BsonType.decimal128:
      writeNumber(target, value);
      return;
    case BsonType.string:
    case BsonType.symbol:
      writeString(target, value, collator);
      return;
    case BsonType.objectId:
      target.byte(KEY_CLASS.objectId);
      target.raw(bytes, start, end);
      return;
    case BsonType.date:
      target.byte(KEY_CLASS.date);
      // Flipping the sign bit lets signed numbers sort as unsigned ones.
      target.bigEndian(readInt32(bytes, start + 4) ^ 0x8000_0000, readInt32(bytes, start), 8);
      return;
    case BsonType.bool:
      target.byte(bytes[start] === 0 ? KEY_CLASS.false : KEY_CLASS.true);
      return;
    case BsonType.timestamp:
      target.byte(KEY_CLASS.timestamp);
      target.bigEndian(readInt32(bytes, start + 4), readInt32(bytes, start), 8);
      return;
    case BsonType.object:
      target.byte(KEY_CLASS.object);
      writeElements(target, new FieldCursor(bytes, start), true, collator, depth);
      return;
    case BsonType.array:
      target.byte(KEY_CLASS.array);
      writeElements(target, new FieldCursor(bytes, start), false, collator, depth);
      return;
    case BsonType.binData:
      writeBinary(target, value);
      return;
    case BsonType.regex:
      target.byte(KEY_CLASS.regex);
      // Pattern and options have no NUL inside and bring their own.
      target.raw(bytes, start, end);
      return;
    case BsonType.dbPointer:
      target.byte(KEY_CLASS.dbPointer);
      target.bigEndian(0, readInt32(bytes, start), 4);
      target.raw(bytes, start + 4, end);
      return;
    case BsonType.javascript:
      target.byte(KEY_CLASS.javascript);
      target.text(bytes, start + 4, end - 1);
      return;
    case BsonType.javascriptWithScope: {
      const scope = scopeStartOf(bytes, start, end);
      target.byte(KEY_CLASS.javascriptWithScope);
      target.text(bytes, start + 8, scope - 1);
      // Collations end at code, as in comparison.
      writeElements(target, new FieldCursor(bytes, scope), true, undefined, depth);
      return;
    }
    case BsonType.undefined:
    case BsonType.null:
    case BsonType.minKey:
    case BsonType.maxKey:
      target.byte(classOf(value.type));
  }
}

function writeString(target: KeyWriter, value: RawValue, collator: Collator | undefined): void {
  target.byte(KEY_CLASS.string);
  if (collator === undefined) {
    target.text(value.bytes, value.start + 4, value.end - 1);
  } else {
    const key = Buffer.from(collator.key(value.asString()));
    target.text(key, 0, key.length);
  }
  if (value.type === BsonType.symbol) target.typeBits.write(1, 1);
  else target.typeBits.zero();
}

/** Length, subtype, content: shorter ones sort first. */
function writeBinary(target: KeyWriter, value: RawValue): void {
  const length = readInt32(value.bytes, value.start);
  target.byte(KEY_CLASS.binData);
  target.byte(Math.min(length, LONG_BINARY));
  if (length >= LONG_BINARY) target.bigEndian(0, length, 4);
  target.raw(value.bytes, value.start + 4, value.end);
}

/** Objects compare by type, then name, then value, so the type's class stands before the name, and again in the value. */
function writeElements(
  target: KeyWriter,
  cursor: FieldCursor,
  namesCount: boolean,
  collator: Collator | undefined,
  depth: number,
): void {
  checkDepth(depth);
  while (cursor.next()) {
    if (namesCount) {
      target.byte(classOf(cursor.type));
      target.text(cursor.bytes, cursor.nameStart, cursor.nameEnd);
    }
    writeValue(target, cursor.value(), collator, depth + 1);
  }
  target.byte(KEY_CLASS.end);
}

/** One class per place in the order of types: numbers count as zero, bools as false. */
function classOf(type: BsonTypeCode): number {
  switch (type) {
    case BsonType.int32:
    case BsonType.double:
    case BsonType.int64:
    case BsonType.decimal128:
      return KEY_CLASS.zero;
    case BsonType.string:
    case BsonType.symbol:
      return KEY_CLASS.string;
    case BsonType.object:
      return KEY_CLASS.object;
    case BsonType.array:
      return KEY_CLASS.array;
    case BsonType.binData:
      return KEY_CLASS.binData;
    case BsonType.objectId:
      return KEY_CLASS.objectId;
    case BsonType.bool:
      return KEY_CLASS.false;
    case BsonType.date:
      return KEY_CLASS.date;
    case BsonType.timestamp:
      return KEY_CLASS.timestamp;
    case BsonType.regex:
      return KEY_CLASS.regex;
    case BsonType.dbPointer:
      return KEY_CLASS.dbPointer;
    case BsonType.javascript:
      return KEY_CLASS.javascript;
    case BsonType.javascriptWithScope:
      return KEY_CLASS.javascriptWithScope;
    case BsonType.undefined:
      return KEY_CLASS.undefined;
    case BsonType.null:
      return KEY_CLASS.null;
    case BsonType.minKey:
      return KEY_CLASS.minKey;
    case BsonType.maxKey:
      return KEY_CLASS.maxKey;
  }
}
