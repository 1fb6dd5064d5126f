/**
 * Flat shapes of legacy coordinate pairs: boxes, circles, polygons. Borders belong to the shape.
 */
import type { Position } from './geojson.ts';

/** A rectangle along the axes, its borders included. */
export interface Rectangle {
  readonly left: number;
  readonly right: number;
  readonly bottom: number;
  readonly top: number;
}

/** A shape in the plane. */
export interface Area {
  holds(position: Position): boolean;
  /** How a rectangle lies to the shape. "outside" and "inside" are certain; "partly" may be said of any. */
  relationTo(rectangle: Rectangle): 'outside' | 'partly' | 'inside';
}

export function box(a: Position, b: Position): Area {
  const [left, right] = [Math.min(a.x, b.x), Math.max(a.x, b.x)];
  const [bottom, top] = [Math.min(a.y, b.y), Math.max(a.y, b.y)];
  return {
    holds: ({ x, y }) => x >= left && x <= right && y >= bottom && y <= top,
    relationTo: (other) => {
      if (other.right < left || other.left > right) return 'outside';
      if (other.top < bottom || other.bottom > top) return 'outside';
      const isInside =
        other.left >= left && other.right <= right && other.bottom >= bottom && other.top <= top;
      return isInside ? 'inside' : 'partly';
    },
  };
}

export function circle(center: Position, radius: number): Area {
  return {
    holds: ({ x, y }) => Math.hypot(x - center.x, y - center.y) <= radius,
    relationTo: (rectangle) => {
      if (distanceToRectangle(center, rectangle) > radius) return 'outside';
      return farthestInRectangle(center, rectangle) < radius ? 'inside' : 'partly';
    },
  };
}

/** Of a position to the nearest point of a rectangle; 0 inside. */
export function distanceToRectangle({ x, y }: Position, rectangle: Rectangle): number {
  const dx = Math.max(rectangle.left - x, 0, x - rectangle.right);
  const dy = Math.max(rectangle.bottom - y, 0, y - rectangle.top);
  return Math.hypot(dx, dy);
}

/** Of a position to the farthest point of a rectangle. */
export function farthestInRectangle({ x, y }: Position, rectangle: Rectangle): number {
  const dx = Math.max(Math.abs(x - rectangle.left), Math.abs(x - rectangle.right));
  const dy = Math.max(Math.abs(y - rectangle.bottom), Math.abs(y - rectangle.top));
  return Math.hypot(dx, dy);
}

interface Segment {
  readonly from: Position;
  readonly to: Position;
}

/** @param vertices the first one is not repeated. */
export function polygon(vertices: readonly Position[]): Area {
  const edges = vertices.map((vertex, index) => ({
    from: vertex,
    to: vertices[(index + 1) % vertices.length],
  }));
  const holds = (position: Position): boolean => isInside(position, edges);
  return {
    holds,
    relationTo: (rectangle) => {
      if (edges.some((edge) => mayTouch(edge, rectangle))) return 'partly';
      return holds({ x: rectangle.left, y: rectangle.bottom }) ? 'inside' : 'outside';
    },
  };
}

function isInside(position: Position, edges: readonly Segment[]): boolean {
  let inside = false;
  for (const { from, to } of edges) {
    if (isOnSegment(position, from, to)) return true;
    const spans = from.y > position.y !== to.y > position.y;
    if (!spans) continue;
    const share = (position.y - from.y) / (to.y - from.y);
    if (position.x < from.x + share * (to.x - from.x)) inside = !inside;
  }
  return inside;
}

function isOnSegment(point: Position, from: Position, to: Position): boolean {
  const area = (to.x - from.x) * (point.y - from.y) - (to.y - from.y) * (point.x - from.x);
  if (area !== 0) return false;
  const isBetween = (value: number, a: number, b: number): boolean =>
    value >= Math.min(a, b) && value <= Math.max(a, b);
  return isBetween(point.x, from.x, to.x) && isBetween(point.y, from.y, to.y);
}

/** Whether a segment may have a point in a rectangle: false is certain. */
function mayTouch({ from, to }: Segment, { left, right, bottom, top }: Rectangle): boolean {
  if (Math.max(from.x, to.x) < left || Math.min(from.x, to.x) > right) return false;
  if (Math.max(from.y, to.y) < bottom || Math.min(from.y, to.y) > top) return false;
  // All corners clearly on one side of the segment's line: it passes by.
  const slack =
    1e-12 * (Math.abs(to.x - from.x) + Math.abs(to.y - from.y)) * (right - left + top - bottom);
  const side = (x: number, y: number): number =>
    (to.x - from.x) * (y - from.y) - (to.y - from.y) * (x - from.x);
  const sides = [side(left, bottom), side(right, bottom), side(left, top), side(right, top)];
  return !(sides.every((value) => value > slack) || sides.every((value) => value < -slack));
}
