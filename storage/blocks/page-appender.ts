/**
 * Assembles pages out of the records of a checkpoint and decides where they lie.
 *
 * Records come collection by collection in record order, so that neighbours in a collection are neighbours on the disk.
 * Small collections share extents; one that is large, or has an extent of its own already, fills its own.
 *
 * Owns: the page being filled. Invariants:
 *  1. A place is final when it is handed out: its page's address and generation are fixed before its first record.
 *  2. A page that records share lies within one extent.
 * Tests: test/storage/blocks/block-store.test.ts.
 */
import { invariant } from '../../common/assert.ts';
import type { Ident, RecordId } from '../contract.ts';
import {
  DIRECTORY_ENTRY,
  MOST_PAGE_RECORDS,
  encodeRecordsPage,
  recordsPageBytes,
  type PageRecord,
} from '../format/page.ts';
import { SHARED_OWNER, type AllocationMap } from './allocation-map.ts';
import type { ExtentWriter } from './extent-writer.ts';
import type { StoreLayout } from './layout.ts';
import type { Place } from './place.ts';

/** A collection with at least this part of an extent alive fills extents of its own. */
const OWN_EXTENT_PART = 0.5;

export interface AppendedPage {
  readonly sector: number;
  readonly generation: number;
  readonly recordCount: number;
  /** In memory that is reused once the page is written. */
  readonly bytes: Buffer;
}

export interface PageAppenderOptions {
  readonly layout: StoreLayout;
  readonly allocation: AllocationMap;
  readonly writer: ExtentWriter;
  readonly storeId: string;
  readonly generation: number;
  readonly commitNumber: number;
  /** Live bytes of a collection, with what was appended so far. */
  readonly liveBytesOf: (collection: Ident) => number;
  /** Hears of every finished page. */
  readonly onPage: (page: AppendedPage) => void;
}

/** A page being filled. Its sectors are taken when it is closed: until then nobody else takes any of its owner's. */
interface OpenPage {
  readonly collection: Ident;
  readonly owner: number;
  readonly sector: number;
  /** What it may use, bytes. */
  readonly limitBytes: number;
  readonly records: PageRecord[];
  documentBytes: number;
}

export class PageAppender {
  private readonly options: PageAppenderOptions;
  private page: OpenPage | undefined;

  constructor(options: PageAppenderOptions) {
    this.options = options;
  }

  /** Appends a document, which must stay unchanged until its page is closed (close(), or a later append). */
  append(collection: Ident, recordId: RecordId, document: Buffer): Place {
    const { layout, generation } = this.options;
    if (layout.needsOwnPage(document.length)) {
      return this.appendOwnPage(collection, recordId, document);
    }
    const page = this.pageWithRoom(collection, document.length);
    const slot = page.records.length;
    page.records.push({ recordId, document });
    page.documentBytes += document.length;
    return { sector: page.sector, slot, bytes: document.length, generation };
  }

  /** Notes that a record is deleted. */
  appendTombstone(collection: Ident, recordId: RecordId): void {
    const { allocation, layout } = this.options;
    const page = this.pageWithRoom(collection, 0);
    page.records.push({ recordId, document: undefined });
    allocation.addTombstone(layout.extentOf(page.sector), DIRECTORY_ENTRY.size);
  }

  /** Finishes the page being filled. */
  close(): void {
    const { page } = this;
    if (page === undefined) return;
    this.page = undefined;
    const { allocation, layout } = this.options;
    const usedBytes = recordsPageBytes(page.records.length, page.documentBytes);
    const sectors = layout.sectorsFor(usedBytes);
    // Sectors beyond what it came to use were only lent to it.
    allocation.giveBackRoom(page.owner, page.sector, sectors);
    this.emit(page.collection, page.sector, sectors, page.records);
  }

  private appendOwnPage(collection: Ident, recordId: RecordId, document: Buffer): Place {
    const { allocation, generation, layout } = this.options;
    this.close();
    const sectors = layout.ownPageSectors(document.length);
    const owner = this.ownerFor(collection, document.length);
    const sector = allocation.takeSectors(owner, sectors, generation);
    this.emit(collection, sector, sectors, [{ recordId, document }]);
    return { sector, slot: 0, bytes: document.length, generation };
  }

  private pageWithRoom(collection: Ident, documentBytes: number): OpenPage {
    const { page } = this;
    if (page !== undefined && page.collection === collection && fits(page, documentBytes)) {
      return page;
    }
    this.close();
    const begun = this.beginPage(collection, documentBytes);
    this.page = begun;
    return begun;
  }

  private beginPage(collection: Ident, documentBytes: number): OpenPage {
    const { allocation, generation, layout } = this.options;
    const owner = this.ownerFor(collection, documentBytes);
    const needed = layout.sectorsFor(recordsPageBytes(1, documentBytes));
    const room = allocation.roomOf(owner);
    // The last pages of an extent may be smaller; a document that does not fit begins the next extent.
    const sectors = room >= needed ? Math.min(room, layout.pageSectors) : layout.pageSectors;
    const sector = allocation.takeSectors(owner, sectors, generation);
    invariant(
      layout.extentOf(sector) === layout.extentOf(sector + sectors - 1),
      'page-appender 2: a shared page lies across extents',
    );
    const limitBytes = sectors * layout.sectorBytes;
    return { collection, owner, sector, limitBytes, records: [], documentBytes: 0 };
  }

  private ownerFor(collection: Ident, documentBytes: number): number {
    const { allocation, layout, liveBytesOf } = this.options;
    if (allocation.hasOpenExtent(collection)) return collection;
    const bytes = liveBytesOf(collection) + documentBytes;
    return bytes >= layout.extentBytes * OWN_EXTENT_PART ? collection : SHARED_OWNER;
  }

  private emit(
    collection: Ident,
    sector: number,
    sectors: number,
    records: readonly PageRecord[],
  ): void {
    const { commitNumber, generation, layout, onPage, storeId, writer } = this.options;
    const bytes = writer.pageAt(sector, sectors * layout.sectorBytes);
    const header = { address: sector, generation, commitNumber, collection, storeId };
    encodeRecordsPage(header, records, bytes);
    onPage({ sector, generation, recordCount: records.length, bytes });
  }
}

function fits(page: OpenPage, documentBytes: number): boolean {
  return (
    page.records.length < MOST_PAGE_RECORDS &&
    recordsPageBytes(page.records.length + 1, page.documentBytes + documentBytes) <= page.limitBytes
  );
}
