/**
 * Gathers the records of a checkpoint into pages, has them pressed, and decides where they lie.
 *
 * Records come collection by collection in record order, so that neighbours in a collection are neighbours on the disk.
 * Small collections share extents; one that is large, or has an extent of its own already, fills its own. How many sectors
 * a page takes is known when it has been compressed, on another thread: only then it gets its place.
 *
 * Owns: the batch being filled, and those that are pressed or written. Invariants:
 *  1. Pages get their places in the order in which they were begun, and `placed` hears of records in the order of append.
 *  2. A page that records share lies within one extent.
 *  3. After a failure nothing is placed any more; settle() reports the first one.
 * Tests: test/storage/blocks/block-store.test.ts.
 */
import { invariant } from '../../common/assert.ts';
import type { CommitNumber, Ident, PageCompression, RecordId } from '../contract.ts';
import { DIRECTORY_ENTRY, PAGE_KIND, recordsPageBytes, sealPage } from '../format/page.ts';
import { SHARED_OWNER, type AllocationMap } from './allocation-map.ts';
import type { ExtentWriter, PlacedPage } from './extent-writer.ts';
import type { StoreLayout } from './layout.ts';
import type { PressedPage } from './page-press.ts';
import type { CommittedPlace } from './place.ts';
import { PressBatch, type BatchPage } from './press-batch.ts';
import type { PagePress } from './press-thread.ts';

/** A collection with at least this part of an extent alive fills extents of its own. */
const OWN_EXTENT_PART = 0.5;
/** Batches being pressed above which callers should wait. */
const PRESSURE_BATCHES = 3;

/** A page that has its place. */
export interface AppendedPage {
  readonly collection: Ident;
  readonly sector: number;
  readonly sectors: number;
  readonly generation: number;
  readonly recordCount: number;
  readonly documentBytes: number;
  /** In the frame that was given for it. */
  readonly plain: Buffer | undefined;
}

export interface PageAppenderOptions {
  readonly layout: StoreLayout;
  readonly allocation: AllocationMap;
  readonly writer: ExtentWriter;
  readonly press: PagePress;
  readonly storeId: string;
  readonly generation: number;
  readonly commitNumber: number;
  /** Memory for plain pages, when they are wanted (for the cache). */
  readonly frame?: (bytes: number) => Buffer;
  readonly compressionOf: (collection: Ident) => PageCompression;
  /** Live bytes of a collection, with what was placed so far. */
  readonly liveBytesOf: (collection: Ident) => number;
  /** Hears of every page that has its place, before its records. */
  readonly onPage: (page: AppendedPage) => void;
  /** Hears where a document lies. */
  readonly placed: (collection: Ident, recordId: RecordId, place: CommittedPlace) => void;
}

export class PageAppender {
  private readonly options: PageAppenderOptions;
  private batch = new PressBatch();
  private readonly pressing = new Set<Promise<void>>();
  private last: Promise<void> | undefined;
  private failure: { readonly error: unknown } | undefined;

  constructor(options: PageAppenderOptions) {
    this.options = options;
  }

  /** Set while much is being pressed. */
  get pressure(): Promise<void> | undefined {
    return this.pressing.size > PRESSURE_BATCHES ? Promise.race(this.pressing) : undefined;
  }

  /** Appends a document, which must stay unchanged until settle(). Without one, notes that the record is deleted. */
  append(
    collection: Ident,
    recordId: RecordId,
    document: Buffer | undefined,
    commitNumber: CommitNumber,
  ): void {
    const bytes = document?.length ?? 0;
    const { page } = this.batch;
    if (page === undefined || page.collection !== collection || !this.fits(page, bytes)) {
      this.beginPage(collection, bytes);
    }
    this.batch.add(recordId, document, commitNumber);
  }

  /** Resolves when everything that was appended has its place. @throws the first failure */
  async settle(): Promise<void> {
    this.send();
    while (this.pressing.size > 0) await Promise.all(this.pressing);
    if (this.failure !== undefined) throw this.failure.error;
  }

  /** Forgets what has no place yet, and waits until nobody works on it. */
  async abandon(): Promise<void> {
    this.failure ??= { error: new Error('the checkpoint was aborted') };
    this.batch.release();
    this.batch = new PressBatch();
    while (this.pressing.size > 0) await Promise.all(this.pressing);
  }

  private fits(page: BatchPage, documentBytes: number): boolean {
    const bytes = recordsPageBytes(page.recordCount + 1, page.documentBytes + documentBytes);
    return bytes <= this.options.layout.pageBytes;
  }

  private beginPage(collection: Ident, documentBytes: number): void {
    const { compressionOf, layout, press } = this.options;
    // A batch's pages are one piece of memory: what does not fit any more goes into the next.
    const pageBytes = Math.max(layout.pageBytes, recordsPageBytes(1, documentBytes));
    if (this.batch.plainBytes + pageBytes > press.orderBytes) this.send();
    this.batch.beginPage(collection, compressionOf(collection));
    this.batch.plainBytes += pageBytes;
  }

  /** Has the batch pressed. What can be done at once is done when this returns. */
  private send(): void {
    const { batch } = this;
    if (batch.pages.length === 0) return;
    this.batch = new PressBatch();
    const { frame, layout, press } = this.options;
    let pressed: ReturnType<PagePress['press']>;
    try {
      pressed = press.press(batch.order(layout.sectorBytes, frame));
      if (!(pressed instanceof Promise) && this.pressing.size === 0) {
        this.place(batch, pressed);
        return;
      }
    } catch (error) {
      this.fail(batch, error);
      return;
    }
    this.placeLater(batch, pressed);
  }

  private placeLater(batch: PressBatch, pressed: ReturnType<PagePress['press']>): void {
    const before = this.last;
    const placing: Promise<void> = Promise.all([pressed, before])
      .then(
        ([pages]) => this.place(batch, pages),
        (error: unknown) => this.fail(batch, error),
      )
      .catch((error: unknown) => this.fail(batch, error))
      .then(() => {
        this.pressing.delete(placing);
        if (this.last === placing) this.last = undefined;
      });
    this.pressing.add(placing);
    this.last = placing;
  }

  private fail(batch: PressBatch, error: unknown): void {
    this.failure ??= { error };
    batch.release();
  }

  private place(batch: PressBatch, pressed: readonly PressedPage[]): void {
    if (this.failure !== undefined) {
      batch.release();
      return;
    }
    const { layout, writer } = this.options;
    const target = batch.pressedMemory;
    const placed: PlacedPage[] = [];
    let at = 0;
    for (const [index, page] of batch.pages.entries()) {
      const result = pressed[index];
      const bytes = target.subarray(at, at + result.sectors * layout.sectorBytes);
      placed.push({ sector: this.placePage(batch, page, result, bytes), bytes });
      at += bytes.length;
    }
    writer.write(placed, () => batch.release());
  }

  private placePage(
    batch: PressBatch,
    page: BatchPage,
    pressed: PressedPage,
    bytes: Buffer,
  ): number {
    const { allocation, commitNumber, generation, layout, onPage, placed, storeId } = this.options;
    const { collection, firstRecord, recordCount, documentBytes } = page;
    const { sectors } = pressed;
    const owner = this.ownerFor(collection, documentBytes);
    const sector = allocation.takeSectors(owner, sectors, generation);
    const { usedBytes, plainBytes, compression, checksum, plain } = pressed;
    const header = { address: sector, generation, commitNumber, collection, storeId };
    const kind = PAGE_KIND.records;
    const contents = { usedBytes, plainBytes, recordCount, kind, compression };
    sealPage({ ...header, ...contents }, bytes, checksum);
    const extent = layout.extentOf(sector);
    if (page.tombstones > 0) {
      allocation.addTombstones(extent, page.tombstones * DIRECTORY_ENTRY.size);
    }
    this.addLive(page, sector, sectors);
    onPage({ collection, sector, sectors, generation, recordCount, documentBytes, plain });
    for (let slot = 0; slot < recordCount; slot += 1) {
      const record = firstRecord + slot;
      if (batch.isTombstone(record)) continue;
      const version = batch.commitNumbers[record] as CommitNumber;
      // One object with all of it: 65,000 copies with one field more were half of what placing costs.
      placed(collection, batch.recordIds[record] as RecordId, {
        sector,
        sectors,
        slot,
        bytes: batch.length[record],
        generation,
        commitNumber: version,
      });
    }
    return sector;
  }

  private addLive(page: BatchPage, sector: number, sectors: number): void {
    const { allocation, layout } = this.options;
    const { documentBytes, recordCount, tombstones } = page;
    if (recordCount === 1 && layout.needsOwnPage(documentBytes)) {
      layout.forEachTouchedExtent(sector, sectors, (extent, bytes) =>
        allocation.addLive(extent, bytes),
      );
      return;
    }
    const extent = layout.extentOf(sector);
    invariant(
      layout.extentOf(sector + sectors - 1) === extent,
      'page-appender 2: a shared page lies across extents',
    );
    const entries = recordCount - tombstones;
    if (entries > 0) allocation.addLive(extent, entries * DIRECTORY_ENTRY.size + documentBytes);
  }

  private ownerFor(collection: Ident, documentBytes: number): number {
    const { allocation, layout, liveBytesOf } = this.options;
    if (allocation.hasOpenExtent(collection)) return collection;
    const bytes = liveBytesOf(collection) + documentBytes;
    return bytes >= layout.extentBytes * OWN_EXTENT_PART ? collection : SHARED_OWNER;
  }
}
