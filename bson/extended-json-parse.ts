/**
 * Extended JSON v2, canonical and relaxed, into documents. The counterpart of extended-json.ts.
 *
 * Promises: text keeps the order of fields; an object with a type's name ("$oid", "$date", …) is exactly that type's
 * wrapper, or refused. Plain numbers become int32, int64 or double, the first that holds them.
 * Source: MongoDB's specification "Extended JSON", version 2.
 */
import { CommandError } from '../common/errors.ts';
import { DocumentBuilder, indexName } from './builder.ts';
import { Decimal } from './decimal.ts';
import { parseJsonText, type JsonNode, type JsonObject } from './json-text.ts';
import type { RawValue } from './raw-value.ts';
import {
  FALSE,
  MAX_KEY,
  MIN_KEY,
  NULL,
  TRUE,
  UNDEFINED_VALUE,
  arrayValue,
  binaryValue,
  dateBigIntValue,
  dbPointerValue,
  decimalValue,
  documentValue,
  doubleValue,
  int32Value,
  int64Value,
  javascriptValue,
  javascriptWithScopeValue,
  objectIdValue,
  regexValue,
  stringValue,
  symbolValue,
  timestampValue,
} from './values.ts';

/**
 * The document that a JSON text says.
 * @throws CommandError FailedToParse when it is no JSON object, or a wrapper in it is malformed.
 */
export function parseExtendedJson(text: string): Buffer {
  const node = parseJsonText(text);
  if (!isObject(node)) throw refused('Extended JSON of a document must be an object');
  return documentOfNode(node);
}

/** The value that a JSON text says: any JSON, not only an object. */
export function parseExtendedJsonValue(text: string): RawValue {
  return valueOf(parseJsonText(text));
}

function documentOfNode(node: JsonObject): Buffer {
  const builder = new DocumentBuilder();
  for (const [name, value] of node.entries) builder.append(name, valueOf(value));
  return builder.finish();
}

function valueOf(node: JsonNode): RawValue {
  if (node === null) return NULL;
  if (typeof node === 'boolean') return node ? TRUE : FALSE;
  if (typeof node === 'string') return stringValue(node);
  if ('digits' in node) return plainNumber(node.digits);
  if (!isObject(node)) return arrayOfNodes(node);
  const fields = new Map(node.entries);
  for (const [name, read] of WRAPPERS) {
    if (fields.has(name)) return wrapped(name, read, fields);
  }
  return documentValue(documentOfNode(node));
}

function arrayOfNodes(nodes: readonly JsonNode[]): RawValue {
  const builder = new DocumentBuilder();
  for (const [index, node] of nodes.entries()) builder.append(indexName(index), valueOf(node));
  return arrayValue(builder.finish());
}

function isObject(node: JsonNode): node is JsonObject {
  return typeof node === 'object' && node !== null && 'entries' in node && !Array.isArray(node);
}

const WHOLE = /^-?\d+$/;

function plainNumber(digits: string): RawValue {
  if (!WHOLE.test(digits) || digits === '-0') return doubleValue(Number(digits));
  const whole = BigInt(digits);
  if (whole === BigInt.asIntN(32, whole)) return int32Value(Number(whole));
  return whole === BigInt.asIntN(64, whole) ? int64Value(whole) : doubleValue(Number(digits));
}

type Fields = ReadonlyMap<string, JsonNode>;

/** Reads a wrapper's content; undefined when it is malformed. `fields` are all of the wrapper's fields. */
type WrapperReader = (content: JsonNode, fields: Fields) => RawValue | undefined;

/** Names that may stand beside a wrapper's own. */
const COMPANIONS: Readonly<Record<string, string>> = { $code: '$scope' };

function wrapped(name: string, read: WrapperReader, fields: Fields): RawValue {
  const known = [...fields.keys()].every((key) => key === name || key === COMPANIONS[name]);
  const value = known ? read(fields.get(name) ?? null, fields) : undefined;
  if (value === undefined) throw refused(`Bad ${name} in Extended JSON`);
  return value;
}

const WRAPPERS: readonly (readonly [name: string, read: WrapperReader])[] = [
  ['$oid', readObjectId],
  ['$symbol', (content) => (typeof content === 'string' ? symbolValue(content) : undefined)],
  ['$numberInt', (content) => readInteger(content, 32)],
  ['$numberLong', (content) => readInteger(content, 64)],
  ['$numberDouble', readDouble],
  ['$numberDecimal', readDecimal],
  ['$binary', readBinary],
  ['$uuid', readUuid],
  ['$code', readCode],
  ['$timestamp', readTimestamp],
  ['$regularExpression', readRegex],
  ['$dbPointer', readDbPointer],
  ['$date', readDate],
  ['$minKey', (content) => (isOne(content) ? MIN_KEY : undefined)],
  ['$maxKey', (content) => (isOne(content) ? MAX_KEY : undefined)],
  ['$undefined', (content) => (content === true ? UNDEFINED_VALUE : undefined)],
];

function isOne(content: JsonNode): boolean {
  return digitsOf(content) === '1';
}

function digitsOf(node: JsonNode | undefined): string | undefined {
  return typeof node === 'object' && node !== null && 'digits' in node ? node.digits : undefined;
}

/** The content's fields when it is an object with exactly these names, in any order. */
function exactly(content: JsonNode, names: readonly string[]): Fields | undefined {
  if (!isObject(content) || content.entries.length !== names.length) return undefined;
  const fields = new Map(content.entries);
  return names.every((name) => fields.has(name)) ? fields : undefined;
}

function readObjectId(content: JsonNode): RawValue | undefined {
  const isId = typeof content === 'string' && /^[0-9a-fA-F]{24}$/.test(content);
  return isId ? objectIdValue(Buffer.from(content, 'hex')) : undefined;
}

function readInteger(content: JsonNode, bits: 32 | 64): RawValue | undefined {
  if (typeof content !== 'string' || !/^-?\d{1,20}$/.test(content)) return undefined;
  const value = BigInt(content);
  if (value !== BigInt.asIntN(bits, value)) return undefined;
  return bits === 32 ? int32Value(Number(value)) : int64Value(value);
}

function readDouble(content: JsonNode): RawValue | undefined {
  if (typeof content !== 'string') return undefined;
  if (!/^(?:-?Infinity|NaN|[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)$/.test(content)) {
    return undefined;
  }
  return doubleValue(Number(content));
}

function readDecimal(content: JsonNode): RawValue | undefined {
  const decimal = typeof content === 'string' ? Decimal.tryExact(content) : undefined;
  return decimal === undefined ? undefined : decimalValue(decimal);
}

function readBinary(content: JsonNode): RawValue | undefined {
  const fields = exactly(content, ['base64', 'subType']);
  const base64 = fields?.get('base64');
  const subType = fields?.get('subType');
  if (typeof base64 !== 'string' || typeof subType !== 'string') return undefined;
  // No groups: a pattern with some would run out of stack in megabytes.
  const isBase64 = base64.length % 4 === 0 && /^[\w+/-]*={0,2}$/.test(base64);
  if (!isBase64 || !/^[0-9a-fA-F]{1,2}$/.test(subType)) return undefined;
  const bytes = Buffer.from(base64, 'base64');
  const type = Number.parseInt(subType, 16);
  return binaryValue(type === 2 ? withInnerLength(bytes) : bytes, type);
}

/** The old binary subtype repeats its length inside. */
function withInnerLength(bytes: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32LE(bytes.length, 0);
  return Buffer.concat([length, bytes]);
}

function readUuid(content: JsonNode): RawValue | undefined {
  if (typeof content !== 'string') return undefined;
  if (!/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i.test(content)) {
    return undefined;
  }
  return binaryValue(Buffer.from(content.replaceAll('-', ''), 'hex'), 4);
}

function readCode(content: JsonNode, fields: Fields): RawValue | undefined {
  if (typeof content !== 'string') return undefined;
  const scope = fields.get('$scope');
  if (scope === undefined) return javascriptValue(content);
  return isObject(scope) ? javascriptWithScopeValue(content, documentOfNode(scope)) : undefined;
}

function readTimestamp(content: JsonNode): RawValue | undefined {
  const fields = exactly(content, ['t', 'i']);
  const seconds = uint32Of(fields?.get('t'));
  const increment = uint32Of(fields?.get('i'));
  if (seconds === undefined || increment === undefined) return undefined;
  return timestampValue(seconds, increment);
}

function uint32Of(node: JsonNode | undefined): number | undefined {
  const digits = digitsOf(node);
  if (digits === undefined || !/^\d{1,10}$/.test(digits)) return undefined;
  return Number(digits) <= 0xffff_ffff ? Number(digits) : undefined;
}

function readRegex(content: JsonNode): RawValue | undefined {
  const fields = exactly(content, ['pattern', 'options']);
  const pattern = fields?.get('pattern');
  const options = fields?.get('options');
  if (typeof pattern !== 'string' || typeof options !== 'string') return undefined;
  // BSON wants the options in alphabetical order.
  return regexValue(pattern, Array.from(options).sort().join(''));
}

function readDbPointer(content: JsonNode): RawValue | undefined {
  const fields = exactly(content, ['$ref', '$id']);
  const namespace = fields?.get('$ref');
  const id = fields === undefined ? undefined : valueOf(fields.get('$id') ?? null);
  if (typeof namespace !== 'string' || id?.typeName !== 'objectId') return undefined;
  return dbPointerValue(namespace, id.asObjectIdBytes());
}

const ISO_DATE = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:?\d\d)$/;

function readDate(content: JsonNode): RawValue | undefined {
  if (typeof content === 'string') {
    const ms = ISO_DATE.test(content) ? Date.parse(content) : NaN;
    return Number.isNaN(ms) ? undefined : dateBigIntValue(BigInt(ms));
  }
  const long = exactly(content, ['$numberLong'])?.get('$numberLong');
  const value = long === undefined ? undefined : readInteger(long, 64);
  return value === undefined ? undefined : dateBigIntValue(value.asInt64());
}

function refused(message: string): CommandError {
  return new CommandError('FailedToParse', message);
}
