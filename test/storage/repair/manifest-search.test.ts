import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { ManualClock } from '../../../common/clock.ts';
import { allocateAligned } from '../../../storage/device/aligned-memory.ts';
import { sectorNumber, writeBio } from '../../../storage/device/bio.ts';
import { MemoryVolume } from '../../../storage/device/memory-volume.ts';
import { RequestQueue } from '../../../storage/device/request-queue.ts';
import { encodeManifest } from '../../../storage/format/manifest.ts';
import { searchManifests } from '../../../storage/repair/manifest-search.ts';

const SECTOR_BYTES = 4096;

describe('The search for manifests', () => {
  it('takes the one of the later generation when a checkpoint was taken again', async () => {
    const volume = new MemoryVolume();
    const device = await volume.open('blocks.flint', { create: true, sectorCount: 64 });
    await device.grow(64);
    const queue = new RequestQueue(device, { clock: new ManualClock() });
    const write = async (address: number, checkpoint: number, generation: number) => {
      const page = allocateAligned(SECTOR_BYTES);
      encodeManifest(
        { address, generation, commitNumber: 7, storeId: '00'.repeat(16) },
        { checkpoint, extentSectors: 256, pageSectors: 8, collections: [], extents: [] },
        page,
      );
      await queue.submit(writeBio(device, sectorNumber(address), [page]));
    };
    await write(10, 3, 20);
    await write(20, 3, 21);
    await write(30, 2, 19);
    const found = await searchManifests(queue, () => {}, undefined);
    assert.equal(found?.base.manifestAddress, 20);
    assert.ok(found.reading.superblock.generationLimit > 21);
    await device.close();
  });
});
