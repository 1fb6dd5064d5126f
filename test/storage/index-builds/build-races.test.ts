import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { documentOf } from '../../../bson/index.ts';
import { uninterruptible } from '../../../common/interruption.ts';
import { CommandError } from '../../../common/errors.ts';
import { type RecordId, WriteConflictError } from '../../../storage/index.ts';
import {
  A_INDEX,
  createCollection,
  describe as describeCollection,
  findByIndex,
  insert,
  openMemoryEngine,
  remove,
  update,
} from '../engine/fixture.ts';

const UNIQUE_A = documentOf({ v: 2, key: documentOf({ a: 1 }), name: 'a_1', unique: true });

describe('Two builds of one index at once', () => {
  for (const [name, smallBuildRecords] of [
    ['small', 5000],
    ['large', 4],
  ] as const) {
    it(`make it once, and tell the second: ${name} collection`, async () => {
      const engine = await openMemoryEngine({ smallBuildRecords });
      const collection = createCollection(engine, 'test.a');
      for (let id = 1; id <= 40; id += 1)
        insert(engine, collection, documentOf({ _id: id, a: id }));
      const builds = [1, 2].map(() => engine.buildIndexes('test.a', [A_INDEX], uninterruptible));
      const [first, second] = await Promise.allSettled(builds);
      assert.equal(first.status, 'fulfilled');
      assert.ok(second.status === 'rejected');
      assert.equal(second.reason.codeName, 'IndexAlreadyExists');
      const names = describeCollection(engine, 'test.a').indexes.map((index) => index.name);
      assert.deepEqual(names, ['_id_', 'a_1']);
      await engine.close();
    });
  }
});

describe('A large index build', () => {
  it('loads no entry that was scanned and went again before the next checkpoint', async () => {
    const engine = await openMemoryEngine({ smallBuildRecords: 4 });
    const collection = createCollection(engine, 'test.a');
    for (let id = 1; id <= 40; id += 1) insert(engine, collection, documentOf({ _id: id, a: id }));
    const building = engine.buildIndexes('test.a', [A_INDEX], uninterruptible);
    const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
    while (describeCollection(engine, 'test.a').indexes.length < 2) await turn();
    await update(engine, collection, 9 as never, documentOf({ _id: 9, a: 100 }));
    for (let round = 0; round < 5; round += 1) await turn();
    await update(engine, collection, 9 as never, documentOf({ _id: 9, a: 101 }));
    await building;
    const built = describeCollection(engine, 'test.a');
    const view = engine.snapshot();
    assert.deepEqual(await findByIndex(view, built, 'a_1', 100, 'a'), []);
    view.close();
    assert.deepEqual((await engine.validate('test.a', { full: true }, uninterruptible)).errors, []);
    await engine.close();
  });

  it('refuses a transaction that wrote a duplicate before the entries were loaded', async () => {
    const engine = await openMemoryEngine({ smallBuildRecords: 4 });
    const collection = createCollection(engine, 'test.a');
    for (let id = 1; id <= 40; id += 1) insert(engine, collection, documentOf({ _id: id, a: id }));
    const building = engine.buildIndexes('test.a', [UNIQUE_A], uninterruptible);
    while (describeCollection(engine, 'test.a').indexes.length < 2)
      await new Promise((resolve) => setImmediate(resolve));
    const transaction = engine.begin();
    transaction.insert(collection, documentOf({ _id: 99, a: 3 }));
    await building;
    assert.throws(() => transaction.commit(), WriteConflictError);
    await engine.close();
  });

  it('of a unique index lets duplicates in, and fails when one is left at its end', async () => {
    for (const isRemoved of [false, true]) {
      const engine = await openMemoryEngine({ smallBuildRecords: 4 });
      const collection = createCollection(engine, 'test.a');
      for (let id = 1; id <= 40; id += 1) {
        insert(engine, collection, documentOf({ _id: id, a: id }));
      }
      const building = engine.buildIndexes('test.a', [UNIQUE_A], uninterruptible);
      const ended = building.then(
        () => undefined,
        (error: unknown) => error,
      );
      const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
      while (describeCollection(engine, 'test.a').indexes.length < 2) await turn();
      insert(engine, collection, documentOf({ _id: 99, a: 3 }));
      insert(engine, collection, documentOf({ _id: 100, a: 99 }));
      insert(engine, collection, documentOf({ _id: 101, a: 99 }));
      if (isRemoved) {
        for (const recordId of [41, 43]) await remove(engine, collection, recordId as never);
      }
      const error = await ended;
      assert.equal(
        error instanceof CommandError ? error.code : undefined,
        isRemoved ? undefined : 11000,
      );
      assert.equal(describeCollection(engine, 'test.a').indexes.length, isRemoved ? 2 : 1);
      const report = await engine.validate('test.a', { full: true }, uninterruptible);
      assert.deepEqual(report.errors, []);
      await engine.close();
    }
  });

  it('of a unique index compares what was written while it compared', async () => {
    const engine = await openMemoryEngine({ smallBuildRecords: 4 });
    const collection = createCollection(engine, 'test.a');
    for (let id = 1; id <= 3000; id += 1)
      insert(engine, collection, documentOf({ _id: id, a: id }));
    let outcome: unknown = 'running';
    const building = engine.buildIndexes('test.a', [UNIQUE_A], uninterruptible).then(
      () => (outcome = undefined),
      (error: unknown) => (outcome = error),
    );
    // A duplicate with every turn, each gone with the next: only what is left at the end may count.
    let last: RecordId | undefined;
    for (let id = 10_000; outcome === 'running'; id += 1) {
      const before = last;
      last = insert(engine, collection, documentOf({ _id: id, a: 1 })).recordId;
      if (before !== undefined) await remove(engine, collection, before);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await building;
    assert.ok(outcome instanceof CommandError && outcome.code === 11000, String(outcome));
    const report = await engine.validate('test.a', { full: true }, uninterruptible);
    assert.deepEqual(report.errors, []);
    await engine.close();
  });
});
