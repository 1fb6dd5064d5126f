import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { ManualClock } from '../../../common/clock.ts';
import { CorruptionError } from '../../../common/errors.ts';
import type { CommitNumber } from '../../../storage/contract.ts';
import { allocateAligned } from '../../../storage/device/aligned-memory.ts';
import type { Device } from '../../../storage/device/contract.ts';
import { sectorNumber, writeBio } from '../../../storage/device/bio.ts';
import { MemoryVolume } from '../../../storage/device/memory-volume.ts';
import { RequestQueue } from '../../../storage/device/request-queue.ts';
import { encodeManifest } from '../../../storage/format/manifest.ts';
import { PAGE_HEADER } from '../../../storage/format/page.ts';
import { searchManifests } from '../../../storage/repair/manifest-search.ts';

const SECTOR_BYTES = 4096;

const SECTORS = 4096;

interface Written {
  readonly address: number;
  readonly checkpoint: number;
  readonly generation: number;
  readonly extentSectors?: number;
  /** Changes the page when it is sealed. */
  readonly damage?: (page: Buffer) => void;
}

describe('The search for manifests', () => {
  let device: Device;
  let queue: RequestQueue;

  beforeEach(async () => {
    const volume = new MemoryVolume();
    device = await volume.open('blocks.flint', { create: true, sectorCount: SECTORS });
    await device.grow(SECTORS);
    queue = new RequestQueue(device, { clock: new ManualClock() });
  });

  afterEach(() => device.close());

  async function write({ address, damage, ...manifest }: Written): Promise<void> {
    const { checkpoint, generation, extentSectors = 256 } = manifest;
    const page = allocateAligned(SECTOR_BYTES);
    encodeManifest(
      { address, generation, commitNumber: 7, storeId: '00'.repeat(16) },
      { checkpoint, extentSectors, pageSectors: 8, collections: [], extents: [] },
      page,
    );
    damage?.(page);
    await queue.submit(writeBio(device, sectorNumber(address), [page]));
  }

  it('takes the one of the later generation when a checkpoint was taken again', async () => {
    await write({ address: 10, checkpoint: 3, generation: 20 });
    await write({ address: 20, checkpoint: 3, generation: 21 });
    await write({ address: 30, checkpoint: 2, generation: 19 });
    const found = await searchManifests(queue, () => {}, undefined);
    assert.equal(found?.base.manifestAddress, 20);
    assert.ok(found.reading.superblock.generationLimit > 21);
  });

  it('takes one behind what whole superblocks name only when there is none before', async () => {
    const superblock = {
      storeId: '00'.repeat(16),
      sectorBytes: SECTOR_BYTES,
      extentSectors: 256,
      pageSectors: 8,
      sequence: 9,
      checkpoint: 4,
      commitNumber: 7 as CommitNumber,
      manifestAddress: 40,
      manifestGeneration: 22,
      manifestSectors: 1,
      generationLimit: 100,
    };
    const foundWith = async (damage: CorruptionError | undefined) =>
      (await searchManifests(queue, () => {}, { superblock, damage }))?.base.manifestAddress;
    // Of a checkpoint that never came to its end.
    await write({ address: 10, checkpoint: 5, generation: 23 });
    assert.equal(await foundWith(undefined), 10);
    await write({ address: 20, checkpoint: 3, generation: 20 });
    await write({ address: 30, checkpoint: 4, generation: 21 });
    assert.equal(await foundWith(undefined), 20);
    // The copy that is lost may have named it.
    assert.equal(await foundWith(new CorruptionError('checksum', 'superblock', 'copy 1')), 10);
  });

  it('passes over one whose sizes no store has', async () => {
    await write({ address: 10, checkpoint: 3, generation: 20 });
    for (const [position, extentSectors] of [0, 7, 65_536].entries()) {
      await write({ address: 20 + position, checkpoint: 4, generation: 21, extentSectors });
    }
    const found = await searchManifests(queue, () => {}, undefined);
    assert.equal(found?.base.manifestAddress, 10);
  });

  it('takes no memory for a length that is rotten', async () => {
    await write({ address: 10, checkpoint: 3, generation: 20 });
    await write({
      address: 20,
      checkpoint: 4,
      generation: 21,
      damage: (page) => page.writeUInt32LE(8 * 1024 * 1024, PAGE_HEADER.usedBytes),
    });
    const found = await searchManifests(queue, () => {}, undefined);
    assert.equal(found?.base.manifestAddress, 10);
    const { bytes } = queue.statistics.operations.READ;
    assert.ok(bytes < (SECTORS + 8) * SECTOR_BYTES, `${bytes} bytes read`);
  });
});
