/**
 * allOf, anyOf, oneOf and not.
 */
import {
  ArrayBuilder,
  arrayValue,
  BsonType,
  DocumentBuilder,
  int32Value,
  type RawValue,
} from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import { CommandError } from '../../../common/errors.ts';
import { plainReport, wrongType, membersOf, type Keywords, type SchemaParser } from './keywords.ts';
import type { Rule, Schema } from './schema.ts';

export function logicalRules(keywords: Keywords, parser: SchemaParser): Rule[] {
  const rules: Rule[] = [];
  const allOf = keywords.get('allOf');
  if (allOf !== undefined) rules.push(allOfRule(schemasOf('allOf', allOf, parser)));
  const anyOf = keywords.get('anyOf');
  if (anyOf !== undefined) rules.push(anyOfRule(schemasOf('anyOf', anyOf, parser)));
  const oneOf = keywords.get('oneOf');
  if (oneOf !== undefined) rules.push(oneOfRule(schemasOf('oneOf', oneOf, parser)));
  const not = keywords.get('not');
  if (not !== undefined) rules.push(notRule(not, parser));
  return rules;
}

function schemasOf(keyword: string, argument: RawValue, parser: SchemaParser): Schema[] {
  if (argument.type !== BsonType.array) throw wrongType(keyword, 'an array');
  const members = membersOf(keyword, argument);
  uassert(
    members.length > 0,
    'BadValue',
    `$jsonSchema keyword '${keyword}' must be a non-empty array`,
  );
  return members.map((member) => {
    if (member.type !== BsonType.object) {
      throw new CommandError(
        'TypeMismatch',
        `$jsonSchema keyword '${keyword}' must be an array of objects, but found an element of type ${member.typeName}`,
      );
    }
    return parser.parse(member.asDocument());
  });
}

function unsatisfied(schemas: readonly Schema[], value: RawValue): RawValue {
  const list = new ArrayBuilder();
  for (const [index, schema] of schemas.entries()) {
    if (schema.test(value)) continue;
    const entry = new DocumentBuilder();
    entry.appendInt32('index', index);
    schema.appendTexts(entry);
    entry.append('details', arrayValue(schema.reports(value)));
    list.pushDocument(entry.finish());
  }
  return arrayValue(list.finish());
}

function allOfRule(schemas: readonly Schema[]): Rule {
  return {
    keyword: 'allOf',
    test: (value) => schemas.every((schema) => schema.test(value)),
    report: (value) => plainReport('allOf', { schemasNotSatisfied: unsatisfied(schemas, value) }),
  };
}

function anyOfRule(schemas: readonly Schema[]): Rule {
  return {
    keyword: 'anyOf',
    test: (value) => schemas.some((schema) => schema.test(value)),
    report: (value) => plainReport('anyOf', { schemasNotSatisfied: unsatisfied(schemas, value) }),
  };
}

function oneOfRule(schemas: readonly Schema[]): Rule {
  const matching = (value: RawValue): number[] =>
    [...schemas.keys()].filter((index) => schemas[index].test(value));
  return {
    keyword: 'oneOf',
    test: (value) => matching(value).length === 1,
    report: (value) => {
      const indexes = matching(value);
      if (indexes.length === 0) {
        return plainReport('oneOf', { schemasNotSatisfied: unsatisfied(schemas, value) });
      }
      const list = new ArrayBuilder();
      for (const index of indexes) list.push(int32Value(index));
      return plainReport('oneOf', {
        reason: 'more than one subschema matched',
        matchingSchemaIndexes: arrayValue(list.finish()),
      });
    },
  };
}

function notRule(argument: RawValue, parser: SchemaParser): Rule {
  if (argument.type !== BsonType.object) {
    throw wrongType('not', `an object, but found an element of type ${argument.typeName}`);
  }
  const schema = parser.parse(argument.asDocument());
  return {
    keyword: 'not',
    test: (value) => !schema.test(value),
    report: (value) =>
      plainReport('not', { reason: 'child expression matched', consideredValue: value }),
  };
}
