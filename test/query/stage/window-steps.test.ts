/**
 * Windows over one large partition: in steps, and each in time that grows with the partition.
 */
import assert from 'node:assert/strict';
import type { Collection, Document } from 'mongodb';
import { serverForTests } from '../../support/test-server.ts';

describe('a large partition of $setWindowFields', () => {
  const server = serverForTests();
  const COUNT = 60_000;
  let docs: Collection<{ _id: number; n: number }>;

  before(async () => {
    docs = server.freshDatabase().collection('docs');
    await docs.insertMany(Array.from({ length: COUNT }, (_, n) => ({ _id: n, n: COUNT - n })));
  });

  const windows = (output: Document, sortBy: Document = { n: 1 }): Document => ({
    $setWindowFields: { sortBy, output },
  });
  const sum = (window: Document): Document => ({ $sum: '$n', window });

  it('sums up ranges and documents around each one', async () => {
    const [last] = await docs
      .aggregate([
        windows({
          range: sum({ range: [-2, 0] }),
          documents: sum({ documents: [-2, 'current'] }),
          all: sum({ range: ['unbounded', 'unbounded'] }),
          running: sum({ documents: ['unbounded', 'current'] }),
        }),
        { $match: { n: COUNT } },
      ])
      .toArray();
    const three = COUNT * 3 - 3;
    const all = (COUNT * (COUNT + 1)) / 2;
    assert.deepEqual(last, { _id: 0, n: COUNT, range: three, documents: three, all, running: all });
  });

  it('ends at maxTimeMS wherever it is', async () => {
    const wide = windows({
      max: { $max: '$n', window: { documents: [-5000, 5000] } },
      slope: { $covariancePop: ['$n', '$n'], window: { documents: [-5000, 5000] } },
    });
    const began = performance.now();
    await assert.rejects(docs.aggregate([wide], { maxTimeMS: 500 }).toArray(), { code: 50 });
    assert.ok(performance.now() - began < 5000);
  });

  it('takes ranges along one rising field only', async () => {
    const range = { r: sum({ range: [-2, 0] }) };
    const both = { n: 1, _id: 1 };
    await assert.rejects(docs.aggregate([windows(range, both)]).toArray(), { code: 5339902 });
    await assert.rejects(docs.aggregate([windows(range, { n: -1 })]).toArray(), { code: 8947401 });
  });
});
