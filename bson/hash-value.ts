/**
 * MongoDB's hash of a value: what hashed indexes and hashed shard keys hold, and $toHashedIndexKey gives.
 *
 * Promises: the same 64-bit number as MongoDB's for every type. Numbers are cut to whole ones first, so 2.3 and 2.9
 * share a hash; what compares equal need not (2^63 as a double and as a decimal do not).
 * Source: MongoDB's manual, "Hashed Indexes"; the test holds vectors of a real server.
 */
import { createHash, type Hash } from 'node:crypto';
import { FieldCursor } from './field-cursor.ts';
import { checkDepth } from './malformed.ts';
import type { RawValue } from './raw-value.ts';
import { writeInt32 } from './scalars.ts';
import { BsonType, type BsonTypeCode } from './types.ts';
import { scopeStartOf } from './value-size.ts';
import { NULL } from './values.ts';

const TWO_63 = 9_223_372_036_854_775_808;

/** MongoDB's numbers for the places in the order of types; they go into the hash. */
const CANONICAL_TYPE: Readonly<Record<BsonTypeCode, number>> = {
  [BsonType.minKey]: -1,
  [BsonType.undefined]: 0,
  [BsonType.null]: 5,
  [BsonType.double]: 10,
  [BsonType.int32]: 10,
  [BsonType.int64]: 10,
  [BsonType.decimal128]: 10,
  [BsonType.string]: 15,
  [BsonType.symbol]: 15,
  [BsonType.object]: 20,
  [BsonType.array]: 25,
  [BsonType.binData]: 30,
  [BsonType.objectId]: 35,
  [BsonType.bool]: 40,
  [BsonType.date]: 45,
  [BsonType.timestamp]: 47,
  [BsonType.regex]: 50,
  [BsonType.dbPointer]: 55,
  [BsonType.javascript]: 60,
  [BsonType.javascriptWithScope]: 65,
  [BsonType.maxKey]: 127,
};
/** What ends a nested document in the hash: an element without a type. */
const END_OF_DOCUMENT = 0;

/** The hash of a value, -2^63..2^63-1; a missing value has null's. */
export function hashValue(value: RawValue | undefined, seed = 0): bigint {
  const hash = createHash('md5');
  addInt32(hash, seed);
  addValue(hash, value ?? NULL, undefined, 0);
  return hash.digest().readBigInt64LE(0);
}

/** @param name the bytes of the element's name with their NUL, for elements of nested documents. */
function addValue(hash: Hash, value: RawValue, name: Buffer | undefined, depth: number): void {
  addInt32(hash, CANONICAL_TYPE[value.type]);
  if (name !== undefined) hash.update(name);
  if (value.isNumber) {
    addNumber(hash, value);
  } else if (value.type === BsonType.object || value.type === BsonType.array) {
    addElements(hash, new FieldCursor(value.bytes, value.start), depth);
  } else if (value.type === BsonType.javascriptWithScope) {
    const scope = scopeStartOf(value.bytes, value.start, value.end);
    hash.update(value.bytes.subarray(value.start + 8, scope));
    addElements(hash, new FieldCursor(value.bytes, scope), depth);
  } else {
    hash.update(value.toBytes());
  }
}

function addElements(hash: Hash, cursor: FieldCursor, depth: number): void {
  checkDepth(depth);
  while (cursor.next()) {
    const name = cursor.bytes.subarray(cursor.nameStart, cursor.nameEnd + 1);
    addValue(hash, cursor.value(), name, depth + 1);
  }
  addInt32(hash, END_OF_DOCUMENT);
}

function addNumber(hash: Hash, value: RawValue): void {
  // 2^63 has always become the smallest int64 here, unlike every larger double.
  const wraps = value.type === BsonType.double && value.asNumber() === TWO_63;
  const bytes = Buffer.allocUnsafe(8);
  bytes.writeBigInt64LE(wraps ? -(1n << 63n) : value.asInt64(), 0);
  hash.update(bytes);
}

function addInt32(hash: Hash, value: number): void {
  const bytes = Buffer.allocUnsafe(4);
  writeInt32(bytes, 0, value);
  hash.update(bytes);
}
