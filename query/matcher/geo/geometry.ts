/**
 * Shapes on the sphere, and the two questions of the query language: does one lie within, do two intersect.
 */
import {
  arcsCross,
  arcsMeet,
  isInRing,
  isOnArc,
  isOnRing,
  isSamePoint,
  type Ring,
  type Vector,
} from './sphere.ts';

/** A polygon: an outer ring and holes, all counter-clockwise around their smaller sides. */
export interface Polygon {
  readonly outer: Ring;
  /** The polygon is what lies outside of `outer`: more than half of the sphere. */
  readonly isComplement: boolean;
  readonly holes: readonly Ring[];
}

/** Any GeoJSON geometry as its parts. */
export interface Geometry {
  readonly points: readonly Vector[];
  /** Open chains of vertices. */
  readonly lines: readonly (readonly Vector[])[];
  readonly polygons: readonly Polygon[];
  /** A polygon that means the area to the left of its ring, however large: documents cannot hold one. */
  readonly isStrict?: boolean;
}

export const EMPTY_GEOMETRY: Geometry = { points: [], lines: [], polygons: [] };

export function isInPolygon(point: Vector, { outer, isComplement, holes }: Polygon): boolean {
  if (!isOnRing(point, outer) && isInRing(point, outer) === isComplement) return false;
  return !holes.some((hole) => isInRing(point, hole) && !isOnRing(point, hole));
}

type Arc = readonly [Vector, Vector];

function arcsOfLine(line: readonly Vector[]): Arc[] {
  return line.slice(1).map((vertex, index): Arc => [line[index], vertex]);
}

function arcsOfRing(ring: Ring): Arc[] {
  return ring.map((vertex, index): Arc => [vertex, ring[(index + 1) % ring.length]]);
}

function arcsOfPolygon({ outer, holes }: Polygon): Arc[] {
  return [outer, ...holes].flatMap(arcsOfRing);
}

/** Whether all of `inner` lies within one polygon of `outer` (each part may lie in another one). */
export function isWithin(inner: Geometry, outer: Geometry): boolean {
  const { polygons } = outer;
  return (
    inner.points.every((point) => polygons.some((polygon) => isInPolygon(point, polygon))) &&
    inner.lines.every((line) => polygons.some((polygon) => lineWithin(line, polygon))) &&
    inner.polygons.every((part) => polygons.some((polygon) => polygonWithin(part, polygon)))
  );
}

function lineWithin(line: readonly Vector[], polygon: Polygon): boolean {
  return (
    line.every((vertex) => isInPolygon(vertex, polygon)) &&
    !anyPair(arcsOfLine(line), arcsOfPolygon(polygon), arcsCross)
  );
}

function polygonWithin(inner: Polygon, outer: Polygon): boolean {
  const coversHole = outer.holes.some((hole) => isInPolygon(hole[0], inner));
  return (
    !coversHole &&
    inner.outer.every((vertex) => isInPolygon(vertex, outer)) &&
    !anyPair(arcsOfRing(inner.outer), arcsOfPolygon(outer), arcsCross)
  );
}

function anyPair(
  first: readonly Arc[],
  second: readonly Arc[],
  meet: (a: Vector, b: Vector, c: Vector, d: Vector) => boolean,
): boolean {
  return first.some(([a, b]) => second.some(([c, d]) => meet(a, b, c, d)));
}

/** Whether two geometries have a point in common. */
export function intersects(a: Geometry, b: Geometry): boolean {
  return (
    a.points.some((point) => holdsPoint(b, point)) ||
    b.points.some((point) => holdsPoint(a, point)) ||
    a.lines.some((line) => meetsLine(b, line)) ||
    b.lines.some((line) => meetsLine(a, line)) ||
    a.polygons.some((first) => b.polygons.some((second) => polygonsMeet(first, second)))
  );
}

function holdsPoint({ points, lines, polygons }: Geometry, point: Vector): boolean {
  return (
    points.some((other) => isSamePoint(other, point)) ||
    lines.some((line) => arcsOfLine(line).some(([from, to]) => isOnArc(point, from, to))) ||
    polygons.some((polygon) => isInPolygon(point, polygon))
  );
}

function meetsLine({ lines, polygons }: Geometry, line: readonly Vector[]): boolean {
  const arcs = arcsOfLine(line);
  return (
    lines.some((other) => anyPair(arcs, arcsOfLine(other), arcsMeet)) ||
    polygons.some(
      (polygon) =>
        line.some((vertex) => isInPolygon(vertex, polygon)) ||
        anyPair(arcs, arcsOfPolygon(polygon), arcsMeet),
    )
  );
}

function polygonsMeet(a: Polygon, b: Polygon): boolean {
  return (
    a.outer.some((vertex) => isInPolygon(vertex, b)) ||
    b.outer.some((vertex) => isInPolygon(vertex, a)) ||
    anyPair(arcsOfPolygon(a), arcsOfPolygon(b), arcsMeet)
  );
}
