import assert from 'node:assert/strict';
import type { BlockStore } from '../../../storage/blocks/contract.ts';
import type { Place } from '../../../storage/blocks/place.ts';
import type { PageCompression } from '../../../storage/contract.ts';
import { MemoryVolume } from '../../../storage/device/memory-volume.ts';
import { SimulatedVolume } from '../../../storage/device/simulated-volume.ts';
import { compressBody, loadCompression } from '../../../storage/format/page-compression.ts';
import { PAGE_HEADER, sealPage } from '../../../storage/format/page.ts';
import {
  append,
  appendMany,
  assertCorrupt,
  assertRecords,
  checkpoint,
  createStore,
  documentOf,
  ident,
  openStore,
  recordId,
  STORE_ID,
} from './store-fixture.ts';

const DISK = 'blocks.flint';

async function storeWith(
  compression: PageCompression,
  volume = new SimulatedVolume({ seed: 1 }),
): Promise<{ store: BlockStore; places: Map<number, Place>; volume: SimulatedVolume }> {
  let places = new Map<number, Place>();
  const store = await createStore(volume, { cacheBytes: 0 });
  await checkpoint(
    store,
    (writer) => {
      places = appendMany(writer, 20, { count: 300, bytes: 1000 });
      append(writer, 20, 301, documentOf(20, 301, 200_000), places);
      for (let record = 1; record <= 5; record += 1) append(writer, 21, record, noise(record));
    },
    compression,
  );
  return { store, places, volume };
}

/** Bytes that nothing shortens. */
function noise(seed: number): Buffer {
  const bytes = Buffer.alloc(3000);
  let state = seed;
  for (let index = 0; index < bytes.length; index += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[index] = state >>> 24;
  }
  return bytes;
}

describe('compressed pages', () => {
  for (const compression of ['snappy', 'zstd'] as const) {
    it(`with ${compression} save sectors, and give back every record, also after a new start`, async () => {
      const plain = await storeWith('none');
      const { store, places, volume } = await storeWith(compression);
      await assertRecords(store, 20, places);
      const saved = store.statistics().bytesWritten / plain.store.statistics().bytesWritten;
      assert.ok(saved < 0.4, `${saved}`);
      assert.ok(store.collectionSpace(ident(20))!.storedBytes < 150_000);
      assert.ok(plain.store.collectionSpace(ident(20))!.storedBytes > 500_000);
      assert.equal(store.collectionSpace(ident(20))!.liveBytes, 500_000);
      const base = store.base;
      await store.close();
      const again = await openStore(volume, base, { cacheBytes: 0 });
      await assertRecords(again, 20, places);
      await again.close();
    });

    it(`with ${compression} lie in the cache as plain ones, written or read`, async () => {
      const { store, places, volume } = await storeWith(compression);
      await store.close();
      const again = await openStore(volume, store.base, { cacheBytes: 4 * 1024 * 1024 });
      await assertRecords(again, 20, places);
      const { pagesRead } = again.statistics();
      for (const [record, place] of places) {
        assert.ok(again.record(place, recordId(record)) instanceof Buffer);
      }
      assert.equal(again.statistics().pagesRead, pagesRead);
      await again.close();
    });

    it(`with ${compression} that are damaged behind a good checksum are named, and nothing is allocated for a lie`, async () => {
      await loadCompression(compression);
      const lies: ((page: Buffer) => void)[] = [
        // Claims to stand for four gigabytes.
        (page) => page.writeUInt32LE(0xffff_fff0, PAGE_HEADER.plainBytes),
        (page) => page.writeUInt32LE(71, PAGE_HEADER.plainBytes),
        (page) => page.writeUInt32LE(20_000, PAGE_HEADER.plainBytes),
        (page) => page.fill(0xa5, PAGE_HEADER.size, PAGE_HEADER.size + 40),
        // A frame that is sound, and of another length.
        (page) =>
          compressBody(compression, Buffer.alloc(3_000_000)).copy(page, PAGE_HEADER.size, 0, 1000),
        // A frame that stands for what is no page.
        (page) => {
          const body = compressBody(compression, Buffer.alloc(900, 0xff));
          body.copy(page, PAGE_HEADER.size);
          page.writeUInt32LE(PAGE_HEADER.size + body.length, PAGE_HEADER.usedBytes);
          page.writeUInt32LE(PAGE_HEADER.size + 900, PAGE_HEADER.plainBytes);
        },
      ];
      for (const lie of lies) {
        const { store, places, volume } = await storeWith(compression);
        const { sector, generation, sectors } = places.get(1)!;
        assert.equal(sectors, 1);
        const page = volume.peek(DISK, sector);
        lie(page);
        const expected = { address: sector, generation, storeId: STORE_ID };
        const used = page.readUInt32LE(PAGE_HEADER.usedBytes);
        page.fill(0, used);
        // Summed again: as if the server itself had written it.
        const header = {
          ...expected,
          commitNumber: 1,
          collection: 20,
          usedBytes: used,
          plainBytes: page.readUInt32LE(PAGE_HEADER.plainBytes),
          recordCount: page.readUInt16LE(PAGE_HEADER.recordCount),
          kind: 1,
          compression,
        } as const;
        sealPage(header, page);
        volume.poke(DISK, sector, page);
        await assertCorrupt(() => store.record(places.get(1)!, recordId(1)), 'malformed', 'page');
        await assertCorrupt(() => store.record(places.get(1)!, recordId(1)), 'malformed', 'page');
        assert.deepEqual(
          await store.record(places.get(300)!, recordId(300)),
          documentOf(20, 300, 1000),
        );
        await store.close();
      }
    });

    it(`with ${compression} are emptied by the cleaner like others`, async () => {
      const store = await createStore(new MemoryVolume(), { cacheBytes: 0 });
      let places = new Map<number, Place>();
      await checkpoint(
        store,
        (writer) => {
          places = appendMany(writer, 20, { count: 8000, bytes: 1000 });
        },
        compression,
      );
      const { used } = store.statistics().extents;
      await checkpoint(
        store,
        (writer) => {
          for (let record = 1; record <= 7000; record += 1) {
            writer.supersede(ident(20), places.get(record)!);
            places.delete(record);
          }
        },
        compression,
      );
      await checkpoint(store);
      await checkpoint(store);
      const { extents, usedBytes, liveBytes } = store.statistics();
      assert.ok(extents.used < used - 2, `${extents.used} of ${used}`);
      assert.ok(liveBytes <= usedBytes);
      assert.equal(store.collectionSpace(ident(20))!.liveBytes, 1_000_000);
      await assertRecords(store, 20, places);
    });
  }

  it('tells how much of a collection lives, and how much is dead', async () => {
    const store = await createStore(new MemoryVolume(), { cacheBytes: 0 });
    let places = new Map<number, Place>();
    await checkpoint(
      store,
      (writer) => {
        places = appendMany(writer, 20, { count: 400, bytes: 1000 });
      },
      'snappy',
    );
    assert.equal(store.deadBytes(ident(20)), 0);
    const { storedBytes } = store.collectionSpace(ident(20))!;
    await checkpoint(store, (writer) => {
      for (let record = 1; record <= 200; record += 1)
        writer.supersede(ident(20), places.get(record)!);
    });
    const after = store.collectionSpace(ident(20))!;
    assert.equal(after.liveBytes, 200_000);
    assert.ok(Math.abs(after.storedBytes - storedBytes / 2) < 5, `${after.storedBytes}`);
    await checkpoint(store, (writer) => {
      for (let record = 201; record <= 400; record += 1)
        writer.supersede(ident(20), places.get(record)!);
    });
    assert.equal(store.collectionSpace(ident(20))!.storedBytes, 0);
  });
});
