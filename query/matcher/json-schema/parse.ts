/**
 * Reads a $jsonSchema document: JSON Schema draft 4 as MongoDB has it, with bsonType.
 *
 * Owns: which keywords exist, and the checks that concern several of them.
 * Source: MongoDB's manual, "$jsonSchema"; JSON Schema Validation, draft 4.
 */
import { BsonType, fieldsOf, type RawValue } from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import { CommandError } from '../../../common/errors.ts';
import { arrayRules } from './array-keywords.ts';
import type { Keywords, SchemaParser } from './keywords.ts';
import { logicalRules } from './logical-keywords.ts';
import { objectRules } from './object-keywords.ts';
import { scalarRules } from './scalar-keywords.ts';
import { Schema } from './schema.ts';
import { typeRules } from './type-keywords.ts';

const SUPPORTED = new Set([
  'additionalItems',
  'additionalProperties',
  'allOf',
  'anyOf',
  'bsonType',
  'dependencies',
  'description',
  'encrypt',
  'encryptMetadata',
  'enum',
  'exclusiveMaximum',
  'exclusiveMinimum',
  'items',
  'maxItems',
  'maxLength',
  'maxProperties',
  'maximum',
  'minItems',
  'minLength',
  'minProperties',
  'minimum',
  'multipleOf',
  'not',
  'oneOf',
  'pattern',
  'patternProperties',
  'properties',
  'required',
  'title',
  'type',
  'uniqueItems',
]);

const KNOWN_BUT_REFUSED = new Set(['$ref', '$schema', 'default', 'definitions', 'format', 'id']);

/** @throws CommandError FailedToParse 9, TypeMismatch 14 or BadValue 2, as MongoDB does. */
export function parseSchema(schema: Buffer): Schema {
  const keywords = readKeywords(schema);
  const parser: SchemaParser = { parse: parseSchema };
  for (const text of ['title', 'description']) {
    const value = keywords.get(text);
    uassert(
      value === undefined || value.type === BsonType.string,
      'TypeMismatch',
      `$jsonSchema keyword '${text}' must be of type string`,
    );
  }
  const rules = [
    ...typeRules(keywords),
    ...scalarRules(keywords),
    ...arrayRules(keywords, parser),
    ...objectRules(keywords, parser),
    ...logicalRules(keywords, parser),
  ];
  return new Schema(rules, {
    title: keywords.get('title'),
    description: keywords.get('description'),
  });
}

function readKeywords(schema: Buffer): Keywords {
  const keywords = new Map<string, RawValue>();
  for (const [name, value] of fieldsOf(schema)) {
    if (KNOWN_BUT_REFUSED.has(name)) {
      throw new CommandError(
        'FailedToParse',
        `$jsonSchema keyword '${name}' is not currently supported`,
      );
    }
    if (!SUPPORTED.has(name)) {
      throw new CommandError('FailedToParse', `Unknown $jsonSchema keyword: ${name}`);
    }
    if (keywords.has(name)) {
      throw new CommandError('FailedToParse', `Duplicate $jsonSchema keyword: ${name}`);
    }
    keywords.set(name, value);
  }
  return keywords;
}
