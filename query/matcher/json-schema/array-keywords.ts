/**
 * Keywords about arrays: minItems, maxItems, uniqueItems, items, additionalItems.
 */
import {
  arrayValue,
  BsonType,
  booleanValue,
  fieldCount,
  fieldsOf,
  int32Value,
  type RawValue,
} from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import { parseNonNegativeInteger } from '../operand.ts';
import {
  ARRAY_TYPE,
  plainReport,
  reportOf,
  wrongType,
  type Keywords,
  type SchemaParser,
} from './keywords.ts';
import type { Rule, Schema } from './schema.ts';
import { unorderedKey } from './unordered.ts';

export function arrayRules(keywords: Keywords, parser: SchemaParser): Rule[] {
  return [
    ...countRules(keywords, 'minItems', (count, bound) => count >= bound),
    ...countRules(keywords, 'maxItems', (count, bound) => count <= bound),
    ...uniqueRules(keywords),
    ...itemRules(keywords, parser),
  ];
}

function itemsOf(array: RawValue): RawValue[] {
  return Array.from(fieldsOf(array.asDocument()), ([, item]) => item);
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
      appliesTo: ARRAY_TYPE,
      test: (value) => accepts(BigInt(fieldCount(value.asDocument())), bound),
      report: (value) =>
        reportOf(keyword, argument, {
          reason: 'array did not match specified length',
          consideredValue: value,
        }),
    },
  ];
}

function uniqueRules(keywords: Keywords): Rule[] {
  const argument = keywords.get('uniqueItems');
  if (argument === undefined) return [];
  if (argument.type !== BsonType.bool) throw wrongType('uniqueItems', 'a boolean');
  if (!argument.asBoolean()) return [];
  return [
    {
      keyword: 'uniqueItems',
      appliesTo: ARRAY_TYPE,
      test: (value) => firstDuplicate(value) === undefined,
      report: (value) =>
        reportOf('uniqueItems', argument, {
          reason: 'found a duplicate item',
          consideredValue: value,
          duplicatedValue: firstDuplicate(value) ?? value,
        }),
    },
  ];
}

function firstDuplicate(array: RawValue): RawValue | undefined {
  const seen = new Set<string>();
  return itemsOf(array).find((item) => {
    const key = unorderedKey(item);
    if (seen.has(key)) return true;
    seen.add(key);
    return false;
  });
}

function itemRules(keywords: Keywords, parser: SchemaParser): Rule[] {
  const items = keywords.get('items');
  const additional = keywords.get('additionalItems');
  const beyond = additional === undefined ? undefined : additionalSchema(additional, parser);
  if (items === undefined) return [];
  if (items.type === BsonType.object) return [sameSchemaRule(parser.parse(items.asDocument()))];
  if (items.type !== BsonType.array) {
    throw wrongType('items', `an array or an object, not ${items.typeName}`);
  }
  const schemas = itemsOf(items).map((schema) => {
    if (schema.type !== BsonType.object) {
      throw new CommandError(
        'TypeMismatch',
        `$jsonSchema keyword 'items' requires that each element of the array is an object, but found a ${schema.typeName}`,
      );
    }
    return parser.parse(schema.asDocument());
  });
  const rules = [positionalRule(schemas)];
  if (beyond !== undefined) rules.push(additionalRule(schemas.length, beyond));
  return rules;
}

function additionalSchema(argument: RawValue, parser: SchemaParser): Schema | boolean {
  if (argument.type === BsonType.bool) return argument.asBoolean();
  if (argument.type === BsonType.object) return parser.parse(argument.asDocument());
  throw wrongType(
    'additionalItems',
    `either an object or a boolean, but got a ${argument.typeName}`,
  );
}

/** The index of the first item that its schema refuses, with that schema. */
function firstRefused(
  array: RawValue,
  schemaFor: (index: number) => Schema | undefined,
): { index: number; item: RawValue; schema: Schema } | undefined {
  for (const [index, item] of itemsOf(array).entries()) {
    const schema = schemaFor(index);
    if (schema !== undefined && !schema.test(item)) return { index, item, schema };
  }
  return undefined;
}

function schemaRule(
  keyword: string,
  reason: string,
  schemaFor: (index: number) => Schema | undefined,
): Rule {
  return {
    keyword,
    appliesTo: ARRAY_TYPE,
    test: (value) => firstRefused(value, schemaFor) === undefined,
    report: (value) => {
      const refused = firstRefused(value, schemaFor);
      if (refused === undefined) return plainReport(keyword, { reason });
      return plainReport(keyword, {
        reason,
        itemIndex: int32Value(refused.index),
        details: arrayValue(refused.schema.reports(refused.item)),
      });
    },
  };
}

const ITEM_REASON = 'At least one item did not match the sub-schema';

function sameSchemaRule(schema: Schema): Rule {
  return schemaRule('items', ITEM_REASON, () => schema);
}

function positionalRule(schemas: readonly Schema[]): Rule {
  return schemaRule('items', ITEM_REASON, (index) => schemas[index]);
}

function additionalRule(from: number, beyond: Schema | boolean): Rule {
  if (typeof beyond !== 'boolean') {
    return schemaRule(
      'additionalItems',
      'At least one additional item did not match the sub-schema',
      (index) => (index < from ? undefined : beyond),
    );
  }
  return {
    keyword: 'additionalItems',
    appliesTo: ARRAY_TYPE,
    test: (value) => beyond || fieldCount(value.asDocument()) <= from,
    report: () =>
      reportOf('additionalItems', booleanValue(beyond), {
        reason: 'found additional items',
      }),
  };
}
