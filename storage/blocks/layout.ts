/**
 * The arithmetic of a store: sectors, extents, and how large a page is.
 */
import { invariant } from '../../common/assert.ts';
import { recordsPageBytes } from '../format/page.ts';
import { SECOND_COPY_OFFSET_BYTES } from '../format/superblock.ts';
import type { Place } from './place.ts';

/** What a place costs besides its document: its entry in the directory. */
const RECORD_OVERHEAD_BYTES = 16;

export class StoreLayout {
  readonly sectorBytes: number;
  readonly extentSectors: number;
  /** Largest page that records share, uncompressed. */
  readonly pageSectors: number;

  constructor(sizes: { sectorBytes: number; extentSectors: number; pageSectors: number }) {
    this.sectorBytes = sizes.sectorBytes;
    this.extentSectors = sizes.extentSectors;
    this.pageSectors = sizes.pageSectors;
    invariant(this.extentSectors >= this.pageSectors, 'layout: a page must fit an extent');
    invariant(this.extentSectors < 65_536, 'layout: the manifest counts filled sectors in 16 bits');
    invariant(this.pageSectors >= 1, 'layout: a page has at least one sector');
  }

  get extentBytes(): number {
    return this.extentSectors * this.sectorBytes;
  }

  get pageBytes(): number {
    return this.pageSectors * this.sectorBytes;
  }

  /** Extents at the start that hold the superblock's copies. */
  get reservedExtents(): number {
    return Math.ceil((SECOND_COPY_OFFSET_BYTES + this.sectorBytes) / this.extentBytes);
  }

  extentOf(sector: number): number {
    return Math.floor(sector / this.extentSectors);
  }

  firstSectorOf(extent: number): number {
    return extent * this.extentSectors;
  }

  sectorsFor(bytes: number): number {
    return Math.ceil(bytes / this.sectorBytes);
  }

  /** A document that no other can share a page with. */
  needsOwnPage(documentBytes: number): boolean {
    return recordsPageBytes(1, documentBytes) > this.pageBytes;
  }

  /**
   * What a record keeps alive: bytes per extent. In a shared page that is the document and its entry, uncompressed; a
   * document with a page of its own keeps every extent alive that its page touches, with the sectors it has there.
   */
  forEachLiveExtent(
    { sector, sectors, bytes }: Pick<Place, 'sector' | 'sectors' | 'bytes'>,
    visit: (extent: number, bytes: number) => void,
  ): void {
    if (this.needsOwnPage(bytes)) this.forEachTouchedExtent(sector, sectors, visit);
    else visit(this.extentOf(sector), bytes + RECORD_OVERHEAD_BYTES);
  }

  /** Splits a run of sectors by extent, in bytes. */
  forEachTouchedExtent(
    firstSector: number,
    sectorCount: number,
    visit: (extent: number, bytes: number) => void,
  ): void {
    const end = firstSector + sectorCount;
    for (let sector = firstSector; sector < end;) {
      const extent = this.extentOf(sector);
      const next = Math.min(end, this.firstSectorOf(extent + 1));
      visit(extent, (next - sector) * this.sectorBytes);
      sector = next;
    }
  }
}
