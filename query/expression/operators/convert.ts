/**
 * Conversion between types: $convert and its short forms, $type, $isNumber.
 *
 * Owns: the table of what converts into what. A value that a type cannot take gives ConversionFailure.
 */
import {
  BSON_TYPES,
  BsonType,
  binaryValue,
  booleanValue,
  dateValue,
  Decimal,
  decimalValue,
  doubleValue,
  getField,
  hashValue,
  int32Value,
  int64Value,
  NULL,
  objectIdValue,
  type RawValue,
  rawValueFrom,
  stringValue,
  uuidText,
} from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import {
  defineExpression,
  type ExpressionCompiler,
  type ExpressionDefinition,
  type Value,
} from '../definition.ts';
import type { Expression } from '../expression.ts';
import { namedArguments } from '../named-arguments.ts';
import { isNullish, isString, typeNameOf } from '../types.ts';
import { isoText } from './date-calendar.ts';
import { parseDate } from './date-text.ts';
import { textOf } from './text-of.ts';
import { UTC } from './time-zone.ts';
import { tryDateMs } from './date-arguments.ts';

/** Types that $convert makes. */
type Target =
  | typeof BsonType.double
  | typeof BsonType.string
  | typeof BsonType.objectId
  | typeof BsonType.bool
  | typeof BsonType.date
  | typeof BsonType.int32
  | typeof BsonType.int64
  | typeof BsonType.decimal128
  | typeof BsonType.binData;

interface Conversion {
  readonly to: Target;
  /** For binData: its subtype. */
  readonly subtype: number;
  /** For text and binData. */
  readonly format: string | undefined;
}

function failure(message: string): CommandError {
  return new CommandError('ConversionFailure', `${message} in $convert with no onError value`);
}

function unsupported(from: Value, to: Target): CommandError {
  return failure(`Unsupported conversion from ${typeNameOf(from)} to ${TARGET_NAMES[to]}`);
}

const TARGET_NAMES: Readonly<Record<Target, string>> = {
  [BsonType.double]: 'double',
  [BsonType.string]: 'string',
  [BsonType.objectId]: 'objectId',
  [BsonType.bool]: 'bool',
  [BsonType.date]: 'date',
  [BsonType.int32]: 'int',
  [BsonType.int64]: 'long',
  [BsonType.decimal128]: 'decimal',
  [BsonType.binData]: 'binData',
};

/** @throws CommandError 241 when the value cannot be converted. */
export function convert(value: RawValue, conversion: Conversion): RawValue {
  switch (conversion.to) {
    case BsonType.double:
      return toDouble(value);
    case BsonType.string:
      return stringValue(toText(value, conversion));
    case BsonType.objectId:
      return toObjectId(value);
    case BsonType.bool:
      return booleanValue(toBoolean(value));
    case BsonType.date:
      return toDate(value);
    case BsonType.int32:
      return toInteger(value, 32);
    case BsonType.int64:
      return toInteger(value, 64);
    case BsonType.decimal128:
      return toDecimal(value);
    case BsonType.binData:
      return toBinary(value, conversion);
  }
}

function toBoolean(value: RawValue): boolean {
  return value.type === BsonType.bool ? value.asBoolean() : value.isTruthy();
}

function toDouble(value: RawValue): RawValue {
  if (value.isNumber) {
    const number = value.asNumber();
    const overflows =
      value.type === BsonType.decimal128 &&
      !Number.isFinite(number) &&
      value.asDecimal().kind === 'finite';
    if (overflows) throw failure('Conversion would overflow target type');
    return doubleValue(number);
  }
  switch (value.type) {
    case BsonType.bool:
      return doubleValue(value.asBoolean() ? 1 : 0);
    case BsonType.date:
      return doubleValue(value.asDateMs());
    case BsonType.string:
      return doubleValue(parseNumber(value.asString()));
    default:
      throw unsupported(value, BsonType.double);
  }
}

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;

function parseNumber(text: string): number {
  if (NUMBER.test(text)) {
    const number = Number(text);
    if (Number.isFinite(number)) return number;
    throw failure(`Failed to parse number '${text}': Out of range`);
  }
  const word = /^([+-]?)(inf|infinity|nan)$/i.exec(text);
  if (word === null) throw failure(`Failed to parse number '${text}'`);
  if (word[2].toLowerCase() === 'nan') return Number.NaN;
  return word[1] === '-' ? -Infinity : Infinity;
}

function toInteger(value: RawValue, bits: 32 | 64): RawValue {
  const number = integerOf(value, bits);
  if (BigInt.asIntN(bits, number) !== number) {
    throw failure('Conversion would overflow target type');
  }
  return bits === 32 ? int32Value(Number(number)) : int64Value(number);
}

function integerOf(value: RawValue, bits: 32 | 64): bigint {
  switch (value.type) {
    case BsonType.int32:
    case BsonType.int64:
      return value.asInt64();
    case BsonType.double: {
      const number = value.asNumber();
      if (!Number.isFinite(number)) {
        throw failure('Attempt to convert NaN or infinity value to integer type');
      }
      // Looked at before the fraction goes: one above the largest int does not fit.
      if (bits === 32 && (number > 0x7fff_ffff || number < -0x8000_0000)) {
        throw failure('Conversion would overflow target type');
      }
      return BigInt(Math.trunc(number));
    }
    case BsonType.decimal128: {
      const whole = value.asDecimal().toBigInt();
      if (whole !== undefined) return whole;
      throw failure(
        value.asDecimal().kind === 'finite'
          ? 'Conversion would overflow target type'
          : 'Attempt to convert NaN or infinity value to integer type',
      );
    }
    case BsonType.bool:
      return value.asBoolean() ? 1n : 0n;
    case BsonType.date:
      if (bits === 64) return BigInt(value.asDateMs());
      break;
    case BsonType.string:
      return parseInteger(value.asString());
    default:
      break;
  }
  throw unsupported(value, bits === 32 ? BsonType.int32 : BsonType.int64);
}

function parseInteger(text: string): bigint {
  if (!/^[+-]?\d+$/.test(text)) {
    throw failure(`Failed to parse number '${text}': Did not consume whole string`);
  }
  return BigInt(text.startsWith('+') ? text.slice(1) : text);
}

function toDecimal(value: RawValue): RawValue {
  if (value.isNumber) return decimalValue(value.asDecimal());
  switch (value.type) {
    case BsonType.bool:
      return decimalValue(Decimal.fromBigInt(value.asBoolean() ? 1n : 0n));
    case BsonType.date:
      return decimalValue(Decimal.fromBigInt(BigInt(value.asDateMs())));
    case BsonType.string:
      return decimalValue(parseDecimal(value.asString()));
    default:
      throw unsupported(value, BsonType.decimal128);
  }
}

/** @throws CommandError ConversionFailure when digits became an infinity, or nothing. */
function checkInRange(text: string, parsed: Decimal): void {
  const [digits = ''] = text.split(/e/i);
  const overflows = parsed.toString().endsWith('Infinity') && /\d/.test(digits);
  const underflows = parsed.isZero && /[1-9]/.test(digits);
  if (!overflows && !underflows) return;
  throw new CommandError(
    'ConversionFailure',
    `Failed to parse number '${text}' in $convert with no onError value: Conversion from string to decimal would ${overflows ? 'overflow' : 'underflow'}`,
  );
}

function parseDecimal(text: string): Decimal {
  const decimal = decimalOf(text);
  checkInRange(text, decimal);
  return decimal;
}

function decimalOf(text: string): Decimal {
  try {
    return Decimal.fromString(text);
  } catch (cause) {
    throw new CommandError(
      'ConversionFailure',
      `Failed to parse number '${text}' in $convert with no onError value`,
      { cause },
    );
  }
}

function toDate(value: RawValue): RawValue {
  const ms = tryDateMs(value);
  if (ms !== undefined) return dateValue(ms);
  switch (value.type) {
    case BsonType.double:
    case BsonType.int64:
    case BsonType.decimal128:
      return rawValueFrom(BsonType.date, toInteger(value, 64).toBytes());
    case BsonType.string:
      return dateValue(parseDate(value.asString(), undefined, UTC));
    default:
      throw unsupported(value, BsonType.date);
  }
}

function toObjectId(value: RawValue): RawValue {
  if (value.type === BsonType.objectId) return value;
  if (value.type !== BsonType.string) throw unsupported(value, BsonType.objectId);
  const text = value.asString();
  if (!/^[0-9a-fA-F]{24}$/.test(text)) {
    throw failure(`Failed to parse objectId '${text}': Invalid string length for parsing to OID`);
  }
  return objectIdValue(Buffer.from(text, 'hex'));
}

function toText(value: RawValue, { format }: Conversion): string {
  switch (value.type) {
    case BsonType.bool:
      return value.asBoolean() ? 'true' : 'false';
    case BsonType.objectId:
      return value.asObjectIdBytes().toString('hex');
    case BsonType.date:
      return isoText(value.asDateMs());
    case BsonType.binData:
      return binaryText(value, format);
    case BsonType.double:
    case BsonType.int32:
    case BsonType.int64:
    case BsonType.decimal128:
    case BsonType.string:
      return textOf(value) ?? '';
    default:
      throw unsupported(value, BsonType.string);
  }
}

const UUID_SUBTYPE = 4;

function binaryText(value: RawValue, format: string | undefined): string {
  const { subtype, bytes } = value.asBinary();
  switch (format) {
    case 'auto':
      return subtype === UUID_SUBTYPE ? uuidText(bytes) : bytes.toString('base64');
    case 'base64':
      return bytes.toString('base64');
    case 'base64url':
      return bytes.toString('base64url');
    case 'hex':
      return bytes.toString('hex').toUpperCase();
    case 'utf8':
      return bytes.toString('utf8');
    case 'uuid':
      if (subtype === UUID_SUBTYPE && bytes.length === 16) return uuidText(bytes);
      throw failure('Failed to convert BinData to a UUID string');
    default:
      throw failure("Conversion from binData to string needs a 'format'");
  }
}

function toBinary(value: RawValue, { subtype, format }: Conversion): RawValue {
  if (value.type === BsonType.binData) {
    if (value.asBinary().subtype === subtype) return value;
    throw failure('Conversions between different binData subtypes are not supported');
  }
  if (value.type !== BsonType.string) throw unsupported(value, BsonType.binData);
  return binaryValue(bytesOfText(value.asString(), format), subtype);
}

const TEXT_FORMS: Readonly<
  Record<string, { readonly form: RegExp; readonly encoding: BufferEncoding }>
> = {
  base64: {
    form: /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/,
    encoding: 'base64',
  },
  base64url: { form: /^[A-Za-z0-9_-]*={0,2}$/, encoding: 'base64url' },
  hex: { form: /^(?:[0-9a-fA-F]{2})*$/, encoding: 'hex' },
  utf8: { form: /^/, encoding: 'utf8' },
};
const UUID = /^[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$/;

function bytesOfText(text: string, format: string | undefined): Buffer {
  const isUuid = UUID.test(text);
  if (format === 'uuid' || (format === 'auto' && isUuid)) {
    if (isUuid) return Buffer.from(text.replaceAll('-', ''), 'hex');
    throw failure(`Input string '${text}' is not a valid UUID`);
  }
  const rule = TEXT_FORMS[format === 'auto' ? 'base64' : (format ?? '')];
  if (rule === undefined) throw failure("Conversion from string to binData needs a 'format'");
  if (!rule.form.test(text)) {
    throw failure(`Input string '${text}' is not a valid ${format} string`);
  }
  return Buffer.from(text, rule.encoding);
}

const TARGETS: ReadonlyMap<string, Target> = new Map(
  Object.entries(TARGET_NAMES).map(([code, name]) => [name, Number(code) as Target]),
);

/** `to`: a name, a number, or {type, subtype}. undefined: null. */
function targetOf(value: Value): { to: Target; subtype: number } | undefined {
  if (isNullish(value)) return undefined;
  if (value.type === BsonType.object) {
    const document = value.asDocument();
    const type = targetOf(getField(document, 'type'));
    const subtype = getField(document, 'subtype');
    return type && { to: type.to, subtype: subtype?.asNumber() ?? 0 };
  }
  const name = value.type === BsonType.string ? value.asString() : nameOfCode(value);
  const to = TARGETS.get(name);
  if (to !== undefined) return { to, subtype: 0 };
  const known = BSON_TYPES.some((type) => type.name === name);
  if (!known) {
    throw new CommandError('BadValue', `Unknown type name: ${name}`);
  }
  throw failure(`Unsupported conversion to type ${name}`);
}

function nameOfCode(value: RawValue): string {
  const code = value.asNumber();
  if (!value.isNumber || !Number.isInteger(code)) {
    throw new CommandError(
      'FailedToParse',
      "$convert's 'to' argument must be a string or number, but is " + typeNameOf(value),
    );
  }
  const found = BSON_TYPES.find((type) => type.code === code);
  if (found !== undefined) return found.name;
  throw new CommandError(
    'FailedToParse',
    `In $convert, numeric value for 'to' does not correspond to a BSON type: ${code}`,
  );
}

function compileConvert(argument: RawValue, compiler: ExpressionCompiler): Expression {
  const given = namedArguments(argument, {
    name: '$convert',
    required: ['input', 'to'],
    optional: ['onError', 'onNull', 'format', 'byteOrder'],
    codes: { notObject: 'FailedToParse', unknown: 'FailedToParse', missing: 'FailedToParse' },
  });
  const input = compiler.compile(given.get('input')!);
  const to = compiler.compile(given.get('to')!);
  const format = optional(given.get('format'), compiler);
  const onNull = given.has('onNull')
    ? compiler.compile(given.get('onNull')!)
    : compiler.constant(NULL);
  const onErrorArgument = given.get('onError');
  const onError = onErrorArgument === undefined ? undefined : compiler.compile(onErrorArgument);
  const parts = [input, to, format, onNull];
  return compiler.combine(onError === undefined ? parts : [...parts, onError], (scope) => {
    const value = input.evaluate(scope);
    // Looked at first: a type that there is none of is an error also when there is nothing to convert.
    const target = targetOf(to.evaluate(scope));
    if (isNullish(value)) return onNull.evaluate(scope);
    if (target === undefined) return NULL;
    const formatValue = format.evaluate(scope);
    try {
      return convert(value, {
        ...target,
        format: isString(formatValue) ? formatValue.asString() : undefined,
      });
    } catch (error) {
      const isConversion = error instanceof CommandError && error.codeName === 'ConversionFailure';
      if (onError === undefined || !isConversion) throw error;
      return onError.evaluate(scope);
    }
  });
}

function optional(argument: RawValue | undefined, compiler: ExpressionCompiler): Expression {
  return argument === undefined ? compiler.constant(undefined) : compiler.compile(argument);
}

function shortForm(
  name: string,
  to: Target,
  details: Partial<Conversion> = {},
): ExpressionDefinition {
  const conversion: Conversion = { subtype: 0, format: undefined, ...details, to };
  return defineExpression({
    name,
    args: 1,
    nullish: 'null',
    evaluate: (value: RawValue) => convert(value, conversion),
  });
}

/** The size of an object as BSON, bytes. */
function bsonSize(value: RawValue): Value {
  if (value.type === BsonType.object) return int32Value(value.end - value.start);
  throw new CommandError(31393, `$bsonSize requires a document input, found: ${typeNameOf(value)}`);
}

export const CONVERSION: readonly ExpressionDefinition[] = [
  defineExpression({ name: '$convert', args: 'special', compile: compileConvert }),
  shortForm('$toBool', BsonType.bool),
  shortForm('$toDate', BsonType.date),
  shortForm('$toDecimal', BsonType.decimal128),
  shortForm('$toDouble', BsonType.double),
  shortForm('$toInt', BsonType.int32),
  shortForm('$toLong', BsonType.int64),
  shortForm('$toObjectId', BsonType.objectId),
  shortForm('$toString', BsonType.string, { format: 'auto' }),
  shortForm('$toUUID', BsonType.binData, { format: 'uuid', subtype: UUID_SUBTYPE }),
  defineExpression({
    name: '$type',
    args: 1,
    nullish: 'pass',
    evaluate: (value) => stringValue(typeNameOf(value)),
  }),
  defineExpression({
    name: '$isNumber',
    args: 1,
    nullish: 'pass',
    evaluate: (value) => booleanValue(value?.isNumber ?? false),
  }),
  defineExpression({
    name: '$toHashedIndexKey',
    isLong: true,
    args: 1,
    nullish: 'pass',
    evaluate: (value) => int64Value(hashValue(value)),
  }),
  defineExpression({ name: '$bsonSize', args: 1, nullish: 'null', evaluate: bsonSize }),
];
