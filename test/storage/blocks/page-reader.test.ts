import assert from 'node:assert/strict';
import { ManualClock } from '../../../common/clock.ts';
import type { BlockStore } from '../../../storage/blocks/contract.ts';
import type { Place } from '../../../storage/blocks/place.ts';
import { SimulatedVolume } from '../../../storage/device/simulated-volume.ts';
import type { Base } from '../../../storage/format/base.ts';
import {
  append,
  appendMany,
  assertRecords,
  checkpoint,
  createStore,
  documentOf,
  openStore,
  recordId,
} from './store-fixture.ts';

const COLLECTION = 20;
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('page reader', () => {
  let volume: SimulatedVolume;
  let base: Base;
  let places: Map<number, Place>;
  let store: BlockStore;

  beforeEach(async () => {
    volume = new SimulatedVolume({ seed: 1 });
    const first = await createStore(volume);
    base = await checkpoint(first, (writer) => {
      places = appendMany(writer, COLLECTION, { count: 300, bytes: 1000 });
      const large = documentOf(COLLECTION, 301, 50_000);
      append(writer, COLLECTION, 301, large, places);
    });
    await first.close();
    store = await openStore(volume, base, { clock: new ManualClock() });
  });

  const record = (number: number): Buffer | Promise<Buffer> =>
    store.record(places.get(number)!, recordId(number));

  it('answers at once from the page read last and from the cache', async () => {
    await record(1);
    const { pagesRead } = store.statistics();
    assert.ok(record(2) instanceof Buffer);
    await record(290);
    assert.ok(record(1) instanceof Buffer);
    assert.ok(record(291) instanceof Buffer);
    assert.equal(store.statistics().pagesRead, pagesRead + 1);
  });

  it('reads a lone cold page at once, further ones of the turn in the background', async () => {
    assert.ok(record(1) instanceof Buffer);
    const second = record(100);
    assert.ok(second instanceof Promise);
    await second;
    await turn();
    assert.ok(record(200) instanceof Buffer);
    assert.equal(store.statistics().pagesReadSync, 2);
  });

  it('does not hold the loop for a page of one large document', async () => {
    const large = record(301);
    assert.ok(large instanceof Promise);
    assert.deepEqual(await large, documentOf(COLLECTION, 301, 50_000));
  });

  it('stops reading at once on a slow device, and tries it again now and then', async () => {
    const clock = new ManualClock();
    const cold = await openStore(volume, base, {
      cacheBytes: 0,
      // Each look at the clock takes 5 ms: so do reads between two looks.
      clock: {
        wallMs: () => clock.wallMs(),
        after: (delayMs, run) => clock.after(delayMs, run),
        monotonicMs: () => {
          clock.advance(5);
          return clock.monotonicMs();
        },
      },
    });
    for (let round = 0; round < 200; round += 1) {
      const number = 1 + ((round * 60) % 300);
      await cold.record(places.get(number)!, recordId(number));
      await turn();
    }
    const { pagesRead, pagesReadSync } = cold.statistics();
    assert.ok(pagesRead >= 150);
    assert.ok(pagesReadSync >= 9 && pagesReadSync <= 13, `${pagesReadSync} of ${pagesRead}`);
  });

  it('loads a page once for all who wait for it', async () => {
    await record(1);
    const { pagesRead } = store.statistics();
    const neighbours = [100, 101, 102].filter(
      (number) => places.get(number)!.sector === places.get(100)!.sector,
    );
    assert.ok(neighbours.length > 1);
    await Promise.all(neighbours.map(async (number) => record(number)));
    assert.equal(store.statistics().pagesRead, pagesRead + 1);
  });

  it('has prefetched pages at hand, read in few device calls', async () => {
    await store.prefetch(places.values());
    const { pagesPrefetched, queue } = store.statistics();
    assert.ok(pagesPrefetched > 15);
    assert.ok(queue.merges > 10);
    for (const number of places.keys()) assert.ok(record(number) instanceof Buffer);
    assert.equal(store.statistics().pagesRead, pagesPrefetched);
  });

  it('keeps errors of a prefetch for who asks for the record', async () => {
    volume.rot('blocks.flint', places.get(1)!.sector, 77);
    await store.prefetch([places.get(1)!, { ...places.get(2)!, sector: 10 ** 9 }]);
    await assert.rejects(async () => record(1), { name: 'CorruptionError' });
  });

  it('gives documents that stay as they are, through a cache that is much too small', async () => {
    const small = await openStore(volume, base, { cacheBytes: 150 * 1024 });
    const held: [number, Buffer][] = [];
    for (let round = 0; round < 40; round += 1) {
      const wanted = Array.from(
        { length: 25 },
        (_, index) => ((round * 37 + index * 61) % 301) + 1,
      );
      const documents = await Promise.all(
        wanted.map(async (number) => small.record(places.get(number)!, recordId(number))),
      );
      for (const [index, document] of documents.entries()) held.push([wanted[index], document]);
      await turn();
    }
    for (const [number, document] of held) {
      assert.deepEqual(document, documentOf(COLLECTION, number, number === 301 ? 50_000 : 1000));
    }
    const { cache } = small.statistics();
    assert.ok(cache.evictions > 100);
    assert.ok(cache.bytes <= cache.limitBytes);
    await small.close();
  });

  it('bounds how much is prefetched at once', () => {
    const far = Array.from({ length: 1000 }, (_, index) => ({
      sector: 256 + index,
      sectors: 4,
      slot: 0,
      bytes: 10,
      generation: 1,
    }));
    void store.prefetch(far.filter(({ sector }) => sector < 400));
    assert.ok(store.statistics().queue.depth <= 64);
  });

  it('gives back memory of reads that failed', async () => {
    const { alignedMemoryStatistics } = await import('../../../storage/device/aligned-memory.ts');
    const before = alignedMemoryStatistics().heldBytes;
    volume.setFaults({ readError: 1 });
    await assert.rejects(async () => record(1));
    await assert.rejects(async () => record(100));
    volume.setFaults({});
    assert.equal(alignedMemoryStatistics().heldBytes, before);
    await assertRecords(store, COLLECTION, places);
    assert.equal(alignedMemoryStatistics().heldBytes, before);
  });
});
