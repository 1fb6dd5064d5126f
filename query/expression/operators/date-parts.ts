/**
 * Parts of dates: $year, $month, ..., $dateToParts and back with $dateFromParts.
 */
import {
  BsonType,
  dateValue,
  documentOf,
  documentValue,
  fieldsOf,
  inspect,
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
    if (fields[0]?.[0].startsWith('$') !== true) {
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
        const ms = dateMs(value);
        const timeZone = zone.zoneOf(scope);
        return timeZone === undefined ? NULL : read(localMs(ms, timeZone));
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
    if (timeZone === undefined) return NULL;
    const isIso = iso.evaluate(scope);
    if (isoArgument !== undefined && isNullish(isIso)) return NULL;
    if (isIso !== undefined && isIso.type !== BsonType.bool) {
      throw new CommandError(40521, `iso8601 must evaluate to a bool, found ${typeNameOf(isIso)}`);
    }
    if (isNullish(value)) return NULL;
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
  const partsNamed = (names: readonly string[]): Part[] =>
    names.map((name) => {
      const part = given.get(name);
      const otherwise = names === TIME_PARTS ? 0 : 1;
      return part === undefined
        ? { name, otherwise }
        : { name, otherwise, expression: compiler.compile(part) };
    });
  const dateParts = partsNamed(isIso ? ISO_PARTS : CALENDAR_PARTS);
  const timeParts = partsNamed(TIME_PARTS);
  const zone = zoneArgument(given.get('timezone'), compiler);
  const all = [...dateParts, ...timeParts].flatMap(({ expression }) => expression ?? []);
  return compiler.combine([...all, zone.expression], (scope) => {
    const time = numbersOf(timeParts, scope);
    if (time === undefined) return NULL;
    const timeZone = zone.zoneOf(scope);
    if (timeZone === undefined) return NULL;
    const date = numbersOf(dateParts, scope);
    if (date === undefined) return NULL;
    checkYear(dateParts[0].name, date[0]);
    const ms = utcOfLocal(localOfParts([...date, ...time], isIso), timeZone);
    if (!Number.isSafeInteger(ms)) {
      throw new CommandError(159, 'Overflow casting from a lower-precision duration');
    }
    return dateValue(ms);
  });
}

interface Part {
  readonly name: string;
  readonly otherwise: number;
  /** undefined: not given. */
  readonly expression?: Expression;
}

/** undefined: one of them is null, which hides the faults of those behind it. */
function numbersOf(parts: readonly Part[], scope: Scope): number[] | undefined {
  const numbers: number[] = [];
  for (const part of parts) {
    const number = partNumber(part, scope);
    if (number === undefined) return undefined;
    numbers.push(number);
  }
  return numbers;
}

function checkPartNames(given: ReadonlyMap<string, RawValue>, isIso: boolean): void {
  const hasYear = given.has('year');
  if (!isIso && !hasYear) {
    throw new CommandError(
      40516,
      "$dateFromParts requires either 'year' or 'isoWeekYear' to be present",
    );
  }
  for (const name of hasYear ? ISO_PARTS : CALENDAR_PARTS) {
    if (!given.has(name)) continue;
    throw new CommandError(
      hasYear ? 40489 : 40525,
      '$dateFromParts does not allow mixing natural dates with ISO dates',
    );
  }
}

/** Only seconds and milliseconds may be more than 16 bits hold; years are looked at when all else is known. */
const UNBOUNDED: ReadonlySet<string> = new Set(['year', 'isoWeekYear', 'second', 'millisecond']);

function partNumber({ name, otherwise, expression }: Part, scope: Scope): number | undefined {
  if (expression === undefined) return otherwise;
  const value = expression.evaluate(scope);
  if (isNullish(value)) return undefined;
  const number = value.asNumber();
  if (!value.isNumber || !Number.isInteger(number) || Math.abs(number) > 2 ** 63) {
    throw new CommandError(
      40515,
      `'${name}' must evaluate to an integer, found ${typeNameOf(value)} with value ${inspect(value)}`,
    );
  }
  if (!UNBOUNDED.has(name) && (number < -32_768 || number > 32_767)) {
    throw new CommandError(
      31034,
      `'${name}' must evaluate to a value in the range [-32768, 32767]; value ${number} is not in range`,
    );
  }
  return number;
}

function checkYear(name: string, year: number): void {
  if (year >= 1 && year <= 9999) return;
  throw new CommandError(
    name === 'year' ? 40523 : 31095,
    `'${name}' must evaluate to an integer in the range 1 to 9999, found ${year}`,
  );
}

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
