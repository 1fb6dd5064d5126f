import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { SLAB_BYTES, SlabPool } from '../../../storage/delta/slab-pool.ts';
import { Slabs } from '../../../storage/delta/slabs.ts';

/** Fills slabs with documents of a kilobyte; the first, smaller slabs too. */
function fill(slabs: Slabs, bytes: number): { slab: number; offset: number }[] {
  return Array.from({ length: bytes / 1024 }, (_, index) => {
    const slab = slabs.allocate(1024);
    const offset = slabs.allocatedOffset;
    slabs.bytes(slab).fill(index % 256, offset, offset + 1024);
    return { slab, offset };
  });
}

describe('Slabs', () => {
  it('of a generation that is gone are filled by the next one', () => {
    const pool = new SlabPool(16 * SLAB_BYTES);
    const memory = { bytes: 0 };
    const first = new Slabs(memory, pool);
    const places = fill(first, 6 * SLAB_BYTES);
    const buffers = new Set(places.map(({ slab }) => first.bytes(slab).buffer));
    first.recycle();
    assert.equal(memory.bytes, 0);
    assert.ok(pool.freeBytes >= 4 * SLAB_BYTES);
    const second = new Slabs(memory, pool);
    const again = fill(second, 6 * SLAB_BYTES);
    assert.ok(again.some(({ slab }) => buffers.has(second.bytes(slab).buffer)));
  });

  it('that were lent keep what a reader holds, whoever comes after', () => {
    const pool = new SlabPool(16 * SLAB_BYTES);
    const first = new Slabs({ bytes: 0 }, pool);
    const places = fill(first, 6 * SLAB_BYTES);
    const held = places
      .filter((_, index) => index % 1500 === 7)
      .map(({ slab, offset }) =>
        first
          .slab(slab)
          .lend()
          .subarray(offset, offset + 1024),
      );
    const before = held.map((document) => Buffer.from(document));
    first.recycle();
    const second = new Slabs({ bytes: 0 }, pool);
    for (const { slab, offset } of fill(second, 12 * SLAB_BYTES)) {
      second.bytes(slab).fill(0xee, offset, offset + 1024);
    }
    assert.deepEqual(held, before);
  });

  it('that somebody looks at are not used again', () => {
    const pool = new SlabPool(16 * SLAB_BYTES);
    const slabs = new Slabs({ bytes: 0 }, pool);
    const [{ slab }] = fill(slabs, 6 * SLAB_BYTES);
    const lookedAt = slabs.slab(slab);
    lookedAt.lookers += 1;
    slabs.recycle();
    const taken = Array.from({ length: 16 }, () => pool.take());
    assert.ok(taken.every(({ buffer }) => buffer !== lookedAt.bytes.buffer));
  });

  it('without anything alive go to the pool at once, and the pool keeps no more than it may', () => {
    const pool = new SlabPool(2 * SLAB_BYTES);
    const slabs = new Slabs({ bytes: 0 }, pool);
    const places = fill(slabs, 8 * SLAB_BYTES);
    for (const { slab } of places.slice(0, -1024)) slabs.release(slab, 1024);
    assert.equal(pool.freeBytes, 2 * SLAB_BYTES);
  });

  it('cannot be read after their end', () => {
    const slabs = new Slabs({ bytes: 0 }, new SlabPool(SLAB_BYTES));
    const [{ slab }] = fill(slabs, SLAB_BYTES);
    slabs.recycle();
    assert.throws(() => slabs.slab(slab), /let go/);
  });
});
