/**
 * Documents and values as MongoDB prints them in messages and logs: { _id: 1, name: "x", tags: [ 1, 2 ] }.
 *
 * Promises: the text is short, whatever the document: long strings, names, code and binary data are cut, so is nesting
 * below MAX_DEPTH, and after MAX_TEXT characters the rest is left out.
 */
import { FieldCursor } from './field-cursor.ts';
import { RawValue } from './raw-value.ts';
import { BsonType } from './types.ts';

const MAX_DEPTH = 100;
/** A string longer than this is cut; code and binary data at half of it. */
const LONG_STRING = 160;
/** Where fields stop to be printed: a message must fit into a reply, also the one about a document of 16 MB. */
const MAX_TEXT = 64 * 1024;
const SEPARATOR = ', ';

/** Characters that the text under construction may still grow by, about. */
let room = MAX_TEXT;

/** A document, or one value. */
export function inspect(subject: Buffer | RawValue): string {
  room = MAX_TEXT;
  return subject instanceof RawValue
    ? inspectValue(subject, 0)
    : inspectFields(subject, 0, false, 0);
}

function inspectFields(bytes: Buffer, start: number, isArray: boolean, depth: number): string {
  if (depth > MAX_DEPTH) return '...';
  const cursor = new FieldCursor(bytes, start);
  const fields: string[] = [];
  while (cursor.next()) {
    if (room <= 0) {
      fields.push('...');
      break;
    }
    const value = inspectValue(cursor.value(), depth);
    const text = isArray ? value : `${cut(cursor.name, LONG_STRING, 150)}: ${value}`;
    const isNested = cursor.type === BsonType.object || cursor.type === BsonType.array;
    // What is nested has been subtracted as it grew.
    room -= SEPARATOR.length + text.length - (isNested ? value.length : 0);
    fields.push(text);
  }
  if (fields.length === 0) return isArray ? '[]' : '{}';
  return isArray ? `[ ${fields.join(SEPARATOR)} ]` : `{ ${fields.join(SEPARATOR)} }`;
}

function inspectValue(value: RawValue, depth: number): string {
  switch (value.type) {
    case BsonType.double:
      return inspectDouble(value.asNumber());
    case BsonType.int32:
    case BsonType.int64:
      return value.asInt64().toString();
    case BsonType.decimal128:
      return value.asDecimal().toString();
    case BsonType.string:
    case BsonType.symbol:
      return inspectString(value.asString());
    case BsonType.object:
      return inspectFields(value.bytes, value.start, false, depth + 1);
    case BsonType.array:
      return inspectFields(value.bytes, value.start, true, depth + 1);
    case BsonType.binData:
      return inspectBinary(value);
    case BsonType.objectId:
      return `ObjectId('${value.asObjectIdBytes().toString('hex')}')`;
    case BsonType.bool:
      return String(value.asBoolean());
    case BsonType.date:
      return `new Date(${value.bytes.readBigInt64LE(value.start)})`;
    case BsonType.regex: {
      const { pattern, options } = value.asRegex();
      return `/${cut(pattern, LONG_STRING, 150)}/${cut(options, LONG_STRING, 150)}`;
    }
    case BsonType.dbPointer:
      return inspectDbPointer(value);
    case BsonType.javascript:
      return inspectCode(value);
    case BsonType.javascriptWithScope:
      return `CodeWScope( ${inspectCode(value)}, ${inspectFields(value.asDocument(), 0, false, depth + 1)})`;
    case BsonType.timestamp: {
      const { seconds, increment } = value.asTimestamp();
      return `Timestamp(${seconds}, ${increment})`;
    }
    case BsonType.undefined:
      return 'undefined';
    case BsonType.null:
      return 'null';
    case BsonType.minKey:
      return 'MinKey';
    case BsonType.maxKey:
      return 'MaxKey';
  }
}

function inspectDouble(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  if (Object.is(value, -0)) return '-0.0';
  const text = String(value);
  return /^-?\d+$/.test(text) ? `${text}.0` : text;
}

function inspectCode(value: RawValue): string {
  return cut(value.asString(), LONG_STRING / 2, 70);
}

function inspectString(text: string): string {
  return `"${cut(text, LONG_STRING, 150)}"`;
}

function cut(text: string, longest: number, kept: number): string {
  return text.length > longest ? `${text.slice(0, kept)}...` : text;
}

function inspectBinary(value: RawValue): string {
  const { subtype, bytes } = value.asBinary();
  if (subtype === 4 && bytes.length === 16) return `UUID("${uuidText(bytes)}")`;
  const hex = bytes.toString('hex', 0, 71).toUpperCase();
  return `BinData(${subtype}, ${cut(hex, LONG_STRING / 2, 70)})`;
}

/** The 8-4-4-4-12 form of sixteen bytes. */
export function uuidText(bytes: Buffer): string {
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

function inspectDbPointer(value: RawValue): string {
  const namespace = value.bytes.toString('utf8', value.start + 4, value.end - 13);
  return `DBRef('${cut(namespace, LONG_STRING, 150)}',${value.asObjectIdBytes().toString('hex')})`;
}
