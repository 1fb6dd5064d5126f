/**
 * Nearest first: what the index gives is what measuring every document gives.
 */
import assert from 'node:assert/strict';
import { bytes, type Plain, TestStore } from '../executor/store.ts';
import { RandomGeometry, type Pair } from './random-geometry.ts';

const RADIUS = 6_378_100;

/** Of two points on the sphere, radians: an independent formula (haversine). */
function haversine([x1, y1]: Pair, [x2, y2]: Pair): number {
  const rad = Math.PI / 180;
  const half = (angle: number) => Math.sin(angle / 2) ** 2;
  const h = half((y2 - y1) * rad) + Math.cos(y1 * rad) * Math.cos(y2 * rad) * half((x2 - x1) * rad);
  return 2 * Math.asin(Math.min(1, Math.sqrt(h)));
}

interface Spot extends Plain {
  _id: number;
  n: number;
  at: Pair[];
}

function spots(random: RandomGeometry, count: number): Spot[] {
  return Array.from({ length: count }, (_, _id) => ({
    _id,
    n: _id % 3,
    at: Array.from({ length: random.pick([1, 1, 1, 3]) }, () => random.pair()),
  }));
}

const least = ({ at }: Spot, center: Pair): number =>
  Math.min(...at.map((pair) => haversine(pair, center)));

/** Distances rise, and each is that of its document; documents of equal distance may come in any order. */
function check(found: Plain[], expected: { _id: number; distance: number }[], what: string): void {
  assert.equal(found.length, expected.length, what);
  const byId = new Map(expected.map(({ _id, distance }) => [_id, distance]));
  assert.equal(new Set(found.map(({ _id }) => _id)).size, expected.length, what);
  for (const [index, { _id, d }] of found.entries()) {
    const distance = Number(d);
    assert.ok(Math.abs(distance - byId.get(Number(_id))!) < 1e-3, `${what}: ${String(_id)}`);
    assert.ok(Math.abs(distance - expected[index].distance) < 1e-3, `${what}: place ${index}`);
  }
}

describe('near', function () {
  this.timeout(20_000);

  it('gives documents in the order of their distance on the sphere', async () => {
    const random = new RandomGeometry(5);
    const all = spots(random, 500);
    const store = await TestStore.open(
      all.map(({ at, ...rest }) => ({
        ...rest,
        at: at.map((coordinates) => ({ p: { type: 'Point', coordinates } })),
      })),
      [
        { v: 2, key: { 'at.p': '2dsphere' }, name: 'plain' },
        { v: 2, key: { n: 1, 'at.p': '2dsphere' }, name: 'prefixed' },
        { v: 2, key: { 'at.p': '2dsphere', n: 1 }, name: 'followed' },
      ],
    );
    for (let round = 0; round < 40; round += 1) {
      const center = random.pair();
      const [min, max] = random.pick([
        [0, Infinity],
        [0, 100_000],
        [50_000, 3_000_000],
      ]);
      const filter = random.pick<Plain>([{}, { n: 1 }, { n: { $in: [0, 2] } }, { n: { $gte: 1 } }]);
      const keeps = ({ n }: Spot): boolean => !('n' in filter) || matchesN(filter['n'], n);
      const expected = all
        .filter(keeps)
        .map((spot) => ({ _id: spot._id, distance: least(spot, center) * RADIUS }))
        .filter(({ distance }) => distance >= min && distance <= max)
        .sort((a, b) => a.distance - b.distance);
      const limits = {
        $minDistance: min,
        ...(max === Infinity ? {} : { $maxDistance: max }),
      };
      const near = { $near: { $geometry: { type: 'Point', coordinates: center }, ...limits } };
      for (const hint of ['plain', 'prefixed', 'followed']) {
        const found = await store.find({
          filter: { ...filter, 'at.p': near },
          projection: { d: { $meta: 'geoNearDistance' } },
          hint,
        });
        check(found, expected, `${hint} ${JSON.stringify({ center, filter, min, max })}`);
      }
    }
    await store.close();
  });

  it('gives documents in the order of their distance in the plane, and on the sphere by a 2d index', async () => {
    const random = new RandomGeometry(6);
    const all = spots(random, 500);
    const store = await TestStore.open(all, [{ v: 2, key: { at: '2d', n: 1 }, name: 'flat' }]);
    const flat = ({ at }: Spot, [x, y]: Pair): number =>
      Math.min(...at.map(([a, b]) => Math.hypot(a - x, b - y)));
    for (let round = 0; round < 60; round += 1) {
      const center = random.pair();
      const operator = random.pick(['$near', '$nearSphere']);
      const max = random.pick([undefined, 0.2, 2]);
      const measure = operator === '$near' ? flat : least;
      const expected = all
        .map((spot) => ({ _id: spot._id, distance: measure(spot, center) }))
        .filter(({ distance }) => max === undefined || distance <= max)
        .sort((a, b) => a.distance - b.distance);
      const found = await store.find({
        filter: { at: { [operator]: center, ...(max === undefined ? {} : { $maxDistance: max }) } },
        projection: { d: { $meta: 'geoNearDistance' } },
      });
      check(found, expected, JSON.stringify({ center, operator, max }));
    }
    await store.close();
  });

  it('measures lines and polygons by their nearest point', async () => {
    const square = [
      [
        [10, 10],
        [12, 10],
        [12, 12],
        [10, 12],
        [10, 10],
      ],
    ];
    const store = await TestStore.open(
      [
        { _id: 'polygon', g: { type: 'Polygon', coordinates: square } },
        {
          _id: 'line',
          g: {
            type: 'LineString',
            coordinates: [
              [0, -1],
              [0, 30],
            ],
          },
        },
        { _id: 'point', g: [5, 11] },
      ],
      [{ v: 2, key: { g: '2dsphere' }, name: 'g' }],
    );
    const distances = async (coordinates: Pair): Promise<[unknown, number][]> =>
      (
        await store.find({
          filter: { g: { $nearSphere: { $geometry: { type: 'Point', coordinates } } } },
          projection: { d: { $meta: 'geoNearDistance' } },
        })
      ).map(({ _id, d }) => [_id, Math.round(Number(d) / 100)]);
    assert.deepEqual((await distances([11, 11]))[0], ['polygon', 0]);
    const degree = (Math.PI / 180) * RADIUS;
    const [first, second, third] = await distances([1, 0]);
    assert.deepEqual(first, ['line', Math.round(degree / 100)]);
    assert.deepEqual([second[0], third[0]], ['point', 'polygon']);
    await store.close();
  });

  it('reads about as many documents as it gives', async () => {
    const random = new RandomGeometry(9);
    const store = await TestStore.open(
      Array.from({ length: 5_000 }, (_, _id) => ({
        _id,
        p: [random.between(-180, 180), random.between(-90, 90)],
      })),
      [{ v: 2, key: { p: '2dsphere' }, name: 'p' }],
    );
    const explained = await store.explain({
      filter: { p: { $nearSphere: [10, 10] } },
      limit: 10,
    });
    const stats = explained['executionStats'] as Plain;
    assert.equal(stats['nReturned'], 10);
    assert.ok(Number(stats['totalDocsExamined']) <= 20, `${String(stats['totalDocsExamined'])}`);
    assert.ok(Number(stats['totalKeysExamined']) <= 1_000, `${String(stats['totalKeysExamined'])}`);
    await store.close();
  });

  it('keeps its place while the view is renewed, and gives no document twice', async () => {
    const random = new RandomGeometry(10);
    const store = await TestStore.open(
      Array.from({ length: 300 }, (_, _id) => ({ _id, p: random.pair() })),
      [{ v: 2, key: { p: '2dsphere' }, name: 'p' }],
    );
    const { planQuery } = await import('../../../query/index.ts');
    const { uninterruptible } = await import('../../../common/interruption.ts');
    const { context, plain, rawRequest } = await import('../executor/store.ts');
    let view = store.engine.snapshot();
    const request = rawRequest({ filter: { p: { $nearSphere: [0, 0] } } });
    const executor = planQuery(view, view.collection(store.namespace), request, context).open(
      view,
      uninterruptible,
    );
    const ids: unknown[] = [];
    for (;;) {
      const document = await executor.next();
      if (document === undefined) break;
      ids.push(plain(document)['_id']);
      if (ids.length % 50 !== 0) continue;
      executor.detach();
      view.close();
      const write = store.engine.begin();
      write.insert(write.collection(store.namespace)!, bytes({ _id: `n${ids.length}`, p: [0, 0] }));
      write.commit();
      view = store.engine.snapshot();
      executor.attach(view);
    }
    executor.close();
    view.close();
    assert.equal(new Set(ids).size, ids.length);
    assert.ok(ids.filter((id) => typeof id === 'number').length === 300);
    await store.close();
  });
});

function matchesN(condition: unknown, n: number): boolean {
  if (typeof condition === 'number') return n === condition;
  const { $in, $gte } = condition as { $in?: number[]; $gte?: number };
  return $in === undefined ? n >= $gte! : $in.includes(n);
}
