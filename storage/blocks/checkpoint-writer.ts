/**
 * Collects one checkpoint in the block store: documents into pages, what died, and at the end the manifest.
 *
 * Owns: the change set of allocation and collections from begin to keep or abort. Invariants:
 *  1. Nothing of the base is overwritten: pages go to sectors that no base uses.
 *  2. finish() resolves only after a flush that covers all pages and the manifest.
 *  3. After abort() allocation and collections are as they were, but for extents found to be bad: they are set aside.
 * Tests: test/storage/blocks/block-store.test.ts, power-cut.test.ts.
 */
import { invariant } from '../../common/assert.ts';
import { CachedPage, type PageCache } from '../cache/page-cache.ts';
import type { CommitNumber, Ident, RecordId } from '../contract.ts';
import { allocateAligned, releaseAligned } from '../device/aligned-memory.ts';
import { flushBio } from '../device/bio.ts';
import type { RequestQueue } from '../device/request-queue.ts';
import type { Base } from '../format/base.ts';
import { encodeManifest, manifestBytes } from '../format/manifest.ts';
import { MANIFEST_OWNER, type AllocationMap } from './allocation-map.ts';
import type { CollectionTable } from './collection-table.ts';
import { cleanExtents } from './cleaner.ts';
import type {
  CheckpointRecords,
  CheckpointWriter,
  CleaningSummary,
  LiveRecords,
} from './contract.ts';
import { ExtentWriter } from './extent-writer.ts';
import type { StoreLayout } from './layout.ts';
import { PageAppender, type AppendedPage } from './page-appender.ts';
import type { Place } from './place.ts';
import type { PagePress } from './press-thread.ts';

/** Pages read back at the same time. */
const VERIFIED_AT_ONCE = 16;
/** What the cleaner may always move. */
const LEAST_CLEANING_BYTES = 4 * 1024 * 1024;

/** What a checkpoint needs of the store it is written to. */
export interface CheckpointSurroundings {
  readonly queue: RequestQueue;
  readonly layout: StoreLayout;
  readonly allocation: AllocationMap;
  /** A copy, which becomes the store's when the checkpoint is kept. */
  readonly collections: CollectionTable;
  readonly cache: PageCache;
  readonly press: PagePress;
  readonly storeId: string;
  /** The base that this checkpoint builds on. */
  readonly before: Base;
  readonly makeRoom: (sectorEnd: number) => Promise<void>;
  /** Reads a page back and checks it; absent: pages are not read back. */
  readonly verify?: (place: Place) => Promise<number>;
  readonly readSectors: (firstSector: number, sectorCount: number) => Promise<Buffer>;
  readonly onDamage: (sector: number) => void;
  /** Told once, when the change set is closed. */
  readonly onAbort: () => void;
}

export class CheckpointCollector implements CheckpointWriter {
  readonly checkpoint: number;
  readonly commitNumber: CommitNumber;
  readonly generation: number;
  readonly collections: CollectionTable;
  private readonly around: CheckpointSurroundings;
  private readonly writer: ExtentWriter;
  private readonly appender: PageAppender;
  private readonly toVerify: Place[] = [];
  cleaned: CleaningSummary = { extents: 0, movedRecords: 0, movedBytes: 0 };
  metBadExtent = false;
  private state: 'open' | 'finishing' | 'finished' | 'aborted' = 'open';
  private pages = 0;
  private bytes = 0;

  constructor(
    around: CheckpointSurroundings,
    records: CheckpointRecords,
    commitNumber: CommitNumber,
    generation: number,
  ) {
    const { allocation, cache, collections, layout, press, queue, storeId, makeRoom } = around;
    this.around = around;
    this.checkpoint = around.before.checkpoint + 1;
    this.commitNumber = commitNumber;
    this.generation = generation;
    this.collections = collections;
    this.writer = new ExtentWriter({
      queue,
      pieceBytes: layout.extentBytes,
      makeRoom,
      onBadSectors: (firstSector, sectorCount) => this.setAside(firstSector, sectorCount),
    });
    this.appender = new PageAppender({
      layout,
      allocation,
      writer: this.writer,
      press,
      storeId,
      generation,
      commitNumber,
      ...(cache.keepsAnything ? { frame: (bytes: number) => cache.frame(bytes) } : {}),
      compressionOf: (collection) => records.compressionOf(collection),
      liveBytesOf: (collection) => collections.liveBytesOf(collection),
      onPage: (page) => this.onPage(page),
      placed: (collection, recordId, place) => records.placed(collection, recordId, place),
    });
    allocation.begin();
  }

  get pagesWritten(): number {
    return this.pages;
  }

  get bytesWritten(): number {
    return this.bytes;
  }

  get pressure(): Promise<void> | undefined {
    return this.appender.pressure ?? this.writer.pressure;
  }

  append(
    collection: Ident,
    recordId: RecordId,
    document: Buffer,
    commitNumber: CommitNumber,
  ): void {
    this.checkOpen();
    this.appender.append(collection, recordId, document, commitNumber);
    this.collections.noteRecordId(collection, recordId);
  }

  appendTombstone(collection: Ident, recordId: RecordId): void {
    this.checkOpen();
    this.appender.append(collection, recordId, undefined, this.commitNumber);
  }

  supersede(collection: Ident, place: Place): void {
    this.checkOpen();
    const { allocation, layout } = this.around;
    layout.forEachLiveExtent(place, (extent, bytes) =>
      allocation.removeLive(extent, bytes, place.generation),
    );
    this.collections.removeLive(collection, place.bytes);
  }

  dropCollection(collection: Ident): void {
    this.checkOpen();
    this.around.allocation.dropOwner(collection);
    this.collections.drop(collection);
  }

  noteRecordId(collection: Ident, highWater: RecordId): void {
    this.checkOpen();
    this.collections.noteRecordId(collection, highWater);
  }

  async settle(): Promise<void> {
    await this.appender.settle();
  }

  async clean(records: LiveRecords, limitBytes?: number): Promise<CleaningSummary> {
    this.checkOpen();
    await this.appender.settle();
    const { allocation, layout, onDamage, readSectors, storeId } = this.around;
    const { generation } = this;
    const exists = (collection: Ident): boolean => this.collections.get(collection) !== undefined;
    const parts = {
      layout,
      allocation,
      storeId,
      generation,
      records,
      exists,
      readSectors,
      onDamage,
    };
    const most = limitBytes ?? Math.max(LEAST_CLEANING_BYTES, this.bytes / 2);
    this.cleaned = await cleanExtents({ ...parts, writer: this }, most);
    return this.cleaned;
  }

  async finish(): Promise<Base> {
    this.checkOpen();
    this.state = 'finishing';
    const { queue, verify } = this.around;
    await this.appender.settle();
    const base = this.writeManifest();
    await this.writer.drain();
    await queue.submit(flushBio());
    if (verify !== undefined) await this.verifyPages(verify);
    this.state = 'finished';
    return base;
  }

  /**
   * Reads back every page. Extents in which one is not as it was written are set aside, all of them, before this fails: the checkpoint is
   * taken again with the same documents, which then go elsewhere.
   */
  private async verifyPages(verify: (place: Place) => Promise<number>): Promise<void> {
    let failure: { readonly error: unknown } | undefined;
    for (let first = 0; first < this.toVerify.length; first += VERIFIED_AT_ONCE) {
      const places = this.toVerify.slice(first, first + VERIFIED_AT_ONCE);
      const outcomes = await Promise.allSettled(places.map(verify));
      for (const [index, outcome] of outcomes.entries()) {
        if (outcome.status === 'fulfilled') continue;
        const { sector, sectors } = places[index];
        this.setAside(sector, sectors);
        failure ??= { error: outcome.reason };
      }
    }
    if (failure !== undefined) throw failure.error;
  }

  async abort(): Promise<void> {
    if (this.state === 'aborted') return;
    this.state = 'aborted';
    await this.appender.abandon();
    await this.writer.idle();
    this.around.allocation.rollBack();
    this.around.onAbort();
  }

  /** For the store: the base is recorded. */
  keep(): void {
    invariant(this.state === 'finished', 'checkpoint: kept before it was finished');
    this.around.allocation.keep();
  }

  private writeManifest(): Base {
    const { allocation, before, layout, storeId } = this.around;
    const { checkpoint, commitNumber, generation } = this;
    if (before.manifestSectors > 0) {
      layout.forEachTouchedExtent(before.manifestAddress, before.manifestSectors, (extent, bytes) =>
        allocation.removeLive(extent, bytes, before.manifestGeneration),
      );
    }
    const { sector, sectors } = this.takeManifestSectors();
    allocation.settle(checkpoint);
    const memory = allocateAligned(sectors * layout.sectorBytes);
    const collections = this.collections.stored;
    const extents = allocation.stored;
    // Room was taken for extents that the manifest might have come to need: a reader goes by what it uses.
    const usedSectors = layout.sectorsFor(manifestBytes(collections.length, extents.length));
    const page = memory.subarray(0, usedSectors * layout.sectorBytes);
    const header = { address: sector, generation, commitNumber, storeId };
    const { extentSectors, pageSectors } = layout;
    encodeManifest(header, { checkpoint, extentSectors, pageSectors, collections, extents }, page);
    memory.fill(0, page.length);
    this.writer.write([{ sector, bytes: memory }], () => releaseAligned(memory));
    this.count(memory.length);
    this.toVerify.push({ sector, sectors: usedSectors, generation, slot: 0, bytes: 0 });
    return {
      checkpoint,
      commitNumber,
      manifestAddress: sector,
      manifestGeneration: generation,
      manifestSectors: sectors,
    };
  }

  /** The manifest lists the extents that it takes itself: room for them is counted in beforehand. */
  private takeManifestSectors(): { sector: number; sectors: number } {
    const { allocation, layout } = this.around;
    const { length } = this.collections.stored;
    const bytes = manifestBytes(length, allocation.extentCount);
    const growth = Math.ceil(bytes / layout.extentBytes) + 1;
    const sectors = layout.sectorsFor(manifestBytes(length, allocation.extentCount + growth));
    const sector = allocation.takeSectors(MANIFEST_OWNER, sectors, this.generation);
    layout.forEachTouchedExtent(sector, sectors, (extent, live) =>
      allocation.addLive(extent, live),
    );
    return { sector, sectors };
  }

  /** Survives abort(): whoever tries again gets other extents. */
  private setAside(firstSector: number, sectorCount: number): void {
    this.metBadExtent = true;
    const { allocation, layout } = this.around;
    layout.forEachTouchedExtent(firstSector, sectorCount, (extent) =>
      allocation.markDamaged(extent),
    );
  }

  private onPage(page: AppendedPage): void {
    const { cache, layout, verify } = this.around;
    const { collection, sector, sectors, generation, recordCount, documentBytes, plain } = page;
    const storedBytes = sectors * layout.sectorBytes;
    this.count(storedBytes);
    if (documentBytes > 0) {
      this.collections.addLive(collection, documentBytes);
      this.collections.addStored(collection, storedBytes);
    }
    // What was just written is what will be read: the delta that held it goes.
    if (plain !== undefined) {
      cache.put(new CachedPage({ sector, generation, recordCount, bytes: plain }));
    }
    if (verify !== undefined) {
      this.toVerify.push({ sector, sectors, generation, slot: 0, bytes: documentBytes });
    }
  }

  private count(bytes: number): void {
    this.pages += 1;
    this.bytes += bytes;
  }

  private checkOpen(): void {
    invariant(this.state === 'open', 'checkpoint: used after its end');
  }
}
