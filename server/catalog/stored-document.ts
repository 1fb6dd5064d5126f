/**
 * What becomes of a client's document before it is stored: `_id` first and valid, empty timestamps filled, size and
 * nesting checked.
 * Source: MongoDB's manual, "Documents" (the _id field, document size limit, empty timestamp values).
 */
import {
  BsonType,
  FieldCursor,
  type ObjectIdGenerator,
  objectIdValue,
  type RawValue,
  timestampValue,
  withIdFirst,
} from '../../bson/index.ts';
import { uassert } from '../../common/assert.ts';
import { CommandError } from '../../common/errors.ts';
import { MAX_BSON_DEPTH, MAX_BSON_OBJECT_BYTES } from '../../common/limits.ts';

/** What new documents are given by the server. */
export interface DocumentStamps {
  readonly objectIds: ObjectIdGenerator;
  /** For empty timestamps, Timestamp(0, 0), at the top level of an inserted document. */
  nextTimestamp(): { readonly seconds: number; readonly increment: number };
}

/** Where a document's first element begins: after its length. */
const FIRST_ELEMENT = 4;

/**
 * @param keepEmptyTimestamps the client's bypassEmptyTsReplacement
 * @returns the document to store; the same Buffer when nothing is missing
 * @throws CommandError BadValue, Overflow, InvalidIdField, DollarPrefixedFieldName
 */
export function documentToInsert(
  document: Buffer,
  stamps: DocumentStamps,
  keepEmptyTimestamps = false,
): Buffer {
  checkSize(document);
  checkNesting(document);
  let id: RawValue | undefined;
  let isIdFirst = false;
  let stamped = document;
  const fields = new FieldCursor(document);
  while (fields.next()) {
    if (fields.nameIs('_id')) {
      uassert(id === undefined, 'BadValue', "can't have multiple _id fields in one document");
      id = fields.value();
      isIdFirst = fields.elementStart === FIRST_ELEMENT;
      checkId(id);
    } else if (fields.type === BsonType.timestamp && !keepEmptyTimestamps) {
      stamped = fillTimestamp(stamped, fields, stamps);
    }
  }
  if (id !== undefined) return isIdFirst ? stamped : withIdFirst(stamped);
  const complete = withIdFirst(stamped, objectIdValue(stamps.objectIds.next()));
  checkSize(complete);
  return complete;
}

/** @throws CommandError InvalidIdField, DollarPrefixedFieldName */
export function checkId(id: RawValue): void {
  switch (id.type) {
    case BsonType.array:
    case BsonType.regex:
    case BsonType.undefined:
      throw new CommandError('InvalidIdField', `The '_id' value cannot be of type ${id.typeName}`);
    case BsonType.object:
      checkIdFields(id.asDocument());
      break;
    default:
  }
}

function checkIdFields(id: Buffer): void {
  const fields = new FieldCursor(id);
  while (fields.next()) {
    if (!fields.name.startsWith('$')) continue;
    throw new CommandError(
      'DollarPrefixedFieldName',
      `_id fields may not contain '$'-prefixed fields: ${fields.name} is not valid for storage.`,
    );
  }
}

/** Gives an empty timestamp the time: in a copy of the document, made for the first one. */
function fillTimestamp(
  stamped: Buffer,
  { bytes, valueStart, valueEnd }: FieldCursor,
  stamps: DocumentStamps,
): Buffer {
  if (bytes.readBigUInt64LE(valueStart) !== 0n) return stamped;
  const filled = stamped === bytes ? Buffer.from(bytes) : stamped;
  const { seconds, increment } = stamps.nextTimestamp();
  timestampValue(seconds, increment)
    .toBytes()
    .copy(filled, valueStart, 0, valueEnd - valueStart);
  return filled;
}

/** A level of nesting takes at least so many bytes: type, empty name, length, end. */
const LEVEL_BYTES = 7;

/** A message may nest deeper than a stored document, so that a document can stand inside a command. */
function checkNesting(document: Buffer): void {
  if (document.length < (MAX_BSON_DEPTH + 1) * LEVEL_BYTES) return;
  if (!nestsTooDeep(document, 0, 1)) return;
  throw new CommandError(
    'Overflow',
    `cannot insert document because it exceeds ${MAX_BSON_DEPTH} levels of nesting`,
  );
}

/** Looks only into values that are large enough to hold one level too many. Empty documents do not count as a level. */
function nestsTooDeep(bytes: Buffer, start: number, level: number): boolean {
  const fields = new FieldCursor(bytes, start);
  while (fields.next()) {
    if (fields.type !== BsonType.object && fields.type !== BsonType.array) continue;
    const valueBytes = fields.valueEnd - fields.valueStart;
    if (valueBytes < (MAX_BSON_DEPTH + 1 - level) * LEVEL_BYTES) continue;
    if (level === MAX_BSON_DEPTH || nestsTooDeep(bytes, fields.valueStart, level + 1)) return true;
  }
  return false;
}

function checkSize(document: Buffer): void {
  if (document.length <= MAX_BSON_OBJECT_BYTES) return;
  throw new CommandError(
    'BadValue',
    `object to insert too large. size in bytes: ${document.length}, max size: ${MAX_BSON_OBJECT_BYTES}`,
  );
}
