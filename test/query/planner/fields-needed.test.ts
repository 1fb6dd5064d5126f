/**
 * Fields that no stage reads are left out at the beginning of a pipeline: what comes out is the same.
 */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { uninterruptible } from '../../../common/interruption.ts';
import { planAggregate } from '../../../query/index.ts';
import { bytes, collectRaw, context, type Plain, plain, TestStore } from '../executor/store.ts';

const value = fc.oneof(
  fc.integer({ min: 0, max: 4 }),
  fc.constantFrom(null, 'x'),
  fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 3 }),
  fc.record({ b: fc.integer({ min: 0, max: 4 }), c: fc.constant('c') }, { requiredKeys: [] }),
  fc.array(fc.record({ b: fc.nat(4) }, { requiredKeys: [] }), { maxLength: 3 }),
);
const documents = fc
  .array(fc.record({ a: value, d: value, e: value }, { requiredKeys: [] }), { maxLength: 12 })
  .map((all): Plain[] => all.map((each, _id) => ({ _id, ...each })));

const path = fc.constantFrom('_id', 'a', 'a.b', 'd', 'd.b', 'e');
const read = path.map((each) => `$${each}`);
const middle: fc.Arbitrary<Plain> = fc.oneof(
  path.map((each) => ({ $sort: { [each]: 1, _id: 1 } })),
  fc.tuple(path, fc.boolean()).map(([each, preserveNullAndEmptyArrays]) => ({
    $unwind: { path: `$${each}`, preserveNullAndEmptyArrays, includeArrayIndex: 'at' },
  })),
  fc.tuple(path, fc.nat(4)).map(([each, $gte]) => ({ $match: { [each]: { $gte } } })),
  fc.tuple(fc.constantFrom('f', 'a.f', 'd'), read).map(([to, from]) => ({ $set: { [to]: from } })),
  fc.constant({ $limit: 7 }),
  fc.constant({ $skip: 1 }),
);
const last: fc.Arbitrary<Plain> = fc.oneof(
  fc.tuple(read, read).map(([_id, all]) => ({ $group: { _id, all: { $push: all } } })),
  fc.tuple(path, read).map(([kept, f]) => ({ $project: { [kept]: 1, f } })),
  fc.constant({ $project: { a: 1, _id: 0 } }),
  fc.constant({ $project: { d: 1 } }),
  fc.constant({ $count: 'n' }),
);

/** A stage that may read anything: nothing is left out before it. */
const WHOLE = { $replaceRoot: { newRoot: '$$ROOT' } };

async function run(store: TestStore, pipeline: readonly Plain[]): Promise<Plain[]> {
  const view = store.engine.snapshot();
  const { namespace } = store;
  const request = { pipeline: pipeline.map(bytes), namespace };
  const plan = planAggregate(view, view.collection(namespace), request, context);
  const executor = plan.open(view, uninterruptible);
  try {
    return (await collectRaw(executor)).map(plain);
  } finally {
    executor.close();
    view.close();
  }
}

describe('a pipeline that reads some fields only', () => {
  it('gives what it gives on whole documents', async () => {
    const pipelines = fc.array(
      fc.tuple(fc.array(middle, { maxLength: 4 }), last).map(([stages, end]) => [...stages, end]),
      { minLength: 8, maxLength: 8 },
    );
    await fc.assert(
      fc.asyncProperty(documents, pipelines, async (docs, all) => {
        const store = await TestStore.open(docs);
        try {
          for (const pipeline of all) {
            const found = await run(store, pipeline);
            assert.deepEqual(
              found,
              await run(store, [WHOLE, ...pipeline]),
              JSON.stringify(pipeline),
            );
          }
        } finally {
          await store.close();
        }
      }),
      { numRuns: 60 },
    );
  });

  const shown = async (pipeline: readonly Plain[]): Promise<string> => {
    const store = await TestStore.open([{ _id: 1, a: 1 }]);
    const view = store.engine.snapshot();
    const { namespace } = store;
    const request = { pipeline: pipeline.map(bytes), namespace };
    const plan = planAggregate(view, view.collection(namespace), request, context);
    const explained = plain(await plan.explain('queryPlanner', view, uninterruptible));
    view.close();
    await store.close();
    return JSON.stringify(explained);
  };

  it('sorts and unwinds nothing else', async () => {
    const group = { $group: { _id: '$a' } };
    const sorted = await shown([{ $sort: { d: 1 } }, group]);
    assert.match(
      sorted,
      /"SORT".*"PROJECTION_SIMPLE","transformBy":\{"a":true,"d":true,"_id":false\}/,
    );
    const unwound = await shown([{ $unwind: '$e' }, group]);
    assert.match(unwound, /"PROJECTION_SIMPLE","transformBy":\{"e":true,"a":true,"_id":false\}/);
    assert.doesNotMatch(await shown([group]), /PROJECTION/);
  });
});
