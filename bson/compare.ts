/**
 * Compares values and documents in MongoDB's order.
 *
 * Promises: a total order; equal means equal in MongoDB's sense (1, 1.0 and NumberLong(1)); index keys (index-key.ts)
 * and canonical keys (canonical-key.ts) agree with it. Recursion is as deep as the values are nested.
 * Source: MongoDB's manual, "Comparison/Sort Order"; objects compare field by field: type, then name, then value.
 */
import { compareByteRanges } from './byte-order.ts';
import type { Collator } from './collator.ts';
import { compareNumbers } from './compare-numbers.ts';
import { FieldCursor } from './field-cursor.ts';
import { checkDepth } from './malformed.ts';
import type { RawValue } from './raw-value.ts';
import { readInt32, readUint32 } from './scalars.ts';
import { BsonType, typeOrderOf } from './types.ts';
import { scopeStartOf } from './value-size.ts';
import { NULL } from './values.ts';

/** Compares two values; a missing one (undefined) counts as null, as $sort and indexes see it. Negative, 0 or positive. */
export function compareValues(
  a: RawValue | undefined,
  b: RawValue | undefined,
  collator?: Collator,
): number {
  return comparePresent(a ?? NULL, b ?? NULL, collator, 0);
}

/** The same for expressions: a missing value lies below null, and equals only a missing one and undefined. */
export function compareWithMissing(
  a: RawValue | undefined,
  b: RawValue | undefined,
  collator?: Collator,
): number {
  if (a !== undefined && b !== undefined) return comparePresent(a, b, collator, 0);
  if (a === undefined && b === undefined) return 0;
  return a === undefined ? 0 - aboveMissing(b) : aboveMissing(a);
}

/** How a value compares with a missing one: MongoDB gives missing the place of undefined. */
function aboveMissing(value: RawValue | undefined): number {
  if (value === undefined || value.type === BsonType.undefined) return 0;
  return value.type === BsonType.minKey ? -1 : 1;
}

/** Whether both are equal in MongoDB's sense: 1, 1.0 and NumberLong(1) are, 1 and true are not. */
export function valuesEqual(
  a: RawValue | undefined,
  b: RawValue | undefined,
  collator?: Collator,
): boolean {
  return compareValues(a, b, collator) === 0;
}

/** Same type and same bytes. */
export function binaryEqual(a: RawValue, b: RawValue): boolean {
  if (a.type !== b.type || a.end - a.start !== b.end - b.start) return false;
  return compareBytes(a, a.start, a.end, b, b.start, b.end) === 0;
}

/** Compares two documents field by field. */
export function compareDocuments(a: Buffer, b: Buffer, collator?: Collator): number {
  if (a.equals(b)) return 0;
  return compareNested(new FieldCursor(a), new FieldCursor(b), true, collator, 0);
}

function comparePresent(
  a: RawValue,
  b: RawValue,
  collator: Collator | undefined,
  depth: number,
): number {
  if (a.type !== b.type) {
    const order = typeOrderOf(a.type) - typeOrderOf(b.type);
    if (order !== 0) return order;
  }
  const type: number = a.type;
  switch (type) {
    case BsonType.int32:
    case BsonType.double:
    case BsonType.int64:
    case BsonType.decimal128:
      return compareNumbers(a, b);
    case BsonType.string:
    case BsonType.symbol:
      return collator === undefined
        ? compareBytes(a, a.start + 4, a.end, b, b.start + 4, b.end)
        : collator.compare(a.asString(), b.asString());
    case BsonType.object:
    case BsonType.array:
      // Only at the top: asked at every level this could read a deep value as often as it has levels.
      if (depth === 0 && binaryEqual(a, b)) return 0;
      return compareNested(cursorOf(a), cursorOf(b), type === BsonType.object, collator, depth);
    case BsonType.objectId:
      return compareBytes(a, a.start, a.end, b, b.start, b.end);
    case BsonType.bool:
      return a.bytes[a.start] - b.bytes[b.start];
    case BsonType.date:
      return compareLongs(a, b, readInt32);
    case BsonType.timestamp:
      return compareLongs(a, b, readUint32);
    case BsonType.binData:
      return compareSized(a, b, a.start + 4, b.start + 4);
    case BsonType.dbPointer:
      return compareSized(a, b, a.start + 4, b.start + 4);
    case BsonType.regex:
      // The NUL between pattern and options sorts a shorter pattern first, as two comparisons would.
      return compareBytes(a, a.start, a.end, b, b.start, b.end);
    case BsonType.javascript:
      return compareBytes(a, a.start + 4, a.end, b, b.start + 4, b.end);
    case BsonType.javascriptWithScope:
      return compareCodeWithScope(a, b, depth);
    default:
      // MinKey, undefined, null, MaxKey: the type says all.
      return 0;
  }
}

/** 64-bit numbers whose upper half `readHigh` reads with or without sign. */
function compareLongs(
  a: RawValue,
  b: RawValue,
  readHigh: (bytes: Uint8Array, at: number) => number,
): number {
  const high = readHigh(a.bytes, a.start + 4) - readHigh(b.bytes, b.start + 4);
  return high !== 0 ? high : readUint32(a.bytes, a.start) - readUint32(b.bytes, b.start);
}

/** Shorter values first, then bytes: binData (its subtype before its content) and dbPointer. */
function compareSized(a: RawValue, b: RawValue, startA: number, startB: number): number {
  const size = a.end - a.start - (b.end - b.start);
  return size !== 0 ? size : compareBytes(a, startA, a.end, b, startB, b.end);
}

function compareCodeWithScope(a: RawValue, b: RawValue, depth: number): number {
  const scopeA = scopeStartOf(a.bytes, a.start, a.end);
  const scopeB = scopeStartOf(b.bytes, b.start, b.end);
  const code = compareBytes(a, a.start + 8, scopeA, b, b.start + 8, scopeB);
  if (code !== 0) return code;
  const [left, right] = [new FieldCursor(a.bytes, scopeA), new FieldCursor(b.bytes, scopeB)];
  // Collations end at code: MongoDB compares strings inside a scope as bytes.
  return compareNested(left, right, true, undefined, depth);
}

/** A cursor over an object or array. */
function cursorOf(value: RawValue): FieldCursor {
  return new FieldCursor(value.bytes, value.start);
}

function compareNested(
  a: FieldCursor,
  b: FieldCursor,
  namesCount: boolean,
  collator: Collator | undefined,
  depth: number,
): number {
  checkDepth(depth);
  for (;;) {
    const moreA = a.next();
    const moreB = b.next();
    if (!moreA || !moreB) return Number(moreA) - Number(moreB);
    const order = typeOrderOf(a.type) - typeOrderOf(b.type);
    if (order !== 0) return order;
    if (namesCount) {
      const name = compareNames(a, b);
      if (name !== 0) return name;
    }
    const value = comparePresent(a.value(), b.value(), collator, depth + 1);
    if (value !== 0) return value;
  }
}

/** Names as bytes; the NUL behind a name sorts a shorter one first. */
function compareNames(a: FieldCursor, b: FieldCursor): number {
  const bytesA = a.bytes;
  const bytesB = b.bytes;
  let atA = a.nameStart;
  let atB = b.nameStart;
  while (bytesA[atA] === bytesB[atB]) {
    if (bytesA[atA] === 0) return 0;
    atA += 1;
    atB += 1;
  }
  return bytesA[atA] - bytesB[atB];
}

/** Bytes of two values; a prefix sorts first. */
function compareBytes(
  a: RawValue,
  startA: number,
  endA: number,
  b: RawValue,
  startB: number,
  endB: number,
): number {
  return compareByteRanges(a.bytes, startA, endA, b.bytes, startB, endB);
}
