/**
 * Stages of pipelines at the edges of values: of the fields they read, and of what they are told.
 *
 * Source of the results: MongoDB 8.0, src/mongo/db/pipeline/document_source_*.cpp and jstests/aggregation/sources/ (of
 * $lookup lookup/lookup_equijoin_semantics_lib.js, of $group group/groupMissing.js).
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
  type Table,
  testTables,
} from './edge.ts';
import { PipelineStore, staged, stagedWith } from './pipelines.ts';

type Plain = Record<string, unknown>;

const store = new PipelineStore();
const over = (stages: readonly Plain[], lines: readonly Line[]): Table =>
  staged(store, stages, lines);
const told = (
  operator: string,
  stages: (input: unknown) => readonly Plain[],
  lines: readonly Line[],
): Table => stagedWith(store, operator, stages, lines);

/** Documents with these values, under their positions as _id. */
const docs = (...values: readonly unknown[]): Plain[] =>
  values.map((v, _id) => (v === MISSING ? { _id } : { _id, v }));
/** Those that a stage with an argument finds. */
const BOTH = docs(1, 2);
const NO_DOCUMENTS: Plain[] = [];

const ALL = [null, MISSING, ...ARRAYS, ...NUMBERS];
const NOT_MISSING = [null, ...ARRAYS, ...NUMBERS];
const BAD_PATHS = [null, MISSING, [], [1], [[1]], ...NUMBERS];

/** A stage that takes neither null nor arrays nor numbers. */
const onlyObjects = (operator: string, code: number): Table =>
  told(operator, (input) => [{ [operator]: input }], each(NOT_MISSING, fails(code)));

/** A stage that passes each document as it came. */
const passes = (stages: readonly Plain[]): Table => over(stages, [on(ALL, docs(...ALL))]);

const SHAPES: readonly Table[] = [
  ...['$addFields', '$set'].flatMap((name) => [
    over(
      [{ [name]: { w: '$v' } }],
      [
        on(
          ALL,
          docs(...ALL).map((document) =>
            'v' in document ? { ...document, w: document['v'] } : document,
          ),
        ),
      ],
    ),
    over(
      [{ [name]: { 'v.x': 1 } }],
      [
        on(
          [null, MISSING, INT_MAX, LONG_MIN, NAN, INFINITE, MINUS_ZERO, DECIMAL_NAN],
          Array.from({ length: 8 }, (_, _id) => ({ _id, v: { x: 1 } })),
        ),
        on([[], [1, {}], [[1], null]], docs([], [{ x: 1 }, { x: 1 }], [[{ x: 1 }], { x: 1 }])),
      ],
    ),
    onlyObjects(name, 40272),
    told(name, (input) => [{ [name]: input }], [
      on({}, fails(40177)),
      on({ w: {} }, [
        { _id: 0, v: 1, w: {} },
        { _id: 1, v: 2, w: {} },
      ]),
    ]),
  ]),
  over(
    [{ $project: { _id: 0, v: 1 } }],
    [
      on(
        ALL,
        docs(...ALL).map(({ _id, ...rest }) => rest),
      ),
    ],
  ),
  over(
    [{ $project: { 'v.x': 1 } }],
    [
      on([null, INT_MAX, NAN], [{ _id: 0 }, { _id: 1 }, { _id: 2 }]),
      on([[], [1, { x: 2, y: 3 }], [[{ x: 4, y: 5 }], null]], docs([], [{ x: 2 }], [[{ x: 4 }]])),
    ],
  ),
  over(
    [{ $project: { 'v.x': 0 } }],
    [
      on(
        [null, MISSING, [1, { x: 2, y: 3 }], [[{ x: 4, y: 5 }]]],
        docs(null, MISSING, [1, { y: 3 }], [[{ y: 5 }]]),
      ),
    ],
  ),
  over(
    [{ $project: { w: '$v.x' } }],
    [
      on([null, MISSING, INT_MAX], [{ _id: 0 }, { _id: 1 }, { _id: 2 }]),
      on(
        [[{ x: 1 }, 2, { x: null }], [[{ x: 1 }]]],
        [
          { _id: 0, w: [1, null] },
          { _id: 1, w: [] },
        ],
      ),
    ],
  ),
  onlyObjects('$project', 15969),
  over(
    [{ $unset: 'v' }],
    [
      on(
        ALL,
        ALL.map((_, _id) => ({ _id })),
      ),
    ],
  ),
  over(
    [{ $unset: ['v.x', 'w'] }],
    [on([null, [1, { x: 2, y: 3 }], [[{ x: 4 }]]], docs(null, [1, { y: 3 }], [[{}]]))],
  ),
  told('$unset', (input) => [{ $unset: input }], [
    ...each([null, ...NUMBERS], fails(31002)),
    on([], fails(31119)),
    ...each([[1], [[1]], ['v', null]], fails(31120)),
    on(['v'], [{ _id: 0 }, { _id: 1 }]),
  ]),
  over(
    [{ $replaceRoot: { newRoot: '$v' } }],
    [
      ...each(
        BAD_PATHS.map((value) => [value]),
        fails(40228),
      ),
      on([{ x: null }, {}], [{ x: null }, {}]),
    ],
  ),
  over(
    [{ $replaceRoot: { newRoot: { w: '$v' } } }],
    [
      on(
        ALL,
        docs(...ALL).map((document) => ('v' in document ? { w: document['v'] } : {})),
      ),
    ],
  ),
  onlyObjects('$replaceRoot', 40229),
  told('$replaceRoot', (input) => [{ $replaceRoot: { newRoot: input } }], [
    ...each(NOT_MISSING, fails(40228)),
    on({ x: NAN }, [{ x: NAN }, { x: NAN }]),
  ]),
  over(
    [{ $replaceWith: '$v' }],
    [
      ...each(
        BAD_PATHS.map((value) => [value]),
        fails(40228),
      ),
      on([{ x: MINUS_ZERO }], [{ x: MINUS_ZERO }]),
    ],
  ),
  onlyObjects('$replaceWith', 40228),
  over(
    [{ $redact: { $cond: [{ $eq: ['$v', null] }, '$$PRUNE', '$$KEEP'] } }],
    [on(ALL, docs(...ALL).slice(1))],
  ),
  over(
    [{ $redact: { $cond: [{ $eq: ['$x', 1] }, '$$PRUNE', '$$DESCEND'] } }],
    [
      on(
        [null, MISSING, [{ x: 1 }, [{ x: 1 }, 2], 3], [[[{ x: 1 }], { x: [{ x: 1 }] }]], { x: 1 }],
        [
          { _id: 0, v: null },
          { _id: 1 },
          { _id: 2, v: [[2], 3] },
          { _id: 3, v: [[[], { x: [] }]] },
          { _id: 4 },
        ],
      ),
    ],
  ),
  over(
    [{ $redact: '$v' }],
    [
      ...each(
        BAD_PATHS.map((value) => [value]),
        fails(17053),
      ),
      on(
        ['keep', 'prune', 'descend'],
        [
          { _id: 0, v: 'keep' },
          { _id: 2, v: 'descend' },
        ],
      ),
    ],
  ),
  onlyObjects('$redact', 17053),
];

const FILTERS: readonly Table[] = [
  over([{ $match: { v: null } }], [on(ALL, docs(null, MISSING))]),
  over(
    [{ $match: { v: { $gte: 1 } } }],
    [
      on(
        ALL,
        docs(...ALL).filter(({ _id }) => [3, 5, 7, 10, 13, 15].includes(_id as number)),
      ),
    ],
  ),
  onlyObjects('$match', 15959),
  passes([{ $limit: ALL.length }]),
  passes([{ $skip: MINUS_ZERO }]),
  passes([{ $sample: { size: ALL.length } }, { $sort: { _id: 1 } }]),
  ...(
    [
      ['$limit', 5107201],
      ['$skip', 5107200],
    ] as const
  ).map(([name, code]) =>
    told(name, (input) => [{ [name]: input }], [
      ...each(
        [
          null,
          ...ARRAYS,
          INT_MIN,
          LONG_MIN,
          NAN,
          INFINITE,
          MINUS_INFINITE,
          decimal('1.50'),
          DECIMAL_NAN,
          DECIMAL_INFINITE,
          double(2 ** 63),
          decimal('9223372036854775808'),
          double(-1),
        ],
        fails(code),
      ),
      ...each(
        [INT_MAX, LONG_MAX, double(2 ** 62), decimal('9223372036854775807')],
        name === '$limit' ? BOTH : NO_DOCUMENTS,
      ),
      ...each([MINUS_ZERO, decimal('-0')], name === '$limit' ? fails(15958) : BOTH),
      ...each([double(1), decimal('1.0')], name === '$limit' ? docs(1) : [{ _id: 1, v: 2 }]),
    ]),
  ),
  onlyObjects('$sample', 28745),
  told('$sample', (size) => [{ $sample: { size } }, { $count: 'n' }], [
    ...each([null, ...ARRAYS], fails(28746)),
    ...each(
      [INT_MIN, LONG_MIN, NAN, MINUS_INFINITE, MINUS_ZERO, DECIMAL_NAN, double(0.9)],
      fails(28747),
    ),
    ...each([INT_MAX, LONG_MAX, INFINITE, DECIMAL_INFINITE], [{ n: 2 }]),
    ...each([double(1.9), decimal('1.50')], [{ n: 1 }]),
  ]),
];

const SORTED = [
  [MISSING, null, LONG_MIN],
  [[], null],
  [[1], MINUS_ZERO, [[1]], 'x', {}, INT_MAX],
];

const ORDERS: readonly Table[] = [
  over(
    [{ $sort: { v: 1 } }],
    [
      on(SORTED[0]!, [{ _id: 0 }, { _id: 1, v: null }, { _id: 2, v: LONG_MIN }]),
      on(SORTED[1]!, docs(...SORTED[1]!)),
      on(
        [null, []],
        [
          { _id: 1, v: [] },
          { _id: 0, v: null },
        ],
      ),
      on(SORTED[2]!, [
        { _id: 1, v: MINUS_ZERO },
        { _id: 0, v: [1] },
        { _id: 5, v: INT_MAX },
        { _id: 3, v: 'x' },
        { _id: 4, v: {} },
        { _id: 2, v: [[1]] },
      ]),
      on(
        [INFINITE, LONG_MAX, double(2 ** 63), decimal('1.50'), NAN, MINUS_INFINITE, INT_MIN],
        [
          { _id: 4, v: NAN },
          { _id: 5, v: MINUS_INFINITE },
          { _id: 6, v: INT_MIN },
          { _id: 3, v: decimal('1.50') },
          { _id: 1, v: LONG_MAX },
          { _id: 2, v: double(2 ** 63) },
          { _id: 0, v: INFINITE },
        ],
      ),
      // Equal numbers, of whatever type, stay as they came.
      on([0, MINUS_ZERO, decimal('-0'), long(0)], docs(0, MINUS_ZERO, decimal('-0'), long(0))),
      on([DECIMAL_NAN, NAN], docs(DECIMAL_NAN, NAN)),
      on(
        [[3, 1], 2, [0, 9]],
        [
          { _id: 2, v: [0, 9] },
          { _id: 0, v: [3, 1] },
          { _id: 1, v: 2 },
        ],
      ),
      on(
        [[null, 5], [[0]], []],
        [
          { _id: 2, v: [] },
          { _id: 0, v: [null, 5] },
          { _id: 1, v: [[0]] },
        ],
      ),
    ],
  ),
  over(
    [{ $sort: { v: -1 } }],
    [
      on(
        [[3, 1], 2, [0, 9]],
        [
          { _id: 2, v: [0, 9] },
          { _id: 0, v: [3, 1] },
          { _id: 1, v: 2 },
        ],
      ),
      on(
        [[], null, MISSING, NAN],
        [{ _id: 3, v: NAN }, { _id: 1, v: null }, { _id: 2 }, { _id: 0, v: [] }],
      ),
      on(
        [1, [[1]], 'x'],
        [
          { _id: 1, v: [[1]] },
          { _id: 2, v: 'x' },
          { _id: 0, v: 1 },
        ],
      ),
    ],
  ),
  onlyObjects('$sort', 15973),
  told('$sort', (v) => [{ $sort: { v } }], [
    ...each([null, ...ARRAYS], fails(15974)),
    ...each(
      [INT_MAX, INT_MIN, LONG_MAX, LONG_MIN, NAN, INFINITE, MINUS_ZERO, DECIMAL_NAN, double(0.5)],
      fails(15975),
    ),
    ...each([double(1), double(1.9), decimal('1.50'), long(1)], BOTH),
    ...each(
      [decimal('-1'), double(-1.9)],
      [
        { _id: 1, v: 2 },
        { _id: 0, v: 1 },
      ],
    ),
  ]),
];

/** Groups of values: how many there are of which. */
const groups = (...counted: readonly (readonly [unknown, number])[]): Plain[] =>
  counted.map(([_id, n]) => ({ _id, n }));

const GROUPS: readonly Table[] = [
  over(
    [{ $group: { _id: '$v', n: { $sum: 1 } } }],
    [
      on([null, MISSING, null], groups([null, 3])),
      on([MINUS_ZERO, 0, decimal('0.0'), long(0)], groups([MINUS_ZERO, 4])),
      on([NAN, DECIMAL_NAN, INFINITE, DECIMAL_INFINITE], groups([NAN, 2], [INFINITE, 2])),
      on([[1], [double(1)], [[1]], [], 1], groups([[1], 2], [[[1]], 1], [[], 1], [1, 1])),
      on([INT_MAX, long(INT_MAX), decimal('2147483647.0')], groups([INT_MAX, 3])),
      on(
        [LONG_MAX, double(2 ** 63), decimal('9223372036854775807')],
        groups([LONG_MAX, 2], [double(2 ** 63), 1]),
      ),
      on(
        [{ x: null }, {}, { x: 1 }, { x: double(1) }],
        groups([{ x: null }, 1], [{}, 1], [{ x: 1 }, 2]),
      ),
    ],
  ),
  over(
    [{ $group: { _id: { k: '$v' }, n: { $sum: 1 } } }],
    [
      on([null, MISSING], groups([{ k: null }, 2])),
      on([MISSING, null], groups([{ k: null }, 2])),
      on([[1], [[1]], [1]], groups([{ k: [1] }, 2], [{ k: [[1]] }, 1])),
      on([NAN, DECIMAL_NAN, MINUS_ZERO, 0], groups([{ k: NAN }, 2], [{ k: MINUS_ZERO }, 2])),
    ],
  ),
  over(
    [{ $group: { _id: { k: '$v', l: '$v' }, n: { $sum: 1 } } }],
    [on([null, MISSING], groups([{ k: null, l: null }, 1], [{}, 1]))],
  ),
  over([{ $group: { _id: ['$v'], n: { $sum: 1 } } }], [on([null, MISSING], groups([[null], 2]))]),
  onlyObjects('$group', 15947),
  told('$group', (input) => [{ $group: { _id: null, w: input } }], each(NOT_MISSING, fails(40234))),
  told('$group', (input) => [{ $group: { _id: input, n: { $sum: 1 } } }], [
    ...NOT_MISSING.map((value) => on(value, groups([value, 2]))),
    on({}, groups([{}, 2])),
    ...each([{ v: 1 }, { v: NAN }, { v: true }], fails(17390)),
  ]),
  over(
    [{ $sortByCount: '$v' }],
    [
      on(
        [null, MISSING, NAN],
        [
          { _id: null, count: 2 },
          { _id: NAN, count: 1 },
        ],
      ),
      on(
        [1, [1], [[1]], [double(1)], [1]],
        [
          { _id: [1], count: 3 },
          { _id: 1, count: 1 },
          { _id: [[1]], count: 1 },
        ],
      ),
      on(
        [INT_MAX, 0, MINUS_ZERO, decimal('0'), LONG_MAX, LONG_MAX],
        [
          { _id: 0, count: 3 },
          { _id: LONG_MAX, count: 2 },
          { _id: INT_MAX, count: 1 },
        ],
      ),
      on([INFINITE, DECIMAL_INFINITE], [{ _id: INFINITE, count: 2 }]),
    ],
  ),
  onlyObjects('$sortByCount', 40149),
  over(
    [{ $count: 'n' }],
    [
      ...ALL.map((value) => on([value], [{ n: 1 }])),
      on([], NO_DOCUMENTS),
      on(ALL, [{ n: ALL.length }]),
    ],
  ),
  onlyObjects('$count', 40156),
  told('$count', (input) => [{ $count: input }], [
    on('', fails(40157)),
    on('$v', fails(40158)),
    on('a.b', fails(40160)),
  ]),
];

const BUCKETS = { groupBy: '$v', boundaries: [0, double(5.5), decimal('10')], default: 'other' };

const RANGES: readonly Table[] = [
  over(
    [{ $bucket: BUCKETS }],
    [
      on(
        [null, MISSING, [], [1], [[1]], INT_MAX, LONG_MIN, NAN, INFINITE, 'x'],
        [{ _id: 'other', count: 10 }],
      ),
      on(
        [MINUS_ZERO, 5, double(5.5), decimal('9.99'), long(6), decimal('-0')],
        [
          { _id: 0, count: 3 },
          { _id: double(5.5), count: 3 },
        ],
      ),
      on([10, decimal('10.0')], [{ _id: 'other', count: 2 }]),
    ],
  ),
  over(
    [{ $bucket: { groupBy: '$v', boundaries: [0, 10] } }],
    [
      ...each(
        [null, MISSING, [], [1], [[1]], INT_MAX, LONG_MIN, NAN, INFINITE, DECIMAL_NAN, 10].map(
          (value) => [value],
        ),
        fails(40066),
      ),
      on([MINUS_ZERO], [{ _id: 0, count: 1 }]),
    ],
  ),
  over(
    [
      {
        $bucket: {
          groupBy: '$v',
          boundaries: [NAN, MINUS_ZERO, LONG_MAX, INFINITE],
          default: null,
        },
      },
    ],
    [
      on(
        [NAN, DECIMAL_NAN, MINUS_INFINITE, LONG_MIN, 0, double(2 ** 63), INFINITE, null, MISSING],
        [
          { _id: null, count: 3 },
          { _id: NAN, count: 4 },
          { _id: MINUS_ZERO, count: 1 },
          { _id: LONG_MAX, count: 1 },
        ],
      ),
    ],
  ),
  over(
    [{ $bucket: { groupBy: '$v', boundaries: [[1], [2]], default: null } }],
    [
      on(
        [[1], [1, 9], [[1]], 1, null, []],
        [
          { _id: null, count: 4 },
          { _id: [1], count: 2 },
        ],
      ),
    ],
  ),
  onlyObjects('$bucket', 40201),
  told('$bucket', (groupBy) => [{ $bucket: { groupBy, boundaries: [0, 10] } }], [
    ...each([...NOT_MISSING, {}, { x: '$v' }, ''], fails(40202)),
    on({ $add: ['$v', 1] }, [{ _id: 0, count: 2 }]),
  ]),
  told('$bucket', (boundaries) => [{ $bucket: { groupBy: '$v', boundaries } }], [
    ...each([null, ...NUMBERS, {}], fails(40200)),
    ...each([[], [1], [[1]]], fails(40192)),
    ...each([['$v', 1]], fails(40191)),
    ...each(
      [
        [1, 'x'],
        [null, 1],
        [[1], 2],
      ],
      fails(40193),
    ),
    ...each(
      [
        [2, 1],
        [1, double(1)],
        [0, MINUS_ZERO],
        [1, NAN],
        [LONG_MAX, decimal('9223372036854775807')],
      ],
      fails(40194),
    ),
    on(
      [MINUS_INFINITE, long(2), DECIMAL_INFINITE],
      [
        { _id: MINUS_INFINITE, count: 1 },
        { _id: long(2), count: 1 },
      ],
    ),
  ]),
  told(
    '$bucket',
    (input) => [{ $bucket: { groupBy: '$v', boundaries: [5, 10], default: input } }],
    [
      on('$v', fails(40195)),
      ...each([5, double(9.5), decimal('7')], fails(40199)),
      ...[null, [], [1], [[1]], INT_MAX, LONG_MIN, NAN, INFINITE, MINUS_ZERO, decimal('10')].map(
        (value) => on(value, [{ _id: value, count: 2 }]),
      ),
    ],
  ),
  told('$bucket', (output) => [{ $bucket: { groupBy: '$v', boundaries: [0, 10], output } }], [
    ...each(NOT_MISSING, fails(40196)),
    on({}, [{ _id: 0 }]),
  ]),
  over(
    [{ $bucketAuto: { groupBy: '$v', buckets: 2 } }],
    [
      on(
        [null, MISSING, 1, 2],
        [
          { _id: { min: null, max: 1 }, count: 2 },
          { _id: { min: 1, max: 2 }, count: 2 },
        ],
      ),
      on(
        [5, [1], [[1]]],
        [
          { _id: { min: 5, max: [[1]] }, count: 2 },
          { _id: { min: [[1]], max: [[1]] }, count: 1 },
        ],
      ),
      on(
        [NAN, MINUS_ZERO, 0, INFINITE],
        [
          { _id: { min: NAN, max: INFINITE }, count: 3 },
          { _id: { min: INFINITE, max: INFINITE }, count: 1 },
        ],
      ),
      on(
        [INT_MAX, LONG_MIN, LONG_MAX, decimal('1.50')],
        [
          { _id: { min: LONG_MIN, max: INT_MAX }, count: 2 },
          { _id: { min: INT_MAX, max: LONG_MAX }, count: 2 },
        ],
      ),
    ],
  ),
  over(
    [{ $bucketAuto: { groupBy: '$v', buckets: 2, granularity: 'POWERSOF2' } }],
    [
      ...each([[null], [MISSING], [[1]], [[[1]]], ['x']], fails(40258)),
      ...each([[NAN], [DECIMAL_NAN]], fails(40259)),
      ...each([[INT_MIN], [LONG_MIN], [MINUS_INFINITE], [decimal('-0.5')]], fails(40260)),
      on([5], [{ _id: { min: 4, max: 8 }, count: 1 }]),
      on([double(5)], [{ _id: { min: 4, max: 8 }, count: 1 }]),
      on([double(0.3)], [{ _id: { min: double(0.25), max: double(0.5) }, count: 1 }]),
      on([INT_MAX], [{ _id: { min: 1073741824, max: long(2147483648) }, count: 1 }]),
      on(
        [LONG_MAX],
        [{ _id: { min: long('4611686018427387904'), max: double(2 ** 63) }, count: 1 }],
      ),
      on([decimal('5')], [{ _id: { min: decimal('4'), max: decimal('8') }, count: 1 }]),
      on([MINUS_ZERO], [{ _id: { min: MINUS_ZERO, max: MINUS_ZERO }, count: 1 }]),
      on(
        [0, 3],
        [
          { _id: { min: 0, max: 2 }, count: 1 },
          { _id: { min: 2, max: 4 }, count: 1 },
        ],
      ),
    ],
  ),
  onlyObjects('$bucketAuto', 40240),
  told('$bucketAuto', (buckets) => [{ $bucketAuto: { groupBy: '$v', buckets } }], [
    ...each([null, ...ARRAYS], fails(40241)),
    ...each([LONG_MAX, LONG_MIN, NAN, INFINITE, decimal('1.50'), DECIMAL_NAN], fails(40242)),
    ...each([INT_MIN, MINUS_ZERO, decimal('0')], fails(40243)),
    ...each(
      [INT_MAX, decimal('2'), double(2)],
      [
        { _id: { min: 1, max: 2 }, count: 1 },
        { _id: { min: 2, max: 2 }, count: 1 },
      ],
    ),
  ]),
  told(
    '$bucketAuto',
    (groupBy) => [{ $bucketAuto: { groupBy, buckets: 1 } }],
    each([...NOT_MISSING, {}, { x: '$v' }, '$'], fails(40239)),
  ),
  told('$bucketAuto', (output) => [{ $bucketAuto: { groupBy: '$v', buckets: 1, output } }], [
    ...each(NOT_MISSING, fails(40244)),
    on({}, [{ _id: { min: 1, max: 2 }, count: 2 }]),
  ]),
  told(
    '$bucketAuto',
    (granularity) => [{ $bucketAuto: { groupBy: '$v', buckets: 1, granularity } }],
    each(NOT_MISSING, fails(40261)),
  ),
];

const FULL = { field: 'v', range: { step: 1, bounds: 'full' } };
const within = (low: unknown, high: unknown): Plain => ({
  field: 'v',
  range: { step: 1, bounds: [low, high] },
});
/** Documents by their `v`, those without an _id added ones. */
const day = (month: number, of: number): Date => date(Date.UTC(2023, month - 1, of));

const GAPS: readonly Table[] = [
  over(
    [{ $densify: FULL }],
    [
      on(
        [null, MISSING, 3, 1],
        [{ _id: 0, v: null }, { _id: 1 }, { _id: 3, v: 1 }, { v: 2 }, { _id: 2, v: 3 }],
      ),
      on([double(1), 3], [{ _id: 0, v: double(1) }, { v: double(2) }, { _id: 1, v: 3 }]),
      on(
        [1, double(2.5), 3],
        [{ _id: 0, v: 1 }, { v: 2 }, { _id: 1, v: double(2.5) }, { _id: 2, v: 3 }],
      ),
      on(
        [INT_MAX, long(2147483649)],
        [{ _id: 0, v: INT_MAX }, { v: long(2147483648) }, { _id: 1, v: long(2147483649) }],
      ),
      on([LONG_MAX, double(2 ** 63)], docs(LONG_MAX, double(2 ** 63))),
      on([MINUS_ZERO, 2], [{ _id: 0, v: MINUS_ZERO }, { v: double(1) }, { _id: 1, v: 2 }]),
      on(
        [decimal('0.50'), 2],
        [{ _id: 0, v: decimal('0.50') }, { v: decimal('1.50') }, { _id: 1, v: 2 }],
      ),
      on([NAN, DECIMAL_NAN], docs(NAN, DECIMAL_NAN)),
      on([INFINITE], docs(INFINITE)),
      on([NAN, 1], fails(5897900)),
      on([1, INFINITE], fails(5897900)),
      ...each([[1, [1]], [[[1]]], ['x'], [[]]], fails(5733201)),
      on([date(0)], fails(6053600)),
      on([], NO_DOCUMENTS),
    ],
  ),
  over(
    [{ $densify: { field: 'v.x', range: { step: 1, bounds: 'full' } } }],
    [
      on(
        [{ x: 1 }, [{ x: 2 }], [[{ x: 2 }]], { x: 3 }, null, INT_MAX],
        [
          { _id: 2, v: [[{ x: 2 }]] },
          { _id: 4, v: null },
          { _id: 5, v: INT_MAX },
          { _id: 0, v: { x: 1 } },
          { _id: 1, v: [{ x: 2 }] },
          { v: { x: 2 } },
          { _id: 3, v: { x: 3 } },
        ],
      ),
    ],
  ),
  over(
    [{ $densify: { field: 'v', range: { step: double(0.1), bounds: 'full' } } }],
    [
      on(
        [double(0.1), double(0.4)],
        [
          { _id: 0, v: double(0.1) },
          { v: double(0.2) },
          { v: double(0.30000000000000004) },
          { _id: 1, v: double(0.4) },
        ],
      ),
    ],
  ),
  over(
    [{ $densify: { field: 'v', range: { step: 1, unit: 'month', bounds: 'full' } } }],
    [
      on(
        [null, day(1, 31), day(4, 1)],
        [
          { _id: 0, v: null },
          { _id: 1, v: day(1, 31) },
          { v: day(2, 28) },
          { v: day(3, 28) },
          { _id: 2, v: day(4, 1) },
        ],
      ),
      on([INT_MAX], fails(6053600)),
      on([[date(0)]], fails(5733201)),
    ],
  ),
  over(
    [{ $densify: within(1, 4) }],
    [
      on([], [{ v: 1 }, { v: 2 }, { v: 3 }]),
      on([null, MISSING], [{ _id: 0, v: null }, { _id: 1 }, { v: 1 }, { v: 2 }, { v: 3 }]),
      on([2], [{ v: 1 }, { _id: 0, v: 2 }, { v: 3 }]),
      on([double(2.5)], [{ v: 1 }, { v: 2 }, { _id: 0, v: double(2.5) }, { v: 3 }]),
      on([0, INT_MAX], [{ _id: 0, v: 0 }, { v: 1 }, { v: 2 }, { v: 3 }, { _id: 1, v: INT_MAX }]),
      on(
        [NAN, INFINITE],
        [{ _id: 0, v: NAN }, { v: 1 }, { v: 2 }, { v: 3 }, { _id: 1, v: INFINITE }],
      ),
    ],
  ),
  over(
    [{ $densify: { field: 'v', partitionByFields: ['p'], range: { step: 1, bounds: 'full' } } }],
    [on([null, 1, 3], [{ _id: 0, v: null }, { _id: 1, v: 1 }, { v: 2 }, { _id: 2, v: 3 }])],
  ),
  over(
    [
      { $unset: '_id' },
      { $set: { p: { $cond: [{ $eq: ['$v', 2] }, null, '$$REMOVE'] } } },
      { $densify: { field: 'v', partitionByFields: ['p'], range: { step: 1, bounds: 'full' } } },
    ],
    [
      on(
        [1, 2, 4],
        [
          { v: 1 },
          { p: null, v: 1 },
          { v: 2, p: null },
          { v: 2 },
          { v: 3 },
          { v: 4 },
          { p: null, v: 3 },
          { p: null, v: 4 },
        ],
      ),
    ],
  ),
  onlyObjects('$densify', 9),
  told('$densify', (step) => [{ $densify: { field: 'v', range: { step, bounds: 'full' } } }], [
    on(null, fails(40414)),
    ...each([...ARRAYS, 'x'], fails(14)),
    ...each([INT_MIN, LONG_MIN, NAN, MINUS_INFINITE, MINUS_ZERO, DECIMAL_NAN], fails(5733401)),
    ...each([INT_MAX, LONG_MAX, INFINITE, decimal('1.50'), DECIMAL_INFINITE], BOTH),
  ]),
  told('$densify', (bounds) => [{ $densify: { field: 'v', range: { step: 1, bounds } } }], [
    ...each([null, ...NUMBERS], fails(5733404)),
    ...each([[], [1], [[1]], [1, 2, 3]], fails(5733403)),
    on([2, 1], fails(5733402)),
    on([1, 'x'], fails(5733406)),
    ...each(
      [
        [1, double(2)],
        [double(1), 2],
        [LONG_MIN, LONG_MAX],
      ],
      fails(5876900),
    ),
    ...each(
      [
        ['a', 'b'],
        [null, null],
        [[1], [2]],
      ],
      fails(5946800),
    ),
    on([date(0), date(1)], fails(5733410)),
    on('half', fails(5946802)),
    on('partition', fails(5733408)),
  ]),
  told('$densify', (field) => [{ $densify: { field, range: { step: 1, bounds: 'full' } } }], [
    on(null, fails(40414)),
    ...each([...ARRAYS, ...NUMBERS], fails(14)),
    on('$v', fails(16410)),
  ]),
  told('$densify', (range) => [{ $densify: { field: 'v', range } }], [
    on(null, fails(40414)),
    ...each([...ARRAYS, ...NUMBERS], fails(14)),
  ]),
  over(
    [{ $fill: { sortBy: { _id: 1 }, output: { v: { method: 'locf' } } } }],
    [
      on([1, null, MISSING, [2], [], null, [[3]], null], docs(1, 1, 1, [2], [], [], [[3]], [[3]])),
      on([null, NAN, MISSING, MINUS_ZERO, null], docs(null, NAN, NAN, MINUS_ZERO, MINUS_ZERO)),
      on(
        [MISSING, INT_MAX, null, LONG_MIN, null],
        docs(null, INT_MAX, INT_MAX, LONG_MIN, LONG_MIN),
      ),
      on(
        [INFINITE, null, decimal('1.50'), MISSING],
        docs(INFINITE, INFINITE, decimal('1.50'), decimal('1.50')),
      ),
    ],
  ),
  over(
    [{ $fill: { sortBy: { _id: 1 }, output: { v: { method: 'linear' } } } }],
    [
      ...each([[1, [1], 2], [[], 1], [[[1]]], ['x']], fails(14)),
      on([null, 1, null], docs(null, 1, null)),
    ],
  ),
  over(
    [{ $fill: { output: { v: { value: '$_id' } } } }],
    [
      on(
        [null, MISSING, [], [[1]], NAN, MINUS_ZERO, INT_MAX, LONG_MAX, INFINITE, decimal('1.50')],
        docs(0, 1, [], [[1]], NAN, MINUS_ZERO, INT_MAX, LONG_MAX, INFINITE, decimal('1.50')),
      ),
    ],
  ),
  told(
    '$fill',
    (value) => [{ $fill: { output: { w: { value } } } }],
    NOT_MISSING.map((w) =>
      on(
        w,
        BOTH.map((document) => ({ ...document, w })),
      ),
    ),
  ),
  onlyObjects('$fill', 9),
  told('$fill', (rule) => [{ $fill: { output: { w: rule } } }], [
    ...each([...NOT_MISSING, 'locf'], fails(6050200)),
    on({ method: 'locf', value: 1 }, fails(6050201)),
    on({ method: 'next' }, fails(6050202)),
    on({ method: 1 }, fails(14)),
    on({ method: null }, BOTH),
    on({ other: 1 }, fails(40415)),
    on({ method: 'linear' }, fails(605001)),
  ]),
  told('$fill', (output) => [{ $fill: { output } }], [
    on(null, fails(40414)),
    ...each([...ARRAYS, ...NUMBERS], fails(14)),
    on({}, fails(6050203)),
  ]),
  told('$fill', (partitionBy) => [{ $fill: { partitionBy, output: { w: { value: 1 } } } }], [
    on(
      null,
      BOTH.map((document) => ({ ...document, w: 1 })),
    ),
    ...each([...ARRAYS, ...NUMBERS], fails(14)),
  ]),
];

const COUNTED = { n: { $sum: 1 } };

const WINDOWS: readonly Table[] = [
  over(
    [
      { $setWindowFields: { partitionBy: '$v', sortBy: { _id: 1 }, output: COUNTED } },
      { $project: { v: 0 } },
      { $sort: { _id: 1 } },
    ],
    [
      on(
        [null, MISSING, null],
        [
          { _id: 0, n: 3 },
          { _id: 1, n: 3 },
          { _id: 2, n: 3 },
        ],
      ),
      on(
        [MINUS_ZERO, 0, decimal('0'), INT_MAX],
        [
          { _id: 0, n: 3 },
          { _id: 1, n: 3 },
          { _id: 2, n: 3 },
          { _id: 3, n: 1 },
        ],
      ),
      on(
        [NAN, DECIMAL_NAN, INFINITE, LONG_MAX],
        [
          { _id: 0, n: 2 },
          { _id: 1, n: 2 },
          { _id: 2, n: 1 },
          { _id: 3, n: 1 },
        ],
      ),
      ...each([[[]], [1, [1]], [[[1]]]], fails(14)),
    ],
  ),
  over(
    [
      { $setWindowFields: { sortBy: { v: 1 }, output: { n: { $rank: {} } } } },
      { $project: { v: 0 } },
      { $sort: { _id: 1 } },
    ],
    [
      on(
        [1, double(1), decimal('1.0'), long(1), 2],
        [
          { _id: 0, n: 1 },
          { _id: 1, n: 1 },
          { _id: 2, n: 1 },
          { _id: 3, n: 1 },
          { _id: 4, n: 5 },
        ],
      ),
    ],
  ),
  over(
    [
      {
        $setWindowFields: {
          sortBy: { v: 1 },
          output: { n: { $sum: 1, window: { range: [-1, 1] } } },
        },
      },
    ],
    [
      ...each([[null], [MISSING], ['x'], [[1]], [[[1]]]], fails(5429414)),
      on([date(0)], fails(5429413)),
      on(
        [1, double(1.5), decimal('2.5'), long(4)],
        [
          { _id: 0, v: 1, n: 2 },
          { _id: 1, v: double(1.5), n: 3 },
          { _id: 2, v: decimal('2.5'), n: 2 },
          { _id: 3, v: long(4), n: 1 },
        ],
      ),
    ],
  ),
  onlyObjects('$setWindowFields', 9),
  told(
    '$setWindowFields',
    (partitionBy) => [{ $setWindowFields: { partitionBy, output: COUNTED } }],
    [
      ...each(
        [null, ...NUMBERS],
        BOTH.map((document) => ({ ...document, n: 2 })),
      ),
      ...each(ARRAYS, fails(14)),
    ],
  ),
  told('$setWindowFields', (sortBy) => [{ $setWindowFields: { sortBy, output: COUNTED } }], [
    on(
      null,
      BOTH.map((document) => ({ ...document, n: 2 })),
    ),
    ...each([...ARRAYS, ...NUMBERS], fails(14)),
  ]),
  told('$setWindowFields', (output) => [{ $setWindowFields: { output } }], [
    on(null, fails(40414)),
    ...each([...ARRAYS, ...NUMBERS], fails(14)),
  ]),
  told(
    '$setWindowFields',
    (rule) => [{ $setWindowFields: { output: { n: rule } } }],
    each(NOT_MISSING, fails(9)),
  ),
  told(
    '$setWindowFields',
    (window) => [{ $setWindowFields: { sortBy: { _id: 1 }, output: { n: { $sum: 1, window } } } }],
    [
      ...each(NOT_MISSING, fails(9)),
      ...each(
        [
          { documents: [1] },
          { documents: [1, 2, 3] },
          { documents: [null, 1] },
          { documents: [[], 1] },
          { documents: [LONG_MIN, 0] },
          { documents: [NAN, 0] },
          { documents: [INFINITE, 0] },
          { documents: [decimal('0.50'), 1] },
          { range: [null, 1] },
          { range: [[[1]], 1] },
          { documents: [0, 1], range: [0, 1] },
          { unit: 'day' },
          { other: 1 },
        ],
        fails(9),
      ),
      ...each(
        [{ documents: [1, 0] }, { range: [1, MINUS_ZERO] }, { documents: [INT_MAX, INT_MIN] }],
        fails(5339900),
      ),
      ...each(
        [
          { documents: [INT_MIN, INT_MAX] },
          { range: [LONG_MIN, LONG_MAX] },
          { range: [MINUS_INFINITE, INFINITE] },
          {},
        ],
        BOTH.map((document) => ({ ...document, n: 2 })),
      ),
      on(
        { documents: [MINUS_ZERO, decimal('0')] },
        BOTH.map((document) => ({ ...document, n: 1 })),
      ),
    ],
  ),
];

const JOINED = [{ $project: { r: '$r._id' } }];
const NULLS = ['null', 'missing', 'list'];
const ONES = ['one', 'list'];

/** Lines of one document each, by the _ids that are found for it. */
const finds = (...found: readonly (readonly [unknown, readonly string[]])[]): Line[] =>
  found.map(([value, r]) => on([value], [{ _id: 0, r }]));

const EQUAL_NUMBERS = [
  [1, ONES],
  [double(1), ONES],
  [decimal('1.0'), ONES],
  [NAN, ['NaN']],
  [DECIMAL_NAN, ['NaN']],
  [0, ['zero']],
  [MINUS_ZERO, ['zero']],
  [decimal('-0'), ['zero']],
  [LONG_MAX, ['long']],
  [LONG_MIN, []],
  [double(2 ** 63), []],
  [INT_MAX, ['int']],
  [long(INT_MAX), ['int']],
  [INFINITE, ['infinite']],
  [MINUS_INFINITE, []],
  [decimal('1.50'), []],
] as const;

const JOINS: readonly Table[] = [
  over(
    [{ $lookup: { from: 'others', localField: 'v', foreignField: 'k', as: 'r' } }, ...JOINED],
    [
      ...finds(
        [null, NULLS],
        [MISSING, NULLS],
        [[], NULLS],
        [[1], ONES],
        [[[1]], ['nested']],
        [[[]], ['empty']],
        [
          [1, null],
          ['null', 'missing', 'one', 'list'],
        ],
        [
          [1, [1]],
          ['one', 'list', 'nested'],
        ],
        [{}, []],
        ...EQUAL_NUMBERS,
      ),
    ],
  ),
  over(
    [{ $lookup: { from: 'others', localField: 'v.x', foreignField: 'k', as: 'r' } }, ...JOINED],
    [
      ...finds(
        [null, NULLS],
        [INT_MAX, NULLS],
        [[], NULLS],
        [[1], NULLS],
        [[[{ x: 1 }]], NULLS],
        [[{ x: 1 }, {}], ONES],
        [[{ x: [1] }], ONES],
        [
          [{ x: null }, { x: NAN }],
          ['null', 'missing', 'list', 'NaN'],
        ],
      ),
    ],
  ),
  over(
    [
      {
        $lookup: {
          from: 'others',
          let: { v: '$v' },
          pipeline: [{ $match: { $expr: { $eq: ['$k', '$$v'] } } }],
          as: 'r',
        },
      },
      ...JOINED,
    ],
    finds(
      [null, ['null']],
      [MISSING, ['missing']],
      [[], ['empty']],
      [[1], []],
      [[1, null], ['list']],
      [[[1]], ['nested']],
      [1, ['one']],
      [decimal('1.0'), ['one']],
      ...EQUAL_NUMBERS.slice(3),
    ),
  ),
  onlyObjects('$lookup', 9),
  told(
    '$lookup',
    (as) => [{ $lookup: { from: 'others', localField: 'v', foreignField: 'k', as } }],
    each([...NOT_MISSING, ''], fails(9)),
  ),
  told('$lookup', (from) => [{ $lookup: { from, localField: 'v', foreignField: 'k', as: 'r' } }], [
    ...each(NOT_MISSING, fails(9)),
    on('', fails(73)),
  ]),
  told('$lookup', (pipeline) => [{ $lookup: { from: 'others', pipeline, as: 'r' } }], [
    ...each([null, ...NUMBERS, [1], [[1]]], fails(14)),
  ]),
  told(
    '$lookup',
    (input) => [{ $lookup: { from: 'others', let: input, pipeline: [], as: 'r' } }],
    each(NOT_MISSING, fails(9)),
  ),
  over(
    [
      {
        $graphLookup: {
          from: 'others',
          startWith: '$v',
          connectFromField: 'none',
          connectToField: 'k',
          as: 'r',
        },
      },
      ...JOINED,
    ],
    finds(
      // A field that is missing is connected to nothing.
      [null, ['null', 'list']],
      [MISSING, []],
      [[], []],
      [[1], ONES],
      [
        [null, 1],
        ['null', 'one', 'list'],
      ],
      [[[1]], ['nested']],
      [[[]], ['empty']],
      ...EQUAL_NUMBERS,
    ),
  ),
  onlyObjects('$graphLookup', 9),
  told('$graphLookup', (from) => [{ $graphLookup: { from } }], each(NOT_MISSING, fails(9))),
  ...['as', 'connectFromField', 'connectToField', 'depthField'].map((name) =>
    told(
      '$graphLookup',
      (input) => [
        {
          $graphLookup: {
            from: 'others',
            startWith: '$v',
            connectFromField: 'none',
            connectToField: 'k',
            as: 'r',
            [name]: input,
          },
        },
      ],
      [...each(NOT_MISSING, fails(40103))],
    ),
  ),
  told(
    '$graphLookup',
    (maxDepth) => [
      {
        $graphLookup: {
          from: 'others',
          startWith: '$v',
          connectFromField: 'k',
          connectToField: 'k',
          as: 'r',
          maxDepth,
        },
      },
      ...JOINED,
      { $match: { _id: 1 } },
    ],
    [
      ...each([null, ...ARRAYS], fails(40100)),
      ...each([INT_MIN, LONG_MIN, MINUS_INFINITE, double(-1.5)], fails(40101)),
      ...each(
        [NAN, INFINITE, decimal('1.50'), DECIMAL_NAN, DECIMAL_INFINITE, double(-0.5)],
        fails(40102),
      ),
      ...each([INT_MAX, LONG_MAX, MINUS_ZERO, decimal('0')], [{ _id: 1, r: [] }]),
    ],
  ),
  passes([{ $unionWith: 'c' }]),
  onlyObjects('$unionWith', 9),
  told('$unionWith', (coll) => [{ $unionWith: { coll } }], [
    on(null, fails(9)),
    ...each([...ARRAYS, ...NUMBERS], fails(14)),
    on('c', BOTH),
  ]),
  told('$unionWith', (pipeline) => [{ $unionWith: { coll: 'c', pipeline } }], [
    ...each([null, ...NUMBERS, [1], [[1]]], fails(14)),
    on([], BOTH),
  ]),
  told('$documents', (input) => [{ $unionWith: { pipeline: [{ $documents: input }] } }], [
    ...each([null, ...NUMBERS], fails(5858203)),
    on([], BOTH),
    ...each([[1], [[1]], [null]], fails(40228)),
    on([{ x: MINUS_ZERO }, {}], [...BOTH, { x: MINUS_ZERO }, {}]),
    on(['$v'], fails(40228)),
  ]),
  over(
    [{ $facet: { all: [], none: [{ $match: { v: 'none' } }] } }],
    [on(ALL, [{ all: docs(...ALL), none: [] }])],
  ),
  onlyObjects('$facet', 40169),
  told('$facet', (a) => [{ $facet: { a } }], [
    ...each([null, ...NUMBERS], fails(40170)),
    on([], [{ a: BOTH }]),
    ...each([[1], [[1]], [null]], fails(40171)),
  ]),
  told('$facet', (name) => [{ $facet: { [name as string]: [] } }], [
    on('', fails(15998)),
    on('$a', fails(16410)),
    on('a.b', fails(16412)),
  ]),
];

const INDEXED = { path: '$v', includeArrayIndex: 'i' };

const UNWOUND: readonly Table[] = [
  over(
    [{ $unwind: '$v' }],
    [
      on([null, MISSING, []], NO_DOCUMENTS),
      on(
        [[1, null, [2]]],
        [
          { _id: 0, v: 1 },
          { _id: 0, v: null },
          { _id: 0, v: [2] },
        ],
      ),
      on(
        [[[]], [[1]]],
        [
          { _id: 0, v: [] },
          { _id: 1, v: [1] },
        ],
      ),
      on(NUMBERS, docs(...NUMBERS)),
      on([{}], docs({})),
    ],
  ),
  over(
    [{ $unwind: { ...INDEXED, preserveNullAndEmptyArrays: true } }],
    [
      on(
        [null, MISSING, []],
        [
          { _id: 0, v: null, i: null },
          { _id: 1, i: null },
          { _id: 2, i: null },
        ],
      ),
      on(
        [[1, null, [2]]],
        [
          { _id: 0, v: 1, i: long(0) },
          { _id: 0, v: null, i: long(1) },
          { _id: 0, v: [2], i: long(2) },
        ],
      ),
      on([[[]]], [{ _id: 0, v: [], i: long(0) }]),
      on(
        NUMBERS,
        docs(...NUMBERS).map((document) => ({ ...document, i: null })),
      ),
    ],
  ),
  over(
    [{ $unwind: '$v.x' }],
    [
      on([null, MISSING, INT_MAX, [], [{ x: [1] }], [[{ x: [1] }]]], NO_DOCUMENTS),
      on(
        [{ x: [1, [2]] }, { x: NAN }, { x: null }],
        [
          { _id: 0, v: { x: 1 } },
          { _id: 0, v: { x: [2] } },
          { _id: 1, v: { x: NAN } },
        ],
      ),
    ],
  ),
  onlyObjects('$unwind', 15981),
  told('$unwind', (path) => [{ $unwind: { path } }], [
    ...each(NOT_MISSING, fails(28808)),
    on('v', fails(28818)),
  ]),
  told(
    '$unwind',
    (input) => [{ $unwind: { path: '$v', preserveNullAndEmptyArrays: input } }],
    each(NOT_MISSING, fails(28809)),
  ),
  told('$unwind', (input) => [{ $unwind: { path: '$v', includeArrayIndex: input } }], [
    ...each([...NOT_MISSING, ''], fails(28810)),
    on('$i', fails(28822)),
  ]),
];

/** Without the search servers of Atlas nothing is looked at. */
const SEARCHES: readonly Table[] = [
  '$search',
  '$searchMeta',
  '$vectorSearch',
  '$listSearchIndexes',
].map((name) =>
  told(
    name,
    (input) => [{ $unionWith: { coll: 'c', pipeline: [{ [name]: input }] } }],
    each(NOT_MISSING, fails(31082)),
  ),
);

export const EDGES: readonly Table[] = [
  ...SHAPES,
  ...FILTERS,
  ...ORDERS,
  ...GROUPS,
  ...RANGES,
  ...GAPS,
  ...WINDOWS,
  ...JOINS,
  ...UNWOUND,
  ...SEARCHES,
];

describe('stages at the edges of values', () => {
  testTables(EDGES);

  after(() => store.close());
});
