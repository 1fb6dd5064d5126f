/**
 * Whether rings of a polygon are what a geospatial index can hold: no vertex twice, no two edges that cross.
 *
 * Promises: rings of many vertices are checked without comparing every edge with every other one.
 */
import { CommandError } from '../../../common/errors.ts';
import { arcsCross, isSamePoint, type Ring, type Vector } from './sphere.ts';

/** @throws CommandError BadValue */
export function checkRing(ring: Ring): void {
  checkVertices(ring);
  const edges = ring
    .map((from, index): Edge => edgeOf(from, ring[(index + 1) % ring.length], index))
    .sort((a, b) => a.low - b.low);
  // Edges whose extents along one axis overlap are compared; those that ended before are dropped.
  let open: Edge[] = [];
  for (const edge of edges) {
    open = open.filter((other) => other.high >= edge.low);
    for (const other of open) {
      if (!overlap(edge, other) || !arcsCross(edge.from, edge.to, other.from, other.to)) continue;
      const [first, second] = [edge.index, other.index].sort((a, b) => a - b);
      throw new CommandError('BadValue', `Loop is not valid: Edges ${first} and ${second} cross.`);
    }
    open.push(edge);
  }
}

interface Edge {
  readonly from: Vector;
  readonly to: Vector;
  readonly index: number;
  /** Extents along x, those of the chord with room for the arc above it. */
  readonly low: number;
  readonly high: number;
  readonly room: number;
}

function edgeOf(from: Vector, to: Vector, index: number): Edge {
  const chord = Math.hypot(from.x - to.x, from.y - to.y, from.z - to.z);
  // The arc rises above its chord by no more than this.
  const room = 1 - Math.sqrt(Math.max(0, 1 - (chord * chord) / 4)) + 1e-12;
  return {
    from,
    to,
    index,
    low: Math.min(from.x, to.x) - room,
    high: Math.max(from.x, to.x) + room,
    room,
  };
}

function overlap(a: Edge, b: Edge): boolean {
  const apart = (axis: 'y' | 'z'): boolean => {
    const room = a.room + b.room;
    return (
      Math.max(a.from[axis], a.to[axis]) + room < Math.min(b.from[axis], b.to[axis]) ||
      Math.max(b.from[axis], b.to[axis]) + room < Math.min(a.from[axis], a.to[axis])
    );
  };
  return !apart('y') && !apart('z');
}

function checkVertices(ring: Ring): void {
  const sorted = ring
    .map((vertex, index) => ({ vertex, index }))
    .sort((a, b) => a.vertex.x - b.vertex.x || a.vertex.y - b.vertex.y || a.vertex.z - b.vertex.z);
  for (let at = 1; at < sorted.length; at += 1) {
    const { vertex, index } = sorted[at];
    // The same coordinates give the same vector, so repetitions are neighbours.
    if (!isSamePoint(vertex, sorted[at - 1].vertex)) continue;
    const [first, second] = [index, sorted[at - 1].index].sort((a, b) => a - b);
    throw new CommandError('BadValue', `Duplicate vertices: ${first} and ${second}`);
  }
}
