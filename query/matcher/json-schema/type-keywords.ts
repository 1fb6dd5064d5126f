/**
 * The keywords `type`, `bsonType`, `enum` and `encrypt`.
 */
import { BsonType, fieldsOf, getField, type RawValue, stringValue } from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import { CommandError } from '../../../common/errors.ts';
import { parseTypeSet, typesOfAlias } from '../type-set.ts';
import { membersOf, reportOf, wrongType, type Keywords } from './keywords.ts';
import type { Rule } from './schema.ts';
import { unorderedKey } from './unordered.ts';

export function typeRules(keywords: Keywords): Rule[] {
  const type = keywords.get('type');
  const bsonType = keywords.get('bsonType');
  const encrypt = keywords.get('encrypt');
  uassert(
    type === undefined || bsonType === undefined,
    'FailedToParse',
    "Cannot specify both $jsonSchema keywords 'type' and 'bsonType'",
  );
  checkEncryption(keywords);
  const rules: Rule[] = [];
  if (type !== undefined) rules.push(typeRule('type', type, jsonTypes(type)));
  if (bsonType !== undefined) {
    checkBsonType(bsonType);
    rules.push(typeRule('bsonType', bsonType, parseTypeSet(bsonType)));
  }
  const enumeration = keywords.get('enum');
  if (enumeration !== undefined) rules.push(enumRule(enumeration));
  if (encrypt !== undefined) rules.push(encryptRule(encrypt));
  return rules;
}

function typeRule(keyword: string, argument: RawValue, types: ReadonlySet<number>): Rule {
  uassert(
    types.size > 0,
    'FailedToParse',
    `$jsonSchema keyword '${keyword}' must name at least one type`,
  );
  return {
    keyword,
    test: (value) => types.has(value.type),
    report: (value) =>
      reportOf(keyword, argument, {
        reason: 'type did not match',
        consideredValue: value,
        consideredType: value.typeName,
      }),
  };
}

const JSON_TYPES: ReadonlyMap<string, string> = new Map([
  ['array', 'array'],
  ['object', 'object'],
  ['number', 'number'],
  ['string', 'string'],
  ['null', 'null'],
  ['boolean', 'bool'],
]);

function jsonTypes(argument: RawValue): ReadonlySet<number> {
  const names = namesOf('type', argument);
  return new Set(names.flatMap(jsonType));
}

function jsonType(name: string): readonly number[] {
  if (name === 'integer') {
    throw new CommandError(
      'FailedToParse',
      "$jsonSchema type 'integer' is not currently supported.",
    );
  }
  const alias = JSON_TYPES.get(name);
  if (alias === undefined) throw new CommandError('BadValue', `Unknown type name alias: ${name}`);
  return typesOfAlias(alias);
}

function checkBsonType(argument: RawValue): void {
  const names = namesOf('bsonType', argument);
  uassert(
    !names.includes('integer'),
    'FailedToParse',
    "$jsonSchema type 'integer' is not currently supported.",
  );
}

function namesOf(keyword: string, argument: RawValue): string[] {
  if (argument.type === BsonType.string) return [argument.asString()];
  if (argument.type !== BsonType.array) {
    throw wrongType(keyword, 'either a string or an array of strings');
  }
  const names = Array.from(fieldsOf(argument.asDocument()), ([, name]) => {
    if (name.type !== BsonType.string) {
      throw wrongType(keyword, 'either a string or an array of strings');
    }
    return name.asString();
  });
  const repeated = names.find((name, index) => names.indexOf(name) !== index);
  if (repeated !== undefined) {
    throw new CommandError(
      'FailedToParse',
      `$jsonSchema keyword '${keyword}' has duplicate value: ${repeated}`,
    );
  }
  return names;
}

function enumRule(argument: RawValue): Rule {
  const members = membersOf('enum', argument);
  uassert(
    members.length > 0,
    'FailedToParse',
    "$jsonSchema keyword 'enum' cannot be an empty array",
  );
  const keys = new Set(members.map(unorderedKey));
  uassert(
    keys.size === members.length,
    'FailedToParse',
    "$jsonSchema keyword 'enum' array cannot contain duplicate values.",
  );
  return {
    keyword: 'enum',
    test: (value) => keys.has(unorderedKey(value)),
    report: (value) =>
      reportOf('enum', argument, {
        reason: 'value was not found in enum',
        consideredValue: value,
      }),
  };
}

const ENCRYPTED_SUBTYPE = 6;
/** Inside an encrypted value: kind (1 byte), key's UUID (16 bytes), then the type that was encrypted. */
const ENCRYPTED_TYPE_AT = 17;

function checkEncryption(keywords: Keywords): void {
  const encrypt = keywords.get('encrypt');
  const metadata = keywords.get('encryptMetadata');
  uassert(
    encrypt === undefined || metadata === undefined,
    'FailedToParse',
    "Cannot specify both $jsonSchema keywords 'encrypt' and 'encryptMetadata'",
  );
  for (const [name, value] of [
    ['encrypt', encrypt],
    ['encryptMetadata', metadata],
  ] as const) {
    if (value !== undefined && value.type !== BsonType.object) throw wrongType(name, 'an object ');
  }
  const conflicting = encrypt !== undefined && (keywords.has('type') || keywords.has('bsonType'));
  uassert(
    !conflicting,
    'FailedToParse',
    "Cannot specify both $jsonSchema keywords 'encrypt' and 'type' or 'bsonType'",
  );
}

function encryptRule(argument: RawValue): Rule {
  const wanted = getField(argument.asDocument(), 'bsonType');
  const types = wanted === undefined ? undefined : parseTypeSet(wanted);
  return {
    keyword: 'encrypt',
    test: (value) => {
      if (value.type !== BsonType.binData) return false;
      const { subtype, bytes } = value.asBinary();
      if (subtype !== ENCRYPTED_SUBTYPE) return false;
      return types === undefined || types.has(bytes[ENCRYPTED_TYPE_AT]);
    },
    report: (value) =>
      reportOf('encrypt', argument, {
        reason: stringValue('value was not encrypted'),
        consideredValue: value,
      }),
  };
}
