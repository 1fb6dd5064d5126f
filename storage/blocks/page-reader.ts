/**
 * Finds records: last page, page cache, device.
 *
 * Owns: loading pages and checking each once, when it is read. Invariants:
 *  1. No byte of a page is handed out before its checksum, store, address and generation were checked.
 *  2. A page is loaded once at a time, however many ask for it.
 * A hit costs no promise. A lone cold page is read on the calling thread while the device answers fast: the way through
 * the pool costs as much processor time as the read itself (bench/micro/storage/page-reader.bench.ts). Further misses of
 * the same turn, or beside others, go to the pool, where they run at the same time.
 * Tests: test/storage/blocks/page-reader.test.ts.
 */
import { CorruptionError } from '../../common/errors.ts';
import type { Clock } from '../../common/clock.ts';
import { CachedPage, type PageCache } from '../cache/page-cache.ts';
import type { MaybePromise, RecordId } from '../contract.ts';
import { allocateAligned, releaseAligned } from '../device/aligned-memory.ts';
import { readBio, sectorNumber } from '../device/bio.ts';
import type { RequestQueue } from '../device/request-queue.ts';
import { readU32 } from '../format/integers.ts';
import { isCompressionLoaded, loadCompression } from '../format/page-compression.ts';
import {
  DIRECTORY_ENTRY,
  PAGE_HEADER,
  plainPage,
  recordsPageBytes,
  verifyPage,
  type PageHeader,
} from '../format/page.ts';
import { documentFrom } from '../lent-memory.ts';
import type { DocumentLocation } from './contract.ts';
import type { StoreLayout } from './layout.ts';
import type { Place } from './place.ts';

const TWO_POW_32 = 4_294_967_296;
/** A device slower than this on average is not waited for. */
const SYNC_LIMIT_MS = 0.2;
/** A longer read counts as this: one hiccup of 10 ms says little about the next read. */
const SYNC_SAMPLE_MOST_MS = 0.4;
/** Every so many cold pages a slow device is tried again. */
const SYNC_RETRY_EVERY = 64;
/** Weight of the newest sample in the average. */
const SYNC_SAMPLE_WEIGHT = 0.1;
/** Loads in flight that prefetch adds to at most. */
const PREFETCH_DEPTH = 64;

export interface PageReaderOptions {
  readonly queue: RequestQueue;
  readonly layout: StoreLayout;
  readonly cache: PageCache;
  readonly storeId: string;
  readonly clock: Clock;
  /** Hears of a damaged page before the reader does. */
  readonly onDamage: (sector: number, error: CorruptionError) => void;
}

export interface PageReaderStatistics {
  readonly pagesRead: number;
  readonly pagesReadSync: number;
  readonly pagesPrefetched: number;
  readonly corruptPages: number;
}

export class PageReader {
  private readonly queue: RequestQueue;
  private readonly layout: StoreLayout;
  private readonly cache: PageCache;
  private readonly storeId: string;
  private readonly clock: Clock;
  private readonly onDamage: (sector: number, error: CorruptionError) => void;
  /** Records asked for one after the other mostly lie in one page. */
  private last: CachedPage | undefined;
  private readonly loads = new Map<number, Promise<CachedPage>>();
  private syncUsedThisTurn = false;
  private syncAverageMs = 0;
  private coldPages = 0;
  /** Whole ones, since the start. */
  pagesRead = 0;
  private pagesReadSync = 0;
  private pagesPrefetched = 0;
  private corruptPages = 0;

  constructor(options: PageReaderOptions) {
    this.queue = options.queue;
    this.layout = options.layout;
    this.cache = options.cache;
    this.storeId = options.storeId;
    this.clock = options.clock;
    this.onDamage = options.onDamage;
  }

  /** @throws CorruptionError, DeviceError */
  record(place: Place, recordId: RecordId): MaybePromise<Buffer> {
    const page = this.page(place);
    if (page instanceof CachedPage) return this.documentIn(page, place, recordId);
    return page.then((loaded) =>
      loaded.isGone ? this.record(place, recordId) : this.documentIn(loaded, place, recordId),
    );
  }

  /** Fills `location`, at once or before the promise resolves. @throws CorruptionError, DeviceError */
  locate(place: Place, recordId: RecordId, location: DocumentLocation): MaybePromise<void> {
    const page = this.page(place);
    if (page instanceof CachedPage) {
      this.locateIn(page, place, recordId, location);
      return;
    }
    return page.then((loaded) =>
      loaded.isGone
        ? this.locate(place, recordId, location)
        : this.locateIn(loaded, place, recordId, location),
    );
  }

  /**
   * Starts loading what is not cached, up to a bound. Errors are kept for who asks for the record.
   * @returns resolves when what it started has ended
   */
  prefetch(places: Iterable<Place>): MaybePromise<void> {
    const started: Promise<unknown>[] = [];
    this.queue.plug();
    for (const place of places) {
      if (this.loads.size >= PREFETCH_DEPTH) break;
      const { sector, generation } = place;
      if (this.cache.has(sector, generation) || this.loads.has(sector)) continue;
      if (!this.isInside(place)) continue;
      this.pagesPrefetched += 1;
      started.push(this.loadInBackground(place));
    }
    this.queue.unplug();
    if (started.length === 0) return undefined;
    return Promise.allSettled(started).then(() => undefined);
  }

  /**
   * Reads a page from the device past all caches and checks it; nothing of it is kept.
   * @returns its length, bytes @throws CorruptionError, DeviceError
   */
  async verify(place: Place): Promise<number> {
    const buffer = allocateAligned(place.sectors * this.layout.sectorBytes);
    try {
      await this.queue.submit(readBio(this.queue.device, sectorNumber(place.sector), [buffer]));
      this.pagesRead += 1;
      this.verifiedHeader(place, buffer);
      return buffer.length;
    } finally {
      releaseAligned(buffer);
    }
  }

  get statistics(): PageReaderStatistics {
    const { pagesRead, pagesReadSync, pagesPrefetched, corruptPages } = this;
    return { pagesRead, pagesReadSync, pagesPrefetched, corruptPages };
  }

  private page(place: Place): MaybePromise<CachedPage> {
    const { last } = this;
    if (
      last !== undefined &&
      last.sector === place.sector &&
      last.generation === place.generation &&
      !last.isGone
    ) {
      return last;
    }
    const page = this.cache.get(place.sector, place.generation) ?? this.load(place);
    if (page instanceof CachedPage) {
      this.last = page;
      return page;
    }
    return page.then((loaded) => {
      this.last = loaded;
      return loaded;
    });
  }

  private documentIn(page: CachedPage, place: Place, recordId: RecordId): Buffer {
    const offset = this.offsetIn(page, place, recordId);
    return documentFrom(page, offset, place.bytes);
  }

  private locateIn(
    page: CachedPage,
    place: Place,
    recordId: RecordId,
    location: DocumentLocation,
  ): void {
    location.start = this.offsetIn(page, place, recordId);
    location.lookAt(page);
    location.length = place.bytes;
  }

  /** Where the document begins in its page. The page is verified, so its directory lies inside of it. */
  private offsetIn(page: CachedPage, place: Place, recordId: RecordId): number {
    const { bytes } = page;
    if (place.slot >= page.recordCount) throw this.misplaced(place, 'it has fewer records');
    const entry = PAGE_HEADER.size + place.slot * DIRECTORY_ENTRY.size;
    const length = readU32(bytes, entry + DIRECTORY_ENTRY.length);
    const found = readU32(bytes, entry) + readU32(bytes, entry + 4) * TWO_POW_32 === recordId;
    if (!found || length !== place.bytes || length === 0) {
      throw this.misplaced(place, 'another record stands in its slot');
    }
    const offset = readU32(bytes, entry + DIRECTORY_ENTRY.offset);
    if (offset + length > bytes.length) throw this.misplaced(place, 'it ends behind its page');
    return offset;
  }

  private load(place: Place): CachedPage | Promise<CachedPage> {
    const loading = this.loads.get(place.sector);
    if (loading !== undefined) {
      // Another generation being read there belongs to a reader of another base: its page is not ours.
      return loading.then((page) =>
        page.generation === place.generation ? page : this.loadInBackground(place),
      );
    }
    if (!this.isInside(place)) throw this.misplaced(place, 'it lies outside the store');
    this.coldPages += 1;
    return this.mayReadSync(place) ? this.loadNow(place) : this.loadInBackground(place);
  }

  private mayReadSync(place: Place): boolean {
    if (place.sectors > this.layout.pageSectors) return false;
    // Who is not alone gains more from reads beside each other.
    if (this.syncUsedThisTurn || this.loads.size > 0) return false;
    return this.syncAverageMs < SYNC_LIMIT_MS || this.coldPages % SYNC_RETRY_EVERY === 0;
  }

  private loadNow(place: Place): CachedPage | Promise<CachedPage> {
    this.syncUsedThisTurn = true;
    setImmediate(() => {
      this.syncUsedThisTurn = false;
    });
    const buffer = allocateAligned(place.sectors * this.layout.sectorBytes);
    const startMs = this.clock.monotonicMs();
    try {
      this.queue.readSync(sectorNumber(place.sector), [buffer]);
      this.pagesReadSync += 1;
      const header = this.verifiedHeader(place, buffer);
      if (isCompressionLoaded(header.compression)) return this.keep(place, buffer, header);
    } finally {
      releaseAligned(buffer);
      const tookMs = Math.min(this.clock.monotonicMs() - startMs, SYNC_SAMPLE_MOST_MS);
      this.syncAverageMs += (tookMs - this.syncAverageMs) * SYNC_SAMPLE_WEIGHT;
    }
    // Once in the life of a process: the library that it needs is still to be loaded.
    return this.loadInBackground(place);
  }

  private loadInBackground(place: Place): Promise<CachedPage> {
    const loading = this.readPage(place).finally(() => {
      if (this.loads.get(place.sector) === loading) this.loads.delete(place.sector);
    });
    this.loads.set(place.sector, loading);
    return loading;
  }

  private async readPage(place: Place): Promise<CachedPage> {
    const buffer = allocateAligned(place.sectors * this.layout.sectorBytes);
    try {
      await this.queue.submit(readBio(this.queue.device, sectorNumber(place.sector), [buffer]));
      const header = this.verifiedHeader(place, buffer);
      if (!isCompressionLoaded(header.compression)) await loadCompression(header.compression);
      return this.keep(place, buffer, header);
    } finally {
      releaseAligned(buffer);
    }
  }

  private verifiedHeader({ sector, generation }: Place, buffer: Buffer): PageHeader {
    const expected = { address: sector, generation, storeId: this.storeId };
    try {
      return verifyPage(buffer, this.layout.sectorBytes, expected).header;
    } catch (error) {
      throw this.reported(sector, error);
    }
  }

  /** Keeps the plain page in memory of the cache: the buffer is reused. */
  private keep({ sector, generation }: Place, buffer: Buffer, header: PageHeader): CachedPage {
    this.pagesRead += 1;
    const { recordCount, plainBytes } = header;
    try {
      const bytes = this.cache.frame(plainBytes);
      plainPage(buffer, header, bytes);
      const page = new CachedPage({ sector, generation, recordCount, bytes });
      this.cache.put(page);
      return page;
    } catch (error) {
      throw this.reported(sector, error);
    }
  }

  /** What to throw: of damage, which is reported, with the place in the file. */
  private reported(sector: number, error: unknown): unknown {
    if (!(error instanceof CorruptionError)) return error;
    this.report(sector, error);
    return this.located(sector, error);
  }

  private located(sector: number, error: CorruptionError): CorruptionError {
    const { name, sectorBytes } = this.queue.device;
    const offset = sector * sectorBytes;
    const message = `${name}, offset ${offset}: ${error.detail}`;
    return new CorruptionError(error.kind, error.part, message, {
      cause: error,
      file: name,
      offset,
    });
  }

  private isInside(place: Place): boolean {
    const { layout } = this;
    const { sector, sectors, bytes } = place;
    const most = Math.max(layout.pageSectors, layout.sectorsFor(recordsPageBytes(1, bytes)));
    return (
      Number.isSafeInteger(sector) &&
      sectors >= 1 &&
      sectors <= most &&
      sector >= layout.firstSectorOf(layout.reservedExtents) &&
      sector + sectors <= this.queue.device.sectorCount
    );
  }

  /** The page is whole, yet not what the record map says: one of the two is wrong. */
  private misplaced(place: Place, message: string): CorruptionError {
    const error = new CorruptionError(
      'malformed',
      'record place',
      `sector ${place.sector}, slot ${place.slot}: ${message}`,
    );
    this.corruptPages += 1;
    return this.located(place.sector, error);
  }

  private report(sector: number, error: CorruptionError): void {
    this.corruptPages += 1;
    this.onDamage(sector, error);
  }
}
