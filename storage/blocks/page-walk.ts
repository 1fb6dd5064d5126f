/**
 * Reads every page that a manifest knows of, extent by extent, past all caches: what verify reports and repair collects.
 *
 * Promises: each page is checked before the visitor sees it; behind a damaged one the walk goes on at the next page that can be told.
 * Never: writes.
 */
import { CorruptionError, DeviceError } from '../../common/errors.ts';
import { allocateAligned, releaseAligned } from '../device/aligned-memory.ts';
import { readBio, sectorNumber } from '../device/bio.ts';
import type { RequestQueue } from '../device/request-queue.ts';
import { EXTENT_STATE, type ManifestExtent } from '../format/manifest.ts';
import { isCompressionLoaded, loadCompression } from '../format/page-compression.ts';
import { claimedPageBytes, plainPage, verifyPage, type PageHeader } from '../format/page.ts';
import { isCutOff } from './cut-off-page.ts';
import type { StoreLayout } from './layout.ts';

/** No page is longer: the largest document, and room for what is around it. */
const MOST_PAGE_BYTES = 64 * 1024 * 1024;

export interface PageWalkSource {
  readonly queue: RequestQueue;
  readonly layout: StoreLayout;
  readonly storeId: string;
  /** Of the manifest that is walked. */
  readonly extents: readonly ManifestExtent[];
}

export interface PageVisitor {
  /** @param bytes the page, in memory that is reused after the call */
  page(header: PageHeader, bytes: Buffer): void;
  /** Sectors of which no page can be made out. */
  damaged(sector: number, sectorCount: number, error: CorruptionError | DeviceError): void;
  /** What looks like the beginning of a dead page, but is damage where more lives than was found. */
  cutOff(sector: number, sectorCount: number, error: CorruptionError | DeviceError): void;
}

/** Walks one extent's pages, those that begin in it. */
export async function walkExtent(
  source: PageWalkSource,
  index: number,
  visitor: PageVisitor,
): Promise<void> {
  const { layout, queue, extents, storeId } = source;
  const extent = extents[index];
  if (extent.state !== EXTENT_STATE.used) return;
  const first = layout.firstSectorOf(index) + extent.leadingSectors;
  const end = layout.firstSectorOf(index) + extent.filledSectors;
  if (end <= first) return;
  if (end > queue.device.sectorCount) {
    visitor.damaged(first, end - first, fileIsShort(source));
    return;
  }
  const buffer = allocateAligned((end - first) * layout.sectorBytes);
  try {
    const unreadable = await readSectors(source, first, buffer);
    for (let sector = first; sector < end;) {
      const rest = buffer.subarray((sector - first) * layout.sectorBytes);
      const found = unreadable.has(sector)
        ? unreadable.get(sector)
        : await pageAt(source, sector, rest, visitor);
      if (typeof found === 'number') {
        sector += found;
        continue;
      }
      const next = nextPage(source, sector + 1, end, (at) =>
        buffer.subarray((at - first) * layout.sectorBytes),
      );
      const beginning = { address: sector, bytes: rest, storeId };
      const isLost = next < end || unreadable.has(sector) || !isCutOff(layout, extents, beginning);
      const error = found ?? fileIsShort(source);
      if (isLost) visitor.damaged(sector, next - sector, error);
      else visitor.cutOff(sector, next - sector, error);
      sector = next;
    }
  } finally {
    releaseAligned(buffer);
  }
}

/** @returns the page's length in sectors, or what is wrong with it */
async function pageAt(
  source: PageWalkSource,
  sector: number,
  rest: Buffer,
  visitor: PageVisitor,
): Promise<number | CorruptionError | DeviceError> {
  const { layout, queue, storeId } = source;
  try {
    const { header, pageBytes } = verifyPage(rest, layout.sectorBytes, {
      address: sector,
      storeId,
    });
    visitor.page(header, await plainOf(rest.subarray(0, pageBytes), header));
    return pageBytes / layout.sectorBytes;
  } catch (error) {
    if (!(error instanceof CorruptionError)) throw error;
    // A large document's page goes on in the extents behind this one.
    const sectors = longPageSectors(source, rest);
    if (sectors === undefined || sector + sectors > queue.device.sectorCount) return error;
    return readLongPage(source, sector, sectors, visitor);
  }
}

async function plainOf(bytes: Buffer, header: PageHeader): Promise<Buffer> {
  if (!isCompressionLoaded(header.compression)) await loadCompression(header.compression);
  return plainPage(bytes, header);
}

/** Sectors of a page that says that it is longer than what was read; undefined when it says nothing of the kind. */
function longPageSectors({ layout }: PageWalkSource, rest: Buffer): number | undefined {
  const sectors = layout.sectorsFor(claimedPageBytes(rest));
  const most = layout.sectorsFor(MOST_PAGE_BYTES);
  return sectors * layout.sectorBytes > rest.length && sectors <= most ? sectors : undefined;
}

async function readLongPage(
  source: PageWalkSource,
  sector: number,
  sectors: number,
  visitor: PageVisitor,
): Promise<number | CorruptionError | DeviceError> {
  const { layout, queue, storeId } = source;
  const buffer = allocateAligned(sectors * layout.sectorBytes);
  try {
    await queue.submit(readBio(queue.device, sectorNumber(sector), [buffer]));
    const { header, pageBytes } = verifyPage(buffer, layout.sectorBytes, {
      address: sector,
      storeId,
    });
    visitor.page(header, await plainOf(buffer.subarray(0, pageBytes), header));
    return pageBytes / layout.sectorBytes;
  } catch (error) {
    if (error instanceof CorruptionError || error instanceof DeviceError) return error;
    throw error;
  } finally {
    releaseAligned(buffer);
  }
}

/** The first sector from `from` on where a page begins that is whole; `end` when there is none. */
function nextPage(
  { layout, storeId }: PageWalkSource,
  from: number,
  end: number,
  bytesAt: (sector: number) => Buffer,
): number {
  for (let sector = from; sector < end; sector += 1) {
    try {
      verifyPage(bytesAt(sector), layout.sectorBytes, { address: sector, storeId });
      return sector;
    } catch (error) {
      if (!(error instanceof CorruptionError)) throw error;
    }
  }
  return end;
}

/** Reads them at once, or one by one where the disk cannot: those that stay unread are named. */
async function readSectors(
  { queue, layout }: PageWalkSource,
  first: number,
  buffer: Buffer,
): Promise<Map<number, DeviceError>> {
  const unreadable = new Map<number, DeviceError>();
  const read = (sector: number, part: Buffer): Promise<void> =>
    queue.submit(readBio(queue.device, sectorNumber(sector), [part]));
  try {
    await read(first, buffer);
    return unreadable;
  } catch (error) {
    if (!(error instanceof DeviceError) || error.errno !== 'EIO') throw error;
  }
  const { sectorBytes } = layout;
  for (let offset = 0; offset < buffer.length; offset += sectorBytes) {
    const sector = first + offset / sectorBytes;
    const part = buffer.subarray(offset, offset + sectorBytes);
    try {
      await read(sector, part);
    } catch (error) {
      if (!(error instanceof DeviceError) || error.errno !== 'EIO') throw error;
      unreadable.set(sector, error);
      part.fill(0);
    }
  }
  return unreadable;
}

function fileIsShort({ queue }: PageWalkSource): CorruptionError {
  return new CorruptionError('missing', 'page', `${queue.device.name} ends before it`);
}
