/**
 * $dateAdd, $dateSubtract, $dateDiff, $dateTrunc: calendar arithmetic in a time zone.
 *
 * Units from the day up follow the local calendar; hours and below are lengths of time.
 */
import { dateValue, int64Value, NULL, type RawValue } from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import {
  defineExpression,
  type ExpressionCompiler,
  type ExpressionDefinition,
  type Value,
} from '../definition.ts';
import type { Expression } from '../expression.ts';
import { namedArguments } from '../named-arguments.ts';
import type { Scope } from '../scope.ts';
import { isNullish, typeNameOf } from '../types.ts';
import {
  firstDayFrom,
  type TimeUnit,
  tryDateMs,
  unitFrom,
  zoneArgument,
} from './date-arguments.ts';
import {
  calendarOf,
  DAY_MS,
  daysInMonth,
  daysOf,
  HOUR_MS,
  MINUTE_MS,
  SECOND_MS,
  weekday,
} from './date-calendar.ts';
import { localMs, type TimeZone, utcOfLocal } from './time-zone.ts';

const LENGTH_MS: Readonly<Partial<Record<TimeUnit, number>>> = {
  hour: HOUR_MS,
  minute: MINUTE_MS,
  second: SECOND_MS,
  millisecond: 1,
};

const MONTHS_IN: Readonly<Partial<Record<TimeUnit, number>>> = { year: 12, quarter: 3, month: 1 };
const DAYS_IN: Readonly<Partial<Record<TimeUnit, number>>> = { week: 7, day: 1 };

/** A moment moved by so many units. */
export function addUnits(ms: number, unit: TimeUnit, amount: number, zone: TimeZone): number {
  const length = LENGTH_MS[unit];
  if (length !== undefined) return ms + amount * length;
  const local = localMs(ms, zone);
  const days = DAYS_IN[unit];
  if (days !== undefined) return utcOfLocal(local + amount * days * DAY_MS, zone);
  return utcOfLocal(addMonths(local, amount * MONTHS_IN[unit]!), zone);
}

/** The same day of another month, or its last day when it is shorter. */
function addMonths(local: number, months: number): number {
  const { year, month, day } = calendarOf(local);
  const target = year * 12 + (month - 1) + months;
  const targetYear = Math.floor(target / 12);
  const targetMonth = target - targetYear * 12 + 1;
  const targetDay = Math.min(day, daysInMonth(targetYear, targetMonth));
  return daysOf(targetYear, targetMonth, targetDay) * DAY_MS + timeOfDay(local);
}

function timeOfDay(local: number): number {
  return local - Math.floor(local / DAY_MS) * DAY_MS;
}

/** How many borders between units lie between two moments; negative when the end comes first. */
export function unitsBetween(
  startMs: number,
  endMs: number,
  unit: TimeUnit,
  zone: TimeZone,
  firstDay: number,
): number {
  if (unit === 'millisecond') return endMs - startMs;
  const start = localMs(startMs, zone);
  const end = localMs(endMs, zone);
  const length = LENGTH_MS[unit];
  if (length !== undefined) {
    // Borders are those of local time; a change of the offset in between is no passage of time.
    const shift = end - endMs - (start - startMs);
    return Math.floor(end / length) - Math.floor(start / length) - Math.round(shift / length);
  }
  if (unit === 'day') return dayNumber(end) - dayNumber(start);
  if (unit === 'week') return weekNumber(end, firstDay) - weekNumber(start, firstDay);
  const months = MONTHS_IN[unit]!;
  return Math.floor(monthNumber(end) / months) - Math.floor(monthNumber(start) / months);
}

function dayNumber(local: number): number {
  return Math.floor(local / DAY_MS);
}

function weekNumber(local: number, firstDay: number): number {
  const sinceFirst = (weekday(local) - firstDay + 7) % 7;
  return Math.floor((dayNumber(local) - sinceFirst) / 7);
}

function monthNumber(local: number): number {
  const { year, month } = calendarOf(local);
  return year * 12 + month - 1;
}

/** Bins are counted from the beginning of the year 2000. */
const REFERENCE_DAY = daysOf(2000, 1, 1);
const REFERENCE_MONTH = 2000 * 12;

/** The begin of the bin of so many units in which a moment lies. */
export function truncate(
  ms: number,
  unit: TimeUnit,
  binSize: number,
  zone: TimeZone,
  firstDay: number,
): number {
  const length = LENGTH_MS[unit];
  const local = localMs(ms, zone);
  if (length !== undefined) {
    const since = local - REFERENCE_DAY * DAY_MS;
    const bin = length * binSize;
    const begin = Math.floor(since / bin) * bin;
    // Within one offset local and universal time run alike; a bin longer than that is placed by the calendar.
    return bin <= DAY_MS ? ms - (since - begin) : utcOfLocal(begin + REFERENCE_DAY * DAY_MS, zone);
  }
  const days = DAYS_IN[unit];
  if (days !== undefined) {
    const reference = unit === 'week' ? firstWeekday(firstDay) : REFERENCE_DAY;
    const bin = days * binSize;
    const begin = Math.floor((dayNumber(local) - reference) / bin) * bin + reference;
    return utcOfLocal(begin * DAY_MS, zone);
  }
  const bin = MONTHS_IN[unit]! * binSize;
  const begin = Math.floor((monthNumber(local) - REFERENCE_MONTH) / bin) * bin + REFERENCE_MONTH;
  const year = Math.floor(begin / 12);
  return utcOfLocal(daysOf(year, begin - year * 12 + 1, 1) * DAY_MS, zone);
}

/** The first such weekday of the year 2000. */
function firstWeekday(firstDay: number): number {
  return REFERENCE_DAY + ((firstDay - weekday(REFERENCE_DAY * DAY_MS) + 7) % 7);
}

function dateArgument(name: string, code: number, key: string, value: RawValue): number {
  const ms = tryDateMs(value);
  if (ms !== undefined) return ms;
  throw new CommandError(
    code,
    `${name} requires '${key}' to be a date, but got ${typeNameOf(value)}`,
  );
}

/** A whole number of 64 bits. */
function wholeAmount(name: string, value: RawValue): number {
  const amount = value.asNumber();
  if (value.isNumber && Number.isInteger(amount) && Math.abs(amount) <= 2 ** 63) return amount;
  throw new CommandError(
    5166405,
    `${name} expects integer amount of time units, but got ${typeNameOf(value)}`,
  );
}

/** All the days that 2^64 milliseconds have, and the other units by them. */
const MOST_DAYS = 213_503_982_335;
const MOST_YEARS = 584_942_418;
const MOST_UNITS: Readonly<Record<TimeUnit, number>> = {
  year: MOST_YEARS,
  quarter: MOST_YEARS * 4,
  month: MOST_YEARS * 12,
  week: Math.floor(MOST_DAYS / 7),
  day: MOST_DAYS,
  hour: MOST_DAYS * 24,
  minute: MOST_DAYS * 24 * 60,
  second: MOST_DAYS * 24 * 60 * 60,
  millisecond: Infinity,
};

function checkAmount(amount: number, unit: TimeUnit): void {
  if (Math.abs(amount) < MOST_UNITS[unit]) return;
  throw new CommandError(5976500, `invalid dateAdd 'amount' parameter value: ${amount} ${unit}`);
}

const INT64_MIN = -(2 ** 63);

/** A constant unit is looked at before any document is. */
function compileUnit(name: string, argument: RawValue, compiler: ExpressionCompiler): Expression {
  const unit = compiler.compile(argument);
  if (unit.constant !== undefined) unitFrom(name, unit.constant.value);
  return unit;
}

function shiftOperator(name: '$dateAdd' | '$dateSubtract', sign: 1 | -1): ExpressionDefinition {
  return defineExpression({
    name,
    args: 'special',
    compile: (argument, compiler) => {
      const given = namedArguments(argument, {
        name,
        required: ['startDate', 'unit', 'amount'],
        optional: ['timezone'],
        codes: { notObject: 5166400, unknown: 5166401, missing: 5166402 },
      });
      const start = compiler.compile(given.get('startDate')!);
      const unit = compileUnit(name, given.get('unit')!, compiler);
      const amount = compiler.compile(given.get('amount')!);
      const zone = zoneArgument(given.get('timezone'), compiler);
      // What is null hides the faults of what comes behind it, in this order.
      return compiler.combine([start, unit, amount, zone.expression], (scope) => {
        const date = start.evaluate(scope);
        if (isNullish(date)) return NULL;
        const timeUnit = unitFrom(name, unit.evaluate(scope));
        if (timeUnit === undefined) return NULL;
        const units = amount.evaluate(scope);
        if (isNullish(units)) return NULL;
        const timeZone = zone.zoneOf(scope);
        if (timeZone === undefined) return NULL;
        const ms = dateArgument(name, 5166403, 'startDate', date);
        const whole = wholeAmount(name, units);
        if (sign < 0 && whole === INT64_MIN) {
          throw new CommandError(6045000, `invalid ${name} 'amount' parameter value: ${whole}`);
        }
        checkAmount(whole, timeUnit);
        const result = addUnits(ms, timeUnit, sign * whole, timeZone);
        if (!Number.isSafeInteger(result)) {
          throw new CommandError(5166406, `${name} overflowed`);
        }
        return dateValue(result);
      });
    },
  });
}

function compileDateDiff(argument: RawValue, compiler: ExpressionCompiler): Expression {
  const name = '$dateDiff';
  const given = namedArguments(argument, {
    name,
    required: ['startDate', 'endDate', 'unit'],
    optional: ['timezone', 'startOfWeek'],
    codes: { notObject: 5166301, unknown: 5166302, missing: [5166303, 5166304, 5166305] },
  });
  const start = compiler.compile(given.get('startDate')!);
  const end = compiler.compile(given.get('endDate')!);
  const unit = compileUnit(name, given.get('unit')!, compiler);
  const zone = zoneArgument(given.get('timezone'), compiler);
  const firstDay = optional(given.get('startOfWeek'), compiler);
  return compiler.combine([start, end, unit, zone.expression, firstDay], (scope) => {
    const from = start.evaluate(scope);
    if (isNullish(from)) return NULL;
    const to = end.evaluate(scope);
    if (isNullish(to)) return NULL;
    const timeUnit = unitFrom(name, unit.evaluate(scope));
    if (timeUnit === undefined) return NULL;
    const first = firstDayOf(name, timeUnit, given, firstDay, scope);
    if (first === undefined) return NULL;
    const timeZone = zone.zoneOf(scope);
    if (timeZone === undefined) return NULL;
    const startMs = dateArgument(name, 5166307, 'startDate', from);
    const endMs = dateArgument(name, 5166307, 'endDate', to);
    return int64Value(BigInt(unitsBetween(startMs, endMs, timeUnit, timeZone, first)));
  });
}

function optional(argument: RawValue | undefined, compiler: ExpressionCompiler): Expression {
  return argument === undefined ? compiler.constant(undefined) : compiler.compile(argument);
}

/** Counts only for weeks. undefined: it was given and is null. */
function firstDayOf(
  name: string,
  unit: TimeUnit,
  given: ReadonlyMap<string, RawValue>,
  firstDay: Expression,
  scope: Scope,
): number | undefined {
  if (unit !== 'week' || !given.has('startOfWeek')) return 0;
  return firstDayFrom(name, firstDay.evaluate(scope));
}

function compileDateTrunc(argument: RawValue, compiler: ExpressionCompiler): Expression {
  const name = '$dateTrunc';
  const given = namedArguments(argument, {
    name,
    required: ['date', 'unit'],
    optional: ['binSize', 'timezone', 'startOfWeek'],
    codes: { notObject: 5439007, unknown: 5439008, missing: [5439009, 5439010] },
  });
  const date = compiler.compile(given.get('date')!);
  const unit = compileUnit(name, given.get('unit')!, compiler);
  const binSize = optional(given.get('binSize'), compiler);
  if (binSize.constant !== undefined) binSizeFrom(binSize.constant.value);
  const zone = zoneArgument(given.get('timezone'), compiler);
  const firstDay = optional(given.get('startOfWeek'), compiler);
  return compiler.combine([date, unit, binSize, zone.expression, firstDay], (scope) => {
    const value = date.evaluate(scope);
    if (isNullish(value)) return NULL;
    const size = given.has('binSize') ? binSizeFrom(binSize.evaluate(scope)) : 1;
    if (size === undefined) return NULL;
    const timeUnit = unitFrom(name, unit.evaluate(scope));
    if (timeUnit === undefined) return NULL;
    const first = firstDayOf(name, timeUnit, given, firstDay, scope);
    if (first === undefined) return NULL;
    const timeZone = zone.zoneOf(scope);
    if (timeZone === undefined) return NULL;
    const ms = dateArgument(name, 5439012, 'date', value);
    checkBinSize(size, timeUnit);
    return dateValue(truncate(ms, timeUnit, size, timeZone, first));
  });
}

function binSizeFrom(value: Value): number | undefined {
  if (isNullish(value)) return undefined;
  const size = value.asNumber();
  if (!value.isNumber || !Number.isInteger(size) || Math.abs(size) > 2 ** 63) {
    throw new CommandError(
      5439017,
      `$dateTrunc requires 'binSize' to be a 64-bit integer, but got value '${size}' of type ${typeNameOf(value)}`,
    );
  }
  if (size <= 0) {
    throw new CommandError(
      5439018,
      `$dateTrunc requires 'binSize' to be greater than 0, but got value ${size}`,
    );
  }
  return size;
}

/** As many days and more as calendars can count. */
const MOST_BIN_SIZE = 100_000_000_000;

function checkBinSize(size: number, unit: TimeUnit): void {
  const length = LENGTH_MS[unit];
  if (length === undefined) {
    if (size <= MOST_BIN_SIZE) return;
    throw new CommandError(5439006, 'dateTrunc unsupported binSize value');
  }
  if (size * length < 2 ** 63 || length === 1) return;
  throw new CommandError(5439002, 'dateTrunc overflowed');
}

export const DATE_ARITHMETIC: readonly ExpressionDefinition[] = [
  shiftOperator('$dateAdd', 1),
  shiftOperator('$dateSubtract', -1),
  defineExpression({ name: '$dateDiff', args: 'special', compile: compileDateDiff }),
  defineExpression({ name: '$dateTrunc', args: 'special', compile: compileDateTrunc }),
];
