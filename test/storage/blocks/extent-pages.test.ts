import assert from 'node:assert/strict';
import { AllocationMap } from '../../../storage/blocks/allocation-map.ts';
import { DamagedPageError, pagesTouching } from '../../../storage/blocks/extent-pages.ts';
import { StoreLayout } from '../../../storage/blocks/layout.ts';
import { PAGE_HEADER, PAGE_KIND, sealPage } from '../../../storage/format/page.ts';

const OWNER = 20;
const layout = new StoreLayout({ sectorBytes: 4096, extentSectors: 16, pageSectors: 8 });
const FIRST = layout.reservedExtents;

describe('The pages that touch an extent', () => {
  it('are not looked for where the extent before has begun another life', async () => {
    const map = new AllocationMap(layout);
    // A page of three extents but for a few sectors; then the first of them is free, and filled by a later checkpoint.
    map.takeSectors(OWNER, 40, 3);
    map.addLive(FIRST + 1, 100);
    map.addLive(FIRST + 2, 100);
    map.settle(1);
    map.free(map.reclaimable(2, 2));
    map.takeSectors(OWNER + 1, 16, 9);
    const { pages } = await pagesTouching(
      {
        layout,
        allocation: map,
        storeId: '0'.repeat(32),
        readSectors: () => Promise.reject(new Error('read what may be on its way to the disk')),
      },
      FIRST + 2,
    );
    assert.deepEqual(pages, []);
  });

  it('are damaged where one that must be whole looks as if it had lost its end', async () => {
    const map = new AllocationMap(layout);
    const sector = map.takeSectors(OWNER, 24, 3);
    const page = Buffer.alloc(24 * 4096);
    const storeId = '0'.repeat(32);
    const usedBytes = page.length - 100;
    const identity = { address: sector, generation: 3, commitNumber: 5, storeId };
    const kind = PAGE_KIND.records;
    const contents = { usedBytes, plainBytes: usedBytes, recordCount: 0, kind } as const;
    sealPage({ ...identity, ...contents, collection: OWNER, compression: 'none' }, page);
    page[PAGE_HEADER.generation] ^= 1;
    const parts = {
      layout,
      allocation: map,
      storeId,
      readSectors: (first: number, count: number) =>
        Promise.resolve(page.subarray((first - sector) * 4096, (first - sector + count) * 4096)),
    };
    // Its own extent cannot tell.
    assert.equal((await pagesTouching(parts, FIRST)).cutOffAt, sector);
    await assert.rejects(
      pagesTouching(parts, FIRST + 1),
      (error) => error instanceof DamagedPageError && error.sector === sector,
    );
  });
});
