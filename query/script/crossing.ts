/**
 * Values on their way into the sandbox and out of it.
 *
 * In: one JSON text of plain values, and beside it a list of those that JSON cannot say, each with its path (the sandbox
 * parses JSON natively, so a document of plain fields costs nothing per field). Out: JSON in which every value that is not
 * plain is an array whose first item names its type. What comes out was made by hostile code and is checked as such.
 */
import {
  ArrayBuilder,
  arrayValue,
  binaryValue,
  booleanValue,
  BsonType,
  dateValue,
  dbPointerValue,
  Decimal,
  decimalValue,
  DocumentBuilder,
  documentValue,
  doubleValue,
  FieldCursor,
  int32Value,
  int64Value,
  javascriptValue,
  javascriptWithScopeValue,
  MAX_KEY,
  MIN_KEY,
  NULL,
  objectIdValue,
  type RawValue,
  regexValue,
  stringValue,
  timestampValue,
  UNDEFINED_VALUE,
} from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';

type PathPart = string | number;

/** MongoDB's BSONDepth: deeper values cannot cross. */
const MAX_ENTERING_DEPTH = 200;

/**
 * The text of `document` for the sandbox: {v: values, s: [[kind, payload, ...path], ...]}.
 * @throws CommandError Overflow when it is nested too deeply.
 */
export function enteringText(document: Buffer): string {
  const specials: string[] = [];
  const json = containerText(document, false, [], specials);
  return `{"v":${json},"s":[${specials.join(',')}]}`;
}

function containerText(
  document: Buffer,
  isArray: boolean,
  path: readonly PathPart[],
  specials: string[],
): string {
  if (path.length > MAX_ENTERING_DEPTH) {
    throw new CommandError('Overflow', 'BSONObj exceeds maximum nested object depth');
  }
  const cursor = new FieldCursor(document);
  const parts: string[] = [];
  const ints: string[] = [];
  for (let index = 0; cursor.next(); index += 1) {
    const { name } = cursor;
    const value = cursor.value();
    if (!isArray && value.type === BsonType.int32) ints.push(name);
    const text = valueText(value, path, isArray ? index : name, specials);
    parts.push(isArray ? text : `${JSON.stringify(name)}:${text}`);
  }
  // Before the specials inside, which may replace what the path leads through: none does, their holders are plain.
  if (ints.length > 0) special(specials, 'i', ints, path);
  return isArray ? `[${parts.join(',')}]` : `{${parts.join(',')}}`;
}

function special(
  specials: string[],
  kind: string,
  payload: unknown,
  path: readonly PathPart[],
): string {
  specials.push(JSON.stringify([kind, payload, ...path]));
  return 'null';
}

function valueText(
  value: RawValue,
  above: readonly PathPart[],
  step: PathPart,
  specials: string[],
): string {
  const path = (): PathPart[] => [...above, step];
  switch (value.type) {
    case BsonType.string:
    case BsonType.symbol:
      return JSON.stringify(value.asString());
    case BsonType.int32:
      return String(value.asNumber());
    case BsonType.bool:
      return value.asBoolean() ? 'true' : 'false';
    case BsonType.null:
      return 'null';
    case BsonType.double: {
      const number = value.asNumber();
      if (Number.isFinite(number) && !Object.is(number, -0)) return String(number);
      return special(specials, 'f', Object.is(number, -0) ? '-0' : String(number), path());
    }
    case BsonType.object:
      return containerText(value.asDocument(), false, path(), specials);
    case BsonType.array:
      return containerText(value.asDocument(), true, path(), specials);
    default:
      return special(specials, ...payloadOf(value), path());
  }
}

/** Dates beyond this are no dates in JavaScript. Source: ECMAScript, "Time Values and Time Range". */
const MAX_DATE_MS = 8.64e15;

/** The kinds are read by `special` in prelude.ts. */
function payloadOf(value: RawValue): [kind: string, payload: unknown] {
  switch (value.type) {
    case BsonType.objectId:
      return ['o', value.asObjectIdBytes().toString('hex')];
    case BsonType.date: {
      const ms = value.asDateMs();
      return ['d', Math.abs(ms) <= MAX_DATE_MS ? ms : null];
    }
    case BsonType.int64:
      return ['l', value.asInt64().toString()];
    case BsonType.decimal128:
      return ['m', value.asDecimal().toString()];
    case BsonType.binData: {
      const { subtype, bytes } = value.asBinary();
      return ['b', [subtype, bytes.toString('base64')]];
    }
    case BsonType.timestamp: {
      const { seconds, increment } = value.asTimestamp();
      return ['t', [seconds, increment]];
    }
    case BsonType.regex: {
      const { pattern, options } = value.asRegex();
      return ['r', [pattern, options]];
    }
    case BsonType.minKey:
      return ['n', 0];
    case BsonType.maxKey:
      return ['x', 0];
    case BsonType.javascript:
      return ['c', value.asString()];
    case BsonType.javascriptWithScope:
      return ['C', [value.asString(), {}]];
    case BsonType.dbPointer: {
      const namespace = value.bytes.toString('utf8', value.start + 4, value.end - 13);
      return ['p', [namespace, value.asObjectIdBytes().toString('hex')]];
    }
    default:
      return ['u', 0];
  }
}

/** What a call gave back: a value, or the exception that it ended with. */
export type Leaving =
  | { readonly value: RawValue }
  | {
      readonly error: {
        readonly name: string;
        readonly message: string;
        readonly stack: string;
        /** MongoDB's code when the prelude found the mistake; 0 for an exception of the script. */
        readonly code: number;
      };
    };

/** Codes of the mistakes that the prelude finds. A script may put any other number in their place: it means nothing. */
const PRELUDE_CODES: ReadonlySet<number> = new Set([17279, 31220, 31265]);

/** Reads what `enter` in prelude.ts answered. @throws CommandError when it is no value of BSON. */
export function leavingValue(text: string): Leaving {
  const answer: unknown = JSON.parse(text);
  if (!isRecord(answer)) throw notBson();
  if (Array.isArray(answer.e)) {
    const [name, message, stack, code]: unknown[] = answer.e;
    return {
      error: {
        name: String(name),
        message: String(message),
        stack: String(stack),
        code: typeof code === 'number' && PRELUDE_CODES.has(code) ? code : 0,
      },
    };
  }
  return { value: valueOf(answer.r, 0) };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function notBson(): CommandError {
  return new CommandError(16662, 'unable to convert JavaScript property to mongo element');
}

/** The prelude stops at 150 levels; whoever tampered with it stops here. */
const MAX_DEPTH = 180;

function valueOf(given: unknown, depth: number): RawValue {
  if (depth > MAX_DEPTH) throw notBson();
  switch (typeof given) {
    case 'string':
      return stringValue(given);
    case 'number':
      return doubleValue(given);
    case 'boolean':
      return booleanValue(given);
    default:
  }
  if (given === null) return NULL;
  if (!Array.isArray(given)) throw notBson();
  const [kind, first, second]: unknown[] = given;
  switch (kind) {
    case 'u':
      return UNDEFINED_VALUE;
    case 'n':
      return MIN_KEY;
    case 'x':
      return MAX_KEY;
    case 'f':
      return doubleValue(first === '-0' ? -0 : Number(first));
    case 'i':
      return int32Value(Number(first) | 0);
    case 'l':
      return int64Value(longOf(first));
    case 'm':
      return decimalOf(first);
    case 'o':
      return objectIdValue(hexOf(first, 24));
    case 'd':
      return dateValue(dateMsOf(first));
    case 'b':
      return binaryValue(Buffer.from(String(second), 'base64'), Number(first) & 0xff);
    case 't':
      return timestampValue(Number(first) >>> 0, Number(second) >>> 0);
    case 'r':
      return regexValue(withoutNul(String(first)), sortedOptions(String(second)));
    case 'c':
      return javascriptValue(String(first));
    case 'C':
      return javascriptWithScopeValue(String(first), valueOf(second, depth + 1).asDocument());
    case 'p':
      return dbPointerValue(String(first), hexOf(second, 24));
    case 'a':
      return arrayOf(first, depth);
    case 'O':
      return objectOf(first, depth);
    default:
      throw notBson();
  }
}

function arrayOf(items: unknown, depth: number): RawValue {
  if (!Array.isArray(items)) throw notBson();
  const builder = new ArrayBuilder();
  for (const item of items) builder.push(valueOf(item, depth + 1));
  return arrayValue(builder.finish());
}

function objectOf(fields: unknown, depth: number): RawValue {
  if (!Array.isArray(fields)) throw notBson();
  const builder = new DocumentBuilder();
  for (let at = 0; at + 1 < fields.length; at += 2) {
    const name = String(fields[at]);
    if (name.includes('\0')) {
      throw new CommandError(
        16985,
        'JavaScript property (name) contains a null char which is not allowed in BSON. ',
      );
    }
    builder.append(name, valueOf(fields[at + 1], depth + 1));
  }
  return documentValue(builder.finish());
}

function longOf(text: unknown): bigint {
  if (typeof text !== 'string' || !/^-?\d{1,19}$/.test(text)) throw notBson();
  return BigInt.asIntN(64, BigInt(text));
}

function decimalOf(text: unknown): RawValue {
  if (typeof text !== 'string') throw notBson();
  return decimalValue(Decimal.fromString(text));
}

function hexOf(text: unknown, digits: number): Buffer {
  if (typeof text !== 'string' || text.length !== digits || !/^[0-9a-f]*$/.test(text)) {
    throw notBson();
  }
  return Buffer.from(text, 'hex');
}

function dateMsOf(ms: unknown): number {
  return typeof ms === 'number' && Math.abs(ms) <= MAX_DATE_MS ? Math.trunc(ms) : 0;
}

function withoutNul(text: string): string {
  if (text.includes('\0')) throw notBson();
  return text;
}

/** BSON wants a regular expression's options in alphabetical order. */
function sortedOptions(options: string): string {
  return withoutNul(options).split('').sort().join('');
}
