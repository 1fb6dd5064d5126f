/**
 * $text: an operator that only a text index can answer. Here it is read; the planner takes it out of the filter.
 */
import { BsonType, fieldsOf, inspect, type RawValue } from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import { CommandError } from '../../../common/errors.ts';
import type { TextSearch } from '../../text/text-query.ts';
import { defineTopLevelOperator } from '../definition.ts';
import type { FilterNode } from '../tree.ts';

export const $text = defineTopLevelOperator({
  name: '$text',
  parse: ({ operand, parser, nested }): FilterNode => {
    uassert(!nested, 'BadValue', '$text can only be applied to the top-level document');
    uassert(parser.features.text === true, 'BadValue', '$text is not allowed in this context');
    const search = parseSearch(operand);
    return {
      kind: 'document',
      operator: '$text',
      operand,
      test: () => true,
      special: { kind: 'text', search },
    };
  },
});

function parseSearch(operand: RawValue): TextSearch {
  uassert(operand.type === BsonType.object, 'BadValue', '$text expects an object');
  const fields = new Map(fieldsOf(operand.asDocument()));
  for (const name of fields.keys()) {
    uassert(KNOWN.has(name), 'BadValue', 'extra fields in $text');
  }
  const search = fields.get('$search');
  if (search === undefined) {
    throw new CommandError('NoSuchKey', 'Missing expected field "$search"');
  }
  if (search.type !== BsonType.string) throw wrongType('$search', 'string', search);
  const language = fields.get('$language');
  if (language !== undefined && language.type !== BsonType.string) {
    throw wrongType('$language', 'string', language);
  }
  const name = language?.asString() ?? '';
  return {
    search: search.asString(),
    language: name === '' ? undefined : name,
    caseSensitive: flag(fields, '$caseSensitive'),
    diacriticSensitive: flag(fields, '$diacriticSensitive'),
  };
}

const KNOWN: ReadonlySet<string> = new Set([
  '$search',
  '$language',
  '$caseSensitive',
  '$diacriticSensitive',
]);

function flag(fields: ReadonlyMap<string, RawValue>, name: string): boolean {
  const value = fields.get(name);
  if (value === undefined) return false;
  if (value.type !== BsonType.bool) throw wrongType(name, 'bool', value);
  return value.asBoolean();
}

function wrongType(name: string, expected: string, value: RawValue): CommandError {
  return new CommandError(
    'TypeMismatch',
    `"${name}" had the wrong type. Expected ${expected}, found ${value.typeName}: ${inspect(value)}`,
  );
}
