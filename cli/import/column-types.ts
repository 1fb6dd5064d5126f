/**
 * What the text of a cell becomes: by itself, or by the type that its column's header names.
 * Source: MongoDB's manual, "mongoimport", --columnsHaveTypes.
 */
import {
  binaryValue,
  booleanValue,
  dateValue,
  Decimal,
  decimalValue,
  doubleValue,
  int32Value,
  int64Value,
  stringValue,
  type RawValue,
} from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import { UsageError } from '../../server/index.ts';
import { dateParser, type DateDialect } from './date-layouts.ts';

/** @returns undefined when the text is none of the type. */
export type CellParser = (text: string) => RawValue | undefined;

const INTEGER = /^[+-]?\d+$/;
const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;
const SPECIAL_NUMBER = /^(?:nan|[+-]?(?:inf|infinity))$/i;
const INT32_MAX = 2n ** 31n - 1n;
const INT64_MAX = 2n ** 63n - 1n;

/** A number if it looks like one, else a string: what mongoimport does without types. */
export function autoValue(text: string): RawValue {
  return (
    integerOf(text, INT32_MAX) ?? integerOf(text, INT64_MAX) ?? doubleOf(text) ?? stringValue(text)
  );
}

/** @throws UsageError for a type that is not there, or an argument that it does not take. */
export function cellParser(type: string, argument: string): CellParser {
  const make = Object.hasOwn(TYPES, type) ? TYPES[type] : undefined;
  if (make === undefined) {
    throw new UsageError(`'${type}' is no type of a column: ${Object.keys(TYPES).join(', ')} are.`);
  }
  return make(unescaped(argument), type);
}

type MakeParser = (argument: string, type: string) => CellParser;

const TYPES: Readonly<Record<string, MakeParser>> = {
  auto: plain(autoValue),
  binary: (encoding) => binaryParser(encoding),
  boolean: plain((text) => {
    if (/^(true|1)$/i.test(text)) return booleanValue(true);
    return /^(false|0)$/i.test(text) ? booleanValue(false) : undefined;
  }),
  date: dated('go'),
  date_go: dated('go'),
  date_ms: dated('ms'),
  date_oracle: dated('oracle'),
  decimal: plain(decimalOf),
  double: plain(doubleOf),
  int32: plain((text) => integerOf(text, INT32_MAX)),
  int64: plain((text) => {
    const value = wholeNumber(text);
    return value === undefined || value > INT64_MAX || value < -INT64_MAX - 1n
      ? undefined
      : int64Value(value);
  }),
  string: plain(stringValue),
};

function plain(parse: CellParser): MakeParser {
  return (argument, type) => {
    if (argument !== '')
      throw new UsageError(`the type ${type} of a column takes no argument, not '${argument}'.`);
    return parse;
  };
}

function dated(dialect: DateDialect): MakeParser {
  return (layout) => {
    const parse = dateParser(dialect, layout);
    return (text) => {
      const ms = parse(text);
      return ms === undefined ? undefined : dateValue(ms);
    };
  };
}

const ENCODINGS: Readonly<Record<string, (text: string) => Buffer | undefined>> = {
  base64: (text) => (/^[A-Za-z0-9+/]*={0,2}$/.test(text) ? Buffer.from(text, 'base64') : undefined),
  base32: base32,
  hex: (text) =>
    text.length % 2 === 0 && /^[0-9a-f]*$/i.test(text) ? Buffer.from(text, 'hex') : undefined,
};

function binaryParser(encoding: string): CellParser {
  const decode = Object.hasOwn(ENCODINGS, encoding) ? ENCODINGS[encoding] : undefined;
  if (decode === undefined) {
    throw new UsageError(
      `'${encoding}' is no encoding of a binary column: base32, base64 and hex are.`,
    );
  }
  return (text) => {
    const bytes = decode(text);
    return bytes === undefined ? undefined : binaryValue(bytes);
  };
}

function base32(text: string): Buffer | undefined {
  if (text.length % 8 !== 0 || !/^[A-Z2-7]*=*$/.test(text)) return undefined;
  const bytes: number[] = [];
  let bits = 0;
  let held = 0;
  for (const letter of text.replace(/=+$/, '')) {
    held = (held << 5) | 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(letter);
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    bytes.push((held >> bits) & 0xff);
  }
  return Buffer.from(bytes);
}

function wholeNumber(text: string): bigint | undefined {
  return INTEGER.test(text) ? BigInt(text.replace(/^\+/, '')) : undefined;
}

function integerOf(text: string, most: bigint): RawValue | undefined {
  const value = wholeNumber(text);
  if (value === undefined || value > most || value < -most - 1n) return undefined;
  return most === INT32_MAX ? int32Value(Number(value)) : int64Value(value);
}

function doubleOf(text: string): RawValue | undefined {
  if (NUMBER.test(text)) return doubleValue(Number(text));
  if (!SPECIAL_NUMBER.test(text)) return undefined;
  if (/^nan$/i.test(text)) return doubleValue(Number.NaN);
  return doubleValue(text.startsWith('-') ? -Infinity : Infinity);
}

function decimalOf(text: string): RawValue | undefined {
  try {
    return decimalValue(Decimal.fromString(text));
  } catch (error) {
    if (error instanceof CommandError) return undefined;
    throw error;
  }
}

/** In a header parentheses of an argument are written \( and \). */
function unescaped(argument: string): string {
  return argument.replace(/\\([\\()])/g, '$1').replace(/\\(?![\\()])/g, '');
}
