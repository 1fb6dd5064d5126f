import assert from 'node:assert/strict';
import { AllocationMap } from '../../../storage/blocks/allocation-map.ts';
import { pagesTouching } from '../../../storage/blocks/extent-pages.ts';
import { StoreLayout } from '../../../storage/blocks/layout.ts';

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
});
