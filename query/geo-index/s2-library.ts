/**
 * Cells of the sphere: the S2 library, loaded when the first cell is asked for, and cells as indexes and coverings need them.
 *
 * Owns: the numbers of cells. A cell's number is S2's 64-bit id as a signed integer, so that it can be an int64 of an index key; the
 * numbers of all cells inside a cell lie in one range around its own. No range crosses zero.
 */
import { createRequire } from 'node:module';
import type { Vector } from '../matcher/geo/sphere.ts';

type Library = typeof import('s2js');

let loaded: Library['s2'] | undefined;

function library(): Library['s2'] {
  // Loaded in place, because an index's keys are made without waiting.
  loaded ??= (createRequire(import.meta.url)('s2js') as Library).s2;
  return loaded;
}

/** Cells of this level have an edge of about a centimetre. */
export const LEAF_LEVEL = 30;

export interface SphereCell {
  /** S2's id, unsigned. */
  readonly id: bigint;
  readonly level: number;
  /** Counter-clockwise; edges are arcs of great circles. */
  readonly corners: readonly Vector[];
  readonly center: Vector;
  /** Everything in the cell is so near to its center, radians. */
  readonly radius: number;
}

/** The six cells that are the whole sphere. */
export function faceCells(): SphereCell[] {
  return Array.from({ length: 6 }, (_, face) => cellOf(library().cellid.fromFace(face)));
}

export function childrenOf({ id }: SphereCell): SphereCell[] {
  return library().cellid.children(id).map(cellOf);
}

/** The smallest cell around a point. */
export function leafAt(point: Vector): bigint {
  const { cellid, Point } = library();
  return cellid.fromPoint(new Point(point.x, point.y, point.z));
}

export function levelOf(id: bigint): number {
  return library().cellid.level(id);
}

export function parentOf(id: bigint, level: number): bigint {
  return library().cellid.parent(id, level);
}

/** Ids of the first and the last leaf inside. */
export function leavesOf(id: bigint): readonly [first: bigint, last: bigint] {
  const lowest = id & -id;
  return [id - (lowest - 1n), id + (lowest - 1n)];
}

/** The point in the middle of a cell. */
export function centerOf(id: bigint): Vector {
  return unit(library().cellid.point(id).vector);
}

export function keyOfCell(id: bigint): bigint {
  return BigInt.asIntN(64, id);
}

export function cellOfKey(key: bigint): bigint {
  return BigInt.asUintN(64, key);
}

export function cellOf(id: bigint): SphereCell {
  const cell = library().Cell.fromCellID(id);
  const corners = [0, 1, 2, 3].map((corner) => unit(cell.vertex(corner).vector));
  const center = unit(cell.center().vector);
  const radius = Math.max(...corners.map((corner) => angle(center, corner)));
  return { id, level: cell.level, corners, center, radius };
}

function unit({ x, y, z }: Vector): Vector {
  const length = Math.hypot(x, y, z);
  return { x: x / length, y: y / length, z: z / length };
}

function angle(a: Vector, b: Vector): number {
  return 2 * Math.asin(Math.min(1, Math.hypot(a.x - b.x, a.y - b.y, a.z - b.z) / 2));
}
