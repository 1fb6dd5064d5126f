import assert from 'node:assert/strict';
import type { Place } from '../../storage/blocks/place.ts';
import { SimulatedVolume } from '../../storage/device/simulated-volume.ts';
import { decodeManifest } from '../../storage/format/manifest.ts';
import { verifyPage } from '../../storage/format/page.ts';
import { decodeSuperblock } from '../../storage/format/superblock.ts';
import { hexDump, matchGolden, parseHexDump } from '../support/golden.ts';
import {
  append,
  checkpoint,
  createStore,
  ident,
  recordId,
  STORE_ID,
} from '../storage/blocks/store-fixture.ts';

/** { hello: "world" } */
const HELLO = Buffer.from('160000000268656c6c6f0006000000776f726c640000', 'hex');
const DISK = 'blocks.flint';

describe('golden bytes of the block store', () => {
  it('are those of docs/format: superblock, page, manifest', async () => {
    const volume = new SimulatedVolume({ seed: 1 });
    const store = await createStore(volume, { extentBytes: 1024 * 1024, pageBytes: 32 * 1024 });
    const base = await checkpoint(store, (writer) => {
      append(writer, 20, 1, HELLO);
      writer.appendTombstone(ident(20), recordId(2));
    });
    const superblock = volume.peek(DISK, 0);
    const page = volume.peek(DISK, 256);
    const manifest = volume.peek(DISK, base.manifestAddress);
    matchGolden('block-store/superblock.txt', hexDump(superblock));
    matchGolden('block-store/page.txt', hexDump(page));
    matchGolden('block-store/manifest.txt', hexDump(manifest));

    assert.deepEqual(parseHexDump(hexDump(page)), page);
    assert.equal(decodeSuperblock(superblock, 0).storeId, STORE_ID);
    const expected = { address: 256, generation: 1, storeId: STORE_ID };
    assert.equal(verifyPage(page, 4096, expected).header.recordCount, 2);
    const place = { address: base.manifestAddress, generation: 1, storeId: STORE_ID };
    const { header } = verifyPage(manifest, 4096, place);
    assert.equal(decodeManifest(manifest, header).extents.length, 3);
  });

  it('are those of a whole extent that two small collections share', async () => {
    const extentBytes = 64 * 1024;
    const volume = new SimulatedVolume({ seed: 1 });
    const store = await createStore(volume, { extentBytes, pageBytes: 8 * 1024 });
    const placed = [new Map<number, Place>(), new Map<number, Place>()];
    await checkpoint(store, (writer) => {
      for (let id = 1; id <= 3; id += 1) append(writer, 20, id, HELLO, placed[0]);
      append(writer, 21, 1, HELLO, placed[1]);
    });
    const places = placed.flatMap((map) => [...map.values()].map(({ sector }) => sector));
    const sectors = extentBytes / 4096;
    const first = Math.min(...places);
    assert.equal(first % sectors, 0);
    assert.deepEqual(places, [first, first, first, first + 1]);
    const extent = Array.from({ length: sectors }, (_, sector) =>
      volume.peek(DISK, first + sector),
    );
    matchGolden('block-store/extent.txt', hexDump(Buffer.concat(extent)));
    for (const [collection, page] of extent.slice(0, 2).entries()) {
      const place = { address: first + collection, generation: 1, storeId: STORE_ID };
      assert.equal(verifyPage(page, 4096, place).header.recordCount, collection === 0 ? 3 : 1);
    }
  });
});
