/**
 * A sort of what an index holds: no document is read for it.
 */
import assert from 'node:assert/strict';
import { type Plain, type PlainFind, TestStore } from '../executor/store.ts';

const spec = (key: Plain): Plain => ({ v: 2, key, name: Object.keys(key).join('_') });

describe('a sort over an index that has all that is wanted', () => {
  let store: TestStore;
  before(async () => {
    const documents = Array.from({ length: 50 }, (_, _id) => ({
      _id,
      a: _id % 10,
      b: (_id * 7) % 50,
      c: { d: 50 - _id },
      filler: 'x',
    }));
    store = await TestStore.open(
      [
        ...documents,
        { _id: 100, a: 3 },
        { _id: 101, a: 3, b: null, c: { d: -1 } },
        { _id: 102, a: 3, b: `long${'x'.repeat(3000)}`, c: 5 },
      ],
      [spec({ a: 1, b: 1, 'c.d': 1 })],
    );
  });
  after(() => store.close());

  const request: PlainFind = {
    filter: { a: { $gte: 2, $lt: 4 } },
    sort: { b: -1 },
    projection: { _id: 0, b: 1, a: 1 },
  };

  it('is shown as a covered projection above a SORT above an IXSCAN', async () => {
    const explained = await store.explain({ ...request, filter: { a: { $gte: 4, $lt: 6 } } });
    const plan = (explained['queryPlanner'] as Plain)['winningPlan'] as Plain;
    assert.equal(plan['stage'], 'PROJECTION_COVERED');
    const sort = plan['inputStage'] as Plain;
    assert.equal(sort['stage'], 'SORT');
    assert.equal((sort['inputStage'] as Plain)['stage'], 'IXSCAN');
    const statistics = explained['executionStats'] as Plain;
    assert.equal(statistics['totalDocsExamined'], 0);
    assert.equal(statistics['nReturned'], 10);
  });

  for (const more of [
    {},
    { limit: 3 },
    { skip: 2, limit: 4 },
    { sort: { 'c.d': 1, b: -1 } },
    { sort: { b: 1 }, projection: { _id: 0, 'c.d': 1 } },
  ] as PlainFind[]) {
    it(`gives what a collection scan gives, with ${JSON.stringify(more)}`, async () => {
      const asked = { ...request, ...more };
      const expected = await store.find({ ...asked, hint: { $natural: 1 } });
      assert.deepEqual(await store.find({ ...asked, hint: 'a_b_c.d' }), expected);
      assert.ok(expected.length > 2);
    });
  }
});
