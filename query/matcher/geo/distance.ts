/**
 * Distances on the sphere, in radians: from a point to arcs, rings and whole geometries.
 */
import { isInPolygon, type Geometry, type Polygon } from './geometry.ts';
import { angleBetween, type Ring, type Vector } from './sphere.ts';

/** Of a point to the nearest point of the arc from `a` to `b`. */
export function distanceToArc(point: Vector, a: Vector, b: Vector): number {
  const nx = a.y * b.z - a.z * b.y;
  const ny = a.z * b.x - a.x * b.z;
  const nz = a.x * b.y - a.y * b.x;
  const size = Math.sqrt(nx * nx + ny * ny + nz * nz);
  if (size > 0) {
    // The foot of the perpendicular lies on the arc when the point is on the inner side of both its ends.
    const afterStart =
      (ny * a.z - nz * a.y) * point.x +
      (nz * a.x - nx * a.z) * point.y +
      (nx * a.y - ny * a.x) * point.z;
    const beforeEnd =
      (b.y * nz - b.z * ny) * point.x +
      (b.z * nx - b.x * nz) * point.y +
      (b.x * ny - b.y * nx) * point.z;
    if (afterStart > 0 && beforeEnd > 0) {
      const height = Math.abs(nx * point.x + ny * point.y + nz * point.z) / size;
      return Math.asin(Math.min(1, height));
    }
  }
  return Math.min(angleBetween(point, a), angleBetween(point, b));
}

/** Of a point to a ring of arcs, from either side. */
export function distanceToRing(point: Vector, ring: Ring): number {
  let least = Infinity;
  for (let index = 0; index < ring.length; index += 1) {
    const next = ring[index + 1 === ring.length ? 0 : index + 1];
    least = Math.min(least, distanceToArc(point, ring[index], next));
  }
  return least;
}

function distanceToPolygon(point: Vector, polygon: Polygon): number {
  if (isInPolygon(point, polygon)) return 0;
  return Math.min(...[polygon.outer, ...polygon.holes].map((ring) => distanceToRing(point, ring)));
}

function distanceToLine(point: Vector, line: readonly Vector[]): number {
  let least = Infinity;
  for (let index = 1; index < line.length; index += 1) {
    least = Math.min(least, distanceToArc(point, line[index - 1], line[index]));
  }
  return least;
}

/** Of a point to the nearest point of a geometry; 0 inside. */
export function distanceToGeometry(point: Vector, geometry: Geometry): number {
  let least = Infinity;
  for (const other of geometry.points) least = Math.min(least, angleBetween(point, other));
  for (const line of geometry.lines) least = Math.min(least, distanceToLine(point, line));
  for (const polygon of geometry.polygons)
    least = Math.min(least, distanceToPolygon(point, polygon));
  return least;
}
