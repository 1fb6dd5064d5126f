/**
 * Geometry on the unit sphere: points are unit vectors, edges are shortest great-circle arcs.
 *
 * Promises: a point on an edge counts as inside; a ring's inside is its smaller side, unless its winding is to be obeyed.
 * Precision: differences below TOLERANCE (about 0.06 mm on the Earth) do not count.
 * Source: MongoDB's manual, "GeoJSON Objects" (WGS84, geodesic edges, the smaller of two areas).
 */

export interface Vector {
  readonly x: number;
  readonly y: number;
  readonly z: number;
}

/** A closed curve: its first vertex is not repeated at the end. */
export type Ring = readonly Vector[];

const TOLERANCE = 1e-11;
/** Mean radius of the Earth in metres, as MongoDB takes it. */
export const EARTH_RADIUS_METERS = 6_378_100;

const RADIANS_PER_DEGREE = Math.PI / 180;

/** @param longitude and latitude in degrees. */
export function vectorOf(longitude: number, latitude: number): Vector {
  const lambda = longitude * RADIANS_PER_DEGREE;
  const phi = latitude * RADIANS_PER_DEGREE;
  const radius = Math.cos(phi);
  return { x: radius * Math.cos(lambda), y: radius * Math.sin(lambda), z: Math.sin(phi) };
}

function dot(a: Vector, b: Vector): number {
  return a.x * b.x + a.y * b.y + a.z * b.z;
}

function cross(a: Vector, b: Vector): Vector {
  return { x: a.y * b.z - a.z * b.y, y: a.z * b.x - a.x * b.z, z: a.x * b.y - a.y * b.x };
}

function length(a: Vector): number {
  return Math.sqrt(a.x * a.x + a.y * a.y + a.z * a.z);
}

function scaled(a: Vector, factor: number): Vector {
  return { x: a.x * factor, y: a.y * factor, z: a.z * factor };
}

/** Angle between two points in radians, exact for small ones, too. */
export function angleBetween(a: Vector, b: Vector): number {
  return Math.atan2(length(cross(a, b)), dot(a, b));
}

export function isSamePoint(a: Vector, b: Vector): boolean {
  const x = a.x - b.x;
  const y = a.y - b.y;
  const z = a.z - b.z;
  // So near to each other chord and arc are the same.
  return x * x + y * y + z * z <= TOLERANCE * TOLERANCE;
}

/** Whether `point` lies on the arc from `a` to `b`. */
export function isOnArc(point: Vector, a: Vector, b: Vector): boolean {
  const normal = cross(a, b);
  const size = length(normal);
  if (size <= TOLERANCE) return isSamePoint(point, a) || isSamePoint(point, b);
  if (Math.abs(dot(point, normal)) > TOLERANCE * size) return false;
  return isBetween(point, a, b, normal);
}

/** For a point on the great circle of an arc: whether it is on the arc itself. */
function isBetween(point: Vector, a: Vector, b: Vector, normal: Vector): boolean {
  const bound = -TOLERANCE * length(normal);
  return dot(cross(a, point), normal) >= bound && dot(cross(point, b), normal) >= bound;
}

/** Whether two arcs have a point in common. */
export function arcsMeet(a: Vector, b: Vector, c: Vector, d: Vector): boolean {
  if (isOnArc(a, c, d) || isOnArc(b, c, d) || isOnArc(c, a, b) || isOnArc(d, a, b)) return true;
  return arcsCross(a, b, c, d);
}

/** Whether two arcs cross inside of both. */
export function arcsCross(a: Vector, b: Vector, c: Vector, d: Vector): boolean {
  const first = cross(a, b);
  const second = cross(c, d);
  const along = cross(first, second);
  const size = length(along);
  if (size <= TOLERANCE * length(first) * length(second)) return false;
  const meeting = scaled(along, 1 / size);
  return [meeting, scaled(meeting, -1)].some(
    (point) =>
      isBetween(point, a, b, first) &&
      isBetween(point, c, d, second) &&
      ![a, b, c, d].some((end) => isSamePoint(end, point)),
  );
}

export function isOnRing(point: Vector, ring: Ring): boolean {
  return ring.some((vertex, index) => isOnArc(point, vertex, ring[(index + 1) % ring.length]));
}

/** Whether the point is inside a counter-clockwise ring around the smaller side, or on it. */
export function isInRing(point: Vector, ring: Ring): boolean {
  if (isOnRing(point, ring)) return true;
  // Seen from inside, a ring turns once to the left around the point; from the other side of the globe, once to the right.
  return Math.round(turnsAround(point, ring)) === 1;
}

/** How often the ring turns to the left around the axis through the point. */
function turnsAround(point: Vector, ring: Ring): number {
  let total = 0;
  for (const [index, vertex] of ring.entries()) {
    const next = ring[(index + 1) % ring.length];
    const from = cross(point, vertex);
    const to = cross(point, next);
    total += Math.atan2(dot(cross(from, to), point), dot(from, to));
  }
  return total / (2 * Math.PI);
}

/** The ring, turned round if need be, so that its smaller side is to the left. */
export function smallerSide(ring: Ring): Ring {
  return isLarge(ring) ? ring.toReversed() : ring;
}

/** Whether the side to the left of the ring is more than half of the sphere. */
export function isLarge(ring: Ring): boolean {
  return areaOf(ring) > 2 * Math.PI;
}

/** Area to the left of the ring, 0 to 4 pi. */
function areaOf(ring: Ring): number {
  const [origin] = ring;
  let area = 0;
  for (let index = 1; index + 1 < ring.length; index += 1) {
    area += triangleArea(origin, ring[index], ring[index + 1]);
  }
  return area < 0 ? area + 4 * Math.PI : area;
}

/** Signed area of a spherical triangle (Van Oosterom and Strackee). */
function triangleArea(a: Vector, b: Vector, c: Vector): number {
  const volume = dot(a, cross(b, c));
  return 2 * Math.atan2(volume, 1 + dot(a, b) + dot(b, c) + dot(c, a));
}
