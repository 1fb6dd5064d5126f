/**
 * Arrays, sets and objects at the edges of values.
 *
 * Source of the results: MongoDB 8.0, src/mongo/db/pipeline/expression.cpp and src/mongo/db/exec/expression/evaluate_array.cpp.
 */
import {
  ARRAYS,
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
import { argument, expression } from './expressions.ts';

const NULLISH: readonly unknown[] = [null, MISSING];
const NO_ARRAYS: readonly unknown[] = [...NUMBERS, 'text', true, {}];
/** No whole numbers of 32 bits. */
const NO_INT32: readonly unknown[] = [
  double(0.5),
  LONG_MAX,
  LONG_MIN,
  NAN,
  INFINITE,
  MINUS_INFINITE,
  decimal('1.5'),
  DECIMAL_NAN,
  DECIMAL_INFINITE,
];
/** No whole numbers at all. */
const NO_WHOLE: readonly unknown[] = [double(0.5), NAN, decimal('1.5'), DECIMAL_NAN];

/** Null and missing give null; what is no array is refused. */
const arraysOnly = (code: number): Line[] => [
  ...each(NULLISH, null),
  ...each(NO_ARRAYS, fails(code)),
];

const READING: readonly Table[] = [
  expression({ $arrayElemAt: ['$v', 0] }, [
    ...arraysOnly(28689),
    on([], MISSING),
    on([null], null),
    on([[1], 2], [1]),
    on([NAN], NAN),
  ]),
  expression({ $arrayElemAt: [[1, [2], 3], '$v'] }, [
    ...each(NULLISH, null),
    ...each(['0', ...ARRAYS, true], fails(28690)),
    ...each(NO_INT32, fails(28691)),
    ...each([INT_MAX, INT_MIN, 3, -4], MISSING),
    ...each([0, MINUS_ZERO, decimal('0'), long(0), -3], 1),
    on(1, [2]),
  ]),
  expression({ $arrayElemAt: ['text', '$v'] }, [on(null, null), on('x', fails(28689))]),
  expression({ $first: '$v' }, [
    ...arraysOnly(28689),
    on([], MISSING),
    on([1, 2], 1),
    on([[1], 2], [1]),
    on([null], null),
  ]),
  expression({ $last: '$v' }, [
    ...arraysOnly(28689),
    on([], MISSING),
    on([1, 2], 2),
    on([1, [2]], [2]),
  ]),
  expression({ $slice: ['$v', 1] }, [
    ...arraysOnly(28724),
    on([], []),
    on([1, 2], [1]),
    on([[1, 2], 3], [[1, 2]]),
  ]),
  expression({ $slice: [[1, [2], 3], '$v'] }, [
    ...each(NULLISH, null),
    ...each(['1', [1], true], fails(28725)),
    ...each(NO_INT32, fails(28726)),
    ...each([INT_MAX, INT_MIN], [1, [2], 3]),
    ...each([0, MINUS_ZERO], []),
    on(decimal('-2'), [[2], 3]),
  ]),
  expression({ $slice: [[1, 2], 0, '$v'] }, [
    ...each(NULLISH, null),
    ...each(['1', [1]], fails(28727)),
    ...each(NO_INT32, fails(28728)),
    ...each([0, MINUS_ZERO, INT_MIN], fails(28729)),
    on(INT_MAX, [1, 2]),
  ]),
  expression({ $slice: ['text', 1, '$v'] }, [on(null, fails(28724))]),
  expression({ $slice: [[1], 'x', '$v'] }, [on(null, fails(28725))]),
  expression({ $in: ['$v', [1, null, [2], NAN, double(0), LONG_MAX]] }, [
    ...each([1, double(1), decimal('1.0'), null, [2], [long(2)], NAN, DECIMAL_NAN], true),
    ...each([MINUS_ZERO, decimal('-0'), LONG_MAX], true),
    ...each([MISSING, [], 2, [[2]], [1], INT_MAX, LONG_MIN, INFINITE, '1'], false),
  ]),
  expression({ $in: [[1], '$v'] }, [
    ...each([null, MISSING, ...NO_ARRAYS], fails(40081)),
    ...each([[], [1], [[[1]]]], false),
    ...each([[[1]], [2, [double(1)]]], true),
  ]),
  expression({ $indexOfArray: ['$v', 1] }, [
    ...arraysOnly(40090),
    ...each([[], [[1]]], -1),
    on([null, [1], double(1), 1], 2),
  ]),
  expression({ $indexOfArray: [[null, [1], NAN, double(0)], '$v'] }, [
    on(null, 0),
    on([1], 1),
    ...each([NAN, DECIMAL_NAN], 2),
    ...each([MINUS_ZERO, decimal('0'), 0], 3),
    ...each([MISSING, [], [[1]], 1, INT_MAX, LONG_MAX, INFINITE], -1),
  ]),
  ...['$indexOfArray', '$indexOfBytes', '$indexOfCP'].flatMap((name) => {
    const whole: unknown[] = name === '$indexOfArray' ? [['a'], 'a'] : ['a', 'a'];
    return [
      expression({ [name]: [...whole, '$v'] }, [
        ...each([null, MISSING, '0', [0], [[0]], ...NO_INT32], fails(40096)),
        ...each([-1, INT_MIN], fails(40097)),
        ...each([INT_MAX, 1], -1),
        ...each([0, MINUS_ZERO, decimal('0')], 0),
      ]),
      expression({ [name]: [...whole, 0, '$v'] }, [
        ...each([null, MISSING, [0], NAN, LONG_MAX], fails(40096)),
        on(-1, fails(40097)),
        on(INT_MAX, 0),
        on(0, -1),
      ]),
    ];
  }),
  expression({ $size: '$v' }, [
    ...each([null, MISSING, ...NO_ARRAYS], fails(17124)),
    on([], 0),
    on([null, [1, 2]], 2),
  ]),
  expression({ $isArray: '$v' }, [
    ...each([null, MISSING, ...NO_ARRAYS], false),
    ...each(ARRAYS, true),
  ]),
  ...['$firstN', '$lastN', '$minN', '$maxN'].flatMap((name) => [
    expression({ [name]: { input: '$v', n: 2 } }, [
      ...each([null, MISSING, ...NO_ARRAYS], fails(5788200)),
      on([], []),
      on([[1]], [[1]]),
      on([null], name.endsWith('N') && /^.(min|max)/.test(name) ? [] : [null]),
      on([3], [3]),
    ]),
    expression({ [name]: { input: [3], n: '$v' } }, [
      ...each([null, MISSING, '1', [1], [[1]]], fails(5787902)),
      ...each([...NO_WHOLE, INFINITE, MINUS_INFINITE], fails(5787903)),
      ...each([0, -1, MINUS_ZERO, INT_MIN], fails(5787908)),
      ...each([1, INT_MAX, decimal('1'), double(2)], [3]),
    ]),
    argument(name, (input) => ({ [name]: input }), [
      ...each([null, [], NAN], fails(/^.(min|max)/.test(name) ? 5787900 : 5787801)),
      on({ input: [1] }, fails(5787906)),
      on({ n: 1 }, fails(5787907)),
      on({ n: 1, input: [1], x: 1 }, fails(5787901)),
    ]),
  ]),
  expression({ $minN: { input: '$v', n: 3 } }, [
    on([1, null, NAN, MINUS_INFINITE, [0]], [NAN, MINUS_INFINITE, 1]),
    on([long(1), double(1), 1], [long(1), double(1), 1]),
  ]),
  expression({ $maxN: { input: '$v', n: 3 } }, [
    on([1, null, NAN, [0], 'x'], [[0], 'x', 1]),
    on([LONG_MAX, INFINITE, DECIMAL_NAN, INT_MIN], [INFINITE, LONG_MAX, INT_MIN]),
  ]),
];

const MAKING: readonly Table[] = [
  expression({ $concatArrays: ['$v', [0]] }, [
    ...arraysOnly(28664),
    on([], [0]),
    on([[1], null], [[1], null, 0]),
  ]),
  expression({ $concatArrays: [null, '$v'] }, each([null, 1, []], null)),
  expression({ $concatArrays: ['text', '$v'] }, [on(null, fails(28664))]),
  expression({ $range: [0, '$v'] }, [
    ...each([null, MISSING, '1', [1], [[1]]], fails(34445)),
    ...each(NO_INT32, fails(34446)),
    ...each([0, -1, INT_MIN, MINUS_ZERO], []),
    on(INT_MAX, fails(146)),
    on(decimal('2'), [0, 1]),
  ]),
  expression({ $range: ['$v', 2] }, [
    ...each([null, MISSING, '1', [1]], fails(34443)),
    ...each(NO_INT32, fails(34444)),
    on(INT_MAX, []),
    ...each([MINUS_ZERO, decimal('0')], [0, 1]),
  ]),
  expression({ $range: [INT_MIN, INT_MAX, '$v'] }, [
    ...each([null, MISSING, [1]], fails(34447)),
    ...each(NO_INT32, fails(34448)),
    ...each([0, MINUS_ZERO], fails(34449)),
    ...each([-1, INT_MIN], []),
    on(INT_MAX, [INT_MIN, -1, 2147483646]),
  ]),
  expression({ $reverseArray: '$v' }, [
    ...arraysOnly(34435),
    on([], []),
    on([1, [2, 3], null], [null, [2, 3], 1]),
  ]),
  expression({ $map: { input: '$v', in: { $ifNull: ['$$this', 'none'] } } }, [
    ...arraysOnly(16883),
    on([], []),
    on([null, [null], NAN], ['none', [null], NAN]),
  ]),
  expression({ $map: { input: [1], in: '$v' } }, [
    ...each(NULLISH, [null]),
    ...[...ARRAYS, ...NUMBERS].map((value) => on(value, [value])),
  ]),
  expression({ $filter: { input: '$v', cond: '$$this' } }, [
    ...arraysOnly(28651),
    on([], []),
    on([null, [null], 0, MINUS_ZERO, NAN, false, decimal('0')], [[null], NAN]),
  ]),
  expression({ $filter: { input: [1, 2], cond: true, limit: '$v' } }, [
    ...each([null, MISSING, INT_MAX], [1, 2]),
    ...each([[1], [[1]], '1', ...NO_INT32], fails(327391)),
    ...each([0, MINUS_ZERO, INT_MIN], fails(327392)),
    on(decimal('1'), [1]),
  ]),
  expression({ $reduce: { input: '$v', initialValue: 0, in: { $add: ['$$value', 1] } } }, [
    ...arraysOnly(40080),
    on([], 0),
    on([null, [1, 2]], 2),
  ]),
  expression(
    { $reduce: { input: [], initialValue: '$v', in: 1 } },
    same([null, MISSING, ...ARRAYS, ...NUMBERS]),
  ),
  expression({ $sortArray: { input: '$v', sortBy: 1 } }, [
    ...arraysOnly(2942504),
    on([], []),
    on(
      [[2], 'x', INFINITE, null, decimal('1.5'), NAN, [1], MINUS_INFINITE, 1],
      [null, NAN, MINUS_INFINITE, 1, decimal('1.5'), INFINITE, 'x', [1], [2]],
    ),
    on([LONG_MAX, INT_MAX, INT_MIN, LONG_MIN], [LONG_MIN, INT_MIN, INT_MAX, LONG_MAX]),
    on([[[1]], [2]], [[2], [[1]]]),
  ]),
  expression({ $sortArray: { input: '$v', sortBy: { a: 1 } } }, [
    // An array compares as a whole, and what is no document has no fields.
    on([{ a: [1] }, { a: 2 }, 5, { a: null }], [5, { a: null }, { a: 2 }, { a: [1] }]),
    on([[{ a: 1 }], { a: 0 }], [[{ a: 1 }], { a: 0 }]),
  ]),
  argument('$sortArray', (sortBy) => ({ $sortArray: { input: [2, 1], sortBy } }), [
    ...each([null, [], [1], [[1]], 0, NAN, LONG_MAX, {}, { a: 2 }, { '': 1 }], fails(2)),
    ...each([1, decimal('1')], [1, 2]),
  ]),
  argument('$sortArray', (input) => ({ $sortArray: input }), [
    ...each([null, []], fails(2942500)),
    on({ sortBy: 1 }, fails(2942502)),
    on({ input: [] }, fails(2942503)),
    on({ input: [], sortBy: 1, x: 1 }, fails(2942501)),
  ]),
  expression({ $zip: { inputs: ['$v', [1, 2]] } }, [
    ...arraysOnly(34468),
    on([], []),
    on(
      [[1], null],
      [
        [[1], 1],
        [null, 2],
      ],
    ),
  ]),
  expression({ $zip: { inputs: [[1], [2, 3]], useLongestLength: true, defaults: ['$v', 0] } }, [
    on(MISSING, [
      [1, 2],
      [null, 3],
    ]),
    ...[null, [], [[1]], ...NUMBERS].map((value) =>
      on(value, [
        [1, 2],
        [value, 3],
      ]),
    ),
  ]),
  argument('$zip', (input) => ({ $zip: input }), [
    ...each([null, [], 1], fails(34460)),
    on({ inputs: null }, fails(34461)),
    on({ inputs: [] }, fails(34465)),
    on({ inputs: [[1]], defaults: null }, fails(34462)),
    on({ inputs: [[1]], useLongestLength: 1 }, fails(34463)),
  ]),
];

const SETS: readonly Table[] = [
  expression({ $setUnion: ['$v', [1]] }, [
    ...arraysOnly(17043),
    on([], [1]),
    on([[1], double(1), null], [null, double(1), [1]]),
    on([NAN, DECIMAL_NAN, MINUS_ZERO, 0], [NAN, MINUS_ZERO, 1]),
  ]),
  expression({ $setIntersection: ['$v', [1, [1], null]] }, [
    ...arraysOnly(17047),
    on([], []),
    on([[1], double(1), 2], [double(1), [1]]),
    on([null, [null]], [null]),
  ]),
  // Of equal values, those of the smaller set stay.
  expression({ $setIntersection: [[1, 2], '$v'] }, [on([double(1)], [double(1)])]),
  expression({ $setDifference: ['$v', [1, NAN]] }, [
    ...arraysOnly(17048),
    on([], []),
    on([[1], double(1), null, [1], DECIMAL_NAN], [[1], null]),
  ]),
  expression({ $setDifference: [[1, 2], '$v'] }, [
    ...each(NULLISH, null),
    ...each([1, 'x'], fails(17049)),
    on([[1]], [1, 2]),
  ]),
  expression({ $setEquals: ['$v', [1]] }, [
    ...each([null, MISSING, ...NO_ARRAYS], fails(17044)),
    ...each([[1], [1, double(1)], [decimal('1.0')]], true),
    ...each([[], [[1]], [1, null]], false),
  ]),
  // The first set that differs decides.
  expression({ $setEquals: [[1], [2], '$v'] }, each([null, 1, [1]], false)),
  expression({ $setIsSubset: ['$v', [1, [2]]] }, [
    ...each([null, MISSING, ...NO_ARRAYS], fails(17046)),
    ...each([[], [1], [[2]], [decimal('1'), 1]], true),
    ...each([[2], [[1]], [null], [[[2]]]], false),
  ]),
  expression({ $setIsSubset: [[1], '$v'] }, [
    on([1, 2], true),
    on([[1]], false),
    on(MISSING, fails(17042)),
  ]),
  ...['$setUnion', '$setIntersection'].flatMap((name) => [
    expression({ [name]: ['text', '$v'] }, [on(null, fails(name === '$setUnion' ? 17043 : 17047))]),
    expression({ [name]: [null, '$v'] }, each([1, 'x', null], null)),
  ]),
  expression({ $allElementsTrue: ['$v'] }, [
    ...each([null, MISSING, ...NO_ARRAYS], fails(17040)),
    ...each([[], [1], [[]], [[false]], [NAN, 'x', {}], [DECIMAL_NAN]], true),
    ...each([[null], [0], [MINUS_ZERO], [1, decimal('0E+3')], [false]], false),
  ]),
  expression({ $anyElementTrue: ['$v'] }, [
    ...each([null, MISSING, ...NO_ARRAYS], fails(17041)),
    ...each([[1], [[]], [null, NAN], [0, '']], true),
    ...each([[], [null], [0], [MINUS_ZERO, decimal('-0')], [false]], false),
  ]),
];

const OBJECTS: readonly Table[] = [
  expression({ $mergeObjects: '$v' }, [
    ...each([null, MISSING, [], [null]], {}),
    ...each([...NUMBERS, 'text', true, [1], [[{}]]], fails(40400)),
    on([{ a: 1 }, null, { a: [2], b: 3 }], { a: [2], b: 3 }),
  ]),
  expression({ $mergeObjects: ['$v', { b: 1 }] }, [
    ...each(NULLISH, { b: 1 }),
    ...each([[], [[{}]], NAN], fails(40400)),
    on({ b: 2, a: null }, { b: 1, a: null }),
  ]),
  expression({ $objectToArray: '$v' }, [
    ...each(NULLISH, null),
    ...each([...ARRAYS, ...NUMBERS, 'text'], fails(40390)),
    on({ a: [1], b: null }, [
      { k: 'a', v: [1] },
      { k: 'b', v: null },
    ]),
  ]),
  expression({ $arrayToObject: ['$v'] }, [
    ...arraysOnly(40386),
    on([], {}),
    ...each([[null], [1], [NAN]], fails(40398)),
    on([['a', [1]]], { a: [1] }),
    on([['a', 1], 5], fails(40396)),
    on([{ k: 'a', v: null }, 5], fails(40391)),
    on([{ k: 'a', v: null }, ['b', 1]], fails(40391)),
    ...each([[['a']], [['a', 1, 2]], [[]]], fails(40397)),
    ...each([[[1, 1]], [[null, 1]], [[['a'], 1]]], fails(40395)),
    on([['a\0', 1]], fails(4940400)),
    on([{ k: 'a' }], fails(40392)),
    on([{ k: 'a', w: 1 }], fails(40393)),
    on([{ k: 1, v: 1 }], fails(40394)),
    on([{ k: 'a\0', v: 1 }], fails(4940401)),
  ]),
  expression({ $getField: { field: 'a', input: '$v' } }, [
    on(null, null),
    ...each([MISSING, ...ARRAYS, [{ a: 1 }], ...NUMBERS, 'text', {}], MISSING),
    on({ a: null }, null),
    on({ a: [[1]] }, [[1]]),
  ]),
  argument('$getField', (field) => ({ $getField: { field, input: { a: 1 } } }), [
    ...each([null, 1, NAN, LONG_MAX], fails(5654602)),
    on('$missing', fails(3041704)),
  ]),
  ...['$setField', '$unsetField'].map((name) =>
    expression(
      {
        [name]: { field: 'a', input: '$v', ...(name === '$setField' ? { value: 2 } : {}) },
      },
      [
        ...each(NULLISH, null),
        ...each([...ARRAYS, ...NUMBERS, 'text'], fails(4161105)),
        on({ a: 1, b: 1 }, name === '$setField' ? { a: 2, b: 1 } : { b: 1 }),
        on({}, name === '$setField' ? { a: 2 } : {}),
      ],
    ),
  ),
  expression({ $setField: { field: 'a', input: { a: 1 }, value: '$v' } }, [
    on(MISSING, {}),
    ...[null, ...ARRAYS, ...NUMBERS].map((value) => on(value, { a: value })),
  ]),
  ...['$setField', '$unsetField'].map((name) =>
    argument(
      name,
      (field) => ({ [name]: { field, input: {}, ...(name === '$setField' ? { value: 1 } : {}) } }),
      [
        ...each([null, 1, NAN], fails(4161107)),
        on('$path', fails(4161108)),
        ...each([[1], [['a']], { a: 1 }], fails(4161106)),
      ],
    ),
  ),
  expression({ $bsonSize: '$v' }, [
    ...each(NULLISH, null),
    ...each([...ARRAYS, ...NUMBERS, 'text'], fails(31393)),
    on({}, 5),
    on({ a: [] }, 13),
  ]),
  expression(
    { $let: { vars: { x: '$v' }, in: '$$x' } },
    same([null, MISSING, ...ARRAYS, ...NUMBERS]),
  ),
  argument('$let', (input) => ({ $let: input }), [
    ...each([null, [], 1, NAN], fails(16874)),
    on({ in: 1 }, fails(16876)),
    on({ vars: {} }, fails(16877)),
    on({ vars: {}, in: 1, x: 1 }, fails(16875)),
  ]),
  ...['$literal', '$const'].map((name) =>
    argument(name, (input) => ({ [name]: input }), same([null, ...ARRAYS, ...NUMBERS, '$x'])),
  ),
];

export const EDGES: readonly Table[] = [...READING, ...MAKING, ...SETS, ...OBJECTS];

describe('arrays, sets and objects at the edges', () => testTables(EDGES));
