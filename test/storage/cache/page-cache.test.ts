import assert from 'node:assert/strict';
import fc from 'fast-check';
import { CachedPage, PageCache } from '../../../storage/cache/page-cache.ts';

function pageOf(sector: number, generation = 1, bytes = 4096): CachedPage {
  return new CachedPage({ sector, generation, recordCount: 1, bytes: Buffer.alloc(bytes, sector) });
}

/** Room for exactly `pages` pages of 4096 bytes. */
const roomFor = (pages: number): number => pages * (4096 + 256);

/** A look at a page that is no part of the one before: as many at another page lie between. */
function look(cache: PageCache, sector: number, other: number): void {
  cache.get(sector, 1);
  for (let count = 0; count < 64; count += 1) cache.get(other, 1);
}

describe('page cache', () => {
  it('finds a page under its address and generation, and under no other', () => {
    const cache = new PageCache(roomFor(8));
    const page = pageOf(5, 3);
    cache.put(page);
    assert.equal(cache.get(5, 3), page);
    assert.equal(cache.get(5, 2), undefined);
    assert.equal(cache.get(6, 3), undefined);
    assert.equal(cache.has(5, 3), true);
    assert.deepEqual(cache.statistics, {
      limitBytes: roomFor(8),
      bytes: roomFor(1),
      freeBytes: 0,
      pages: 1,
      mainPages: 0,
      hits: 1,
      misses: 2,
      evictions: 0,
      passedThrough: 0,
      returned: 0,
    });
  });

  it('puts a newer generation in place of an older one, and not the other way round', () => {
    const cache = new PageCache(roomFor(8));
    cache.put(pageOf(5, 3));
    cache.put(pageOf(5, 4));
    cache.put(pageOf(5, 2));
    assert.equal(cache.get(5, 4)?.generation, 4);
    assert.equal(cache.statistics.pages, 1);
  });

  it('lets pages go that nobody asked for again', () => {
    const cache = new PageCache(roomFor(8));
    for (let sector = 0; sector < 8; sector += 1) cache.put(pageOf(sector));
    for (const sector of [0, 3, 6, 0, 3, 6]) look(cache, sector, 7);
    for (let sector = 100; sector < 105; sector += 1) cache.put(pageOf(sector));
    assert.deepEqual(
      [0, 1, 2, 3, 4, 5, 6, 7].filter((sector) => cache.has(sector, 1)),
      [0, 3, 6, 7],
    );
    assert.equal(cache.statistics.evictions, 5);
  });

  it('takes looks that follow one another for one: a scan asks for each record of a page', () => {
    const cache = new PageCache(roomFor(8));
    for (let sector = 0; sector < 8; sector += 1) cache.put(pageOf(sector));
    for (let record = 0; record < 30; record += 1) cache.get(0, 1);
    for (let sector = 100; sector < 108; sector += 1) cache.put(pageOf(sector));
    assert.equal(cache.has(0, 1), false);
  });

  it('keeps a working set through a scan of a hundred times as many pages', () => {
    const cache = new PageCache(roomFor(100));
    const working = Array.from({ length: 60 }, (_, sector) => sector);
    for (let round = 0; round < 4; round += 1) {
      for (const sector of working) {
        if (cache.get(sector, 1) === undefined) cache.put(pageOf(sector));
      }
      look(cache, 0, 1);
    }
    for (let sector = 1000; sector < 11_000; sector += 1) cache.put(pageOf(sector));
    assert.deepEqual(
      working.filter((sector) => !cache.has(sector, 1)),
      [],
    );
  });

  it('knows a page again that comes back soon after it left, and keeps it', () => {
    const cache = new PageCache(roomFor(20));
    for (let sector = 0; sector < 20; sector += 1) cache.put(pageOf(sector));
    cache.put(pageOf(50));
    assert.equal(cache.has(0, 1), false);
    cache.put(pageOf(0));
    assert.equal(cache.statistics.returned, 1);
    for (let sector = 100; sector < 300; sector += 1) cache.put(pageOf(sector));
    assert.equal(cache.has(0, 1), true);
  });

  it('uses the memory of a page again that nobody has seen, and never of one that was lent', () => {
    const cache = new PageCache(roomFor(4));
    const put = (sector: number): Buffer => {
      const bytes = cache.frame(4096).fill(sector);
      cache.put(new CachedPage({ sector, generation: 1, recordCount: 1, bytes }));
      return bytes;
    };
    const unseen = put(1);
    const lent = put(2);
    const held = cache.get(2, 1)?.lend();
    const later = Array.from({ length: 20 }, (_, index) => put(10 + index));
    assert.ok(later.some(({ buffer }) => buffer === unseen.buffer));
    assert.ok(!later.some(({ buffer }) => buffer === lent.buffer));
    assert.deepEqual(held, Buffer.alloc(4096, 2));
  });

  it('uses the memory of a page that somebody looks at for nothing else', () => {
    const cache = new PageCache(roomFor(4));
    const put = (sector: number): CachedPage => {
      const bytes = cache.frame(4096).fill(sector);
      const page = new CachedPage({ sector, generation: 1, recordCount: 1, bytes });
      cache.put(page);
      return page;
    };
    const lookedAt = put(1);
    lookedAt.lookers += 1;
    for (let sector = 10; sector < 30; sector += 1) put(sector);
    assert.equal(cache.has(1, 1), false);
    assert.equal(lookedAt.isGone, false);
    assert.deepEqual(lookedAt.bytes, Buffer.alloc(4096, 1));
  });

  it('keeps little memory for pages to come, of whatever sizes', () => {
    const cache = new PageCache(roomFor(1000));
    for (let round = 0; round < 4; round += 1) {
      for (let size = 1; size <= 64; size += 1) {
        const pages = Array.from({ length: 16 }, (_, index) => {
          const bytes = cache.frame(size * 4096);
          return new CachedPage({
            sector: index,
            generation: round * 64 + size,
            recordCount: 1,
            bytes,
          });
        });
        for (const page of pages) cache.put(page);
      }
    }
    assert.ok(cache.statistics.freeBytes > 0);
    assert.ok(cache.statistics.freeBytes <= 1024 * 1024);
  });

  it('does not keep a page that is a large part of it', () => {
    const cache = new PageCache(roomFor(8));
    cache.put(pageOf(1));
    cache.put(pageOf(2, 1, 3 * 4096));
    assert.equal(cache.has(2, 1), false);
    assert.equal(cache.has(1, 1), true);
  });

  it('keeps nothing within a bound of nothing', () => {
    const cache = new PageCache(0);
    cache.put(pageOf(1));
    assert.equal(cache.statistics.pages, 0);
  });

  it('leaves the bytes of an evicted page to whoever still reads them', () => {
    const cache = new PageCache(roomFor(4));
    cache.put(pageOf(1));
    const document = cache.get(1, 1)!.lend().subarray(10, 20);
    for (let sector = 10; sector < 200; sector += 1) {
      const bytes = cache.frame(4096).fill(7);
      cache.put(new CachedPage({ sector, generation: 1, recordCount: 1, bytes }));
    }
    assert.equal(cache.has(1, 1), false);
    assert.deepEqual(document, Buffer.alloc(10, 1));
  });

  it('stays within its bound and finds what it says it has, whatever comes', () => {
    const step = fc.record({
      sector: fc.nat(30),
      generation: fc.integer({ min: 1, max: 4 }),
      sectors: fc.integer({ min: 1, max: 4 }),
      look: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), fc.nat(20), (steps, pages) => {
        const cache = new PageCache(roomFor(pages));
        for (const { sector, generation, sectors, look } of steps) {
          if (look) {
            const found = cache.get(sector, generation);
            assert.ok(found === undefined || found.sector === sector);
            assert.ok(found === undefined || found.generation === generation);
          } else {
            cache.put(pageOf(sector, generation, sectors * 4096));
          }
          assert.ok(cache.statistics.bytes <= roomFor(pages));
        }
      }),
      { numRuns: 100 },
    );
  });
});
