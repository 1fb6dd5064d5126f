/**
 * What must hold of a document after an update, before it may be stored.
 */
import {
  BsonType,
  compareValues,
  FieldCursor,
  fieldsOf,
  getField,
  inspect,
  validateDocument,
  type RawValue,
} from '../../bson/index.ts';
import { uassert } from '../../common/assert.ts';
import { CommandError } from '../../common/errors.ts';
import { MAX_BSON_DEPTH, MAX_BSON_OBJECT_BYTES } from '../../common/limits.ts';
import { describeField } from './messages.ts';

/** @throws CommandError 17419 when the document is larger than a user's document may be. */
export function checkSize(document: Buffer): void {
  if (document.length > MAX_BSON_OBJECT_BYTES) {
    throw new CommandError(
      17419,
      `Resulting document after update is larger than ${MAX_BSON_OBJECT_BYTES}`,
    );
  }
}

/** @throws CommandError Overflow when the document is nested too deeply to be stored. */
export function checkDepth(document: Buffer): void {
  validateDocument(document, { maxDepth: MAX_BSON_DEPTH });
}

/** Modifiers may not change `_id`, but may set it to what it is. @throws CommandError ImmutableField. */
export function checkIdUntouched(before: Buffer, after: Buffer): void {
  const original = getField(before, '_id');
  if (original === undefined) return;
  const updated = getField(after, '_id');
  if (updated === undefined || compareValues(original, updated) !== 0) {
    throw new CommandError(
      'ImmutableField',
      "Performing an update on the path '_id' would modify the immutable field '_id'",
    );
  }
}

/** The same for replacements and pipelines, which make a document of their own. @throws CommandError ImmutableField. */
export function checkIdKept(before: Buffer, after: Buffer): void {
  const original = getField(before, '_id');
  if (original === undefined) return;
  const updated = getField(after, '_id');
  if (updated === undefined) {
    throw new CommandError(
      'ImmutableField',
      `After applying the update, the '_id' (required and immutable) field was found to have been removed --${inspect(before)}`,
    );
  }
  if (compareValues(original, updated) !== 0) {
    throw new CommandError(
      'ImmutableField',
      `After applying the update, the (immutable) field '_id' was found to have been altered to ${describeField('_id', updated)}`,
    );
  }
}

/** @throws CommandError InvalidIdField or DollarPrefixedFieldName for a value that cannot be an `_id`. */
export function checkIdValue(id: RawValue): void {
  switch (id.type) {
    case BsonType.array:
    case BsonType.regex:
    case BsonType.undefined:
      throw new CommandError('InvalidIdField', `The '_id' value cannot be of type ${id.typeName}`);
    case BsonType.object:
      for (const [name] of fieldsOf(id.asDocument())) {
        if (name.startsWith('$') && !DBREF_FIELDS.includes(name)) {
          throw new CommandError(
            'DollarPrefixedFieldName',
            `_id fields may not contain '$'-prefixed fields: ${name} is not valid for storage.`,
          );
        }
      }
      break;
    default:
  }
}

const DBREF_FIELDS = ['$ref', '$id', '$db'];
const DOLLAR = 0x24;

/**
 * No top-level name begins with a dollar, unless the fields form a DBRef: $ref, then $id, then perhaps $db.
 * @throws CommandError DollarPrefixedFieldName, InvalidDBRef.
 */
export function checkTopLevelNames(document: Buffer): void {
  const cursor = new FieldCursor(document);
  let before: string | undefined;
  while (cursor.next()) {
    if (cursor.bytes[cursor.nameStart] === DOLLAR) {
      checkTopLevelName(cursor.name);
      checkDBRefField(cursor.name, cursor.value(), before);
    } else if (before === '$ref') {
      throw new CommandError('InvalidDBRef', REF_WITHOUT_ID);
    }
    before = cursor.name;
  }
  if (before === '$ref') throw new CommandError('InvalidDBRef', REF_WITHOUT_ID);
}

const REF_WITHOUT_ID = 'The DBRef $ref field must be followed by a $id field';

function checkDBRefField(name: string, value: RawValue, before: string | undefined): void {
  if (name === '$id') {
    uassert(
      before === '$ref',
      'InvalidDBRef',
      'Found $id field without a $ref before it, which is invalid.',
    );
    return;
  }
  const isText = value.type === BsonType.string;
  if (!isText) {
    throw new CommandError(
      'InvalidDBRef',
      `The DBRef ${name} field must be a String, not a ${value.typeName}`,
    );
  }
  uassert(before !== '$ref', 'InvalidDBRef', REF_WITHOUT_ID);
  uassert(
    name !== '$db' || before === '$id',
    'InvalidDBRef',
    'Found $db field without a $id before it, which is invalid.',
  );
}

/** @throws CommandError DollarPrefixedFieldName. */
export function checkTopLevelName(name: string): void {
  if (!name.startsWith('$') || DBREF_FIELDS.includes(name)) return;
  throw new CommandError(
    'DollarPrefixedFieldName',
    `The dollar ($) prefixed field '${name}' in '${name}' is not allowed in the context of an update's replacement document. Consider using an aggregation pipeline with $replaceWith.`,
  );
}
