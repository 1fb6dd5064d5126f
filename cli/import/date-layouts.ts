/**
 * Layouts of dates as mongoimport takes them: Go's reference time, Microsoft's letters, Oracle's letters.
 *
 * A layout becomes one pattern and a list of what its groups mean. What a text does not say is 0, or 1 for day and month; without a time
 * zone it is UTC.
 */
import { UsageError } from '../../server/index.ts';

export type DateDialect = 'go' | 'ms' | 'oracle';

type Part =
  | 'year'
  | 'shortYear'
  | 'month'
  | 'monthName'
  | 'day'
  | 'weekday'
  | 'hour'
  | 'minute'
  | 'second'
  | 'fraction'
  | 'half'
  | 'zone';

const NAMES = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const PATTERNS: Readonly<Record<Part, string>> = {
  year: '(\\d{4})',
  shortYear: '(\\d{2})',
  month: '(\\d{1,2})',
  monthName: '([A-Za-z]{3,9})',
  day: ' ?(\\d{1,2})',
  weekday: '([A-Za-z]{3,9})',
  hour: '(\\d{1,2})',
  minute: '(\\d{1,2})',
  second: '(\\d{1,2})',
  fraction: '(\\d{1,9})',
  half: '([AaPp]\\.?[Mm]\\.?)',
  zone: '(Z|[+-]\\d{2}(?::?\\d{2})?)',
};

/** Longest first: the first that fits is meant. */
const TOKENS: Readonly<Record<DateDialect, readonly (readonly [token: string, part: Part])[]>> = {
  go: [
    ['Monday', 'weekday'],
    ['January', 'monthName'],
    ['Z07:00', 'zone'],
    ['-07:00', 'zone'],
    ['Z0700', 'zone'],
    ['-0700', 'zone'],
    ['2006', 'year'],
    ['Mon', 'weekday'],
    ['Jan', 'monthName'],
    ['-07', 'zone'],
    ['01', 'month'],
    ['02', 'day'],
    ['_2', 'day'],
    ['03', 'hour'],
    ['04', 'minute'],
    ['05', 'second'],
    ['06', 'shortYear'],
    ['15', 'hour'],
    ['PM', 'half'],
    ['pm', 'half'],
    ['1', 'month'],
    ['2', 'day'],
    ['3', 'hour'],
    ['4', 'minute'],
    ['5', 'second'],
  ],
  ms: [
    ['dddd', 'weekday'],
    ['MMMM', 'monthName'],
    ['yyyy', 'year'],
    ['ddd', 'weekday'],
    ['MMM', 'monthName'],
    ['zzz', 'zone'],
    ['dd', 'day'],
    ['MM', 'month'],
    ['yy', 'shortYear'],
    ['HH', 'hour'],
    ['hh', 'hour'],
    ['mm', 'minute'],
    ['ss', 'second'],
    ['tt', 'half'],
    ['fffffffff', 'fraction'],
    ['d', 'day'],
    ['M', 'month'],
    ['H', 'hour'],
    ['h', 'hour'],
    ['m', 'minute'],
    ['s', 'second'],
    ['K', 'zone'],
  ],
  oracle: [
    ['TZH:TZM', 'zone'],
    ['MONTH', 'monthName'],
    ['HH24', 'hour'],
    ['HH12', 'hour'],
    ['YYYY', 'year'],
    ['A.M.', 'half'],
    ['P.M.', 'half'],
    ['MON', 'monthName'],
    ['DAY', 'weekday'],
    ['YY', 'shortYear'],
    ['RR', 'shortYear'],
    ['MM', 'month'],
    ['DD', 'day'],
    ['DY', 'weekday'],
    ['HH', 'hour'],
    ['MI', 'minute'],
    ['SS', 'second'],
    ['FF', 'fraction'],
    ['AM', 'half'],
    ['PM', 'half'],
  ],
};

/** A parser of texts in a layout: milliseconds since 1970, or undefined. @throws UsageError for a layout that says nothing. */
export function dateParser(
  dialect: DateDialect,
  layout: string,
): (text: string) => number | undefined {
  const { pattern, parts } = compile(dialect, layout);
  if (parts.length === 0) throw new UsageError(`'${layout}' is no layout of a date.`);
  return (text) => {
    const match = pattern.exec(text);
    if (match === null) return undefined;
    return timeOf(new Map(parts.map((part, index) => [part, match[index + 1] ?? ''])));
  };
}

function compile(dialect: DateDialect, layout: string): { pattern: RegExp; parts: Part[] } {
  const parts: Part[] = [];
  let source = '';
  for (let at = 0; at < layout.length;) {
    const fraction = fractionAt(dialect, layout, at);
    if (fraction > 0) {
      source += PATTERNS.fraction;
      parts.push('fraction');
      at += fraction;
      continue;
    }
    const found = TOKENS[dialect].find(([token]) => layout.startsWith(token, at));
    if (found === undefined) {
      source += (layout[at] ?? '').replace(/[\\^$.*+?()[\]{}|/-]/, '\\$&');
      at += 1;
    } else {
      const [token, part] = found;
      source += PATTERNS[part];
      parts.push(part);
      at += token.length;
    }
  }
  return { pattern: new RegExp(`^${source}$`), parts };
}

/** Fractions of a second: a run of zeros behind a point in Go, of f's with Microsoft. @returns its length. */
function fractionAt(dialect: DateDialect, layout: string, at: number): number {
  if (dialect === 'go' && at > 0 && /[.,]/.test(layout[at - 1] ?? '')) {
    return /^(0+|9+)/.exec(layout.slice(at))?.[0].length ?? 0;
  }
  return dialect === 'ms' ? (/^f+/i.exec(layout.slice(at))?.[0].length ?? 0) : 0;
}

function timeOf(parts: ReadonlyMap<Part, string>): number | undefined {
  const number = (part: Part, otherwise: number): number => {
    const text = parts.get(part);
    return text === undefined ? otherwise : Number(text);
  };
  const name = parts.get('monthName');
  const month =
    name === undefined ? number('month', 1) : NAMES.indexOf(name.slice(0, 3).toLowerCase()) + 1;
  const day = number('day', 1);
  const hour = hourOf(number('hour', 0), parts.get('half'));
  const minute = number('minute', 0);
  const second = number('second', 0);
  const short = number('shortYear', 70);
  // Go's rule: 69 to 99 are of the last century.
  const year = number('year', parts.has('shortYear') ? short + (short >= 69 ? 1900 : 2000) : 1970);
  if (month < 1 || month > 12 || hour > 23 || minute > 59 || second > 59) return undefined;
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  if (date.getUTCDate() !== day) return undefined;
  const fraction = Math.floor(Number(`0.${parts.get('fraction') ?? '0'}`) * 1000);
  return (
    date.getTime() +
    ((hour * 60 + minute) * 60 + second) * 1000 +
    fraction -
    zoneMs(parts.get('zone'))
  );
}

function hourOf(hour: number, half: string | undefined): number {
  if (half === undefined) return hour;
  const base = hour % 12;
  return half.toLowerCase().startsWith('p') ? base + 12 : base;
}

function zoneMs(zone: string | undefined): number {
  if (zone === undefined || zone === 'Z') return 0;
  const sign = zone.startsWith('-') ? -1 : 1;
  const digits = zone.slice(1).replace(':', '');
  return sign * (Number(digits.slice(0, 2)) * 60 + Number(digits.slice(2) || '0')) * 60_000;
}
