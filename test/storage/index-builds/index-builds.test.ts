import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { arrayValue, ArrayBuilder, documentOf, int32Value } from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import { uninterruptible, type Interruption } from '../../../common/interruption.ts';
import { MemoryVolume } from '../../../storage/device/memory-volume.ts';
import { MemoryIndexDisk } from '../../../storage/indexes/memory-store.ts';
import { filesOf } from '../../../storage/index.ts';
import {
  A_INDEX,
  createCollection,
  describe as describeCollection,
  findByIndex,
  insert,
  openMemoryEngine,
  update,
} from '../engine/fixture.ts';

const UNIQUE_A = documentOf({ v: 2, key: documentOf({ a: 1 }), name: 'a_1', unique: true });
/** Small enough that every build here goes the way of large ones, in slices of four records. */
const LARGE = { smallBuildRecords: 4 };

describe('An index build', () => {
  for (const [name, options] of [
    ['of a small collection', {}],
    ['of a large collection', LARGE],
  ] as const) {
    it(`${name} finds every record, and knows about arrays`, async () => {
      const engine = await openMemoryEngine(options);
      const collection = createCollection(engine, 'test.a');
      for (let id = 0; id < 200; id += 1)
        insert(engine, collection, documentOf({ _id: id, a: id % 10 }));
      const array = new ArrayBuilder().push(int32Value(3)).push(int32Value(77)).finish();
      insert(engine, collection, documentOf({ _id: 200, a: arrayValue(array) }));
      await engine.buildIndexes('test.a', [A_INDEX], uninterruptible);
      const built = describeCollection(engine, 'test.a');
      assert.equal(built.indexes[1].ready, true);
      assert.equal(built.indexes[1].multikey, true);
      const view = engine.snapshot();
      assert.equal((await findByIndex(view, built, 'a_1', 3, '_id')).length, 21);
      view.close();
      const report = await engine.validate('test.a', { full: true }, uninterruptible);
      assert.deepEqual(report.errors, []);
      await engine.close();
    });

    it(`${name} refuses duplicates in a unique index, and leaves nothing behind`, async () => {
      const engine = await openMemoryEngine(options);
      const collection = createCollection(engine, 'test.a');
      for (let id = 0; id < 50; id += 1)
        insert(engine, collection, documentOf({ _id: id, a: id % 49 }));
      await assert.rejects(engine.buildIndexes('test.a', [UNIQUE_A], uninterruptible), {
        code: 11000,
        message: 'E11000 duplicate key error collection: test.a index: a_1 dup key: { a: 0 }',
      });
      assert.equal(describeCollection(engine, 'test.a').indexes.length, 1);
      insert(engine, collection, documentOf({ _id: 50, a: 0 }));
      await engine.close();
    });
  }

  it('takes in what is written while it runs, across checkpoints', async () => {
    const engine = await openMemoryEngine(LARGE);
    const collection = createCollection(engine, 'test.a');
    for (let id = 0; id < 400; id += 1)
      insert(engine, collection, documentOf({ _id: id, a: id % 10 }));
    const building = engine.buildIndexes('test.a', [A_INDEX], uninterruptible);
    for (let round = 0; round < 60; round += 1) {
      await update(
        engine,
        collection,
        (((round * 37) % 400) + 1) as never,
        documentOf({ _id: (round * 37) % 400, a: 99 }),
      );
      insert(engine, collection, documentOf({ _id: 1000 + round, a: 99 }));
      if (round % 10 === 0) void engine.checkpoint();
      await new Promise((resolve) => setImmediate(resolve));
    }
    await building;
    const report = await engine.validate('test.a', { full: true }, uninterruptible);
    assert.deepEqual(report.errors, []);
    assert.equal(report.keysPerIndex.a_1, report.recordCount);
    await engine.close();
  });

  it('that is interrupted leaves nothing behind', async () => {
    const engine = await openMemoryEngine(LARGE);
    const collection = createCollection(engine, 'test.a');
    for (let id = 0; id < 400; id += 1) insert(engine, collection, documentOf({ _id: id, a: id }));
    const killed: { reason: Error | undefined } & Interruption = {
      reason: undefined,
      throwIfInterrupted() {
        if (this.reason !== undefined) throw this.reason;
      },
      onInterrupt: () => () => {},
    };
    const building = engine.buildIndexes('test.a', [A_INDEX], killed);
    await new Promise((resolve) => setImmediate(resolve));
    killed.reason = new CommandError('Interrupted', 'operation was interrupted');
    await assert.rejects(building, { code: 11601 });
    assert.equal(describeCollection(engine, 'test.a').indexes.length, 1);
    await engine.close();
  });

  it('that the server did not survive is dropped at the next start', async () => {
    const files = filesOf(new MemoryVolume(), new MemoryIndexDisk());
    const engine = await openMemoryEngine({ files, ...LARGE });
    const collection = createCollection(engine, 'test.a');
    for (let id = 0; id < 4000; id += 1) insert(engine, collection, documentOf({ _id: id, a: id }));
    const building = engine.buildIndexes('test.a', [A_INDEX], uninterruptible).catch(() => {});
    await engine.flushed(insert(engine, collection, documentOf({ _id: 5000, a: 1 })).commitNumber);
    assert.equal(describeCollection(engine, 'test.a').indexes[1].ready, false);
    // The engine is left as a crash leaves it: another one opens what is on the disk.
    const next = await openMemoryEngine({ files });
    assert.equal(describeCollection(next, 'test.a').indexes.length, 1);
    await next.close();
    void building;
  });
});
