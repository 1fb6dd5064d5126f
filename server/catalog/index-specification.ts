/**
 * What a client may ask of an index, checked and put into the form that listIndexes shows.
 *
 * Owns: MongoDB's rules for key patterns, names and options. Kinds and options that are not built yet are refused by name.
 * Source: MongoDB's manual, "createIndexes"; conflicts: "IndexOptionsConflict" and "IndexKeySpecsConflict".
 */
import {
  binaryEqual,
  BsonType,
  compareDocuments,
  documentValue,
  DocumentBuilder,
  FieldCursor,
  getField,
  inspect,
  type RawValue,
} from '../../bson/index.ts';
import { uassert } from '../../common/assert.ts';
import { CommandError } from '../../common/errors.ts';
import type { IndexDescription } from '../../storage/index.ts';

/** Most fields of one index. */
const MAX_INDEX_FIELDS = 32;
const MAX_KEY_PATTERN_BYTES = 2048;
/** Most indexes of one collection. */
export const MAX_INDEXES_PER_COLLECTION = 64;

/** One index as a client asked for it, checked. */
export interface IndexSpecification {
  readonly name: string;
  readonly keyPattern: Buffer;
  /** The whole specification with its version: {v, key, name, ...options}. */
  readonly spec: Buffer;
}

/** What becomes of an option. */
type OptionRule = 'flag' | 'ignored' | 'refused';

const OPTION_RULES: ReadonlyMap<string, OptionRule> = new Map<string, OptionRule>([
  ['unique', 'flag'],
  ['sparse', 'flag'],
  // All builds run beside writes; the option has had no effect since MongoDB 4.2.
  ['background', 'ignored'],
  ['ns', 'ignored'],
  ['dropDups', 'ignored'],
  ['hidden', 'refused'],
  ['expireAfterSeconds', 'refused'],
  ['partialFilterExpression', 'refused'],
  ['collation', 'refused'],
  ['storageEngine', 'refused'],
  ['wildcardProjection', 'refused'],
  ['weights', 'refused'],
  ['default_language', 'refused'],
  ['language_override', 'refused'],
  ['textIndexVersion', 'refused'],
  ['2dsphereIndexVersion', 'refused'],
  ['bits', 'refused'],
  ['min', 'refused'],
  ['max', 'refused'],
  ['bucketSize', 'refused'],
  ['prepareUnique', 'refused'],
  ['clustered', 'refused'],
]);

/** @throws CommandError CannotCreateIndex, InvalidIndexSpecificationOption, TypeMismatch, FailedToParse */
export function parseIndexSpecification(requested: Buffer): IndexSpecification {
  const key = getField(requested, 'key');
  if (key === undefined) {
    throw new CommandError(
      'FailedToParse',
      `Error in specification ${inspect(requested)} :: caused by :: The 'key' field is a required property of an index specification`,
    );
  }
  if (key.type !== BsonType.object) {
    throw new CommandError(
      'TypeMismatch',
      `The field 'key' must be an object, but got ${key.typeName}`,
    );
  }
  const keyPattern = key.asDocument();
  checkKeyPattern(keyPattern);
  if (isIdPattern(keyPattern)) checkIdIndex(keyPattern, requested);
  const name = nameOf(requested);
  const out = new DocumentBuilder();
  out.appendInt32('v', 2).appendDocument('key', keyPattern).appendString('name', name);
  appendOptions(out, requested);
  return { name, keyPattern, spec: out.finish() };
}

function nameOf(requested: Buffer): string {
  const name = getField(requested, 'name');
  if (name === undefined) {
    throw new CommandError(
      'FailedToParse',
      `Error in specification ${inspect(requested)} :: caused by :: The 'name' field is a required property of an index specification`,
    );
  }
  if (name.type !== BsonType.string) {
    throw new CommandError(
      'TypeMismatch',
      `The field 'name' must be a string, but got ${name.typeName}`,
    );
  }
  const text = name.asString();
  uassert(text !== '', 'CannotCreateIndex', 'index name cannot be empty');
  uassert(text !== '*', 'BadValue', "The index name '*' is not valid.");
  // Replies have fields that are called as the index is, and names of fields hold no NUL.
  uassert(!text.includes('\0'), 'CannotCreateIndex', 'index name cannot contain a null byte');
  return text;
}

/** {_id: 1} or {_id: -1}: MongoDB takes both for the index that every collection has. */
function isIdPattern(keyPattern: Buffer): boolean {
  const fields = new FieldCursor(keyPattern);
  if (!fields.next() || !fields.nameIs('_id')) return false;
  const direction = Math.trunc(fields.value().asNumber());
  return Math.abs(direction) === 1 && !fields.next();
}

/** What may be said of the index on _id: it is always unique and complete. */
const ID_INDEX_OPTIONS: ReadonlySet<string> = new Set(['key', 'name', 'v', 'ns', 'collation']);

function checkIdIndex(keyPattern: Buffer, requested: Buffer): void {
  // The key of a clustered collection is spelled like an index that is unique.
  if (getField(requested, 'clustered') !== undefined) return;
  const direction = getField(keyPattern, '_id')?.asNumber();
  uassert(
    direction === 1,
    'BadValue',
    `The field 'key' for an _id index must be {_id: 1}, but got ${inspect(keyPattern)}`,
  );
  const fields = new FieldCursor(requested);
  while (fields.next()) {
    if (ID_INDEX_OPTIONS.has(fields.name)) continue;
    throw new CommandError(
      'InvalidIndexSpecificationOption',
      `The field '${fields.name}' is not valid for an _id index specification. Specification: ${inspect(requested)}`,
    );
  }
}

function checkKeyPattern(keyPattern: Buffer): void {
  uassert(
    keyPattern.length <= MAX_KEY_PATTERN_BYTES,
    'CannotCreateIndex',
    'Index key pattern too large.',
  );
  let fieldCount = 0;
  const fields = new FieldCursor(keyPattern);
  while (fields.next()) {
    fieldCount += 1;
    checkPath(fields.name);
    checkDirection(fields.name, fields.value());
  }
  uassert(fieldCount > 0, 'CannotCreateIndex', 'Index keys cannot be an empty object');
  uassert(
    fieldCount <= MAX_INDEX_FIELDS,
    'CannotCreateIndex',
    `Index key pattern has too many fields: the limit is ${MAX_INDEX_FIELDS}`,
  );
}

function checkPath(path: string): void {
  uassert(path !== '', 'CannotCreateIndex', 'Index keys cannot be an empty field.');
  for (const part of path.split('.')) {
    uassert(part !== '', 'CannotCreateIndex', 'Index keys cannot contain an empty field.');
    const isReference = part === '$id' || part === '$ref' || part === '$db';
    if (!part.startsWith('$') || isReference || part.startsWith('$**')) continue;
    throw new CommandError(
      'CannotCreateIndex',
      "Index key contains an illegal field name: field name starts with '$'.",
    );
  }
}

/** Kinds of indexes that MongoDB has and FlintDB does not have yet. */
const KNOWN_KINDS: ReadonlySet<string> = new Set(['hashed', 'text', '2d', '2dsphere']);

function checkDirection(path: string, value: RawValue): void {
  if (value.type === BsonType.string) throw unsupportedKind(path, value.asString());
  if (path.includes('$**')) {
    throw new CommandError('CannotCreateIndex', 'FlintDB has no wildcard indexes yet');
  }
  if (!value.isNumber) {
    throw new CommandError(
      'CannotCreateIndex',
      `Values in v:2 index key pattern cannot be of type ${value.typeName}. Only numbers > 0, numbers < 0, and strings are allowed.`,
    );
  }
  const direction = value.asNumber();
  uassert(
    !Number.isNaN(direction),
    'CannotCreateIndex',
    'Values in the index key pattern cannot be NaN.',
  );
  uassert(direction !== 0, 'CannotCreateIndex', 'Values in the index key pattern cannot be 0.');
}

function unsupportedKind(path: string, kind: string): CommandError {
  if (kind === '') {
    return new CommandError(
      'CannotCreateIndex',
      'Values in the index key pattern cannot be empty strings',
    );
  }
  return new CommandError(
    'CannotCreateIndex',
    KNOWN_KINDS.has(kind)
      ? `FlintDB has no index of kind '${kind}' yet (field '${path}')`
      : `Unknown index plugin '${kind}'`,
  );
}

function appendOptions(out: DocumentBuilder, requested: Buffer): void {
  const fields = new FieldCursor(requested);
  while (fields.next()) {
    const option = fields.name;
    if (option === 'key' || option === 'name') continue;
    if (option === 'v') checkVersion(fields.value());
    else appendOption(out, option, fields.value(), requested);
  }
}

function checkVersion(version: RawValue): void {
  if (version.isNumber && version.asNumber() === 2) return;
  throw new CommandError(
    'CannotCreateIndex',
    `Invalid index specification: index version must be 2, found v: ${inspect(version)}`,
  );
}

function appendOption(out: DocumentBuilder, option: string, value: RawValue, all: Buffer): void {
  switch (OPTION_RULES.get(option)) {
    case 'flag':
      if (value.type !== BsonType.bool && !value.isNumber) {
        throw new CommandError(
          'TypeMismatch',
          `The field '${option}' must be a bool or a number, but got ${value.typeName}`,
        );
      }
      if (value.isTruthy()) out.appendBoolean(option, true);
      break;
    case 'ignored':
      break;
    case 'refused':
      if (value.type === BsonType.bool && !value.asBoolean()) break;
      throw new CommandError(
        'NotImplemented',
        `The index option '${option}' is not supported by this version of FlintDB`,
      );
    case undefined:
      throw new CommandError(
        'InvalidIndexSpecificationOption',
        `Error in specification ${inspect(all)} :: caused by :: The field '${option}' is not valid for an index specification.`,
      );
  }
}

/** An index that is there, or will be. */
type NamedIndex = Pick<IndexDescription, 'name' | 'spec'>;

/**
 * Compares a wanted index with those that are there.
 * @returns true when it is there already
 * @throws CommandError IndexKeySpecsConflict, IndexOptionsConflict
 */
export function isAlreadyThere(
  wanted: IndexSpecification,
  existing: readonly NamedIndex[],
): boolean {
  for (const index of existing) {
    const keyPattern = getField(index.spec, 'key')?.asDocument();
    const sameKey =
      keyPattern !== undefined && compareDocuments(keyPattern, wanted.keyPattern) === 0;
    // The _id index cannot be asked for with options of its own.
    if (sameKey && index.name === '_id_') return true;
    const sameOptions = sameKey && binaryEqual(optionsOf(index.spec), optionsOf(wanted.spec));
    if (sameOptions && index.name === wanted.name) return true;
    if (index.name === wanted.name) throw sameNameConflict(wanted, index);
    if (sameOptions) {
      throw new CommandError(
        'IndexOptionsConflict',
        `Index already exists with a different name: ${index.name}`,
      );
    }
  }
  return false;
}

function sameNameConflict(wanted: IndexSpecification, index: NamedIndex): CommandError {
  return new CommandError(
    'IndexKeySpecsConflict',
    'An existing index has the same name as the requested index. When index names are not specified, they are auto ' +
      `generated and can cause conflicts. Please refer to our documentation. Requested index: ${inspect(wanted.spec)}, ` +
      `existing index: ${inspect(index.spec)}`,
  );
}

/** The specification without key and name: equal options mean the same index under another name. */
function optionsOf(spec: Buffer): RawValue {
  const out = new DocumentBuilder();
  const fields = new FieldCursor(spec);
  while (fields.next()) {
    if (fields.name !== 'key' && fields.name !== 'name') out.append(fields.name, fields.value());
  }
  return documentValue(out.finish());
}
