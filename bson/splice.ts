/**
 * Changes a document by copying the bytes around the change: set, unset, _id first.
 *
 * Promises: the given documents stay as they are; the result has memory of its own, unless nothing changed (then it is
 * the given Buffer itself).
 */
import { DocumentBuilder } from './builder.ts';
import { FieldCursor } from './field-cursor.ts';
import { readInt32, writeInt32 } from './scalars.ts';
import type { RawValue } from './raw-value.ts';

const builder = new DocumentBuilder();

/** One element (type, name, value) as bytes of a document without header and end. */
function elementOf(name: string, value: RawValue): Buffer {
  const document = builder.clear().append(name, value).finish();
  return document.subarray(4, document.length - 1);
}

function find(document: Buffer, name: string): FieldCursor | undefined {
  const cursor = new FieldCursor(document);
  while (cursor.next()) {
    if (cursor.nameIs(name)) return cursor;
  }
  return undefined;
}

/** The document with document[start..end) replaced by `replacement`; both in whole elements. */
export function replaceBytes(
  document: Buffer,
  start: number,
  end: number,
  replacement: Buffer,
): Buffer {
  const result = Buffer.allocUnsafe(document.length - (end - start) + replacement.length);
  document.copy(result, 0, 0, start);
  replacement.copy(result, start);
  document.copy(result, start + replacement.length, end);
  writeInt32(result, 0, result.length);
  return result;
}

/** The document with a top-level field replaced in its place, or appended. */
export function setField(document: Buffer, name: string, value: RawValue): Buffer {
  const found = find(document, name);
  const element = elementOf(name, value);
  const end = document.length - 1;
  return found === undefined
    ? replaceBytes(document, end, end, element)
    : replaceBytes(document, found.elementStart, found.valueEnd, element);
}

/** The document without its first top-level field of this name; the same Buffer when there is none. */
export function unsetField(document: Buffer, name: string): Buffer {
  const found = find(document, name);
  if (found === undefined) return document;
  return replaceBytes(document, found.elementStart, found.valueEnd, document.subarray(0, 0));
}

/**
 * The document with `_id` as its first field: its own one if it has one, else `id`.
 * The same Buffer when `_id` stands first already, or when there is none to give.
 */
export function withIdFirst(document: Buffer, id?: RawValue): Buffer {
  const found = find(document, '_id');
  if (found === undefined) {
    return id === undefined ? document : replaceBytes(document, 4, 4, elementOf('_id', id));
  }
  const { elementStart, valueEnd } = found;
  if (elementStart === 4) return document;
  const result = Buffer.allocUnsafe(readInt32(document, 0));
  document.copy(result, 0, 0, 4);
  const idBytes = document.copy(result, 4, elementStart, valueEnd);
  document.copy(result, 4 + idBytes, 4, elementStart);
  document.copy(result, valueEnd, valueEnd);
  return result;
}
