import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { documentOf } from '../../../bson/index.ts';
import { systemClock } from '../../../common/clock.ts';
import { openBlockStore } from '../../../storage/blocks/block-store.ts';
import {
  CATALOG_COLLECTION,
  catalogKey,
  decodeCatalogRecord,
  decodeStoreCounters,
  STORED_COUNTERS,
} from '../../../storage/catalog/catalog-record.ts';
import { recordIdOf } from '../../../storage/checkpoint/catalog-fold.ts';
import { MemoryVolume } from '../../../storage/device/memory-volume.ts';
import { filesOf } from '../../../storage/index.ts';
import { MemoryIndexDisk, openMemoryIndexStore } from '../../../storage/indexes/memory-store.ts';
import { BaseEpoch } from '../../../storage/views/base-epoch.ts';
import { A_INDEX, createCollection, insert, openMemoryEngine } from '../engine/fixture.ts';

describe('catalog records in the block store', () => {
  it('are what the index store has, after every checkpoint, and go with their collection', async () => {
    const volume = new MemoryVolume();
    const disk = new MemoryIndexDisk();
    const engine = await openMemoryEngine({ files: filesOf(volume, disk) });
    const kept = createCollection(engine, 'test.kept', A_INDEX);
    const dropped = createCollection(engine, 'test.dropped', A_INDEX);
    insert(engine, kept, documentOf({ _id: 1, a: 1 }));
    await engine.checkpoint();
    insert(engine, kept, documentOf({ _id: 2, a: 2 }));
    const drop = engine.begin();
    drop.dropCollection(dropped);
    drop.commit();
    await engine.close();

    const blocks = await openBlockStore({ volume, clock: systemClock, cacheBytes: 1024 * 1024 });
    const storeId = Buffer.from(blocks.storeId, 'hex');
    const store = await openMemoryIndexStore({ disk, storeId, create: false });
    const base = new BaseEpoch(store.beginRead(), blocks, () => {});
    const key = catalogKey(kept.ident);
    const record = await base.record(CATALOG_COLLECTION, recordIdOf(kept.ident));
    assert.deepEqual(record, base.get(key));
    assert.equal(decodeCatalogRecord(key, record!).size.records, 2);
    assert.equal(await base.record(CATALOG_COLLECTION, recordIdOf(dropped.ident)), undefined);
    const counters = await base.record(CATALOG_COLLECTION, STORED_COUNTERS);
    assert.ok(decodeStoreCounters(counters!).identHighWater > dropped.ident);
    base.unpin();
    await store.close();
    await blocks.close();
  });
});
