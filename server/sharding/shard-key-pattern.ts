/**
 * A shard key: which fields decide where a document is, and the order of their values.
 *
 * Owns: MongoDB's rules for the pattern, the key of a document (a hashed field's value is its hash), and the *key text*: the key's
 * bytes in index order as a string with one character for each, so that `<` orders keys as MongoDB orders their values. Strings are
 * compared by their bytes whatever the collection's collation is, as MongoDB does it.
 * Source: MongoDB's manual, "Shard Keys".
 */
import { CommandError } from '../../common/errors.ts';
import {
  BsonType,
  DocumentBuilder,
  encodeIndexKey,
  FieldCursor,
  fieldsOf,
  getField,
  getFieldAt,
  hashValue,
  inspect,
  int64Value,
  MAX_KEY,
  MIN_KEY,
  NULL,
  parsePath,
  successorOfPrefix,
  type FieldPath,
  type RawValue,
} from '../../bson/index.ts';

/** A key in index order: text orders as values do. Made by ShardKeyPattern. */
export type KeyText = string;

/** Where the first chunk begins. */
export const BELOW_ALL_KEYS: KeyText = '';
/** Where the last chunk ends. Above the key of a document with MaxKey in it, too: no key begins with this byte. */
export const ABOVE_ALL_KEYS: KeyText = '\u00ff';

export interface ShardKeyField {
  readonly path: FieldPath;
  readonly isHashed: boolean;
}

/** A key of a document, both ways. */
export interface ShardKey {
  /** The key's values, hashes where the field is hashed: as chunk bounds hold them. */
  readonly values: readonly RawValue[];
  readonly text: KeyText;
}

/** The lowest text above all keys that begin with these values. */
export function textAfter(prefix: KeyText): KeyText {
  return successorOfPrefix(Buffer.from(prefix, 'latin1')).toString('latin1');
}

export class ShardKeyPattern {
  /** Raw BSON, {a: 1, b: 'hashed'}. */
  readonly pattern: Buffer;
  readonly fields: readonly ShardKeyField[];
  private readonly directions: readonly 1[];

  private constructor(pattern: Buffer, fields: readonly ShardKeyField[]) {
    this.pattern = pattern;
    this.fields = fields;
    this.directions = fields.map(() => 1);
  }

  /** @throws CommandError BadValue for what is no shard key */
  static parse(pattern: Buffer): ShardKeyPattern {
    const fields: ShardKeyField[] = [];
    const cursor = new FieldCursor(pattern);
    let hashedCount = 0;
    while (cursor.next()) {
      const value = cursor.value();
      const isHashed = value.type === BsonType.string && value.asString() === 'hashed';
      if (isHashed) hashedCount += 1;
      const isOne = value.isNumber && value.asNumber() === 1;
      if (!isOne && !(isHashed && hashedCount === 1)) throw badField(pattern, cursor.name);
      fields.push({ path: checkedPath(cursor.name, fields), isHashed });
    }
    if (fields.length === 0) throw new CommandError('BadValue', 'Shard key is empty');
    return new ShardKeyPattern(pattern, fields);
  }

  get isHashed(): boolean {
    return this.fields.some((field) => field.isHashed);
  }

  /** {_id: 1} and such: the key itself tells documents apart. */
  get isId(): boolean {
    return this.fields.length === 1 && this.fields[0].path.text === '_id' && !this.isHashed;
  }

  /**
   * The key of a document as it is stored. A field that is not there counts as null.
   * @throws CommandError ShardKeyNotFound for an array on a field's path or at its end, or a regular expression
   */
  keyOf(document: Buffer): ShardKey {
    const values = this.fields.map((field) => {
      const value = valueAt(document, field.path) ?? NULL;
      return field.isHashed ? int64Value(hashValue(value)) : value;
    });
    return { values, text: this.textOf(values) };
  }

  /** The text of a key's first values; of all of them for a whole key. Values of a hashed field must be hashes. */
  textOf(values: readonly RawValue[]): KeyText {
    return encodeIndexKey(values, this.directions).key.toString('latin1');
  }

  /**
   * The text of a chunk's bound. The bound with MinKey everywhere lies below all keys, the one with MaxKey above them, so that the
   * last chunk has the documents whose key is MaxKey.
   * @param bound {a: 5, b: MinKey}: the pattern's fields in its order
   * @throws CommandError BadValue for a document with other fields
   */
  boundText(bound: Buffer): KeyText {
    const values = this.boundValues(bound);
    if (values.every((value) => value.type === BsonType.minKey)) return BELOW_ALL_KEYS;
    if (values.every((value) => value.type === BsonType.maxKey)) return ABOVE_ALL_KEYS;
    return this.textOf(values);
  }

  /** The values of a bound in the pattern's order. @throws CommandError BadValue */
  boundValues(bound: Buffer): RawValue[] {
    const values: RawValue[] = [];
    for (const [name, value] of fieldsOf(bound)) {
      if (name !== this.fields[values.length]?.path.text) throw this.foreignBound(bound);
      values.push(value);
    }
    if (values.length !== this.fields.length) throw this.foreignBound(bound);
    return values;
  }

  /** A bound with these values; MinKey (or MaxKey) for those that are not given. */
  boundOf(values: readonly RawValue[], rest: RawValue = MIN_KEY): Buffer {
    const out = new DocumentBuilder();
    for (const [index, field] of this.fields.entries()) {
      out.append(field.path.text, values[index] ?? rest);
    }
    return out.finish();
  }

  /** Where the first chunk begins. */
  get globalMin(): Buffer {
    return this.boundOf([]);
  }

  /** Where the last chunk ends. */
  get globalMax(): Buffer {
    return this.boundOf([], MAX_KEY);
  }

  /**
   * A whole bound from one with the first fields only, as it was before the key was refined: MinKey for the others, so that all keys
   * with these first values are on the same side as before; the end of all keys stays the end.
   * @throws CommandError BadValue for other fields
   */
  extendedBound(bound: Buffer): Buffer {
    const values: RawValue[] = [];
    for (const [name, value] of fieldsOf(bound)) {
      if (name !== this.fields[values.length]?.path.text) throw this.foreignBound(bound);
      values.push(value);
    }
    const isEnd = values.length > 0 && values.every(({ type }) => type === BsonType.maxKey);
    return this.boundOf(values, isEnd ? MAX_KEY : MIN_KEY);
  }

  /** Begins with all fields of the other, of the same kinds. */
  isExtensionOf(other: ShardKeyPattern): boolean {
    return other.fields.every(
      ({ path, isHashed }, index) =>
        path.text === this.fields[index]?.path.text && isHashed === this.fields[index].isHashed,
    );
  }

  private foreignBound(bound: Buffer): CommandError {
    return new CommandError(
      'BadValue',
      `The shard key bound ${inspect(bound)} does not have exactly the fields of the shard key ${inspect(this.pattern)}`,
    );
  }
}

function badField(pattern: Buffer, name: string): CommandError {
  return new CommandError(
    'BadValue',
    `Shard key ${inspect(pattern)} can contain either a single 'hashed' field or multiple numerical fields set to a value of 1. Failed to parse field ${name}`,
  );
}

function checkedPath(name: string, others: readonly ShardKeyField[]): FieldPath {
  const path = parsePath(name);
  if (path.parts.some((part) => part === '')) {
    throw new CommandError('BadValue', `Field ${name} contains empty parts`);
  }
  if (path.parts.some((part) => part.startsWith('$'))) {
    throw new CommandError('BadValue', `Field ${name} contains parts that start with '$'`);
  }
  for (const { path: other } of others) {
    if (other.text === name || overlaps(other.text, name)) {
      throw new CommandError('BadValue', `Field ${name} conflicts with field ${other.text}`);
    }
  }
  return path;
}

function overlaps(a: string, b: string): boolean {
  return a.startsWith(`${b}.`) || b.startsWith(`${a}.`);
}

/** As getPath, but an array on the way or at the end is refused. */
function valueAt(document: Buffer, { parts }: FieldPath): RawValue | undefined {
  let value = allowed(getField(document, parts[0]));
  for (let depth = 1; depth < parts.length; depth += 1) {
    if (value?.type !== BsonType.object) return undefined;
    value = allowed(getFieldAt(value.bytes, value.start, parts[depth]));
  }
  return value;
}

function allowed(value: RawValue | undefined): RawValue | undefined {
  if (value?.type === BsonType.array) {
    throw new CommandError(
      'ShardKeyNotFound',
      'Shard key cannot contain array values or array descendants.',
    );
  }
  if (value?.type === BsonType.regex) {
    throw new CommandError('ShardKeyNotFound', 'Shard key cannot contain a regular expression.');
  }
  return value;
}
