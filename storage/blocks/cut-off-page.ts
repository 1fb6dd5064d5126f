/**
 * What is left of a dead page: that of a large document lies across extents, and those behind the first are free again as soon as it is
 * dead, while others live on in the first one. Its beginning still stands there, and is no damage.
 *
 * Never: reads or changes anything.
 */
import { EXTENT_STATE, type ManifestExtent } from '../format/manifest.ts';
import { claimedPageBytes, peekPage } from '../format/page.ts';
import type { StoreLayout } from './layout.ts';

/** Where a page should begin. */
export interface PageBeginning {
  readonly address: number;
  /** At least a page's header. */
  readonly bytes: Buffer;
  readonly storeId: string;
}

/**
 * Whether something that is no whole page is the beginning of one that reached into extents which have been free since. A live page's
 * extents are all in use since its own generation; where they are, and only its length does not fit, it is damaged.
 */
export function isCutOff(
  layout: StoreLayout,
  extents: readonly ManifestExtent[],
  { address, bytes, storeId }: PageBeginning,
): boolean {
  const page = peekPage(bytes);
  if (page.address !== address || page.storeId !== storeId) return false;
  const sectors = layout.sectorsFor(claimedPageBytes(bytes));
  // Shorter ones never lie across extents.
  if (sectors <= layout.pageSectors) return false;
  const end = address + sectors;
  for (let next = layout.extentOf(address) + 1; layout.firstSectorOf(next) < end; next += 1) {
    const extent = extents[next];
    if (extent?.state !== EXTENT_STATE.used) return true;
    if (extent.leadingSectors === 0 || extent.firstGeneration !== page.generation) return true;
    if (extent.leadingSectors !== Math.min(layout.extentSectors, end - layout.firstSectorOf(next)))
      return false;
  }
  return false;
}
