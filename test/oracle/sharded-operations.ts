/**
 * Random operations for sharded collections: what each does and says is the same on one server and on many.
 *
 * Owns: what is left to chance. Where MongoDB leaves a choice to the server (which of several documents, which order, which of several equal
 * values), the operation leaves it none: writes to one document name it or sort, limits stand behind a sort without ties.
 */
import { Int32, Timestamp } from 'bson';
import type { AnyBulkWriteOperation, Collection, Db, Document } from 'mongodb';
import type { SeededRandom } from '../../common/random.ts';
import { document } from './documents.ts';
import { COLLATIONS } from './indexes.ts';
import { anyPipeline } from './pipelines.ts';
import { anyFilter, anyQuery } from './queries.ts';
import { text } from './texts.ts';
import { pick, type Plain, scalar, value, weighted } from './values.ts';

/** The same operation on any database: what it gives is compared. */
export interface ShardedOperation {
  readonly name: string;
  /** For the message of a failure. */
  readonly what: unknown;
  /** Results that are a list come in one order. */
  readonly isOrdered: boolean;
  /** Equal numbers of different types may stand for one another. */
  readonly isLoose: boolean;
  readonly isWrite: boolean;
  readonly run: (db: Db) => Promise<unknown>;
}

/** What operations of one seed share. */
export interface OperationScope {
  readonly random: SeededRandom;
  /** The sharded collection, and another one that joins read. */
  readonly collection: string;
  readonly foreign: string;
  /** An _id that no document has. */
  readonly freshId: () => number;
  /** A document of the collection, as the single server has it. */
  readonly anyStored: () => Promise<Document | undefined>;
}

const IDS = 60;
const KEY_RANGE = 40;

/** The value of the shard key's first field: mostly numbers, and something of each type. */
export function keyValue(random: SeededRandom): unknown {
  if (random.below(4) > 0) return new Int32(random.below(KEY_RANGE));
  const made = scalar(random);
  // A timestamp of zero stands for the server's own time, and a pattern matches.
  return made instanceof RegExp || made instanceof Timestamp ? 'r' : made;
}

export function anyDocument(random: SeededRandom, id: number): Document {
  const made = document(random, id, pick(random, ['flat', 'objects', 'arrays', 'elements']));
  const { _id, ...rest } = made;
  for (const [name, each] of Object.entries(rest)) {
    // That one stands for the server's own time.
    if (each instanceof Timestamp && each.isZero()) rest[name] = new Timestamp({ t: 1, i: 0 });
  }
  const key = random.below(12) === 0 ? {} : { k: keyValue(random) };
  return { _id, ...key, n: new Int32(random.below(50)), m: new Int32(random.below(5)), ...rest };
}

function keyCondition(random: SeededRandom): unknown {
  const low = random.below(KEY_RANGE);
  return weighted<unknown>(random, [
    [6, () => keyValue(random)],
    [2, () => ({ $in: [keyValue(random), keyValue(random), keyValue(random)] })],
    [3, () => ({ $gte: low, $lt: low + random.below(15) })],
    [1, () => ({ [pick(random, ['$gt', '$gte', '$lt', '$lte'])]: keyValue(random) })],
    [1, () => ({ $ne: keyValue(random) })],
    [1, () => ({ $exists: random.below(2) === 0 })],
    [1, () => null],
  ]);
}

function filterOf(random: SeededRandom): Plain {
  return weighted<Plain>(random, [
    [4, () => anyFilter(random)],
    [3, () => ({ k: keyCondition(random) })],
    [3, () => ({ ...anyFilter(random), k: keyCondition(random) })],
    [2, () => ({ k: keyCondition(random), m: random.below(5) })],
    [2, () => ({ m: random.below(5) })],
    [1, () => ({ $or: [{ k: keyCondition(random) }, { k: keyCondition(random), m: 1 }] })],
    [1, () => ({ $and: [{ k: keyCondition(random) }, anyFilter(random)] })],
    [2, () => ({ _id: random.below(IDS) })],
  ]);
}

function totalSort(random: SeededRandom): Plain {
  // In the order of an index, which nobody has to sort.
  if (random.below(4) === 0) return { _id: pick(random, [1, -1]) };
  const fields = ['k', 'n', 'm', 'a', 'b', 'c', 'd', 'a.x', 'b.x'];
  const sort: Plain = {};
  for (let left = random.below(3); left >= 0; left -= 1) {
    sort[pick(random, fields)] = pick(random, [1, -1]);
  }
  sort['_id'] = pick(random, [1, -1]);
  return sort;
}

/** By fields that are never arrays: what finds one document need not sort, and then does not see that arrays are parallel. */
const scalarSort = (random: SeededRandom): Plain => ({
  [pick(random, ['k', 'n', 'm'])]: pick(random, [1, -1]),
  _id: pick(random, [1, -1]),
});

const collationOf = (random: SeededRandom): Plain =>
  random.below(6) === 0 ? { collation: pick(random, COLLATIONS) } : {};

/** Changes that no document refuses, and that say the same whatever came before. */
function safeUpdate(random: SeededRandom): Document | Document[] {
  const path = pick(random, ['b2', 'c', 'd', 'e', 'f.x']);
  return pick<() => Document | Document[]>(random, [
    () => ({ $set: { [path]: value(random) } }),
    () => ({ $inc: { n: random.below(9) }, $set: { e: random.below(9) } }),
    () => ({ $unset: { [path]: 1 } }),
    () => ({ $mul: { n: 2 }, $min: { e: 2 } }),
    () => ({ $max: { n: 30 }, $setOnInsert: { made: true } }),
    () => [{ $set: { d: { $concat: ['x', { $toString: '$n' }] }, e: '$m' } }],
    () => [{ $set: { c: { $cond: [{ $gt: ['$n', 20] }, '$b', '$$REMOVE'] } } }, { $unset: 'd' }],
  ])();
}

/** Changes that some documents refuse. */
function anyUpdate(random: SeededRandom): Document | Document[] {
  return pick<() => Document | Document[]>(random, [
    () => safeUpdate(random),
    () => safeUpdate(random),
    () => ({ $push: { [pick(random, ['a', 'b', 'd'])]: scalar(random) } }),
    () => ({ $pull: { a: { y: { $lt: 3 } } } }),
    () => ({ $inc: { [pick(random, ['a', 'b', 'c', 'a.x'])]: 1 } }),
    () => ({ $rename: { c: 'd' } }),
    () => ({ $addToSet: { b: { $each: [1, 'a', random.below(3)] } } }),
    () => ({ $set: { 'a.$[one].y': 7 } }),
    () => ({ $set: { _id: -1 } }),
    () => ({ $nonsense: { a: 1 } }),
  ])();
}

const filtersFor = (update: Document | Document[]): Plain =>
  JSON.stringify(update).includes('$[one]') ? { arrayFilters: [{ 'one.x': { $lt: 2 } }] } : {};

/** One document, by its _id alone or with its shard key. */
async function oneFilter({ random, anyStored }: OperationScope): Promise<Plain> {
  const stored = random.below(5) > 0 ? await anyStored() : undefined;
  if (stored === undefined) return { _id: random.below(IDS) };
  const { _id } = stored;
  const key = 'k' in stored ? { k: stored['k'] } : {};
  return pick<Plain>(random, [
    { _id },
    { _id, ...key },
    { _id, m: stored['m'] },
    { _id, ...key, m: stored['m'] },
    { _id, m: random.below(5) },
  ]);
}

const byId = (collection: Collection, filter: Plain, options: Plain): Promise<Document[]> =>
  collection.find(filter, options).sort({ _id: 1 }).toArray();

async function bulk(scope: OperationScope): Promise<AnyBulkWriteOperation[]> {
  const { random, freshId } = scope;
  const operations: AnyBulkWriteOperation[] = [];
  for (let left = 1 + random.below(6); left > 0; left -= 1) {
    const filter = await oneFilter(scope);
    const update = anyUpdate(random);
    operations.push(
      await weighted<() => Promise<AnyBulkWriteOperation>>(random, [
        [4, () => async () => ({ insertOne: { document: anyDocument(random, freshId()) } })],
        [1, () => async () => ({ insertOne: { document: await duplicate(scope) } })],
        [4, () => async () => ({ updateOne: { filter, update, ...filtersFor(update) } })],
        [
          2,
          () => async () => ({
            updateMany: { filter: filterOf(random), update: safeUpdate(random) },
          }),
        ],
        [2, () => async () => ({ deleteOne: { filter } })],
        [1, () => async () => ({ deleteMany: { filter: { m: 4, n: random.below(50) } } })],
        [
          1,
          () => async () => ({
            replaceOne: { filter, replacement: await replacement(scope, filter) },
          }),
        ],
        [
          1,
          () => async () => ({
            updateOne: { filter: upsertFilter(scope), update: { $set: { e: 1 } }, upsert: true },
          }),
        ],
      ])(),
    );
  }
  return operations;
}

/** No two of them are about one document: without an order, shards and statements to all of them take what turn they like. */
function isOfAnyOrder(operations: readonly AnyBulkWriteOperation[]): boolean {
  const ids = operations.map((operation) => {
    const [kind, given] = Object.entries(operation)[0] as [string, Document];
    if (kind.endsWith('Many')) return undefined;
    return text((kind === 'insertOne' ? given['document'] : given['filter'])['_id']);
  });
  return !ids.includes(undefined) && new Set(ids).size === ids.length;
}

/** As the command bulkWrite has it. */
function asOperation(operation: AnyBulkWriteOperation): Document {
  const [kind, given] = Object.entries(operation)[0] as [string, Document];
  if (kind === 'insertOne') return { insert: 0, document: given['document'] };
  const { filter, update, replacement: whole, ...others } = given;
  const multi = kind.endsWith('Many');
  if (kind.startsWith('delete')) return { delete: 0, filter, multi };
  return { update: 0, filter, updateMods: update ?? whole, multi, ...others };
}

/** A document that is there already. */
async function duplicate({ random, anyStored, freshId }: OperationScope): Promise<Document> {
  return (await anyStored()) ?? anyDocument(random, freshId());
}

/** With the shard key of the document that it replaces. */
async function replacement(scope: OperationScope, filter: Plain): Promise<Document> {
  const { random, anyStored } = scope;
  const stored = await anyStored();
  const { _id: _, k: __, m: ___, ...rest } = anyDocument(random, 0);
  if (stored === undefined) return rest;
  filter['_id'] = stored['_id'];
  delete filter['m'];
  if ('k' in filter && 'k' in stored) filter['k'] = stored['k'];
  return { ...('k' in stored ? { k: stored['k'] } : {}), m: stored['m'], ...rest };
}

function upsertFilter({ random, freshId }: OperationScope): Plain {
  const id = random.below(2) === 0 ? random.below(IDS) : freshId();
  if (id >= IDS) return { _id: id, k: new Int32(random.below(KEY_RANGE)), m: new Int32(1) };
  return { _id: freshId(), k: keyValue(random), m: new Int32(random.below(5)) };
}

interface Made {
  readonly what: unknown;
  readonly run: (collection: Collection, db: Db) => Promise<unknown>;
  readonly isOrdered?: boolean;
  readonly isLoose?: boolean;
}

type Maker = (scope: OperationScope) => Promise<Made> | Made;

const READS: readonly (readonly [weight: number, name: string, make: Maker])[] = [
  [
    6,
    'find',
    ({ random }) => {
      const { projection, batchSize } = anyQuery(random);
      const filter = filterOf(random);
      const options = { ...(projection && { projection }), batchSize, ...collationOf(random) };
      return {
        what: { filter, options },
        run: (collection) => collection.find(filter, options).toArray(),
      };
    },
  ],
  [
    10,
    'find in order',
    ({ random }) => {
      const { projection, skip, limit, batchSize } = anyQuery(random);
      const filter = filterOf(random);
      const options = {
        sort: totalSort(random),
        ...(projection && { projection }),
        skip,
        limit,
        batchSize,
        ...collationOf(random),
      };
      return {
        what: { filter, options },
        run: (collection) => collection.find(filter, options as Document).toArray(),
        isOrdered: true,
      };
    },
  ],
  [
    3,
    'count',
    ({ random }) => {
      const filter = filterOf(random);
      const options = {
        ...(random.below(3) === 0 ? { skip: random.below(5) } : {}),
        ...(random.below(3) === 0 ? { limit: 1 + random.below(9) } : {}),
        ...collationOf(random),
      };
      return {
        what: { filter, options },
        run: (collection, db) =>
          db
            .command({ count: collection.collectionName, query: filter, ...options })
            .then(({ n }) => n),
      };
    },
  ],
  [
    3,
    'distinct',
    ({ random }) => {
      const path = pick(random, ['k', 'm', 'n', 'a', 'b', 'c', 'a.x', 'b.y', '_id']);
      const filter = filterOf(random);
      return {
        what: { path, filter },
        run: (collection) => collection.distinct(path, filter),
        isLoose: true,
      };
    },
  ],
  [
    8,
    'pipeline',
    ({ random, foreign }) => {
      const { stages, ordered, loose } = anyPipeline(random, false);
      const pipeline = [...stages(foreign)];
      if (random.below(3) === 0) pipeline.unshift({ $match: { k: keyCondition(random) } });
      return {
        what: pipeline,
        run: (collection) => collection.aggregate(pipeline, { batchSize: 7 }).toArray(),
        isOrdered: ordered && !loose,
        isLoose: loose,
      };
    },
  ],
  [
    10,
    'pipeline of groups',
    ({ random, foreign }) => {
      const pipeline = ownPipeline(random, foreign);
      return {
        what: pipeline,
        run: (collection) => collection.aggregate(pipeline, { batchSize: 5 }).toArray(),
        isLoose: true,
      };
    },
  ],
];

function ownPipeline(random: SeededRandom, foreign: string): Document[] {
  const match = { $match: filterOf(random) };
  const sort = { $sort: totalSort(random) };
  return pick<() => Document[]>(random, [
    () => [
      match,
      {
        $group: {
          _id: `$${pick(random, ['m', 'k', 'n'])}`,
          sum: { $sum: '$n' },
          average: { $avg: '$n' },
          count: { $count: {} },
          low: { $min: '$b' },
          high: { $max: '$c' },
        },
      },
    ],
    () => [
      match,
      sort,
      {
        $group: {
          _id: '$m',
          first: { $first: '$_id' },
          last: { $last: '$n' },
          all: { $push: '$_id' },
          some: { $firstN: { input: '$_id', n: 3 } },
        },
      },
      { $sort: { _id: 1 } },
    ],
    () => [
      match,
      {
        $group: {
          _id: '$m',
          top: { $top: { sortBy: { n: 1, _id: 1 }, output: '$_id' } },
          most: { $maxN: { input: '$n', n: 2 } },
        },
      },
      { $match: { _id: { $gt: 0 } } },
      { $sort: { _id: -1 } },
      { $limit: 3 },
    ],
    () => [
      match,
      {
        $bucket: {
          groupBy: '$n',
          boundaries: [0, 10, 20, 50],
          default: 'other',
          output: { n: { $sum: 1 }, m: { $max: '$m' } },
        },
      },
    ],
    () => [match, { $sortByCount: '$m' }, { $group: { _id: null, counts: { $sum: '$count' } } }],
    () => [
      {
        $facet: {
          one: [match, { $count: 'n' }],
          two: [sort, { $limit: 3 }, { $project: { k: 1 } }],
          three: [{ $group: { _id: '$m', n: { $sum: '$n' } } }, { $sort: { _id: 1 } }],
        },
      },
    ],
    () => [
      match,
      {
        $setWindowFields: {
          partitionBy: '$m',
          sortBy: { n: 1, _id: 1 },
          output: {
            running: { $sum: '$n', window: { documents: ['unbounded', 'current'] } },
            rank: { $documentNumber: {} },
          },
        },
      },
      { $project: { m: 1, running: 1, rank: 1 } },
    ],
    () => [
      match,
      {
        $lookup: {
          from: foreign,
          localField: 'm',
          foreignField: 'm',
          as: 'other',
          pipeline: [{ $sort: { _id: 1 } }, { $limit: 2 }, { $project: { n: 1 } }],
        },
      },
      { $project: { other: 1 } },
    ],
    () => [
      match,
      { $unionWith: { coll: foreign, pipeline: [{ $match: { m: 1 } }] } },
      { $group: { _id: '$m', n: { $sum: 1 } } },
    ],
    () => [
      sort,
      { $skip: random.below(5) },
      { $limit: 7 },
      match,
      { $project: { n: 1, twice: { $multiply: ['$n', 2] } } },
    ],
    () => [
      { $unwind: '$a' },
      { $group: { _id: '$m', n: { $sum: 1 } } },
      { $set: { more: { $add: ['$n', 1] } } },
    ],
    () => [match, { $count: 'n' }, { $set: { n: { $toString: '$n' } } }],
    () => [match, { $group: { _id: { $nonsense: '$a' } } }],
    () => [match, { $project: { x: { $divide: ['$n', 0] } } }],
  ])();
}

const WRITES: readonly (readonly [weight: number, name: string, make: Maker])[] = [
  [
    5,
    'insert',
    async (scope) => {
      const { random, freshId } = scope;
      const documents: Document[] = [];
      for (let left = 1 + random.below(4); left > 0; left -= 1) {
        documents.push(
          random.below(8) === 0 ? await duplicate(scope) : anyDocument(random, freshId()),
        );
      }
      const ordered = random.below(2) === 0;
      return {
        what: { documents, ordered },
        run: (collection) => collection.insertMany(documents, { ordered }),
      };
    },
  ],
  [
    5,
    'update one',
    async (scope) => {
      const filter = await oneFilter(scope);
      const update = anyUpdate(scope.random);
      return {
        what: { filter, update },
        run: (collection) => collection.updateOne(filter, update, filtersFor(update)),
      };
    },
  ],
  [
    3,
    'update the first',
    ({ random }) => {
      const filter = filterOf(random);
      const update = safeUpdate(random);
      const options = { sort: scalarSort(random) };
      return {
        what: { filter, update, options },
        run: (collection) => collection.updateOne(filter, update, options as Document),
      };
    },
  ],
  [
    5,
    'update many',
    ({ random }) => {
      const filter = filterOf(random);
      const update = safeUpdate(random);
      const options = collationOf(random);
      return {
        what: { filter, update, options },
        run: (collection) => collection.updateMany(filter, update, options),
      };
    },
  ],
  [
    2,
    'replace',
    async (scope) => {
      const filter = await oneFilter(scope);
      const document = await replacement(scope, filter);
      return {
        what: { filter, document },
        run: (collection) => collection.replaceOne(filter, document),
      };
    },
  ],
  [
    3,
    'upsert',
    (scope) => {
      const filter = upsertFilter(scope);
      const update = anyUpdate(scope.random);
      return {
        what: { filter, update },
        run: (collection) =>
          collection.updateOne(filter, update, { upsert: true, ...filtersFor(update) }),
      };
    },
  ],
  [
    2,
    'delete one',
    async (scope) => {
      const filter = await oneFilter(scope);
      return { what: filter, run: (collection) => collection.deleteOne(filter) };
    },
  ],
  [
    1,
    'delete many',
    ({ random }) => {
      const filter = { ...filterOf(random), n: { $lt: random.below(12) } };
      return { what: filter, run: (collection) => collection.deleteMany(filter) };
    },
  ],
  [
    5,
    'find and modify',
    async (scope) => {
      const { random } = scope;
      const isSorted = random.below(2) === 0;
      const query = isSorted ? filterOf(random) : await oneFilter(scope);
      const update = isSorted ? safeUpdate(random) : anyUpdate(random);
      const how =
        random.below(6) === 0
          ? { remove: true }
          : { update, new: random.below(2) === 0, ...filtersFor(update) };
      const command = {
        query,
        ...(isSorted ? { sort: scalarSort(random) } : {}),
        ...(random.below(3) === 0 ? { fields: { n: 1, e: 1 } } : {}),
        ...how,
      };
      return {
        what: command,
        run: (collection, db) =>
          db.command({ findAndModify: collection.collectionName, ...command }),
      };
    },
  ],
  [
    5,
    'bulk write',
    async (scope) => {
      const operations = await bulk(scope);
      const ordered = scope.random.below(2) === 0 || !isOfAnyOrder(operations);
      return {
        what: { operations, ordered },
        run: (collection) => collection.bulkWrite(operations, { ordered }),
      };
    },
  ],
  [
    4,
    'bulkWrite',
    async (scope) => {
      const operations = await bulk(scope);
      const ops = operations.map(asOperation);
      const ordered = scope.random.below(2) === 0 || !isOfAnyOrder(operations);
      const how = { ordered, errorsOnly: scope.random.below(3) === 0 };
      return {
        what: { ops, how },
        run: async (collection, { client }) => {
          const { cursor, ...totals } = await client
            .db('admin')
            .command({ bulkWrite: 1, ops, nsInfo: [{ ns: collection.namespace }], ...how });
          const entries = cursor.firstBatch as Document[];
          const shown = entries.map((entry) => {
            const { errmsg: _, ...rest } = entry;
            // Names of indexes and shards are nobody's promise.
            return 'keyValue' in rest ? { ...rest, keyValue: 0, keyPattern: 0 } : rest;
          });
          return { ...totals, entries: shown };
        },
      };
    },
  ],
  [
    1,
    '$out',
    ({ random, foreign }) => {
      const pipeline = [{ $match: filterOf(random) }, { $set: { out: true } }, { $out: 'out' }];
      const source = random.below(2) === 0;
      return {
        what: { pipeline, source },
        run: async (collection, db) => {
          await (source ? collection : db.collection(foreign)).aggregate(pipeline).toArray();
          return byId(db.collection('out'), {}, {});
        },
        isOrdered: true,
      };
    },
  ],
  [
    2,
    '$merge',
    ({ random, foreign, collection: own }) => {
      const into = pick(random, ['merged', own, foreign]);
      const pipeline = [
        { $match: filterOf(random) },
        // Nobody's shard key changes.
        ...(into === own ? [] : [{ $project: into === foreign ? { n: 1 } : { k: 1, m: 1, n: 1 } }]),
        { $set: { merged: random.below(100) } },
        {
          $merge: {
            into,
            ...(into === 'merged' ? {} : { on: '_id' }),
            whenMatched: pick<unknown>(random, [
              'merge',
              'keepExisting',
              [{ $set: { merged: { $add: ['$n', 1] } } }],
            ]),
            whenNotMatched: into === foreign ? 'discard' : 'insert',
          },
        },
      ];
      return {
        what: pipeline,
        run: async (collection, db) => {
          await collection.aggregate(pipeline).toArray();
          return byId(db.collection(into), {}, {});
        },
        isOrdered: true,
      };
    },
  ],
];

export async function anyOperation(scope: OperationScope): Promise<ShardedOperation> {
  const { random } = scope;
  const isWrite = random.below(5) < 2;
  const [name, make] = weighted(
    random,
    (isWrite ? WRITES : READS).map(
      ([weight, named, maker]) => [weight, () => [named, maker] as const] as const,
    ),
  );
  const { what, run, isOrdered = false, isLoose = false } = await make(scope);
  return {
    name,
    what,
    isOrdered,
    isLoose,
    isWrite,
    run: (db) => run(db.collection(scope.collection), db),
  };
}
