/**
 * Areas: an answer from a geospatial index is the answer of a collection scan.
 */
import assert from 'node:assert/strict';
import { type Plain, TestStore } from '../executor/store.ts';
import { RandomGeometry } from './random-geometry.ts';

/** Random polygons may be invalid (a hole that sticks out): then both answers are the same refusal. */
async function idsOf(store: TestStore, filter: Plain, hint: Plain): Promise<unknown> {
  try {
    const found = await store.find({ filter, hint });
    return found.map((document) => document['_id']).sort((a, b) => Number(a) - Number(b));
  } catch (error) {
    return String(error);
  }
}

async function stored(documents: readonly Plain[], indexes: readonly Plain[]): Promise<TestStore> {
  const store = await TestStore.open([], indexes);
  const write = store.engine.begin();
  const { bytes } = await import('../executor/store.ts');
  for (const document of documents) {
    const savepoint = write.savepoint();
    try {
      write.insert(write.collection(store.namespace)!, bytes(document));
    } catch {
      write.rollbackTo(savepoint);
    }
  }
  write.commit();
  return store;
}

describe('areas', function () {
  this.timeout(20_000);

  it('on the sphere have the same answers with and without a 2dsphere index', async () => {
    const random = new RandomGeometry(8141);
    const documents = Array.from({ length: 400 }, (_, _id) => ({
      _id,
      g: random.stored(),
      n: _id % 3,
    }));
    const pattern = { g: '2dsphere' };
    const compound = { n: 1, g: '2dsphere' };
    const store = await stored(documents, [
      { v: 2, key: pattern, name: 'g' },
      { v: 2, key: compound, name: 'ng' },
    ]);
    let found = 0;
    for (let round = 0; round < 100; round += 1) {
      const shape = random.pick([
        () => ({ $geoWithin: { $geometry: random.polygon() } }),
        () => ({ $geoIntersects: { $geometry: random.polygon() } }),
        () => ({ $geoIntersects: { $geometry: random.line() } }),
        () => ({ $geoWithin: { $geometry: random.bigPolygon() } }),
        () => ({ $geoIntersects: { $geometry: random.bigPolygon() } }),
        () => ({ $geoIntersects: { $geometry: random.point() } }),
        () => ({
          $geoWithin: { $centerSphere: [random.pair(), random.pick([0, 0.00001, 0.01, 0.5, 2])] },
        }),
      ])();
      const condition = random.pick<Plain>([{ g: shape }, { g: shape, n: 1 }]);
      const expected = await idsOf(store, condition, { $natural: 1 });
      if (Array.isArray(expected)) found += expected.length;
      assert.deepEqual(await idsOf(store, condition, pattern), expected, JSON.stringify(shape));
      assert.deepEqual(await idsOf(store, condition, compound), expected, JSON.stringify(shape));
    }
    assert.ok(found > 500, `the areas hold ${found} geometries`);
    await store.close();
  });

  it('in the plane have the same answers with and without a 2d index', async () => {
    const random = new RandomGeometry(77);
    const flat = (): [number, number] => [
      Math.round(random.between(-60, 60) * 4) / 4,
      Math.round(random.between(-60, 60) * 4) / 4,
    ];
    const documents = Array.from({ length: 800 }, (_, _id) => ({
      _id,
      g: random.pick<unknown>([flat(), { x: flat()[0], y: flat()[1] }, [flat(), flat()]]),
      n: random.pick<unknown>([1, 2, [1, 2]]),
    }));
    const pattern = { g: '2d', n: 1 };
    const store = await stored(documents, [
      { v: 2, key: pattern, name: 'g', min: -60, max: 60, bits: 20 },
    ]);
    let found = 0;
    for (let round = 0; round < 100; round += 1) {
      const shape = random.pick([
        () => ({ $box: [flat(), flat()] }),
        () => ({ $center: [flat(), random.pick([0, 1, 10, 100])] }),
        () => ({ $polygon: [flat(), flat(), flat(), flat()] }),
        () => ({ $centerSphere: [flat(), random.pick([0.001, 0.1, 1])] }),
      ])();
      const condition = random.pick<Plain>([
        { g: { $geoWithin: shape } },
        { g: { $geoWithin: shape }, n: 1 },
      ]);
      const expected = await idsOf(store, condition, { $natural: 1 });
      if (Array.isArray(expected)) found += expected.length;
      assert.deepEqual(await idsOf(store, condition, pattern), expected, JSON.stringify(shape));
    }
    assert.ok(found > 500, `the areas hold ${found} positions`);
    await store.close();
  });
});
