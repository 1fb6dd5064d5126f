/**
 * What becomes of a client's document before it is stored: `_id` first and valid, empty timestamps filled, size checked.
 * Source: MongoDB's manual, "Documents" (the _id field, document size limit, empty timestamp values).
 */
import {
  BsonType,
  FieldCursor,
  firstFieldName,
  getField,
  type ObjectIdGenerator,
  objectIdValue,
  type RawValue,
  setField,
  timestampValue,
  withIdFirst,
} from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import { MAX_BSON_OBJECT_BYTES } from '../../common/limits.ts';

/** What new documents are given by the server. */
export interface DocumentStamps {
  readonly objectIds: ObjectIdGenerator;
  /** For empty timestamps, Timestamp(0, 0), at the top level of an inserted document. */
  nextTimestamp(): { readonly seconds: number; readonly increment: number };
}

/**
 * @returns the document to store; the same Buffer when nothing is missing
 * @throws CommandError BSONObjectTooLarge, InvalidIdField, DollarPrefixedFieldName
 */
export function documentToInsert(document: Buffer, stamps: DocumentStamps): Buffer {
  checkSize(document);
  const stamped = fillTimestamps(document, stamps);
  if (firstFieldName(stamped) !== '_id') return withId(stamped, stamps);
  const id = getField(stamped, '_id');
  if (id !== undefined) checkId(id);
  return stamped;
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

function withId(document: Buffer, stamps: DocumentStamps): Buffer {
  const id = getField(document, '_id') ?? objectIdValue(stamps.objectIds.next());
  checkId(id);
  const complete = withIdFirst(document, id);
  checkSize(complete);
  return complete;
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

function fillTimestamps(document: Buffer, stamps: DocumentStamps): Buffer {
  let filled = document;
  const fields = new FieldCursor(document);
  while (fields.next()) {
    if (fields.type !== BsonType.timestamp || fields.nameIs('_id')) continue;
    const { seconds, increment } = fields.value().asTimestamp();
    if (seconds !== 0 || increment !== 0) continue;
    const now = stamps.nextTimestamp();
    filled = setField(filled, fields.name, timestampValue(now.seconds, now.increment));
  }
  return filled;
}

function checkSize(document: Buffer): void {
  if (document.length <= MAX_BSON_OBJECT_BYTES) return;
  throw new CommandError(
    'BSONObjectTooLarge',
    `object to insert too large. size in bytes: ${document.length}, max size: ${MAX_BSON_OBJECT_BYTES}`,
  );
}
