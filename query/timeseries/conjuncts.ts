/**
 * A filter document taken apart into conditions that must all hold, and put together again.
 */
import {
  ArrayBuilder,
  arrayValue,
  BsonType,
  DocumentBuilder,
  documentOf,
  EMPTY_DOCUMENT,
  FieldCursor,
} from '../../bson/index.ts';

/** Each condition as a filter of one field; the members of $and count one by one. */
export function conjunctsOf(filter: Buffer): readonly Buffer[] {
  const conditions: Buffer[] = [];
  const cursor = new FieldCursor(filter);
  while (cursor.next()) {
    if (cursor.nameIs('$and') && cursor.type === BsonType.array) {
      for (const member of membersOf(filter, cursor.valueStart)) {
        for (const condition of conjunctsOf(member)) conditions.push(condition);
      }
    } else {
      const { elementStart, valueEnd } = cursor;
      const single = new DocumentBuilder(valueEnd - elementStart + 8);
      conditions.push(single.appendElementBytes(filter, elementStart, valueEnd).finish());
    }
  }
  return conditions;
}

/** The documents in an array that begins at `start`. */
export function membersOf(bytes: Buffer, start: number): readonly Buffer[] {
  const members: Buffer[] = [];
  const cursor = new FieldCursor(bytes, start);
  while (cursor.next()) {
    if (cursor.type === BsonType.object) {
      members.push(bytes.subarray(cursor.valueStart, cursor.valueEnd));
    }
  }
  return members;
}

/** All of the conditions; the empty filter when there are none. */
export function allOf(conditions: readonly Buffer[]): Buffer {
  const [first] = conditions;
  if (first === undefined) return EMPTY_DOCUMENT;
  return conditions.length === 1 ? first : documentOf({ $and: arrayOf(conditions) });
}

export function anyOf(conditions: readonly Buffer[]): Buffer {
  return documentOf({ $or: arrayOf(conditions) });
}

function arrayOf(documents: readonly Buffer[]) {
  const list = new ArrayBuilder();
  for (const document of documents) list.pushDocument(document);
  return arrayValue(list.finish());
}
