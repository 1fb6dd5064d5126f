/**
 * Questions to the top level of a document: one field, all fields, how many.
 */
import { FieldCursor } from './field-cursor.ts';
import { malformed } from './malformed.ts';
import { RawValue } from './raw-value.ts';
import { readInt32 } from './scalars.ts';
import { VALUE_BYTES, type BsonTypeCode } from './types.ts';
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
  const limit = start + readInt32(bytes, start) - 1;
  if (limit < start + 4 || limit >= bytes.length || bytes[limit] !== 0) {
    throw malformed('a document does not fit its bytes');
  }
  const wanted = asByteString(name);
  const wantedLength = wanted.length;
  let at = start + 4;
  while (at !== limit) {
    const type = bytes[at];
    let nameAt = at + 1;
    let index = 0;
    // The final NUL of the document stops both searches.
    while (index < wantedLength && bytes[nameAt] === wanted.charCodeAt(index)) {
      nameAt += 1;
      index += 1;
    }
    const found = index === wantedLength && bytes[nameAt] === 0;
    while (bytes[nameAt] !== 0) nameAt += 1;
    const valueStart = nameAt + 1;
    const fixed = VALUE_BYTES[type];
    const end = fixed >= 0 ? valueStart + fixed : valueEndOf(bytes, type, valueStart, limit);
    if (end > limit) throw malformed('an element runs past the end of its document');
    // The table of sizes knows every type, and only those.
    if (found) return new RawValue(type as BsonTypeCode, bytes, valueStart, end);
    at = end;
  }
  return undefined;
}

/** UTF-8 of `name`, one character per byte: comparable with bytes through charCodeAt. A NUL matches nothing. */
function asByteString(name: string): string {
  for (let index = 0; index < name.length; index += 1) {
    const code = name.charCodeAt(index);
    if (code > 127 || code === 0) {
      // No byte of a name is 0, and none is above 255.
      return Buffer.from(name).toString('latin1').replaceAll('\0', '\u0100');
    }
  }
  return name;
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
