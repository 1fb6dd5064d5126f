/**
 * Questions to the top level of a document: one field, all fields, how many.
 */
import { FieldCursor } from './field-cursor.ts';
import { malformed } from './malformed.ts';
import { RawValue } from './raw-value.ts';
import { readInt32 } from './scalars.ts';
import type { BsonTypeCode } from './types.ts';
import { valueEndOf } from './value-size.ts';

/** The document without fields. */
export const EMPTY_DOCUMENT: Buffer = Buffer.of(5, 0, 0, 0, 0);

/**
 * The first field of this name, at the top level; undefined when there is none.
 * @throws CommandError InvalidBSON at bytes that are not BSON, if the search gets that far.
 */
export function getField(document: Buffer, name: string): RawValue | undefined {
  return getFieldAt(document, 0, name);
}

/** The same for a document that begins at `start` inside a larger buffer. */
export function getFieldAt(bytes: Buffer, start: number, name: string): RawValue | undefined {
  if (name === lastForeignName) return search(bytes, start, lastForeignBytes, 255);
  const found = search(bytes, start, name, 127);
  if (found !== undefined || isAscii(name)) return found;
  lastForeignName = name;
  lastForeignBytes = Buffer.from(name).toString('latin1');
  return search(bytes, start, lastForeignBytes, 255);
}

/** The last name with other than ASCII that was asked for, and its UTF-8 with one character per byte. */
let lastForeignName: string | undefined;
let lastForeignBytes = '';

/**
 * Searches for a name whose characters are its bytes.
 * @param highest a name with a higher character matches nothing.
 */
function search(bytes: Buffer, start: number, name: string, highest: number): RawValue | undefined {
  const limit = start + readInt32(bytes, start) - 1;
  if (limit < start + 4 || limit >= bytes.length || bytes[limit] !== 0) {
    throw malformed('a document does not fit its bytes');
  }
  const length = name.length;
  let at = start + 4;
  while (at !== limit) {
    const type = bytes[at];
    const nameStart = at + 1;
    let nameEnd = nameStart;
    // The final NUL of the document ends this search at the latest.
    while (bytes[nameEnd] !== 0) nameEnd += 1;
    const end = valueEndOf(bytes, type, nameEnd + 1, limit);
    if (nameEnd - nameStart === length && sameName(bytes, nameStart, name, highest)) {
      // The table of sizes knows every type, and only those.
      return new RawValue(type as BsonTypeCode, bytes, nameEnd + 1, end);
    }
    at = end;
  }
  return undefined;
}

function sameName(bytes: Buffer, start: number, name: string, highest: number): boolean {
  // From the end, because names in one document share beginnings more often than ends.
  for (let index = name.length - 1; index >= 0; index -= 1) {
    const code = name.charCodeAt(index);
    if (bytes[start + index] !== code || code > highest) return false;
  }
  return true;
}

function isAscii(name: string): boolean {
  for (let index = 0; index < name.length; index += 1) {
    if (name.charCodeAt(index) > 127) return false;
  }
  return true;
}

/** All fields in order. Convenient; hot loops use FieldCursor. */
export function* fieldsOf(document: Buffer): Generator<[name: string, value: RawValue]> {
  const cursor = new FieldCursor(document);
  while (cursor.next()) yield [cursor.name, cursor.value()];
}

export function fieldCount(document: Buffer): number {
  const cursor = new FieldCursor(document);
  let count = 0;
  while (cursor.next()) count += 1;
  return count;
}

export function isEmpty(document: Buffer): boolean {
  return readInt32(document, 0) <= 5;
}

/** The name of the first field, which is a command's name; undefined for the empty document. */
export function firstFieldName(document: Buffer): string | undefined {
  const cursor = new FieldCursor(document);
  return cursor.next() ? cursor.name : undefined;
}
