/**
 * Reads the pages that touch an extent, also those that reach into it or out of it: the page of a large document lies across
 * extents, and what is left of one must be found from either of them.
 *
 * Promises: every page is checked before anything of it is given out. Reads into memory of its own.
 */
import { CorruptionError } from '../../common/errors.ts';
import { EXTENT_STATE } from '../format/manifest.ts';
import { verifyPage, type PageHeader } from '../format/page.ts';
import type { AllocationMap } from './allocation-map.ts';
import { isCutOff } from './cut-off-page.ts';
import type { StoreLayout } from './layout.ts';

export interface ExtentPagesParts {
  readonly layout: StoreLayout;
  readonly allocation: AllocationMap;
  readonly storeId: string;
  /** Into memory of its own. @throws DeviceError */
  readonly readSectors: (firstSector: number, sectorCount: number) => Promise<Buffer>;
}

/** A page, checked. */
export interface ExtentPage {
  readonly header: PageHeader;
  /** From its first byte on, and more behind it. */
  readonly bytes: Buffer;
  readonly sectorCount: number;
}

/** What stands where a sound page should begin. */
export class DamagedPageError extends Error {
  readonly sector: number;

  constructor(sector: number, cause: CorruptionError) {
    super(cause.message, { cause });
    this.sector = sector;
  }
}

/** The pages of an extent. */
export interface ExtentPages {
  /** In order of address. */
  readonly pages: readonly ExtentPage[];
  /** Where what is left of a dead page begins, behind all others. */
  readonly cutOffAt: number | undefined;
}

/** @throws DamagedPageError, DeviceError */
export async function pagesTouching(parts: ExtentPagesParts, extent: number): Promise<ExtentPages> {
  const { allocation, layout } = parts;
  const { filledSectors, leadingSectors } = allocation.stored[extent];
  const pages: ExtentPage[] = [];
  let cutOffAt: number | undefined;
  if (leadingSectors > 0) pages.push(...(await pageReachingInto(parts, extent)));
  const ownSectors = filledSectors - leadingSectors;
  if (ownSectors > 0) {
    const first = layout.firstSectorOf(extent) + leadingSectors;
    const bytes = await parts.readSectors(first, ownSectors + sectorsBehind(parts, extent));
    const read = { bytes, first, sectorCount: ownSectors, mayBeCutOff: true };
    cutOffAt = addPages(parts, read, pages);
  }
  return { pages, cutOffAt };
}

/**
 * The page that an extent begins in the midst of: it is the last one that begins in an extent before. None when that extent has
 * another life by now: the page is dead then.
 */
async function pageReachingInto(parts: ExtentPagesParts, extent: number): Promise<ExtentPage[]> {
  const { allocation, layout } = parts;
  const { stored } = allocation;
  let before = extent - 1;
  while (stored[before]?.leadingSectors === layout.extentSectors) before -= 1;
  const { firstGeneration } = stored[extent];
  const isWhole = stored.slice(Math.max(0, before), extent).every(
    ({ state, filledSectors, lastGeneration }) =>
      state === EXTENT_STATE.used &&
      filledSectors === layout.extentSectors &&
      // The page was the last one there. What came later may be on its way to the disk.
      lastGeneration === firstGeneration,
  );
  if (before < 0 || !isWhole) return [];
  const first = layout.firstSectorOf(before) + stored[before].leadingSectors;
  const inside = layout.firstSectorOf(extent);
  const end = inside + stored[extent].leadingSectors;
  const bytes = await parts.readSectors(first, end - first);
  const pages: ExtentPage[] = [];
  const sectorCount = layout.firstSectorOf(before + 1) - first;
  // No extent of it has another life: it is whole, or damaged.
  addPages(parts, { bytes, first, sectorCount, mayBeCutOff: false }, pages);
  return pages.filter(({ header, sectorCount }) => header.address + sectorCount === end);
}

/** How far the last page of an extent may reach beyond it. */
function sectorsBehind({ allocation, layout }: ExtentPagesParts, extent: number): number {
  let sectors = 0;
  for (let next = extent + 1; ; next += 1) {
    const leading = allocation.stored[next]?.leadingSectors ?? 0;
    sectors += leading;
    if (leading < layout.extentSectors) return sectors;
  }
}

/** What was read from `first` on; pages begin within the first `sectorCount` sectors of it. */
interface ReadExtent {
  readonly bytes: Buffer;
  readonly first: number;
  readonly sectorCount: number;
  /** The last one may be what is left of a dead page. */
  readonly mayBeCutOff: boolean;
}

/** @returns where what is left of a dead page begins @throws DamagedPageError */
function addPages(
  { layout, storeId, allocation }: ExtentPagesParts,
  { bytes, first, sectorCount, mayBeCutOff }: ReadExtent,
  pages: ExtentPage[],
): number | undefined {
  const { sectorBytes } = layout;
  for (let sectors = 0; sectors < sectorCount;) {
    const rest = bytes.subarray(sectors * sectorBytes);
    const address = first + sectors;
    try {
      const { header, pageBytes } = verifyPage(rest, sectorBytes, { address, storeId });
      pages.push({ header, bytes: rest, sectorCount: pageBytes / sectorBytes });
      sectors += pageBytes / sectorBytes;
    } catch (error) {
      if (!(error instanceof CorruptionError)) throw error;
      // It is the last one: it fills the extent.
      const beginning = { address, bytes: rest, storeId };
      if (mayBeCutOff && isCutOff(layout, allocation.stored, beginning)) return address;
      throw new DamagedPageError(address, error);
    }
  }
  return undefined;
}
