/**
 * Random documents, indexes, filters and sorts: whatever plan is chosen, it gives what a collection scan gives.
 */
import assert from 'node:assert/strict';
import { BSONSymbol } from 'bson';
import fc from 'fast-check';
import { CommandError } from '../../../common/errors.ts';
import { systemClock } from '../../../common/clock.ts';
import {
  compileCollation,
  createPlannerServices,
  type QueryContext,
} from '../../../query/index.ts';
import { bytes, context, type Plain, TestStore } from '../executor/store.ts';

/** Two indexes are intersected wherever that is possible. */
const intersecting = (): QueryContext => ({
  ...context,
  planner: createPlannerServices(systemClock, { intersections: () => 'forced' }),
});

const scalar = fc.oneof(
  fc.integer({ min: 0, max: 4 }),
  fc.constantFrom<unknown>(null, 'a', 'ab', 'b', true, 2.5, new Date(3), Number.NaN),
);
const inner = fc.record({ x: scalar, y: scalar }, { requiredKeys: [] });
const value = fc.oneof(
  { weight: 4, arbitrary: scalar },
  { weight: 1, arbitrary: fc.array(scalar, { maxLength: 3 }) },
  { weight: 1, arbitrary: inner },
  { weight: 1, arbitrary: fc.array(fc.oneof(inner, scalar), { maxLength: 3 }) },
);
const document = fc.record({ a: value, b: value, c: scalar }, { requiredKeys: [] });

const path = fc.constantFrom('a', 'b', 'c', 'a.x', 'a.y', 'b.x');
const operand = fc.oneof(scalar, fc.array(scalar, { maxLength: 2 }));
const condition: fc.Arbitrary<unknown> = fc.oneof(
  operand,
  fc.record({ $gt: scalar }),
  fc.record({ $gte: scalar, $lt: scalar }),
  fc.record({ $lte: operand }),
  fc.record({ $in: fc.array(operand, { maxLength: 3 }) }),
  fc.record({ $ne: scalar }),
  fc.record({ $exists: fc.boolean() }),
  fc.record({ $not: fc.record({ $lt: scalar }) }),
  fc.record({ $elemMatch: fc.record({ $gte: scalar, $lte: scalar }) }),
  fc.record({ $elemMatch: fc.record({ x: scalar, y: scalar }) }),
  fc.record({ $all: fc.array(scalar, { minLength: 1, maxLength: 2 }) }),
  fc.constant({ $regex: '^a' }),
  fc.record({ $type: fc.constantFrom('number', 'string', 'null') }),
);
const simpleFilter = fc.dictionary(path, condition, { maxKeys: 3 });
const expressionFilter = fc
  .tuple(fc.constantFrom('$eq', '$gt', '$lte'), path, scalar)
  .map(([operator, field, constant]) => ({ $expr: { [operator]: [`$${field}`, constant] } }));
const filter: fc.Arbitrary<object> = fc.oneof(
  { weight: 4, arbitrary: simpleFilter },
  { weight: 1, arbitrary: expressionFilter },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.array(simpleFilter, { minLength: 1, maxLength: 2 }), simpleFilter)
      .map(([$or, rest]) => ({ ...rest, $or })),
  },
  {
    weight: 1,
    arbitrary: fc.array(simpleFilter, { minLength: 1, maxLength: 2 }).map(($and) => ({ $and })),
  },
);

const direction = fc.constantFrom(1, -1);
const keyPattern = fc
  .uniqueArray(fc.tuple(path, direction), { minLength: 1, maxLength: 3, selector: ([p]) => p })
  .map((entries): Record<string, number> => Object.fromEntries(entries));
const index = fc.record({ key: keyPattern, sparse: fc.boolean() });
const sort = fc.option(keyPattern, { nil: undefined });

/** Documents that an index would refuse: arrays on two of its paths. */
async function openStore(
  documents: readonly Plain[],
  indexes: readonly { key: Plain; sparse: boolean }[],
): Promise<TestStore | undefined> {
  const named = indexes.map(({ key, sparse }, position) => ({
    v: 2,
    key,
    name: `i${position}`,
    ...(sparse ? { sparse } : {}),
  }));
  const store = await TestStore.open([], named);
  const write = store.engine.begin();
  try {
    for (const entry of documents) write.insert(write.collection(store.namespace)!, bytes(entry));
    write.commit();
    return store;
  } catch {
    write.abort();
    await store.close();
    return undefined;
  }
}

const idsOf = (documents: readonly Plain[]): number[] =>
  documents.map((found) => found['_id'] as number);
const ascending = (ids: readonly number[]): number[] => [...ids].sort((a, b) => a - b);

describe('any plan', function () {
  this.timeout(60_000);

  it('finds, orders and counts as a scan without indexes does', async () => {
    const property = fc.asyncProperty(
      fc.array(document, { maxLength: 12 }),
      fc.array(index, { minLength: 1, maxLength: 3 }),
      fc.array(fc.tuple(filter, sort), { minLength: 4, maxLength: 8 }),
      async (contents, indexes, queries) => {
        const documents = contents.map((content, position) => ({ _id: position, ...content }));
        const indexed = await openStore(documents, indexes);
        fc.pre(indexed !== undefined);
        const bare = await TestStore.open(documents);
        try {
          for (const [wanted, order] of queries)
            await compare(indexed, bare, wanted as Plain, order);
        } finally {
          await indexed.close();
          await bare.close();
        }
      },
    );
    await fc.assert(property, { numRuns: 60, interruptAfterTimeLimit: 9000 });
  });
});

async function compare(
  indexed: TestStore,
  bare: TestStore,
  wanted: Plain,
  order: Record<string, number> | undefined,
): Promise<void> {
  const shown = JSON.stringify({ wanted, order });
  const expected = await bare.find({ filter: wanted });
  const found = await indexed.find({ filter: wanted });
  assert.deepEqual(ascending(idsOf(found)), ascending(idsOf(expected)), shown);
  assert.equal(await indexed.count(wanted), expected.length, shown);
  const forced = intersecting();
  const common = await indexed.find({ filter: wanted }, forced);
  assert.deepEqual(ascending(idsOf(common)), ascending(idsOf(expected)), shown);
  assert.equal(await indexed.count(wanted, {}, forced), expected.length, shown);
  if (order === undefined || !(await canSort(bare, wanted, order))) return;
  // The _id makes the order total, so that it can be compared; without it an index may give the order.
  const total = { ...order, _id: 1 };
  const inOrder = idsOf(await indexed.find({ filter: wanted, sort: total }));
  assert.deepEqual(inOrder, idsOf(await bare.find({ filter: wanted, sort: total })), shown);
  const partly = await indexed.find({ filter: wanted, sort: order });
  assert.deepEqual(ascending(idsOf(partly)), ascending(inOrder), shown);
  await assertOrdered(bare, partly, order, shown);
}

/** Two arrays among the sort fields of a document are an error, as in MongoDB. */
async function canSort(bare: TestStore, wanted: Plain, order: Plain): Promise<boolean> {
  try {
    await bare.find({ filter: wanted, sort: order });
    return true;
  } catch (error) {
    if (error instanceof CommandError) return false;
    throw error;
  }
}

/** Documents in an order are in it: sorting them again, stably, changes nothing. */
async function assertOrdered(
  bare: TestStore,
  documents: readonly Plain[],
  order: Record<string, number>,
  shown: string,
): Promise<void> {
  const positions = documents.map((entry, position) => ({ ...entry, _id: position }));
  const name = `test.sorted${sorted}`;
  sorted += 1;
  await bare.add(name, positions);
  const again = await bare.find({ sort: { ...order, _id: 1 } }, undefined, name);
  assert.deepEqual(idsOf(again), idsOf(positions), shown);
}

let sorted = 0;

describe('an index', () => {
  const CASES: readonly (readonly [
    what: string,
    documents: readonly Plain[],
    query: { readonly filter: Plain; readonly collation?: Plain },
  ])[] = [
    [
      'on an element by its number serves no condition that a field of that name may meet by being absent',
      [
        { _id: 0, a: [{ x: 1 }] },
        { _id: 1, a: 1 },
        { _id: 2, a: [5] },
      ],
      { filter: { 'a.0': null } },
    ],
    [
      'without collation serves no symbol under one',
      [
        { _id: 0, a: 'b' },
        { _id: 1, a: 'B' },
        { _id: 2, a: 'c' },
      ],
      { filter: { a: new BSONSymbol('b') }, collation: { locale: 'en', strength: 2 } },
    ],
  ];

  for (const [what, documents, { filter: asked, collation }] of CASES) {
    it(what, async () => {
      const path = Object.keys(asked)[0];
      const indexed = await TestStore.open(documents, [{ v: 2, key: { [path]: 1 }, name: 'i' }]);
      try {
        const collator = collation && compileCollation(bytes(collation));
        const found = await indexed.find(
          { filter: asked },
          collator === undefined ? context : { ...context, collator },
        );
        assert.deepEqual(ascending(idsOf(found)), [0, 1]);
      } finally {
        await indexed.close();
      }
    });
  }
});
