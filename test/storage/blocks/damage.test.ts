import assert from 'node:assert/strict';
import type { BlockStore } from '../../../storage/blocks/contract.ts';
import type { Place } from '../../../storage/blocks/place.ts';
import { SimulatedVolume } from '../../../storage/device/simulated-volume.ts';
import type { Base } from '../../../storage/format/base.ts';
import { BLOCK_FORMAT_VERSION } from '../../../storage/format/superblock.ts';
import {
  appendMany,
  assertCorrupt,
  assertRecords,
  begin,
  checkpoint,
  createStore,
  ident,
  openStore,
  recordId,
} from './store-fixture.ts';

const DISK = 'blocks.flint';
const COLLECTION = 20;

describe('damage in the block store', () => {
  let volume: SimulatedVolume;
  let base: Base;
  let places: Map<number, Place>;
  /** The same addresses one generation earlier. */
  let before: Buffer;

  beforeEach(async () => {
    volume = new SimulatedVolume({ seed: 1 });
    const store = await createStore(volume);
    const first = await begin(store, 1);
    const stale = appendMany(first, COLLECTION, { count: 40, bytes: 1000, version: 1 });
    await first.finish();
    before = volume.peek(DISK, stale.get(1)!.sector);
    await first.abort();
    base = await checkpoint(store, (writer) => {
      places = appendMany(writer, COLLECTION, { count: 40, bytes: 1000 });
    });
    await store.close();
  });

  const openAgain = (): Promise<BlockStore> => openStore(volume, base);
  const place = (record: number): Place => places.get(record)!;

  async function readAll(store: BlockStore): Promise<void> {
    await assertRecords(store, COLLECTION, places);
  }

  it('is absent from what was written well', async () => {
    const store = await openAgain();
    await readAll(store);
    assert.equal(store.statistics().corruptPages, 0);
  });

  it('is a checksum error for any flipped bit of a page', async () => {
    const { sector } = place(1);
    for (const bit of [0, 40, 8 * 20, 8 * 57, 8 * 70 + 3, 8 * 3000, 8 * 4095 + 7]) {
      volume.rot(DISK, sector + 1, bit);
      await assertCorrupt(async () => readAll(await openAgain()), 'checksum', 'page');
      volume.rot(DISK, sector + 1, bit);
      volume.rot(DISK, sector, bit);
      await assertCorrupt(async () => readAll(await openAgain()), 'checksum', 'page');
      volume.rot(DISK, sector, bit);
    }
    await readAll(await openAgain());
  });

  it('is a checksum error for a torn page, and a lost write for one never begun', async () => {
    const { sector } = place(1);
    const zeros = Buffer.alloc(4096);
    volume.poke(DISK, sector + 2, zeros);
    await assertCorrupt(async () => readAll(await openAgain()), 'checksum', 'page');
    volume.poke(DISK, sector, Buffer.alloc(4 * 4096));
    await assertCorrupt(async () => readAll(await openAgain()), 'lostWrite', 'page');
  });

  it('is a lost write when an older generation stands there', async () => {
    // The stale page lay at the same place: put it back whole.
    const { sector } = place(1);
    const fresh = await stalePages(sector);
    volume.poke(DISK, sector, fresh);
    await assertCorrupt(async () => readAll(await openAgain()), 'lostWrite', 'page');
  });

  /** What the aborted checkpoint had written at `sector`, four sectors of it. */
  async function stalePages(sector: number): Promise<Buffer> {
    const other = new SimulatedVolume({ seed: 1 });
    const store = await createStore(other);
    const writer = await begin(store, 1);
    appendMany(writer, COLLECTION, { count: 40, bytes: 1000, version: 1 });
    await writer.finish();
    const pages = [0, 1, 2, 3].map((index) => other.peek(DISK, sector + index));
    assert.deepEqual(pages[0], before);
    return Buffer.concat(pages);
  }

  it('is a misdirected write when a page stands at another address', async () => {
    const from = place(1).sector;
    const to = place(40).sector;
    assert.notEqual(from, to);
    const page = [0, 1, 2, 3].map((index) => volume.peek(DISK, from + index));
    volume.poke(DISK, to, Buffer.concat(page));
    const store = await openAgain();
    await assertCorrupt(() => store.record(place(40), recordId(40)), 'misdirectedWrite', 'page');
  });

  it('is foreign when a page belongs to another store', async () => {
    const other = new SimulatedVolume({ seed: 1 });
    const store = await createStore(other, { storeId: 'ff'.repeat(16) });
    const aborted = await begin(store, 1);
    await aborted.abort();
    const writer = await begin(store, 1);
    const theirs = appendMany(writer, COLLECTION, { count: 40, bytes: 1000 });
    await writer.finish();
    const { sector } = place(1);
    assert.deepEqual(theirs.get(1), place(1));
    const page = [0, 1, 2, 3].map((index) => other.peek(DISK, sector + index));
    volume.poke(DISK, sector, Buffer.concat(page));
    await assertCorrupt(async () => readAll(await openAgain()), 'foreign', 'page');
  });

  it('is named when the record map points to the wrong record', async () => {
    const store = await openAgain();
    await assertCorrupt(() => store.record(place(1), recordId(2)), 'malformed', 'record place');
    const beyond = { ...place(1), slot: 999 };
    await assertCorrupt(() => store.record(beyond, recordId(1)), 'malformed', 'record place');
    const longer = { ...place(1), bytes: 1001 };
    await assertCorrupt(() => store.record(longer, recordId(1)), 'malformed', 'record place');
    for (const sector of [0, 5, 10_000_000, -1, 1.5]) {
      const outside = { ...place(1), sector };
      await assertCorrupt(() => store.record(outside, recordId(1)), 'malformed', 'record place');
    }
  });

  it('fails only the page that has it', async () => {
    volume.rot(DISK, place(1).sector, 99);
    const store = await openAgain();
    await assertCorrupt(() => store.record(place(1), recordId(1)), 'checksum');
    const rest = new Map([...places].filter(([, other]) => other.sector !== place(1).sector));
    await assertRecords(store, COLLECTION, rest);
    assert.ok(rest.size > 10);
  });

  it('keeps its extent from being freed, for good', async () => {
    const { sector } = place(1);
    volume.rot(DISK, sector, 99);
    const store = await openAgain();
    await assertCorrupt(() => store.record(place(1), recordId(1)), 'checksum');
    await checkpoint(store, (writer) => {
      for (const one of places.values()) writer.supersede(ident(COLLECTION), one);
    });
    for (let round = 0; round < 4; round += 1) {
      base = await checkpoint(store, (writer) => {
        appendMany(writer, COLLECTION + 1 + round, { count: 40, bytes: 1000 });
      });
    }
    assert.equal(store.statistics().extents.damaged, 1);
    await store.close();
    const again = await openAgain();
    assert.equal(again.statistics().extents.damaged, 1);
    const neighbours = [...places].filter(
      ([, other]) => other.sector !== sector && other.sector < sector + 16,
    );
    assert.ok(neighbours.length > 10);
    await assertRecords(again, COLLECTION, new Map(neighbours));
  });

  it('is found by the check behind each checkpoint when writes are lost or go astray', async () => {
    for (const fault of ['lostWrite', 'misdirectedWrite'] as const) {
      const store = await openStore(volume, base, { verifyWrites: true });
      volume.setFaults({ [fault]: 1 });
      const writer = await begin(store, 8).catch(() => undefined);
      volume.setFaults({});
      const next = writer ?? (await begin(store, 8));
      appendMany(next, COLLECTION, { count: 40, bytes: 1000, version: 2 });
      volume.setFaults({ [fault]: 1 });
      await assert.rejects(next.finish(), { name: 'CorruptionError' });
      volume.setFaults({});
      await next.abort();
      await store.close();
    }
  });

  it('of a manifest is named, and the store refuses to open', async () => {
    volume.rot(DISK, base.manifestAddress, 700);
    await assertCorrupt(openAgain, 'checksum', 'page');
    volume.rot(DISK, base.manifestAddress, 700);
    const swapped = { ...base, manifestAddress: place(1).sector, manifestSectors: 4 };
    await assertCorrupt(() => openStore(volume, swapped), 'malformed', 'manifest');
  });

  it('of one superblock copy is survived and mended, of both it is named', async () => {
    for (const sector of [0, 128]) {
      volume.rot(DISK, sector, 8 * 60);
      const store = await openAgain();
      assert.equal(store.superblockDamage?.kind, 'checksum');
      await readAll(store);
      base = await checkpoint(store);
      await store.close();
      const again = await openAgain();
      assert.equal(again.superblockDamage, undefined);
      await again.close();
    }
    volume.rot(DISK, 0, 8 * 60);
    volume.rot(DISK, 128, 8 * 60);
    await assertCorrupt(openAgain, 'checksum', 'superblock');
  });

  it('of a superblock copy that stands in the other place is named', async () => {
    volume.poke(DISK, 128, volume.peek(DISK, 0));
    const store = await openAgain();
    assert.equal(store.superblockDamage?.kind, 'misdirectedWrite');
  });

  it('is told apart from a store of a later or earlier version', async () => {
    const { crc32c } = await import('../../../common/crc32c.ts');
    const written = [
      [BLOCK_FORMAT_VERSION + 1, /Use a newer server/],
      [BLOCK_FORMAT_VERSION - 1, /an earlier build/],
    ] as const;
    for (const [version, advice] of written) {
      for (const sector of [0, 128]) {
        const copy = volume.peek(DISK, sector);
        copy.writeUInt32LE(version, 12);
        copy.writeUInt32LE(crc32c(copy, 12, 4096), 8);
        volume.poke(DISK, sector, copy);
      }
      await assert.rejects(openAgain(), new RegExp(`format version ${version}.*`));
      await assert.rejects(openAgain(), advice);
    }
  });

  it('of a shortened file is named', async () => {
    const shorter = new SimulatedVolume({ seed: 1 });
    await shorter.open(DISK, { create: true, sectorCount: 144 });
    for (let sector = 0; sector < 144; sector += 1) {
      shorter.poke(DISK, sector, volume.peek(DISK, sector));
    }
    await assertCorrupt(() => openStore(shorter, base), 'older', 'block store');
  });

  it('of a device that cannot be read is a device error', async () => {
    const store = await openAgain();
    volume.setFaults({ readError: 1 });
    await assert.rejects(async () => store.record(place(1), recordId(1)), { errno: 'EIO' });
    volume.setFaults({});
    await readAll(store);
  });
});
