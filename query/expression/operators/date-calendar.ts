/**
 * The calendar: milliseconds since 1970 to year, month, day and back, in the proleptic Gregorian calendar.
 *
 * Promises: works for every whole number of milliseconds that a double holds, also where JavaScript's Date ends.
 * Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms" (algorithms in the public domain).
 */

export const SECOND_MS = 1000;
export const MINUTE_MS = 60 * SECOND_MS;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;

/** A moment taken apart. Months and days from 1. */
export interface CalendarTime {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  readonly millisecond: number;
}

/** Days since 1970 of a date; months and days may lie outside of their ranges. */
export function daysOf(year: number, month: number, day: number): number {
  const wholeYear = year + Math.floor((month - 1) / 12);
  const inYear = ((((month - 1) % 12) + 12) % 12) + 1;
  const shifted = inYear <= 2 ? wholeYear - 1 : wholeYear;
  const era = Math.floor(shifted / 400);
  const yearOfEra = shifted - era * 400;
  const dayOfYear = Math.floor((153 * (inYear + (inYear > 2 ? -3 : 9)) + 2) / 5);
  const dayOfEra =
    yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468 + (day - 1);
}

export function calendarOf(ms: number): CalendarTime {
  const days = Math.floor(ms / DAY_MS);
  const rest = ms - days * DAY_MS;
  const fromEra = days + 719_468;
  const era = Math.floor(fromEra / 146_097);
  const dayOfEra = fromEra - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  );
  const dayOfYear =
    dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shiftedMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9;
  return {
    year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0),
    month,
    day: dayOfYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1,
    hour: Math.floor(rest / HOUR_MS),
    minute: Math.floor(rest / MINUTE_MS) % 60,
    second: Math.floor(rest / SECOND_MS) % 60,
    millisecond: rest % SECOND_MS,
  };
}

export function msOf(time: CalendarTime): number {
  return (
    daysOf(time.year, time.month, time.day) * DAY_MS +
    time.hour * HOUR_MS +
    time.minute * MINUTE_MS +
    time.second * SECOND_MS +
    time.millisecond
  );
}

export function daysInMonth(year: number, month: number): number {
  return daysOf(year, month + 1, 1) - daysOf(year, month, 1);
}

/** 1 is the first of January. */
export function dayOfYear(ms: number): number {
  const { year } = calendarOf(ms);
  return Math.floor(ms / DAY_MS) - daysOf(year, 1, 1) + 1;
}

/** 0 is Sunday. */
export function weekday(ms: number): number {
  return (((Math.floor(ms / DAY_MS) + 4) % 7) + 7) % 7;
}

/** 1 is Monday, 7 Sunday. */
export function isoWeekday(ms: number): number {
  return weekday(ms) || 7;
}

/** Weeks begin on Sunday; days before the first one are in week 0. */
export function weekOfYear(ms: number): number {
  return Math.floor((dayOfYear(ms) + 6 - weekday(ms)) / 7);
}

/** ISO 8601: the week belongs to the year of its Thursday. */
export function isoWeekOf(ms: number): { readonly year: number; readonly week: number } {
  const thursday = ms + (4 - isoWeekday(ms)) * DAY_MS;
  return {
    year: calendarOf(thursday).year,
    week: Math.floor((dayOfYear(thursday) - 1) / 7) + 1,
  };
}

/** Days since 1970 of a day of an ISO week; weeks and days may lie outside of their ranges. */
export function daysOfIsoWeek(year: number, week: number, day: number): number {
  const fourth = daysOf(year, 1, 4);
  const monday = fourth - (isoWeekday(fourth * DAY_MS) - 1);
  return monday + (week - 1) * 7 + (day - 1);
}

export function padded(value: number, digits: number): string {
  return value < 0
    ? `-${String(-value).padStart(digits, '0')}`
    : String(value).padStart(digits, '0');
}

/** 2017-02-08T12:10:40.787Z */
export function isoText(ms: number): string {
  const { year, month, day, hour, minute, second, millisecond } = calendarOf(ms);
  const date = `${padded(year, 4)}-${padded(month, 2)}-${padded(day, 2)}`;
  const time = `${padded(hour, 2)}:${padded(minute, 2)}:${padded(second, 2)}`;
  return `${date}T${time}.${padded(millisecond, 3)}Z`;
}
