import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { documentOf } from '../../../bson/index.ts';
import { MemoryVolume } from '../../../storage/device/memory-volume.ts';
import { filesOf } from '../../../storage/recovery/store-files.ts';
import type { CollectionDescription, StorageEngine } from '../../../storage/index.ts';
import { MemoryIndexDisk } from '../../../storage/indexes/memory-store.ts';
import { guardedVolume, type Guard } from '../device/guarded-volume.ts';
import { createCollection, insert, numberOf, openMemoryEngine } from '../engine/fixture.ts';

/** Holds READs back, as a slow disk does, until they are let go. */
class ReadGate {
  isClosed = false;
  held = 0;
  private waiting: (() => void)[] = [];

  letGo(): void {
    this.isClosed = false;
    for (const go of this.waiting) go();
    this.waiting = [];
  }

  readonly guard: Guard = async (_device, bio) => {
    if (bio.operation !== 'READ' || !this.isClosed) return;
    this.held += 1;
    await new Promise<void>((resolve) => this.waiting.push(resolve));
  };
}

const RECORDS = 12;

const documentNamed = (id: number, round: number): Buffer =>
  documentOf({ _id: id, round, text: 'x'.repeat(40_000) });

async function open(gate: ReadGate): Promise<[StorageEngine, CollectionDescription]> {
  const engine = await openMemoryEngine({
    files: filesOf(guardedVolume(new MemoryVolume(), gate.guard), new MemoryIndexDisk()),
    extentBytes: 128 * 1024,
    cacheBytes: 0,
    compression: 'none',
  });
  const collection = createCollection(engine, 'test.a');
  for (let id = 1; id <= RECORDS; id += 1) insert(engine, collection, documentNamed(id, 0));
  await engine.checkpoint();
  return [engine, collection];
}

/** Replaces everything again and again, without a read: what nobody reads any more is overwritten. */
async function overwriteAll(engine: StorageEngine, collection: CollectionDescription, from = 0) {
  for (let round = from; round < from + 6; round += 1) {
    const transaction = engine.begin();
    for (let id = 1; id <= RECORDS; id += 1) {
      const [before, after] = [documentNamed(id, round), documentNamed(id, round + 1)];
      transaction.update(collection, id as never, before, after);
    }
    transaction.commit();
    await engine.checkpoint();
  }
}

describe('A page read that is still under way when its view closes', () => {
  it('gets the page as it was', async () => {
    const gate = new ReadGate();
    const [engine, collection] = await open(gate);
    const view = engine.snapshot();
    gate.isClosed = true;
    const reading = Promise.resolve(view.record(collection, 3 as never));
    reading.catch(() => undefined);
    view.close();
    gate.isClosed = false;
    assert.equal(gate.held, 1);
    await overwriteAll(engine, collection);
    gate.letGo();
    assert.equal(numberOf((await reading)!, 'round'), 0);
    assertUndamaged(engine);
    await engine.close();
  });

  it('is not taken for damage, prefetched pages included', async () => {
    const gate = new ReadGate();
    const [engine, collection] = await open(gate);
    const view = engine.snapshot();
    const cursor = view.scanRecords(collection);
    gate.isClosed = true;
    const reading = Promise.resolve(cursor.next());
    reading.catch(() => undefined);
    view.close();
    gate.isClosed = false;
    assert.ok(gate.held > 1);
    await overwriteAll(engine, collection);
    gate.letGo();
    assert.equal(await reading, true);
    assert.equal(numberOf(cursor.document, 'round'), 0);
    for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    assertUndamaged(engine);
    await engine.close();
  });

  it('lets its extents be used again once it has ended', async () => {
    const gate = new ReadGate();
    const [engine, collection] = await open(gate);
    const view = engine.snapshot();
    await view.record(collection, 3 as never);
    view.close();
    await overwriteAll(engine, collection);
    const before = fileBytes(engine);
    await overwriteAll(engine, collection, 6);
    assert.equal(fileBytes(engine), before);
    await engine.close();
  });
});

function blocksOf(engine: StorageEngine) {
  const { blocks } = engine.statistics();
  assert.ok(typeof blocks === 'object');
  return blocks;
}

function fileBytes(engine: StorageEngine): number {
  return Number(blocksOf(engine).fileBytes);
}

function assertUndamaged(engine: StorageEngine): void {
  const { extents, corruptPages } = blocksOf(engine);
  assert.ok(typeof extents === 'object');
  assert.equal(extents.damaged, 0);
  assert.equal(corruptPages, 0);
}
