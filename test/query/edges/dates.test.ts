/**
 * Dates and timestamps at the edges of values.
 *
 * Source of the results: MongoDB 8.0, src/mongo/db/exec/expression/evaluate_date.cpp and query/datetime/date_time_support.cpp.
 */
import { Timestamp } from 'mongodb';
import {
  ARRAYS,
  date,
  decimal,
  DECIMAL_NAN,
  double,
  each,
  fails,
  INFINITE,
  INT_MAX,
  INT_MIN,
  long,
  LONG_MAX,
  LONG_MIN,
  MINUS_ZERO,
  MISSING,
  NAN,
  NUMBERS,
  on,
  type Table,
  testTables,
} from './edge.ts';
import { alike, argument, expression } from './expressions.ts';

const NULLISH: readonly unknown[] = [null, MISSING];
const AT = date(Date.UTC(2020, 1, 29, 12, 30, 15, 250));

const PARTS = [
  '$year',
  '$month',
  '$dayOfMonth',
  '$dayOfYear',
  '$dayOfWeek',
  '$week',
  '$isoWeek',
  '$isoWeekYear',
  '$isoDayOfWeek',
  '$hour',
  '$minute',
  '$second',
  '$millisecond',
];

/** Of 1969-12-31T23:59:59.999Z. */
const BEFORE_1970: Readonly<Record<string, unknown>> = {
  $year: 1969,
  $month: 12,
  $dayOfMonth: 31,
  $dayOfYear: 365,
  $dayOfWeek: 4,
  $week: 52,
  $isoWeek: 1,
  $isoWeekYear: long(1970),
  $isoDayOfWeek: 3,
  $hour: 23,
  $minute: 59,
  $second: 59,
  $millisecond: 999,
};

const PARTS_OF_DATES: readonly Table[] = [
  ...alike(PARTS, (name) => ({ [name]: '$v' }), [
    ...each(NULLISH, null),
    ...each([...ARRAYS, ...NUMBERS, 'text', true, {}], fails(16006)),
  ]),
  ...PARTS.map((name) => expression({ [name]: '$v' }, [on(date(-1), BEFORE_1970[name])])),
  ...alike(PARTS, (name) => ({ [name]: { date: '$v', timezone: 'Europe/Paris' } }), [
    ...each(NULLISH, null),
    ...each([[AT], NAN], fails(16006)),
  ]),
  ...alike(PARTS, (name) => ({ [name]: { date: AT, timezone: '$v' } }), [
    ...each(NULLISH, null),
    ...each([['UTC'], [['UTC']], 1, NAN], fails(40517)),
    on('Nowhere/Else', fails(40485)),
  ]),
  ...PARTS.flatMap((name) => [
    expression({ [name]: { date: 'text', timezone: '$v' } }, [on(null, fails(16006))]),
    argument(name, (input) => ({ [name]: input }), [
      on({}, fails(40539)),
      on([], fails(40536)),
      on([1, 2], fails(40536)),
      on([null], null),
      on({ date: null, zone: 'UTC' }, fails(40535)),
    ]),
  ]),
];

const BUILT: readonly Table[] = [
  expression({ $dateFromParts: { year: '$v' } }, [
    ...each(NULLISH, null),
    ...each([...ARRAYS, '2020', double(2020.5), NAN, INFINITE, DECIMAL_NAN], fails(40515)),
    ...each([0, MINUS_ZERO, 10000, INT_MAX, INT_MIN, LONG_MAX, LONG_MIN], fails(40523)),
    ...each([1970, long(1970), double(1970), decimal('1970')], date(0)),
  ]),
  expression({ $dateFromParts: { isoWeekYear: '$v' } }, [
    ...each(NULLISH, null),
    ...each([[2020], NAN], fails(40515)),
    ...each([0, INT_MAX, LONG_MIN], fails(31095)),
    on(1970, date(Date.UTC(1969, 11, 29))),
  ]),
  ...['month', 'day', 'hour', 'minute'].map((part) =>
    expression({ $dateFromParts: { year: 1970, [part]: '$v' } }, [
      ...each(NULLISH, null),
      ...each([[1], [[1]], '1', double(1.5), NAN, INFINITE], fails(40515)),
      ...each([32768, -32769, INT_MAX, LONG_MIN], fails(31034)),
    ]),
  ),
  expression({ $dateFromParts: { year: 1970, month: '$v' } }, [
    on(0, date(Date.UTC(1969, 11, 1))),
    on(decimal('13'), date(Date.UTC(1971, 0, 1))),
    on(MINUS_ZERO, date(Date.UTC(1969, 11, 1))),
  ]),
  expression({ $dateFromParts: { year: 1970, second: '$v' } }, [
    ...each(NULLISH, null),
    on([1], fails(40515)),
    on(INT_MAX, date(INT_MAX * 1000)),
    on(-1, date(-1000)),
  ]),
  expression({ $dateFromParts: { year: 0, month: '$v' } }, [
    ...each(NULLISH, null),
    on(1, fails(40523)),
  ]),
  expression({ $dateFromParts: { year: 'text', hour: '$v' } }, each(NULLISH, null)),
  argument('$dateFromParts', (input) => ({ $dateFromParts: input }), [
    ...each([null, [], 1, NAN], fails(40519)),
    on({}, fails(40516)),
    on({ year: 2020, isoWeek: 1 }, fails(40489)),
    on({ isoWeekYear: 2020, month: 1 }, fails(40525)),
  ]),
  expression({ $dateToParts: { date: '$v' } }, [
    ...each(NULLISH, null),
    ...each([...ARRAYS, ...NUMBERS, 'text'], fails(16006)),
    on(date(-1), {
      year: 1969,
      month: 12,
      day: 31,
      hour: 23,
      minute: 59,
      second: 59,
      millisecond: 999,
    }),
  ]),
  expression({ $dateToParts: { date: '$v', iso8601: 'yes' } }, each([null, AT], fails(40521))),
  expression({ $dateToParts: { date: AT, iso8601: '$v' } }, [
    ...each(NULLISH, null),
    ...each([[true], 1, NAN], fails(40521)),
  ]),
  expression({ $dateToParts: { date: 'text', timezone: '$v' } }, [
    ...each(NULLISH, null),
    on(['UTC'], fails(40517)),
  ]),
  expression({ $dateToString: { date: '$v' } }, [
    ...each(NULLISH, null),
    ...each([...ARRAYS, ...NUMBERS, 'text'], fails(16006)),
    on(date(-1), '1969-12-31T23:59:59.999Z'),
  ]),
  expression({ $dateToString: { date: '$v', onNull: 'none' } }, [
    ...each(NULLISH, 'none'),
    on([], fails(16006)),
  ]),
  expression({ $dateToString: { date: AT, timezone: '$v', onNull: 'none' } }, [
    ...each(NULLISH, null),
    on([1], fails(40517)),
  ]),
  expression({ $dateToString: { date: AT, format: '$v', onNull: 'none' } }, [
    ...each(NULLISH, null),
    ...each([1, ['%Y'], [['%Y']], NAN], fails(18533)),
    on('%Y', '2020'),
  ]),
  expression({ $dateToString: { date: null, format: '$v' } }, [
    on(null, null),
    on(1, fails(18533)),
    on('%x', fails(18536)),
  ]),
  expression({ $dateFromString: { dateString: '$v' } }, [
    ...each(NULLISH, null),
    ...each([...ARRAYS, ...NUMBERS, true], fails(241)),
    on('1970-01-01T00:00:00Z', date(0)),
  ]),
  expression({ $dateFromString: { dateString: '$v', onNull: 'none', onError: 'bad' } }, [
    ...each(NULLISH, 'none'),
    ...each([[], [[1]], NAN, LONG_MAX, 'text'], 'bad'),
  ]),
  expression({ $dateFromString: { dateString: '1970', format: '$v', onNull: 'none' } }, [
    ...each(NULLISH, null),
    ...each([1, ['%Y']], fails(40684)),
  ]),
  expression({ $dateFromString: { dateString: null, format: '$v' } }, [
    on(null, null),
    on(1, fails(40684)),
  ]),
  expression({ $dateFromString: { dateString: 1, timezone: '$v' } }, [
    on(null, fails(241)),
    on(1, fails(40517)),
  ]),
];

const MOVED: readonly Table[] = [
  ...['$dateAdd', '$dateSubtract'].flatMap((name) => [
    expression({ [name]: { startDate: '$v', unit: 'day', amount: 1 } }, [
      ...each(NULLISH, null),
      ...each([...ARRAYS, ...NUMBERS, 'text'], fails(5166403)),
    ]),
    expression({ [name]: { startDate: AT, unit: 'day', amount: '$v' } }, [
      ...each(NULLISH, null),
      ...each(['1', [1], [[1]], double(0.5), NAN, INFINITE, DECIMAL_NAN], fails(5166405)),
      ...each([0, MINUS_ZERO, decimal('0')], AT),
      on(LONG_MAX, fails(5976500)),
      on(LONG_MIN, fails(name === '$dateAdd' ? 5976500 : 6045000)),
    ]),
    expression({ [name]: { startDate: AT, unit: '$v', amount: 1 } }, [
      ...each(NULLISH, null),
      ...each([1, ['day'], NAN], fails(5439013)),
      on('century', fails(9)),
    ]),
    // What is null hides what is wrong behind it, in the order date, unit, amount, time zone.
    expression({ [name]: { startDate: '$missing', unit: '$v', amount: 'x' } }, [
      on(null, null),
      on(MISSING, null),
    ]),
    expression({ [name]: { startDate: 'text', unit: 'day', amount: '$v' } }, [
      on(null, null),
      on('x', fails(5166403)),
    ]),
    expression({ [name]: { startDate: 'text', unit: 'day', amount: 'x', timezone: '$v' } }, [
      on(null, null),
      on(1, fails(40517)),
    ]),
    argument(name, (input) => ({ [name]: input }), [
      ...each([null, [], 1], fails(5166400)),
      on({ startDate: AT, unit: 'day' }, fails(5166402)),
      on({ startDate: AT, unit: 'day', amount: 1, zone: 1 }, fails(5166401)),
    ]),
  ]),
  expression({ $dateAdd: { startDate: date(0), unit: 'second', amount: '$v' } }, [
    on(INT_MAX, date(INT_MAX * 1000)),
    on(INT_MIN, date(INT_MIN * 1000)),
  ]),
  expression({ $dateSubtract: { startDate: date(0), unit: 'second', amount: '$v' } }, [
    on(INT_MAX, date(-INT_MAX * 1000)),
    on(INT_MIN, date(-INT_MIN * 1000)),
  ]),
  expression({ $dateDiff: { startDate: '$v', endDate: AT, unit: 'day' } }, [
    ...each(NULLISH, null),
    ...each([...ARRAYS, ...NUMBERS, 'text'], fails(5166307)),
    on(AT, long(0)),
  ]),
  expression({ $dateDiff: { startDate: date(0), endDate: '$v', unit: 'millisecond' } }, [
    ...each(NULLISH, null),
    ...each([[], NAN], fails(5166307)),
    on(date(-1), long(-1)),
  ]),
  expression({ $dateDiff: { startDate: 'text', endDate: '$v', unit: 'day' } }, [
    ...each(NULLISH, null),
    on(AT, fails(5166307)),
  ]),
  expression({ $dateDiff: { startDate: AT, endDate: AT, unit: 'week', startOfWeek: '$v' } }, [
    ...each(NULLISH, null),
    ...each([1, ['mon'], NAN], fails(5439015)),
    on('FRIDIE', fails(5439016)),
    on('FRI', long(0)),
  ]),
  expression(
    { $dateDiff: { startDate: AT, endDate: AT, unit: 'day', startOfWeek: '$v' } },
    each([null, MISSING, 'FRIDIE'], long(0)),
  ),
  argument('$dateDiff', (input) => ({ $dateDiff: input }), [
    ...each([null, [], 1], fails(5166301)),
    on({ endDate: AT, unit: 'day' }, fails(5166303)),
    on({ startDate: AT, unit: 'day' }, fails(5166304)),
    on({ startDate: AT, endDate: AT }, fails(5166305)),
    on({ startDate: AT, endDate: AT, unit: 'day', x: 1 }, fails(5166302)),
  ]),
  expression({ $dateTrunc: { date: '$v', unit: 'day' } }, [
    ...each(NULLISH, null),
    on(AT, date(Date.UTC(2020, 1, 29))),
    on(date(-1), date(-86400000)),
  ]),
  expression({ $dateTrunc: { date: AT, unit: 'hour', binSize: '$v' } }, [
    ...each(NULLISH, null),
    ...each(['1', ...ARRAYS, double(2.5), NAN, INFINITE, DECIMAL_NAN], fails(5439017)),
    ...each([0, -1, MINUS_ZERO, INT_MIN, LONG_MIN], fails(5439018)),
    on(decimal('1'), date(Date.UTC(2020, 1, 29, 12))),
    on(INT_MAX, date(Date.UTC(2000, 0, 1))),
    on(LONG_MAX, fails(5439002)),
  ]),
  expression({ $dateTrunc: { date: AT, unit: 'day', binSize: '$v' } }, [
    on(LONG_MAX, fails(5439006)),
  ]),
  expression({ $dateTrunc: { date: '$missing', unit: '$v', binSize: '$v' } }, [
    ...each([null, MISSING], null),
  ]),
  argument('$dateTrunc', (input) => ({ $dateTrunc: input }), [
    ...each([null, [], 'A'], fails(5439007)),
    on({ endDate: 1 }, fails(5439008)),
    on({ unit: 'week' }, fails(5439009)),
    on({ date: AT }, fails(5439010)),
    on({ date: null, unit: 'century' }, fails(9)),
  ]),
  ...(
    [
      ['$tsSecond', 5687301, 1],
      ['$tsIncrement', 5687302, 2],
    ] as const
  ).map(([name, code, part]) =>
    expression({ [name]: '$v' }, [
      ...each(NULLISH, null),
      ...each([...ARRAYS, ...NUMBERS, AT, 'text'], fails(code)),
      on(new Timestamp({ t: 1, i: 2 }), long(part)),
      on(new Timestamp({ t: 4294967295, i: 4294967295 }), long('4294967295')),
    ]),
  ),
];

export const EDGES: readonly Table[] = [...PARTS_OF_DATES, ...BUILT, ...MOVED];

describe('dates at the edges', () => testTables(EDGES));
