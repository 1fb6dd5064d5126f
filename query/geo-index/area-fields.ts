/**
 * How the planner uses geospatial fields: from the area of a condition to intervals of cells.
 */
import { type Collator, int64Value } from '../../bson/index.ts';
import type { IndexDescription } from '../../storage/index.ts';
import type { IndexScanShape, ScanField, ScanQuestion } from '../index-kind/index-kind.ts';
import { orderedField } from '../index-kind/scan-fields.ts';
import { isCap, type GeoArea } from '../matcher/geo/area.ts';
import type { Bounds } from '../planner/leaf-bounds.ts';
import { type Interval, pointInterval, unite } from '../planner/interval.ts';
import { gridCovering, sphereCovering } from './covering.ts';
import { type Grid, gridOf, keysOfCell } from './geo-hash.ts';
import { keyOfCell, leavesOf, levelOf, parentOf } from './s2-library.ts';
import { PLANE_KIND } from './plane-keys.ts';
import { SPHERE_KIND } from './sphere-keys.ts';
import { capRegion, geometryRegion } from './sphere-region.ts';

/** Cells of a query's covering: each is a range of the index to walk. The smallest have an edge of about a metre. */
const QUERY_COVERING = { maxCells: 20, maxLevel: 23 };
/** Larger cells of a grid lie scattered over its order, so there are more of them. */
const MAX_GRID_CELLS = 64;

/** Whether the query has a condition that a geospatial field of the index can serve: only then is the index complete. */
export function servesArea(
  { fields }: Pick<IndexDescription, 'fields'>,
  { predicates }: ScanQuestion,
  kind: string,
  serves: (area: GeoArea) => boolean,
): boolean {
  return predicates.some(
    ({ path, bounds: { area } }) =>
      area !== undefined &&
      serves(area) &&
      fields.some((field) => field.kind === kind && field.path === path),
  );
}

/** How a geospatial index is scanned by a query that it serves. */
export function geoScanShape(
  index: IndexDescription,
  collator: Collator | undefined,
): IndexScanShape {
  const fields = index.fields.map(({ kind }, position) => {
    if (kind === SPHERE_KIND) return SPHERE_FIELD;
    if (kind === PLANE_KIND) return planeField(index);
    const isPlane = index.fields[0].kind === PLANE_KIND;
    // Several values of a field stand in the key of a 2d index as one array.
    const holdsArrays = isPlane && index.multikeyPaths[position]?.length !== 0;
    return holdsArrays ? UNUSED : orderedField(index, collator);
  });
  return { index, fields, sparse: false };
}

const UNUSED: ScanField = { keyBounds: () => undefined, isOrdered: false, holdsValues: false };

/** A field whose keys are cells of the sphere. */
const SPHERE_FIELD: ScanField = {
  servesAreas: true,
  isOrdered: false,
  holdsValues: false,
  keyBounds: ({ area }) =>
    area?.sphere === undefined ? undefined : known(area, SPHERE_BOUNDS, sphereBounds),
};

/** A field whose keys are hashes of positions in the plane. */
function planeField({ spec }: Pick<IndexDescription, 'spec'>): ScanField {
  const grid = gridOf(spec);
  return {
    servesAreas: true,
    isOrdered: false,
    holdsValues: false,
    keyBounds: ({ area }) => (area?.plane === undefined ? undefined : planeBounds(area, grid)),
  };
}

const SPHERE_BOUNDS = new WeakMap<GeoArea, Bounds>();

/** A covering is made once, however many indexes are asked. */
function known(
  area: GeoArea,
  cache: WeakMap<GeoArea, Bounds>,
  make: (area: GeoArea) => Bounds,
): Bounds {
  let bounds = cache.get(area);
  if (bounds === undefined) {
    bounds = make(area);
    cache.set(area, bounds);
  }
  return bounds;
}

function sphereBounds({ sphere }: GeoArea): Bounds {
  if (sphere === undefined) return { intervals: [], exact: false };
  const region = isCap(sphere) ? capRegion(sphere.center, sphere.radius) : geometryRegion(sphere);
  const cells = sphereCovering(region, QUERY_COVERING);
  const intervals: Interval[] = [];
  const ancestors = new Set<bigint>();
  for (const cell of cells) {
    const [first, last] = leavesOf(cell);
    intervals.push(interval(keyOfCell(first), keyOfCell(last)));
    // A large geometry may be stored under a cell around this one.
    for (let level = levelOf(cell) - 1; level >= 0; level -= 1) {
      ancestors.add(keyOfCell(parentOf(cell, level)));
    }
  }
  for (const key of ancestors) intervals.push(pointInterval(int64Value(key)));
  return { intervals: unite(intervals), exact: false };
}

function interval(first: bigint, last: bigint): Interval {
  return {
    lower: int64Value(first),
    lowerInclusive: true,
    upper: int64Value(last),
    upperInclusive: true,
  };
}

function planeBounds({ plane }: GeoArea, grid: Grid): Bounds {
  if (plane === undefined) return { intervals: [], exact: false };
  const intervals = gridCovering(plane, grid, MAX_GRID_CELLS).map((cell): Interval => {
    const [lower, upper] = keysOfCell(cell);
    return { lower, lowerInclusive: true, upper, upperInclusive: true };
  });
  return { intervals: unite(intervals), exact: false };
}
