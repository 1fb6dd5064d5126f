/**
 * The options of an index specification: one line each, in the order in which listIndexes shows them.
 *
 * Owns: what each option may hold, whatever the kind of the index. Source: MongoDB's manual, "createIndexes".
 */
import {
  booleanValue,
  BsonType,
  DocumentBuilder,
  FieldCursor,
  fieldCount,
  fieldsOf,
  getField,
  inspect,
  int32Value,
  isEmpty,
  type RawValue,
} from '../../bson/index.ts';
import { uassert } from '../../common/assert.ts';
import { CommandError } from '../../common/errors.ts';
import { checkPartialFilter, compileCollation, kindNameOf } from '../../query/index.ts';

interface IndexOption {
  readonly name: string;
  /** Checks a value and gives it as it is kept; undefined: it is not kept. */
  readonly read: (value: RawValue, name: string, specification: Buffer) => RawValue | undefined;
}

const INDEX_OPTIONS: readonly IndexOption[] = [
  { name: 'unique', read: flag },
  { name: 'hidden', read: hiddenFlag },
  { name: 'partialFilterExpression', read: partialFilter },
  { name: 'sparse', read: flag },
  { name: 'expireAfterSeconds', read: expireAfterSeconds },
  { name: 'storageEngine', read: refused },
  { name: 'weights', read: weights },
  { name: 'default_language', read: text },
  { name: 'language_override', read: text },
  { name: 'textIndexVersion', read: number },
  { name: '2dsphereIndexVersion', read: number },
  { name: 'bits', read: number },
  { name: 'min', read: number },
  { name: 'max', read: number },
  { name: 'coarsestIndexedLevel', read: number },
  { name: 'finestIndexedLevel', read: number },
  { name: 'bucketSize', read: number },
  { name: 'collation', read: collation },
  { name: 'wildcardProjection', read: wildcardProjection },
  { name: 'prepareUnique', read: flag },
  { name: 'clustered', read: flag },
  // All builds run beside writes; these have had no effect since MongoDB 4.2.
  { name: 'background', read: uselessFlag },
  { name: 'dropDups', read: uselessFlag },
  { name: 'ns', read: () => undefined },
  { name: 'v', read: version },
];

const OPTION_NAMES: ReadonlySet<string> = new Set([
  'key',
  'name',
  ...INDEX_OPTIONS.map(({ name }) => name),
]);

/** A specification without the fields that no index has: what ignoreUnknownIndexOptions makes of it. */
export function withoutUnknownOptions(requested: Buffer): Buffer {
  const known = new DocumentBuilder();
  for (const [name, value] of fieldsOf(requested)) {
    if (OPTION_NAMES.has(name)) known.append(name, value);
  }
  return known.finish();
}

/**
 * The options that a client asks for, checked, in the order of listIndexes.
 * @throws CommandError InvalidIndexSpecificationOption, TypeMismatch, CannotCreateIndex, BadValue
 */
export function checkedOptions(requested: Buffer): ReadonlyMap<string, RawValue> {
  const fields = new FieldCursor(requested);
  while (fields.next()) {
    if (OPTION_NAMES.has(fields.name)) continue;
    throw new CommandError(
      'InvalidIndexSpecificationOption',
      `The field '${fields.name}' is not valid for an index specification. Specification: ${inspect(requested)}`,
    );
  }
  const options = new Map<string, RawValue>();
  for (const { name, read } of INDEX_OPTIONS) {
    const value = getField(requested, name);
    const kept = value === undefined ? undefined : read(value, name, requested);
    if (kept !== undefined) options.set(name, kept);
  }
  checkTogether(options, requested);
  return options;
}

function checkTogether(options: ReadonlyMap<string, RawValue>, requested: Buffer): void {
  uassert(
    !(options.has('unique') && options.has('prepareUnique')),
    'CannotCreateIndex',
    `Invalid index specification ${inspect(requested)}; cannot create an index with the 'unique' option and the 'prepareUnique' option`,
  );
  uassert(
    !(options.has('partialFilterExpression') && options.has('sparse')),
    'CannotCreateIndex',
    'cannot mix "partialFilterExpression" and "sparse" options',
  );
}

function flag(value: RawValue, name: string): RawValue | undefined {
  if (value.type !== BsonType.bool && !value.isNumber) {
    throw new CommandError(
      'TypeMismatch',
      `The field '${name} has value ${name}: ${inspect(value)}, which is not convertible to bool`,
    );
  }
  return value.isTruthy() ? booleanValue(true) : undefined;
}

function uselessFlag(value: RawValue, name: string): undefined {
  flag(value, name);
}

function hiddenFlag(value: RawValue, name: string): RawValue | undefined {
  if (value.type !== BsonType.bool) throw wrongType(name, 'a bool', value);
  return value.asBoolean() ? value : undefined;
}

function number(value: RawValue, name: string): RawValue {
  if (value.isNumber) return value;
  throw wrongType(name, 'a number', value);
}

function text(value: RawValue, name: string): RawValue {
  if (value.type === BsonType.string) return value;
  throw wrongType(name, 'a string', value);
}

function refused(_value: RawValue, name: string): never {
  throw new CommandError(
    'NotImplemented',
    `The index option '${name}' is not supported by this version of FlintDB`,
  );
}

function partialFilter(value: RawValue, name: string): RawValue {
  if (value.type !== BsonType.object) throw wrongType(name, 'an object', value);
  checkPartialFilter(value.asDocument());
  return value;
}

function weights(value: RawValue, name: string, specification: Buffer): RawValue {
  const { type } = value;
  if (type !== BsonType.object && type !== BsonType.array && type !== BsonType.string) {
    throw wrongType(name, 'an object', value);
  }
  uassert(
    kindNameOf(keyPatternOf(specification)) === 'text',
    'CannotCreateIndex',
    `Invalid index specification ${inspect(specification)}; the field 'weights' can only be specified with text indexes`,
  );
  return value;
}

/** Checked only: the specification gets the collation with all its defaults, or its collection's. */
function collation(value: RawValue, name: string): RawValue {
  if (value.type !== BsonType.object) throw wrongType(name, 'an object', value);
  uassert(
    !isEmpty(value.asDocument()),
    'BadValue',
    "The field 'collation' cannot be an empty object.",
  );
  compileCollation(value.asDocument());
  return value;
}

function wildcardProjection(value: RawValue, name: string, specification: Buffer): RawValue {
  const keyPattern = keyPatternOf(specification);
  uassert(
    kindNameOf(keyPattern) === 'wildcard',
    'BadValue',
    "The field 'wildcardProjection' is only allowed in 'wildcard' indexes",
  );
  if (value.type !== BsonType.object) throw wrongType(name, 'a non-empty object', value);
  uassert(
    getField(keyPattern, '$**') !== undefined,
    'FailedToParse',
    "The field 'wildcardProjection' is only allowed when 'key' is {\"$**\": ±1}",
  );
  uassert(
    !isEmpty(value.asDocument()),
    'FailedToParse',
    "The 'wildcardProjection' field can't be an empty object",
  );
  return value;
}

const MAX_INT32 = 0x7fff_ffff;

function expireAfterSeconds(value: RawValue, _name: string, specification: Buffer): RawValue {
  const about = `. Index spec: ${inspect(specification)}`;
  const refuse = (problem: string): never => {
    throw new CommandError(
      'CannotCreateIndex',
      `TTL index 'expireAfterSeconds' ${problem}${about}`,
    );
  };
  if (!value.isNumber) {
    return refuse(`option must be numeric, but received a type of '${value.typeName}'`);
  }
  const seconds = Math.trunc(value.asNumber());
  if (Number.isNaN(seconds)) return refuse('option must not be NaN');
  if (seconds > MAX_INT32 || seconds < -MAX_INT32 - 1) {
    return refuse('must be within the range of a 32-bit integer');
  }
  if (seconds < 0) return refuse('option cannot be less than 0');
  uassert(
    fieldCount(keyPatternOf(specification)) === 1,
    'CannotCreateIndex',
    `TTL indexes are single-field indexes, compound indexes do not support TTL${about}`,
  );
  return int32Value(seconds);
}

function version(value: RawValue, name: string, specification: Buffer): undefined {
  if (!value.isNumber) throw wrongType(name, 'a number', value);
  const wanted = value.asNumber();
  if (wanted === 2) return;
  if (wanted === 1) {
    uassert(
      getField(specification, 'collation') === undefined,
      'CannotCreateIndex',
      `Invalid index specification ${inspect(specification)}; cannot create an index with the 'collation' option and v=1`,
    );
    return;
  }
  uassert(
    wanted === (wanted | 0),
    'BadValue',
    `Index version must be representable as a 32-bit integer, but got ${inspect(value)}`,
  );
  throw new CommandError(
    'CannotCreateIndex',
    `Invalid index specification ${inspect(specification)}; cannot create an index with v=${wanted}`,
  );
}

function keyPatternOf(specification: Buffer): Buffer {
  const key = getField(specification, 'key');
  uassert(key?.type === BsonType.object, 'TypeMismatch', "The field 'key' must be an object");
  return key.asDocument();
}

function wrongType(name: string, expected: string, value: RawValue): CommandError {
  return new CommandError(
    'TypeMismatch',
    `The field '${name}' must be ${expected}, but got ${value.typeName}`,
  );
}
