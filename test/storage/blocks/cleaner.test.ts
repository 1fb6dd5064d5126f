import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import type { BlockStore, CleaningSummary } from '../../../storage/blocks/contract.ts';
import type { Place } from '../../../storage/blocks/place.ts';
import { SimulatedVolume } from '../../../storage/device/simulated-volume.ts';
import {
  append,
  appendMany,
  assertRecords,
  begin,
  createStore,
  documentOf,
  expectPlace,
  ident,
  openStore,
  recordId,
} from './store-fixture.ts';

const COLLECTION = 20;
const EXTENT_BYTES = 64 * 1024;

describe('cleaner', () => {
  let volume: SimulatedVolume;
  let store: BlockStore;
  let places: Map<number, Place>;

  beforeEach(async () => {
    volume = new SimulatedVolume({ seed: 1 });
    store = await createStore(volume);
    places = new Map();
    await write((writer) => {
      places = appendMany(writer, COLLECTION, { count: 1000, bytes: 1000 });
    });
  });

  type Writer = Awaited<ReturnType<BlockStore['beginCheckpoint']>>;

  /** A checkpoint, with cleaning of at most `limitBytes`. */
  async function write(work: (writer: Writer) => void, limitBytes = 0): Promise<CleaningSummary> {
    const writer = await begin(store, store.base.commitNumber + 1);
    work(writer);
    const summary = await writer.clean(
      {
        isLive: (_collection, record, place) => isDeepStrictEqual(places.get(record), place),
        moving: (_collection, record) => {
          expectPlace(writer, COLLECTION, record, places);
          return writer.commitNumber;
        },
      },
      limitBytes,
    );
    await store.recordCheckpoint(await writer.finish());
    store.reclaim(store.base.checkpoint);
    return summary;
  }

  /** Deletes all records but every n-th. */
  function deleteMost(writer: Writer, keepEvery: number): void {
    for (const [record, place] of places) {
      if (record % keepEvery === 0) continue;
      writer.supersede(ident(COLLECTION), place);
      writer.appendTombstone(ident(COLLECTION), recordId(record));
      places.delete(record);
    }
  }

  it('moves what lives in mostly-dead extents together, and frees them', async () => {
    await write((writer) => deleteMost(writer, 10));
    const { used } = store.statistics().extents;
    const { sector } = places.get(500)!;
    const summary = await write(() => {}, 10 * EXTENT_BYTES);
    assert.ok(summary.extents >= 10);
    assert.ok(summary.movedRecords >= 60);
    assert.notEqual(places.get(500)!.sector, sector);
    await write(() => {});
    assert.ok(store.statistics().extents.used < used - 8);
    await assertRecords(store, COLLECTION, places);
    assert.equal(store.collectionSpace(ident(COLLECTION))!.liveBytes, 100 * 1000);
    const again = await openStore(volume, store.base);
    await assertRecords(again, COLLECTION, places);
    assert.equal(store.statistics().cleaned.movedRecords, summary.movedRecords);
  });

  it('leaves extents alone of which much lives', async () => {
    await write((writer) => deleteMost(writer, 1));
    const summary = await write(() => {}, 100 * EXTENT_BYTES);
    assert.deepEqual(summary, { extents: 0, movedRecords: 0, movedBytes: 0 });
  });

  it('does no more than it may', async () => {
    await write((writer) => deleteMost(writer, 10));
    assert.equal((await write(() => {}, 0)).extents, 0);
    const { movedBytes } = await write(() => {}, EXTENT_BYTES);
    assert.ok(movedBytes > 0);
    assert.ok(movedBytes <= EXTENT_BYTES);
  });

  it('reaches a state in which it has nothing left to do', async () => {
    await write((writer) => deleteMost(writer, 10));
    let rounds = 0;
    while ((await write(() => {}, 4 * EXTENT_BYTES)).extents > 0) rounds += 1;
    assert.ok(rounds < 10, `${rounds} rounds`);
    await assertRecords(store, COLLECTION, places);
  });

  it('keeps the space of a store under random updates within twice of what lives', async () => {
    let next = 1;
    for (let round = 0; round < 60; round += 1) {
      const touched = new Map<number, number>();
      await write((writer) => {
        for (let update = 0; update < 100; update += 1) {
          next = (next * 48_271) % 2_147_483_647;
          touched.set(1 + (next % 1000), round);
        }
        for (const record of [...touched.keys()].sort((a, b) => a - b)) {
          writer.supersede(ident(COLLECTION), places.get(record)!);
          const document = documentOf(COLLECTION, record, 1000);
          append(writer, COLLECTION, record, document, places);
        }
      }, 8 * EXTENT_BYTES);
    }
    const { usedBytes, liveBytes } = store.statistics();
    assert.ok(usedBytes < 2.5 * liveBytes, `${usedBytes} used for ${liveBytes} alive`);
    await assertRecords(store, COLLECTION, places);
  });

  it('leaves extents alone that the disk cannot read, and ends the checkpoint', async () => {
    await write((writer) => deleteMost(writer, 10));
    volume.setFaults({ readError: 1 });
    const { extents } = await write(() => {}, 20 * EXTENT_BYTES);
    volume.setFaults({});
    assert.equal(extents, 0);
    assert.ok(store.statistics().extents.damaged > 0);
    await assertRecords(store, COLLECTION, places);
  });

  it('leaves an extent with a damaged page as it is', async () => {
    await write((writer) => deleteMost(writer, 10));
    const { sector } = places.get(500)!;
    const neighbour = [...places].find(([, place]) => place.sector === sector + 4)!;
    volume.rot('blocks.flint', sector, 99);
    await write(() => {}, 20 * EXTENT_BYTES);
    assert.deepEqual(places.get(500)!.sector, sector);
    assert.deepEqual(places.get(neighbour[0]), neighbour[1]);
    assert.equal(store.statistics().extents.damaged, 1);
  });

  it('moves pages that reach over several extents, found from any of them', async () => {
    const sizes = [1.3, 0.4, 2.6, 0.9, 1.1, 0.2].map((part) => Math.floor(part * EXTENT_BYTES));
    await write((writer) => {
      deleteMost(writer, 5000);
      for (let record = 2000; record < 2060; record += 1) {
        const document = documentOf(COLLECTION, record, sizes[record % sizes.length]);
        append(writer, COLLECTION, record, document, places);
      }
    });
    for (let round = 0; round < 3; round += 1) await write(() => {}, 1000 * EXTENT_BYTES);
    await write((writer) => deleteMost(writer, 7));
    for (let round = 0; round < 6; round += 1) await write(() => {}, 1000 * EXTENT_BYTES);
    await assertRecords(store, COLLECTION, places);
    const { extents, liveBytes, cleaned } = store.statistics();
    assert.ok(cleaned.extents > 0);
    // Manifests and superblock have their own, two are being filled, and tombstones keep some.
    const most = Math.ceil((liveBytes * 1.5) / EXTENT_BYTES) + 8;
    assert.ok(extents.used <= most, `${extents.used} extents for ${liveBytes} bytes`);
    const reopened = await openStore(volume, store.base);
    await assertRecords(reopened, COLLECTION, places);
    await reopened.close();
  });

  it('empties an extent out of which a large document reached that is gone, with the extents behind', async () => {
    await write((writer) => {
      for (let record = 1900; record < 2020; record += 1) {
        append(writer, COLLECTION, record, documentOf(COLLECTION, record, 1000), places);
      }
      append(
        writer,
        COLLECTION,
        2020,
        documentOf(COLLECTION, 2020, Math.floor(2.5 * EXTENT_BYTES)),
        places,
      );
    });
    const extentOf = (record: number): number =>
      Math.floor((places.get(record)!.sector * 4096) / EXTENT_BYTES);
    const extent = extentOf(2020);
    const before = [...places.keys()].filter((record) => extentOf(record) === extent);
    assert.ok(before.length > 2, 'the large document begins behind others');
    const remove = (writer: Writer, records: readonly number[]): void => {
      for (const record of records) {
        writer.supersede(ident(COLLECTION), places.get(record)!);
        writer.appendTombstone(ident(COLLECTION), recordId(record));
        places.delete(record);
      }
    };
    await write((writer) => remove(writer, [2020]));
    // What lay behind is free now, and others write there.
    await write(() => {});
    await write((writer) => {
      for (let record = 3000; record < 3200; record += 1) {
        append(writer, COLLECTION, record, documentOf(COLLECTION, record, 1000), places);
      }
    });
    const [kept, ...others] = before.filter((record) => record !== 2020);
    await write((writer) => remove(writer, others));
    for (let round = 0; round < 3; round += 1) await write(() => {}, 100 * EXTENT_BYTES);
    assert.equal(store.statistics().extents.damaged, 0);
    assert.notEqual(extentOf(kept), extent);
    await assertRecords(store, COLLECTION, places);
  });

  it('gives back the space of a queue, whose records all die soon, beside what stays for ever', async () => {
    let first = 2000;
    const used: number[] = [];
    for (let round = 0; round < 60; round += 1) {
      await write((writer) => {
        for (const [record, place] of places) {
          if (record < 2000 && record % 100 !== round) continue;
          writer.supersede(ident(COLLECTION), place);
          writer.appendTombstone(ident(COLLECTION), recordId(record));
          places.delete(record);
        }
        for (let record = first; record < first + 400; record += 1) {
          append(writer, COLLECTION, record, documentOf(COLLECTION, record, 1000), places);
        }
        first += 400;
      }, 8 * EXTENT_BYTES);
      used.push(store.statistics().extents.used);
    }
    assert.ok(used[59] <= used[10] + 3, used.join(' '));
    await assertRecords(store, COLLECTION, places);
  });

  it('forgets tombstones of dropped collections', async () => {
    await write((writer) => {
      appendMany(writer, 30, { count: 1, bytes: 100 });
      appendMany(writer, 31, { count: 1, bytes: 100 });
    });
    await write((writer) => deleteMost(writer, 100));
    await write((writer) => writer.dropCollection(ident(COLLECTION)), 100 * EXTENT_BYTES);
    places.clear();
    for (let round = 0; round < 3; round += 1) await write(() => {}, 100 * EXTENT_BYTES);
    assert.ok(store.statistics().extents.used <= RESERVED_AND_OPEN);
  });
});

/** Nine extents of 64 KiB reserved for the superblock, the shared ones, and those of manifests. */
const RESERVED_AND_OPEN = 9 + 3 + 2;
