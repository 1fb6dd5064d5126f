/**
 * Accumulators of $group at the edges of values.
 *
 * Source of the results: MongoDB 8.0, src/mongo/db/pipeline/accumulator_*.cpp and util/summation.h.
 */
import {
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
  type Table,
  testTables,
} from './edge.ts';
import { accumulatedBy, accumulating, PipelineStore } from './pipelines.ts';

const store = new PipelineStore();
const over = (accumulator: Record<string, unknown>, lines: readonly Line[]): Table =>
  accumulating(store, accumulator, lines);

const NO_NUMBERS = [null, MISSING, 'x', [1], [[1]], {}, true];
/** Groups of one value each. */
const single = (values: readonly unknown[]): unknown[][] => values.map((value) => [value]);

const NUMERIC: readonly Table[] = [
  over({ $sum: '$v' }, [
    on(NO_NUMBERS, 0),
    ...[INT_MAX, INT_MIN, LONG_MAX, LONG_MIN, NAN, INFINITE, decimal('1.50'), DECIMAL_NAN].map(
      (value) => on([value, null, [5]], value),
    ),
    on([MINUS_ZERO], double(0)),
    on([INT_MAX, 1], long(2147483648)),
    on([INT_MAX, 1, -1], INT_MAX),
    on([LONG_MAX, 1], double(2 ** 63)),
    on([LONG_MAX, 1, -1], LONG_MAX),
    on([INFINITE, MINUS_INFINITE], NAN),
    on([double(1e308), double(1e308), double(-1e308)], INFINITE),
    on([double(0.1), decimal('1')], decimal('1.100000000000000005551115123125783')),
  ]),
  over({ $avg: '$v' }, [
    on(NO_NUMBERS, null),
    on([INT_MAX, INT_MIN], double(-0.5)),
    on([LONG_MAX, LONG_MAX], double(2 ** 63)),
    on([NAN, 1], NAN),
    on([INFINITE, 1], INFINITE),
    on([MINUS_ZERO], double(0)),
    on([decimal('1.0'), 2, null], decimal('1.5')),
  ]),
  ...['$stdDevPop', '$stdDevSamp'].map((name) =>
    over({ [name]: '$v' }, [
      on(NO_NUMBERS, null),
      on([1, 3, null, [7]], double(name === '$stdDevPop' ? 1 : Math.SQRT2)),
      on([INT_MAX, INT_MAX], double(0)),
      on([LONG_MIN, decimal('-9223372036854775808')], double(0)),
      on([MINUS_ZERO, 0], double(0)),
      ...each(
        [
          [NAN, 1],
          [INFINITE, 1],
        ],
        NAN,
      ),
    ]),
  ),
  over({ $median: { input: '$v', method: 'approximate' } }, [
    on(NO_NUMBERS, null),
    ...each(single([NAN, DECIMAL_NAN]), null),
    on([NAN, 3, 'x', 1, null, 2], double(2)),
    on([INT_MAX], double(INT_MAX)),
    on([LONG_MAX], double(2 ** 63)),
    on([INFINITE, MINUS_INFINITE, 1], double(1)),
    on([decimal('1.50')], double(1.5)),
    on([MINUS_ZERO], MINUS_ZERO),
  ]),
  over({ $percentile: { input: '$v', p: [0, 1], method: 'approximate' } }, [
    on(NO_NUMBERS, [null, null]),
    on([NAN], [null, null]),
    on([INT_MIN, LONG_MAX, NAN], [double(INT_MIN), double(2 ** 63)]),
    on([INFINITE, decimal('1.5'), MINUS_ZERO], [MINUS_ZERO, INFINITE]),
  ]),
  over({ $count: {} }, [
    on([null, MISSING, [1], [[1]], 5], 5),
    on([INT_MAX, LONG_MAX, NAN, INFINITE, MINUS_ZERO, DECIMAL_NAN], 6),
  ]),
  accumulatedBy(store, '$count', ($count) => ({ $count }), [
    ...each([null, [], [[1]], ...NUMBERS, { a: 1 }], fails(14)),
    on({}, 1),
  ]),
];

const ONE_VALUE: readonly Table[] = [
  ...['$min', '$max'].map((name) =>
    over({ [name]: '$v' }, [
      on([null, MISSING], null),
      on([null, [1], 5], name === '$min' ? 5 : [1]),
      on([[1], [[1]]], name === '$min' ? [1] : [[1]]),
      on([1, NAN, MINUS_INFINITE], name === '$min' ? NAN : 1),
      on([MINUS_ZERO, 0, null], MINUS_ZERO),
      on([1, long(1), double(1)], 1),
      on([LONG_MAX, double(2 ** 63)], name === '$min' ? LONG_MAX : double(2 ** 63)),
      on([INT_MIN, LONG_MIN], name === '$min' ? LONG_MIN : INT_MIN),
      on([DECIMAL_INFINITE, INFINITE], DECIMAL_INFINITE),
    ]),
  ),
  ...['$first', '$last'].map((name) =>
    over({ [name]: '$v' }, [
      on([MISSING], null),
      on(name === '$first' ? [null, 1] : [1, null], null),
      on(name === '$first' ? [MISSING, 1] : [1, MISSING], null),
      ...[[], [1], [[1]], ...NUMBERS].map((value) => on([value], value)),
    ]),
  ),
  over({ $push: '$v' }, [
    on([MISSING], []),
    on([null, MISSING, [1], [[1]], 1, 1], [null, [1], [[1]], 1, 1]),
    on([...NUMBERS], [...NUMBERS]),
  ]),
  over({ $addToSet: '$v' }, [
    on([MISSING], []),
    on([MISSING, null, null], [null]),
    on([[1], [double(1)]], [[1]]),
    on([[[1]], [[long(1)]]], [[[1]]]),
    on([INT_MAX, long(INT_MAX), double(INT_MAX)], [INT_MAX]),
    on([LONG_MAX, decimal('9223372036854775807')], [LONG_MAX]),
    on([NAN, DECIMAL_NAN], [NAN]),
    on([INFINITE, DECIMAL_INFINITE], [INFINITE]),
    on([MINUS_ZERO, 0, decimal('0.00')], [MINUS_ZERO]),
  ]),
  over({ $mergeObjects: '$v' }, [
    on([null, MISSING], {}),
    on([{ a: 1 }, null, { b: [1], a: 2 }], { a: 2, b: [1] }),
    ...each(single([[], [[{}]], ...NUMBERS, 'x']), fails(40400)),
  ]),
];

const SEVERAL: readonly Table[] = [
  over({ $firstN: { input: '$v', n: 2 } }, [
    on([MISSING, null, 1], [null, null]),
    on([[1], [[1]], 1], [[1], [[1]]]),
    ...NUMBERS.map((value) => on([value], [value])),
  ]),
  over({ $lastN: { input: '$v', n: 2 } }, [
    on([1, null, MISSING], [null, null]),
    on([1, [1], [[1]]], [[1], [[1]]]),
    ...NUMBERS.map((value) => on([value], [value])),
  ]),
  over({ $minN: { input: '$v', n: 2 } }, [
    on([null, MISSING], []),
    on([[1], null, 5, NAN], [NAN, 5]),
    on([[[1]], [1], []], [[], [1]]),
    on([LONG_MIN, INT_MIN, MINUS_INFINITE], [MINUS_INFINITE, LONG_MIN]),
    on([MINUS_ZERO, decimal('0.1')], [MINUS_ZERO, decimal('0.1')]),
  ]),
  over({ $maxN: { input: '$v', n: 2 } }, [
    on([null, MISSING], []),
    on([[1], null, 5, NAN], [[1], 5]),
    on([[[1]], [1], []], [[[1]], [1]]),
    on([LONG_MAX, INT_MAX, INFINITE], [INFINITE, LONG_MAX]),
    on([MINUS_ZERO, decimal('0.1')], [decimal('0.1'), MINUS_ZERO]),
  ]),
  ...['$firstN', '$lastN', '$minN', '$maxN'].flatMap((name) => [
    accumulatedBy(store, name, (n) => ({ [name]: { input: '$v', n } }), [
      ...each([null, [1], [[1]], '1'], fails(5787902)),
      ...each([NAN, INFINITE, double(0.5), DECIMAL_NAN], fails(5787903)),
      ...each([0, -1, MINUS_ZERO, INT_MIN, LONG_MIN], fails(5787908)),
      ...each([INT_MAX, long(1), decimal('1')], [1]),
    ]),
    accumulatedBy(store, name, (input) => ({ [name]: input }), [
      ...each([null, [], NAN], fails(/^.(min|max)/.test(name) ? 5787900 : 5787801)),
      on({ input: '$v' }, fails(5787906)),
      on({ n: 1 }, fails(5787907)),
      on({ n: 1, input: 1, x: 1 }, fails(5787901)),
    ]),
  ]),
  ...['$top', '$bottom'].map((name) =>
    over({ [name]: { sortBy: { v: 1 }, output: '$v' } }, [
      on([MISSING], null),
      on([null], null),
      on([NAN, 1, MINUS_INFINITE], name === '$top' ? NAN : 1),
      on([LONG_MAX, INT_MAX, decimal('1')], name === '$top' ? decimal('1') : LONG_MAX),
      on([INT_MIN, LONG_MIN, INFINITE], name === '$top' ? LONG_MIN : INFINITE),
      // An array stands where its least element does; an empty one below null.
      on([[5, 0], 1, 2], name === '$top' ? [5, 0] : 2),
      on([null, [], 1], name === '$top' ? [] : 1),
      on([[[1]], 5], name === '$top' ? 5 : [[1]]),
      on([MINUS_ZERO, -1, 1], name === '$top' ? -1 : 1),
    ]),
  ),
  over({ $topN: { sortBy: { v: 1 }, output: '$_id', n: 2 } }, [
    // Null and missing are one in the order.
    on([1, MISSING, null], [1, 2]),
    on([1, null, MISSING], [1, 2]),
    on([[3], [[1]], 2], [2, 0]),
    on([INT_MAX, LONG_MAX, NAN, INFINITE], [2, 0]),
    on([MINUS_ZERO, decimal('-0.1'), LONG_MIN], [2, 1]),
    on([INT_MIN], [0]),
  ]),
  over({ $bottomN: { sortBy: { v: 1 }, output: '$_id', n: 2 } }, [
    on([MISSING, 1, null, 2], [1, 3]),
    on([[3], [[1]], 2], [0, 1]),
    on([INT_MAX, LONG_MAX, NAN, INFINITE], [1, 3]),
    on([MINUS_ZERO, decimal('0.1'), LONG_MIN], [0, 1]),
    on([INT_MIN], [0]),
  ]),
  ...['$top', '$topN', '$bottom', '$bottomN'].map((name) => {
    const n = name.endsWith('N') ? { n: 1 } : {};
    return accumulatedBy(store, name, (input) => ({ [name]: input }), [
      ...each([null, [], NAN, 'x'], fails(5788001)),
      on({ output: '$v', ...n }, fails(5788005)),
      on({ sortBy: { v: 1 }, ...n }, fails(5788004)),
      on({ sortBy: { v: 1 }, output: '$v', ...n, x: 1 }, fails(5788002)),
      ...each(
        [null, 1, NAN].map((sortBy) => ({ sortBy, output: '$v', ...n })),
        fails(10065),
      ),
      ...(name.endsWith('N') ? [on({ sortBy: { v: 1 }, output: '$v' }, fails(5788003))] : []),
    ]);
  }),
  accumulatedBy(store, '$percentile', (input) => ({ $percentile: input }), [
    ...each([null, [], 1], fails(7429703)),
  ]),
  accumulatedBy(store, '$median', (input) => ({ $median: input }), [
    ...each([null, [], 1], fails(7436100)),
  ]),
];

export const EDGES: readonly Table[] = [...NUMERIC, ...ONE_VALUE, ...SEVERAL];

describe('accumulators at the edges', () => {
  after(() => store.close());
  testTables(EDGES);
});
