/**
 * Setting a value at a path through objects: what stages that write one result field do.
 */
import { BsonType, DocumentBuilder, FieldCursor } from '../../bson/index.ts';
import type { Value } from '../expression/definition.ts';

/**
 * The document with `value` at the path; undefined removes the field. Objects on the way are made where they are missing,
 * and other values on the way are replaced by objects.
 */
export function withPath(document: Buffer, parts: readonly string[], value: Value): Buffer {
  const builder = new DocumentBuilder(document.length + 64);
  write(builder, document, 0, parts, 0, value);
  return builder.finish();
}

function write(
  builder: DocumentBuilder,
  bytes: Buffer,
  start: number,
  parts: readonly string[],
  depth: number,
  value: Value,
): void {
  const name = parts[depth];
  const cursor = new FieldCursor(bytes, start);
  let found = false;
  while (cursor.next()) {
    if (found || !cursor.nameIs(name)) {
      builder.appendElementBytes(bytes, cursor.elementStart, cursor.valueEnd);
      continue;
    }
    found = true;
    if (depth === parts.length - 1) {
      if (value !== undefined) builder.append(name, value);
    } else if (cursor.type === BsonType.object) {
      builder.beginDocument(name);
      write(builder, bytes, cursor.valueStart, parts, depth + 1, value);
      builder.end();
    } else appendPath(builder, parts, depth, value);
  }
  if (!found) appendPath(builder, parts, depth, value);
}

function appendPath(
  builder: DocumentBuilder,
  parts: readonly string[],
  depth: number,
  value: Value,
): void {
  if (value === undefined) return;
  if (depth === parts.length - 1) {
    builder.append(parts[depth], value);
    return;
  }
  builder.beginDocument(parts[depth]);
  appendPath(builder, parts, depth + 1, value);
  builder.end();
}
