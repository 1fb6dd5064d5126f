/**
 * Arguments that date operators share: the date itself, time zone, unit, first day of the week.
 */
import { BsonType, type RawValue } from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import type { ExpressionCompiler, Value } from '../definition.ts';
import type { Expression } from '../expression.ts';
import type { Scope } from '../scope.ts';
import { isNullish, isString, typeNameOf } from '../types.ts';
import { type TimeZone, timeZoneOf, UTC } from './time-zone.ts';

/** Milliseconds since 1970 of what MongoDB takes for a date: dates, timestamps, ObjectIds. undefined: none of them. */
export function tryDateMs(value: RawValue): number | undefined {
  switch (value.type) {
    case BsonType.date:
      return value.asDateMs();
    case BsonType.timestamp:
      return value.asTimestamp().seconds * 1000;
    case BsonType.objectId:
      return value.asObjectIdBytes().readUInt32BE(0) * 1000;
    default:
      return undefined;
  }
}

/** @throws CommandError 16006 */
export function dateMs(value: RawValue): number {
  const ms = tryDateMs(value);
  if (ms !== undefined) return ms;
  throw new CommandError(16006, `can't convert from BSON type ${typeNameOf(value)} to Date`);
}

/** A time zone per document: fixed at compilation when it is constant. undefined: null. */
export type ZoneOf = (scope: Scope) => TimeZone | undefined;

export interface ZoneArgument {
  readonly expression: Expression;
  readonly zoneOf: ZoneOf;
  readonly given: boolean;
}

export function zoneArgument(
  argument: RawValue | undefined,
  compiler: ExpressionCompiler,
): ZoneArgument {
  if (argument === undefined) {
    return { expression: compiler.constant(undefined), zoneOf: () => UTC, given: false };
  }
  const expression = compiler.compile(argument);
  if (expression.constant !== undefined) {
    const zone = zoneFrom(expression.constant.value);
    return { expression, zoneOf: () => zone, given: true };
  }
  return { expression, zoneOf: (scope) => zoneFrom(expression.evaluate(scope)), given: true };
}

function zoneFrom(value: Value): TimeZone | undefined {
  if (isNullish(value)) return undefined;
  if (isString(value)) return timeZoneOf(value.asString());
  throw new CommandError(40517, `timezone must evaluate to a string, found ${typeNameOf(value)}`);
}

export type TimeUnit =
  'year' | 'quarter' | 'month' | 'week' | 'day' | 'hour' | 'minute' | 'second' | 'millisecond';

const UNITS: ReadonlySet<string> = new Set<TimeUnit>([
  'year',
  'quarter',
  'month',
  'week',
  'day',
  'hour',
  'minute',
  'second',
  'millisecond',
]);

function isTimeUnit(text: string): text is TimeUnit {
  return UNITS.has(text);
}

export function parseTimeUnit(text: string): TimeUnit {
  if (isTimeUnit(text)) return text;
  throw new CommandError('FailedToParse', `unknown time unit value: ${text}`);
}

/** undefined: null. */
export function unitFrom(name: string, value: Value): TimeUnit | undefined {
  if (isNullish(value)) return undefined;
  if (isString(value)) return parseTimeUnit(value.asString());
  throw new CommandError(
    5439013,
    `${name} requires 'unit' to be a string, but got ${typeNameOf(value)}`,
  );
}

const WEEKDAYS = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'];

/** 0 is Sunday; 'mon' and 'Monday' are both understood. undefined: null. */
export function firstDayFrom(name: string, value: Value): number | undefined {
  if (isNullish(value)) return undefined;
  if (!isString(value)) {
    throw new CommandError(
      5439015,
      `${name} requires 'startOfWeek' to be a string, but got ${typeNameOf(value)}`,
    );
  }
  const text = value.asString().toLowerCase();
  const day = WEEKDAYS.findIndex((weekday) => weekday === text || weekday.slice(0, 3) === text);
  if (day >= 0) return day;
  throw new CommandError(
    5439016,
    `${name} parameter 'startOfWeek' value cannot be recognized as a day of a week: ${value.asString()}`,
  );
}
