/**
 * The part of a document that its keys in one index are made of. What changes beside it (an _id that each attempt of a write makes anew,
 * counters, times) leaves its keys as they are.
 */
import { DocumentBuilder, FieldCursor } from '../../bson/index.ts';
import type { IndexDescription } from '../../storage/index.ts';
import { partialFilterOf } from './partial-filter.ts';
import { kindOf } from './registry.ts';

/** @returns undefined when making the keys takes no time to speak of */
export function slowPartForKeys(index: IndexDescription, document: Buffer): Buffer | undefined {
  const { takesLong, fieldsOfKeys } = kindOf(index);
  if (takesLong?.(index, document) !== true) return undefined;
  // A partial index's filter may ask for anything.
  const names = partialFilterOf(index) === undefined ? fieldsOfKeys?.(index) : undefined;
  if (names === undefined) return document;
  const part = onlyFields(document, names);
  return takesLong(index, part) ? part : undefined;
}

function onlyFields(document: Buffer, names: ReadonlySet<string>): Buffer {
  const part = new DocumentBuilder();
  const fields = new FieldCursor(document);
  while (fields.next()) {
    if (names.has(fields.name)) part.append(fields.name, fields.value());
  }
  return part.finish();
}
