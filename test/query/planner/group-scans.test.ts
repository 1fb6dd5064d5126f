/**
 * $group over the first entry of each value in an index.
 */
import assert from 'node:assert/strict';
import { uninterruptible } from '../../../common/interruption.ts';
import { planAggregate } from '../../../query/index.ts';
import { bytes, context, type Plain, plain, TestStore } from '../executor/store.ts';

const spec = (key: Plain, options: Plain = {}): Plain => ({
  v: 2,
  key,
  name: Object.keys(key).join('_'),
  ...options,
});

const DOCUMENTS: readonly Plain[] = [
  ...Array.from({ length: 60 }, (_, _id) => ({
    _id,
    a: _id % 4,
    b: (_id * 37) % 61,
    c: `c${_id % 2}`,
    l: [1, _id],
  })),
  { _id: 100, b: 1 },
  { _id: 101, a: null, b: 0, c: 'c0' },
  { _id: 102, a: 9, b: `long${'x'.repeat(3000)}2` },
  { _id: 103, a: 9, b: `long${'x'.repeat(3000)}1` },
  { _id: 104, a: 9, b: `long${'x'.repeat(3000)}3` },
];

describe('a group of which one document is enough', () => {
  let store: TestStore;
  let unindexed: TestStore;
  before(async () => {
    store = await TestStore.open(DOCUMENTS, [
      spec({ a: 1, b: 1 }),
      spec({ c: 1, a: 1, b: -1 }),
      spec({ l: 1 }),
      spec({ s: 1 }, { sparse: true }),
    ]);
    unindexed = await TestStore.open(DOCUMENTS);
  });
  after(async () => {
    await store.close();
    await unindexed.close();
  });

  const explain = async (pipeline: readonly Plain[]): Promise<Plain> => {
    const view = store.engine.snapshot();
    const request = { pipeline: pipeline.map(bytes), namespace: store.namespace };
    const plan = planAggregate(view, view.collection(store.namespace), request, context);
    const explained = await plan.explain('executionStats', view, uninterruptible);
    view.close();
    return plain(explained);
  };
  const byId = (documents: readonly Plain[]): Plain[] =>
    documents.toSorted((x, y) => (JSON.stringify(x) < JSON.stringify(y) ? -1 : 1));

  const SCANNED: readonly (readonly Plain[])[] = [
    [{ $group: { _id: '$a' } }],
    [{ $match: { a: { $gte: 1, $lt: 9 } } }, { $group: { _id: '$a' } }],
    [{ $sort: { a: 1, b: 1 } }, { $group: { _id: '$a', least: { $first: '$b' } } }],
    [{ $sort: { a: 1, b: 1 } }, { $group: { _id: '$a', most: { $last: '$b' } } }],
    [{ $sort: { a: -1, b: -1 } }, { $group: { _id: '$a', whole: { $first: '$$ROOT' } } }],
    [
      { $match: { c: 'c1' } },
      { $sort: { a: 1, b: -1 } },
      { $group: { _id: '$a', most: { $first: '$b' }, id: { $first: '$_id' } } },
    ],
    [
      { $match: { c: 'c1', a: { $in: [1, 3] } } },
      { $sort: { a: 1, b: -1 } },
      { $group: { _id: '$a', least: { $last: '$_id' } } },
    ],
  ];
  for (const pipeline of SCANNED) {
    it(`reads few entries: ${JSON.stringify(pipeline)}`, async () => {
      assert.deepEqual(
        byId(await store.aggregate(pipeline)),
        byId(await unindexed.aggregate(pipeline)),
      );
      const explained = await explain(pipeline);
      assert.match(JSON.stringify(explained), /DISTINCT_SCAN/);
    });
  }

  it('reads one entry and no document for each value', async () => {
    const [, , pipeline] = SCANNED;
    const bounded = [{ $match: { a: { $gte: 0, $lt: 4 } } }, ...(pipeline as Plain[])];
    const explained = await explain(bounded);
    const [cursor] = explained['stages'] as Plain[];
    const run = (cursor?.['$cursor'] ?? {}) as Plain;
    const statistics = run['executionStats'] as Plain;
    assert.equal(statistics['nReturned'], 4);
    assert.ok(Number(statistics['totalKeysExamined']) <= 5);
    assert.equal(statistics['totalDocsExamined'], 0);
  });

  const READ: readonly (readonly Plain[])[] = [
    [{ $group: { _id: '$l' } }],
    [{ $group: { _id: '$s' } }],
    [{ $group: { _id: '$a', n: { $sum: 1 } } }],
    [{ $sort: { a: 1, b: 1 } }, { $group: { _id: '$a', x: { $first: '$b' }, y: { $last: '$b' } } }],
    [{ $sort: { b: 1 } }, { $group: { _id: '$a', x: { $first: '$b' } } }],
    [{ $limit: 5 }, { $group: { _id: '$a' } }],
    [{ $sort: { a: 1, b: 1 } }, { $limit: 5 }, { $group: { _id: '$a', x: { $first: '$b' } } }],
    [{ $match: { a: { $gte: 1 }, l: 5 } }, { $group: { _id: '$a' } }],
  ];
  for (const pipeline of READ) {
    it(`reads all where it must: ${JSON.stringify(pipeline)}`, async () => {
      assert.deepEqual(
        byId(await store.aggregate(pipeline)),
        byId(await unindexed.aggregate(pipeline)),
      );
      assert.doesNotMatch(JSON.stringify(await explain(pipeline)), /DISTINCT_SCAN/);
    });
  }
});
