/**
 * Two indexes for one filter: what their intersection gives, when it is taken, and what it must not do.
 */
import assert from 'node:assert/strict';
import { systemClock } from '../../../common/clock.ts';
import { type Interruption, uninterruptible } from '../../../common/interruption.ts';
import {
  createPlannerServices,
  type IntersectionRule,
  planQuery,
  type QueryContext,
} from '../../../query/index.ts';
import {
  bytes,
  collectRaw,
  context,
  type Plain,
  type PlainFind,
  plain,
  rawRequest,
  TestStore,
} from '../executor/store.ts';

import type { RecordId } from '../../../storage/index.ts';

const RECORDS = 20_000;

function withRule(rule: IntersectionRule): QueryContext {
  const planner = createPlannerServices(systemClock, { intersections: () => rule });
  return { ...context, planner };
}

const idsOf = (documents: readonly Plain[]): number[] =>
  documents.map(({ _id }) => _id as number).sort((a, b) => a - b);

/** The stages from the top down the first inputs. */
function stagesOf(shown: Plain): string[] {
  const inputs = shown['inputStages'] as Plain[] | undefined;
  const below = (shown['inputStage'] ?? inputs?.[0]) as Plain | undefined;
  return [shown['stage'] as string, ...(below === undefined ? [] : stagesOf(below))];
}

const planOf = (explained: Plain): Plain =>
  (explained['queryPlanner'] as Plain)['winningPlan'] as Plain;

describe('an intersection of indexes', () => {
  let store: TestStore;

  before(async () => {
    const documents = Array.from({ length: RECORDS }, (_, id) => ({
      _id: id,
      a: id % 40,
      b: (id * 7) % 41,
      list: [id % 50, { x: id % 30, y: id % 31 }, { x: id % 33, y: id % 34 }],
      rare: id % 4000,
    }));
    const index = (key: Plain, name: string): Plain => ({ v: 2, key, name });
    store = await TestStore.open(documents, [
      index({ a: 1 }, 'a'),
      index({ b: 1 }, 'b'),
      index({ 'list.x': 1 }, 'x'),
      index({ 'list.y': 1 }, 'y'),
      index({ rare: 1 }, 'rare'),
    ]);
  });
  after(() => store.close());

  const both = (id: number): boolean => id % 40 === 3 && (id * 7) % 41 === 5;
  const matching = Array.from({ length: RECORDS }, (_, id) => id).filter(both);

  it('is taken where one index would lead to many documents in vain', async () => {
    const using = withRule('wherePays');
    const explained = await store.explain({ filter: { a: 3, b: 5 } }, using);
    assert.deepEqual(stagesOf(planOf(explained)), ['FETCH', 'AND_SORTED', 'IXSCAN']);
    const statistics = explained['executionStats'] as Plain;
    assert.equal(statistics['totalDocsExamined'], matching.length);
    assert.ok((statistics['totalKeysExamined'] as number) <= 500 + 490);
    assert.deepEqual(idsOf(await store.find({ filter: { a: 3, b: 5 } }, using)), matching);
  });

  it('hashes the ids of ranges', async () => {
    const filter = { a: { $gte: 3, $lt: 4 }, b: { $gt: 4, $lte: 5 } };
    const explained = await store.explain({ filter }, withRule('wherePays'));
    const [fetch, and] = [planOf(explained), planOf(explained)['inputStage'] as Plain];
    assert.equal(and['stage'], 'AND_HASH');
    assert.equal(fetch['filter'], undefined);
    const names = (and['inputStages'] as Plain[]).map(({ indexName }) => indexName);
    assert.deepEqual(new Set(names), new Set(['a', 'b']));
    const statistics = explained['executionStats'] as Plain;
    const ran = (statistics['executionStages'] as Plain)['inputStage'] as Plain;
    assert.equal(ran['nReturned'], matching.length);
    assert.equal(ran['mapAfterChild_0'], 500);
    assert.equal(ran['memLimit'], 32 * 1024 * 1024);
    assert.ok((ran['memUsage'] as number) > 0);
    assert.equal(statistics['totalDocsExamined'], matching.length);
  });

  it('is left alone where one index is enough, and wherever it is switched off', async () => {
    for (const [filter, rule] of [
      [{ a: 3, rare: 3 }, 'wherePays'],
      [{ a: 3, b: 5 }, 'off'],
    ] as const) {
      const explained = await store.explain({ filter }, withRule(rule));
      assert.deepEqual(stagesOf(planOf(explained)), ['FETCH', 'IXSCAN']);
    }
    const hinted = await store.explain({ filter: { a: 3, b: 5 }, hint: 'a' }, withRule('forced'));
    assert.deepEqual(stagesOf(planOf(hinted)), ['FETCH', 'IXSCAN']);
  });

  it('counts from both indexes without a document', async () => {
    const using = withRule('forced');
    assert.equal(await store.count({ a: 3, b: 5 }, {}, using), matching.length);
    assert.equal(await store.count({ a: 3, b: { $in: [5, 6] } }, { limit: 7 }, using), 7);
  });

  it('is sorted, limited and projected as any plan', async () => {
    const using = withRule('forced');
    const request: PlainFind = {
      filter: { a: 3, b: { $in: [5, 6] } },
      sort: { rare: -1, _id: 1 },
      limit: 5,
      projection: { rare: 1 },
    };
    const expected = await store.find({ ...request, hint: { $natural: 1 } });
    assert.deepEqual(await store.find(request, using), expected);
    const explained = await store.explain(request, using);
    assert.ok(stagesOf(planOf(explained)).includes('SORT'));
  });

  it('lets one element of an array meet all of $elemMatch', async () => {
    const filter = { list: { $elemMatch: { x: 7, y: 9 } } };
    const expected = idsOf(await store.find({ filter, hint: { $natural: 1 } }));
    const using = withRule('forced');
    const plan = planOf(await store.explain({ filter }, using));
    assert.equal((plan['inputStage'] as Plain)['stage'], 'AND_SORTED');
    assert.notEqual(plan['filter'], undefined);
    assert.deepEqual(idsOf(await store.find({ filter }, using)), expected);
    const loose = { 'list.x': 7, 'list.y': 9 };
    assert.deepEqual(
      idsOf(await store.find({ filter: loose }, using)),
      idsOf(await store.find({ filter: loose, hint: { $natural: 1 } })),
    );
    assert.ok(expected.length > 0);
  });

  it('is found in the plan cache', async () => {
    const using = withRule('wherePays');
    const request = { filter: { a: 3, b: 5 } };
    const summaries: string[] = [];
    const fromCache: (boolean | undefined)[] = [];
    const observer = {
      planStarted: (plan: { summary: string; fromPlanCache?: boolean }) => {
        observed.push(plan);
      },
    };
    const observed: { summary: string; fromPlanCache?: boolean }[] = [];
    for (let time = 0; time < 3; time += 1) {
      const found = await store.find(request, { ...using, observer } as QueryContext);
      assert.deepEqual(idsOf(found), matching);
      const plan = observed.at(-1)!;
      summaries.push(plan.summary);
      fromCache.push(plan.fromPlanCache);
    }
    assert.deepEqual(new Set(summaries), new Set(['IXSCAN { a: 1 }, IXSCAN { b: 1 }']));
    assert.equal(fromCache[2], true);
  });

  it('fails when its ids need more memory than a stage may take', async () => {
    const view = store.engine.snapshot();
    const request = rawRequest({ filter: { a: { $gt: 1 }, b: { $gt: 1 } } });
    const plan = planQuery(view, view.collection('test.c'), request, withRule('forced'));
    const executor = plan.open(view, uninterruptible, { maxStageBytes: 1000 });
    await assert.rejects(collectRaw(executor), {
      codeName: 'QueryExceededMemoryLimitNoDiskUseAllowed',
      message:
        /hashed AND stage buffered data usage of \d+ bytes exceeds internal limit of 1000 bytes/,
    });
    view.close();
  });

  it('looks at the documents of keys that were cut', async () => {
    const long = 'l'.repeat(3000);
    const documents = Array.from({ length: 200 }, (_, id) => ({
      _id: id,
      a: id % 5,
      long: long + String(id % 3),
    }));
    const index = (name: string): Plain => ({ v: 2, key: { [name]: 1 }, name });
    const cut = await TestStore.open(documents, [index('a'), index('long')]);
    const filter = { a: 2, long: `${long}1` };
    const expected = documents.filter(({ a, long: text }) => a === 2 && text.endsWith('1'));
    const using = withRule('forced');
    assert.deepEqual(idsOf(await cut.find({ filter }, using)), idsOf(expected));
    assert.equal(await cut.count(filter, {}, using), expected.length);
    const plan = planOf(await cut.explain({ filter }, using));
    assert.equal((plan['inputStage'] as Plain)['stage'], 'AND_HASH');
    await cut.close();
  });

  it('ends with the reason of its interruption', async () => {
    const view = store.engine.snapshot();
    const request = rawRequest({ filter: { a: { $gt: 1 }, b: { $gt: 1 }, none: 1 } });
    const plan = planQuery(view, view.collection('test.c'), request, withRule('forced'));
    let asked = 0;
    const interruption: Interruption = {
      get reason() {
        asked += 1;
        return asked > 2 ? new Error('stopped') : undefined;
      },
      throwIfInterrupted() {
        const { reason } = this;
        if (reason !== undefined) throw reason;
      },
      onInterrupt: () => () => {},
    };
    const executor = plan.open(view, interruption);
    await assert.rejects(async () => executor.next(), /stopped/);
    executor.close();
    view.close();
  });
});

describe('an intersection whose data changes while it runs', () => {
  for (const [shape, first, second] of [
    ['hashed', { $gte: 1, $lt: 2 }, { $gte: 1, $lt: 2 }],
    ['sorted', 1, 1],
  ] as const) {
    it(`gives no document that ceased to match: ${shape}`, async () => {
      const documents = Array.from({ length: 3000 }, (_, _id) => ({ _id, a: 1, b: 1 }));
      const index = (name: string): Plain => ({ v: 2, key: { [name]: 1 }, name });
      const store = await TestStore.open(documents, [index('a'), index('b')]);
      const view = store.engine.snapshot();
      const request = rawRequest({ filter: { a: first, b: second } });
      const plan = planQuery(view, view.collection('test.c'), request, withRule('forced'));
      const executor = plan.open(view, uninterruptible);
      const found = [plain((await executor.next())!)];
      executor.detach();
      view.close();
      const write = store.engine.begin();
      const collection = write.collection('test.c')!;
      const cursor = write.scanRecords(collection);
      const changed: [RecordId, Buffer, Buffer][] = [];
      while (cursor.next() === true) {
        const { _id } = plain(cursor.document);
        if ((_id as number) < 1000 || (_id as number) >= 2000) continue;
        const after = bytes({ _id, a: 2, b: 1 });
        changed.push([cursor.recordId, Buffer.from(cursor.document), after]);
      }
      cursor.close();
      for (const [recordId, before, after] of changed) {
        write.update(collection, recordId, before, after);
      }
      write.commit();
      const later = store.engine.snapshot();
      executor.attach(later);
      found.push(...(await collectRaw(executor)).map(plain));
      assert.ok(found.every(({ a }) => a === 1));
      assert.equal(found.length, 2000);
      later.close();
      await store.close();
    });
  }
});
