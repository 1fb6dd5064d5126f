/**
 * Operators at the edges of values that need a whole server: scripts, indexes of places and words, stages that write, and
 * stages whose documents only a server has.
 *
 * Source of the results: MongoDB 8.0, src/mongo/db/pipeline/document_source_*.cpp, expression_function.cpp, and its manual,
 * "2d Indexes", "Text Indexes", "$function", "$accumulator".
 */
import type { Db } from 'mongodb';
import { BSON } from 'mongodb';
import { serverForTests } from '../../support/test-server.ts';
import { bytes, type Plain } from '../executor/store.ts';
import {
  ARRAYS,
  each,
  fails,
  INT_MAX,
  INT_MIN,
  LONG_MAX,
  LONG_MIN,
  MINUS_ZERO,
  MISSING,
  NAN,
  INFINITE,
  NUMBERS,
  on,
  decimal,
  shownDocument,
  type Line,
  type Table,
  testTables,
} from './edge.ts';
import { documentsOf, shownDocuments } from './pipelines.ts';

const KEEP_TYPES = { promoteValues: false, promoteLongs: false, bsonRegExp: true } as const;

/** Set before the first table is run. */
let database: Db | undefined;

async function found(run: (db: Db) => Promise<Plain[]>): Promise<string> {
  try {
    const documents = await run(database!);
    return documents.map((document) => shownDocument(bytes(document))).join(' ');
  } catch (error) {
    return `error ${Number((error as { code?: unknown }).code)}`;
  }
}

function served(
  operator: string,
  title: string,
  run: (input: unknown, db: Db) => Promise<Plain[]>,
  lines: readonly Line[],
): Table {
  return {
    operator,
    title,
    lines,
    show: shownDocuments,
    run: async (input) => [await found((db) => run(input, db))],
  };
}

/** What a pipeline makes of one document whose `v` is the input. */
const piped = (operator: string, stages: readonly Plain[], lines: readonly Line[]): Table =>
  served(
    operator,
    BSON.EJSON.stringify(stages),
    (input, db) =>
      db
        .collection('empty')
        .aggregate([documentsOf([input]), ...stages], KEEP_TYPES)
        .toArray(),
    lines,
  );

/** What a pipeline of one stage with the input in it says. */
const told = (operator: string, stage: (input: unknown) => Plain, lines: readonly Line[]): Table =>
  served(
    operator,
    `${BSON.EJSON.stringify(stage('...'))} with the argument`,
    (input, db) =>
      db
        .collection('empty')
        .aggregate([stage(input)], KEEP_TYPES)
        .toArray(),
    lines,
  );

const NOT_MISSING = [null, ...ARRAYS, ...NUMBERS];

/** What a script sees. */
const SEEN = `function(x) {
  return x === undefined ? 'undefined' : x === null ? 'null' : Array.isArray(x) ? JSON.stringify(x) :
    Object.is(x, -0) ? '-0' : typeof x + ' ' + x;
}`;
const AS_SEEN: readonly (readonly [unknown, string])[] = [
  [null, 'null'],
  [MISSING, 'null'],
  [[], '[]'],
  [[1, null], '[1,null]'],
  [[[1]], '[[1]]'],
  [INT_MAX, 'number 2147483647'],
  [INT_MIN, 'number -2147483648'],
  [LONG_MAX, 'object 9223372036854776000'],
  [LONG_MIN, 'object -9223372036854776000'],
  [NAN, 'number NaN'],
  [INFINITE, 'number Infinity'],
  [MINUS_ZERO, '-0'],
  [decimal('1.50'), 'object NumberDecimal("1.50")'],
];

export const EXPRESSION_SCRIPTS: readonly Table[] = [
  piped(
    '$function',
    [{ $project: { _id: 0, r: { $function: { body: SEEN, args: ['$v'], lang: 'js' } } } }],
    AS_SEEN.map(([value, r]) => on(value, [{ r }])),
  ),
];

export const ACCUMULATOR_SCRIPTS: readonly Table[] = [
  piped(
    '$accumulator',
    [
      {
        $group: {
          _id: null,
          r: {
            $accumulator: {
              init: 'function() { return []; }',
              accumulateArgs: ['$v'],
              accumulate: `function(list, x) { return list.concat([(${SEEN})(x)]); }`,
              merge: 'function(a, b) { return a.concat(b); }',
              lang: 'js',
            },
          },
        },
      },
      { $project: { _id: 0 } },
    ],
    AS_SEEN.map(([value, r]) => on(value, [{ r: [r] }])),
  ),
];

interface Stored {
  readonly _id: number;
  readonly v?: unknown;
}

/** Whether an index finds a document whose `v` is the input. */
function indexed(
  operator: string,
  kind: '2d' | 'text',
  filter: Plain,
  lines: readonly Line[],
): Table {
  return served(
    operator,
    BSON.EJSON.stringify(filter),
    async (input, db) => {
      const collection = db.collection<Stored>(`${kind}_indexed`);
      await collection.deleteMany({});
      await collection.createIndex({ v: kind });
      await collection.insertOne(input === MISSING ? { _id: 1 } : { _id: 1, v: input });
      return collection.find(filter).project<Plain>({ _id: 1 }).toArray();
    },
    lines,
  );
}

const FOUND = [{ _id: 1 }];
const NOTHING: Plain[] = [];

export const QUERY_SERVED: readonly Table[] = [
  ...['$near', '$nearSphere', '$geoNear'].map((name) =>
    indexed(name, '2d', { v: { [name]: [1, 1] } }, [
      ...each([null, MISSING, []], NOTHING),
      ...each(
        [
          [1, 1],
          [MINUS_ZERO, decimal('1.50')],
          [
            [1, 1],
            [2, 2],
          ],
        ],
        FOUND,
      ),
    ]),
  ),
  ...['$minDistance', '$maxDistance', '$uniqueDocs'].map((name) =>
    indexed(name, '2d', { v: { $near: [1, 1], [name]: 0 } }, [
      ...each([null, MISSING, []], NOTHING),
      on([1, 1], FOUND),
    ]),
  ),
  indexed('$text', 'text', { $text: { $search: 'word' } }, [
    ...each([null, MISSING, [], [1], ...NUMBERS], NOTHING),
    ...each(['word', ['other', 'word']], FOUND),
  ]),
  served(
    '$where',
    "{ $where: 'typeof this.v' }",
    async (input, db) => {
      const collection = db.collection<Stored>('where');
      await collection.deleteMany({});
      await collection.insertOne(input === MISSING ? { _id: 1 } : { _id: 1, v: input });
      return collection.find({ $where: 'return this.v;' }).project<Plain>({ _id: 1 }).toArray();
    },
    [
      ...each([null, MISSING, NAN, MINUS_ZERO, 0, '', false], NOTHING),
      ...each([[], [0], [[]], INT_MAX, LONG_MIN, INFINITE, decimal('0'), {}, 'x'], FOUND),
    ],
  ),
];

/** What is in a collection that one stage wrote a document to. */
function writing(operator: string, stage: Plain, lines: readonly Line[]): Table {
  return served(
    operator,
    BSON.EJSON.stringify(stage),
    async (input, db) => {
      await db.collection('written').deleteMany({});
      await db
        .collection('empty')
        .aggregate([documentsOf([input]), stage])
        .toArray();
      return db.collection<Plain>('written').find({}, KEEP_TYPES).toArray();
    },
    lines,
  );
}

const WRITTEN = [null, MISSING, ...ARRAYS, ...NUMBERS].map((v) =>
  on(v, [v === MISSING ? { _id: 0 } : { _id: 0, v }]),
);

const GEO_NEAR = { near: [1, 1], distanceField: 'd' };

/** A stage whose documents a server has: what it is told. */
const source = (name: string, code: number): Table =>
  told(name, (input) => ({ [name]: input }), each(NOT_MISSING, fails(code)));

export const STAGES_SERVED: readonly Table[] = [
  writing('$out', { $out: 'written' }, WRITTEN),
  told('$out', (input) => ({ $out: input }), each(NOT_MISSING, fails(16990))),
  writing('$merge', { $merge: 'written' }, WRITTEN),
  told('$merge', (input) => ({ $merge: input }), each(NOT_MISSING, fails(14))),
  told(
    '$geoNear',
    (near) => ({ $geoNear: { ...GEO_NEAR, near } }),
    each([null, ...NUMBERS], fails(5860402)),
  ),
  told(
    '$geoNear',
    (distanceField) => ({ $geoNear: { ...GEO_NEAR, distanceField } }),
    each(NOT_MISSING, fails(16606)),
  ),
  told(
    '$geoNear',
    (includeLocs) => ({ $geoNear: { ...GEO_NEAR, includeLocs } }),
    each(NOT_MISSING, fails(16607)),
  ),
  served(
    '$geoNear',
    BSON.EJSON.stringify({ $geoNear: GEO_NEAR }),
    async (input, db) => {
      const collection = db.collection<Stored>('places');
      await collection.deleteMany({});
      await collection.createIndex({ v: '2d' });
      await collection.insertOne(input === MISSING ? { _id: 1 } : { _id: 1, v: input });
      const stages = [{ $geoNear: GEO_NEAR }, { $project: { d: 1 } }];
      return collection.aggregate<Plain>(stages, KEEP_TYPES).toArray();
    },
    [
      ...each([null, MISSING, []], NOTHING),
      on([1, 1], [{ _id: 1, d: new BSON.Double(0) }]),
      on(
        [
          [1, 4],
          [4, 5],
        ],
        [{ _id: 1, d: new BSON.Double(3) }],
      ),
    ],
  ),
  source('$changeStream', 6188500),
  source('$collStats', 5447000),
  source('$currentOp', 14),
  source('$indexStats', 28803),
  source('$listCatalog', 6200600),
  source('$listLocalSessions', 14),
  source('$listSampledQueries', 6876001),
  source('$listSessions', 14),
  source('$planCacheStats', 9),
  source('$querySettings', 7746800),
  source('$queryStats', 9),
  source('$shardedDataDistribution', 6789100),
  source('$_internalUnpackBucket', 5346500),
];

describe('what needs a server, at the edges of values', () => {
  const server = serverForTests();

  before(() => {
    database = server.freshDatabase();
  });

  testTables([...EXPRESSION_SCRIPTS, ...ACCUMULATOR_SCRIPTS, ...QUERY_SERVED, ...STAGES_SERVED]);
});
