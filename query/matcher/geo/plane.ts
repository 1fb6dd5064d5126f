/**
 * Flat shapes of legacy coordinate pairs: boxes, circles, polygons. Borders belong to the shape.
 */
import type { Position } from './geojson.ts';

/** Whether a position lies in a shape. */
export type Area = (position: Position) => boolean;

export function box(a: Position, b: Position): Area {
  const [left, right] = [Math.min(a.x, b.x), Math.max(a.x, b.x)];
  const [bottom, top] = [Math.min(a.y, b.y), Math.max(a.y, b.y)];
  return ({ x, y }) => x >= left && x <= right && y >= bottom && y <= top;
}

export function circle(center: Position, radius: number): Area {
  return ({ x, y }) => Math.hypot(x - center.x, y - center.y) <= radius;
}

/** @param vertices the first one is not repeated. */
export function polygon(vertices: readonly Position[]): Area {
  const edges = vertices.map((vertex, index) => ({
    from: vertex,
    to: vertices[(index + 1) % vertices.length],
  }));
  return (position) => {
    let isInside = false;
    for (const { from, to } of edges) {
      if (isOnSegment(position, from, to)) return true;
      const spans = from.y > position.y !== to.y > position.y;
      if (!spans) continue;
      const share = (position.y - from.y) / (to.y - from.y);
      if (position.x < from.x + share * (to.x - from.x)) isInside = !isInside;
    }
    return isInside;
  };
}

function isOnSegment(point: Position, from: Position, to: Position): boolean {
  const area = (to.x - from.x) * (point.y - from.y) - (to.y - from.y) * (point.x - from.x);
  if (area !== 0) return false;
  const isBetween = (value: number, a: number, b: number): boolean =>
    value >= Math.min(a, b) && value <= Math.max(a, b);
  return isBetween(point.x, from.x, to.x) && isBetween(point.y, from.y, to.y);
}
