/**
 * Time zones: Olson names through ICU, and fixed offsets such as "+05:30", "-0500", "+03".
 */
import { CommandError } from '../../../common/errors.ts';
import {
  calendarOf,
  type CalendarTime,
  daysOf,
  HOUR_MS,
  MINUTE_MS,
  msOf,
  padded,
} from './date-calendar.ts';

export interface TimeZone {
  /** What is added to UTC to get local time at this moment, milliseconds. */
  offsetMsAt(utcMs: number): number;
  /** As %Z shows it needs minutes; as %z a text. */
  readonly name: string;
}

export const UTC: TimeZone = { offsetMsAt: () => 0, name: 'UTC' };

const ZONES = new Map<string, TimeZone>([
  ['UTC', UTC],
  ['GMT', UTC],
  ['Z', UTC],
]);
/** There are about 600 zones; fixed offsets come on top. */
const MAX_CACHED_ZONES = 2000;

/** @throws CommandError 40485 for a name that is no zone. */
export function timeZoneOf(name: string): TimeZone {
  let zone = ZONES.get(name);
  if (zone === undefined) {
    zone = fixedZone(name) ?? namedZone(name);
    if (ZONES.size < MAX_CACHED_ZONES) ZONES.set(name, zone);
  }
  return zone;
}

const OFFSET = /^([+-])(\d\d)(?::?(\d\d))?$/;

function fixedZone(name: string): TimeZone | undefined {
  const match = OFFSET.exec(name);
  if (match === null) return undefined;
  const offsetMs =
    (match[1] === '-' ? -1 : 1) *
    (Number(match[2]) * HOUR_MS + Number(match[3] ?? '0') * MINUTE_MS);
  return { offsetMsAt: () => offsetMs, name };
}

function namedZone(name: string): TimeZone {
  try {
    return new NamedZone(name);
  } catch (cause) {
    // Intl says RangeError for a name that it does not know.
    throw new CommandError(40485, `unrecognized time zone identifier: "${name}"`, { cause });
  }
}

/** Offsets change at whole quarters of an hour: within one they are the same. */
const BUCKET_MS = 15 * MINUTE_MS;
const MAX_BUCKETS = 4096;
/** The range in which JavaScript's Date works. */
const MAX_DATE_MS = 8.64e15;

class NamedZone implements TimeZone {
  readonly name: string;
  private readonly format: Intl.DateTimeFormat;
  private readonly offsets = new Map<number, number>();

  constructor(name: string) {
    this.name = name;
    this.format = new Intl.DateTimeFormat('en-US', {
      timeZone: name,
      hourCycle: 'h23',
      era: 'short',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
  }

  offsetMsAt(utcMs: number): number {
    const bucket = Math.floor(utcMs / BUCKET_MS);
    let offset = this.offsets.get(bucket);
    if (offset === undefined) {
      offset = this.compute(Math.max(-MAX_DATE_MS, Math.min(MAX_DATE_MS, bucket * BUCKET_MS)));
      if (this.offsets.size >= MAX_BUCKETS) this.offsets.clear();
      this.offsets.set(bucket, offset);
    }
    return offset;
  }

  private compute(utcMs: number): number {
    const parts = new Map(this.format.formatToParts(utcMs).map((part) => [part.type, part.value]));
    const number = (type: Intl.DateTimeFormatPartTypes): number => Number(parts.get(type));
    const era = number('year');
    const year = parts.get('era') === 'BC' ? 1 - era : era;
    const days = daysOf(year, number('month'), number('day'));
    const localMs =
      days * 24 * HOUR_MS +
      number('hour') * HOUR_MS +
      number('minute') * MINUTE_MS +
      number('second') * 1000;
    return localMs - Math.floor(utcMs / 1000) * 1000;
  }
}

/** Local calendar of a moment. */
export function localTime(utcMs: number, zone: TimeZone): CalendarTime {
  return calendarOf(localMs(utcMs, zone));
}

/** The moment as if its local time were UTC's. */
export function localMs(utcMs: number, zone: TimeZone): number {
  return utcMs + zone.offsetMsAt(utcMs);
}

/** The moment at which clocks of the zone show this local time; where they never do, that much after the gap's begin. */
export function utcOfLocal(local: number, zone: TimeZone): number {
  const guess = local - zone.offsetMsAt(local);
  const offset = zone.offsetMsAt(guess);
  const second = local - offset;
  return zone.offsetMsAt(second) === offset ? second : Math.max(guess, second);
}

export function utcOf(time: CalendarTime, zone: TimeZone): number {
  return utcOfLocal(msOf(time), zone);
}

/** "+0530" */
export function offsetText(offsetMs: number): string {
  const minutes = Math.abs(Math.trunc(offsetMs / MINUTE_MS));
  return `${offsetMs < 0 ? '-' : '+'}${padded(Math.floor(minutes / 60), 2)}${padded(minutes % 60, 2)}`;
}
