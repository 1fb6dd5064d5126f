/**
 * Finds on the real engine: every plan gives what a scan with the same filter gives.
 */
import assert from 'node:assert/strict';
import { CommandError } from '../../../common/errors.ts';
import { compileCollation } from '../../../query/index.ts';
import { bytes, context, type Plain, type PlainFind, TestStore } from './store.ts';

const DOCUMENTS: readonly Plain[] = [
  { _id: 1, a: 1, b: 'x', tags: ['p', 'q'], n: { m: 5 } },
  { _id: 2, a: 2, b: 'y', tags: ['q'], n: { m: 7 } },
  { _id: 3, a: 2, b: 'x', tags: [] },
  { _id: 4, a: null, b: 'abc', tags: 'q' },
  {
    _id: 5,
    b: 'abd',
    items: [
      { k: 1, v: 1 },
      { k: 2, v: 2 },
    ],
  },
  { _id: 6, a: [1, 9], b: 'abc', items: [{ k: 1, v: 2 }] },
  { _id: 7, a: 'text', b: 'z' },
  { _id: 8, a: 2.5, b: 'y' },
  { _id: 9, a: [[1]], b: 'y' },
  { _id: 10, a: new Date(5), b: /^ab/ },
];

const INDEXES: readonly Plain[] = [
  { v: 2, key: { a: 1 }, name: 'a_1' },
  { v: 2, key: { b: 1, a: -1 }, name: 'b_1_a_-1' },
  { v: 2, key: { tags: 1 }, name: 'tags_1' },
  { v: 2, key: { 'items.k': 1, 'items.v': 1 }, name: 'items' },
  { v: 2, key: { 'n.m': 1 }, name: 'sparse', sparse: true },
];

/** Filters, and the index that the plan is expected to use (undefined: none). */
const CASES: readonly (readonly [Plain, string | undefined])[] = [
  [{ a: 2 }, 'a_1'],
  [{ a: { $gt: 1 } }, 'a_1'],
  [{ a: { $gt: 1, $lt: 3 } }, 'a_1'],
  [{ a: { $gte: 1, $lte: 2 } }, 'a_1'],
  [{ a: { $gt: 8, $lt: 2 } }, 'a_1'],
  [{ a: null }, 'a_1'],
  [{ a: { $exists: false } }, 'a_1'],
  [{ a: { $exists: true } }, undefined],
  [{ a: { $in: [1, 2, 'text'] } }, 'a_1'],
  [{ a: { $in: [null, 9] } }, 'a_1'],
  [{ a: [1, 9] }, 'a_1'],
  [{ a: [1] }, 'a_1'],
  [{ a: { $ne: 2 } }, 'a_1'],
  [{ a: new Date(5) }, 'a_1'],
  [{ a: { $lt: new Date(6) } }, 'a_1'],
  [{ b: 'x', a: { $gt: 1 } }, 'b_1_a_-1'],
  [{ b: { $in: ['x', 'y'] }, a: 2 }, 'a_1'],
  [{ b: { $gte: 'abc' } }, 'b_1_a_-1'],
  [{ b: /^ab/ }, 'b_1_a_-1'],
  [{ b: /^abc?/ }, 'b_1_a_-1'],
  [{ b: /b/ }, 'b_1_a_-1'],
  [{ tags: 'q' }, 'tags_1'],
  [{ tags: { $all: ['p', 'q'] } }, 'tags_1'],
  [{ tags: [] }, 'tags_1'],
  [{ tags: { $size: 1 } }, undefined],
  [{ 'items.k': 1, 'items.v': 2 }, 'items'],
  [{ items: { $elemMatch: { k: 1, v: 2 } } }, 'items'],
  [{ items: { $elemMatch: { k: 2, v: 1 } } }, 'items'],
  [{ 'n.m': { $gt: 5 } }, 'sparse'],
  [{ 'n.m': null }, undefined],
  [{ $or: [{ a: 1 }, { tags: 'q' }] }, 'OR'],
  [{ $or: [{ a: 1 }, { z: 3 }] }, undefined],
  [{ a: { $not: { $gt: 1 } } }, 'a_1'],
  [{ b: { $gt: 'a', $lt: 'b' }, a: { $type: 'number' } }, 'b_1_a_-1'],
  [{ $expr: { $eq: ['$b', 'x'] } }, 'b_1_a_-1'],
  [{ $expr: { $and: [{ $gt: ['$b', 'abc'] }, { $lt: ['$b', 'y'] }] } }, 'b_1_a_-1'],
  [{ $expr: { $lt: [6, '$n.m'] } }, 'sparse'],
  [{ $expr: { $eq: ['$a', 2] } }, undefined],
  [{ $expr: { $eq: ['$b', '$a'] } }, undefined],
];

/** Names of the index scans in a plan, 'OR' for several joined. */
function indexOf(plan: Plain): string | undefined {
  if (plan['stage'] === 'OR') return 'OR';
  if (typeof plan['indexName'] === 'string') return plan['indexName'];
  return plan['inputStage'] === undefined ? undefined : indexOf(plan['inputStage'] as Plain);
}

function winningPlan(explained: Plain): Plain {
  return (explained['queryPlanner'] as Plain)['winningPlan'] as Plain;
}

const ids = (documents: readonly Plain[]): unknown[] =>
  documents.map((document) => document['_id']);
const sorted = (documents: readonly Plain[]): unknown[] =>
  (ids(documents) as number[]).sort((a, b) => a - b);

const compareText = (a: unknown, b: unknown): number => (String(a) < String(b) ? -1 : 1);

describe('find', () => {
  let indexed: TestStore;
  let bare: TestStore;

  before(async () => {
    indexed = await TestStore.open(DOCUMENTS, INDEXES);
    bare = await TestStore.open(DOCUMENTS);
  });

  after(async () => {
    await indexed.close();
    await bare.close();
  });

  for (const [filter, index] of CASES) {
    it(`finds the same with and without indexes: ${JSON.stringify(filter)}`, async () => {
      const expected = sorted(await bare.find({ filter }));
      assert.deepEqual(sorted(await indexed.find({ filter })), expected);
      assert.equal(indexOf(winningPlan(await indexed.explain({ filter }))), index);
      assert.equal(await indexed.count(filter), expected.length);
    });
  }

  const SORTS: readonly PlainFind[] = [
    { sort: { a: 1 } },
    { sort: { a: -1, _id: 1 } },
    { filter: { b: 'x' }, sort: { a: 1 } },
    { filter: { b: 'y' }, sort: { a: -1 } },
    { filter: { b: { $gte: 'a' } }, sort: { b: 1, a: -1 } },
    { filter: { b: { $gte: 'a' } }, sort: { b: -1, a: 1 } },
    { sort: { tags: 1 } },
    { sort: { tags: -1 } },
    { sort: { _id: -1 }, limit: 3 },
    { sort: { a: 1, _id: -1 }, skip: 2, limit: 4 },
  ];
  for (const request of SORTS) {
    it(`sorts alike with and without indexes: ${JSON.stringify(request)}`, async () => {
      const key = Object.keys(request.sort!);
      // Without _id documents of equal keys may come in any order: then only the keys are compared.
      const decisive = request.sort![key[0]] === 1 ? 0 : -1;
      const keyOf = (value: unknown): unknown =>
        Array.isArray(value)
          ? ([...value].sort(compareText).at(decisive) ?? null)
          : (value ?? null);
      const shown = (documents: readonly Plain[]): unknown[] =>
        key.includes('_id') ? ids(documents) : documents.map((document) => keyOf(document[key[0]]));
      const withIndexes = await indexed.find(request);
      assert.deepEqual(shown(withIndexes), shown(await bare.find(request)));
      assert.equal(new Set(ids(withIndexes)).size, withIndexes.length);
    });
  }

  it('takes an order from an index instead of sorting', async () => {
    const plan = winningPlan(await indexed.explain({ filter: { b: 'x' }, sort: { a: -1 } }));
    assert.equal(plan['stage'], 'FETCH');
    const reverse = winningPlan(await indexed.explain({ sort: { _id: -1 } }));
    assert.equal((reverse['inputStage'] as Plain)['direction'], 'backward');
  });

  it('does not take an order from bounds on an array field', async () => {
    const plan = winningPlan(await indexed.explain({ filter: { a: { $gt: 0 } }, sort: { a: 1 } }));
    assert.equal(plan['stage'], 'SORT');
  });

  it('finds by _id through the express plan', async () => {
    assert.deepEqual(ids(await indexed.find({ filter: { _id: 3 } })), [3]);
    assert.deepEqual(await indexed.find({ filter: { _id: 33 } }), []);
    const explained = await indexed.explain({ filter: { _id: 3 } });
    assert.equal(winningPlan(explained)['stage'], 'EXPRESS_IXSCAN');
    const projected = { filter: { _id: 1 }, projection: { a: 1 } };
    assert.deepEqual(await indexed.find(projected), [{ _id: 1, a: 1 }]);
  });

  it('projects from the index alone when it holds all that is wanted', async () => {
    const store = await TestStore.open(
      [
        { _id: 1, k: 1, v: 'a' },
        { _id: 2, k: 2 },
        { _id: 3, k: 2, v: 'c' },
      ],
      [{ v: 2, key: { k: 1, v: 1 }, name: 'k_v' }],
    );
    const request = { filter: { k: { $gte: 1 } }, projection: { _id: 0, v: 1 } };
    const explained = await store.explain(request);
    assert.equal(winningPlan(explained)['stage'], 'PROJECTION_COVERED');
    // The one without v has to be looked up: null in an index may stand for a missing field.
    assert.equal((explained['executionStats'] as Plain)['totalDocsExamined'], 1);
    assert.deepEqual(await store.find(request), [{ v: 'a' }, {}, { v: 'c' }]);
    await store.close();
  });

  it('follows a hint by name, by pattern and to the natural order', async () => {
    const byName = await indexed.explain({ filter: { a: 2 }, hint: 'b_1_a_-1' });
    assert.equal(indexOf(winningPlan(byName)), 'b_1_a_-1');
    const byPattern = await indexed.explain({ filter: { b: 'x' }, hint: { a: 1 } });
    assert.equal(indexOf(winningPlan(byPattern)), 'a_1');
    const natural = await indexed.find({ hint: { $natural: -1 } });
    assert.deepEqual(ids(natural), [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]);
    assert.deepEqual(sorted(await indexed.find({ filter: { a: 2 }, hint: 'b_1_a_-1' })), [2, 3]);
    await assert.rejects(
      () => indexed.find({ hint: 'nope' }),
      (error) => error instanceof CommandError && error.code === 2,
    );
  });

  it('bounds a hinted index by min and max', async () => {
    const request = { hint: { _id: 1 }, min: { _id: 3 }, max: { _id: 6 } };
    assert.deepEqual(ids(await indexed.find(request)), [3, 4, 5]);
  });

  it('takes as min and max what the hinted index can have', async () => {
    const hint = { _id: 1 };
    assert.equal((await indexed.find({ hint, min: {}, max: { _id: 3 } })).length, 2);
    const refused: readonly (readonly [Parameters<TestStore['find']>[0], number])[] = [
      [{ min: { _id: 3 } }, 51173],
      [{ hint: { $natural: 1 }, min: { _id: 3 } }, 291],
      [{ hint, min: { a: 3 } }, 51174],
      [{ hint, min: { _id: 3, a: 1 } }, 51174],
      [{ hint: 'b_1_a_-1', min: { a: 1, b: 1 } }, 51174],
      [{ hint, min: { _id: 3 }, max: { _id: 3 } }, 51175],
      [{ hint, min: { _id: 3 }, max: { _id: 2 } }, 51175],
    ];
    for (const [request, code] of refused) {
      await assert.rejects(
        () => indexed.find(request),
        (error) => error instanceof CommandError && error.code === code,
        JSON.stringify(request),
      );
    }
  });

  it('takes strings as min and max only of an index that orders them as the query does', async () => {
    const collation = { locale: 'en', strength: 2 };
    const store = await TestStore.open(
      ['a', 'B', 'c', 'D', 3].map((value, _id) => ({ _id, value })),
      [
        { v: 2, key: { value: 1 }, name: 'plain' },
        { v: 2, key: { value: 1 }, name: 'collated', collation },
      ],
    );
    const collated = { ...context, collator: compileCollation(bytes(collation))! };
    const min = { value: 'b' };
    const max = { value: 'd' };
    const found = await store.find({ hint: 'collated', min, max }, collated);
    assert.deepEqual(ids(found), [1, 2]);
    const numbers = await store.find({ hint: 'collated', min: { value: 1 }, max: { value: 5 } });
    assert.deepEqual(ids(numbers), [4]);
    for (const [hint, using] of [
      ['collated', context],
      ['plain', collated],
    ] as const) {
      await assert.rejects(
        () => store.find({ hint, min }, using),
        (error) => error instanceof CommandError && error.code === 51174,
      );
    }
    await store.close();
  });

  it('gives keys and record ids on request', async () => {
    const keys = await indexed.find({ filter: { b: 'z' }, returnKey: true });
    assert.deepEqual(keys, [{ b: 'z', a: 'text' }]);
    const [withId] = await indexed.find({ filter: { b: 'z' }, showRecordId: true });
    assert.equal(typeof withId['$recordId'], 'number');
  });

  it('gives distinct values, elements of arrays one by one', async () => {
    assert.deepEqual(await indexed.distinct('tags'), ['p', 'q']);
    assert.deepEqual(await indexed.distinct('items.k', { _id: { $gt: 5 } }), [1]);
    assert.deepEqual(await indexed.distinct('_id', { _id: { $gt: 8 } }), [9, 10]);
    assert.equal((await indexed.distinct('_id')).length, 10);
    assert.deepEqual(await indexed.distinct('_id.a'), []);
  });

  it('gives distinct values that match by their value, not by their range alone', async () => {
    const values = [1, 2, 3, 4, 5, 'a', 'ba', 'cb'];
    const store = await TestStore.open(
      values.map((m, t) => ({ _id: t, m, t })),
      [{ v: 2, key: { m: 1, t: 1 }, name: 'm_1_t_1' }],
    );
    const CONDITIONS: readonly (readonly [Plain, readonly number[]])[] = [
      [{ $mod: [2, 1] }, [0, 2, 4]],
      [{ $bitsAllSet: 2 }, [1, 2]],
      [{ $type: 'double' }, []],
      [{ $regex: 'a' }, [5, 6]],
    ];
    for (const [condition, times] of CONDITIONS) {
      const matching = times.map((time) => values[time]);
      assert.deepEqual(await store.distinct('m', { m: condition }), matching);
      assert.deepEqual(await store.distinct('t', { m: condition }), times);
    }
    await store.close();
  });

  it('counts with skip and limit', async () => {
    assert.equal(await indexed.count({}), 10);
    assert.equal(await indexed.count({}, { skip: 4, limit: 3 }), 3);
    assert.equal(await indexed.count({ b: 'y' }, { limit: 2 }), 2);
  });
});
