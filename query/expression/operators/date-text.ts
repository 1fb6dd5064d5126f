/**
 * Dates as text, and text as dates.
 */
import { CommandError } from '../../../common/errors.ts';
import {
  DAY_MS,
  dayOfYear,
  daysOf,
  daysOfIsoWeek,
  HOUR_MS,
  isoWeekday,
  isoWeekOf,
  MINUTE_MS,
  padded,
  SECOND_MS,
  weekday,
  weekOfYear,
  calendarOf,
} from './date-calendar.ts';
import { offsetText, type TimeZone, timeZoneOf, utcOfLocal } from './time-zone.ts';

const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
] as const;

type Show = (local: number, offsetMs: number) => string;

/** One entry per format character of $dateToString. */
const SPECIFIERS: Readonly<Record<string, Show>> = {
  '%': () => '%',
  Y: (local) => yearText(calendarOf(local).year),
  G: (local) => yearText(isoWeekOf(local).year),
  m: (local) => padded(calendarOf(local).month, 2),
  d: (local) => padded(calendarOf(local).day, 2),
  H: (local) => padded(calendarOf(local).hour, 2),
  M: (local) => padded(calendarOf(local).minute, 2),
  S: (local) => padded(calendarOf(local).second, 2),
  L: (local) => padded(calendarOf(local).millisecond, 3),
  j: (local) => padded(dayOfYear(local), 3),
  U: (local) => padded(weekOfYear(local), 2),
  V: (local) => padded(isoWeekOf(local).week, 2),
  u: (local) => String(isoWeekday(local)),
  w: (local) => String(weekday(local) + 1),
  b: (local) => MONTHS[calendarOf(local).month - 1].slice(0, 3),
  B: (local) => MONTHS[calendarOf(local).month - 1],
  z: (_local, offsetMs) => offsetText(offsetMs),
  Z: (_local, offsetMs) => String(Math.trunc(offsetMs / MINUTE_MS)),
};

function yearText(year: number): string {
  if (year < 0 || year > 9999) {
    throw new CommandError(18537, 'Error: dates must be in the range of years 0 through 9999');
  }
  return padded(year, 4);
}

/** @throws CommandError 18535, 18536 */
export function checkFormat(format: string, allowed: string): void {
  for (let index = format.indexOf('%'); index >= 0; index = format.indexOf('%', index + 2)) {
    const specifier = format[index + 1];
    if (specifier === undefined) {
      throw new CommandError(18535, "Unmatched '%' at end of format string");
    }
    if (!allowed.includes(specifier)) {
      throw new CommandError(18536, `Invalid format character '%${specifier}' in format string`);
    }
  }
}

export const OUTPUT_SPECIFIERS = Object.keys(SPECIFIERS).join('');

export function formatDate(utcMs: number, format: string, zone: TimeZone): string {
  const offsetMs = zone.offsetMsAt(utcMs);
  return format.replace(/%(.)/gs, (_all, specifier: string) =>
    SPECIFIERS[specifier](utcMs + offsetMs, offsetMs),
  );
}

export const ISO_FORMAT = '%Y-%m-%dT%H:%M:%S.%LZ';
/** What $dateToString uses when a time zone other than UTC is given. */
export const LOCAL_ISO_FORMAT = '%Y-%m-%dT%H:%M:%S.%L';

/** What parsing finds in a text; absent parts have their usual defaults. */
interface Found {
  year?: number;
  month?: number;
  day?: number;
  dayOfYear?: number;
  isoYear?: number;
  isoWeek?: number;
  isoDay?: number;
  hour?: number;
  minute?: number;
  second?: number;
  millisecond?: number;
  /** The text names its zone. */
  zone?: TimeZone;
}

export const INPUT_SPECIFIERS = '%YmdHMSLjGVuzZbB';

/** A named group per format character of $dateFromString. */
const PATTERNS: Readonly<Record<string, string>> = {
  '%': '%',
  Y: '(?<Y>\\d{4})',
  m: '(?<m>\\d{1,2})',
  d: '(?<d>\\d{1,2})',
  H: '(?<H>\\d{1,2})',
  M: '(?<M>\\d{1,2})',
  S: '(?<S>\\d{1,2})',
  L: '(?<L>\\d{1,3})',
  j: '(?<j>\\d{1,3})',
  G: '(?<G>\\d{4})',
  V: '(?<V>\\d{1,2})',
  u: '(?<u>\\d)',
  z: '(?<z>[+-]\\d\\d:?\\d\\d|Z)',
  Z: '(?<Z>[+-]\\d{1,3})',
  b: '(?<b>[A-Za-z]{3})',
  B: '(?<B>[A-Za-z]{3,9})',
};

function formatPattern(format: string): RegExp {
  const source = format.replace(/%(.)|[\\^$.|?*+()[\]{}]/gs, (all, specifier?: string) =>
    specifier === undefined ? `\\${all}` : PATTERNS[specifier],
  );
  return new RegExp(`^${source}$`);
}

/**
 * @param zone for a text that names none. @throws CommandError 241 for a text that is no date in this format.
 */
export function parseDate(text: string, format: string | undefined, zone: TimeZone): number {
  const found = format === undefined ? parseFree(text) : parseFormat(text, format);
  if (found === undefined) {
    throw new CommandError(
      'ConversionFailure',
      format === undefined
        ? `Error parsing date string '${text}'`
        : `Error parsing date string '${text}' with format '${format}'`,
    );
  }
  checkRanges(found, text);
  return utcOfLocal(localMsOf(found), found.zone ?? zone);
}

function parseFormat(text: string, format: string): Found | undefined {
  const groups = formatPattern(format).exec(text)?.groups;
  if (groups === undefined) return undefined;
  const number = (name: string): number | undefined =>
    groups[name] === undefined ? undefined : Number(groups[name]);
  const monthName = groups['b'] ?? groups['B'];
  const zone =
    groups['z'] !== undefined
      ? timeZoneOf(groups['z'])
      : groups['Z'] === undefined
        ? undefined
        : minutesZone(Number(groups['Z']));
  return {
    year: number('Y'),
    month: monthName === undefined ? number('m') : monthNumber(monthName),
    day: number('d'),
    dayOfYear: number('j'),
    isoYear: number('G'),
    isoWeek: number('V'),
    isoDay: number('u'),
    hour: number('H'),
    minute: number('M'),
    second: number('S'),
    millisecond: groups['L'] === undefined ? undefined : Number(groups['L'].padEnd(3, '0')),
    zone,
  };
}

function minutesZone(minutes: number): TimeZone {
  const offsetMs = minutes * MINUTE_MS;
  return { offsetMsAt: () => offsetMs, name: offsetText(offsetMs) };
}

const TIME =
  '(?:[T ]\\s*(?<H>\\d{1,2}):(?<M>\\d{2})(?::(?<S>\\d{2})(?:[.,](?<L>\\d{1,9}))?)?\\s*(?<ap>[AaPp]\\.?[Mm]\\.?)?)?';
const ZONE = '\\s*(?<z>Z|z|UTC|GMT|[+-]\\d{2}(?::?\\d{2})?|[A-Za-z]+/[A-Za-z_/]+)?';

/** The forms of free text that are understood: ISO 8601 and its relatives, American and written-out dates. */
const FREE_FORMS: readonly RegExp[] = [
  `(?<Y>\\d{4})-(?<m>\\d{1,2})-(?<d>\\d{1,2})`,
  `(?<Y>\\d{4})/(?<m>\\d{1,2})/(?<d>\\d{1,2})`,
  `(?<Y>\\d{4})(?<m>\\d{2})(?<d>\\d{2})`,
  `(?<Y>\\d{4})-W(?<V>\\d{2})-?(?<u>\\d)`,
  `(?<Y>\\d{4})-?(?<j>\\d{3})`,
  `(?<m>\\d{1,2})/(?<d>\\d{1,2})/(?<Y>\\d{4})`,
  `(?<d>\\d{1,2})\\.(?<m>\\d{1,2})\\.(?<Y>\\d{4})`,
  `(?:[A-Za-z]{3,9},?\\s+)?(?<d>\\d{1,2})(?:st|nd|rd|th)?[ -](?<B>[A-Za-z]{3,9})[ -,]+(?<Y>\\d{4})`,
  `(?:[A-Za-z]{3,9},?\\s+)?(?<B>[A-Za-z]{3,9})\\s+(?<d>\\d{1,2})(?:st|nd|rd|th)?,?\\s+(?<Y>\\d{4})`,
].map((date) => new RegExp(`^\\s*${date}${TIME}${ZONE}\\s*$`));

function parseFree(text: string): Found | undefined {
  for (const form of FREE_FORMS) {
    const groups = form.exec(text)?.groups;
    if (groups !== undefined) return foundIn(groups);
  }
  return undefined;
}

function foundIn(groups: Readonly<Record<string, string | undefined>>): Found | undefined {
  const number = (name: string): number | undefined =>
    groups[name] === undefined ? undefined : Number(groups[name]);
  const monthName = groups['B'];
  const month = monthName === undefined ? number('m') : monthNumber(monthName);
  if (monthName !== undefined && month === undefined) return undefined;
  const isWeek = groups['V'] !== undefined;
  return {
    year: isWeek ? undefined : number('Y'),
    isoYear: isWeek ? number('Y') : undefined,
    isoWeek: number('V'),
    isoDay: number('u'),
    month,
    day: number('d'),
    dayOfYear: number('j'),
    hour: hourOf(number('H'), groups['ap']),
    minute: number('M'),
    second: number('S'),
    millisecond:
      groups['L'] === undefined ? undefined : Number(groups['L'].slice(0, 3).padEnd(3, '0')),
    zone: groups['z'] === undefined ? undefined : timeZoneOf(groups['z'].replace('z', 'Z')),
  };
}

function hourOf(hour: number | undefined, half: string | undefined): number | undefined {
  if (hour === undefined || half === undefined) return hour;
  return (hour % 12) + (half.toLowerCase().startsWith('p') ? 12 : 0);
}

function monthNumber(name: string): number | undefined {
  const wanted = name.toLowerCase();
  const index = MONTHS.findIndex(
    (month) => month.toLowerCase() === wanted || month.slice(0, 3).toLowerCase() === wanted,
  );
  return index < 0 ? undefined : index + 1;
}

function checkRanges(found: Found, text: string): void {
  const within = (value: number | undefined, low: number, high: number): boolean =>
    value === undefined || (value >= low && value <= high);
  const fits =
    within(found.month, 1, 12) &&
    within(found.day, 1, 31) &&
    within(found.dayOfYear, 1, 366) &&
    within(found.isoWeek, 1, 53) &&
    within(found.isoDay, 1, 7) &&
    within(found.hour, 0, 24) &&
    within(found.minute, 0, 59) &&
    within(found.second, 0, 59);
  if (fits) return;
  throw new CommandError('ConversionFailure', `Error parsing date string '${text}'; out of range`);
}

function localMsOf(found: Found): number {
  const days =
    found.isoYear !== undefined
      ? daysOfIsoWeek(found.isoYear, found.isoWeek ?? 1, found.isoDay ?? 1)
      : found.dayOfYear !== undefined
        ? daysOf(found.year ?? 1970, 1, found.dayOfYear)
        : daysOf(found.year ?? 1970, found.month ?? 1, found.day ?? 1);
  return (
    days * DAY_MS +
    (found.hour ?? 0) * HOUR_MS +
    (found.minute ?? 0) * MINUTE_MS +
    (found.second ?? 0) * SECOND_MS +
    (found.millisecond ?? 0)
  );
}
