/**
 * Bounds of index scans, as explain shows them: what each condition becomes.
 */
import assert from 'node:assert/strict';
import { type Plain, TestStore } from '../executor/store.ts';

/** Filter, index by its key pattern, and the bounds of each of its fields. */
const CASES: readonly (readonly [Plain, Plain, readonly (readonly string[])[]])[] = [
  [{ a: 5 }, { a: 1 }, [['[5, 5]']]],
  [{ a: { $gt: 5 } }, { a: 1 }, [['(5, inf]']]],
  [{ a: { $lte: 5 } }, { a: 1 }, [['[-inf, 5]']]],
  [{ a: { $gt: 1, $lt: 5 } }, { a: 1 }, [['(1, 5)']]],
  [{ a: { $gt: 5, $lt: 1 } }, { a: 1 }, [[]]],
  [{ a: { $gte: 'x' } }, { a: 1 }, [['["x", {})']]],
  [{ a: { $in: [3, 1, 3] } }, { a: 1 }, [['[1, 1]', '[3, 3]']]],
  [{ a: null }, { a: 1 }, [['[undefined, undefined]', '[null, null]']]],
  [{ a: 5 }, { a: 1, b: 1 }, [['[5, 5]'], ['[MinKey, MaxKey]']]],
  [{ a: 5, b: { $lt: 2 } }, { a: 1, b: -1 }, [['[5, 5]'], ['(2, -inf]']]],
  [{ a: { $gt: 1 }, b: 7 }, { a: 1, b: 1 }, [['(1, inf]'], ['[7, 7]']]],
  [
    { $and: [{ a: { $gte: 1 } }, { a: { $lte: 4 } }, { a: { $in: [3, 9] } }] },
    { a: 1 },
    [['[3, 3]']],
  ],
];

/** Filters over documents with arrays: bounds must not be intersected across elements. */
const MULTIKEY: readonly (readonly [Plain, Plain, readonly (readonly string[])[]])[] = [
  [{ a: { $gt: 1, $lt: 5 } }, { a: 1 }, [['(1, inf]']]],
  [{ a: { $elemMatch: { $gt: 1, $lt: 5 } } }, { a: 1 }, [['(1, 5)']]],
  [{ 'l.x': 1, 'l.y': 2 }, { 'l.x': 1, 'l.y': 1 }, [['[1, 1]'], ['[MinKey, MaxKey]']]],
  [{ l: { $elemMatch: { x: 1, y: 2 } } }, { 'l.x': 1, 'l.y': 1 }, [['[1, 1]'], ['[2, 2]']]],
  [{ a: 3, b: 4 }, { a: 1, b: 1 }, [['[3, 3]'], ['[4, 4]']]],
  // One element of l, in which x is no array.
  [{ l: { $elemMatch: { x: { $gt: 1, $lt: 5 } } } }, { 'l.x': 1 }, [['(1, 5)']]],
  [
    { l: { $elemMatch: { x: { $gt: 1, $lt: 5 }, y: 2 } } },
    { 'l.x': 1, 'l.y': 1 },
    [['(1, 5)'], ['[2, 2]']],
  ],
  // Two $elemMatch may be met by two elements.
  [
    { $and: [{ l: { $elemMatch: { x: 1 } } }, { l: { $elemMatch: { x: { $gt: 0 } } } }] },
    { 'l.x': 1 },
    [['[1, 1]']],
  ],
  [
    { $and: [{ l: { $elemMatch: { x: 1 } } }, { l: { $elemMatch: { y: 2 } } }] },
    { 'l.x': 1, 'l.y': 1 },
    [['[1, 1]'], ['[MinKey, MaxKey]']],
  ],
  // The array lies below what they share.
  [{ 'o.t': 1, 'o.n': 2 }, { 'o.t': 1, 'o.n': 1 }, [['[1, 1]'], ['[2, 2]']]],
  [{ 'o.t': { $gt: 1, $lt: 5 }, 'o.n': 2 }, { 'o.t': 1, 'o.n': 1 }, [['(1, inf]'], ['[2, 2]']]],
  [{ 'o.n': { $gt: 1, $lt: 5 }, 'o.t': 2 }, { 'o.n': 1, 'o.t': 1 }, [['(1, 5)'], ['[2, 2]']]],
  // An array in the element: its own elements are not the same.
  [{ l: { $elemMatch: { z: { $gt: 1, $lt: 5 } } } }, { 'l.z': 1 }, [['(1, inf]']]],
  [
    { l: { $elemMatch: { z: { $elemMatch: { $gt: 1, $lt: 5 } }, y: 1 } } },
    { 'l.y': 1, 'l.z': 1 },
    [['[1, 1]'], ['(1, 5)']],
  ],
  // Two arrays, one in the other.
  [{ 'm.p': { $elemMatch: { q: 1, r: 2 } } }, { 'm.p.q': 1, 'm.p.r': 1 }, [['[1, 1]'], ['[2, 2]']]],
  [
    { m: { $elemMatch: { 'p.q': 1, 'p.r': 2 } } },
    { 'm.p.q': 1, 'm.p.r': 1 },
    [['[1, 1]'], ['[MinKey, MaxKey]']],
  ],
  [
    { m: { $elemMatch: { p: { $elemMatch: { q: 1, r: 2 } }, s: 3 } } },
    { 'm.p.q': 1, 'm.p.r': 1, 'm.s': 1 },
    [['[1, 1]'], ['[2, 2]'], ['[3, 3]']],
  ],
];

function scanOf(plan: Plain): Plain {
  return plan['stage'] === 'IXSCAN' ? plan : scanOf(plan['inputStage'] as Plain);
}

const nameOf = (key: Plain): string =>
  Object.entries(key)
    .map(([path, direction]) => `${path}_${String(direction)}`)
    .join('_');

async function boundsOf(
  documents: readonly Plain[],
  filter: Plain,
  key: Plain,
): Promise<unknown[]> {
  const store = await TestStore.open(documents, [{ v: 2, key, name: nameOf(key) }]);
  const explained = await store.explain({ filter, hint: nameOf(key) });
  await store.close();
  const planner = explained['queryPlanner'] as Plain;
  return Object.values(scanOf(planner['winningPlan'] as Plain)['indexBounds'] as Plain);
}

describe('index bounds', () => {
  for (const [filter, key, expected] of CASES) {
    it(`of ${JSON.stringify(filter)} on ${nameOf(key)}`, async () => {
      assert.deepEqual(await boundsOf([{ _id: 1, a: 1, b: 1 }], filter, key), expected);
    });
  }

  for (const [filter, key, expected] of MULTIKEY) {
    it(`of ${JSON.stringify(filter)} on multikey ${nameOf(key)}`, async () => {
      const arrays = [
        {
          _id: 1,
          a: [1, 9],
          b: 1,
          l: [
            { x: 1, y: 1, z: [1, 2] },
            { x: 2, y: 2 },
          ],
          o: { t: [1, 2], n: 2 },
          m: [{ p: [{ q: 1, r: 2 }], s: 3 }],
        },
      ];
      assert.deepEqual(await boundsOf(arrays, filter, key), expected);
    });
  }
});

describe('explain', () => {
  const pathsOf = async (document: Plain, key: Plain, filter: Plain): Promise<unknown> => {
    const store = await TestStore.open([document], [{ v: 2, key, name: nameOf(key) }]);
    const explained = await store.explain({ filter, hint: nameOf(key) });
    await store.close();
    const planner = explained['queryPlanner'] as Plain;
    return scanOf(planner['winningPlan'] as Plain)['multiKeyPaths'];
  };

  it('names the parts of paths that are arrays', async () => {
    const document = { _id: 1, a: [{ b: [1, 2], c: 1 }], d: { e: [1] } };
    const key = { 'a.b': 1, 'a.c': 1 };
    assert.deepEqual(await pathsOf(document, key, { 'a.b': 1 }), {
      'a.b': ['a', 'a.b'],
      'a.c': ['a'],
    });
    assert.deepEqual(await pathsOf(document, { 'd.e': 1, f: 1 }, { 'd.e': 1 }), {
      'd.e': ['d.e'],
      f: [],
    });
  });

  it('names them of the path that a wildcard index is asked for', async () => {
    const document = { _id: 1, a: { b: [{ c: 1 }], x: 1 } };
    assert.deepEqual(await pathsOf(document, { '$**': 1 }, { 'a.b.c': 1 }), {
      $_path: [],
      'a.b.c': ['a.b'],
    });
    assert.deepEqual(await pathsOf(document, { '$**': 1 }, { 'a.x': 1 }), {
      $_path: [],
      'a.x': [],
    });
  });
});

describe('the choice of an index', () => {
  const chosen = async (
    indexes: readonly Plain[],
    filter: Plain,
    sort?: Plain,
  ): Promise<string> => {
    const specs = indexes.map((key) => ({ v: 2, key, name: nameOf(key) }));
    const store = await TestStore.open([{ _id: 1, a: 1, b: 1, c: 1 }], specs);
    const request = sort === undefined ? { filter } : { filter, sort };
    const explained = await store.explain(request);
    await store.close();
    const planner = explained['queryPlanner'] as Plain;
    return String(scanOf(planner['winningPlan'] as Plain)['indexName']);
  };

  it('prefers the longer prefix of equalities', async () => {
    assert.equal(await chosen([{ a: 1 }, { a: 1, b: 1 }], { a: 1, b: 1 }), 'a_1_b_1');
  });

  it('prefers an equality to a range', async () => {
    assert.equal(await chosen([{ a: 1 }, { b: 1 }], { a: { $gt: 0 }, b: 1 }), 'b_1');
  });

  it('finds out which of two equalities has fewer entries', async () => {
    const documents = Array.from({ length: 300 }, (_, i) => ({ _id: i, rare: i, often: 1 }));
    const specs = [{ often: 1 }, { rare: 1 }].map((key) => ({ v: 2, key, name: nameOf(key) }));
    const store = await TestStore.open(documents, specs);
    const explained = await store.explain({ filter: { often: 1, rare: 7 } });
    const stats = explained['executionStats'] as Plain;
    assert.equal(stats['totalKeysExamined'], 1);
    await store.close();
  });

  it('prefers the index that also sorts', async () => {
    assert.equal(await chosen([{ a: 1 }, { a: 1, c: 1 }], { a: 1 }, { c: -1 }), 'a_1_c_1');
  });

  it('reads all of an index that lacks documents rather than all documents', async () => {
    const store = await TestStore.open(
      Array.from({ length: 20 }, (_, _id) => (_id % 5 === 0 ? { _id, a: 1, b: _id } : { _id })),
      [
        { v: 2, key: { a: 1 }, name: 's', sparse: true },
        { v: 2, key: { b: 1 }, name: 'p', partialFilterExpression: { b: { $exists: true } } },
      ],
    );
    for (const [field, index] of [
      ['a', 's'],
      ['b', 'p'],
    ] as const) {
      const filter = { [field]: { $exists: true } };
      const explained = await store.explain({ filter });
      const planner = explained['queryPlanner'] as Plain;
      assert.equal(scanOf(planner['winningPlan'] as Plain)['indexName'], index);
      assert.equal((explained['executionStats'] as Plain)['totalDocsExamined'], 4);
      const expected = await store.find({ filter, hint: { $natural: 1 } });
      assert.deepEqual(await store.find({ filter }), expected);
    }
    assert.equal((await store.find({ filter: { a: { $exists: false } } })).length, 16);
    await store.close();
  });

  it('leaves a partial index to filters that imply its own', async () => {
    const partial = { v: 2, key: { a: 1 }, name: 'p', partialFilterExpression: { b: { $gt: 5 } } };
    const store = await TestStore.open([{ _id: 1, a: 1, b: 9 }], [partial]);
    const stageOf = async (filter: Plain): Promise<unknown> => {
      const planner = (await store.explain({ filter }))['queryPlanner'] as Plain;
      return (planner['winningPlan'] as Plain)['stage'];
    };
    assert.equal(await stageOf({ a: 1 }), 'COLLSCAN');
    assert.equal(await stageOf({ a: 1, b: { $gt: 4 } }), 'COLLSCAN');
    assert.equal(await stageOf({ a: 1, b: { $gte: 6 } }), 'FETCH');
    assert.equal(await stageOf({ a: 1, b: 7 }), 'FETCH');
    await store.close();
  });
});
