/**
 * Whether rings of a polygon are what a geospatial index can hold: no vertex twice, no two edges that cross.
 *
 * Promises: rings of many vertices are checked without comparing every edge with every other one; what would take longer than about half a
 * second is refused.
 */
import { CommandError } from '../../../common/errors.ts';
import { arcsCross, isSamePoint, type Ring, type Vector } from './sphere.ts';

/** Pairs of edges that are compared at most: a ring that needs more goes to and fro across itself thousands of times. */
const MAX_COMPARISONS = 20_000_000;

type Axis = 'x' | 'y' | 'z';

/** @throws CommandError BadValue */
export function checkRing(ring: Ring): void {
  checkVertices(ring);
  const axis = clearestAxis(ring);
  const edges = ring
    .map((from, index): Edge => edgeOf(from, ring[(index + 1) % ring.length], index, axis))
    .sort((a, b) => a.low - b.low);
  // Edges whose extents along the axis overlap are compared; those that ended before are dropped.
  let open: Edge[] = [];
  let comparisons = 0;
  for (const edge of edges) {
    open = open.filter((other) => other.high >= edge.low);
    comparisons += open.length;
    if (comparisons > MAX_COMPARISONS) {
      throw new CommandError('BadValue', 'Loop is not valid: too many of its edges overlap');
    }
    for (const other of open) {
      if (!mayCross(edge, other) || !arcsCross(edge.from, edge.to, other.from, other.to)) continue;
      const [first, second] = [edge.index, other.index].sort((a, b) => a - b);
      throw new CommandError('BadValue', `Loop is not valid: Edges ${first} and ${second} cross.`);
    }
    open.push(edge);
  }
}

/** The one along which edges are shortest, all in all: along it the fewest of them overlap. */
function clearestAxis(ring: Ring): Axis {
  const extents = { x: 0, y: 0, z: 0 };
  let last = ring[ring.length - 1];
  for (const vertex of ring) {
    extents.x += Math.abs(vertex.x - last.x);
    extents.y += Math.abs(vertex.y - last.y);
    extents.z += Math.abs(vertex.z - last.z);
    last = vertex;
  }
  if (extents.z <= extents.x && extents.z <= extents.y) return 'z';
  return extents.x <= extents.y ? 'x' : 'y';
}

interface Edge {
  readonly from: Vector;
  readonly to: Vector;
  readonly index: number;
  /** Of the plane of its great circle. */
  readonly normal: Vector;
  /** Extents along the axis: those of the chord, with room for the arc above it. */
  readonly low: number;
  readonly high: number;
}

function edgeOf(from: Vector, to: Vector, index: number, axis: Axis): Edge {
  const x = from.x - to.x;
  const y = from.y - to.y;
  const z = from.z - to.z;
  // The arc rises above its chord by no more than this.
  const room = 1 - Math.sqrt(Math.max(0, 1 - (x * x + y * y + z * z) / 4)) + 1e-12;
  const normal = {
    x: from.y * to.z - from.z * to.y,
    y: from.z * to.x - from.x * to.z,
    z: from.x * to.y - from.y * to.x,
  };
  const low = Math.min(from[axis], to[axis]) - room;
  return { from, to, index, normal, low, high: Math.max(from[axis], to[axis]) + room };
}

/** Whether each edge has the ends of the other one on both sides of its great circle: else they do not cross. */
function mayCross(a: Edge, b: Edge): boolean {
  return (
    side(a.normal, b.from) * side(a.normal, b.to) <= 1e-24 &&
    side(b.normal, a.from) * side(b.normal, a.to) <= 1e-24
  );
}

function side(normal: Vector, point: Vector): number {
  return normal.x * point.x + normal.y * point.y + normal.z * point.z;
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
