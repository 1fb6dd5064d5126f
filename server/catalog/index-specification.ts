/**
 * What a client may ask of an index, checked and put into the form that listIndexes shows.
 *
 * Owns: MongoDB's rules for names and key patterns, and when a wanted index is there already, or conflicts with one that is.
 * What options may hold is index-options.ts' business, what is special to a kind is its definition's (query/index-kind).
 * Source: MongoDB's manual, "createIndexes"; conflicts: "IndexOptionsConflict" and "IndexKeySpecsConflict".
 */
import {
  binaryEqual,
  BsonType,
  compareDocuments,
  DocumentBuilder,
  EMPTY_DOCUMENT,
  FieldCursor,
  getField,
  inspect,
  type RawValue,
  valuesEqual,
} from '../../bson/index.ts';
import { uassert } from '../../common/assert.ts';
import { CommandError } from '../../common/errors.ts';
import { compileCollation, indexKindNamed, kindNameOf } from '../../query/index.ts';
import type { CollectionDescription, IndexDescription } from '../../storage/index.ts';
import { cappedLimitsOf } from './capped-collections.ts';
import { checkedOptions } from './index-options.ts';

/** Most fields of one index. */
const MAX_INDEX_FIELDS = 32;
const MAX_KEY_PATTERN_BYTES = 2048;
/** Most indexes of one collection. */
export const MAX_INDEXES_PER_COLLECTION = 64;
const ID_INDEX_NAME = '_id_';

/** One index as a client asked for it, checked. */
export interface IndexSpecification {
  readonly name: string;
  readonly keyPattern: Buffer;
  /** The whole specification with its version: {v, key, name, ...options}. */
  readonly spec: Buffer;
}

/**
 * @param collection the one that is to have the index: it may have a default collation; undefined when it is not there yet
 * @throws CommandError CannotCreateIndex, InvalidIndexSpecificationOption, TypeMismatch, FailedToParse
 */
export function parseIndexSpecification(
  requested: Buffer,
  collection?: CollectionDescription,
): IndexSpecification {
  const key = withContext(requested, () => keyOf(requested));
  const name = withContext(requested, () => nameOf(requested));
  const kindName = kindNameOf(key);
  const kind = indexKindNamed(kindName);
  const options = withContext(requested, () => {
    checkKeyPattern(key, kindName);
    if (kind === undefined) throw unknownKind(kindName);
    return checkedOptions(requested);
  });
  const isId = isIdPattern(key);
  if (isId) checkIdIndex(key, requested);
  else checkName(name, key);
  uassert(
    !options.has('expireAfterSeconds') ||
      collection === undefined ||
      cappedLimitsOf(collection.options) === undefined,
    'CannotCreateIndex',
    'Cannot create TTL index on a capped collection',
  );
  const completed = kind!.complete({ keyPattern: key, options });
  const out = new DocumentBuilder();
  // Old dumps have indexes of version 1. They are kept as all others are, and shown as they were made.
  const version = getField(requested, 'v')?.asNumber() === 1 ? 1 : 2;
  out.appendInt32('v', version).appendDocument('key', completed.keyPattern);
  out.appendString('name', isId && !options.has('clustered') ? ID_INDEX_NAME : name);
  const collation = collationOf(requested, collection);
  uassert(
    !isId ||
      collection === undefined ||
      sameBytes(collation, collationOf(EMPTY_DOCUMENT, collection)),
    'CannotCreateIndex',
    '_id index must have the collection default collation',
  );
  for (const [option, value] of completed.options) {
    if (option !== 'collation') out.append(option, value);
  }
  if (collation !== undefined) {
    uassert(
      COLLATED_KINDS.has(kindName),
      'CannotCreateIndex',
      `Index type '${kindName}' does not support collation: ${inspect(collation)}`,
    );
    out.appendDocument('collation', collation);
  }
  return { name, keyPattern: completed.keyPattern, spec: out.finish() };
}

/** Kinds whose keys hold strings as they are. */
const COLLATED_KINDS: ReadonlySet<string> = new Set(['ordered', 'hashed', 'wildcard', '2dsphere']);

/** What the index compares strings by: what was asked for, else what its collection compares by. Absent: their bytes. */
function collationOf(
  requested: Buffer,
  collection: CollectionDescription | undefined,
): Buffer | undefined {
  const own = getField(requested, 'collation');
  const inherited =
    collection === undefined ? undefined : getField(collection.options, 'collation');
  const collation = own ?? inherited;
  return collation === undefined ? undefined : compileCollation(collation.asDocument())?.spec;
}

function sameBytes(a: Buffer | undefined, b: Buffer | undefined): boolean {
  return a === b || (a !== undefined && b !== undefined && a.equals(b));
}

/** Says of an error which specification it is about. */
function withContext<Result>(requested: Buffer, check: () => Result): Result {
  try {
    return check();
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    throw new CommandError(
      error.code,
      `Error in specification ${inspect(requested)} :: caused by :: ${error.message}`,
    );
  }
}

function keyOf(requested: Buffer): Buffer {
  const key = getField(requested, 'key');
  uassert(
    key !== undefined,
    'FailedToParse',
    "The 'key' field is a required property of an index specification",
  );
  if (key.type === BsonType.object) return key.asDocument();
  throw new CommandError(
    'TypeMismatch',
    `The field 'key' must be an object, but got ${key.typeName}`,
  );
}

function nameOf(requested: Buffer): string {
  const name = getField(requested, 'name');
  uassert(
    name !== undefined,
    'FailedToParse',
    "The 'name' field is a required property of an index specification",
  );
  if (name.type !== BsonType.string) {
    throw new CommandError(
      'TypeMismatch',
      `The field 'name' must be a string, but got ${name.typeName}`,
    );
  }
  const text = name.asString();
  uassert(text !== '', 'CannotCreateIndex', 'index name cannot be empty');
  // Replies have fields that are called as the index is, and names of fields hold no NUL.
  uassert(!text.includes('\0'), 'CannotCreateIndex', 'index name cannot contain a null byte');
  return text;
}

function checkName(name: string, keyPattern: Buffer): void {
  uassert(name !== '*', 'BadValue', "The index name '*' is not valid.");
  if (name !== ID_INDEX_NAME) return;
  throw new CommandError(
    'BadValue',
    `The index name '_id_' is reserved for the _id index, which must have key pattern {_id: 1}, found ${inspect(keyPattern)}`,
  );
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
  uassert(getField(requested, 'hidden') === undefined, 'BadValue', "can't hide _id index");
  const fields = new FieldCursor(requested);
  while (fields.next()) {
    if (ID_INDEX_OPTIONS.has(fields.name)) continue;
    throw new CommandError(
      'InvalidIndexSpecificationOption',
      `The field '${fields.name}' is not valid for an _id index specification. Specification: ${inspect(requested)}`,
    );
  }
}

function checkKeyPattern(keyPattern: Buffer, kindName: string): void {
  uassert(
    keyPattern.length <= MAX_KEY_PATTERN_BYTES,
    'CannotCreateIndex',
    'Index key pattern too large.',
  );
  const seen = new Set<string>();
  const fields = new FieldCursor(keyPattern);
  while (fields.next()) {
    if (seen.has(fields.name)) throw repeatedField(fields.name, keyPattern);
    seen.add(fields.name);
    checkDirection(fields.value(), kindName);
    checkPath(fields.name, fields.value(), kindName);
  }
  uassert(seen.size > 0, 'CannotCreateIndex', 'Index keys cannot be an empty object');
  uassert(
    seen.size <= MAX_INDEX_FIELDS,
    'CannotCreateIndex',
    `Index key pattern has too many fields: the limit is ${MAX_INDEX_FIELDS}`,
  );
}

function repeatedField(name: string, keyPattern: Buffer): CommandError {
  return new CommandError(
    'BadValue',
    `The field '${name}' appears multiple times in the index key pattern ${inspect(keyPattern)}`,
  );
}

function checkPath(path: string, value: RawValue, kindName: string): void {
  uassert(path !== '', 'CannotCreateIndex', 'Index keys cannot be an empty field.');
  const isText = value.type === BsonType.string && value.asString() === 'text';
  if (path === '$**' && (value.isNumber || isText)) return;
  uassert(
    path !== '_fts' || isText,
    'CannotCreateIndex',
    "Index key contains an illegal field name: '_fts'",
  );
  const parts = path.split('.');
  for (const [position, part] of parts.entries()) {
    uassert(part !== '', 'CannotCreateIndex', 'Index keys cannot contain an empty field.');
    if (!part.startsWith('$')) continue;
    const isReference = position > 0 && (part === '$id' || part === '$ref' || part === '$db');
    const isWildcard = part === '$**' && position === parts.length - 1 && kindName === 'wildcard';
    uassert(
      isReference || isWildcard,
      'CannotCreateIndex',
      "Index key contains an illegal field name: field name starts with '$'.",
    );
  }
}

function checkDirection(value: RawValue, kindName: string): void {
  if (value.type === BsonType.string) checkKindName(value.asString(), kindName);
  else if (value.isNumber) checkNumber(value.asNumber());
  else {
    throw new CommandError(
      'CannotCreateIndex',
      `Values in v:2 index key pattern cannot be of type ${value.typeName}. Only numbers > 0, numbers < 0, and strings are allowed.`,
    );
  }
}

function checkNumber(direction: number): void {
  uassert(
    !Number.isNaN(direction),
    'CannotCreateIndex',
    'Values in the index key pattern cannot be NaN.',
  );
  uassert(direction !== 0, 'CannotCreateIndex', 'Values in the index key pattern cannot be 0.');
}

function checkKindName(name: string, kindName: string): void {
  uassert(
    name !== '',
    'CannotCreateIndex',
    'Values in the index key pattern cannot be empty strings',
  );
  uassert(
    name !== 'wildcard',
    'CannotCreateIndex',
    "The key pattern value for an 'wildcard' index must be a non-zero number, not a string.",
  );
  uassert(
    name === kindName,
    'CannotCreateIndex',
    "Can't use more than one index plugin for a single index.",
  );
}

function unknownKind(kind: string): CommandError {
  return new CommandError('CannotCreateIndex', `Unknown index plugin '${kind}'`);
}

/** Only the index that gives a collection its order is clustered, and only it bears its name. */
function checkClustered(wanted: IndexSpecification, existing: readonly NamedIndex[]): void {
  const clustered = existing.find(isClusteredIndex);
  if (clustered !== undefined && isIdPattern(wanted.keyPattern)) return;
  uassert(
    !isClusteredIndex(wanted),
    6243700,
    "Cannot create index with option 'clustered' that does not match an existing clustered index",
  );
  if (clustered?.name !== wanted.name) return;
  throw new CommandError(
    6100906,
    `Cannot create an index where the name matches the clusteredIndex but the key does not - indexSpec: ${inspect(wanted.spec)}, clusteredIndex: ${inspect(clustered.spec)}`,
  );
}

function isClusteredIndex({ spec }: Pick<NamedIndex, 'spec'>): boolean {
  return getField(spec, 'clustered')?.isTruthy() === true;
}

/** An index that is there, or will be. */
type NamedIndex = Pick<IndexDescription, 'name' | 'spec'>;

/** How two indexes compare: 'equivalent' ones differ in options that do not tell indexes apart. */
type Comparison = 'identical' | 'equivalent' | 'different';

/**
 * Compares a wanted index with those that are there.
 * @returns true when it is there already
 * @throws CommandError IndexKeySpecsConflict, IndexOptionsConflict, 6243700 and 6100906 about clustered indexes
 */
export function isAlreadyThere(
  wanted: IndexSpecification,
  existing: readonly NamedIndex[],
): boolean {
  checkClustered(wanted, existing);
  // The _id index cannot be asked for with options of its own.
  if (isIdPattern(wanted.keyPattern) && existing.some(isIdIndex)) return true;
  const namesake = existing.find(({ name }) => name === wanted.name);
  if (namesake !== undefined) {
    const comparison = compareIndexes(wanted.spec, namesake.spec);
    if (comparison === 'identical') return true;
    throw comparison === 'different'
      ? sameNameConflict(wanted, namesake)
      : optionsConflict('with the same name but different options', wanted, namesake);
  }
  for (const index of existing) {
    const comparison = compareIndexes(wanted.spec, index.spec);
    if (comparison === 'different') continue;
    if (comparison === 'equivalent') {
      throw optionsConflict('with a different name and options', wanted, index);
    }
    throw new CommandError(
      'IndexOptionsConflict',
      `Index already exists with a different name: ${index.name}`,
    );
  }
  checkOnlyTextIndex(wanted, existing);
  return false;
}

/** The order of a clustered collection may have another name. */
function isIdIndex({ name, spec }: NamedIndex): boolean {
  return name === ID_INDEX_NAME || getField(spec, 'clustered')?.isTruthy() === true;
}

/** $text names no index: a collection has one that it can mean. */
function checkOnlyTextIndex(wanted: IndexSpecification, existing: readonly NamedIndex[]): void {
  if (kindNameOf(wanted.keyPattern) !== 'text') return;
  for (const { spec, name } of existing) {
    const keyPattern = getField(spec, 'key')?.asDocument();
    if (keyPattern === undefined || kindNameOf(keyPattern) !== 'text') continue;
    throw new CommandError(
      'CannotCreateIndex',
      `only one text index per collection allowed, found existing text index "${name}"`,
    );
  }
}

/** Options that make another index of the same key pattern. */
const DISTINGUISHING_OPTIONS = [
  'unique',
  'sparse',
  'collation',
  'partialFilterExpression',
  'wildcardProjection',
] as const;

/** Options that do not count: whether an index is hidden says nothing of what it is. */
const UNCOMPARED_OPTIONS: ReadonlySet<string> = new Set([
  'v',
  'key',
  'name',
  'hidden',
  'prepareUnique',
  'textIndexVersion',
  '2dsphereIndexVersion',
  ...DISTINGUISHING_OPTIONS,
]);

function compareIndexes(left: Buffer, right: Buffer): Comparison {
  const sameKey = sameValue(getField(left, 'key'), getField(right, 'key'));
  const alike = DISTINGUISHING_OPTIONS.every((option) =>
    sameValue(getField(left, option), getField(right, option)),
  );
  if (!sameKey || !alike) return 'different';
  for (const option of [...otherOptions(left), ...otherOptions(right)]) {
    if (!sameValue(getField(left, option), getField(right, option))) return 'equivalent';
  }
  return 'identical';
}

function otherOptions(spec: Buffer): string[] {
  const options: string[] = [];
  const fields = new FieldCursor(spec);
  while (fields.next()) if (!UNCOMPARED_OPTIONS.has(fields.name)) options.push(fields.name);
  return options;
}

/** Key patterns and options are equal when their values are: {a: 1} and {a: 1.0} are one pattern. */
function sameValue(left: RawValue | undefined, right: RawValue | undefined): boolean {
  if (left === undefined || right === undefined) return left === right;
  if (binaryEqual(left, right)) return true;
  return left.type === BsonType.object && right.type === BsonType.object
    ? compareDocuments(left.asDocument(), right.asDocument()) === 0
    : valuesEqual(left, right);
}

function sameNameConflict(wanted: IndexSpecification, index: NamedIndex): CommandError {
  return new CommandError(
    'IndexKeySpecsConflict',
    'An existing index has the same name as the requested index. When index names are not specified, they are auto ' +
      `generated and can cause conflicts. Please refer to our documentation. Requested index: ${inspect(wanted.spec)}, ` +
      `existing index: ${inspect(index.spec)}`,
  );
}

function optionsConflict(
  what: string,
  wanted: IndexSpecification,
  index: NamedIndex,
): CommandError {
  return new CommandError(
    'IndexOptionsConflict',
    `An equivalent index already exists ${what}. Requested index: ${inspect(wanted.spec)}, ` +
      `existing index: ${inspect(index.spec)}`,
  );
}
