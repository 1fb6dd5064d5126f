import assert from 'node:assert/strict';
import type { Document } from 'bson';
import { compileFilter } from '../../../query/matcher/compile.ts';
import { errorOf, raw, testContext } from '../fixtures.ts';

type Pair = [number, number];

const point = (...coordinates: Pair): Document => ({ type: 'Point', coordinates });
const line = (...coordinates: Pair[]): Document => ({ type: 'LineString', coordinates });
const polygon = (...coordinates: Pair[][]): Document => ({ type: 'Polygon', coordinates });

function square(from: number, to: number): Pair[] {
  return [
    [from, from],
    [to, from],
    [to, to],
    [from, to],
    [from, from],
  ];
}

function matches(stored: unknown, condition: Document): boolean {
  return compileFilter(raw({ loc: condition }), testContext()).matches(raw({ loc: stored }));
}

const within = (geometry: Document): Document => ({ $geoWithin: { $geometry: geometry } });
const intersects = (geometry: Document): Document => ({ $geoIntersects: { $geometry: geometry } });

interface Case {
  readonly name: string;
  readonly condition: Document;
  readonly yes: readonly unknown[];
  readonly no: readonly unknown[];
}

const CASES: Case[] = [
  {
    name: 'points within a polygon',
    condition: within(polygon(square(-2, 2))),
    yes: [
      point(0, 0),
      point(1, 1),
      [1, 1],
      { lng: 1, lat: -1 },
      point(2, 2),
      [
        [50, 50],
        [1, 1],
      ],
    ],
    no: [point(10, 10), point(0, 2.1), 'x', 5, null, { type: 'Point' }, [500, 0]],
  },
  {
    name: 'the winding of a polygon does not matter',
    condition: within(polygon(square(-2, 2).toReversed())),
    yes: [point(0, 0)],
    no: [point(10, 10)],
  },
  {
    name: 'the other side of the globe is outside',
    condition: within(polygon(square(-2, 2))),
    yes: [],
    no: [point(180, 0), point(-179, 1)],
  },
  {
    name: 'a hole is outside, its border is not',
    condition: within(polygon(square(-5, 5), square(-1, 1))),
    yes: [point(3, 3), point(1, 0)],
    no: [point(0, 0)],
  },
  {
    name: 'a polygon over the date line',
    condition: within(
      polygon([
        [170, -10],
        [-170, -10],
        [-170, 10],
        [170, 10],
        [170, -10],
      ]),
    ),
    yes: [point(180, 0), point(-175, 5)],
    no: [point(0, 0), point(165, 0)],
  },
  {
    name: 'a polygon around the pole',
    condition: within(
      polygon([
        [0, 60],
        [90, 60],
        [180, 60],
        [-90, 60],
        [0, 60],
      ]),
    ),
    yes: [point(45, 89), point(10, 75)],
    no: [point(0, 50), point(45, -89)],
  },
  {
    name: 'edges are great circles, not parallels',
    condition: within(
      polygon([
        [0, 40],
        [60, 40],
        [60, 50],
        [0, 50],
        [0, 40],
      ]),
    ),
    yes: [point(30, 51)],
    no: [point(30, 41)],
  },
  {
    name: 'lines within a polygon',
    condition: within(polygon(square(-2, 2))),
    yes: [line([-1, -1], [1, 1])],
    no: [line([0, 0], [5, 0]), line([5, 5], [6, 6])],
  },
  {
    name: 'a line over a notch is not within',
    condition: within(
      polygon([
        [0, 0],
        [10, 0],
        [10, 10],
        [5, 2],
        [0, 10],
        [0, 0],
      ]),
    ),
    yes: [line([1, 1], [9, 1])],
    no: [line([1, 6], [9, 6])],
  },
  {
    name: 'polygons within a polygon',
    condition: within(polygon(square(-5, 5))),
    yes: [polygon(square(-2, 2))],
    no: [polygon(square(3, 8)), polygon(square(-9, 9))],
  },
  {
    name: 'a polygon around a hole is not within',
    condition: within(polygon(square(-9, 9), square(-1, 1))),
    yes: [polygon(square(2, 4))],
    no: [polygon(square(-3, 3))],
  },
  {
    name: 'several polygons',
    condition: within({ type: 'MultiPolygon', coordinates: [[square(0, 2)], [square(10, 12)]] }),
    yes: [point(1, 1), point(11, 11)],
    no: [point(5, 5)],
  },
  {
    name: 'points that a point meets',
    condition: intersects(point(1, 1)),
    yes: [point(1, 1), [1, 1], polygon(square(0, 2)), line([1, 0], [1, 2])],
    no: [point(1, 1.0001), line([0, 0], [0, 5])],
  },
  {
    name: 'what a polygon meets',
    condition: intersects(polygon(square(5, 12))),
    yes: [
      point(10, 10),
      line([1, 1], [20, 20]),
      polygon(square(11, 20)),
      polygon(square(0, 50)),
      polygon(square(7, 8)),
    ],
    no: [point(0, 0), line([0, 0], [4, 4]), polygon(square(13, 20))],
  },
  {
    name: 'what a line meets',
    condition: intersects(line([0, 0], [10, 0])),
    yes: [line([5, -5], [5, 5]), point(5, 0), line([10, 0], [20, 5])],
    no: [line([5, 1], [5, 5]), point(5, 0.1), line([11, -5], [11, 5])],
  },
  {
    name: 'a collection',
    condition: intersects({
      type: 'GeometryCollection',
      geometries: [point(1, 1), line([5, 5], [6, 6])],
    }),
    yes: [point(1, 1), line([5, 6], [6, 5])],
    no: [point(3, 3)],
  },
  {
    name: 'several points',
    condition: intersects({
      type: 'MultiPoint',
      coordinates: [
        [1, 1],
        [2, 2],
      ],
    }),
    yes: [point(2, 2)],
    no: [point(3, 3)],
  },
  {
    name: '$centerSphere',
    condition: { $geoWithin: { $centerSphere: [[0, 0], 200 / 6378.1] } },
    yes: [point(0, 0), point(1, 1), [1, 1]],
    no: [point(10, 10), point(2, 0)],
  },
  {
    name: '$box',
    condition: {
      $geoWithin: {
        $box: [
          [-1, -1],
          [5, 5],
        ],
      },
    },
    yes: [[0, 0], [3, 4], [5, 5], point(1, 1), { x: 1, y: 2 }],
    no: [[10, 10], 'x', line([0, 0], [1, 1])],
  },
  {
    name: '$center',
    condition: { $geoWithin: { $center: [[0, 0], 6] } },
    yes: [
      [0, 0],
      [3, 4],
    ],
    no: [[10, 10]],
  },
  {
    name: '$polygon',
    condition: {
      $geoWithin: {
        $polygon: [
          [-1, -1],
          [4, -1],
          [4, 5],
          [-1, 5],
        ],
      },
    },
    yes: [
      [0, 0],
      [3, 4],
      [4, 5],
    ],
    no: [
      [10, 10],
      [4.1, 0],
    ],
  },
  {
    name: '$polygon with named coordinates',
    condition: {
      $geoWithin: { $polygon: { a: { x: 0, y: 0 }, b: { x: 3, y: 6 }, c: { x: 6, y: 0 } } },
    },
    yes: [[3, 1]],
    no: [[0, 5]],
  },
  {
    name: '$within, the older name',
    condition: {
      $within: {
        $box: [
          [0, 0],
          [1, 1],
        ],
      },
    },
    yes: [[1, 1]],
    no: [[2, 2]],
  },
];

const ERRORS: { name: string; condition: Document; code: number }[] = [
  { name: '$geoWithin with a scalar', condition: { $geoWithin: 1 }, code: 2 },
  { name: '$geoWithin with a point', condition: within(point(1, 1)), code: 2 },
  { name: '$geoWithin with an unknown shape', condition: { $geoWithin: { $star: [1] } }, code: 2 },
  {
    name: '$geoIntersects with a box',
    condition: {
      $geoIntersects: {
        $box: [
          [0, 0],
          [1, 1],
        ],
      },
    },
    code: 2,
  },
  {
    name: 'a ring that is not closed',
    condition: within(
      polygon([
        [0, 0],
        [1, 0],
        [1, 1],
        [0, 1],
      ]),
    ),
    code: 2,
  },
  {
    name: 'a ring with two vertices',
    condition: within(
      polygon([
        [0, 0],
        [1, 0],
        [0, 0],
      ]),
    ),
    code: 2,
  },
  { name: 'a longitude out of bounds', condition: intersects(point(181, 0)), code: 2 },
  {
    name: 'an unknown type',
    condition: intersects({ type: 'Circle', coordinates: [0, 0] }),
    code: 2,
  },
  { name: 'a negative radius', condition: { $geoWithin: { $center: [[0, 0], -1] } }, code: 2 },
  {
    name: 'a polygon with two points',
    condition: {
      $geoWithin: {
        $polygon: [
          [0, 0],
          [1, 1],
        ],
      },
    },
    code: 2,
  },
  {
    name: '$near where documents are tested one by one',
    condition: { $near: { $geometry: point(0, 0) } },
    code: 5626500,
  },
];

describe('geospatial operators', () => {
  for (const { name, condition, yes, no } of CASES) {
    it(name, () => {
      for (const stored of yes)
        assert.ok(matches(stored, condition), `yes: ${JSON.stringify(stored)}`);
      for (const stored of no)
        assert.ok(!matches(stored, condition), `no: ${JSON.stringify(stored)}`);
    });
  }

  it('obey the winding where the reference system says so', () => {
    const crs = { type: 'name', properties: { name: 'urn:x-mongodb:crs:strictwinding:EPSG:4326' } };
    const outside = { ...polygon(square(-2, 2).toReversed()), crs };
    assert.ok(matches(point(10, 10), within(outside)));
    assert.ok(!matches(point(0, 0), within(outside)));
  });

  for (const { name, condition, code } of ERRORS) {
    it(`refuse: ${name}`, () => {
      const error = errorOf(() => compileFilter(raw({ loc: condition }), testContext()));
      assert.equal(error.code, code, error.message);
    });
  }
});
