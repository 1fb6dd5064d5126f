/**
 * Pages in memory, bounded by bytes, with a policy that a scan cannot wash out.
 *
 * S3-FIFO (Yang and others, "FIFO queues are all you need for cache eviction", SOSP 2023): a new page enters a small queue, a tenth of
 * the bound; who is asked for again before it reaches the end goes on to the main queue, the others leave and are only remembered. Who
 * comes back while remembered goes to the main queue at once. There a page that was asked for is sent round again. So a scan's pages,
 * looked at once, pass through the small queue and push nobody out.
 * A page holds many records: looks that follow one another closely are one look (cf. O'Neil's correlated references), or else a
 * scan that others interrupt would count each of its pages twice.
 *
 * Keyed by address and generation: extents are reused, generations never repeat.
 *
 * Owns: which pages are kept, and their memory. Memory that was lent to a reader is never used again: a reader may hold a document of a
 * page that has long left; the collector frees it after the last reader. So the bytes are ordinary Buffers, whose size the collector
 * knows: memory shared between threads is not counted by V8 and piles up (4 GiB through 64 MiB of cache: 633 MB resident against 214).
 * Memory that was not lent is used for the next page at once: loads and misses turn over more of it in a second than the
 * collector takes away. So readers copy small documents, and borrow large ones.
 * Invariants:
 *  1. The bytes of all pages kept are at most the bound.
 *  2. A page is found under its own address and generation only.
 *  3. Memory is used again only when it was never lent and nobody looks at it; then its page is gone, and nobody reads of it any more.
 * Tests: test/storage/cache/page-cache.test.ts. Measured: bench/micro/storage/page-cache.bench.ts, page-reader.bench.ts.
 */
import { invariant } from '../../common/assert.ts';
import { frameBytesFor, PageFrames } from './page-frames.ts';
import type { LentMemory } from '../lent-memory.ts';
import { PageQueue, type QueuedPage } from './page-queue.ts';

/** Of the bound: pages that have not been asked for again. */
const SMALL_PART = 0.1;
/** Looks that are counted, and rounds in the main queue that they are worth. */
const MOST_LOOKS = 3;
/** So often a page of the small queue must have been asked for, to stay. */
const LOOKS_TO_STAY = 2;
/** So many looks at any page lie between two of a page's that both count. */
const LOOKS_APART = 64;
/** What a page costs besides its bytes: objects and map entry, estimated. */
const OVERHEAD_BYTES = 256;
/** Beside the bound: memory kept for pages to come. */
const FREE_PART = 1 / 32;
const LEAST_FREE_BYTES = 512 * 1024;
/** A page above this part of the bound would push out too much. */
const LARGEST_PART = 0.25;

/** A verified page, plain: header, directory, documents. Its bytes never change once they were lent. */
export class CachedPage implements QueuedPage<CachedPage>, LentMemory {
  readonly sector: number;
  readonly generation: number;
  readonly recordCount: number;
  readonly bytes: Buffer;
  /** Its memory is used for another page: whoever still holds this one must look it up again. */
  isGone = false;
  lookers = 0;
  /** A reader has a part of it: its memory belongs to readers and the collector from then on. */
  private lent = false;
  /** For the cache only: looks since it came, or since it was sent round. */
  looks = 0;
  /** For the cache only: the number of the last look that counted. */
  lookedAt = -LOOKS_APART;
  /** For the cache only, as the two below. */
  queue: PageQueue<CachedPage> | undefined;
  newer: CachedPage | undefined;
  older: CachedPage | undefined;

  constructor(page: { sector: number; generation: number; recordCount: number; bytes: Buffer }) {
    this.sector = page.sector;
    this.generation = page.generation;
    this.recordCount = page.recordCount;
    this.bytes = page.bytes;
  }

  get isLent(): boolean {
    return this.lent;
  }

  lend(): Buffer {
    invariant(!this.isGone, 'page-cache 3: read after its memory was used again');
    this.lent = true;
    return this.bytes;
  }

  /** What it costs to keep. */
  get costBytes(): number {
    return frameBytesFor(this.bytes.length) + OVERHEAD_BYTES;
  }
}

export interface PageCacheStatistics {
  readonly limitBytes: number;
  readonly bytes: number;
  /** Beside them, for pages to come. */
  readonly freeBytes: number;
  readonly pages: number;
  /** Of them, such as were asked for again and again. */
  readonly mainPages: number;
  readonly hits: number;
  readonly misses: number;
  readonly evictions: number;
  /** Evicted before anybody looked at them twice. */
  readonly passedThrough: number;
  /** Came back soon after they had left. */
  readonly returned: number;
}

export class PageCache {
  private readonly limitBytes: number;
  private readonly pages = new Map<number, CachedPage>();
  private readonly small = new PageQueue<CachedPage>();
  private readonly main = new PageQueue<CachedPage>();
  /** Generations of pages that left the small queue, by sector, the oldest first. */
  private readonly remembered = new Map<number, number>();
  private readonly frames: PageFrames;
  private lookCount = 0;
  private misses = 0;
  private hits = 0;
  private evictions = 0;
  private passedThrough = 0;
  private returned = 0;

  /** @param limitBytes bound of what is kept; 0 keeps nothing */
  constructor(limitBytes: number) {
    this.limitBytes = limitBytes;
    this.frames = new PageFrames(Math.max(LEAST_FREE_BYTES, limitBytes * FREE_PART));
  }

  /** False when every page would be refused. */
  get keepsAnything(): boolean {
    return this.limitBytes > 0;
  }

  /** The page, or undefined. Look at it at once, or lend() it: later it may be gone. */
  get(sector: number, generation: number): CachedPage | undefined {
    const page = this.pages.get(sector);
    if (page === undefined || page.generation !== generation) {
      this.misses += 1;
      return undefined;
    }
    this.hits += 1;
    this.lookCount += 1;
    if (this.lookCount - page.lookedAt >= LOOKS_APART) {
      page.lookedAt = this.lookCount;
      if (page.looks < MOST_LOOKS) page.looks += 1;
    }
    return page;
  }

  /** Whether it is there, without counting. */
  has(sector: number, generation: number): boolean {
    return this.pages.get(sector)?.generation === generation;
  }

  /** Memory for the bytes of a page that put() will be called with: its contents are whatever was there before. */
  frame(bytes: number): Buffer {
    return this.frames.take(bytes);
  }

  /**
   * Keeps a page, in place of an older generation at its address, and lets others go for it. The memory of the page is the cache's from
   * here on: nobody else writes to it, and whoever reads of it later borrows it.
   */
  put(page: CachedPage): void {
    const before = this.pages.get(page.sector);
    // A late read of an old snapshot must not push out what everybody else reads.
    if (before !== undefined && before.generation >= page.generation) return;
    if (page.costBytes > this.limitBytes * LARGEST_PART) return;
    if (before !== undefined) this.drop(before);
    while (this.bytes + page.costBytes > this.limitBytes) this.evictOne();
    const isKnown = this.remembered.get(page.sector) === page.generation;
    if (isKnown) {
      this.remembered.delete(page.sector);
      this.returned += 1;
    }
    page.looks = 0;
    (isKnown ? this.main : this.small).push(page);
    this.pages.set(page.sector, page);
    invariant(this.bytes <= this.limitBytes, 'page-cache 1: over the bound');
  }

  get statistics(): PageCacheStatistics {
    const { limitBytes, bytes, hits, misses, evictions, passedThrough, returned } = this;
    const pages = this.pages.size;
    const mainPages = this.main.length;
    const { freeBytes } = this.frames;
    const kept = { limitBytes, bytes, freeBytes, pages, mainPages };
    return { ...kept, hits, misses, evictions, passedThrough, returned };
  }

  private get bytes(): number {
    return this.small.bytes + this.main.bytes;
  }

  /** Makes room: one page leaves, after as many as deserve it have been sent on. */
  private evictOne(): void {
    for (;;) {
      const fromSmall = this.small.bytes > this.limitBytes * SMALL_PART || this.main.length === 0;
      const page = (fromSmall ? this.small : this.main).oldest;
      invariant(page !== undefined, 'page-cache 1: over the bound with nothing kept');
      if (fromSmall ? this.stays(page) : this.goesRound(page)) continue;
      if (fromSmall) this.remember(page);
      this.drop(page);
      this.evictions += 1;
      return;
    }
  }

  /** Whether a page at the end of the small queue goes on to the main queue. */
  private stays(page: CachedPage): boolean {
    if (page.looks < LOOKS_TO_STAY) return false;
    page.looks = 0;
    this.small.remove(page);
    this.main.push(page);
    return true;
  }

  /** Whether a page at the end of the main queue is sent round again. */
  private goesRound(page: CachedPage): boolean {
    if (page.looks === 0) return false;
    page.looks -= 1;
    this.main.remove(page);
    this.main.push(page);
    return true;
  }

  /** As many are remembered as the main queue has pages: longer, and what comes back says nothing of how often it is used. */
  private remember(page: CachedPage): void {
    this.passedThrough += 1;
    this.remembered.delete(page.sector);
    this.remembered.set(page.sector, page.generation);
    const most = Math.max(this.main.length, this.small.length);
    for (const sector of this.remembered.keys()) {
      if (this.remembered.size <= most) return;
      this.remembered.delete(sector);
    }
  }

  private drop(page: CachedPage): void {
    invariant(
      this.pages.get(page.sector) === page,
      'page-cache 2: dropped page is not the one kept',
    );
    this.pages.delete(page.sector);
    page.queue?.remove(page);
    if (page.isLent || page.lookers > 0) return;
    page.isGone = true;
    this.frames.giveBack(page.bytes);
  }
}
