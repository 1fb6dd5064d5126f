/**
 * Strings, conversions and lists of numbers at the edges of values.
 *
 * Source of the results: MongoDB 8.0, src/mongo/db/exec/expression/evaluate_string.cpp, evaluate_regex.cpp and
 * evaluate_math.cpp ($convert), db/pipeline/accumulator_*.cpp, util/summation.h and db/exec/document_value/value.cpp.
 */
import { BSONRegExp } from 'mongodb';
import {
  ARRAYS,
  date,
  decimal,
  DECIMAL_INFINITE,
  DECIMAL_NAN,
  double,
  each,
  fails,
  INFINITE,
  INT_MAX,
  INT_MIN,
  type Line,
  long,
  LONG_MAX,
  LONG_MIN,
  MINUS_INFINITE,
  MINUS_ZERO,
  MISSING,
  NAN,
  NUMBERS,
  on,
  same,
  type Table,
  testTables,
} from './edge.ts';
import { alike, argument, expression } from './expressions.ts';

const NULLISH: readonly unknown[] = [null, MISSING];
const NO_TEXTS: readonly unknown[] = [...ARRAYS, ...NUMBERS, true, {}];

/** Null and missing give null; what is no string is refused. */
const textsOnly = (code: number): Line[] => [
  ...each(NULLISH, null),
  ...each(NO_TEXTS, fails(code)),
];

/** Numbers as string operators see them: doubles have six digits, as printf's %g has them. */
const NUMBER_TEXTS: readonly (readonly [number: unknown, text: string])[] = [
  [INT_MAX, '2147483647'],
  [INT_MIN, '-2147483648'],
  [LONG_MAX, '9223372036854775807'],
  [LONG_MIN, '-9223372036854775808'],
  [NAN, 'nan'],
  [INFINITE, 'inf'],
  [MINUS_INFINITE, '-inf'],
  [MINUS_ZERO, '-0'],
  [double(1234567.5), '1.23457e+06'],
  [double(0.00001), '1e-05'],
  [double(0.1), '0.1'],
  [double(123456), '123456'],
  [decimal('1.50'), '1.50'],
  [DECIMAL_NAN, 'NaN'],
];

const WORDS: readonly Table[] = [
  expression({ $concat: ['$v', 'x'] }, [...textsOnly(16702), on('a', 'ax')]),
  expression({ $concat: [null, '$v'] }, each([null, 1, 'x'], null)),
  expression({ $concat: [1, '$v'] }, [on(null, fails(16702))]),
  ...['$toLower', '$toUpper'].map((name) =>
    expression({ [name]: ['$v'] }, [
      ...each(NULLISH, ''),
      ...each([...ARRAYS, true, {}], fails(16007)),
      ...NUMBER_TEXTS.map(([number, text]) =>
        on(number, name === '$toLower' ? text.toLowerCase() : text.toUpperCase()),
      ),
      on(date(0), name === '$toLower' ? '1970-01-01t00:00:00.000z' : '1970-01-01T00:00:00.000Z'),
    ]),
  ),
  expression({ $strcasecmp: ['$v', ''] }, [
    ...each([null, MISSING, ''], 0),
    ...each([...ARRAYS, true, {}], fails(16007)),
    ...each(NUMBERS, 1),
  ]),
  expression({ $strcasecmp: ['-INF', '$v'] }, [
    on(MINUS_INFINITE, 0),
    on(null, 1),
    on([1], fails(16007)),
  ]),
  ...['$substr', '$substrBytes'].flatMap((name) => [
    expression({ [name]: ['$v', 0, 3] }, [
      ...each(NULLISH, ''),
      ...each([...ARRAYS, true, {}], fails(16007)),
      ...NUMBER_TEXTS.map(([number, text]) => on(number, text.slice(0, 3))),
    ]),
    expression({ [name]: ['abc', '$v', 1] }, [
      ...each([null, MISSING, [0], [[0]], '0'], fails(16034)),
      ...each([-1, INT_MIN, LONG_MIN], fails(50752)),
      ...each([INT_MAX, LONG_MAX], ''),
      ...each([MINUS_ZERO, double(0.9), decimal('0')], 'a'),
    ]),
    expression({ [name]: ['abc', 1, '$v'] }, [
      ...each([null, MISSING, [1], '1'], fails(16035)),
      ...each([-1, INT_MIN, LONG_MIN, INT_MAX], 'bc'),
      on(MINUS_ZERO, ''),
    ]),
  ]),
  expression({ $substrCP: ['$v', 0, 3] }, [
    ...each(NULLISH, ''),
    ...each([...ARRAYS, true, {}], fails(16007)),
    ...NUMBER_TEXTS.map(([number, text]) => on(number, text.slice(0, 3))),
  ]),
  expression({ $substrCP: ['abc', '$v', 1] }, [
    ...each([null, MISSING, [0], '0'], fails(34450)),
    ...each([LONG_MAX, NAN, INFINITE, double(0.5), DECIMAL_NAN], fails(34451)),
    ...each([-1, INT_MIN], fails(34455)),
    on(INT_MAX, ''),
    ...each([MINUS_ZERO, decimal('0')], 'a'),
  ]),
  expression({ $substrCP: ['abc', -1, '$v'] }, [
    ...each([null, [1]], fails(34452)),
    ...each([LONG_MIN, NAN], fails(34453)),
    on(-1, fails(34454)),
    on(1, fails(34455)),
  ]),
  expression({ $strLenBytes: '$v' }, [
    ...each([null, MISSING, ...NO_TEXTS], fails(34473)),
    on('', 0),
    on('\u00e4\u{1f600}', 6),
  ]),
  expression({ $strLenCP: '$v' }, [
    ...each([null, MISSING, ...NO_TEXTS], fails(34471)),
    on('', 0),
    on('\u00e4\u{1f600}', 2),
  ]),
  expression({ $binarySize: '$v' }, [
    ...textsOnly(51276),
    on('\u00e4', 2),
    on(Buffer.from('ab'), 2),
  ]),
  expression({ $indexOfBytes: ['$v', ''] }, [...textsOnly(40091), on('', 0)]),
  expression({ $indexOfBytes: ['abc', '$v'] }, [
    ...each([null, MISSING, ...NO_TEXTS], fails(40092)),
    on('', 0),
  ]),
  expression({ $indexOfCP: ['$v', ''] }, [...textsOnly(40093), on('', 0)]),
  expression({ $indexOfCP: ['abc', '$v'] }, [
    ...each([null, MISSING, ...NO_TEXTS], fails(40094)),
    on('c', 2),
  ]),
  expression({ $split: ['$v', ','] }, [
    ...textsOnly(40085),
    on('a,,', ['a', '', '']),
    on('', ['']),
  ]),
  expression({ $split: ['a', '$v'] }, [
    ...each(NULLISH, null),
    ...each([1, ['a'], NAN], fails(40086)),
    on('', fails(40087)),
  ]),
  ...['$trim', '$ltrim', '$rtrim'].flatMap((name) => [
    expression({ [name]: { input: '$v' } }, [...textsOnly(50699), on(' \0', '')]),
    expression({ [name]: { input: 'a', chars: '$v' } }, [
      ...textsOnly(50700),
      on('', 'a'),
      on('a', ''),
    ]),
    expression({ [name]: { input: 1, chars: '$v' } }, [on(null, fails(50699))]),
    argument(name, (input) => ({ [name]: input }), [
      ...each([null, [], 1, NAN], fails(50696)),
      on({}, fails(50695)),
      on({ input: 'a', x: 1 }, fails(50694)),
    ]),
  ]),
  ...['$replaceOne', '$replaceAll'].flatMap((name) => [
    expression({ [name]: { input: '$v', find: 'a', replacement: 'b' } }, [
      ...textsOnly(51746),
      on('a', 'b'),
    ]),
    expression({ [name]: { input: 'a', find: '$v', replacement: 'b' } }, [...textsOnly(51745)]),
    expression({ [name]: { input: 'a', find: 'a', replacement: '$v' } }, [...textsOnly(51744)]),
    expression({ [name]: { input: null, find: '$v', replacement: null } }, [
      on(1, fails(51745)),
      on('a', null),
    ]),
  ]),
  ...(
    [
      ['$regexMatch', false],
      ['$regexFind', null],
      ['$regexFindAll', []],
    ] as const
  ).flatMap(([name, nothing]) => [
    expression({ [name]: { input: '$v', regex: 'a' } }, [
      ...each([null, MISSING, 'b', ''], nothing),
      ...each(NO_TEXTS, fails(51104)),
    ]),
    expression({ [name]: { input: 'b', regex: '$v' } }, [
      ...each([null, MISSING, 'a', new BSONRegExp('a', '')], nothing),
      ...each(NO_TEXTS, fails(51105)),
    ]),
    expression({ [name]: { input: 'b', regex: 'a', options: '$v' } }, [
      ...each([null, MISSING, 'i'], nothing),
      ...each([1, [], NAN], fails(51106)),
    ]),
    argument(name, (input) => ({ [name]: input }), [
      ...each([null, [], 1], fails(51103)),
      on({ regex: 'a' }, fails(31022)),
      on({ input: 'a' }, fails(31023)),
      on({ input: 'a', regex: 'a', x: 1 }, fails(31024)),
    ]),
  ]),
];

const TYPES: readonly Table[] = [
  expression({ $type: '$v' }, [
    on(null, 'null'),
    on(MISSING, 'missing'),
    ...each(ARRAYS, 'array'),
    ...each([INT_MAX, INT_MIN], 'int'),
    ...each([LONG_MAX, LONG_MIN], 'long'),
    ...each([NAN, INFINITE, MINUS_ZERO], 'double'),
    ...each([decimal('1'), DECIMAL_NAN], 'decimal'),
  ]),
  expression({ $isNumber: '$v' }, [
    ...each([null, MISSING, ...ARRAYS, '1', true], false),
    ...each(NUMBERS, true),
  ]),
  expression({ $toBool: '$v' }, [
    ...each(NULLISH, null),
    ...each([...ARRAYS, '', 'false', {}, INT_MAX, LONG_MIN, NAN, DECIMAL_NAN, INFINITE], true),
    ...each([MINUS_ZERO, 0, decimal('-0'), long(0)], false),
  ]),
  expression({ $toInt: '$v' }, [
    ...each(NULLISH, null),
    ...each([...ARRAYS, {}, date(0)], fails(241)),
    ...same([INT_MAX, INT_MIN]),
    ...each([LONG_MAX, LONG_MIN, NAN, INFINITE, MINUS_INFINITE, DECIMAL_NAN], fails(241)),
    // The fraction does not count for a decimal, but does for a double.
    ...each([double(2147483647.5), double(-2147483648.5), decimal('2147483648')], fails(241)),
    on(decimal('2147483647.9'), INT_MAX),
    ...each([MINUS_ZERO, decimal('-0.9'), double(-0.9)], 0),
    on('-2147483648', INT_MIN),
    ...each(['2147483648', '1.5', '', ' 1', '1 ', '0x1', 'NaN'], fails(241)),
  ]),
  expression({ $toLong: '$v' }, [
    ...each(NULLISH, null),
    ...each([...ARRAYS, {}], fails(241)),
    on(INT_MIN, long(INT_MIN)),
    ...same([LONG_MAX, LONG_MIN]),
    ...each([NAN, INFINITE, DECIMAL_NAN, DECIMAL_INFINITE, double(2 ** 63)], fails(241)),
    on(double(-(2 ** 63)), LONG_MIN),
    on(decimal('9223372036854775807.9'), LONG_MAX),
    on(MINUS_ZERO, long(0)),
    on('9223372036854775808', fails(241)),
    on(date(-1), long(-1)),
  ]),
  expression({ $toDouble: '$v' }, [
    ...each(NULLISH, null),
    ...each([...ARRAYS, {}], fails(241)),
    on(INT_MAX, double(INT_MAX)),
    on(LONG_MAX, double(2 ** 63)),
    ...same([NAN, INFINITE, MINUS_ZERO]),
    on(decimal('-0'), MINUS_ZERO),
    on(DECIMAL_NAN, NAN),
    on(DECIMAL_INFINITE, INFINITE),
    on(decimal('1E+400'), fails(241)),
    on('-0', MINUS_ZERO),
    on('Infinity', INFINITE),
    ...each(['', ' 1', '1 ', '1e400', 'one'], fails(241)),
  ]),
  expression({ $toDecimal: '$v' }, [
    ...each(NULLISH, null),
    ...each([...ARRAYS, {}], fails(241)),
    on(INT_MIN, decimal('-2147483648')),
    on(LONG_MAX, decimal('9223372036854775807')),
    on(NAN, DECIMAL_NAN),
    on(MINUS_INFINITE, decimal('-Infinity')),
    ...same([decimal('1.50'), DECIMAL_NAN]),
    on('1E-6176', decimal('1E-6176')),
    ...each(['', 'x', '1E+7000'], fails(241)),
    on(MINUS_ZERO, decimal('-0')),
  ]),
  expression({ $type: { $toDate: '$v' } }, each([LONG_MAX, LONG_MIN], 'date'), '$toDate'),
  expression({ $toDate: '$v' }, [
    ...each(NULLISH, null),
    ...each([...ARRAYS, {}, true, INT_MAX, INT_MIN, 0], fails(241)),
    ...each([NAN, INFINITE, DECIMAL_NAN, DECIMAL_INFINITE], fails(241)),
    ...each([MINUS_ZERO, long(0), decimal('0.9'), double(-0.9)], date(0)),
    ...each([double(2 ** 63), decimal('9223372036854775808')], fails(241)),
  ]),
  expression({ $toString: '$v' }, [
    ...each(NULLISH, null),
    ...each([...ARRAYS, {}], fails(241)),
    ...NUMBER_TEXTS.filter(([number]) => typeof number === 'number' || 'low' in Object(number)).map(
      ([number, text]) => on(number, text),
    ),
    on(NAN, 'NaN'),
    on(INFINITE, 'Infinity'),
    on(MINUS_INFINITE, '-Infinity'),
    on(MINUS_ZERO, '-0'),
    on(double(1234567.5), '1234567.5'),
    on(double(0.00001), '1e-05'),
    on(double(1.5e16), '1.5e+16'),
    on(decimal('1.50'), '1.50'),
    on(DECIMAL_NAN, 'NaN'),
    on(decimal('-0E+3'), '-0E+3'),
  ]),
  ...alike(['$toObjectId', '$toUUID'], (name) => ({ [name]: '$v' }), [
    ...each(NULLISH, null),
    ...each([...ARRAYS, ...NUMBERS, {}, 'text', ''], fails(241)),
  ]),
  expression({ $convert: { input: '$v', to: 'int', onNull: 'none', onError: 'bad' } }, [
    ...each(NULLISH, 'none'),
    ...each([...ARRAYS, LONG_MAX, NAN, INFINITE, DECIMAL_NAN, '1.5'], 'bad'),
    on(INT_MAX, INT_MAX),
    on(MINUS_ZERO, 0),
  ]),
  expression({ $convert: { input: 1, to: '$v', onNull: 'none' } }, [
    ...each(NULLISH, null),
    on('string', '1'),
    on(2, '1'),
    on(decimal('2'), '1'),
    ...each(['nothing'], fails(2)),
    ...each([[], [[1]], true], fails(9)),
    ...each([double(0.5), NAN], fails(9)),
    on(INT_MAX, fails(9)),
  ]),
  expression({ $convert: { input: null, to: '$v', onNull: 'none' } }, [
    ...each([null, MISSING, 'int'], 'none'),
    on('nothing', fails(2)),
  ]),
  argument('$convert', (input) => ({ $convert: input }), [
    ...each([null, [], 1, {}, { input: 1 }, { to: 'int' }], fails(9)),
    on({ input: 1, to: 'int', x: 1 }, fails(9)),
  ]),
  expression({ $toHashedIndexKey: '$v' }, [
    ...each([null, MISSING], long('2338878944348059895')),
    on(1, long('5902408780260971510')),
  ]),
  // Numbers are hashed as the whole numbers of 64 bits that they are cut to.
  sameHashAs(0, [MINUS_ZERO, NAN, DECIMAL_NAN, decimal('0.9'), long(0)], [null, [], [0], '0']),
  sameHashAs(INT_MAX, [long(INT_MAX), double(INT_MAX + 0.5)], [INT_MIN, [INT_MAX]]),
  sameHashAs(LONG_MAX, [INFINITE, DECIMAL_INFINITE], [LONG_MIN, INT_MAX]),
  sameHashAs(LONG_MIN, [MINUS_INFINITE, double(-(2 ** 63))], [LONG_MAX]),
  sameHashAs([[1], null], [[[double(1.5)], null]], [[[1]], [], [[2], null], MISSING]),
];

/** Values with the hash of `value`, and values with another. */
function sameHashAs(value: unknown, equal: readonly unknown[], others: readonly unknown[]): Table {
  return expression(
    { $eq: [{ $toHashedIndexKey: '$v' }, { $toHashedIndexKey: { $literal: value } }] },
    [...each(equal, true), ...each(others, false)],
    '$toHashedIndexKey',
  );
}

const LISTS: readonly Table[] = [
  expression({ $sum: '$v' }, [
    ...each([null, MISSING, [], [[1]], [null, 'x'], 'x'], 0),
    ...same([INT_MAX, INT_MIN, LONG_MAX, LONG_MIN]),
    ...same([NAN, INFINITE, MINUS_INFINITE, DECIMAL_NAN, DECIMAL_INFINITE, decimal('1.50')]),
    on(MINUS_ZERO, double(0)),
    on([INT_MAX, 1], long(2147483648)),
    on([INT_MAX, 1, -1], INT_MAX),
    on([LONG_MAX, 1], double(2 ** 63)),
    on([LONG_MAX, 1, -1], LONG_MAX),
    on([INFINITE, MINUS_INFINITE], NAN),
    on([INFINITE, 1, [2]], INFINITE),
    on([1, decimal('0.10')], decimal('1.10')),
    // A double brings all its digits to a decimal.
    on([double(0.1), decimal('1')], decimal('1.100000000000000005551115123125783')),
    on([double(0.5), decimal('1')], decimal('1.5')),
    on([double(0.1), double(0.2), double(0.3)], double(0.6)),
  ]),
  expression({ $sum: ['$v', 1] }, [
    ...each([null, MISSING, [5], 'x'], 1),
    on(MINUS_ZERO, double(1)),
  ]),
  expression({ $avg: '$v' }, [
    ...each([null, MISSING, [], [[1]], 'x'], null),
    on(INT_MAX, double(INT_MAX)),
    on([LONG_MAX, LONG_MAX], double(2 ** 63)),
    on(LONG_MIN, double(-(2 ** 63))),
    on([INT_MIN, null, 'x'], double(INT_MIN)),
    ...same([NAN, INFINITE, DECIMAL_NAN]),
    on(MINUS_ZERO, double(0)),
    on([decimal('1'), 2], decimal('1.5')),
  ]),
  ...['$min', '$max'].map((name) =>
    expression({ [name]: '$v' }, [
      ...each([null, MISSING, [], [null]], null),
      ...same(NUMBERS),
      on([[1], 5], name === '$min' ? 5 : [1]),
      on([1, NAN, null], name === '$min' ? NAN : 1),
      on([MINUS_ZERO, 0], MINUS_ZERO),
      on([1, long(1), double(1)], 1),
      on([LONG_MAX, double(2 ** 63)], name === '$min' ? LONG_MAX : double(2 ** 63)),
      on([DECIMAL_INFINITE, INFINITE], DECIMAL_INFINITE),
    ]),
  ),
  expression({ $min: ['$v', 5] }, [...each([null, MISSING, [1]], 5), on(LONG_MIN, LONG_MIN)]),
  expression({ $max: ['$v', 5] }, [...each([null, MISSING, NAN], 5), on([1], [1])]),
  ...['$stdDevPop', '$stdDevSamp'].map((name) =>
    expression({ [name]: '$v' }, [
      ...each([null, MISSING, [], [[1, 3]], 'x'], null),
      ...each([INT_MAX, LONG_MIN, MINUS_ZERO], name === '$stdDevPop' ? double(0) : null),
      ...each([NAN, INFINITE, DECIMAL_NAN], name === '$stdDevPop' ? NAN : null),
      on([1, decimal('3'), null], double(name === '$stdDevPop' ? 1 : Math.SQRT2)),
      on([INFINITE, 1], NAN),
    ]),
  ),
  expression({ $median: { input: '$v', method: 'approximate' } }, [
    ...each([null, MISSING, [], [[1]], 'x', [NAN], [null]], null),
    on(INT_MAX, double(INT_MAX)),
    on(LONG_MAX, double(2 ** 63)),
    ...same([NAN, INFINITE, MINUS_ZERO]),
    on(DECIMAL_NAN, NAN),
    on([NAN, 1, 'x', 2, DECIMAL_NAN, 3], double(2)),
    on([INFINITE, 1, MINUS_INFINITE], double(1)),
  ]),
  expression({ $percentile: { input: '$v', p: [0, 1], method: 'approximate' } }, [
    ...each([null, MISSING, [], [[1]], 'x', [NAN]], [null, null]),
    on(INT_MAX, [double(INT_MAX), double(INT_MAX)]),
    ...each([NAN, DECIMAL_NAN], [NAN, NAN]),
    on(LONG_MAX, [double(2 ** 63), double(2 ** 63)]),
    ...[INFINITE, MINUS_ZERO].map((number) => on(number, [number, number])),
    on([NAN, LONG_MAX, 1, MINUS_ZERO], [MINUS_ZERO, double(2 ** 63)]),
    on([INFINITE, decimal('1.5')], [double(1.5), INFINITE]),
  ]),
  argument('$percentile', (p) => ({ $percentile: { input: [1], p, method: 'approximate' } }), [
    ...each([null, 1, NAN, []], fails(7750301)),
    on('$path', fails(7750300)),
    ...each([[null], [[1]], ['x']], fails(7750302)),
    ...each([[2], [-1], [INFINITE], [LONG_MIN]], fails(7750303)),
    ...each([[MINUS_ZERO], [decimal('1')]], [double(1)]),
  ]),
  argument('$percentile', (input) => ({ $percentile: input }), [
    ...each([null, [], 1], fails(7436200)),
    on({ input: 1, p: [0.5] }, fails(40414)),
    on({ input: 1, p: [0.5], method: 'approximate', x: 1 }, fails(40415)),
    on({ input: 1, p: [0.5], method: 'exact' }, fails(2)),
    on({ input: 1, p: [0.5], method: 1 }, fails(14)),
  ]),
  argument('$median', (input) => ({ $median: input }), [
    ...each([null, [], 1], fails(7436201)),
    on({ input: 1 }, fails(40414)),
  ]),
  argument('$rand', (input) => ({ $rand: input }), [
    ...each([null, ...NUMBERS, 'x'], fails(10065)),
    ...each([[1], [[1]], { a: 1 }], fails(3040501)),
  ]),
  argument('$meta', (input) => ({ $meta: input }), [
    ...each([null, ...ARRAYS, ...NUMBERS], fails(17307)),
    on('nothing', fails(17308)),
    on('$missing', fails(17308)),
  ]),
];

export const EDGES: readonly Table[] = [...WORDS, ...TYPES, ...LISTS];

describe('strings, conversions and lists at the edges', () => testTables(EDGES));
