/**
 * Documents and values as Extended JSON v2, canonical (every type comes back exactly) or relaxed (pleasant to read).
 *
 * Promises: the text keeps the order of fields and repeated names; a JavaScript object cannot (names such as "1" move
 * to the front), so prefer the text where order matters.
 * Source: MongoDB's specification "Extended JSON", version 2.
 */
import { FieldCursor } from './field-cursor.ts';
import { checkDepth } from './malformed.ts';
import { RawValue } from './raw-value.ts';
import { BsonType } from './types.ts';

export interface ExtendedJsonOptions {
  /** Plain JSON numbers and ISO dates where JSON can say them; default false. */
  readonly relaxed?: boolean;
}

/** The last millisecond of the year 9999: later dates have no ISO text in relaxed form. */
const LAST_ISO_MS = 253_402_300_799_999;

/** A document or value as plain JavaScript objects. */
export function toExtendedJson(
  subject: Buffer | RawValue,
  options: ExtendedJsonOptions = {},
): unknown {
  return JSON.parse(toExtendedJsonText(subject, options));
}

/** A document or value as JSON text without spaces. */
export function toExtendedJsonText(
  subject: Buffer | RawValue,
  options: ExtendedJsonOptions = {},
): string {
  const relaxed = options.relaxed === true;
  return subject instanceof RawValue ? ofValue(subject, relaxed, 0) : ofObject(subject, relaxed, 0);
}

function ofObject(document: Buffer, relaxed: boolean, depth: number): string {
  checkDepth(depth);
  const cursor = new FieldCursor(document);
  const fields: string[] = [];
  while (cursor.next()) {
    fields.push(`${quote(cursor.name)}:${ofValue(cursor.value(), relaxed, depth + 1)}`);
  }
  return `{${fields.join(',')}}`;
}

function ofArray(array: Buffer, relaxed: boolean, depth: number): string {
  checkDepth(depth);
  const cursor = new FieldCursor(array);
  const elements: string[] = [];
  while (cursor.next()) elements.push(ofValue(cursor.value(), relaxed, depth + 1));
  return `[${elements.join(',')}]`;
}

function ofValue(value: RawValue, relaxed: boolean, depth: number): string {
  switch (value.type) {
    case BsonType.double:
      return ofDouble(value.asNumber(), relaxed);
    case BsonType.string:
      return quote(value.asString());
    case BsonType.object:
      return ofObject(value.asDocument(), relaxed, depth);
    case BsonType.array:
      return ofArray(value.asDocument(), relaxed, depth);
    case BsonType.binData:
      return ofBinary(value);
    case BsonType.undefined:
      return '{"$undefined":true}';
    case BsonType.objectId:
      return `{"$oid":"${value.asObjectIdBytes().toString('hex')}"}`;
    case BsonType.bool:
      return String(value.asBoolean());
    case BsonType.date:
      return ofDate(value, relaxed);
    case BsonType.null:
      return 'null';
    case BsonType.regex: {
      const { pattern, options } = value.asRegex();
      return `{"$regularExpression":{"pattern":${quote(pattern)},"options":${quote(options)}}}`;
    }
    case BsonType.dbPointer: {
      const namespace = value.bytes.toString('utf8', value.start + 4, value.end - 13);
      const id = value.asObjectIdBytes().toString('hex');
      return `{"$dbPointer":{"$ref":${quote(namespace)},"$id":{"$oid":"${id}"}}}`;
    }
    case BsonType.javascript:
      return `{"$code":${quote(value.asString())}}`;
    case BsonType.symbol:
      return `{"$symbol":${quote(value.asString())}}`;
    case BsonType.javascriptWithScope: {
      const scope = ofObject(value.asDocument(), relaxed, depth);
      return `{"$code":${quote(value.asString())},"$scope":${scope}}`;
    }
    case BsonType.int32:
      return relaxed ? String(value.asNumber()) : `{"$numberInt":"${value.asNumber()}"}`;
    case BsonType.timestamp: {
      const { seconds, increment } = value.asTimestamp();
      return `{"$timestamp":{"t":${seconds},"i":${increment}}}`;
    }
    case BsonType.int64:
      return relaxed ? value.asInt64().toString() : `{"$numberLong":"${value.asInt64()}"}`;
    case BsonType.decimal128:
      return `{"$numberDecimal":"${value.asDecimal().toString()}"}`;
    case BsonType.minKey:
      return '{"$minKey":1}';
    case BsonType.maxKey:
      return '{"$maxKey":1}';
  }
}

function quote(text: string): string {
  return JSON.stringify(text);
}

function ofDouble(value: number, relaxed: boolean): string {
  const text = doubleText(value);
  return relaxed && Number.isFinite(value) ? text : `{"$numberDouble":"${text}"}`;
}

/** Shortest digits that read back exactly, with ".0" behind whole numbers. */
function doubleText(value: number): string {
  if (Object.is(value, -0)) return '-0.0';
  const text = String(value).replace('e', 'E');
  return /^-?\d+$/.test(text) ? `${text}.0` : text;
}

function ofBinary(value: RawValue): string {
  const { subtype, bytes } = value.asBinary();
  // The old binary subtype repeats its length inside, which Extended JSON leaves out.
  const content = subtype === 2 ? bytes.subarray(4) : bytes;
  const type = subtype.toString(16).padStart(2, '0');
  return `{"$binary":{"base64":"${content.toString('base64')}","subType":"${type}"}}`;
}

function ofDate(value: RawValue, relaxed: boolean): string {
  const ms = value.asDateMs();
  if (relaxed && ms >= 0 && ms <= LAST_ISO_MS) {
    return `{"$date":"${new Date(ms).toISOString().replace('.000Z', 'Z')}"}`;
  }
  return `{"$date":{"$numberLong":"${value.bytes.readBigInt64LE(value.start)}"}}`;
}
