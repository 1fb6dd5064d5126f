/**
 * $dateToString and $dateFromString.
 */
import { dateValue, NULL, type RawValue, stringValue } from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import {
  defineExpression,
  type ExpressionCompiler,
  type ExpressionDefinition,
  type Value,
} from '../definition.ts';
import type { Expression } from '../expression.ts';
import { namedArguments } from '../named-arguments.ts';
import { isNullish, isString, typeNameOf } from '../types.ts';
import { dateMs, zoneArgument } from './date-arguments.ts';
import {
  checkFormat,
  formatDate,
  INPUT_SPECIFIERS,
  ISO_FORMAT,
  LOCAL_ISO_FORMAT,
  OUTPUT_SPECIFIERS,
  parseDate,
} from './date-text.ts';
import { UTC } from './time-zone.ts';

function optional(argument: RawValue | undefined, compiler: ExpressionCompiler): Expression {
  return argument === undefined ? compiler.constant(undefined) : compiler.compile(argument);
}

/** Checks a constant format once, others per document. undefined: null. */
function formatText(name: string, code: number, allowed: string, value: Value): string | undefined {
  if (isNullish(value)) return undefined;
  if (!isString(value)) {
    throw new CommandError(
      code,
      `${name} requires that 'format' be a string, found: ${typeNameOf(value)}`,
    );
  }
  const format = value.asString();
  checkFormat(format, allowed);
  return format;
}

function compileDateToString(argument: RawValue, compiler: ExpressionCompiler): Expression {
  const given = namedArguments(argument, {
    name: '$dateToString',
    required: ['date'],
    optional: ['format', 'timezone', 'onNull'],
    codes: { notObject: 18629, unknown: 18534, missing: 18628 },
  });
  const date = compiler.compile(given.get('date')!);
  const format = optional(given.get('format'), compiler);
  const zone = zoneArgument(given.get('timezone'), compiler);
  const onNull = given.has('onNull')
    ? compiler.compile(given.get('onNull')!)
    : compiler.constant(NULL);
  if (format.constant !== undefined && given.has('format')) {
    formatText('$dateToString', 18533, OUTPUT_SPECIFIERS, format.constant.value);
  }
  return compiler.combine([date, format, zone.expression, onNull], (scope) => {
    const value = date.evaluate(scope);
    const text = formatText('$dateToString', 18533, OUTPUT_SPECIFIERS, format.evaluate(scope));
    const timeZone = zone.zoneOf(scope);
    if (isNullish(value)) return onNull.evaluate(scope);
    if (timeZone === undefined) return NULL;
    if (given.has('format')) {
      return text === undefined ? NULL : stringValue(formatDate(dateMs(value), text, timeZone));
    }
    const usual = timeZone === UTC ? ISO_FORMAT : LOCAL_ISO_FORMAT;
    return stringValue(formatDate(dateMs(value), usual, timeZone));
  });
}

function compileDateFromString(argument: RawValue, compiler: ExpressionCompiler): Expression {
  const given = namedArguments(argument, {
    name: '$dateFromString',
    required: ['dateString'],
    optional: ['format', 'timezone', 'onNull', 'onError'],
    codes: { notObject: 40540, unknown: 40541, missing: 40542 },
  });
  const input = compiler.compile(given.get('dateString')!);
  const format = optional(given.get('format'), compiler);
  const zone = zoneArgument(given.get('timezone'), compiler);
  const onNull = given.has('onNull')
    ? compiler.compile(given.get('onNull')!)
    : compiler.constant(NULL);
  const onErrorArgument = given.get('onError');
  const onError = onErrorArgument === undefined ? undefined : compiler.compile(onErrorArgument);
  const parts = [input, format, zone.expression, onNull];
  return compiler.combine(onError === undefined ? parts : [...parts, onError], (scope) => {
    const value = input.evaluate(scope);
    const text = formatText('$dateFromString', 40684, INPUT_SPECIFIERS, format.evaluate(scope));
    const timeZone = zone.zoneOf(scope);
    if (isNullish(value)) return onNull.evaluate(scope);
    try {
      if (!isString(value)) {
        throw new CommandError(
          'ConversionFailure',
          `$dateFromString requires that 'dateString' be a string, found: ${typeNameOf(value)}`,
        );
      }
      if (timeZone === undefined || (given.has('format') && text === undefined)) return NULL;
      return dateValue(parseDate(value.asString(), text, timeZone));
    } catch (error) {
      const isConversion = error instanceof CommandError && error.codeName === 'ConversionFailure';
      if (onError === undefined || !isConversion) throw error;
      return onError.evaluate(scope);
    }
  });
}

export const DATE_CONVERSION: readonly ExpressionDefinition[] = [
  defineExpression({ name: '$dateToString', args: 'special', compile: compileDateToString }),
  defineExpression({ name: '$dateFromString', args: 'special', compile: compileDateFromString }),
];
