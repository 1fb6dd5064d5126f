/**
 * Arithmetic, comparison and logic at the edges of values.
 *
 * Source of the results: MongoDB 8.0, src/mongo/db/exec/expression/evaluate_math.cpp, evaluate_logical.cpp and value.cpp.
 */
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

/** Null and missing give null; what is no number is refused. */
const numbersOnly = (code: number): Line[] => [
  ...each([null, MISSING], null),
  ...each([...ARRAYS, 'text', true, {}], fails(code)),
];

const BOUNDED = ['$sin', '$cos', '$tan', '$asin', '$acos', '$atanh', '$acosh'];

const SUMS: readonly Table[] = [
  expression({ $add: ['$v', 1] }, [
    ...numbersOnly(14),
    on(INT_MAX, long(2147483648)),
    on(INT_MIN, -2147483647),
    on(LONG_MAX, double(9223372036854775808)),
    on(LONG_MIN, long('-9223372036854775807')),
    ...same([NAN, INFINITE, MINUS_INFINITE, DECIMAL_NAN, DECIMAL_INFINITE]),
    on(MINUS_ZERO, double(1)),
    on(decimal('1.50'), decimal('2.50')),
    on(date(5), date(6)),
  ]),
  expression({ $add: ['$v', 1, -1] }, [
    on(INT_MAX, INT_MAX),
    on(LONG_MAX, double(9223372036854775808)),
    on(MINUS_ZERO, double(0)),
  ]),
  expression({ $add: '$v' }, [
    on(null, null),
    on([1], fails(14)),
    on(INT_MIN, INT_MIN),
    on(MINUS_ZERO, double(0)),
  ]),
  expression({ $add: [date(10), '$v'] }, [
    on(null, null),
    on(date(1), fails(16612)),
    on(double(1.5), date(12)),
    on(double(-1.5), date(8)),
    on(decimal('1.5'), date(12)),
    on(decimal('2.5'), date(12)),
    ...each([NAN, INFINITE, MINUS_INFINITE, DECIMAL_NAN, DECIMAL_INFINITE], fails(15)),
    on(LONG_MAX, fails(15)),
    on(double(9223372036854775808), fails(15)),
  ]),
  expression({ $add: [double(1.4), date(10), '$v'] }, [
    on(double(1.4), date(12)),
    on(double(0.5), date(12)),
  ]),
  expression({ $add: ['$v', 'text'] }, [
    ...each([null, MISSING], null),
    ...each([1, [1], 'text'], fails(14)),
  ]),
  expression({ $subtract: ['$v', 1] }, [
    ...numbersOnly(14),
    on(INT_MIN, long(-2147483649)),
    on(INT_MAX, 2147483646),
    on(LONG_MIN, double(-9223372036854775808)),
    on(LONG_MAX, long('9223372036854775806')),
    ...same([NAN, INFINITE, MINUS_INFINITE, DECIMAL_NAN, DECIMAL_INFINITE]),
    on(MINUS_ZERO, double(-1)),
    on(decimal('1.50'), decimal('0.50')),
    on(date(5), date(4)),
  ]),
  expression({ $subtract: ['$v', 'text'] }, [...each([null, MISSING], null), on(1, fails(14))]),
  expression({ $subtract: [date(10), '$v'] }, [
    on(null, null),
    on(MISSING, null),
    on([1], fails(14)),
    on(date(3), long(7)),
    on(double(1.5), date(8)),
    on(double(-2.5), date(13)),
    on(decimal('2.5'), date(8)),
    ...each([NAN, INFINITE, MINUS_INFINITE, DECIMAL_NAN, DECIMAL_INFINITE], fails(15)),
    on(LONG_MIN, fails(15)),
  ]),
  expression({ $multiply: ['$v', 2] }, [
    ...numbersOnly(14),
    on(INT_MAX, long(4294967294)),
    on(INT_MIN, long(-4294967296)),
    on(LONG_MAX, double(18446744073709551616)),
    on(LONG_MIN, double(-18446744073709551616)),
    ...same([NAN, INFINITE, MINUS_INFINITE, MINUS_ZERO, DECIMAL_NAN, DECIMAL_INFINITE]),
    on(decimal('1.50'), decimal('3.00')),
    on(date(1), fails(14)),
  ]),
  expression({ $multiply: ['$v', 65536, 0] }, [
    on(65536, 0),
    on(long(1), long(0)),
    on(INFINITE, NAN),
    on(LONG_MAX, double(0)),
  ]),
  expression({ $multiply: ['$v', 'text'] }, [
    ...each([null, MISSING], null),
    ...each([1, [1]], fails(14)),
  ]),
  expression({ $divide: ['$v', 2] }, [
    ...numbersOnly(14),
    on(INT_MAX, double(1073741823.5)),
    on(INT_MIN, double(-1073741824)),
    on(LONG_MAX, double(4611686018427387904)),
    on(LONG_MIN, double(-4611686018427387904)),
    ...same([NAN, INFINITE, MINUS_INFINITE, MINUS_ZERO, DECIMAL_NAN, DECIMAL_INFINITE]),
    on(decimal('1.50'), decimal('0.75')),
  ]),
  expression({ $divide: [6, '$v'] }, [
    ...each([null, MISSING], null),
    ...each([0, double(0), MINUS_ZERO, decimal('0')], fails(2)),
    on(INFINITE, double(0)),
    on(NAN, NAN),
    on([2], fails(14)),
  ]),
  expression({ $mod: ['$v', 7] }, [
    ...numbersOnly(16611),
    on(INT_MAX, 1),
    on(INT_MIN, -2),
    on(LONG_MAX, long(0)),
    on(LONG_MIN, long(-1)),
    ...each([NAN, INFINITE, MINUS_INFINITE], NAN),
    on(MINUS_ZERO, MINUS_ZERO),
    on(decimal('8.50'), decimal('1.50')),
    ...each([DECIMAL_NAN, DECIMAL_INFINITE], DECIMAL_NAN),
  ]),
  expression({ $mod: [5, '$v'] }, [
    ...each([null, MISSING], null),
    ...each([0, long(0), double(0), MINUS_ZERO], fails(16610)),
    on(decimal('0'), fails(5733415)),
    on(INFINITE, double(5)),
    on(DECIMAL_INFINITE, decimal('5')),
    on(double(0.5), double(0)),
  ]),
  expression({ $mod: [INT_MIN, '$v'] }, [on(-1, 0), on(long(-1), long(0)), on([1], fails(16611))]),
  expression({ $mod: [LONG_MIN, '$v'] }, [on(-1, long(0))]),
];

const ONE_NUMBER: readonly Table[] = [
  expression({ $abs: '$v' }, [
    ...numbersOnly(28765),
    on(INT_MAX, INT_MAX),
    on(INT_MIN, long(2147483648)),
    on(LONG_MAX, LONG_MAX),
    on(LONG_MIN, fails(28680)),
    on(NAN, NAN),
    ...each([INFINITE, MINUS_INFINITE], INFINITE),
    on(MINUS_ZERO, double(0)),
    on(decimal('-1.50'), decimal('1.50')),
    on(decimal('-0'), decimal('0')),
    ...same([DECIMAL_NAN, DECIMAL_INFINITE]),
    on(decimal('-Infinity'), DECIMAL_INFINITE),
  ]),
  ...['$ceil', '$floor'].map((name) =>
    expression({ [name]: '$v' }, [
      ...numbersOnly(28765),
      ...same([INT_MAX, INT_MIN, LONG_MAX, LONG_MIN]),
      ...same([NAN, INFINITE, MINUS_INFINITE, MINUS_ZERO, DECIMAL_NAN]),
      on(decimal('1.50'), decimal(name === '$ceil' ? '2' : '1')),
      on(decimal('-0.5'), decimal(name === '$ceil' ? '-0' : '-1')),
      on(double(-0.5), double(name === '$ceil' ? -0 : -1)),
      on(decimal('1E+3'), decimal('1000')),
      // To the exponent 0, which neither an infinity nor more than 34 digits have.
      ...each([DECIMAL_INFINITE, decimal('1E+40')], DECIMAL_NAN),
    ]),
  ),
  ...['$round', '$trunc'].map((name) =>
    expression({ [name]: '$v' }, [
      ...numbersOnly(51081),
      ...same([INT_MAX, INT_MIN, LONG_MAX, LONG_MIN]),
      ...same([NAN, INFINITE, MINUS_INFINITE, MINUS_ZERO, DECIMAL_NAN, DECIMAL_INFINITE]),
      on(decimal('1.50'), decimal(name === '$round' ? '2' : '1')),
      on(decimal('2.5'), decimal('2')),
      on(decimal('1E+40'), decimal('1.000000000000000000000000000000000E+40')),
      on(double(2.5), double(2)),
      on(double(-0.5), MINUS_ZERO),
      on(double(-0.2), MINUS_ZERO),
      on(double(1e300), double(1e300)),
    ]),
  ),
  ...['$round', '$trunc'].flatMap((name) => [
    expression({ [name]: [decimal('1.298'), '$v'] }, [
      ...each([null, MISSING], null),
      ...each(['1', [1], [[1]], true], fails(16004)),
      ...each([double(0.5), decimal('1.4')], fails(51082)),
      ...each([101, -21, long(101), decimal('101')], fails(51083)),
      on(100, decimal('1.298000000000000000000000000000000')),
      on(decimal('1'), decimal(name === '$round' ? '1.3' : '1.2')),
      on(MINUS_ZERO, decimal('1')),
      on(INT_MAX, fails(51083)),
      on(LONG_MAX, fails(51082)),
    ]),
    expression({ [name]: ['$v', -1] }, [
      on(INT_MAX, name === '$round' ? long(2147483650) : 2147483640),
      on(LONG_MAX, name === '$round' ? fails(51080) : long('9223372036854775800')),
      on(MINUS_ZERO, MINUS_ZERO),
      on(15, name === '$round' ? 20 : 10),
      on(double(1e22), double(1e22)),
      on(decimal('23.298'), decimal('2E+1')),
    ]),
    expression({ [name]: ['text', '$v'] }, [on(null, fails(51081))]),
    expression({ [name]: [null, '$v'] }, [on('text', null), on(1000, null)]),
  ]),
  expression({ $sqrt: '$v' }, [
    ...numbersOnly(28765),
    on(INT_MAX, double(Math.sqrt(INT_MAX))),
    ...each([INT_MIN, LONG_MIN, MINUS_INFINITE, decimal('-1E-6000')], fails(28714)),
    on(LONG_MAX, double(3037000499.97605)),
    ...same([NAN, INFINITE, MINUS_ZERO, DECIMAL_NAN, DECIMAL_INFINITE]),
    on(decimal('2.25'), decimal('1.5')),
    on(decimal('-0'), decimal('-0')),
  ]),
  expression({ $exp: '$v' }, [
    ...numbersOnly(28765),
    ...each([INT_MAX, LONG_MAX, INFINITE], INFINITE),
    ...each([INT_MIN, LONG_MIN, MINUS_INFINITE], double(0)),
    ...same([NAN, DECIMAL_NAN, DECIMAL_INFINITE]),
    on(MINUS_ZERO, double(1)),
    on(0, double(1)),
  ]),
  expression({ $ln: '$v' }, [
    ...numbersOnly(28765),
    on(INT_MAX, double(Math.log(INT_MAX))),
    on(LONG_MAX, double(Math.log(2 ** 63))),
    ...each([INT_MIN, LONG_MIN, MINUS_INFINITE, MINUS_ZERO, 0, decimal('0')], fails(28766)),
    ...same([NAN, INFINITE, DECIMAL_INFINITE]),
    on(DECIMAL_NAN, NAN),
    on(1, double(0)),
  ]),
  expression({ $log10: '$v' }, [
    ...numbersOnly(28765),
    on(INT_MAX, double(Math.log10(INT_MAX))),
    on(LONG_MAX, double(Math.log10(2 ** 63))),
    ...each([INT_MIN, LONG_MIN, MINUS_INFINITE, MINUS_ZERO, 0, decimal('-1')], fails(28761)),
    ...same([NAN, INFINITE, DECIMAL_INFINITE]),
    on(DECIMAL_NAN, NAN),
    on(1000, double(3)),
  ]),
  expression({ $bitNot: '$v' }, [
    ...each([null, MISSING], null),
    ...each([...ARRAYS, 'text', true], fails(28765)),
    on(INT_MAX, INT_MIN),
    on(INT_MIN, INT_MAX),
    on(LONG_MAX, LONG_MIN),
    on(LONG_MIN, LONG_MAX),
    ...each([NAN, INFINITE, MINUS_ZERO, double(1), decimal('1')], fails(14)),
  ]),
];

const TWO_NUMBERS: readonly Table[] = [
  expression({ $pow: ['$v', 2] }, [
    ...numbersOnly(28762),
    on(INT_MAX, long('4611686014132420609')),
    on(INT_MIN, long('4611686018427387904')),
    on(LONG_MAX, double(2 ** 126)),
    on(LONG_MIN, double(2 ** 126)),
    ...same([NAN, INFINITE, DECIMAL_NAN, DECIMAL_INFINITE]),
    on(MINUS_INFINITE, INFINITE),
    on(MINUS_ZERO, double(0)),
    on(decimal('1.5'), decimal('2.25')),
  ]),
  expression({ $pow: [1, '$v'] }, [
    ...each([null, MISSING], null),
    ...each([[2], 'text'], fails(28763)),
    ...each([NAN, INFINITE, MINUS_INFINITE, MINUS_ZERO], double(1)),
    on(INT_MIN, 1),
    on(LONG_MIN, long(1)),
  ]),
  expression({ $pow: [-1, '$v'] }, [
    ...each([INFINITE, MINUS_INFINITE], double(1)),
    on(INT_MAX, -1),
    on(LONG_MIN, long(1)),
    on(NAN, NAN),
  ]),
  expression({ $pow: [0, '$v'] }, [
    ...each([-1, LONG_MIN, MINUS_INFINITE, decimal('-1')], fails(28764)),
    on(0, 1),
    on(MINUS_ZERO, double(1)),
    on(NAN, NAN),
  ]),
  expression({ $pow: [-2, '$v'] }, [
    on(63, LONG_MIN),
    on(31, INT_MIN),
    on(64, double(2 ** 64)),
    on(-1, double(-0.5)),
    on(double(0.5), NAN),
  ]),
  expression({ $log: ['$v', 10] }, [
    ...numbersOnly(28756),
    on(INT_MAX, double(Math.log(INT_MAX) / Math.log(10))),
    on(LONG_MAX, double(Math.log(2 ** 63) / Math.log(10))),
    ...each([INT_MIN, LONG_MIN, MINUS_INFINITE, MINUS_ZERO, 0, decimal('0')], fails(28758)),
    ...same([NAN, INFINITE, DECIMAL_INFINITE]),
    on(DECIMAL_NAN, NAN),
    // ln 1000 / ln 10
    on(1000, double(2.9999999999999996)),
  ]),
  expression({ $log: [8, '$v'] }, [
    ...each([null, MISSING], null),
    on([2], fails(28757)),
    ...each([0, 1, -2, double(1), decimal('1'), MINUS_INFINITE], fails(28759)),
    on(2, double(Math.log(8) / Math.log(2))),
    on(NAN, NAN),
    on(INFINITE, double(0)),
  ]),
  expression({ $log: [-1, '$v'] }, [on('text', fails(28757)), on(null, null)]),
  expression({ $atan2: ['$v', 1] }, [
    ...numbersOnly(51044),
    on(INT_MAX, double(Math.atan2(INT_MAX, 1))),
    on(INT_MIN, double(Math.atan2(INT_MIN, 1))),
    ...each([LONG_MAX, INFINITE], double(Math.PI / 2)),
    ...each([LONG_MIN, MINUS_INFINITE], double(-Math.PI / 2)),
    ...same([NAN, MINUS_ZERO, DECIMAL_NAN]),
  ]),
  expression({ $atan2: [1, '$v'] }, [
    ...each([null, MISSING], null),
    ...each(['text', [1]], fails(51045)),
    on(INFINITE, double(0)),
  ]),
  expression({ $atan2: ['text', '$v'] }, [on(null, fails(51044))]),
  expression({ $atan2: [null, '$v'] }, [on('text', null)]),
  ...['$bitAnd', '$bitOr', '$bitXor'].map((name) =>
    expression({ [name]: ['$v', 0] }, [
      ...each([null, MISSING], null),
      ...each([...ARRAYS, 'text', true], fails(14)),
      ...(name === '$bitAnd'
        ? [...each([INT_MAX, INT_MIN], 0), ...each([LONG_MAX, LONG_MIN], long(0))]
        : same([INT_MAX, INT_MIN, LONG_MAX, LONG_MIN])),
      ...each([NAN, INFINITE, MINUS_ZERO, double(1), decimal('1')], fails(14)),
    ]),
  ),
];

const TRIGONOMETRY: readonly Table[] = [
  ...alike(
    [...BOUNDED, '$atan', '$sinh', '$cosh', '$tanh', '$asinh', '$degreesToRadians'],
    (name) => ({ [name]: '$v' }),
    [...numbersOnly(28765), ...same([NAN, DECIMAL_NAN])],
  ),
  ...alike(['$sin', '$cos', '$tan'], (name) => ({ [name]: '$v' }), [
    ...each([INFINITE, MINUS_INFINITE, DECIMAL_INFINITE], fails(50989)),
  ]),
  ...(
    [
      ['$sin', Math.sin],
      ['$cos', Math.cos],
      ['$tan', Math.tan],
    ] as const
  ).map(([name, compute]) =>
    expression({ [name]: '$v' }, [
      ...[INT_MAX, INT_MIN, -0].map((x) =>
        on(Object.is(x, -0) ? MINUS_ZERO : x, double(compute(x))),
      ),
      on(LONG_MAX, double(compute(2 ** 63))),
      on(LONG_MIN, double(compute(-(2 ** 63)))),
    ]),
  ),
  ...alike(['$asin', '$acos', '$atanh'], (name) => ({ [name]: '$v' }), [
    ...each([INT_MAX, INT_MIN, LONG_MAX, LONG_MIN, INFINITE, MINUS_INFINITE], fails(50989)),
    ...each([decimal('1.5'), decimal('1.000000000000000000000000000000001')], fails(50989)),
  ]),
  ...alike(['$asin', '$atanh'], (name) => ({ [name]: '$v' }), [
    on(MINUS_ZERO, MINUS_ZERO),
    on(0, double(0)),
  ]),
  expression({ $acos: '$v' }, [on(MINUS_ZERO, double(Math.PI / 2)), on(1, double(0))]),
  expression({ $atanh: '$v' }, [on(1, INFINITE), on(-1, MINUS_INFINITE)]),
  expression({ $acosh: '$v' }, [
    on(INT_MAX, double(Math.acosh(INT_MAX))),
    on(LONG_MAX, double(Math.acosh(2 ** 63))),
    ...each([INT_MIN, LONG_MIN, MINUS_INFINITE, MINUS_ZERO, decimal('0.5')], fails(50989)),
    on(decimal('0.9999999999999999999999999999999999'), fails(50989)),
    ...same([INFINITE, DECIMAL_INFINITE]),
    on(1, double(0)),
  ]),
  expression({ $atan: '$v' }, [
    on(INT_MAX, double(Math.atan(INT_MAX))),
    ...each([LONG_MAX, INFINITE], double(Math.PI / 2)),
    ...each([LONG_MIN, MINUS_INFINITE], double(-Math.PI / 2)),
    on(MINUS_ZERO, MINUS_ZERO),
    on(INT_MIN, double(Math.atan(INT_MIN))),
  ]),
  ...alike(['$sinh', '$asinh'], (name) => ({ [name]: '$v' }), [
    ...same([INFINITE, MINUS_INFINITE, MINUS_ZERO, DECIMAL_INFINITE]),
  ]),
  expression({ $sinh: '$v' }, [
    ...each([INT_MAX, LONG_MAX], INFINITE),
    ...each([INT_MIN, LONG_MIN], MINUS_INFINITE),
  ]),
  expression({ $asinh: '$v' }, [
    on(INT_MAX, double(Math.asinh(INT_MAX))),
    on(LONG_MAX, double(Math.asinh(2 ** 63))),
  ]),
  expression({ $cosh: '$v' }, [
    ...each([INT_MAX, INT_MIN, LONG_MAX, LONG_MIN, INFINITE, MINUS_INFINITE], INFINITE),
    on(MINUS_ZERO, double(1)),
  ]),
  expression({ $tanh: '$v' }, [
    ...each([INT_MAX, LONG_MAX, INFINITE], double(1)),
    ...each([INT_MIN, LONG_MIN, MINUS_INFINITE], double(-1)),
    on(MINUS_ZERO, MINUS_ZERO),
  ]),
  expression({ $degreesToRadians: '$v' }, [
    on(INT_MAX, double(INT_MAX * (Math.PI / 180))),
    on(INT_MIN, double(INT_MIN * (Math.PI / 180))),
    on(LONG_MAX, double(2 ** 63 * (Math.PI / 180))),
    ...same([INFINITE, MINUS_INFINITE, MINUS_ZERO, DECIMAL_INFINITE]),
    on(decimal('180'), decimal('3.141592653589793238462643383279503')),
  ]),
  expression({ $radiansToDegrees: '$v' }, [
    ...numbersOnly(28765),
    on(INT_MAX, double(INT_MAX * (180 / Math.PI))),
    on(LONG_MIN, double(-(2 ** 63) * (180 / Math.PI))),
    on(double(0.3), double(0.3 * (180 / Math.PI))),
    ...same([NAN, INFINITE, MINUS_INFINITE, MINUS_ZERO, DECIMAL_NAN, DECIMAL_INFINITE]),
  ]),
];

const COMPARISONS: readonly Table[] = [
  expression({ $cmp: ['$v', 0] }, [
    ...each([null, MISSING, LONG_MIN, INT_MIN, NAN, MINUS_INFINITE, DECIMAL_NAN], -1),
    ...each([MINUS_ZERO, decimal('-0.00'), long(0), double(0)], 0),
    ...each([INT_MAX, LONG_MAX, INFINITE, decimal('1E-6176'), ...ARRAYS, 'text', {}], 1),
  ]),
  expression({ $cmp: ['$v', NAN] }, [
    ...each([NAN, DECIMAL_NAN], 0),
    ...each([MINUS_INFINITE, 0, decimal('-Infinity'), [1]], 1),
    ...each([null, MISSING], -1),
  ]),
  expression({ $cmp: ['$v', null] }, [
    on(null, 0),
    on(MISSING, -1),
    ...each([NAN, MINUS_INFINITE, [], [null]], 1),
  ]),
  expression({ $eq: ['$v', null] }, [
    on(null, true),
    ...each([MISSING, [], [null], [[]], 0, NAN], false),
  ]),
  expression({ $eq: ['$v', '$missing'] }, [on(MISSING, true), ...each([null, [], [[]], 0], false)]),
  expression({ $eq: ['$v', 0] }, [
    ...each([0, long(0), MINUS_ZERO, decimal('0E+3')], true),
    ...each([null, MISSING, [0], [[0]], NAN, INT_MIN, LONG_MIN, INFINITE, false, '0'], false),
  ]),
  expression({ $eq: ['$v', double(9223372036854775808)] }, [
    on(LONG_MAX, false),
    on(decimal('9223372036854775808'), true),
    on(double(9223372036854775808), true),
  ]),
  expression({ $eq: ['$v', [[1]]] }, [
    on([[long(1)]], true),
    ...each([[1], 1, [], [[[1]]]], false),
  ]),
  expression({ $ne: ['$v', NAN] }, [
    ...each([NAN, DECIMAL_NAN], false),
    ...each([null, MISSING, [NAN], [[NAN]], INT_MAX, LONG_MAX, INFINITE, MINUS_ZERO], true),
  ]),
  expression({ $gt: ['$v', double(9007199254740992)] }, [
    on(long('9007199254740993'), true),
    ...each([LONG_MAX, INFINITE, decimal('9007199254740992.1'), [], [[1]], '', {}], true),
    ...each([null, MISSING, INT_MAX, LONG_MIN, NAN, MINUS_ZERO, MINUS_INFINITE], false),
    on(decimal('9007199254740992'), false),
  ]),
  expression({ $gte: ['$v', 0] }, [
    ...each([MINUS_ZERO, decimal('-0'), INT_MAX, LONG_MAX, INFINITE, [], [[-1]]], true),
    ...each([null, MISSING, NAN, DECIMAL_NAN, INT_MIN, LONG_MIN, MINUS_INFINITE], false),
  ]),
  expression({ $lt: ['$v', 0] }, [
    ...each([null, MISSING, NAN, DECIMAL_NAN, INT_MIN, LONG_MIN, MINUS_INFINITE], true),
    ...each([MINUS_ZERO, decimal('-0'), INT_MAX, LONG_MAX, INFINITE, [], [[-1]]], false),
  ]),
  expression({ $lte: ['$v', NAN] }, [
    ...each([null, MISSING, NAN, DECIMAL_NAN], true),
    ...each([INT_MIN, LONG_MIN, MINUS_INFINITE, MINUS_ZERO, [], [[]]], false),
  ]),
];

/** Only false, null, missing and zeros are false. */
const TRUE: readonly unknown[] = [
  ...ARRAYS,
  [false],
  [[]],
  INT_MAX,
  INT_MIN,
  LONG_MAX,
  LONG_MIN,
  NAN,
  DECIMAL_NAN,
  INFINITE,
  MINUS_INFINITE,
  decimal('0.1'),
  '',
  {},
];
const FALSE: readonly unknown[] = [
  null,
  MISSING,
  0,
  long(0),
  MINUS_ZERO,
  decimal('0'),
  decimal('-0E+3'),
];

const LOGIC: readonly Table[] = [
  ...alike(['$and', '$or'], (name) => ({ [name]: ['$v'] }), [
    ...each(TRUE, true),
    ...each(FALSE, false),
  ]),
  expression({ $not: ['$v'] }, [...each(TRUE, false), ...each(FALSE, true)]),
  expression({ $cond: ['$v', 'yes', 'no'] }, [...each(TRUE, 'yes'), ...each(FALSE, 'no')]),
  expression({ $cond: [true, '$v', 'no'] }, same([null, MISSING, ...ARRAYS, ...NUMBERS])),
  expression({ $ifNull: ['$v', 'none'] }, [
    ...each([null, MISSING], 'none'),
    ...same([...ARRAYS, [null], ...NUMBERS]),
  ]),
  expression({ $ifNull: [null, '$v'] }, same([null, MISSING, ...ARRAYS, ...NUMBERS])),
  expression({ $switch: { branches: [Object.fromEntries(branch('$v', 'yes'))], default: 'no' } }, [
    ...each(TRUE, 'yes'),
    ...each(FALSE, 'no'),
  ]),
  expression({ $switch: { branches: [Object.fromEntries(branch('$v', 'yes'))] } }, [
    ...each([null, MISSING, MINUS_ZERO], fails(40066)),
    ...each([[], [[1]], NAN], 'yes'),
  ]),
  argument('$switch', (branches) => ({ $switch: { branches } }), [
    ...each([null, 1, NAN, {}], fails(40061)),
    on([], fails(40068)),
    ...each([[1], [[1]]], fails(40062)),
  ]),
];

/** An object with a `then` of its own looks like a promise to the linter. */
function branch(when: unknown, then: unknown): [string, unknown][] {
  return [
    ['case', when],
    ['then', then],
  ];
}

export const EDGES: readonly Table[] = [
  ...SUMS,
  ...ONE_NUMBER,
  ...TWO_NUMBERS,
  ...TRIGONOMETRY,
  ...COMPARISONS,
  ...LOGIC,
];

describe('arithmetic, comparison and logic at the edges', () => testTables(EDGES));
