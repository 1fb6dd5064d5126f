/**
 * Strings: joining, cutting, searching, changing case. Positions count code points or UTF-8 bytes, as the name says.
 */
import { BsonType, int32Value, NULL, type RawValue, stringValue } from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import {
  defineExpression,
  type ExpressionCompiler,
  type ExpressionDefinition,
  type Value,
} from '../definition.ts';
import { arrayOf } from '../elements.ts';
import type { Expression } from '../expression.ts';
import { int32Of } from '../integers.ts';
import { namedArguments } from '../named-arguments.ts';
import { isNullish, isString, typeNameOf } from '../types.ts';
import { position } from './array-access.ts';
import { coercedText } from './text-of.ts';

function concat(values: readonly Value[]): Value {
  let text = '';
  for (const value of values) {
    if (isNullish(value)) return NULL;
    if (!isString(value)) {
      throw new CommandError(16702, `$concat only supports strings, not ${typeNameOf(value)}`);
    }
    text += value.asString();
    checkLength(text.length);
  }
  return stringValue(text);
}

/** Source: MongoDB's BufferMaxSize. */
const MOST_TEXT_BYTES = 64 * 1024 * 1024;

/** @throws CommandError 13548 for a text that no buffer of MongoDB's could hold. */
function checkLength(length: number): void {
  if (length <= MOST_TEXT_BYTES) return;
  throw new CommandError(
    13548,
    `BufBuilder attempted to grow() to ${length} bytes, past the 64MB limit.`,
  );
}

function requireString(value: Value, code: number, message: string): string {
  if (isString(value)) return value.asString();
  throw new CommandError(code, `${message}${typeNameOf(value)}`);
}

function indexOfCodePoint(values: readonly Value[]): Value {
  const [text, wanted, from, to] = values;
  if (isNullish(text)) return NULL;
  const characters = Array.from(
    requireString(text, 40093, '$indexOfCP requires a string as the first argument, found: '),
  );
  const token = Array.from(
    requireString(wanted, 40094, '$indexOfCP requires a string as the second argument, found: '),
  );
  const start = values.length < 3 ? 0 : position('$indexOfCP', from, 'starting');
  const stop = Math.min(
    values.length < 4 ? characters.length : position('$indexOfCP', to, 'ending'),
    characters.length,
  );
  for (let index = start; index + token.length <= stop; index += 1) {
    if (token.every((character, offset) => characters[index + offset] === character)) {
      return int32Value(index);
    }
  }
  return int32Value(-1);
}

function indexOfBytes(values: readonly Value[]): Value {
  const [text, wanted, from, to] = values;
  if (isNullish(text)) return NULL;
  const bytes = Buffer.from(
    requireString(text, 40091, '$indexOfBytes requires a string as the first argument, found: '),
  );
  const token = Buffer.from(
    requireString(wanted, 40092, '$indexOfBytes requires a string as the second argument, found: '),
  );
  const start = values.length < 3 ? 0 : position('$indexOfBytes', from, 'starting');
  const stop = values.length < 4 ? bytes.length : position('$indexOfBytes', to, 'ending');
  if (start > bytes.length || stop < start) return int32Value(-1);
  const index = bytes.subarray(0, stop).indexOf(token, start);
  return int32Value(index);
}

function split(text: RawValue, separator: RawValue): Value {
  const whole = requireString(
    text,
    40085,
    '$split requires an expression that evaluates to a string as a first argument, found: ',
  );
  const by = requireString(
    separator,
    40086,
    '$split requires an expression that evaluates to a string as a second argument, found: ',
  );
  if (by === '') throw new CommandError(40087, '$split requires a non-empty separator');
  return arrayOf(pieces(whole, by).map(stringValue));
}

/** What an array costs per string besides the text, bytes; and all that one array may cost. */
const PIECE_OVERHEAD_BYTES = 16;
const MOST_PIECES_BYTES = 64 * 1024 * 1024;

function pieces(text: string, separator: string): string[] {
  const found: string[] = [];
  let from = 0;
  for (let at = text.indexOf(separator); at >= 0; at = text.indexOf(separator, from)) {
    found.push(text.slice(from, at));
    from = at + separator.length;
    if (found.length * PIECE_OVERHEAD_BYTES > MOST_PIECES_BYTES - text.length) {
      throw new CommandError(
        'ExceededMemoryLimit',
        '$split would use too much memory and cannot spill to disk',
      );
    }
  }
  found.push(text.slice(from));
  return found;
}

function substringBytes(values: readonly Value[]): Value {
  const [text, from, length] = values;
  const bytes = Buffer.from(coercedText('$substrBytes', text));
  const start = substringNumber(from, 16034, '$substrBytes', 'starting index');
  const count = substringNumber(length, 16035, '$substrBytes', 'length');
  if (start < 0) {
    throw new CommandError(
      50752,
      `$substrBytes: starting index must be non-negative (got: ${start})`,
    );
  }
  const end = count < 0 ? bytes.length : Math.min(bytes.length, start + count);
  if (start < bytes.length && isContinuation(bytes[start])) {
    throw new CommandError(
      28656,
      '$substrBytes:  Invalid range, starting index is a UTF-8 continuation byte.',
    );
  }
  if (end < bytes.length && end > start && isContinuation(bytes[end])) {
    throw new CommandError(
      28657,
      '$substrBytes:  Invalid range, ending index is in the middle of a UTF-8 character.',
    );
  }
  return stringValue(bytes.toString('utf8', Math.min(start, bytes.length), end));
}

function isContinuation(byte: number): boolean {
  return (byte & 0xc0) === 0x80;
}

function substringNumber(value: Value, code: number, name: string, what: string): number {
  if (value !== undefined && value.isNumber) return Math.trunc(value.asNumber());
  throw new CommandError(
    code,
    `${name}:  ${what} must be a numeric type (is BSON type ${typeNameOf(value)})`,
  );
}

function substringCodePoints(values: readonly Value[]): Value {
  const [text, from, length] = values;
  const characters = Array.from(coercedText('$substrCP', text));
  const start = codePointNumber(from, 34450, 34451, 'starting index');
  const count = codePointNumber(length, 34452, 34453, 'length');
  if (count < 0) throw new CommandError(34454, '$substrCP: length must be a nonnegative integer.');
  if (start < 0) {
    throw new CommandError(34455, '$substrCP: the starting index must be nonnegative integer.');
  }
  return stringValue(characters.slice(start, start + count).join(''));
}

function codePointNumber(value: Value, wrongType: number, notInteger: number, what: string) {
  if (value === undefined || !value.isNumber) {
    throw new CommandError(
      wrongType,
      `$substrCP: ${what} must be a numeric type (is BSON type ${typeNameOf(value)})`,
    );
  }
  const number = int32Of(value);
  if (number !== undefined) return number;
  throw new CommandError(
    notInteger,
    `$substrCP: ${what} cannot be represented as a 32-bit integral value: ${value.asNumber()}`,
  );
}

/** MongoDB changes the case of ASCII letters only. */
export function lowerAscii(text: string): string {
  return text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

export function upperAscii(text: string): string {
  return text.replace(/[a-z]+/g, (letters) => letters.toUpperCase());
}

function compareIgnoringCase(a: Value, b: Value): Value {
  const left = Buffer.from(upperAscii(coercedText('$strcasecmp', a)));
  const right = Buffer.from(upperAscii(coercedText('$strcasecmp', b)));
  return int32Value(Buffer.compare(left, right));
}

/** What $trim removes when `chars` is not given: white space as MongoDB lists it, and NUL. */
const WHITE_SPACE: ReadonlySet<string> = new Set(
  '\0 \t\n\v\f\r\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a',
);

function trimOperator(name: '$trim' | '$ltrim' | '$rtrim'): ExpressionDefinition {
  const left = name !== '$rtrim';
  const right = name !== '$ltrim';
  return defineExpression({
    name,
    isLong: true,
    args: 'special',
    compile: (argument, compiler) => {
      const given = namedArguments(argument, {
        name,
        required: ['input'],
        optional: ['chars'],
        codes: { notObject: 50696, unknown: 50694, missing: 50695 },
      });
      const input = compiler.compile(given.get('input')!);
      const charsArgument = given.get('chars');
      const chars = charsArgument === undefined ? undefined : compiler.compile(charsArgument);
      return compiler.combine(chars === undefined ? [input] : [input, chars], (scope) => {
        const text = input.evaluate(scope);
        if (isNullish(text)) return NULL;
        const whole = requireString(text, 50699, `${name} requires its input to be a string, got `);
        if (chars === undefined) return stringValue(trimmed(whole, WHITE_SPACE, left, right));
        const set = chars.evaluate(scope);
        if (isNullish(set)) return NULL;
        const removed = requireString(set, 50700, `${name} requires 'chars' to be a string, got `);
        return stringValue(trimmed(whole, new Set(removed), left, right));
      });
    },
  });
}

function trimmed(text: string, set: ReadonlySet<string>, left: boolean, right: boolean): string {
  const characters = Array.from(text);
  let start = 0;
  let end = characters.length;
  while (left && start < end && set.has(characters[start])) start += 1;
  while (right && end > start && set.has(characters[end - 1])) end -= 1;
  return characters.slice(start, end).join('');
}

function replaceOperator(name: '$replaceOne' | '$replaceAll'): ExpressionDefinition {
  return defineExpression({
    name,
    isLong: true,
    args: 'special',
    compile: (argument, compiler) => compileReplace(name, argument, compiler),
  });
}

function compileReplace(
  name: '$replaceOne' | '$replaceAll',
  argument: RawValue,
  compiler: ExpressionCompiler,
): Expression {
  const keys = ['input', 'find', 'replacement'] as const;
  const given = namedArguments(argument, {
    name,
    required: keys,
    codes: { notObject: 51751, unknown: 51750, missing: 51749 },
  });
  const parts = keys.map((key) => compiler.compile(given.get(key)!));
  return compiler.combine(parts, (scope) => {
    const values = parts.map((part) => part.evaluate(scope));
    values.forEach((value, index) => {
      if (!isNullish(value) && !isString(value)) {
        throw new CommandError(
          [51746, 51745, 51744][index],
          `${name} requires that '${keys[index]}' be a string, found: ${typeNameOf(value)}`,
        );
      }
    });
    const [input, find, replacement] = values;
    if (isNullish(input) || isNullish(find) || isNullish(replacement)) return NULL;
    // A function as replacement: "$&" and the like have no meaning here.
    const by = (): string => replacement.asString();
    return stringValue(
      name === '$replaceOne'
        ? input.asString().replace(find.asString(), by)
        : input.asString().replaceAll(find.asString(), by),
    );
  });
}

function stringLength(
  name: string,
  code: number,
  measure: (text: string) => number,
): ExpressionDefinition {
  return defineExpression({
    name,
    isLong: true,
    args: 1,
    nullish: 'pass',
    evaluate: (value: Value) =>
      int32Value(
        measure(requireString(value, code, `${name} requires a string argument, found: `)),
      ),
  });
}

function codePoints(text: string): number {
  let count = 0;
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index);
    // The second half of a surrogate pair belongs to the character before it.
    if (unit < 0xdc00 || unit > 0xdfff) count += 1;
  }
  return count;
}

export const STRINGS: readonly ExpressionDefinition[] = [
  defineExpression({ name: '$concat', args: [0, Infinity], nullish: 'pass', evaluate: concat }),
  defineExpression({
    name: '$indexOfCP',
    isLong: true,
    args: [2, 4],
    nullish: 'pass',
    evaluate: indexOfCodePoint,
  }),
  defineExpression({
    name: '$indexOfBytes',
    isLong: true,
    args: [2, 4],
    nullish: 'pass',
    evaluate: indexOfBytes,
  }),
  defineExpression({ name: '$split', isLong: true, args: 2, nullish: 'null', evaluate: split }),
  defineExpression({
    name: '$substrBytes',
    isLong: true,
    args: [3, 3],
    nullish: 'pass',
    evaluate: substringBytes,
  }),
  defineExpression({
    name: '$substr',
    isLong: true,
    args: [3, 3],
    nullish: 'pass',
    evaluate: substringBytes,
  }),
  defineExpression({
    name: '$substrCP',
    isLong: true,
    args: [3, 3],
    nullish: 'pass',
    evaluate: substringCodePoints,
  }),
  defineExpression({
    name: '$toLower',
    isLong: true,
    args: 1,
    nullish: 'pass',
    evaluate: (value: Value) => stringValue(lowerAscii(coercedText('$toLower', value))),
  }),
  defineExpression({
    name: '$toUpper',
    isLong: true,
    args: 1,
    nullish: 'pass',
    evaluate: (value: Value) => stringValue(upperAscii(coercedText('$toUpper', value))),
  }),
  defineExpression({
    name: '$strcasecmp',
    isLong: true,
    args: 2,
    nullish: 'pass',
    evaluate: compareIgnoringCase,
  }),
  stringLength('$strLenCP', 34471, codePoints),
  stringLength('$strLenBytes', 34473, (text) => Buffer.byteLength(text)),
  defineExpression({
    name: '$binarySize',
    args: 1,
    nullish: 'null',
    evaluate: (value: RawValue) => {
      if (value.type === BsonType.binData) return int32Value(value.end - value.start - 5);
      if (value.type === BsonType.string) return int32Value(value.end - value.start - 5);
      throw new CommandError(
        51276,
        `$binarySize requires a string or BinData argument, found: ${typeNameOf(value)}`,
      );
    },
  }),
  trimOperator('$trim'),
  trimOperator('$ltrim'),
  trimOperator('$rtrim'),
  replaceOperator('$replaceOne'),
  replaceOperator('$replaceAll'),
];
