import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  AllocationMap,
  MANIFEST_OWNER,
  SHARED_OWNER,
  type ExtentRun,
} from '../../../storage/blocks/allocation-map.ts';
import { StoreLayout } from '../../../storage/blocks/layout.ts';
import { EXTENT_STATE } from '../../../storage/format/manifest.ts';

const layout = new StoreLayout({ sectorBytes: 4096, extentSectors: 128, pageSectors: 4 });
const RESERVED = layout.reservedExtents;
const FIRST = layout.firstSectorOf(RESERVED);
const OWNER = 20;
const OTHER = 21;

describe('allocation map', () => {
  it('reserves the extents of the superblock', () => {
    assert.equal(RESERVED, 2);
    const map = new AllocationMap(layout);
    assert.equal(map.extentCount, RESERVED);
    assert.equal(map.takeSectors(OWNER, 1, 1), FIRST);
  });

  it('fills an extent from front to back, each owner its own', () => {
    const map = new AllocationMap(layout);
    assert.equal(map.takeSectors(OWNER, 4, 1), FIRST);
    assert.equal(map.takeSectors(OTHER, 4, 1), FIRST + 128);
    assert.equal(map.takeSectors(OWNER, 3, 1), FIRST + 4);
    assert.equal(map.roomOf(OWNER), 121);
    assert.equal(map.roomOf(OTHER), 124);
    assert.equal(map.roomOf(99), 0);
  });

  it('begins another extent rather than split a shared page', () => {
    const map = new AllocationMap(layout);
    for (let page = 0; page < 31; page += 1) map.takeSectors(OWNER, 4, 1);
    map.takeSectors(OWNER, 2, 1);
    assert.equal(map.roomOf(OWNER), 2);
    assert.equal(map.takeSectors(OWNER, 4, 1), FIRST + 128);
  });

  it('lets a large page go on in the extent behind, when that is free', () => {
    const map = new AllocationMap(layout);
    map.takeSectors(OWNER, 4, 1);
    assert.equal(map.takeSectors(OWNER, 200, 1), FIRST + 4);
    assert.equal(map.takeSectors(OWNER, 1, 1), FIRST + 204);
    map.takeSectors(OTHER, 1, 1);
    // Behind OWNER's extent lies OTHER's now: a new run is needed.
    assert.equal(map.takeSectors(OWNER, 200, 1), FIRST + 3 * 128);
  });

  it('frees an emptied extent only when the next checkpoint is durable and no older base pinned', () => {
    const map = new AllocationMap(layout);
    map.takeSectors(OWNER, 4, 1);
    map.addLive(RESERVED, 1000);
    map.settle(1);
    assert.deepEqual(map.reclaimable(5, 5), []);
    map.removeLive(RESERVED, 1000, 1);
    map.settle(2);
    assert.deepEqual(map.reclaimable(2, 2), []);
    assert.deepEqual(map.reclaimable(3, 1), []);
    assert.deepEqual(map.reclaimable(3, 2), [RESERVED]);
    map.free([RESERVED]);
    assert.equal(map.takeSectors(OTHER, 4, 9), FIRST);
  });

  it('never frees a damaged extent', () => {
    const map = new AllocationMap(layout);
    map.takeSectors(OWNER, 4, 1);
    map.markDamaged(RESERVED);
    map.settle(1);
    assert.equal(map.stored[RESERVED].state, EXTENT_STATE.used);
    map.markDamaged(10_000);
  });

  it('keeps tombstones while something older that died may come back', () => {
    const map = new AllocationMap(layout);
    map.takeSectors(OTHER, 4, 1);
    map.addLive(RESERVED, 100);
    map.removeLive(RESERVED, 40, 1);
    map.takeSectors(OWNER, 4, 2);
    map.addTombstones(RESERVED + 1, 16);
    map.settle(2);
    assert.equal(map.stored[RESERVED + 1].state, EXTENT_STATE.used);
    map.removeLive(RESERVED, 60, 1);
    map.settle(3);
    map.settle(4);
    assert.equal(map.stored[RESERVED + 1].state, EXTENT_STATE.pendingFree);
  });

  it('keeps no tombstones for what lives as a whole', () => {
    const map = new AllocationMap(layout);
    map.takeSectors(OTHER, 4, 1);
    map.addLive(RESERVED, 100);
    map.takeSectors(OWNER, 4, 2);
    map.addTombstones(RESERVED + 1, 16);
    map.settle(2);
    assert.equal(map.stored[RESERVED].state, EXTENT_STATE.used);
    assert.equal(map.stored[RESERVED + 1].state, EXTENT_STATE.pendingFree);
  });

  it('keeps no tombstones for manifests that are of the past', () => {
    const map = new AllocationMap(layout);
    map.takeSectors(MANIFEST_OWNER, 1, 1);
    map.addLive(RESERVED, 4096);
    map.takeSectors(OWNER, 4, 2);
    map.addTombstones(RESERVED + 1, 16);
    map.takeSectors(MANIFEST_OWNER, 1, 2);
    map.addLive(RESERVED, 4096);
    map.removeLive(RESERVED, 4096, 1);
    assert.equal(map.oldestPastGeneration, Infinity);
    map.settle(2);
    assert.equal(map.stored[RESERVED + 1].state, EXTENT_STATE.pendingFree);
  });

  it('lets nothing live again beside what died, once its tombstones may have gone', () => {
    const map = new AllocationMap(layout);
    // A record in an extent that is shared; its tombstone in one of its collection's own.
    const shared = layout.extentOf(map.takeSectors(SHARED_OWNER, 4, 1));
    map.addLive(shared, 100);
    const own = layout.extentOf(map.takeSectors(OWNER, 4, 2));
    map.removeLive(shared, 100, 1);
    map.addTombstones(own, 16);
    // Something of another collection, begun later, dies: the shared extent keeps the tombstone of that.
    const other = layout.extentOf(map.takeSectors(OTHER, 4, 3));
    map.addLive(other, 100);
    map.takeSectors(SHARED_OWNER, 1, 4);
    map.addTombstones(shared, 16);
    map.removeLive(other, 40, 3);
    // The cleaner asks before settle(), and goes on to fill what is open.
    assert.equal(map.oldestPastGeneration, 1);
    map.settle(4);
    assert.equal(map.stored[shared].state, EXTENT_STATE.used);
    assert.equal(map.stored[own].state, EXTENT_STATE.pendingFree);
    assert.equal(map.hasOpenExtent(SHARED_OWNER), false);
  });

  it('counts an extent with nothing but a few tombstones among the sparse ones', () => {
    const map = new AllocationMap(layout);
    const whole = layout.extentSectors;
    map.takeSectors(OTHER, whole, 1);
    map.addLive(RESERVED, 100);
    map.removeLive(RESERVED, 10, 1);
    map.takeSectors(OWNER, whole, 2);
    map.addLive(RESERVED + 1, 1000);
    map.addTombstones(RESERVED + 1, 16);
    map.removeLive(RESERVED + 1, 1000, 2);
    assert.deepEqual(map.sparseExtents(layout.extentBytes / 2, 3), [RESERVED + 1]);
    assert.equal(map.keeperOfTombstones(3), RESERVED);
    assert.equal(map.tombstoneBytesInAll, 16);
  });

  it('holds extents back while they are discarded, keeps the lowest, and discards each once', () => {
    const map = new AllocationMap(layout);
    for (let extent = 0; extent < 10; extent += 1) map.takeSectors(OWNER, 128, 1);
    map.settle(1);
    map.free(map.reclaimable(2, 2));
    const run = map.beginDiscard(2)!;
    assert.deepEqual(run, { first: RESERVED + 2, count: 8 });
    assert.equal(map.beginDiscard(2), undefined);
    assert.equal(map.takeSectors(OTHER, 128, 2), FIRST);
    assert.equal(map.takeSectors(OTHER, 128, 2), FIRST + 128);
    assert.equal(map.takeSectors(OTHER, 128, 2), FIRST + 10 * 128);
    map.endDiscard(run);
    assert.equal(map.takeSectors(OTHER, 128, 2), FIRST + 2 * 128);
    assert.equal(map.beginDiscard(0), undefined);
  });

  it('ignores the death of a record of an earlier life of its extent', () => {
    const map = new AllocationMap(layout);
    map.takeSectors(OWNER, 4, 1);
    map.addLive(RESERVED, 100);
    map.dropOwner(OWNER);
    assert.equal(map.removeLive(RESERVED, 100, 1), false);
    map.settle(1);
    map.free(map.reclaimable(2, 2));
    map.takeSectors(OTHER, 4, 5);
    map.addLive(RESERVED, 100);
    assert.equal(map.removeLive(RESERVED, 100, 1), false);
    assert.equal(map.removeLive(RESERVED, 100, 5), true);
  });

  it('is the same again after a way through the manifest', () => {
    const map = new AllocationMap(layout);
    map.takeSectors(OWNER, 300, 1);
    map.takeSectors(OTHER, 3, 1);
    map.addLive(RESERVED, 77);
    map.settle(1);
    const again = new AllocationMap(layout, map.stored);
    assert.deepEqual(again.stored, map.stored);
    assert.equal(again.roomOf(OWNER), map.roomOf(OWNER));
    assert.equal(again.takeSectors(OWNER, 2, 2), map.takeSectors(OWNER, 2, 2));
  });

  it('takes a change set back whole, but for damage', () => {
    const map = new AllocationMap(layout);
    map.takeSectors(OWNER, 4, 1);
    map.addLive(RESERVED, 500);
    const before = structuredClone(map.stored);
    map.begin();
    map.removeLive(RESERVED, 500, 1);
    map.takeSectors(OTHER, 300, 2);
    map.takeSectors(OWNER, 100, 2);
    map.settle(2);
    map.markDamaged(RESERVED);
    map.rollBack();
    assert.deepEqual(map.stored.slice(0, before.length), [
      ...before.slice(0, RESERVED),
      { ...before[RESERVED], damaged: true },
    ]);
    assert.ok(map.stored.slice(before.length).every(({ state }) => state === EXTENT_STATE.free));
    assert.equal(map.takeSectors(OWNER, 1, 3), FIRST + 128);
  });

  it('hands out no damaged extent again when what was written to it is taken back', () => {
    const map = new AllocationMap(layout);
    map.begin();
    assert.equal(map.takeSectors(OWNER, 4, 1), FIRST);
    map.markDamaged(RESERVED);
    map.rollBack();
    assert.equal(map.takeSectors(OWNER, 4, 2), FIRST + 128);
  });

  it('never hands out an extent that a live, previous or pinned base uses', () => {
    const step = fc.record({
      pages: fc.array(
        fc.record({
          owner: fc.constantFrom(0, OWNER, OTHER),
          sectors: fc.oneof(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 5, max: 300 })),
        }),
        { maxLength: 12 },
      ),
      deaths: fc.array(fc.nat(1000), { maxLength: 12 }),
      abort: fc.boolean(),
      pin: fc.boolean(),
      unpin: fc.nat(5),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
        const map = new AllocationMap(layout);
        let live: Page[] = [];
        /** Bases by checkpoint: the pages that each needs. */
        const bases = new Map<number, Page[]>();
        const pinned = new Set<number>();
        let discarding: ExtentRun | undefined;
        let checkpoint = 0;
        let generation = 0;
        bases.set(0, []);
        for (const { pages, deaths, abort, pin, unpin } of steps) {
          generation += 1;
          map.begin();
          const next = [...live];
          for (const death of deaths) {
            const [page] = next.splice(death % Math.max(1, next.length), 1);
            if (page !== undefined)
              forEachExtent(page, (e, b) => map.removeLive(e, b, page.generation));
          }
          const added: Page[] = [];
          for (const { owner, sectors } of pages) {
            const page = {
              sector: map.takeSectors(owner, sectors, generation),
              sectors,
              generation,
            };
            const needed = [...bases.values()].flat();
            for (const other of [...needed, ...added]) assertApart(page, other);
            if (discarding !== undefined) assertApart(page, pageOfRun(discarding));
            forEachExtent(page, (extent, bytes) => map.addLive(extent, bytes));
            added.push(page);
          }
          map.settle(checkpoint + 1);
          if (abort) {
            map.rollBack();
          } else {
            map.keep();
            checkpoint += 1;
            live = [...next, ...added];
            bases.set(checkpoint, live);
            if (pin) pinned.add(checkpoint);
          }
          pinned.delete([...pinned][unpin] ?? -1);
          for (const base of bases.keys()) {
            if (base < checkpoint - 1 && !pinned.has(base)) bases.delete(base);
          }
          if (discarding !== undefined) map.endDiscard(discarding);
          discarding = map.beginDiscard(unpin);
          const oldestPinned = Math.min(checkpoint, ...pinned);
          map.free(map.reclaimable(checkpoint, oldestPinned));
        }
      }),
      { numRuns: 150 },
    );
  });
});

interface Page {
  readonly sector: number;
  readonly sectors: number;
  readonly generation: number;
}

function pageOfRun({ first, count }: ExtentRun): Page {
  return { sector: layout.firstSectorOf(first), sectors: count * 128, generation: 0 };
}

function forEachExtent(page: Page, visit: (extent: number, bytes: number) => void): void {
  layout.forEachTouchedExtent(page.sector, page.sectors, visit);
}

function assertApart(page: Page, other: Page): void {
  const apart =
    page.sector + page.sectors <= other.sector || other.sector + other.sectors <= page.sector;
  assert.ok(apart, `${JSON.stringify(page)} overlaps ${JSON.stringify(other)}`);
}
