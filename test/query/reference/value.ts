/**
 * Decoded values for the slow reference of the query language, and their order.
 *
 * Owns: a plain tree of each BSON value with its type; fields keep their order and may repeat. Written from the BSON
 * specification (bsonspec.org) and MongoDB's manual, "Comparison/Sort Order", and sharing nothing with bson/: what both get
 * wrong in the same way they got wrong twice. Never fast.
 */
import { Decimal128 } from 'bson';

/** Type codes of the BSON specification that the random documents use. */
export const TYPE = {
  double: 1,
  string: 2,
  object: 3,
  array: 4,
  binData: 5,
  objectId: 7,
  bool: 8,
  date: 9,
  null: 10,
  regex: 11,
  int: 16,
  timestamp: 17,
  long: 18,
  decimal: 19,
} as const;

export type Fields = readonly (readonly [name: string, value: Value])[];

export type Value =
  | { readonly type: typeof TYPE.double | typeof TYPE.int; readonly number: number }
  | { readonly type: typeof TYPE.long; readonly integer: bigint }
  | { readonly type: typeof TYPE.decimal; readonly text: string }
  | { readonly type: typeof TYPE.string; readonly text: string }
  | { readonly type: typeof TYPE.object; readonly fields: Fields }
  | { readonly type: typeof TYPE.array; readonly elements: readonly Value[] }
  | { readonly type: typeof TYPE.binData; readonly subtype: number; readonly bytes: Buffer }
  | { readonly type: typeof TYPE.objectId; readonly bytes: Buffer }
  | { readonly type: typeof TYPE.bool; readonly flag: boolean }
  | { readonly type: typeof TYPE.date | typeof TYPE.timestamp; readonly integer: bigint }
  | { readonly type: typeof TYPE.null }
  | { readonly type: typeof TYPE.regex; readonly pattern: string; readonly options: string };

export type NumberValue = Extract<Value, { type: 1 | 16 | 18 | 19 }>;

export const NULL: Value = { type: TYPE.null };

/** Reads one document. */
export function decode(bytes: Buffer): Fields {
  const fields: [string, Value][] = [];
  let at = 4;
  while (bytes[at] !== 0) {
    const type = bytes[at];
    const nameEnd = bytes.indexOf(0, at + 1);
    const name = bytes.toString('utf8', at + 1, nameEnd);
    const [value, end] = decodeValue(type, bytes, nameEnd + 1);
    fields.push([name, value]);
    at = end;
  }
  return fields;
}

function decodeValue(type: number, bytes: Buffer, at: number): [value: Value, end: number] {
  switch (type) {
    case TYPE.double:
      return [{ type, number: bytes.readDoubleLE(at) }, at + 8];
    case TYPE.int:
      return [{ type, number: bytes.readInt32LE(at) }, at + 4];
    case TYPE.long:
    case TYPE.date:
      return [{ type, integer: bytes.readBigInt64LE(at) }, at + 8];
    case TYPE.timestamp:
      return [{ type, integer: bytes.readBigUInt64LE(at) }, at + 8];
    case TYPE.decimal: {
      const text = new Decimal128(bytes.subarray(at, at + 16)).toString();
      return [{ type, text }, at + 16];
    }
    case TYPE.string: {
      const length = bytes.readInt32LE(at);
      return [{ type, text: bytes.toString('utf8', at + 4, at + 3 + length) }, at + 4 + length];
    }
    case TYPE.object: {
      const end = at + bytes.readInt32LE(at);
      return [{ type, fields: decode(bytes.subarray(at, end)) }, end];
    }
    case TYPE.array: {
      const end = at + bytes.readInt32LE(at);
      const elements = decode(bytes.subarray(at, end)).map(([, element]) => element);
      return [{ type, elements }, end];
    }
    case TYPE.binData: {
      const end = at + 5 + bytes.readInt32LE(at);
      return [{ type, subtype: bytes[at + 4], bytes: bytes.subarray(at + 5, end) }, end];
    }
    case TYPE.objectId:
      return [{ type, bytes: bytes.subarray(at, at + 12) }, at + 12];
    case TYPE.bool:
      return [{ type, flag: bytes[at] === 1 }, at + 1];
    case TYPE.null:
      return [{ type }, at];
    case TYPE.regex: {
      const patternEnd = bytes.indexOf(0, at);
      const optionsEnd = bytes.indexOf(0, patternEnd + 1);
      const pattern = bytes.toString('utf8', at, patternEnd);
      const options = bytes.toString('utf8', patternEnd + 1, optionsEnd);
      return [{ type, pattern, options }, optionsEnd + 1];
    }
    default:
      throw new Error(`the reference knows no type ${type}`);
  }
}

export function isNumber(value: Value): value is NumberValue {
  return (
    value.type === TYPE.double ||
    value.type === TYPE.int ||
    value.type === TYPE.long ||
    value.type === TYPE.decimal
  );
}

/** A number without rounding: a fraction of big integers, or what is none. */
export type Exact = { readonly over: bigint; readonly under: bigint } | 'NaN' | 1 | -1;

/** 1 and -1 stand for the infinities. */
export function exact(value: NumberValue): Exact {
  switch (value.type) {
    case TYPE.long:
      return { over: value.integer, under: 1n };
    case TYPE.decimal:
      return exactDecimal(value.text);
    default:
      return exactDouble(value.number);
  }
}

function exactDouble(number: number): Exact {
  if (Number.isNaN(number)) return 'NaN';
  if (!Number.isFinite(number)) return number > 0 ? 1 : -1;
  let whole = number;
  let under = 1n;
  // Every double is an integer once it has been doubled often enough.
  while (!Number.isInteger(whole)) {
    whole *= 2;
    under *= 2n;
  }
  return { over: BigInt(whole), under };
}

function exactDecimal(text: string): Exact {
  if (text === 'NaN') return 'NaN';
  if (text.endsWith('Infinity')) return text.startsWith('-') ? -1 : 1;
  const [digits, exponentText = '0'] = text.split('E');
  const [whole, part = ''] = digits.split('.');
  const exponent = Number(exponentText) - part.length;
  const coefficient = BigInt(whole + part);
  return exponent >= 0
    ? { over: coefficient * 10n ** BigInt(exponent), under: 1n }
    : { over: coefficient, under: 10n ** BigInt(-exponent) };
}

/** NaN lies below every other number. */
function compareNumbers(a: Exact, b: Exact): number {
  if (a === 'NaN' || b === 'NaN') return Number(a !== 'NaN') - Number(b !== 'NaN');
  const rank = (number: Exact): number => (typeof number === 'number' ? number : 0);
  if (typeof a !== 'object' || typeof b !== 'object') return rank(a) - rank(b);
  return compareIntegers(a.over * b.under, b.over * a.under);
}

function compareIntegers(a: bigint, b: bigint): number {
  return a < b ? -1 : Number(a > b);
}

/** Place of a type among the others, as the manual lists them. */
export function typeRank(type: Value['type']): number {
  const ORDER: readonly (readonly number[])[] = [
    [TYPE.null],
    [TYPE.double, TYPE.int, TYPE.long, TYPE.decimal],
    [TYPE.string],
    [TYPE.object],
    [TYPE.array],
    [TYPE.binData],
    [TYPE.objectId],
    [TYPE.bool],
    [TYPE.date],
    [TYPE.timestamp],
    [TYPE.regex],
  ];
  return ORDER.findIndex((types) => types.includes(type));
}

/** MongoDB's order over all types. */
export function compare(a: Value, b: Value): number {
  const byType = typeRank(a.type) - typeRank(b.type);
  if (byType !== 0) return byType;
  if (isNumber(a) && isNumber(b)) return compareNumbers(exact(a), exact(b));
  if (a.type === TYPE.string && b.type === TYPE.string) return compareText(a.text, b.text);
  if (a.type === TYPE.object && b.type === TYPE.object) return compareFields(a.fields, b.fields);
  if (a.type === TYPE.array && b.type === TYPE.array) {
    const numbered = (elements: readonly Value[]): Fields =>
      elements.map((element) => ['', element]);
    return compareFields(numbered(a.elements), numbered(b.elements));
  }
  if (a.type === TYPE.binData && b.type === TYPE.binData) {
    if (a.bytes.length !== b.bytes.length) return a.bytes.length - b.bytes.length;
    return a.subtype - b.subtype || Buffer.compare(a.bytes, b.bytes);
  }
  if (a.type === TYPE.objectId && b.type === TYPE.objectId) return Buffer.compare(a.bytes, b.bytes);
  if (a.type === TYPE.bool && b.type === TYPE.bool) return Number(a.flag) - Number(b.flag);
  if (a.type === TYPE.regex && b.type === TYPE.regex) {
    return compareText(a.pattern, b.pattern) || compareText(a.options, b.options);
  }
  if ('integer' in a && 'integer' in b) return compareIntegers(a.integer, b.integer);
  return 0;
}

function compareText(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** Field by field: the types, then the names, then the values; what ends first is less. */
function compareFields(a: Fields, b: Fields): number {
  for (let index = 0; ; index += 1) {
    const left = a[index];
    const right = b[index];
    if (left === undefined || right === undefined) return a.length - b.length;
    const order =
      typeRank(left[1].type) - typeRank(right[1].type) ||
      compareText(left[0], right[0]) ||
      compare(left[1], right[1]);
    if (order !== 0) return order;
  }
}
