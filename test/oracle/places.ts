/**
 * Places for the oracle: geometries in documents, areas in conditions, and distances that are computed here once more.
 */
import type { SeededRandom } from '../../common/random.ts';
import { pick, type Plain, weighted } from './values.ts';

type Position = [number, number];

/** A grid of few places, so that conditions meet. */
function position(random: SeededRandom): Position {
  return [random.below(13) * 5 - 30, random.below(9) * 5 - 20];
}

function point(random: SeededRandom): Plain {
  return { type: 'Point', coordinates: position(random) };
}

function square([x, y]: Position, size: number): Position[] {
  return [
    [x, y],
    [x + size, y],
    [x + size, y + size],
    [x, y + size],
    [x, y],
  ];
}

function polygon(random: SeededRandom, size: number): Plain {
  return { type: 'Polygon', coordinates: [square(position(random), size)] };
}

/** A stored geometry on the sphere; with arrays, several in one document. */
export function geometry(random: SeededRandom, withArrays: boolean): unknown {
  return weighted<unknown>(random, [
    [12, () => point(random)],
    [3, () => position(random)],
    [3, () => polygon(random, 1 + random.below(12))],
    [2, () => ({ type: 'LineString', coordinates: [position(random), [41, 17]] })],
    [1, () => ({ type: 'MultiPoint', coordinates: [position(random), position(random)] })],
    [1, () => null],
    [withArrays ? 3 : 0, () => [point(random), polygon(random, 3)]],
  ]);
}

/** Stored positions in the plane. */
export function planePosition(random: SeededRandom, withArrays: boolean): unknown {
  return weighted<unknown>(random, [
    [10, () => position(random)],
    [2, () => ({ x: random.below(50) - 20, y: random.below(30) })],
    [withArrays ? 3 : 0, () => [position(random), position(random)]],
  ]);
}

const RADIUS_METERS = 6_378_100;

function sphereArea(random: SeededRandom): Plain {
  return weighted<Plain>(random, [
    [3, () => ({ $geoWithin: { $geometry: polygon(random, 5 + random.below(30)) } })],
    [3, () => ({ $geoIntersects: { $geometry: polygon(random, 1 + random.below(20)) } })],
    [1, () => ({ $geoIntersects: { $geometry: point(random) } })],
    [3, () => ({ $geoWithin: { $centerSphere: [position(random), random.below(5) / 10 + 0.01] } })],
  ]);
}

function planeArea(random: SeededRandom): Plain {
  const [x, y] = position(random);
  return {
    $geoWithin: pick<Plain>(random, [
      {
        $box: [
          [x, y],
          [x + 15, y + 10],
        ],
      },
      { $center: [[x, y], 1 + random.below(20)] },
      { $polygon: square([x, y], 12).slice(0, 4) },
      { $centerSphere: [[x, y], 0.2] },
    ]),
  };
}

/** A condition on an area, that every scan can answer. */
export function areaFilter(random: SeededRandom): Plain {
  return random.below(3) > 0 ? { g: sphereArea(random) } : { p: planeArea(random) };
}

export interface NearSearch {
  readonly center: Position;
  readonly maxMeters: number;
}

export function nearSearch(random: SeededRandom): NearSearch {
  return { center: position(random), maxMeters: 100_000 + random.below(50) * 100_000 };
}

export function nearFilter({ center, maxMeters }: NearSearch): Plain {
  const $geometry = { type: 'Point', coordinates: center };
  return { g: { $nearSphere: { $geometry, $maxDistance: maxMeters } } };
}

/** In metres; undefined for what is no single point. */
export function distanceTo({ center }: NearSearch, stored: unknown): number | undefined {
  const place = Array.isArray(stored)
    ? stored
    : (stored as Plain | null | undefined)?.['type'] === 'Point'
      ? (stored as { coordinates: unknown[] }).coordinates
      : undefined;
  if (place === undefined) return undefined;
  const [x, y] = place.map(Number);
  if (x === undefined || y === undefined || Number.isNaN(x) || Number.isNaN(y)) return undefined;
  const turn = (degrees: number): number => (degrees * Math.PI) / 180;
  const height = turn(y - center[1]);
  const width = turn(x - center[0]);
  const half =
    Math.sin(height / 2) ** 2 +
    Math.cos(turn(center[1])) * Math.cos(turn(y)) * Math.sin(width / 2) ** 2;
  return 2 * RADIUS_METERS * Math.asin(Math.min(1, Math.sqrt(half)));
}
