/**
 * Regions of the sphere and how cells lie to them: what coverings are made from.
 *
 * Promises: "outside" is certain (within the tolerance of matcher/geo/sphere.ts); "partly" may be said of a cell that is outside.
 * A region narrows itself down to what touches a cell, so that deep cells cost little.
 */
import { distanceToRing } from '../matcher/geo/distance.ts';
import { isInPolygon, type Geometry, type Polygon } from '../matcher/geo/geometry.ts';
import { angleBetween, arcsMeet, isInRing, type Vector } from '../matcher/geo/sphere.ts';
import type { SphereCell } from './s2-library.ts';

export type Relation = 'outside' | 'partly' | 'inside';

export interface SphereRegion {
  relationTo(cell: SphereCell): Relation;
  /** The region as far as it can matter inside a cell. */
  within(cell: SphereCell): SphereRegion;
}

/** Cells are taken a little larger than they are: coordinates are rounded, and so is arithmetic. Radians. */
const MARGIN = 1e-10;

/** An arc with the circle around it. */
interface Edge {
  readonly a: Vector;
  readonly b: Vector;
  readonly middle: Vector;
  readonly radius: number;
}

function edgeOf(a: Vector, b: Vector): Edge {
  const sum = { x: a.x + b.x, y: a.y + b.y, z: a.z + b.z };
  const size = Math.sqrt(sum.x * sum.x + sum.y * sum.y + sum.z * sum.z);
  // Opposite points have no middle: the circle is the whole sphere.
  if (size < 1e-9) return { a, b, middle: a, radius: Math.PI };
  const middle = { x: sum.x / size, y: sum.y / size, z: sum.z / size };
  return { a, b, middle, radius: angleBetween(middle, a) };
}

/** A cap: all points that are near to a center. */
export function capRegion(center: Vector, radius: number): SphereRegion {
  const region: SphereRegion = {
    relationTo: (cell) => {
      const distance = angleBetween(center, cell.center);
      if (distance + cell.radius <= radius - MARGIN) return 'inside';
      if (distance - cell.radius > radius + MARGIN) return 'outside';
      return distanceToCell(center, cell) > radius + MARGIN ? 'outside' : 'partly';
    },
    within: () => region,
  };
  return region;
}

/** Of a point to the nearest point of a cell; 0 inside. Radians. */
export function distanceToCell(point: Vector, cell: SphereCell): number {
  const toCenter = angleBetween(point, cell.center);
  // Far away the circle around the cell says as much.
  if (toCenter > 4 * cell.radius) return Math.max(0, toCenter - cell.radius - MARGIN);
  if (isInRing(point, cell.corners)) return 0;
  return Math.max(0, distanceToRing(point, cell.corners) - MARGIN);
}

export function geometryRegion({ points, lines, polygons }: Geometry): SphereRegion {
  const lineEdges = lines.flatMap((line) =>
    line.slice(1).map((vertex, index) => edgeOf(line[index], vertex)),
  );
  return new GeometryRegion(
    points,
    lineEdges,
    polygons.map((polygon) => ({ polygon, edges: edgesOf(polygon) })),
  );
}

interface PolygonPart {
  readonly polygon: Polygon;
  /** Those that may matter. */
  readonly edges: readonly Edge[];
}

function edgesOf({ outer, holes }: Polygon): Edge[] {
  return [outer, ...holes].flatMap((ring) =>
    ring.map((vertex, index) => edgeOf(vertex, ring[(index + 1) % ring.length])),
  );
}

class GeometryRegion implements SphereRegion {
  private readonly points: readonly Vector[];
  private readonly lineEdges: readonly Edge[];
  private readonly polygons: readonly PolygonPart[];

  constructor(
    points: readonly Vector[],
    lineEdges: readonly Edge[],
    polygons: readonly PolygonPart[],
  ) {
    this.points = points;
    this.lineEdges = lineEdges;
    this.polygons = polygons;
  }

  relationTo(cell: SphereCell): Relation {
    let touched =
      this.points.some((point) => holds(cell, point)) ||
      this.lineEdges.some((edge) => meets(cell, edge));
    for (const { polygon, edges } of this.polygons) {
      if (edges.some((edge) => meets(cell, edge))) touched = true;
      else if (isInPolygon(cell.center, polygon)) return 'inside';
    }
    return touched ? 'partly' : 'outside';
  }

  within(cell: SphereCell): SphereRegion {
    return new GeometryRegion(
      this.points.filter((point) => !isFarther(point, cell.center, cell.radius + MARGIN)),
      this.lineEdges.filter((edge) => isNear(cell, edge)),
      this.polygons.map(({ polygon, edges }) => ({
        polygon,
        edges: edges.filter((edge) => isNear(cell, edge)),
      })),
    );
  }
}

/** Whether two points are certainly farther apart than an angle: chords are shorter than arcs, and cheap. */
function isFarther(a: Vector, b: Vector, radians: number): boolean {
  const x = a.x - b.x;
  const y = a.y - b.y;
  const z = a.z - b.z;
  return x * x + y * y + z * z > radians * radians;
}

function holds(cell: SphereCell, point: Vector): boolean {
  if (isFarther(point, cell.center, cell.radius + MARGIN)) return false;
  return isInRing(point, cell.corners) || distanceToRing(point, cell.corners) <= MARGIN;
}

/** Whether an edge may meet a cell: false is certain. */
function isNear(cell: SphereCell, { middle, radius }: Edge): boolean {
  return !isFarther(middle, cell.center, radius + cell.radius + MARGIN);
}

function meets(cell: SphereCell, edge: Edge): boolean {
  if (!isNear(cell, edge)) return false;
  const { a, b } = edge;
  return (
    holds(cell, a) ||
    holds(cell, b) ||
    cell.corners.some((corner, index) => arcsMeet(a, b, corner, cell.corners[(index + 1) % 4]))
  );
}
