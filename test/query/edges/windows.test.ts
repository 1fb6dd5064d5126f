/**
 * Window operators at the edges of values.
 *
 * Source of the results: MongoDB 8.0, src/mongo/db/pipeline/window_function/ and its jstests of $setWindowFields.
 */
import {
  date,
  decimal,
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
  type Table,
  testTables,
} from './edge.ts';
import { PipelineStore, windowed, windowedBySelf, windowedWith } from './pipelines.ts';

const store = new PipelineStore();
const over = (output: Record<string, unknown>, lines: readonly Line[]): Table =>
  windowed(store, output, lines);
const ordered = (output: Record<string, unknown>, lines: readonly Line[], sortBy?: object): Table =>
  windowedBySelf(store, output, lines, (sortBy ?? { v: 1 }) as Record<string, unknown>);

const LAST_TWO = { documents: [-1, 0] };
const UP_TO = { documents: ['unbounded', 'current'] };
const NO_NUMBERS = [null, MISSING, [1], [[1]]];

const ACCUMULATED: readonly Table[] = [
  over({ $sum: '$v', window: LAST_TWO }, [
    on(NO_NUMBERS, [0, 0, 0, 0]),
    on([INT_MAX, 1, -1, null], [INT_MAX, long(2147483648), 0, -1]),
    on([LONG_MAX, 1, LONG_MIN], [LONG_MAX, double(2 ** 63), long('-9223372036854775807')]),
    on([INFINITE, MINUS_INFINITE, 1], [INFINITE, NAN, MINUS_INFINITE]),
    on([NAN, 1, 2], [NAN, NAN, 3]),
    on([decimal('0.1'), 1, 2], [decimal('0.1'), decimal('1.1'), 3]),
    on([MINUS_ZERO, 1], [double(0), double(1)]),
  ]),
  over({ $avg: '$v', window: LAST_TWO }, [
    on(NO_NUMBERS, [null, null, null, null]),
    on([INT_MAX, INT_MIN, null], [double(INT_MAX), double(-0.5), double(INT_MIN)]),
    on([LONG_MAX, NAN, 1, 2], [double(2 ** 63), NAN, NAN, double(1.5)]),
    on([INFINITE, MINUS_INFINITE], [INFINITE, NAN]),
    on([decimal('1'), 2, 3], [decimal('1'), decimal('1.5'), double(2.5)]),
    on([MINUS_ZERO], [double(0)]),
  ]),
  ...['$min', '$max'].map((name) =>
    over({ [name]: '$v', window: UP_TO }, [
      on([null, MISSING, 5, [1]], [null, null, 5, name === '$min' ? 5 : [1]]),
      on([[1], [[1]]], [[1], name === '$min' ? [1] : [[1]]]),
      on([0, NAN, MINUS_INFINITE], name === '$min' ? [0, NAN, NAN] : [0, 0, 0]),
      on(
        [MINUS_ZERO, 0, INFINITE],
        [MINUS_ZERO, MINUS_ZERO, name === '$min' ? MINUS_ZERO : INFINITE],
      ),
      on([INT_MAX, LONG_MIN], [INT_MAX, name === '$min' ? LONG_MIN : INT_MAX]),
      on(
        [decimal('1.50'), INT_MIN],
        [decimal('1.50'), name === '$min' ? INT_MIN : decimal('1.50')],
      ),
    ]),
  ),
  over({ $push: '$v', window: LAST_TWO }, [
    on([null, MISSING, [1], [[1]]], [[null], [null], [[1]], [[1], [[1]]]]),
    on([INT_MAX, LONG_MIN, NAN], [[INT_MAX], [INT_MAX, LONG_MIN], [LONG_MIN, NAN]]),
    on(
      [INFINITE, MINUS_ZERO, decimal('1')],
      [[INFINITE], [INFINITE, MINUS_ZERO], [MINUS_ZERO, decimal('1')]],
    ),
  ]),
  over({ $addToSet: '$v', window: LAST_TWO }, [
    on(
      [null, MISSING, null, [1], [1]],
      [[null], [null], [null], [null, [1]], [[1]]].with(3, [null, [1]]),
    ),
    on([[[1]], [[double(1)]]], [[[[1]]], [[[1]]]]),
    on([MINUS_ZERO, decimal('0')], [[MINUS_ZERO], [MINUS_ZERO]]),
    on([NAN, DECIMAL_NAN], [[NAN], [NAN]]),
    on([INT_MAX, long(INT_MAX)], [[INT_MAX], [INT_MAX]]),
    on([LONG_MAX], [[LONG_MAX]]),
    on([INFINITE], [[INFINITE]]),
  ]),
  over({ $count: {}, window: LAST_TWO }, [
    on([null, MISSING, [1], [[1]]], [1, 2, 2, 2]),
    on([INT_MAX, LONG_MAX, NAN, INFINITE, MINUS_ZERO, decimal('1')], [1, 2, 2, 2, 2, 2]),
  ]),
  windowedWith(store, '$count', ($count) => ({ $count }), [
    ...each([null, [], [[1]], ...NUMBERS], fails(9)),
  ]),
  ...['$first', '$last'].map((name) =>
    over({ [name]: '$v', window: { documents: [0, 0] } }, [
      // The value of one document, and none where it has none.
      on([null, MISSING, [], [[1]]], [null, MISSING, [], [[1]]]),
      on([...NUMBERS], [...NUMBERS]),
    ]),
  ),
  over({ $first: '$v', window: { documents: [1, 2] } }, [
    on([1, MISSING, null], [MISSING, null, null]),
  ]),
  over({ $firstN: { input: '$v', n: 2 }, window: UP_TO }, [
    on([MISSING, null, 1], [[null], [null, null], [null, null]]),
    on([[1], [[1]]], [[[1]], [[1], [[1]]]]),
    ...NUMBERS.map((value) => on([value], [[value]])),
  ]),
  over({ $lastN: { input: '$v', n: 2 }, window: UP_TO }, [
    on([1, MISSING, null], [[1], [1, null], [null, null]]),
    on([[1], [[1]]], [[[1]], [[1], [[1]]]]),
    ...NUMBERS.map((value) => on([value], [[value]])),
  ]),
  over({ $minN: { input: '$v', n: 2 }, window: UP_TO }, [
    on([null, MISSING, [1], 5], [[], [], [[1]], [5, [1]]]),
    on([[[1]], NAN, LONG_MIN], [[[[1]]], [NAN, [[1]]], [NAN, LONG_MIN]]),
    on(
      [INT_MAX, INFINITE, MINUS_ZERO, decimal('-1')],
      [[INT_MAX], [INT_MAX, INFINITE], [MINUS_ZERO, INT_MAX], [decimal('-1'), MINUS_ZERO]],
    ),
  ]),
  over({ $maxN: { input: '$v', n: 2 }, window: UP_TO }, [
    on([null, MISSING, 5, [1]], [[], [], [5], [[1], 5]]),
    on([[[1]], NAN, LONG_MIN], [[[[1]]], [[[1]], NAN], [[[1]], LONG_MIN]]),
    on(
      [INT_MAX, INFINITE, MINUS_ZERO, decimal('1')],
      [[INT_MAX], [INFINITE, INT_MAX], [INFINITE, INT_MAX], [INFINITE, INT_MAX]],
    ),
  ]),
  ...['$top', '$bottom'].map((name) =>
    over({ [name]: { sortBy: { v: 1 }, output: '$v' } }, [
      on([MISSING, MISSING], [null, null]),
      on([null, 1], name === '$top' ? [null, null] : [1, 1]),
      on(
        [[3, 0], 2],
        name === '$top'
          ? [
              [3, 0],
              [3, 0],
            ]
          : [2, 2],
      ),
      on([[[1]], 5], name === '$top' ? [5, 5] : [[[1]], [[1]]]),
      on([NAN, INT_MIN], name === '$top' ? [NAN, NAN] : [INT_MIN, INT_MIN]),
      on(
        [LONG_MIN, MINUS_ZERO, INFINITE, decimal('1')],
        Array(4).fill(name === '$top' ? LONG_MIN : INFINITE),
      ),
    ]),
  ),
  ...['$topN', '$bottomN'].map((name) =>
    over({ [name]: { sortBy: { v: 1 }, output: '$_id', n: 1 } }, [
      on([MISSING, 1], [[name === '$topN' ? 0 : 1], [name === '$topN' ? 0 : 1]]),
      on([null, [0], [[1]]], Array(3).fill([name === '$topN' ? 0 : 2])),
      on([NAN, LONG_MAX, INT_MIN], Array(3).fill([name === '$topN' ? 0 : 1])),
      on([MINUS_ZERO, INFINITE, decimal('-1')], Array(3).fill([name === '$topN' ? 2 : 1])),
    ]),
  ),
  ...['$stdDevPop', '$stdDevSamp'].map((name) =>
    over({ [name]: '$v', window: LAST_TWO }, [
      on(NO_NUMBERS, [null, null, null, null]),
      on(
        [1, 3, null],
        name === '$stdDevPop' ? [0, 1, 0].map(double) : [null, double(Math.SQRT2), null],
      ),
      on([INT_MAX, LONG_MAX, MINUS_ZERO, decimal('0')].slice(0, 1), [
        name === '$stdDevPop' ? double(0) : null,
      ]),
      on([LONG_MIN, LONG_MIN], [name === '$stdDevPop' ? double(0) : null, double(0)]),
      on([NAN, 1], [name === '$stdDevPop' ? NAN : null, NAN]),
      on([INFINITE, 1], [name === '$stdDevPop' ? NAN : null, NAN]),
      on([MINUS_ZERO, decimal('0')], [name === '$stdDevPop' ? double(0) : null, double(0)]),
    ]),
  ),
  over({ $median: { input: '$v', method: 'approximate' }, window: UP_TO }, [
    on([null, MISSING, [1], [[1]], NAN], [null, null, null, null, null]),
    on([INT_MAX, NAN, LONG_MIN], [double(INT_MAX), double(INT_MAX), double(-(2 ** 63))]),
    on([INFINITE, MINUS_ZERO, decimal('1.5')], [INFINITE, MINUS_ZERO, double(1.5)]),
  ]),
  over({ $percentile: { input: '$v', p: [0, 1], method: 'approximate' }, window: UP_TO }, [
    on([null, MISSING, [1], [[1]], NAN], Array(5).fill([null, null])),
    on(
      [INT_MAX, LONG_MIN],
      [
        [double(INT_MAX), double(INT_MAX)],
        [double(-(2 ** 63)), double(INT_MAX)],
      ],
    ),
    on(
      [INFINITE, MINUS_ZERO, decimal('1.5')],
      [
        [INFINITE, INFINITE],
        [MINUS_ZERO, INFINITE],
        [MINUS_ZERO, INFINITE],
      ],
    ),
  ]),
];

const RANKED: readonly Table[] = [
  // Null, missing, and arrays whose least element is null are ties; so are equal numbers of all types.
  ordered({ $rank: {} }, [
    on([1, null, MISSING, [null], [2, null], []], [6, 2, 2, 2, 2, 1]),
    on([0, MINUS_ZERO, decimal('0'), NAN, DECIMAL_NAN], [3, 3, 3, 1, 1]),
    on([INT_MAX, long(INT_MAX), LONG_MAX, INFINITE, [[1]]], [1, 1, 3, 4, 5]),
  ]),
  ordered({ $denseRank: {} }, [
    on([1, null, MISSING, [null], [2, null], []], [3, 2, 2, 2, 2, 1]),
    on([0, MINUS_ZERO, decimal('0'), NAN, DECIMAL_NAN], [2, 2, 2, 1, 1]),
    on([INT_MAX, long(INT_MAX), LONG_MAX, INFINITE, [[1]]], [1, 1, 2, 3, 4]),
  ]),
  ordered({ $documentNumber: {} }, [
    on([1, null, MISSING, [null], []], [5, 2, 3, 4, 1]),
    on([0, MINUS_ZERO, decimal('0'), NAN], [2, 3, 4, 1]),
    on([INT_MAX, long(INT_MAX), LONG_MAX, INFINITE, [[1]]], [1, 2, 3, 4, 5]),
  ]),
  ordered({ $rank: {} }, [on([[1, 3], 2, null], [1, 2, 3])], { v: -1 }),
  ...['$rank', '$denseRank', '$documentNumber'].flatMap((name) => [
    windowedWith(store, name, (input) => ({ [name]: input }), [
      ...each([null, [], [[1]], ...NUMBERS, { a: 1 }], fails(5371603)),
      on({}, [1, 2]),
    ]),
    ordered({ [name]: {} }, [on([1, 2], fails(5371602))], { v: 1, w: 1 }),
    over({ [name]: {}, window: LAST_TWO }, [on([1], fails(5371601))]),
  ]),
  over({ $shift: { output: '$v', by: -1, default: 'none' } }, [
    on([null, MISSING, [1], [[1]], 1], ['none', null, MISSING, [1], [[1]]]),
    on(
      [INT_MAX, LONG_MIN, NAN, INFINITE, MINUS_ZERO, decimal('1'), 0],
      ['none', INT_MAX, LONG_MIN, NAN, INFINITE, MINUS_ZERO, decimal('1')],
    ),
  ]),
  windowedWith(store, '$shift', (by) => ({ $shift: { output: '$v', by } }), [
    ...each(
      [null, [], [[1]], '1', double(0.5), NAN, INFINITE, LONG_MAX, { $add: [1, 1] }],
      fails(9),
    ),
    ...each([INT_MAX, INT_MIN], [null, null]),
    ...each([MINUS_ZERO, decimal('0')], [1, 2]),
  ]),
  windowedWith(store, '$shift', (value) => ({ $shift: { output: '$v', by: 5, default: value } }), [
    ...[null, [], [[1]], NAN, LONG_MAX].map((value) => on(value, [value, value])),
    on('$v', fails(9)),
  ]),
];

const FILLING: readonly Table[] = [
  over({ $locf: '$v' }, [
    on([null, MISSING, 1, null, MISSING], [null, null, 1, 1, 1]),
    on([[], null, [[1]], MISSING], [[], [], [[1]], [[1]]]),
    on([INT_MAX, null, LONG_MIN, null], [INT_MAX, INT_MAX, LONG_MIN, LONG_MIN]),
    on(
      [NAN, null, INFINITE, MINUS_ZERO, null, decimal('1'), null],
      [NAN, NAN, INFINITE, MINUS_ZERO, MINUS_ZERO, decimal('1'), decimal('1')],
    ),
  ]),
  over({ $linearFill: '$v' }, [
    on([null, 1, MISSING, null, 4, null], [null, 1, double(2), double(3), 4, null]),
    ...each([[1, [1]], [[[1]], 1], ['x'], [true]], fails(14)),
    on([INT_MAX, null, INT_MIN], [INT_MAX, double(-0.5), INT_MIN]),
    on([LONG_MAX, null, LONG_MAX], [LONG_MAX, double(2 ** 63), LONG_MAX]),
    on([NAN, null, 1], [NAN, NAN, 1]),
    on([INFINITE, null, 1], [INFINITE, NAN, 1]),
    on([MINUS_ZERO, null, 1], [MINUS_ZERO, double(0.5), 1]),
    on([decimal('1'), null, 2], [decimal('1'), decimal('1.5'), 2]),
  ]),
  ordered({ $linearFill: '$v' }, [
    ...each([[null], [MISSING], [[1]], [[[1]]], ['x']], fails(14)),
    on([1, double(1)], fails(6050106)),
    on([MINUS_ZERO, 0], fails(6050106)),
    on([NAN, DECIMAL_NAN], fails(6050106)),
  ]),
  ordered({ $linearFill: '$v' }, [on([1], fails(605001))], { v: 1, w: 1 }),
];

const MEASURED: readonly Table[] = [
  over({ $derivative: { input: '$v' }, window: LAST_TWO }, [
    ...each([[null], [MISSING], [1, null]], fails(5624903)),
    ...each([[[1]], [[[1]]], ['x']], fails(14)),
    on([1, 3, 4], [null, double(2), double(1)]),
    on([INT_MIN, INT_MAX], [null, double(4294967295)]),
    on([LONG_MIN, LONG_MAX], [null, double(2 ** 64)]),
    on([NAN, 1], [null, NAN]),
    on([1, INFINITE, MINUS_ZERO], [null, INFINITE, MINUS_INFINITE]),
    on([decimal('1'), 2], [null, decimal('1')]),
  ]),
  ordered({ $derivative: { input: 1 }, window: LAST_TWO }, [
    ...each([[null], [MISSING], [[1]], [[[1]]], ['x']], fails(5624902)),
    on([date(1)], fails(5624901)),
    on([1, decimal('2')], [null, decimal('0')]),
    on([MINUS_ZERO, 0], [null, null]),
  ]),
  ordered({ $derivative: { input: 1, unit: 'second' }, window: LAST_TWO }, [
    ...each([[null], [1], [NAN]], fails(5624900)),
    on([date(0), date(1)], [null, double(0)]),
  ]),
  over({ $integral: { input: '$v' }, window: LAST_TWO }, [
    ...each([[null], [MISSING], [[1]], [[[1]]], ['x'], [1, null]], fails(5423900)),
    on([1, 3, 5], [0, double(2), double(4)]),
    on([INT_MAX, INT_MAX], [0, double(2147483647)]),
    on([LONG_MAX, LONG_MAX], [0, double(2 ** 63)]),
    on([NAN, 1, 3], [NAN, NAN, double(2)]),
    on([INFINITE, 1], [0, INFINITE]),
    on([MINUS_ZERO, decimal('1')], [0, decimal('0.5')]),
  ]),
  ordered({ $integral: { input: 1 }, window: LAST_TWO }, [
    ...each([[null], [MISSING], [[1]], ['x']], fails(5423900)),
    on([date(1)], fails(5423902)),
  ]),
  ordered({ $integral: { input: 1, unit: 'second' }, window: LAST_TWO }, [
    on([1], fails(5423901)),
    on([date(0), date(1000)], [double(0), double(1)]),
  ]),
  ...['$derivative', '$integral'].flatMap((name) => [
    windowedWith(store, name, (input) => ({ [name]: input, window: LAST_TWO }), [
      ...each([null, [], [[1]], NAN, INT_MAX, {}, { input: 1, unit: 5 }], fails(9)),
      ...each([{ input: 1, unit: 'month' }], fails(5490710)),
    ]),
    ordered({ [name]: { input: 1 }, window: LAST_TWO }, [on([1], fails(9))], { v: 1, w: 1 }),
  ]),
  over({ $expMovingAvg: { input: '$v', N: 3 } }, [
    // What is no number leaves the average as it was.
    on([null, 1, MISSING, [5], [[1]], 3], [null, ...[1, 1, 1, 1, 2].map(double)]),
    on([INT_MAX, INT_MIN], [double(INT_MAX), double(-0.5)]),
    on([LONG_MAX], [double(2 ** 63)]),
    on([NAN, 1], [NAN, NAN]),
    on([INFINITE, 1], [INFINITE, INFINITE]),
    on([MINUS_ZERO], [MINUS_ZERO]),
    on([1, decimal('2'), 3], [double(1), decimal('1.5'), decimal('2.25')]),
  ]),
  windowedWith(store, '$expMovingAvg', (N) => ({ $expMovingAvg: { input: '$v', N } }), [
    ...each([null, [], '1', double(0.5), NAN, INFINITE, 0, MINUS_ZERO, INT_MIN], fails(9)),
    ...each([1, decimal('1')], [double(1), double(2)]),
  ]),
  windowedWith(store, '$expMovingAvg', (alpha) => ({ $expMovingAvg: { input: '$v', alpha } }), [
    ...each([null, [], '1', 0, 1, NAN, INFINITE, MINUS_ZERO, decimal('1.0'), LONG_MAX], fails(9)),
    ...each([double(0.5), decimal('0.50')], [double(1), double(1.5)]),
  ]),
  windowedWith(store, '$expMovingAvg', (input) => ({ $expMovingAvg: input }), [
    ...each([null, [], [[1]], 5, {}, { input: 1 }, { input: 1, N: 1, alpha: 0.5 }], fails(9)),
  ]),
  ...['$covariancePop', '$covarianceSamp'].flatMap((name) => {
    const isPop = name === '$covariancePop';
    const ofOne = isPop ? double(0) : null;
    return [
      over({ [name]: ['$v', '$v'], window: UP_TO }, [
        on([null, MISSING, [1], [[1]], 'x'], Array(5).fill(null)),
        on([1, null, 3], [ofOne, ofOne, double(isPop ? 1 : 2)]),
        on([INT_MAX, INT_MAX], [ofOne, double(0)]),
        on([LONG_MAX], [ofOne]),
        on([NAN], [null]),
        on([1, NAN, 3], [ofOne, ofOne, NAN]),
        on([INFINITE, 1, 1], [null, ofOne, INFINITE]),
        on([MINUS_ZERO, 0], [ofOne, double(0)]),
        on([decimal('1'), 3], [ofOne, decimal(isPop ? '1' : '2')]),
      ]),
      over({ [name]: '$v' }, [on([[1, 2], [1], [[1, 2]]], Array(3).fill(ofOne))]),
    ];
  }),
];

const BOUNDS: readonly Table[] = [
  ordered({ $sum: 1, window: { range: [-1, 1] } }, [
    ...each([[null], [MISSING], [[1]], ['x']], fails(5429414)),
    on([date(1)], fails(5429413)),
    on([1, long(2), decimal('2.5'), 9], [2, 3, 2, 1]),
    on([MINUS_ZERO, INFINITE, INT_MAX, LONG_MAX], [1, 1, 1, 1]),
  ]),
  windowedWith(store, '$sum', (lower) => ({ $sum: '$v', window: { documents: [lower, 0] } }), [
    ...each([null, [], '1', double(0.5), NAN, INFINITE, LONG_MIN], fails(9)),
    ...each([INT_MIN, -1], [1, 3]),
    ...each([MINUS_ZERO, decimal('0')], [1, 2]),
    on(INT_MAX, fails(5339900)),
  ]),
];

export const EDGES: readonly Table[] = [
  ...ACCUMULATED,
  ...RANKED,
  ...FILLING,
  ...MEASURED,
  ...BOUNDS,
];

describe('window operators at the edges', () => {
  after(() => store.close());
  testTables(EDGES);
});
