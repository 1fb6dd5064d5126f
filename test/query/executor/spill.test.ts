/**
 * Sorts and groups that exceed their memory: on disk they give what they give in memory.
 */
import assert from 'node:assert/strict';
import { CommandError } from '../../../common/errors.ts';
import { uninterruptible } from '../../../common/interruption.ts';
import { planAggregate, planQuery } from '../../../query/index.ts';
import { SpillArea } from '../../../storage/index.ts';
import { bytes, collectRaw, context, type Plain, plain, TestStore } from './store.ts';

const COUNT = 3000;
const MANY: readonly Plain[] = Array.from({ length: COUNT }, (_, i) => ({
  _id: i,
  k: (i * 7919) % 1000,
  pad: 'x'.repeat(i % 50),
}));

/** A fortieth of what the documents take. */
const maxStageBytes = 20_000;

describe('a stage beyond its memory', () => {
  let store: TestStore;

  before(async () => {
    store = await TestStore.open(MANY);
  });

  after(() => store.close());

  async function find(sort: Plain, options: { allowDiskUse?: boolean; limit?: number }) {
    const view = store.engine.snapshot();
    const collection = view.collection(store.namespace);
    const request = { filter: bytes({}), sort: bytes(sort), ...options };
    const plan = planQuery(view, collection, request, context);
    const executor = plan.open(view, uninterruptible, { maxStageBytes });
    try {
      return { documents: (await collectRaw(executor)).map(plain), executor };
    } finally {
      executor.close();
      view.close();
    }
  }

  async function aggregate(pipeline: readonly Plain[], allowDiskUse: boolean) {
    const view = store.engine.snapshot();
    const { namespace } = store;
    const request = { pipeline: pipeline.map(bytes), namespace, allowDiskUse };
    const plan = planAggregate(view, view.collection(namespace), request, context);
    const executor = plan.open(view, uninterruptible, { maxStageBytes });
    try {
      return { documents: (await collectRaw(executor)).map(plain), executor };
    } finally {
      executor.close();
      view.close();
    }
  }

  const expected = [...MANY].sort(
    (a, b) =>
      (b['k'] as number) - (a['k'] as number) || (a['_id'] as number) - (b['_id'] as number),
  );

  it('sorts in runs on disk and merges them, stably', async () => {
    const { documents, executor } = await find({ k: -1 }, {});
    assert.deepEqual(documents, expected);
    assert.equal(executor.statistics.usedDisk, true);
  });

  it('keeps a limited sort in memory', async () => {
    const { documents, executor } = await find({ k: -1 }, { limit: 20, allowDiskUse: false });
    assert.deepEqual(documents, expected.slice(0, 20));
    assert.equal(executor.statistics.usedDisk, false);
  });

  it('refuses to sort without leave to use the disk', async () => {
    await assert.rejects(
      () => find({ k: 1 }, { allowDiskUse: false }),
      (error) => error instanceof CommandError && error.code === 292,
    );
  });

  it('sorts in the middle of a pipeline', async () => {
    const { documents } = await aggregate(
      [{ $set: { z: 1 } }, { $sort: { k: -1 } }, { $project: { z: 0 } }],
      true,
    );
    assert.deepEqual(documents, expected);
  });

  it('groups by keys that do not fit into memory', async () => {
    const pipeline = [{ $group: { _id: '$k', n: { $sum: 1 }, ids: { $push: '$_id' } } }];
    const { documents, executor } = await aggregate(pipeline, true);
    assert.equal(executor.statistics.usedDisk, true);
    assert.equal(documents.length, 1000);
    const seen = new Set<number>();
    for (const { _id, n, ids } of documents as { _id: number; n: number; ids: number[] }[]) {
      assert.equal(n, 3);
      for (const id of ids) {
        assert.equal((id * 7919) % 1000, _id);
        seen.add(id);
      }
    }
    assert.equal(seen.size, COUNT);
  });

  it('refuses to group without leave to use the disk', async () => {
    await assert.rejects(
      () => aggregate([{ $group: { _id: '$_id' } }], false),
      (error) => error instanceof CommandError && error.code === 292,
    );
  });

  it('spills sooner when others share the memory, and fails no sooner for it', async () => {
    const area = new SpillArea();
    const shared = { memoryBytes: 20_000, create: () => area.create() };
    const view = store.engine.snapshot();
    const { namespace } = store;
    const open = (pipeline: readonly Plain[], allowDiskUse: boolean) => {
      const request = { pipeline: pipeline.map(bytes), namespace, allowDiskUse };
      const plan = planAggregate(view, view.collection(namespace), request, context);
      return plan.open(view, uninterruptible, { spill: shared });
    };
    // All values of one group grow beyond twice the share: MongoDB's bound is far away.
    const pushed: Plain = { $group: { _id: null, all: { $push: '$$ROOT' } } };
    for (const stages of [[{ $sort: { k: -1 } }], [{ $group: { _id: '$_id' } }], [pushed]]) {
      const executor = open(stages, true);
      await collectRaw(executor);
      assert.equal(executor.statistics.usedDisk, true);
      executor.close();
      const inMemory = open(stages, false);
      await collectRaw(inMemory);
      assert.equal(inMemory.statistics.usedDisk, false);
      inMemory.close();
    }
    view.close();
  });
});
