/**
 * What one index can do for one conjunction: bounds per field, what they decide, and the order they come in.
 *
 * Sound first: what is not provably right stays a residual condition. Where arrays forbid to combine conditions, multikey.ts knows.
 */
import type { IndexScanShape } from '../index-kind/index-kind.ts';
import type { FilterNode } from '../matcher/tree.ts';
import type { IndexDescription } from '../../storage/index.ts';
import {
  ALL_VALUES,
  allPoints,
  holdsNull,
  intersect,
  type Interval,
  isAllValues,
  isPoint,
} from './interval.ts';
import { KeyBounds, type KeyTest } from './key-bounds.ts';
import { keyRangesOf } from './key-ranges.ts';
import { CombinedConditions, mayHoldArrays, shareArray } from './multikey.ts';
import type { IxscanNode } from './plan-node.ts';
import type { Predicate } from './predicate.ts';

export interface IndexBounds {
  /** As the scan sees it. */
  readonly index: IndexDescription;
  readonly shape: IndexScanShape;
  readonly bounds: readonly (readonly Interval[])[];
  /** A condition asks for the leading field, though its bounds may be all values. */
  readonly asksForFirst: boolean;
  /** No condition excludes documents that have none of the fields: a sparse index lacks them. */
  readonly mayMissMatches: boolean;
  /** Conditions that the bounds decide completely. */
  readonly decided: ReadonlySet<FilterNode>;
  /** Conditions that are decided by values in the keys. */
  readonly keyTests: readonly KeyTest[];
}

export interface SortField {
  readonly path: string;
  readonly direction: 1 | -1;
}

/**
 * Bounds for a scan from the predicates of a conjunction; fields without a predicate allow all values.
 * @param preferred of several conditions on a path with arrays, of which only one can give bounds.
 * @returns undefined when a field that must have bounds gets none
 */
export function boundsOnIndex(
  shape: IndexScanShape,
  predicates: readonly Predicate[],
  preferred?: Predicate,
): IndexBounds | undefined {
  const { index } = shape;
  const decided = new Set<FilterNode>();
  let mayMissMatches = true;
  let asksForFirst = false;
  let isServed = true;
  const keyTests: KeyTest[] = [];
  const combined = new CombinedConditions(index);
  const bounds = index.fields.map((field, position) => {
    const scanField = shape.fields[position];
    if (scanField.fixed !== undefined) return scanField.fixed.intervals;
    const holdsArrays = mayHoldArrays(index, position);
    const isPreferred = (predicate: Predicate): boolean =>
      predicate.path === preferred?.path && predicate.node === preferred.node;
    const here = predicates.flatMap((predicate) => {
      if (predicate.path !== field.path) return [];
      if (holdsArrays && predicate.withoutArrays === true) return [];
      const isArea = predicate.bounds.area !== undefined;
      if (isArea !== (scanField.servesAreas === true)) return [];
      const keyBounds = scanField.keyBounds(predicate.bounds);
      if (shape.sparse && holdsArrays && asksForMissing(keyBounds?.intervals)) return [];
      return keyBounds === undefined ? [] : [{ ...predicate, bounds: keyBounds }];
    });
    if (here.length === 0) {
      isServed &&= scanField.isRequired !== true;
      return ALL_VALUES;
    }
    if (here.some(excludesMissing)) mayMissMatches = false;
    if (position === 0) asksForFirst = true;
    if (!holdsArrays) {
      for (const predicate of here) combined.add(position, predicate);
      if (scanField.holdsValues) addKeyTests(keyTests, here, position);
      return intersectAll(here, decided, scanField.holdsValues);
    }
    const chosen: Predicate[] = [];
    for (const predicate of mostPromisingFirst(here, isPreferred)) {
      if (!combined.mayAdd(position, predicate)) continue;
      combined.add(position, predicate);
      chosen.push(predicate);
      if (predicate.bounds.exact) decided.add(predicate.node);
    }
    return commonIntervals(chosen.map(({ bounds }) => bounds.intervals));
  });
  if (!isServed) return undefined;
  return { index, shape, bounds, asksForFirst, mayMissMatches, decided, keyTests };
}

/** Elements of an array without the field have no entry in a sparse index, though their document has others there. */
function asksForMissing(intervals: readonly Interval[] | undefined): boolean {
  return intervals !== undefined && !isAllValues(intervals) && holdsNull(intervals);
}

function addKeyTests(tests: KeyTest[], predicates: readonly Predicate[], position: number): void {
  for (const { bounds, node } of predicates) {
    const { exact, keyTest } = bounds;
    if (!exact && keyTest !== undefined) tests.push({ position, test: keyTest, node });
  }
}

function excludesMissing({ bounds }: Predicate): boolean {
  return bounds.onlyExisting === true || !holdsNull(bounds.intervals);
}

function intersectAll(
  predicates: readonly Predicate[],
  decided: Set<FilterNode>,
  holdsValues: boolean,
): readonly Interval[] {
  for (const { bounds, node } of predicates) {
    const isTested = holdsValues && bounds.keyTest !== undefined;
    if (bounds.exact || bounds.exactWithoutArrays === true || isTested) decided.add(node);
  }
  return commonIntervals(predicates.map(({ bounds }) => bounds.intervals));
}

/** Half by half: one by one, thousands of lists that grow would be walked thousands of times. */
function commonIntervals(lists: readonly (readonly Interval[])[]): readonly Interval[] {
  if (lists.length < 2) return lists[0] ?? ALL_VALUES;
  const middle = lists.length >> 1;
  return intersect(commonIntervals(lists.slice(0, middle)), commonIntervals(lists.slice(middle)));
}

/** Of conditions that cannot all be combined the first have their way: the preferred one, points, ranges, all else. */
function mostPromisingFirst(
  predicates: readonly Predicate[],
  isPreferred: (predicate: Predicate) => boolean,
): readonly Predicate[] {
  if (predicates.length < 2) return predicates;
  const placeOf = (predicate: Predicate): number => {
    if (isPreferred(predicate)) return 0;
    const { intervals } = predicate.bounds;
    if (allPoints(intervals)) return 1;
    return isAllValues(intervals) ? 3 : 2;
  };
  const placed = predicates.map((predicate) => ({ predicate, place: placeOf(predicate) }));
  return placed.sort((a, b) => a.place - b.place).map(({ predicate }) => predicate);
}

/** How far bounds narrow the index down. */
export interface Selectivity {
  /** Leading fields that are bound to points. */
  readonly equalities: number;
  /** The field after them is bound to less than all values. */
  readonly range: boolean;
  /** All fields of a unique index are bound to one point each: at most one entry. */
  readonly single: boolean;
}

export function selectivityOf({ index, bounds }: IndexBounds): Selectivity {
  let equalities = 0;
  while (equalities < bounds.length && allPoints(bounds[equalities]!)) equalities += 1;
  const next = bounds[equalities];
  const onePointEach = bounds.every(
    (intervals) => intervals.length === 1 && isPoint(intervals[0]!),
  );
  return {
    equalities,
    range: next !== undefined && !isAllValues(next),
    single: index.unique && onePointEach,
  };
}

/**
 * The direction in which a scan over these bounds gives the sort order.
 * @param isFixed whether a field has one value in all keys of the scan: it may then stand anywhere, in both patterns.
 * @returns undefined when the scan does not give it.
 */
export function directionForSort(
  candidate: IndexBounds,
  sort: readonly SortField[],
  isFixed: (position: number) => boolean = (position) => hasOnePoint(candidate, position),
): 1 | -1 | undefined {
  const { index, shape } = candidate;
  const same = new Set<string>();
  index.fields.forEach(({ path }, position) => {
    // Of a field with arrays one value in the keys does not make one value in the sort.
    const { isOrdered } = shape.fields[position];
    if (isOrdered && isFixed(position) && !mayHoldArrays(index, position)) same.add(path);
  });
  const wanted = sort.filter(({ path }) => !same.has(path));
  let direction: 1 | -1 | undefined;
  let found = 0;
  for (let position = 0; position < index.fields.length && found < wanted.length; position += 1) {
    const field = index.fields[position];
    const next = wanted[found];
    if (field.path !== next.path) {
      if (isFixed(position)) continue;
      return undefined;
    }
    found += 1;
    if (!shape.fields[position].isOrdered) return undefined;
    if (mayHoldArrays(index, position) && !seesAllElements(candidate, position)) return undefined;
    const turned = field.direction === next.direction ? 1 : -1;
    if (direction !== undefined && direction !== turned) return undefined;
    direction = turned;
  }
  return found === wanted.length ? (direction ?? 1) : undefined;
}

function hasOnePoint({ bounds }: IndexBounds, position: number): boolean {
  const [only, second] = bounds[position];
  return only !== undefined && second === undefined && isPoint(only);
}

/** A sort by an array goes by its least or greatest element: the scan must come past all of them. */
function seesAllElements({ index, bounds }: IndexBounds, position: number): boolean {
  return index.fields.every(
    (_, other) => isAllValues(bounds[other]) || !shareArray(index, position, other),
  );
}

/** More scans than these are not merged (internalQueryMaxScansToExplode). */
const MAX_MERGED_SCANS = 200;

/**
 * The scan as several that each give the sort order, to be merged: one for each combination of points before the sort's fields.
 * @returns undefined when that does not give the order either, or takes too many scans.
 */
export function explodeForSort(
  candidate: IndexBounds,
  sort: readonly SortField[],
): { readonly scans: readonly IndexBounds[]; readonly direction: 1 | -1 } | undefined {
  const { index, bounds } = candidate;
  const sorted = new Set(sort.map(({ path }) => path));
  let length = 0;
  while (length < bounds.length && allPoints(bounds[length])) {
    if (sorted.has(index.fields[length].path) && bounds[length].length > 1) break;
    length += 1;
  }
  let combinations: (readonly (readonly Interval[])[])[] = [[]];
  for (const intervals of bounds.slice(0, length)) {
    if (combinations.length * intervals.length > MAX_MERGED_SCANS) return undefined;
    combinations = combinations.flatMap((leading) =>
      intervals.map((interval) => [...leading, [interval]]),
    );
  }
  if (combinations.length < 2) return undefined;
  const direction = directionForSort(
    candidate,
    sort,
    (position) =>
      hasOnePoint(candidate, position) ||
      (position < length && !sorted.has(index.fields[position].path)),
  );
  if (direction === undefined) return undefined;
  const rest = bounds.slice(length);
  const scans = combinations.map((leading) => ({ ...candidate, bounds: [...leading, ...rest] }));
  return { scans, direction };
}

/** The scan over these bounds: ranges to walk, and the bounds that ranges do not express. */
export function scanOf({ index, bounds, keyTests }: IndexBounds, direction: 1 | -1): IxscanNode {
  const common = { stage: 'IXSCAN', index, bounds, direction } as const;
  if (bounds.some((intervals) => intervals.length === 0)) {
    return { ...common, ranges: [], keyBounds: undefined };
  }
  const { ranges, restrictedFields } = keyRangesOf(index, bounds, direction);
  const keyBounds = new KeyBounds(index, bounds, {
    from: restrictedFields,
    direction,
    tests: keyTests,
  });
  return { ...common, ranges, keyBounds: keyBounds.isEmpty ? undefined : keyBounds };
}
