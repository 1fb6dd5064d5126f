/**
 * The short way for equality on a unique index.
 */
import assert from 'node:assert/strict';
import { createPlannerServices, type QueryContext } from '../../../query/index.ts';
import { systemClock } from '../../../common/clock.ts';
import { context, type Plain, TestStore } from '../executor/store.ts';

const index = (key: Plain, options: Plain = {}): Plain => ({
  v: 2,
  key,
  name: Object.keys(key).join(),
  ...options,
});

const DOCUMENTS: readonly Plain[] = [
  { _id: 1, code: 'a', deep: { n: 1 }, list: [1, 2], half: 1, veiled: 1, many: 1 },
  { _id: 2, code: 'b', deep: { n: 2 }, list: [3], half: 2, veiled: 2, many: 1 },
  { _id: 3, code: `long${'x'.repeat(3000)}1`, list: { y: 1 }, half: 3, veiled: 3, many: 1 },
  { _id: 4, code: `long${'x'.repeat(3000)}2`, list: [], half: 4, veiled: 4, many: 1 },
];

const INDEXES: readonly Plain[] = [
  index({ code: -1 }, { unique: true }),
  index({ 'deep.n': 1 }, { unique: true, sparse: true }),
  index({ list: 1 }, { unique: true }),
  index({ half: 1 }, { unique: true, partialFilterExpression: { half: { $gt: 2 } } }),
  index({ veiled: 1 }, { unique: true, hidden: true }),
  index({ many: 1, _id: 1 }, { unique: true }),
];

describe('equality on a unique index', () => {
  let store: TestStore;
  before(async () => {
    store = await TestStore.open(DOCUMENTS, INDEXES);
  });
  after(() => store.close());

  const stageOf = async (filter: Plain, more: Plain = {}): Promise<unknown> => {
    const explained = await store.explain({ filter, ...more });
    return ((explained['queryPlanner'] as Plain)['winningPlan'] as Plain)['stage'];
  };

  it('finds its document by one look-up', async () => {
    const found: readonly (readonly [Plain, number[]])[] = [
      [{ code: 'b' }, [2]],
      [{ code: 'c' }, []],
      [{ 'deep.n': 2 }, [2]],
      [{ list: 3 }, [2]],
      [{ list: 2 }, [1]],
      [{ list: { y: 1 } }, [3]],
      [{ code: `long${'x'.repeat(3000)}2` }, [4]],
      [{ code: `long${'x'.repeat(3000)}3` }, []],
    ];
    for (const [filter, expected] of found) {
      assert.equal(await stageOf(filter), 'EXPRESS_IXSCAN');
      const documents = await store.find({ filter });
      assert.deepEqual(
        documents.map(({ _id }) => _id),
        expected,
      );
    }
  });

  it('says which index it used', async () => {
    const explained = await store.explain({ filter: { code: 'a' } });
    const plan = (explained['queryPlanner'] as Plain)['winningPlan'] as Plain;
    assert.equal(plan['keyPattern'], '{ code: -1 }');
    assert.equal(plan['indexName'], 'code');
    const statistics = explained['executionStats'] as Plain;
    assert.equal(statistics['totalKeysExamined'], 1);
    assert.equal(statistics['totalDocsExamined'], 1);
  });

  it('is left to other plans where the index may lack documents, or the value means more', async () => {
    for (const filter of [
      { half: 3 },
      { veiled: 3 },
      { many: 1 },
      { code: null },
      { list: [3] },
      { code: /^b/ },
      { code: { $gt: 'a' } },
      { code: 'b', _id: 2 },
      { 'list.0': 3 },
    ]) {
      assert.notEqual(await stageOf(filter as Plain), 'EXPRESS_IXSCAN', JSON.stringify(filter));
    }
    assert.deepEqual(
      (await store.find({ filter: { list: [3] } })).map(({ _id }) => _id),
      [2],
    );
  });

  it('reads no document when the index has all that is wanted', async () => {
    const explained = await store.explain({
      filter: { code: 'a' },
      projection: { _id: 0, code: 1 },
    });
    const statistics = explained['executionStats'] as Plain;
    assert.equal(statistics['totalDocsExamined'], 0);
    assert.equal(await stageOf({ code: 'a' }, { projection: { deep: 1 } }), 'PROJECTION_SIMPLE');
  });

  it('keeps to the indexes that an index filter allows', async () => {
    const planner = createPlannerServices(systemClock);
    const filtered: QueryContext = { ...context, planner };
    const view = store.engine.snapshot();
    const collection = view.collection('test.c')!;
    view.close();
    const seen: string[] = [];
    const observer = { planStarted: ({ summary }: { summary: string }) => seen.push(summary) };
    const ask = (): Promise<Plain[]> =>
      store.find({ filter: { code: 'b' } }, { ...filtered, observer } as QueryContext);
    assert.equal((await ask()).length, 1);
    planner.planCaches.of(collection).setFilter('another shape', {
      query: {
        filter: Buffer.alloc(0),
        sort: Buffer.alloc(0),
        projection: Buffer.alloc(0),
        collation: Buffer.alloc(0),
      },
      indexes: [],
    });
    assert.equal((await ask()).length, 1);
    assert.deepEqual(seen, ['EXPRESS_IXSCAN { code: -1 }', 'IXSCAN { code: -1 }']);
  });
});
