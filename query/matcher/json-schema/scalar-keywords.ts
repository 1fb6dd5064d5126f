/**
 * Keywords about numbers and strings.
 */
import { BsonType, type Decimal } from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import { parseNonNegativeInteger } from '../operand.ts';
import { rangeTest } from '../operators/comparison.ts';
import { compileRegularExpression } from '../regular-expression.ts';
import { NUMBER_TYPES, reportOf, STRING_TYPE, wrongType, type Keywords } from './keywords.ts';
import type { Rule } from './schema.ts';

export function scalarRules(keywords: Keywords): Rule[] {
  return [
    ...boundRules(keywords, 'minimum', 'exclusiveMinimum'),
    ...boundRules(keywords, 'maximum', 'exclusiveMaximum'),
    ...multipleOfRules(keywords),
    ...lengthRules(keywords, 'minLength', (length, bound) => length >= bound),
    ...lengthRules(keywords, 'maxLength', (length, bound) => length <= bound),
    ...patternRules(keywords),
  ];
}

function boundRules(
  keywords: Keywords,
  keyword: 'minimum' | 'maximum',
  exclusiveKeyword: string,
): Rule[] {
  const bound = keywords.get(keyword);
  const exclusive = keywords.get(exclusiveKeyword);
  if (bound === undefined) {
    uassert(
      exclusive === undefined,
      'FailedToParse',
      `$jsonSchema keyword '${keyword}' must be a present if ${exclusiveKeyword} is present`,
    );
    return [];
  }
  if (!bound.isNumber) throw wrongType(keyword, 'a number');
  if (exclusive !== undefined && exclusive.type !== BsonType.bool) {
    throw wrongType(exclusiveKeyword, 'a boolean');
  }
  const isExclusive = exclusive?.asBoolean() === true;
  const operator =
    keyword === 'minimum' ? (isExclusive ? '$gt' : '$gte') : isExclusive ? '$lt' : '$lte';
  const test = rangeTest(operator, bound);
  const extra = exclusive === undefined ? {} : { [exclusiveKeyword]: exclusive };
  return [
    {
      keyword,
      appliesTo: NUMBER_TYPES,
      test: (value) => test(value.type, value.bytes, value.start, value.end),
      report: (value) =>
        reportOf(keyword, bound, {
          ...extra,
          reason: 'comparison failed',
          consideredValue: value,
        }),
    },
  ];
}

function multipleOfRules(keywords: Keywords): Rule[] {
  const argument = keywords.get('multipleOf');
  if (argument === undefined) return [];
  if (!argument.isNumber) throw wrongType('multipleOf', 'a number');
  const divisor: Decimal = argument.asDecimal();
  uassert(
    divisor.sign > 0 && !divisor.isZero && !divisor.isNaN,
    'FailedToParse',
    "$jsonSchema keyword 'multipleOf' must have a positive value",
  );
  return [
    {
      keyword: 'multipleOf',
      appliesTo: NUMBER_TYPES,
      test: (value) => {
        const remainder = value.asDecimal().remainder(divisor);
        return remainder.isZero && !remainder.isNaN;
      },
      report: (value) =>
        reportOf('multipleOf', argument, {
          reason: 'considered value is not a multiple of the specified value',
          consideredValue: value,
        }),
    },
  ];
}

function lengthRules(
  keywords: Keywords,
  keyword: string,
  accepts: (length: bigint, bound: bigint) => boolean,
): Rule[] {
  const argument = keywords.get(keyword);
  if (argument === undefined) return [];
  const bound = parseNonNegativeInteger(keyword, argument);
  return [
    {
      keyword,
      appliesTo: STRING_TYPE,
      test: (value) => accepts(BigInt(Array.from(value.asString()).length), bound),
      report: (value) =>
        reportOf(keyword, argument, {
          reason: 'specified string length was not satisfied',
          consideredValue: value,
        }),
    },
  ];
}

function patternRules(keywords: Keywords): Rule[] {
  const argument = keywords.get('pattern');
  if (argument === undefined) return [];
  if (argument.type !== BsonType.string) throw wrongType('pattern', 'a string');
  const expression = compileRegularExpression(argument.asString(), '');
  return [
    {
      keyword: 'pattern',
      appliesTo: STRING_TYPE,
      test: (value) => expression.test(value.asString()),
      report: (value) =>
        reportOf('pattern', argument, {
          reason: 'regular expression did not match',
          consideredValue: value,
        }),
    },
  ];
}
