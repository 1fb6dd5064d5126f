import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DeviceError } from '../../../common/errors.ts';
import type { Place } from '../../../storage/blocks/place.ts';
import { FileVolume } from '../../../storage/device/file-volume.ts';
import { MemoryVolume } from '../../../storage/device/memory-volume.ts';
import {
  append,
  appendMany,
  assertCorrupt,
  assertRecords,
  begin,
  checkpoint,
  createStore,
  documentOf,
  ident,
  openStore,
  recordId,
} from './store-fixture.ts';

describe('block store', () => {
  let volume: MemoryVolume;

  beforeEach(() => {
    volume = new MemoryVolume();
  });

  it('begins empty, and opens empty again', async () => {
    const store = await createStore(volume);
    assert.equal(store.base.checkpoint, 0);
    await store.close();
    const again = await openStore(volume);
    assert.equal(again.storeId, store.storeId);
    assert.equal(again.base.checkpoint, 0);
    await again.close();
  });

  it('refuses to be made where a store stands, and to open where none does', async () => {
    const store = await createStore(volume);
    await store.close();
    await assertCorrupt(() => createStore(volume), 'foreign', 'superblock');
    await assert.rejects(openStore(new MemoryVolume()), DeviceError);
    const blank = new MemoryVolume();
    await blank.open('blocks.flint', { create: true, sectorCount: 256 });
    await assertCorrupt(() => openStore(blank), 'missing', 'superblock');
  });

  it('reads back what a checkpoint wrote, now and after opening again', async () => {
    const store = await createStore(volume);
    let small = new Map<number, Place>();
    let large = new Map<number, Place>();
    const base = await checkpoint(store, (writer) => {
      small = appendMany(writer, 20, { count: 3, bytes: 50 });
      large = appendMany(writer, 21, { count: 500, bytes: 700 });
    });
    await assertRecords(store, 20, small);
    await assertRecords(store, 21, large);
    await store.close();
    const again = await openStore(volume, base);
    await assertRecords(again, 20, small);
    await assertRecords(again, 21, large);
    assert.equal(again.base.checkpoint, 1);
    await again.close();
  });

  it('opens whatever its manifest weighs: also when room for it was a sector more than it came to need', async () => {
    const store = await createStore(volume);
    const sectors = new Set<number>();
    let base = store.base;
    for (let collection = 20; collection < 220; collection += 1) {
      base = await checkpoint(store, (writer) => {
        appendMany(writer, collection, { count: 1, bytes: 40 });
      });
      sectors.add(base.manifestSectors);
      if (collection < 100) continue;
      const again = await openStore(volume, base);
      assert.equal(again.base.checkpoint, base.checkpoint);
      await again.close();
    }
    assert.ok(sectors.size > 1);
    await store.close();
  });

  it('gives a document larger than a page, or an extent, a page of its own', async () => {
    const store = await createStore(volume);
    const places = new Map<number, Place>();
    const sizes = [16 * 1024 - 88, 16 * 1024 - 87, 20_000, 70_000, 300_000, 40, 1_000_000];
    const base = await checkpoint(store, (writer) => {
      for (const [index, bytes] of sizes.entries()) {
        const document = documentOf(22, index + 1, bytes);
        append(writer, 22, index + 1, document, places);
      }
    });
    await assertRecords(store, 22, places);
    await store.close();
    const again = await openStore(volume, base);
    await assertRecords(again, 22, places);
    assert.equal(places.get(1)!.sector + 4, places.get(2)!.sector);
    assert.deepEqual(
      [...places.values()].map(({ sectors }) => sectors),
      [4, 5, 5, 18, 74, 1, 245],
    );
    await again.close();
  });

  it('puts a collection of one document into one page, many into one extent', async () => {
    const store = await createStore(volume);
    const before = store.statistics().extents.used;
    await checkpoint(store, (writer) => {
      for (let collection = 30; collection < 40; collection += 1) {
        appendMany(writer, collection, { count: 1, bytes: 100 });
      }
    });
    // One shared extent, one for the manifest.
    assert.equal(store.statistics().extents.used - before, 2);
    assert.equal(store.statistics().pagesWritten, 11);
    await store.close();
  });

  it('goes on filling an extent in the next checkpoint', async () => {
    const store = await createStore(volume);
    let first = new Map<number, Place>();
    let second = new Map<number, Place>();
    await checkpoint(store, (writer) => {
      first = appendMany(writer, 40, { count: 1, bytes: 100 });
    });
    await checkpoint(store, (writer) => {
      second = appendMany(writer, 41, { count: 1, bytes: 100 });
    });
    assert.equal(second.get(1)!.sector, first.get(1)!.sector + 1);
    await store.close();
  });

  it('merges the pages of an extent into few device calls', async () => {
    const store = await createStore(volume);
    await checkpoint(store, (writer) => {
      appendMany(writer, 50, { count: 2000, bytes: 500 });
    });
    const { queue } = store.statistics();
    const { calls, bios } = queue.operations.WRITE;
    assert.ok(queue.merges > 0);
    assert.ok(calls * 3 < bios, `${calls} calls for ${bios} bios`);
    await store.close();
  });

  it('frees an extent whose last record died, but not before the checkpoint after the next', async () => {
    const store = await createStore(volume);
    let places = new Map<number, Place>();
    await checkpoint(store, (writer) => {
      places = appendMany(writer, 60, { count: 200, bytes: 1000 });
    });
    const used = store.statistics().extents.used;
    await checkpoint(store, (writer) => {
      for (const place of places.values()) writer.supersede(ident(60), place);
    });
    assert.ok(store.statistics().extents.pendingFree >= 3);
    await assertRecords(store, 60, places);
    await checkpoint(store);
    assert.equal(store.statistics().extents.pendingFree, 0);
    assert.ok(store.statistics().extents.used < used);
    assert.equal(store.statistics().liveBytes < 10_000, true);
    await store.close();
  });

  it('gives much freed space back to the disk, and keeps some for the next checkpoint', async () => {
    const store = await createStore(volume);
    let places = new Map<number, Place>();
    await checkpoint(store, (writer) => {
      places = appendMany(writer, 60, { count: 4000, bytes: 1000 });
    });
    await checkpoint(store, (writer) => {
      for (const place of places.values()) writer.supersede(ident(60), place);
    });
    await checkpoint(store);
    const { free } = store.statistics().extents;
    assert.ok(free > 50);
    await store.close();
    const { bytes } = store.statistics().queue.operations.DISCARD;
    assert.ok(bytes > 0);
    assert.ok(bytes <= (free - 16) * 64 * 1024);
  });

  it('keeps what a pinned base needs', async () => {
    const store = await createStore(volume);
    let places = new Map<number, Place>();
    await checkpoint(store, (writer) => {
      places = appendMany(writer, 61, { count: 200, bytes: 1000 });
    });
    const pinned = store.base.checkpoint;
    const writeAll = async (version: number): Promise<void> => {
      const writer = await begin(store, store.base.commitNumber + 1);
      const before = version === 1 ? places : new Map<number, Place>();
      for (const place of before.values()) writer.supersede(ident(61), place);
      appendMany(writer, 62, { count: 100, bytes: 1000, version });
      await store.recordCheckpoint(await writer.finish());
      store.reclaim(pinned);
    };
    for (let version = 1; version < 5; version += 1) await writeAll(version);
    await store.close();
    const again = await openStore(volume, store.base);
    await assertRecords(again, 61, places);
    await again.close();
  });

  it('drops a collection by freeing the extents it fills alone', async () => {
    const store = await createStore(volume);
    let places = new Map<number, Place>();
    await checkpoint(store, (writer) => {
      places = appendMany(writer, 63, { count: 1000, bytes: 1000 });
    });
    const { used } = store.statistics().extents;
    await checkpoint(store, (writer) => writer.dropCollection(ident(63)));
    assert.ok(store.statistics().extents.pendingFree > 10);
    // The record map is reaped later; extents may serve others by then.
    await checkpoint(store, (writer) => {
      appendMany(writer, 64, { count: 1000, bytes: 1000 });
    });
    await checkpoint(store, (writer) => {
      for (const place of places.values()) writer.supersede(ident(63), place);
    });
    assert.equal(store.collectionSpace(ident(63)), undefined);
    assert.equal(store.collectionSpace(ident(64))!.liveBytes, 1_000_000);
    assert.ok(store.statistics().extents.used <= used + 1);
    await store.close();
  });

  it('remembers record ids and live bytes per collection', async () => {
    const store = await createStore(volume);
    let places = new Map<number, Place>();
    await checkpoint(store, (writer) => {
      places = appendMany(writer, 65, { count: 10, bytes: 100 });
      writer.noteRecordId(ident(65), recordId(77));
      writer.noteRecordId(ident(66), recordId(5));
    });
    const base = await checkpoint(store, (writer) => {
      writer.supersede(ident(65), places.get(3)!);
      writer.appendTombstone(ident(65), recordId(3));
    });
    await store.close();
    const again = await openStore(volume, base);
    assert.deepEqual(again.collectionSpaces(), [
      { ident: 65, recordIdHighWater: 77, liveBytes: 900, storedBytes: 3686 },
      { ident: 66, recordIdHighWater: 5, liveBytes: 0, storedBytes: 0 },
    ]);
    await again.close();
  });

  it('takes an aborted checkpoint back without a trace', async () => {
    const store = await createStore(volume);
    let places = new Map<number, Place>();
    await checkpoint(store, (writer) => {
      places = appendMany(writer, 67, { count: 100, bytes: 1000 });
    });
    const { extents, liveBytes } = store.statistics();
    const writer = await begin(store, 9);
    appendMany(writer, 67, { count: 300, bytes: 1000, version: 1 });
    for (const place of places.values()) writer.supersede(ident(67), place);
    await writer.abort();
    await writer.abort();
    assert.equal(store.statistics().extents.used, extents.used);
    assert.equal(store.statistics().liveBytes, liveBytes);
    assert.equal(store.collectionSpace(ident(67))!.liveBytes, 100_000);
    await assertRecords(store, 67, places);
    await checkpoint(store);
    await store.close();
  });

  it('fails a checkpoint on a full disk, and goes on with the base before', async () => {
    volume = new MemoryVolume({ capacityBytes: 2 * 1024 * 1024 });
    const store = await createStore(volume);
    let places = new Map<number, Place>();
    await checkpoint(store, (writer) => {
      places = appendMany(writer, 68, { count: 100, bytes: 1000 });
    });
    const writer = await begin(store, 9);
    appendMany(writer, 68, { count: 3000, bytes: 1000, version: 1 });
    await assert.rejects(writer.finish(), (error) => {
      assert.ok(error instanceof DeviceError);
      assert.equal(error.errno, 'ENOSPC');
      return true;
    });
    await writer.abort();
    await assertRecords(store, 68, places);
    await checkpoint(store);
    await store.close();
  });

  it('never gives the same generation out twice, also after crashed checkpoints', async () => {
    const seen = new Set<number>();
    const store = await createStore(volume);
    let base = store.base;
    await store.close();
    for (let round = 0; round < 5; round += 1) {
      const opened = await openStore(volume, base);
      for (let attempt = 0; attempt < 70; attempt += 1) {
        const writer = await begin(opened, round);
        const places = new Map<number, Place>();
        append(writer, 70, 1, documentOf(70, 1, 20), places);
        await writer.settle();
        const { generation } = places.get(1)!;
        assert.equal(seen.has(generation), false);
        seen.add(generation);
        if (attempt === 20) {
          base = await writer.finish();
          await opened.recordCheckpoint(base);
        } else {
          await writer.abort();
        }
      }
      // The next round opens it as after a crash.
    }
    assert.equal(seen.size, 350);
  });

  it('opens at the base that the index store names, one ahead of the superblock', async () => {
    const store = await createStore(volume);
    await checkpoint(store);
    const writer = await begin(store, 5);
    const places = appendMany(writer, 71, { count: 10, bytes: 100 });
    const base = await writer.finish();
    // The power goes after the index store's commit, before recordCheckpoint.
    const again = await openStore(volume, base);
    assert.equal(again.base.checkpoint, 2);
    await assertRecords(again, 71, places);
    const next = await begin(again, 6);
    const third = await next.finish();
    // And once more at the same point.
    const last = await openStore(volume, third);
    assert.equal(last.base.checkpoint, 3);
    await assertRecords(last, 71, places);
  });

  it('names the part that is older', async () => {
    const store = await createStore(volume);
    const first = await checkpoint(store);
    await checkpoint(store);
    await checkpoint(store);
    await store.close();
    await assertCorrupt(() => openStore(volume, first), 'older', 'index store');
    const later = { ...store.base, checkpoint: 9 };
    await assertCorrupt(() => openStore(volume, later), 'older', 'block store');
  });

  it('reads pages back after writing when told to', async () => {
    const store = await createStore(volume, { verifyWrites: true });
    await checkpoint(store, (writer) => {
      appendMany(writer, 72, { count: 100, bytes: 1000 });
      append(writer, 72, 200, documentOf(72, 200, 100_000));
      append(writer, 73, 1, documentOf(73, 1, 20));
    });
    assert.ok(store.statistics().pagesRead > 7);
    await store.close();
  });

  it('keeps to its sector size on a disk with another one', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'flint-blocks-'));
    const files = await FileVolume.open(directory);
    const large = Object.create(files, { sectorBytes: { value: 8192 } });
    const store = await createStore(large, { extentBytes: 1024 * 1024 });
    let places = new Map<number, Place>();
    const base = await checkpoint(store, (writer) => {
      places = appendMany(writer, 74, { count: 100, bytes: 1000 });
    });
    await store.close();
    const again = await openStore(files, base);
    await assertRecords(again, 74, places);
    await again.close();
    await rm(directory, { recursive: true });
  });
});
