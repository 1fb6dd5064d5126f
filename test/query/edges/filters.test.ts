/**
 * Query operators at the edges of values.
 *
 * Source of the results: MongoDB 8.0, src/mongo/db/matcher/expression_leaf.cpp, expression_array.cpp, expression_parser.cpp.
 */
import { MaxKey, MinKey } from 'mongodb';
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
import { filteredBy, matches, matching } from './filters.ts';

const ZEROS: readonly unknown[] = [0, long(0), MINUS_ZERO, decimal('0'), decimal('-0E+3')];
const NANS: readonly unknown[] = [NAN, DECIMAL_NAN];

const COMPARISONS: readonly Table[] = [
  matching('$eq', { v: { $eq: null } }, [
    ...each([null, MISSING, [null], [1, null]], true),
    ...each([[], [[null]], [[]], ...NUMBERS, '', false], false),
  ]),
  matching('$eq', { v: { $eq: 0 } }, [
    ...each([...ZEROS, [0], [1, MINUS_ZERO]], true),
    ...each([null, MISSING, [], [[0]], NAN, INT_MIN, LONG_MIN, INFINITE, '0', false], false),
  ]),
  matching('$eq', { v: { $eq: NAN } }, [
    ...each([...NANS, [NAN]], true),
    ...each([null, MISSING, [[NAN]], INFINITE, 0], false),
  ]),
  matching('$eq', { v: { $eq: [1] } }, [
    ...each([[1], [[1]], [double(1)], [2, [long(1)]]], true),
    ...each([1, [], [1, 1], [[[1]]], [[1, 2]]], false),
  ]),
  matching('$eq', { v: { $eq: [] } }, [
    ...each([[], [[]], [1, []]], true),
    ...each([null, MISSING, [null], [[[]]]], false),
  ]),
  matching('$eq', { v: { $eq: LONG_MAX } }, [
    on(LONG_MAX, true),
    on(decimal('9223372036854775807'), true),
    ...each([double(2 ** 63), long('9223372036854775806'), LONG_MIN], false),
  ]),
  matching('$eq', { 'v.a': null }, [
    // A field of what is no document is missing; of an array only its documents are asked.
    ...each([null, MISSING, 5, {}, { a: null }, [{}], [{ a: 1 }, {}]], true),
    ...each([[], [5], [[{}]], [[]], [{ a: 1 }], { a: [] }], false),
  ]),
  matching('$eq', { 'v.0': 1 }, [
    ...each([[1], [double(1), 2], { 0: 1 }, [{ 0: 1 }]], true),
    // The array at the index is not entered once more.
    ...each([null, MISSING, [], [2, 1], 1, [[1]], [[2, 1]]], false),
  ]),
  filteredBy('$eq', (v) => ({ v: { $eq: v } }), { v: [1, [2], NAN, null, MINUS_ZERO] }, [
    ...each([1, [2], NAN, DECIMAL_NAN, null, ...ZEROS], true),
    ...each([2, [[2]], [1], [], INT_MAX, LONG_MAX, INFINITE], false),
  ]),
  matching('$ne', { v: { $ne: null } }, [
    ...each([null, MISSING, [null], [1, null]], false),
    ...each([[], [[null]], ...NUMBERS], true),
  ]),
  matching('$ne', { v: { $ne: NAN } }, [
    ...each([...NANS, [1, NAN]], false),
    ...each([null, MISSING, [], [[NAN]], INFINITE, MINUS_ZERO, INT_MIN, LONG_MIN], true),
  ]),
  matching('$gt', { v: { $gt: 0 } }, [
    ...each([INT_MAX, LONG_MAX, INFINITE, DECIMAL_INFINITE, decimal('1E-6176'), [-1, 1]], true),
    ...each([null, MISSING, [], [[1]], ...ZEROS, ...NANS, INT_MIN, LONG_MIN, '1', true], false),
  ]),
  matching('$gt', { v: { $gt: INT_MAX } }, [
    ...each([long(2147483648), double(2147483647.5), decimal('2147483647.1'), LONG_MAX], true),
    ...each([INT_MAX, double(INT_MAX), LONG_MIN, NAN], false),
  ]),
  matching('$gt', { v: { $gt: null } }, each([null, MISSING, 0, [], [null], [[1]], NAN], false)),
  matching('$gte', { v: { $gte: null } }, [
    ...each([null, MISSING, [null]], true),
    ...each([[], [[null]], ...NUMBERS], false),
  ]),
  matching('$gte', { v: { $gte: NAN } }, [
    ...each([...NANS, [NAN]], true),
    ...each([null, MISSING, INT_MAX, LONG_MAX, INFINITE, MINUS_ZERO, [[NAN]]], false),
  ]),
  matching('$gte', { v: { $gte: [1] } }, [
    ...each([[1], [1, 0], [2], [[1]], [[2], 0], ['']], true),
    ...each([null, MISSING, [], [0, 9], 5, INFINITE], false),
  ]),
  matching('$lt', { v: { $lt: 0 } }, [
    ...each([INT_MIN, LONG_MIN, MINUS_INFINITE, decimal('-1E-6176'), [1, -1]], true),
    ...each([null, MISSING, [], [[-1]], ...ZEROS, ...NANS, INT_MAX, LONG_MAX, false], false),
  ]),
  matching('$lt', { v: { $lt: INFINITE } }, [
    ...each([LONG_MAX, MINUS_INFINITE, decimal('9E+6144'), MINUS_ZERO], true),
    ...each([...NANS, INFINITE, DECIMAL_INFINITE, null, MISSING, []], false),
  ]),
  matching('$lte', { v: { $lte: NAN } }, [
    ...each([...NANS, [1, NAN]], true),
    ...each([null, MISSING, MINUS_INFINITE, 0, LONG_MIN, INT_MIN, MINUS_ZERO, [[NAN]]], false),
  ]),
  matching('$lte', { v: { $lte: LONG_MIN } }, [
    ...each(
      [LONG_MIN, MINUS_INFINITE, double(-(2 ** 63)), decimal('-9223372036854775808.1')],
      true,
    ),
    ...each([NAN, INT_MIN, decimal('-9223372036854775807.9'), null], false),
  ]),
  ...(['$gt', '$gte', '$lt', '$lte'] as const).map((name) =>
    matching(name, { v: { [name]: /^.gt/.test(name) ? new MinKey() : new MaxKey() } }, [
      ...each([null, ...ARRAYS, ...NUMBERS, 'text', {}], true),
    ]),
  ),
  ...(['$gt', '$gte', '$lt', '$lte'] as const).map((name) =>
    filteredBy(name, (v) => ({ v: { [name]: v } }), { v: 0 }, [
      ...each([null, [], [[0]], ...NANS, '', {}], false),
      ...each([...ZEROS], name.endsWith('e')),
      ...each([INT_MAX, LONG_MAX, INFINITE], /^.lt/.test(name)),
      ...each([INT_MIN, LONG_MIN, MINUS_INFINITE], /^.gt/.test(name)),
    ]),
  ),
  matching('$in', { v: { $in: [null, [1], NAN, MINUS_ZERO] } }, [
    ...each([null, MISSING, [null], [1], [[1]], ...NANS, [NAN], ...ZEROS], true),
    ...each([[], 1, [[[1]]], INT_MAX, LONG_MAX, INFINITE, decimal('0.1')], false),
  ]),
  matching('$in', { v: { $in: [INT_MAX, LONG_MAX, INFINITE, 5, 6, 7] } }, [
    ...each([long(INT_MAX), double(INT_MAX), LONG_MAX, DECIMAL_INFINITE, decimal('5.0')], true),
    ...each([double(2 ** 63), MINUS_INFINITE, NAN, null, MISSING, [[5]]], false),
  ]),
  matching('$in', { v: { $in: [] } }, each([null, MISSING, [], [[]], 0, NAN], false)),
  matching('$nin', { v: { $nin: [null, [1], NAN, MINUS_ZERO] } }, [
    ...each([null, MISSING, [null], [1], [[1]], ...NANS, ...ZEROS], false),
    ...each([[], 1, [[[1]]], INT_MAX, LONG_MAX, INFINITE, decimal('0.1')], true),
  ]),
  ...['$in', '$nin'].map((name) =>
    filteredBy(name, (v) => ({ v: { [name]: v } }), { v: 0 }, [
      ...each([null, ...NUMBERS, 'x', {}], fails(2)),
      ...each([[], [[0]], [null], [NAN], [{ a: 1 }]], name === '$nin'),
      on([MINUS_ZERO], name === '$in'),
      on([{ $gt: 1 }], fails(2)),
    ]),
  ),
];

const ELEMENTS: readonly Table[] = [
  matching('$exists', { v: { $exists: true } }, [
    on(MISSING, false),
    ...each([null, ...ARRAYS, ...NUMBERS], true),
  ]),
  matching('$exists', { 'v.a': { $exists: false } }, [
    ...each([null, MISSING, [], [1], [[{ a: 1 }]], {}, NAN], true),
    ...each([{ a: null }, [{ a: null }], [1, { a: [] }]], false),
  ]),
  filteredBy('$exists', (v) => ({ v: { $exists: v } }), { v: null }, [
    ...each([null, ...ZEROS, false], false),
    ...each([...ARRAYS, ...NANS, INT_MAX, LONG_MIN, INFINITE, '', {}], true),
  ]),
  matching('$type', { v: { $type: 'null' } }, [
    ...each([null, [null]], true),
    ...each([MISSING, [], [[null]], NAN], false),
  ]),
  matching('$type', { v: { $type: 'array' } }, [
    ...each(ARRAYS, true),
    ...each([null, MISSING, ...NUMBERS], false),
  ]),
  matching('$type', { v: { $type: 'number' } }, [
    ...each([...NUMBERS, [1], ['x', NAN]], true),
    ...each([null, MISSING, [], [[1]], '1'], false),
  ]),
  matching('$type', { v: { $type: ['int', 'decimal'] } }, [
    ...each([INT_MAX, INT_MIN, decimal('1'), DECIMAL_NAN], true),
    ...each([LONG_MAX, LONG_MIN, NAN, INFINITE, MINUS_ZERO], false),
  ]),
  filteredBy('$type', (v) => ({ v: { $type: v } }), { v: 1 }, [
    ...each([null, true, {}], fails(14)),
    on([], fails(9)),
    on([[]], fails(14)),
    ...each([NAN, INFINITE, INT_MAX, LONG_MIN, double(1.5), 'nothing'], fails(2)),
    ...each([16, decimal('16'), long(16), ['int'], [16]], true),
    on(MINUS_ZERO, fails(2)),
  ]),
  matching('$size', { v: { $size: 1 } }, [
    ...each([[1], [null], [[1, 2]], [[]]], true),
    ...each([null, MISSING, [], [1, 2], [[1], [2]], ...NUMBERS, 'x'], false),
  ]),
  filteredBy('$size', (v) => ({ v: { $size: v } }), { v: [] }, [
    ...each([null, ...ARRAYS, '0', ...NANS, INFINITE, double(0.5)], fails(2)),
    ...each([-1, INT_MIN, LONG_MIN, LONG_MAX, double(2147483648)], fails(2)),
    ...each(ZEROS, true),
    on(INT_MAX, false),
  ]),
  matching('$mod', { v: { $mod: [4, 0] } }, [
    ...each([...ZEROS, [4], LONG_MIN, INT_MIN, double(4.9), decimal('8.9'), double(-4.5)], true),
    ...each([null, MISSING, [], [[4]], INT_MAX, LONG_MAX, ...NANS, INFINITE], false),
    ...each([MINUS_INFINITE, DECIMAL_INFINITE, double(1e300), '4', true], false),
  ]),
  matching('$mod', { v: { $mod: [-1, 0] } }, each([LONG_MIN, INT_MIN, 5], true)),
  matching('$mod', { v: { $mod: [4, -1] } }, [on(-5, true), on(5, false), on(LONG_MIN, false)]),
  filteredBy('$mod', (v) => ({ v: { $mod: [v, 0] } }), { v: 4 }, [
    ...each([null, 'x', [1], [[1]], {}], fails(2)),
    ...each([...ZEROS, ...NANS, INFINITE, MINUS_INFINITE, DECIMAL_INFINITE], fails(2)),
    ...each([4, double(4.9), decimal('-2.5'), long(1)], true),
    ...each([INT_MAX, LONG_MAX, LONG_MIN], false),
  ]),
  filteredBy('$mod', (v) => ({ v: { $mod: v } }), { v: 4 }, [
    ...each([null, 4, NAN, [], [4], [4, 0, 0]], fails(2)),
  ]),
  ...(
    [
      ['$bitsAllSet', false, false],
      ['$bitsAnySet', false, false],
      ['$bitsAllClear', true, true],
      ['$bitsAnyClear', true, true],
    ] as const
  ).flatMap(([name, ofZero, ofEven]) => [
    matching(name, { v: { [name]: 1 } }, [
      ...each([null, MISSING, [], [[1]], '1', true], false),
      ...each([...NANS.slice(0, 1), INFINITE, MINUS_INFINITE, double(0.5), double(2 ** 63)], false),
      ...each([0, long(0), MINUS_ZERO, decimal('0'), [2]], ofZero),
      ...each([INT_MIN, LONG_MIN, double(-(2 ** 63)), decimal('54')], ofEven),
      ...each([INT_MAX, LONG_MAX, -1], !ofEven),
    ]),
    // All bits behind the last one are as the sign is.
    matching(name, { v: { [name]: [200] } }, [
      ...each([LONG_MIN, INT_MIN, -1], !ofEven),
      ...each([LONG_MAX, INT_MAX, MINUS_ZERO], ofEven),
    ]),
    filteredBy(name, (v) => ({ v: { [name]: v } }), { v: -1 }, [
      ...each([null, 'x', {}, true], fails(2)),
      ...each(
        [-1, INT_MIN, LONG_MIN, double(0.5), NAN, INFINITE, MINUS_INFINITE, double(2 ** 63)],
        fails(9),
      ),
      ...each([INT_MAX, LONG_MAX, decimal('1')], !ofEven),
      ...each([[-1], [double(0.5)], [NAN], [LONG_MAX], [null], [[1]], ['x']], fails(2)),
      // No bits at all: every one of them is as it should be, and none is.
      ...each([0, MINUS_ZERO, []], /All/.test(name)),
    ]),
  ]),
  ...['$regex', '$options'].flatMap((name) => [
    matching(name, { v: { $regex: 'A', $options: 'i' } }, [
      ...each(['a', ['b', 'a']], true),
      ...each([null, MISSING, [], [['a']], [1], ...NUMBERS, {}], false),
    ]),
  ]),
  filteredBy('$regex', (v) => ({ v: { $regex: v } }), { v: 'a' }, [
    ...each([null, ...ARRAYS, ...NUMBERS, {}], fails(2)),
    on('a', true),
  ]),
  filteredBy('$options', (v) => ({ v: { $regex: 'A', $options: v } }), { v: 'a' }, [
    ...each([null, ...ARRAYS, ...NUMBERS, {}], fails(2)),
    on('i', true),
  ]),
];

const OVER_ARRAYS: readonly Table[] = [
  matching('$all', { v: { $all: [null] } }, [
    ...each([null, MISSING, [null]], true),
    ...each([[], [[null]], NAN], false),
  ]),
  matching('$all', { v: { $all: [1, NAN] } }, [
    ...each(
      [
        [1, NAN],
        [DECIMAL_NAN, double(1), 5],
      ],
      true,
    ),
    ...each([null, MISSING, 1, NAN, [1], [[1, NAN]]], false),
  ]),
  matching('$all', { v: { $all: [[1]] } }, [
    ...each([[1], [[1]], [double(1)]], true),
    ...each([1, [], [1, 2], [[[1]]]], false),
  ]),
  matching('$all', { v: { $all: [MINUS_ZERO] } }, [
    ...each([...ZEROS, [0]], true),
    ...each([INT_MAX, INT_MIN, LONG_MAX, LONG_MIN, INFINITE], false),
  ]),
  matching('$all', { v: { $all: [] } }, each([null, MISSING, [], [[]], 0], false)),
  filteredBy('$all', (v) => ({ v: { $all: v } }), { v: [1] }, [
    ...each([null, 1, NAN, 'x', {}], fails(2)),
    on([{ $gt: 0 }], fails(2)),
    ...each([[1], [[1]]], true),
  ]),
  matching('$elemMatch', { v: { $elemMatch: { $gte: 0 } } }, [
    ...each([[0], [null, MINUS_ZERO], [INFINITE], [LONG_MAX]], true),
    ...each([null, MISSING, 1, ...NUMBERS, [], [[1]], [NAN], [INT_MIN], [null]], false),
  ]),
  matching('$elemMatch', { v: { $elemMatch: { $elemMatch: { $eq: 1 } } } }, [
    on([[1]], true),
    ...each([[1], [[[1]]], null, MISSING], false),
  ]),
  matching('$elemMatch', { v: { $elemMatch: { $eq: null } } }, [
    on([null], true),
    ...each([null, MISSING, [], [[null]], [{}]], false),
  ]),
  matching('$elemMatch', { v: { $elemMatch: { a: null } } }, [
    ...each([[{}], [{ a: null }], [1, { b: 1 }]], true),
    ...each([null, MISSING, {}, { a: null }, [], [1], [null], [{ a: 1 }]], false),
    // An array in the array is asked as a document of its indexes.
    on([[]], true),
    on([[{ a: 1 }]], true),
  ]),
  matching('$elemMatch', { v: { $elemMatch: { '0': 1 } } }, [
    on([[1]], true),
    ...each([[1], [[2, 1]], [[[1]], 5].slice(1)], false),
  ]),
  filteredBy('$elemMatch', (v) => ({ v: { $elemMatch: v } }), { v: [1] }, [
    ...each([null, ...ARRAYS, ...NUMBERS, 'x'], fails(2)),
    on({}, false),
  ]),
  matching('$not', { v: { $not: { $gte: 0 } } }, [
    ...each([null, MISSING, [], [[1]], ...NANS, INT_MIN, LONG_MIN, MINUS_INFINITE, 'x'], true),
    ...each([...ZEROS, [0, -1], INT_MAX, INFINITE], false),
  ]),
  matching('$not', { v: { $not: { $eq: null } } }, [
    ...each([null, MISSING, [null]], false),
    ...each([[], [[null]], NAN], true),
  ]),
  filteredBy('$not', (v) => ({ v: { $not: v } }), { v: 1 }, [
    ...each([null, ...ARRAYS, ...NUMBERS, 'x', {}, { a: 1 }], fails(2)),
  ]),
];

const GEO_POINT = { type: 'Point', coordinates: [1, 1] };

const PLACES: readonly Table[] = [
  ...['$geoWithin', '$within'].map((name) =>
    matching(
      name,
      {
        v: {
          [name]: {
            $box: [
              [0, 0],
              [2, 2],
            ],
          },
        },
      },
      [
        ...each(
          [
            [1, 1],
            [[1, 1]],
            [
              [9, 9],
              [1, 1],
            ],
            { x: 1, y: 1 },
            [MINUS_ZERO, 2],
          ],
          true,
        ),
        ...each([null, MISSING, [], [1], [[1]], [3, 3], ...NUMBERS, 'x'], false),
        ...each([[NAN, 1], [INFINITE, 1], [null, 1], [[[1, 1]]]], false),
      ],
    ),
  ),
  matching(
    '$geoIntersects',
    {
      v: {
        $geoIntersects: {
          $geometry: {
            type: 'Polygon',
            coordinates: [
              [
                [0, 0],
                [2, 0],
                [2, 2],
                [0, 2],
                [0, 0],
              ],
            ],
          },
        },
      },
    },
    [
      ...each([GEO_POINT, [GEO_POINT]], true),
      ...each([null, MISSING, [], [[GEO_POINT]], ...NUMBERS, 'x', [NAN, 1]], false),
    ],
  ),
  ...['$geoWithin', '$within', '$geoIntersects'].map((name) =>
    filteredBy(name, (v) => ({ v: { [name]: v } }), { v: [1, 1] }, [
      ...each([null, ...ARRAYS, ...NUMBERS, 'x', {}], fails(2)),
    ]),
  ),
];

/** Operators that stand beside $near, or are it: what they are told. What they find an index finds (served.test.ts). */
const NEAR: readonly Table[] = [
  ...['$near', '$nearSphere', '$geoNear'].map((name) =>
    filteredBy(name, (v) => ({ v: { [name]: v } }), {}, [
      ...each([null, ...ARRAYS, ...NUMBERS, 'x', {}], fails(2)),
      ...each([[NAN, 1], [INFINITE, 1], [null, 1], [[1, 1]]], fails(2)),
      ...each(
        [[1, MINUS_ZERO], [decimal('1.50'), 1], { x: 1, y: 2 }, { $geometry: GEO_POINT }],
        true,
      ),
    ]),
  ),
  ...(
    [
      ['$minDistance', 16893, 16894],
      ['$maxDistance', 16895, 16896],
    ] as const
  ).map(([name, notNumber, negative]) =>
    filteredBy(name, (limit) => ({ v: { $near: [1, 1], [name]: limit } }), {}, [
      ...each([null, ...ARRAYS, 'x', {}], fails(notNumber)),
      ...each([INT_MIN, LONG_MIN, NAN, MINUS_INFINITE, DECIMAL_NAN], fails(negative)),
      ...each([INT_MAX, LONG_MAX, INFINITE, MINUS_ZERO, decimal('1.50'), DECIMAL_INFINITE], true),
    ]),
  ),
  filteredBy('$uniqueDocs', (unique) => ({ v: { $near: [1, 1], $uniqueDocs: unique } }), {}, [
    ...each([null, ...ARRAYS, ...NUMBERS], true),
  ]),
];

/** In the whole order of values, as $eq and its like of expressions; arrays match whatever they hold. */
const COMPARED: readonly Table[] = (
  [
    ['$_internalExprEq', false, true, false],
    ['$_internalExprGt', false, false, true],
    ['$_internalExprGte', false, true, true],
    ['$_internalExprLt', true, false, false],
    ['$_internalExprLte', true, true, false],
  ] as const
).flatMap(([name, less, equal, greater]) => [
  matching(name, { v: { [name]: 0 } }, [
    ...each([null, MISSING, INT_MIN, LONG_MIN, ...NANS, MINUS_INFINITE, decimal('-0.1')], less),
    ...each(ZEROS, equal),
    ...each([INT_MAX, LONG_MAX, INFINITE, DECIMAL_INFINITE, '', {}, false], greater),
    ...each([...ARRAYS, [0]], true),
  ]),
  matching(name, { v: { [name]: null } }, [
    on(MISSING, less),
    on(null, equal),
    ...each([...NUMBERS, ''], greater),
    ...each(ARRAYS, true),
  ]),
]);

/** Parts of a DBRef are fields, whose names begin with a dollar. */
const REFERENCES: readonly Table[] = ['$ref', '$id', '$db'].flatMap((name) =>
  (
    [
      [null, [null, MISSING, [null]], [[], [[null]], ...NUMBERS]],
      [0, [...ZEROS, [0]], [null, MISSING, [[0]], NAN, INT_MIN, LONG_MIN, INFINITE]],
      [[1], [[1], [[1]], [double(1)]], [1, [], [[[1]]], [1, 2]]],
    ] as const
  ).map(([wanted, found, others]) => {
    const run = (input: unknown) => [
      matches({ [name]: wanted }, input === MISSING ? {} : { [name]: input }),
    ];
    const lines = [...each(found, true), ...each(others, false)];
    return { operator: name, title: `{ ${name}: ${JSON.stringify(wanted)} }`, lines, run };
  }),
);

const SEARCHED: readonly Table[] = [
  filteredBy(
    '$text',
    (search) => ({ $text: search }),
    {},
    each([null, ...ARRAYS, ...NUMBERS, 'x'], fails(2)),
  ),
  filteredBy(
    '$text',
    (search) => ({ $text: { $search: search } }),
    {},
    each([null, ...ARRAYS, ...NUMBERS], fails(14)),
  ),
  filteredBy(
    '$where',
    (code) => ({ $where: code }),
    {},
    each([null, ...ARRAYS, ...NUMBERS, {}, true], fails(2)),
  ),
];

const TRUE: readonly unknown[] = [
  ...ARRAYS,
  [false],
  ...NANS,
  INT_MAX,
  LONG_MIN,
  INFINITE,
  decimal('0.1'),
  '',
  {},
];
const FALSE: readonly unknown[] = [null, MISSING, false, ...ZEROS];

const WHOLE_DOCUMENTS: readonly Table[] = [
  matching('$expr', { $expr: '$v' }, [...each(TRUE, true), ...each(FALSE, false)]),
  filteredBy('$expr', ($literal) => ({ $expr: { $literal } }), {}, [
    ...each(TRUE, true),
    ...each([null, ...ZEROS], false),
  ]),
  matching('$and', { $and: [{ v: null }, { v: { $exists: true } }] }, [
    ...each([null, [null]], true),
    ...each([MISSING, [], [[null]], ...NUMBERS], false),
  ]),
  matching('$or', { $or: [{ v: { $gt: 0 } }, { v: null }] }, [
    ...each([null, MISSING, [null], [1], INT_MAX, LONG_MAX, INFINITE, decimal('1')], true),
    ...each([[], [[1]], [[null]], NAN, INT_MIN, LONG_MIN, MINUS_ZERO], false),
  ]),
  matching('$nor', { $nor: [{ v: { $gt: 0 } }, { v: null }] }, [
    ...each([null, MISSING, [null], [1], INT_MAX, LONG_MAX, INFINITE, decimal('1')], false),
    ...each([[], [[1]], [[null]], NAN, INT_MIN, LONG_MIN, MINUS_ZERO], true),
  ]),
  ...['$and', '$or', '$nor'].map((name) =>
    filteredBy(name, (v) => ({ [name]: v }), {}, [
      ...each([null, ...ARRAYS, ...NUMBERS, [null], [[{}]], {}, 'x'], fails(2)),
      on([{}], name !== '$nor'),
    ]),
  ),
  matching('$comment', { $comment: 'x', v: null }, [
    ...each([null, MISSING, [null]], true),
    ...each([[], [[]], ...NUMBERS], false),
  ]),
  filteredBy(
    '$comment',
    ($comment) => ({ $comment, v: 1 }),
    { v: 1 },
    each([null, ...ARRAYS, ...NUMBERS, {}], true),
  ),
  matching('$jsonSchema', { $jsonSchema: { required: ['v'] } }, [
    on(MISSING, false),
    ...each([null, ...ARRAYS, ...NUMBERS], true),
  ]),
  matching('$jsonSchema', { $jsonSchema: { properties: { v: { type: 'number', minimum: 0 } } } }, [
    ...each([MISSING, ...ZEROS, INT_MAX, LONG_MAX, INFINITE], true),
    ...each([null, [], [1], [[1]], ...NANS, INT_MIN, LONG_MIN, MINUS_INFINITE, '1'], false),
  ]),
  matching('$jsonSchema', { $jsonSchema: { properties: { v: { items: { type: 'number' } } } } }, [
    ...each([null, MISSING, [], [1, NAN], ...NUMBERS], true),
    ...each([[null], [[1]], ['x']], false),
  ]),
  filteredBy('$jsonSchema', ($jsonSchema) => ({ $jsonSchema }), {}, [
    ...each([null, ...ARRAYS, ...NUMBERS, 'x'], fails(14)),
    on({}, true),
  ]),
  ...['$alwaysTrue', '$alwaysFalse'].flatMap((name) => [
    matching(name, { [name]: 1 }, [
      ...each([null, MISSING, ...ARRAYS, ...NUMBERS], name === '$alwaysTrue'),
    ]),
    filteredBy(name, (v) => ({ [name]: v }), {}, [
      ...each([null, ...ARRAYS, ...NUMBERS, 'x', true], fails(9)),
      ...each([1, double(1), decimal('1')], name === '$alwaysTrue'),
    ]),
  ]),
  matching('$sampleRate', { $sampleRate: 1 }, each([null, MISSING, ...ARRAYS, ...NUMBERS], true)),
  filteredBy('$sampleRate', (v) => ({ $sampleRate: v }), {}, [
    ...each([null, ...ARRAYS, 'x'], fails(2)),
    ...each([...NANS, INFINITE, INT_MAX, INT_MIN, LONG_MAX, decimal('1.5')], fails(2)),
    ...each(ZEROS, false),
    on(decimal('1.0'), true),
  ]),
];

export const EDGES: readonly Table[] = [
  ...COMPARISONS,
  ...ELEMENTS,
  ...OVER_ARRAYS,
  ...PLACES,
  ...NEAR,
  ...COMPARED,
  ...REFERENCES,
  ...SEARCHED,
  ...WHOLE_DOCUMENTS,
];

describe('query operators at the edges', () => testTables(EDGES));
