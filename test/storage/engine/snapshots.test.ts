import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import { documentOf } from '../../../bson/index.ts';
import { ManualClock } from '../../../common/clock.ts';
import { openEngine } from '../../../storage/index.ts';
import {
  A_INDEX,
  createCollection,
  findByIndex,
  insert,
  openMemoryEngine,
  scan,
  update,
  withDirectory,
} from './fixture.ts';

describe('A snapshot', () => {
  it('still reads the old documents, by scan and by index, after 10,000 updates and three checkpoints', async () => {
    const engine = await openMemoryEngine();
    const collection = createCollection(engine, 'test.a', A_INDEX);
    for (let id = 1; id <= 100; id += 1)
      insert(engine, collection, documentOf({ _id: id, a: id % 10 }));
    await engine.checkpoint();
    const old = engine.snapshot();
    for (let round = 0; round < 3; round += 1) {
      const transaction = engine.begin();
      transaction.abort();
      for (let count = 0; count < 3334; count += 1) {
        const id = (count % 100) + 1;
        const after = documentOf({ _id: id, a: 1000 + round });
        await update(engine, collection, id as never, after);
      }
      await engine.checkpoint();
    }
    assert.deepEqual(
      await scan(old, collection, 'a'),
      range(1, 100).map((id) => id % 10),
    );
    assert.equal((await findByIndex(old, collection, 'a_1', 3, '_id')).length, 10);
    assert.deepEqual(await findByIndex(old, collection, 'a_1', 1002, '_id'), []);
    assert.equal(old.recordCount(collection), 100);
    old.close();
    const latest = engine.snapshot();
    assert.deepEqual(new Set(await scan(latest, collection, 'a')), new Set([1002]));
    assert.equal((await findByIndex(latest, collection, 'a_1', 1002, '_id')).length, 100);
    latest.close();
    await engine.close();
  });

  it('keeps a few versions, not all of them, of a record that is updated again and again', async () => {
    const engine = await openMemoryEngine();
    const collection = createCollection(engine, 'test.a', A_INDEX);
    const { recordId } = insert(engine, collection, documentOf({ _id: 1, a: 0 }));
    const held = engine.snapshot();
    for (let value = 1; value <= 20_000; value += 1) {
      await update(
        engine,
        collection,
        recordId,
        documentOf({ _id: 1, a: value, pad: 'x'.repeat(500) }),
      );
    }
    const { delta } = engine.statistics();
    assert.ok(typeof delta === 'object' && Number(delta.bytes) < 4 * 1024 * 1024);
    assert.deepEqual(await scan(held, collection, 'a'), [0]);
    held.close();
    await engine.close();
  });

  it('ends as too old when the memory for old versions runs out', async () => {
    const engine = await openMemoryEngine({ deltaBytes: 4 * 1024 * 1024 });
    const collection = createCollection(engine, 'test.a');
    const old = engine.snapshot();
    // All this goes into the generation that the snapshot reads from, and keeps once it is folded.
    for (let id = 0; id < 120; id += 1) {
      insert(engine, collection, documentOf({ _id: id, pad: 'x'.repeat(50_000) }));
    }
    await engine.checkpoint();
    assert.throws(() => old.scanRecords(collection).next(), { codeName: 'SnapshotTooOld' });
    // The catalog forgets, too: what it said now might be of a later time.
    assert.throws(() => old.collection('test.a'), { codeName: 'SnapshotTooOld' });
    assert.throws(() => old.collections(), { codeName: 'SnapshotTooOld' });
    assert.throws(() => old.databases(), { codeName: 'SnapshotTooOld' });
    assert.throws(() => old.collectionByUuid(collection.uuid), { codeName: 'SnapshotTooOld' });
    assert.throws(() => old.recordCount(collection), { codeName: 'SnapshotTooOld' });
    old.close();
    const view = engine.snapshot();
    assert.equal((await scan(view, collection, '_id')).length, 120);
    view.close();
    await engine.close();
  });
});

describe('A checkpoint', () => {
  it('leaves no byte of a document in the index store, and merges its page writes', async () => {
    await withDirectory(async (dbpath) => {
      const engine = await openEngine({ dbpath, checkpointIntervalMs: 0, compression: 'none' });
      const collection = createCollection(engine, 'test.a', A_INDEX);
      for (let id = 0; id < 2000; id += 1) {
        insert(
          engine,
          collection,
          documentOf({ _id: id, a: id, secret: `needle-${'n'.repeat(200)}` }),
        );
      }
      const before = blockCounters(engine.statistics());
      await engine.checkpoint();
      const after = blockCounters(engine.statistics());
      assert.ok(after.merges > before.merges, 'page writes were merged');
      assert.ok(after.writeBytes - before.writeBytes >= 2000 * 200, 'the queue counted the pages');
      const file = await readFile(join(dbpath, 'index.lmdb'));
      assert.equal(file.includes('needle-'), false);
      assert.equal((await readFile(join(dbpath, 'blocks.flint'))).includes('needle-'), true);
      const { journal } = engine.statistics();
      assert.ok(typeof journal === 'object' && Number(journal.deviceWrites) > 0);
      await engine.close();
    });
  });

  it('comes by itself after its interval, and when the delta is full', async () => {
    const clock = new ManualClock();
    const engine = await openMemoryEngine({ clock, checkpointIntervalMs: 60_000 });
    const collection = createCollection(engine, 'test.a');
    insert(engine, collection, documentOf({ _id: 1 }));
    await turns(10);
    assert.equal(checkpoints(engine.statistics()), 0);
    clock.advance(60_000);
    await turns(100);
    assert.equal(checkpoints(engine.statistics()), 1);
    await engine.close();
  });

  it('runs beside reads and writes, which see their own state', async () => {
    const engine = await openMemoryEngine();
    const collection = createCollection(engine, 'test.a', A_INDEX);
    for (let id = 0; id < 3000; id += 1) insert(engine, collection, documentOf({ _id: id, a: id }));
    const taken = engine.checkpoint();
    for (let id = 3000; id < 3500; id += 1) {
      const view = engine.snapshot();
      assert.equal(view.recordCount(collection), id);
      view.close();
      insert(engine, collection, documentOf({ _id: id, a: id }));
      if (id % 50 === 0) await turns(1);
    }
    await taken;
    const view = engine.snapshot();
    assert.deepEqual(await scan(view, collection, '_id'), range(0, 3499));
    view.close();
    await engine.close();
  });
});

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

type Statistics = ReturnType<Awaited<ReturnType<typeof openEngine>>['statistics']>;

function checkpoints(statistics: Statistics): number {
  const { checkpoint } = statistics;
  return typeof checkpoint === 'object' ? Number(checkpoint.count) : Number.NaN;
}

function blockCounters(statistics: Statistics): { merges: number; writeBytes: number } {
  const { blocks } = statistics;
  const queue = typeof blocks === 'object' ? blocks.queue : undefined;
  const operations = typeof queue === 'object' ? queue.operations : undefined;
  const write = typeof operations === 'object' ? operations.WRITE : undefined;
  return {
    merges: typeof queue === 'object' ? Number(queue.merges) : Number.NaN,
    writeBytes: typeof write === 'object' ? Number(write.bytes) : Number.NaN,
  };
}
