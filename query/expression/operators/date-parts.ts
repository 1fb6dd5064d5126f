/**
 * Parts of dates: $year, $month, ..., $dateToParts and back with $dateFromParts.
 */
import {
  BsonType,
  dateValue,
  documentOf,
  documentValue,
  fieldsOf,
  int32Value,
  int64Value,
  NULL,
  type RawValue,
} from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import {
  defineExpression,
  type ExpressionCompiler,
  type ExpressionDefinition,
} from '../definition.ts';
import { elementsOf } from '../elements.ts';
import type { Expression } from '../expression.ts';
import { namedArguments } from '../named-arguments.ts';
import type { Scope } from '../scope.ts';
import { isNullish, typeNameOf } from '../types.ts';
import { dateMs, zoneArgument } from './date-arguments.ts';
import {
  calendarOf,
  DAY_MS,
  dayOfYear,
  daysOf,
  daysOfIsoWeek,
  HOUR_MS,
  isoWeekday,
  isoWeekOf,
  MINUTE_MS,
  SECOND_MS,
  weekday,
  weekOfYear,
} from './date-calendar.ts';
import { localMs, utcOfLocal } from './time-zone.ts';

interface DateAndZone {
  readonly date: RawValue;
  readonly timezone: RawValue | undefined;
}

/** {$year: date}, {$year: [date]} or {$year: {date, timezone}}. */
function dateAndZone(name: string, argument: RawValue): DateAndZone {
  if (argument.type === BsonType.object) {
    const fields = [...fieldsOf(argument.asDocument())];
    if (fields[0] !== undefined && !fields[0][0].startsWith('$')) {
      const given = namedArguments(argument, {
        name,
        required: ['date'],
        optional: ['timezone'],
        codes: { notObject: 40535, unknown: 40535, missing: 40539 },
      });
      return { date: given.get('date')!, timezone: given.get('timezone') };
    }
  }
  if (argument.type !== BsonType.array) return { date: argument, timezone: undefined };
  const items = elementsOf(argument);
  if (items.length !== 1) {
    throw new CommandError(
      40536,
      `${name} accepts exactly one argument if given an array, but was given ${items.length}`,
    );
  }
  return { date: items[0], timezone: undefined };
}

/** @param read takes the local time as milliseconds. */
function datePart(name: string, read: (local: number) => RawValue): ExpressionDefinition {
  return defineExpression({
    name,
    args: 'special',
    compile: (argument, compiler) => {
      const parts = dateAndZone(name, argument);
      const date = compiler.compile(parts.date);
      const zone = zoneArgument(parts.timezone, compiler);
      return compiler.combine([date, zone.expression], (scope) => {
        const value = date.evaluate(scope);
        if (isNullish(value)) return NULL;
        const timeZone = zone.zoneOf(scope);
        return timeZone === undefined ? NULL : read(localMs(dateMs(value), timeZone));
      });
    },
  });
}

function compileDateToParts(argument: RawValue, compiler: ExpressionCompiler): Expression {
  const given = namedArguments(argument, {
    name: '$dateToParts',
    required: ['date'],
    optional: ['timezone', 'iso8601'],
    codes: { notObject: 40524, unknown: 40520, missing: 40522 },
  });
  const date = compiler.compile(given.get('date')!);
  const zone = zoneArgument(given.get('timezone'), compiler);
  const isoArgument = given.get('iso8601');
  const iso =
    isoArgument === undefined ? compiler.constant(undefined) : compiler.compile(isoArgument);
  return compiler.combine([date, zone.expression, iso], (scope) => {
    const value = date.evaluate(scope);
    const timeZone = zone.zoneOf(scope);
    const isIso = iso.evaluate(scope);
    if (isNullish(value) || timeZone === undefined) return NULL;
    if (isoArgument !== undefined && isNullish(isIso)) return NULL;
    if (isIso !== undefined && isIso.type !== BsonType.bool) {
      throw new CommandError(40521, `iso8601 must evaluate to a bool, found ${typeNameOf(isIso)}`);
    }
    return partsDocument(localMs(dateMs(value), timeZone), isIso?.asBoolean() ?? false);
  });
}

function partsDocument(local: number, iso: boolean): RawValue {
  const { year, month, day, hour, minute, second, millisecond } = calendarOf(local);
  const { year: isoWeekYear, week: isoWeek } = isoWeekOf(local);
  const date = iso
    ? { isoWeekYear, isoWeek, isoDayOfWeek: isoWeekday(local) }
    : { year, month, day };
  return documentValue(documentOf({ ...date, hour, minute, second, millisecond }));
}

const CALENDAR_PARTS = ['year', 'month', 'day'] as const;
const ISO_PARTS = ['isoWeekYear', 'isoWeek', 'isoDayOfWeek'] as const;
const TIME_PARTS = ['hour', 'minute', 'second', 'millisecond'] as const;

function compileDateFromParts(argument: RawValue, compiler: ExpressionCompiler): Expression {
  const given = namedArguments(argument, {
    name: '$dateFromParts',
    required: [],
    optional: [...CALENDAR_PARTS, ...ISO_PARTS, ...TIME_PARTS, 'timezone'],
    codes: { notObject: 40519, unknown: 40518, missing: 40516 },
  });
  const isIso = given.has('isoWeekYear');
  checkPartNames(given, isIso);
  const names = [...(isIso ? ISO_PARTS : CALENDAR_PARTS), ...TIME_PARTS];
  const parts = names.map((name) => {
    const part = given.get(name);
    return part === undefined ? undefined : { name, expression: compiler.compile(part) };
  });
  const zone = zoneArgument(given.get('timezone'), compiler);
  const all = parts.flatMap((part) => (part === undefined ? [] : [part.expression]));
  return compiler.combine([...all, zone.expression], (scope) => {
    const numbers: number[] = [];
    for (const [index, part] of parts.entries()) {
      const number = part === undefined ? (index < 3 ? 1 : 0) : partNumber(part, scope);
      if (number === undefined) return NULL;
      numbers.push(number);
    }
    const timeZone = zone.zoneOf(scope);
    if (timeZone === undefined) return NULL;
    return dateValue(utcOfLocal(localOfParts(numbers, isIso), timeZone));
  });
}

function checkPartNames(given: ReadonlyMap<string, RawValue>, isIso: boolean): void {
  if (!isIso && !given.has('year')) {
    throw new CommandError(
      40516,
      "$dateFromParts requires either 'year' or 'isoWeekYear' to be present",
    );
  }
  for (const name of isIso ? CALENDAR_PARTS : ISO_PARTS) {
    if (!given.has(name)) continue;
    throw new CommandError(
      isIso ? 40489 : 40525,
      '$dateFromParts does not allow mixing natural dates with ISO dates',
    );
  }
}

function partNumber(
  part: { readonly name: string; readonly expression: Expression },
  scope: Scope,
): number | undefined {
  const value = part.expression.evaluate(scope);
  if (isNullish(value)) return undefined;
  const number = value.asNumber();
  if (!value.isNumber || !Number.isInteger(number)) {
    throw new CommandError(
      40515,
      `'${part.name}' must evaluate to an integer, found ${typeNameOf(value)} with value ${number}`,
    );
  }
  const isYear = part.name === 'year' || part.name === 'isoWeekYear';
  if (isYear && (number < 1 || number > 9999)) {
    throw new CommandError(
      40523,
      `'${part.name}' must evaluate to an integer in the range 1 to 9999, found ${number}`,
    );
  }
  if (!isYear && Math.abs(number) > MAX_PART) {
    throw new CommandError(
      31034,
      `'${part.name}' must evaluate to a value in the range [-32768, 32767]; value ${number} is not in range`,
    );
  }
  return number;
}

const MAX_PART = 1e15;

function localOfParts(numbers: readonly number[], isIso: boolean): number {
  const [year, second, third, hours, minutes, seconds, milliseconds] = numbers;
  const days = isIso ? daysOfIsoWeek(year, second, third) : daysOf(year, second, third);
  return days * DAY_MS + hours * HOUR_MS + minutes * MINUTE_MS + seconds * SECOND_MS + milliseconds;
}

function timestampPart(
  name: string,
  code: number,
  read: (timestamp: { seconds: number; increment: number }) => number,
): ExpressionDefinition {
  return defineExpression({
    name,
    args: 1,
    nullish: 'null',
    evaluate: (value: RawValue) => {
      if (value.type !== BsonType.timestamp) {
        throw new CommandError(
          code,
          `${name} requires a timestamp argument, found: ${typeNameOf(value)}`,
        );
      }
      return int64Value(BigInt(read(value.asTimestamp())));
    },
  });
}

export const DATE_PARTS: readonly ExpressionDefinition[] = [
  datePart('$year', (local) => int32Value(calendarOf(local).year)),
  datePart('$month', (local) => int32Value(calendarOf(local).month)),
  datePart('$dayOfMonth', (local) => int32Value(calendarOf(local).day)),
  datePart('$hour', (local) => int32Value(calendarOf(local).hour)),
  datePart('$minute', (local) => int32Value(calendarOf(local).minute)),
  datePart('$second', (local) => int32Value(calendarOf(local).second)),
  datePart('$millisecond', (local) => int32Value(calendarOf(local).millisecond)),
  datePart('$dayOfYear', (local) => int32Value(dayOfYear(local))),
  datePart('$dayOfWeek', (local) => int32Value(weekday(local) + 1)),
  datePart('$week', (local) => int32Value(weekOfYear(local))),
  datePart('$isoDayOfWeek', (local) => int32Value(isoWeekday(local))),
  datePart('$isoWeek', (local) => int32Value(isoWeekOf(local).week)),
  datePart('$isoWeekYear', (local) => int64Value(BigInt(isoWeekOf(local).year))),
  defineExpression({ name: '$dateToParts', args: 'special', compile: compileDateToParts }),
  defineExpression({ name: '$dateFromParts', args: 'special', compile: compileDateFromParts }),
  timestampPart('$tsSecond', 5687301, ({ seconds }) => seconds),
  timestampPart('$tsIncrement', 5687302, ({ increment }) => increment),
];
