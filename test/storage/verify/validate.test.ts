import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { documentOf, encodeIndexKey, int32Value } from '../../../bson/index.ts';
import { systemClock } from '../../../common/clock.ts';
import { uninterruptible } from '../../../common/interruption.ts';
import { openBlockStore } from '../../../storage/blocks/block-store.ts';
import { MemoryVolume } from '../../../storage/device/memory-volume.ts';
import { IndexChanges } from '../../../storage/indexes/changes.ts';
import { MemoryIndexDisk, openMemoryIndexStore } from '../../../storage/indexes/memory-store.ts';
import { filesOf, type RecordId } from '../../../storage/index.ts';
import { A_INDEX, createCollection, insert, openMemoryEngine } from '../engine/fixture.ts';

const NOTHING = Buffer.alloc(0);

describe('validate', () => {
  it('counts the keys of each index of a sound collection', async () => {
    const engine = await openMemoryEngine();
    const collection = createCollection(engine, 'test.a', A_INDEX);
    for (let id = 0; id < 100; id += 1) insert(engine, collection, documentOf({ _id: id, a: id }));
    const report = await engine.validate('test.a', { full: true }, uninterruptible);
    assert.deepEqual(report, {
      valid: true,
      recordCount: 100,
      keysPerIndex: { _id_: 100, a_1: 100 },
      errors: [],
      warnings: [],
      invalidIndexes: [],
      invalidDocuments: 0,
      corruptRecords: [],
      missingIndexEntries: [],
      extraIndexEntries: [],
    });
    await assert.rejects(engine.validate('test.b', { full: true }, uninterruptible), { code: 26 });
    await engine.close();
  });

  it('names an entry that is missing, and one that should not be there', async () => {
    const volume = new MemoryVolume();
    const disk = new MemoryIndexDisk();
    const engine = await openMemoryEngine({ files: filesOf(volume, disk) });
    const collection = createCollection(engine, 'test.a', A_INDEX);
    for (let id = 1; id <= 100; id += 1) insert(engine, collection, documentOf({ _id: id, a: id }));
    await engine.close();

    const blocks = await openBlockStore({ volume, clock: systemClock, cacheBytes: 1024 * 1024 });
    const storeId = Buffer.from(blocks.storeId, 'hex');
    await blocks.close();
    const store = await openMemoryIndexStore({ disk, storeId, create: false });
    const changes = new IndexChanges();
    const { ident } = collection.indexes[1];
    const keyOf = (value: number): Buffer => encodeIndexKey([int32Value(value)], [1]).key;
    changes.deleteIndexEntry(ident, keyOf(7), 7 as RecordId);
    changes.putIndexEntry(ident, keyOf(1234), 9 as RecordId, NOTHING);
    await store.commit(changes, store.stamp);
    await store.close();

    const next = await openMemoryEngine({ files: filesOf(volume, disk) });
    const report = await next.validate('test.a', { full: true }, uninterruptible);
    assert.equal(report.valid, false);
    assert.equal(report.errors.length, 2);
    assert.match(report.errors.join('\n'), /a_1: entry is missing: record 7/);
    assert.match(report.errors.join('\n'), /a_1: an entry of record 9 that it should not have/);
    assert.deepEqual(report.invalidIndexes, ['a_1']);
    assert.deepEqual(report.missingIndexEntries, [
      { indexName: 'a_1', recordId: 7, key: keyOf(7) },
    ]);
    assert.deepEqual(report.extraIndexEntries, [
      { indexName: 'a_1', recordId: 9, key: keyOf(1234) },
    ]);
    await next.close();
  });
});
