/**
 * Where a search for the nearest runs: cells of the sphere or of a grid, their keys, and how far they are.
 *
 * Promises: no geometry under a cell is nearer than the cell's least distance, none of whose keys lie in it is missed.
 */
import { fieldsOf, int64Value, type RawValue } from '../../bson/index.ts';
import { distanceInDegrees } from '../matcher/geo/area.ts';
import { distanceToGeometry } from '../matcher/geo/distance.ts';
import { readStoredGeometry, readStoredPosition } from '../matcher/geo/geojson.ts';
import type { NearQuery } from '../matcher/geo/near-query.ts';
import { distanceToRectangle, farthestInRectangle } from '../matcher/geo/plane.ts';
import { angleBetween, type Vector } from '../matcher/geo/sphere.ts';
import {
  cellOfHash,
  type Grid,
  type GridCell,
  keysOfCell,
  quartersOf,
  rectangleOf,
  WHOLE_GRID,
} from './geo-hash.ts';
import {
  cellOf,
  cellOfKey,
  centerOf,
  childrenOf,
  faceCells,
  keyOfCell,
  LEAF_LEVEL,
  leavesOf,
  levelOf,
  type SphereCell,
} from './s2-library.ts';
import { geoValuesOf } from './sphere-keys.ts';
import { distanceToCell } from './sphere-region.ts';

export interface KeyInterval {
  readonly first: RawValue;
  readonly last: RawValue;
}

/** A document's geometry that is nearest to the center. */
export interface Nearest {
  /** In the unit of the search. */
  readonly distance: number;
  /** As the document stores it. */
  readonly value: RawValue;
}

export interface NearSpace<Cell> {
  readonly whole: readonly Cell[];
  /** Empty for the smallest cells. */
  divide(cell: Cell): readonly Cell[];
  leastDistance(cell: Cell): number;
  greatestDistance(cell: Cell): number;
  /** All keys inside the cell. */
  keysIn(cell: Cell): KeyInterval;
  /** The key of geometries that are stored under this very cell; undefined when there are none but in the smallest cells. */
  ownKey(cell: Cell): RawValue | undefined;
  /** No geometry stored under this key is nearer. */
  leastDistanceOfKey(key: RawValue): number;
  /** undefined: the document has no geometry that a distance can be taken to. */
  nearestIn(document: Buffer, path: string): Nearest | undefined;
}

/** Every point of a leaf cell is so near to its center, radians. */
const LEAF_RADIUS = 4e-9;

export function sphereSpace(center: Vector): NearSpace<SphereCell> {
  return {
    whole: faceCells(),
    divide: (cell) => (cell.level === LEAF_LEVEL ? [] : childrenOf(cell)),
    leastDistance: (cell) => distanceToCell(center, cell),
    greatestDistance: (cell) => angleBetween(center, cell.center) + cell.radius + 1e-10,
    keysIn: ({ id }) => {
      const [first, last] = leavesOf(id);
      return { first: int64Value(keyOfCell(first)), last: int64Value(keyOfCell(last)) };
    },
    ownKey: ({ id, level }) => (level === LEAF_LEVEL ? undefined : int64Value(keyOfCell(id))),
    leastDistanceOfKey: (key) => {
      const id = cellOfKey(key.asInt64());
      if (levelOf(id) < LEAF_LEVEL) return distanceToCell(center, cellOf(id));
      return Math.max(0, angleBetween(center, centerOf(id)) - LEAF_RADIUS);
    },
    nearestIn: (document, path) => nearestOf(document, path, sphereDistance(center)),
  };
}

type DistanceTo = (value: RawValue) => number | undefined;

function sphereDistance(center: Vector): DistanceTo {
  return (value) => {
    const geometry = readStoredGeometry(value);
    return geometry === undefined ? undefined : distanceToGeometry(center, geometry);
  };
}

/** @param near with a point on the sphere: distances on it, of positions that are longitudes and latitudes. */
export function gridSpace(near: NearQuery, grid: Grid): NearSpace<GridCell> {
  const { center, point } = near;
  const leastDistance = (cell: GridCell): number => {
    const rectangle = rectangleOf(cell, grid);
    if (point === undefined) return distanceToRectangle(center, rectangle);
    return Math.max(0, distanceInDegrees(point, rectangle) - 1e-10);
  };
  return {
    whole: [WHOLE_GRID],
    divide: (cell) => (cell.level >= grid.bits ? [] : quartersOf(cell)),
    leastDistance,
    greatestDistance: (cell) =>
      point === undefined ? farthestInRectangle(center, rectangleOf(cell, grid)) : Infinity,
    keysIn: (cell) => {
      const [first, last] = keysOfCell(cell);
      return { first, last };
    },
    ownKey: () => undefined,
    leastDistanceOfKey: (key) => leastDistance(cellOfHash(key, grid)),
    nearestIn: (document, path) =>
      nearestOf(document, path, point === undefined ? planeDistance(near) : sphereDistance(point)),
  };
}

function planeDistance({ center }: NearQuery): DistanceTo {
  return (value) => {
    const position = readStoredPosition(value);
    return position === undefined
      ? undefined
      : Math.hypot(position.x - center.x, position.y - center.y);
  };
}

/** A path may hold several geometries, or an array of positions. */
function nearestOf(document: Buffer, path: string, distanceTo: DistanceTo): Nearest | undefined {
  let nearest: Nearest | undefined;
  const offer = (value: RawValue): boolean => {
    const isContainer = value.typeName === 'object' || value.typeName === 'array';
    const distance = isContainer ? distanceTo(value) : undefined;
    if (distance === undefined) return false;
    if (nearest === undefined || distance < nearest.distance) nearest = { distance, value };
    return true;
  };
  for (const value of geoValuesOf(document, path).values) {
    if (offer(value)) continue;
    if (value.typeName !== 'array' && value.typeName !== 'object') continue;
    for (const [, element] of fieldsOf(value.asDocument())) offer(element);
  }
  return nearest;
}
