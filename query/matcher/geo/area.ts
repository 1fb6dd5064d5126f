/**
 * The area of a geo condition, as far as an index can narrow it down: what the planner makes coverings from.
 */
import type { Position } from './geojson.ts';
import type { Geometry } from './geometry.ts';
import { distanceToArc } from './distance.ts';
import type { Area, Rectangle } from './plane.ts';
import { vectorOf, type Vector } from './sphere.ts';

/** All points that are near to a center on the sphere. */
export interface Cap {
  readonly center: Vector;
  /** Radians. */
  readonly radius: number;
}

/** What a document's geometry must have a point of, or lie in. */
export interface GeoArea {
  /** What a 2dsphere index can look for; undefined for flat shapes. */
  readonly sphere?: Geometry | Cap;
  /** What a 2d index can look for. */
  readonly plane?: Pick<Area, 'relationTo'>;
}

export function isCap(shape: Geometry | Cap): shape is Cap {
  return 'center' in shape;
}

/** A cap as it lies to rectangles of longitudes and latitudes. */
export function capInDegrees({ center, radius }: Cap): Pick<Area, 'relationTo'> {
  return {
    relationTo: (rectangle) =>
      distanceInDegrees(center, rectangle) > radius + 1e-10 ? 'outside' : 'partly',
  };
}

/** Of a point of the sphere to a rectangle of longitudes and latitudes, radians; infinite when no position is in it. */
export function distanceInDegrees(point: Vector, rectangle: Rectangle): number {
  const left = Math.max(rectangle.left, -180);
  const right = Math.min(rectangle.right, 180);
  const bottom = Math.max(rectangle.bottom, -90);
  const top = Math.min(rectangle.top, 90);
  if (left > right || bottom > top) return Infinity;
  const { x: longitude, y: latitude } = positionOf(point);
  const inLongitude = longitude >= left && longitude <= right;
  if (inLongitude) {
    const degrees = Math.max(bottom - latitude, 0, latitude - top);
    return degrees * (Math.PI / 180);
  }
  // The nearest point lies on one of the two meridians; the poles are at the ends of both.
  return Math.min(
    distanceToArc(point, vectorOf(left, bottom), vectorOf(left, top)),
    distanceToArc(point, vectorOf(right, bottom), vectorOf(right, top)),
  );
}

function positionOf({ x, y, z }: Vector): Position {
  const degrees = 180 / Math.PI;
  return { x: Math.atan2(y, x) * degrees, y: Math.atan2(z, Math.hypot(x, y)) * degrees };
}
