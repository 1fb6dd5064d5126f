/**
 * Keywords about objects: properties, patternProperties, additionalProperties, required, dependencies, minProperties,
 * maxProperties.
 */
import {
  ArrayBuilder,
  arrayValue,
  BsonType,
  DocumentBuilder,
  fieldCount,
  fieldsOf,
  getField,
  int32Value,
  type RawValue,
} from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import { CommandError } from '../../../common/errors.ts';
import { parseNonNegativeInteger } from '../operand.ts';
import { compileRegularExpression, type RegularExpression } from '../regular-expression.ts';
import {
  membersOf,
  OBJECT_TYPE,
  plainReport,
  reportOf,
  stringArray,
  wrongType,
  type Keywords,
  type SchemaParser,
} from './keywords.ts';
import type { Rule, Schema } from './schema.ts';

export function objectRules(keywords: Keywords, parser: SchemaParser): Rule[] {
  const properties = namedSchemas(keywords, parser);
  return [
    ...propertyRules(properties),
    ...patternRules(keywords, parser, properties),
    ...requiredRules(keywords),
    ...countRules(keywords, 'minProperties', (count, bound) => count >= bound),
    ...countRules(keywords, 'maxProperties', (count, bound) => count <= bound),
    ...dependencyRules(keywords, parser),
  ];
}

function namedSchemas(keywords: Keywords, parser: SchemaParser): Map<string, Schema> | undefined {
  const argument = keywords.get('properties');
  if (argument === undefined) return undefined;
  if (argument.type !== BsonType.object) throw wrongType('properties', 'an object');
  const schemas = new Map<string, Schema>();
  for (const [name, schema] of fieldsOf(argument.asDocument())) {
    if (schema.type !== BsonType.object) {
      throw new CommandError(
        'TypeMismatch',
        `Nested schema for $jsonSchema property '${name}' must be an object`,
      );
    }
    schemas.set(name, parser.parse(schema.asDocument()));
  }
  return schemas;
}

/** The entry of one property in a report. */
function propertyReport(name: string, schema: Schema, value: RawValue): Buffer {
  const entry = new DocumentBuilder();
  entry.appendString('propertyName', name);
  schema.appendTexts(entry);
  entry.append('details', arrayValue(schema.reports(value)));
  return entry.finish();
}

function propertyRules(properties: Map<string, Schema> | undefined): Rule[] {
  if (properties === undefined) return [];
  const refuses = (name: string, schema: Schema, object: Buffer): RawValue | undefined => {
    const value = getField(object, name);
    return value !== undefined && !schema.test(value) ? value : undefined;
  };
  return [
    {
      keyword: 'properties',
      appliesTo: OBJECT_TYPE,
      test: (value) => {
        const object = value.asDocument();
        for (const [name, schema] of properties) {
          if (refuses(name, schema, object) !== undefined) return false;
        }
        return true;
      },
      report: (value) => {
        const object = value.asDocument();
        const entries = new ArrayBuilder();
        for (const [name, schema] of properties) {
          const refused = refuses(name, schema, object);
          if (refused !== undefined) entries.pushDocument(propertyReport(name, schema, refused));
        }
        return plainReport('properties', { propertiesNotSatisfied: arrayValue(entries.finish()) });
      },
    },
  ];
}

interface PatternSchema {
  readonly pattern: string;
  readonly expression: RegularExpression;
  readonly schema: Schema;
}

/** patternProperties, and additionalProperties for names that neither it nor `properties` names. */
function patternRules(
  keywords: Keywords,
  parser: SchemaParser,
  properties: ReadonlyMap<string, Schema> | undefined,
): Rule[] {
  const patterns = patternSchemas(keywords, parser);
  const rules: Rule[] = patterns.length === 0 ? [] : [patternRule(patterns)];
  const additional = keywords.get('additionalProperties');
  if (additional === undefined) return rules;
  if (additional.type !== BsonType.bool && additional.type !== BsonType.object) {
    throw wrongType('additionalProperties', 'an object or a boolean');
  }
  const isAdditional = (name: string): boolean =>
    properties?.has(name) !== true && !patterns.some(({ expression }) => expression.test(name));
  if (additional.type === BsonType.object) {
    rules.push(additionalSchemaRule(parser.parse(additional.asDocument()), isAdditional));
  } else if (!additional.asBoolean()) {
    rules.push(noAdditionalRule(additional, isAdditional));
  }
  return rules;
}

function patternSchemas(keywords: Keywords, parser: SchemaParser): PatternSchema[] {
  const argument = keywords.get('patternProperties');
  if (argument === undefined) return [];
  if (argument.type !== BsonType.object) throw wrongType('patternProperties', 'an object');
  return Array.from(fieldsOf(argument.asDocument()), ([pattern, schema]) => {
    if (schema.type !== BsonType.object) {
      throw new CommandError(
        'TypeMismatch',
        `$jsonSchema keyword 'patternProperties' has property '${pattern}' which is not an object`,
      );
    }
    const expression = compileRegularExpression(pattern, '');
    return { pattern, expression, schema: parser.parse(schema.asDocument()) };
  });
}

function patternRule(patterns: readonly PatternSchema[]): Rule {
  return {
    keyword: 'patternProperties',
    appliesTo: OBJECT_TYPE,
    test: (value) => {
      for (const [name, property] of fieldsOf(value.asDocument())) {
        for (const { expression, schema } of patterns) {
          if (expression.test(name) && !schema.test(property)) return false;
        }
      }
      return true;
    },
    report: (value) => {
      const entries = new ArrayBuilder();
      for (const [name, property] of fieldsOf(value.asDocument())) {
        for (const { pattern, expression, schema } of patterns) {
          if (!expression.test(name) || schema.test(property)) continue;
          const entry = new DocumentBuilder();
          entry.appendString('propertyName', name);
          schema.appendTexts(entry);
          entry.appendString('regexMatched', pattern);
          entry.append('details', arrayValue(schema.reports(property)));
          entries.pushDocument(entry.finish());
        }
      }
      return plainReport('patternProperties', { details: arrayValue(entries.finish()) });
    },
  };
}

function additionalSchemaRule(schema: Schema, isAdditional: (name: string) => boolean): Rule {
  return {
    keyword: 'additionalProperties',
    appliesTo: OBJECT_TYPE,
    test: (value) => {
      for (const [name, property] of fieldsOf(value.asDocument())) {
        if (isAdditional(name) && !schema.test(property)) return false;
      }
      return true;
    },
    report: (value) => {
      const entries = new ArrayBuilder();
      for (const [name, property] of fieldsOf(value.asDocument())) {
        if (!isAdditional(name) || schema.test(property)) continue;
        entries.pushDocument(propertyReport(name, schema, property));
      }
      return plainReport('additionalProperties', {
        reason: 'at least one additional property did not match the subschema',
        details: arrayValue(entries.finish()),
      });
    },
  };
}

function noAdditionalRule(argument: RawValue, isAdditional: (name: string) => boolean): Rule {
  const namesIn = (value: RawValue): string[] =>
    Array.from(fieldsOf(value.asDocument()), ([name]) => name).filter(isAdditional);
  return {
    keyword: 'additionalProperties',
    appliesTo: OBJECT_TYPE,
    test: (value) => namesIn(value).length === 0,
    report: (value) =>
      reportOf('additionalProperties', argument, {
        additionalProperties: arrayValue(stringArray(namesIn(value))),
      }),
  };
}

function requiredRules(keywords: Keywords): Rule[] {
  const argument = keywords.get('required');
  if (argument === undefined) return [];
  const names = membersOf('required', argument).map((name) => {
    if (name.type !== BsonType.string) {
      throw wrongType(
        'required',
        `an array of strings, but found an element of type: ${name.typeName}`,
      );
    }
    return name.asString();
  });
  uassert(
    names.length > 0,
    'FailedToParse',
    "$jsonSchema keyword 'required' cannot be an empty array",
  );
  uassert(
    new Set(names).size === names.length,
    'FailedToParse',
    "$jsonSchema keyword 'required' array cannot contain duplicate values",
  );
  const missingIn = (value: RawValue): string[] => missing(names, value.asDocument());
  return [
    {
      keyword: 'required',
      appliesTo: OBJECT_TYPE,
      test: (value) => missingIn(value).length === 0,
      report: (value) =>
        reportOf('required', argument, {
          missingProperties: arrayValue(stringArray(missingIn(value).toSorted())),
        }),
    },
  ];
}

function missing(names: readonly string[], object: Buffer): string[] {
  return names.filter((name) => getField(object, name) === undefined);
}

function countRules(
  keywords: Keywords,
  keyword: string,
  accepts: (count: bigint, bound: bigint) => boolean,
): Rule[] {
  const argument = keywords.get(keyword);
  if (argument === undefined) return [];
  const bound = parseNonNegativeInteger(keyword, argument);
  return [
    {
      keyword,
      appliesTo: OBJECT_TYPE,
      test: (value) => accepts(BigInt(fieldCount(value.asDocument())), bound),
      report: (value) =>
        reportOf(keyword, argument, {
          reason: 'specified number of properties was not satisfied',
          numberOfProperties: int32Value(fieldCount(value.asDocument())),
        }),
    },
  ];
}

/** A property whose presence asks for other properties, or for a schema that the whole object satisfies. */
interface Dependency {
  readonly name: string;
  readonly needs: readonly string[] | Schema;
}

function dependencyRules(keywords: Keywords, parser: SchemaParser): Rule[] {
  const argument = keywords.get('dependencies');
  if (argument === undefined) return [];
  if (argument.type !== BsonType.object) throw wrongType('dependencies', 'an object');
  const dependencies = Array.from(fieldsOf(argument.asDocument()), ([name, needs]) =>
    parseDependency(name, needs, parser),
  );
  return [
    {
      keyword: 'dependencies',
      appliesTo: OBJECT_TYPE,
      test: (value) => dependencies.every((dependency) => isSatisfied(dependency, value)),
      report: (value) => {
        const failing = new ArrayBuilder();
        for (const dependency of dependencies) {
          if (!isSatisfied(dependency, value)) {
            failing.pushDocument(dependencyReport(dependency, value));
          }
        }
        return plainReport('dependencies', { failingDependencies: arrayValue(failing.finish()) });
      },
    },
  ];
}

function parseDependency(name: string, needs: RawValue, parser: SchemaParser): Dependency {
  if (needs.type === BsonType.object) return { name, needs: parser.parse(needs.asDocument()) };
  if (needs.type !== BsonType.array) {
    throw new CommandError(
      'TypeMismatch',
      `property '${name}' in $jsonSchema keyword 'dependencies' must be either an object or an array`,
    );
  }
  const names = Array.from(fieldsOf(needs.asDocument()), ([, member]) => {
    if (member.type !== BsonType.string) {
      throw new CommandError(
        'TypeMismatch',
        `array '${name}' in $jsonSchema keyword 'dependencies' can only contain strings, but found element of type: ${member.typeName}`,
      );
    }
    return member.asString();
  });
  uassert(
    names.length > 0,
    'FailedToParse',
    `property '${name}' in $jsonSchema keyword 'dependencies' cannot be an empty array`,
  );
  const repeated = names.find((other, index) => names.indexOf(other) !== index);
  uassert(
    repeated === undefined,
    'FailedToParse',
    `array '${name}' in $jsonSchema keyword 'dependencies' contains duplicate element: ${repeated}`,
  );
  return { name, needs: names };
}

function isSchema(needs: Dependency['needs']): needs is Schema {
  return 'test' in needs;
}

function isSatisfied({ name, needs }: Dependency, value: RawValue): boolean {
  const object = value.asDocument();
  if (getField(object, name) === undefined) return true;
  return isSchema(needs) ? needs.test(value) : missing(needs, object).length === 0;
}

function dependencyReport({ name, needs }: Dependency, value: RawValue): Buffer {
  const entry = new DocumentBuilder();
  entry.appendString('conditionalProperty', name);
  if (isSchema(needs)) {
    needs.appendTexts(entry);
    entry.append('details', arrayValue(needs.reports(value)));
  } else {
    const names = missing(needs, value.asDocument());
    entry.append('missingProperties', arrayValue(stringArray(names)));
  }
  return entry.finish();
}
