import assert from 'node:assert/strict';
import fc from 'fast-check';
import { PointCache } from '../../../storage/views/point-cache.ts';

const NO_VALUE = Buffer.alloc(0);

describe('The cache of points', () => {
  it('answers only what was set last and not deleted, for exactly the same index and key', () => {
    const key = fc.uint8Array({ maxLength: 50 }).map((bytes) => Buffer.from(bytes));
    const step = fc.record({
      index: fc.integer({ min: 16, max: 18 }),
      key,
      value: fc.uint8Array({ maxLength: 4 }).map((bytes) => Buffer.from(bytes)),
      isDelete: fc.boolean(),
    });
    const steps = fc.array(step, { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(steps, (taken) => {
        const cache = new PointCache();
        const model = new Map<string, { recordId: number; value: Buffer }>();
        for (const [recordId, { index, key: bytes, value, isDelete }] of taken.entries()) {
          const name = `${index} ${bytes.toString('hex')}`;
          if (isDelete) {
            cache.delete(index, bytes);
            model.delete(name);
          } else if (!model.has(name)) {
            cache.set(index, bytes, recordId, value);
            model.set(name, { recordId, value });
          }
          for (const other of taken) {
            const line = cache.find(other.index, other.key);
            if (line < 0) continue;
            const known = model.get(`${other.index} ${other.key.toString('hex')}`);
            assert.equal(cache.recordIdAt(line), known?.recordId);
            assert.deepEqual(cache.valueAt(line), known?.value);
          }
        }
      }),
      { numRuns: 200 },
    );
  });

  it('remembers most of 100,000 keys while it grows', () => {
    const cache = new PointCache();
    const key = Buffer.alloc(12);
    for (let id = 0; id < 100_000; id += 1) {
      key.writeUInt32BE(id, 8);
      cache.set(20, key, id, NO_VALUE);
    }
    let found = 0;
    for (let id = 0; id < 100_000; id += 1) {
      key.writeUInt32BE(id, 8);
      const line = cache.find(20, key);
      if (line < 0) continue;
      assert.equal(cache.recordIdAt(line), id);
      found += 1;
    }
    assert.ok(found > 85_000, `only ${found}`);
  });

  it('forgets keys that do not fit into a line', () => {
    const cache = new PointCache();
    cache.set(20, Buffer.alloc(47), 1, NO_VALUE);
    assert.equal(cache.find(20, Buffer.alloc(47)), -1);
  });
});
