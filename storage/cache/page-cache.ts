/**
 * Pages in memory, bounded by bytes.
 *
 * Keyed by address and generation: extents are reused, generations never repeat. Replacement is CLOCK with one bit: a
 * page begins without it, so that a scan's pages, looked at once, go before those that were asked for again.
 *
 * Owns: which pages are kept. Never reuses memory: a reader may hold a document of a page that has long left the cache;
 * the collector frees it after the last reader. So the bytes are ordinary Buffers, whose size the collector knows: memory
 * shared between threads is not counted by V8 and piles up (4 GiB through 64 MiB of cache: 633 MB resident against 214).
 * Invariants:
 *  1. The bytes of all pages kept are at most the bound.
 *  2. A page is found under its own address and generation only.
 * Tests: test/storage/cache/page-cache.test.ts. Measured: bench/micro/storage/page-reader.bench.ts.
 */
import { invariant } from '../../common/assert.ts';

/** A verified page. Its bytes never change. */
export class CachedPage {
  readonly sector: number;
  readonly generation: number;
  readonly recordCount: number;
  readonly bytes: Buffer;
  /** For the cache only: asked for since the hand came by. */
  referenced = false;
  /** For the cache only: position in its ring; -1 outside. */
  position = -1;

  constructor(page: { sector: number; generation: number; recordCount: number; bytes: Buffer }) {
    this.sector = page.sector;
    this.generation = page.generation;
    this.recordCount = page.recordCount;
    this.bytes = page.bytes;
  }
}

export interface PageCacheStatistics {
  readonly limitBytes: number;
  readonly bytes: number;
  readonly pages: number;
  readonly hits: number;
  readonly misses: number;
  readonly evictions: number;
}

/** What a page costs besides its bytes: objects and map entry, estimated. */
const OVERHEAD_BYTES = 256;
/** A page above this part of the bound would push out too much. */
const LARGEST_PART = 0.25;

export class PageCache {
  private readonly limitBytes: number;
  private readonly pages = new Map<number, CachedPage>();
  private readonly ring: (CachedPage | undefined)[] = [];
  /** Positions of the ring that are empty: behind the hand, so that a new page waits for a whole round. */
  private readonly holes: number[] = [];
  private hand = 0;
  private bytes = 0;
  private hits = 0;
  private misses = 0;
  private evictions = 0;

  /** @param limitBytes bound of what is kept; 0 keeps nothing */
  constructor(limitBytes: number) {
    this.limitBytes = limitBytes;
  }

  /** The page, or undefined. */
  get(sector: number, generation: number): CachedPage | undefined {
    const page = this.pages.get(sector);
    if (page === undefined || page.generation !== generation) {
      this.misses += 1;
      return undefined;
    }
    this.hits += 1;
    page.referenced = true;
    return page;
  }

  /** Whether it is there, without counting or marking. */
  has(sector: number, generation: number): boolean {
    return this.pages.get(sector)?.generation === generation;
  }

  /** Keeps a page, in place of an older generation at its address, and lets others go for it. */
  put(page: CachedPage): void {
    const cost = costOf(page);
    const before = this.pages.get(page.sector);
    // A late read of an old snapshot must not push out what everybody else reads.
    if (before !== undefined && before.generation >= page.generation) return;
    if (cost > this.limitBytes * LARGEST_PART) return;
    if (before !== undefined) this.drop(before);
    while (this.bytes + cost > this.limitBytes) this.evictOne();
    page.position = this.holes.pop() ?? this.ring.length;
    page.referenced = false;
    this.ring[page.position] = page;
    this.pages.set(page.sector, page);
    this.bytes += cost;
    invariant(this.bytes <= this.limitBytes, 'page-cache 1: over the bound');
  }

  get statistics(): PageCacheStatistics {
    const { limitBytes, bytes, hits, misses, evictions } = this;
    return { limitBytes, bytes, pages: this.pages.size, hits, misses, evictions };
  }

  private evictOne(): void {
    for (;;) {
      if (this.hand >= this.ring.length) this.hand = 0;
      const page = this.ring[this.hand];
      this.hand += 1;
      if (page === undefined) continue;
      if (!page.referenced) {
        this.drop(page);
        this.evictions += 1;
        return;
      }
      page.referenced = false;
    }
  }

  private drop(page: CachedPage): void {
    invariant(this.ring[page.position] === page, 'page-cache 2: dropped page is not the one kept');
    this.pages.delete(page.sector);
    this.ring[page.position] = undefined;
    this.holes.push(page.position);
    page.position = -1;
    this.bytes -= costOf(page);
  }
}

function costOf(page: CachedPage): number {
  return page.bytes.length + OVERHEAD_BYTES;
}
