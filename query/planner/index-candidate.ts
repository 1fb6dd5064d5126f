/**
 * What one index can do for one conjunction: bounds per field, what they decide, and the order they come in.
 *
 * Owns: the rules under which bounds of a multikey index may be combined. Sound first: what is not provably right stays
 * a residual condition.
 */
import { decodeIndexKey, compareValues, type RawValue } from '../../bson/index.ts';
import type { IndexScanShape } from '../index-kind/index-kind.ts';
import type { FilterNode } from '../matcher/tree.ts';
import type { IndexDescription, KeyRange } from '../../storage/index.ts';
import {
  ALL_VALUES,
  allPoints,
  intersect,
  type Interval,
  isAllValues,
  isPoint,
} from './interval.ts';
import { keyRangesOf } from './key-ranges.ts';
import type { KeyFilter } from './plan-node.ts';
import type { Predicate } from './predicate.ts';

export interface IndexBounds {
  /** As the scan sees it. */
  readonly index: IndexDescription;
  readonly shape: IndexScanShape;
  readonly bounds: readonly (readonly Interval[])[];
  /** Conditions that the bounds decide completely. */
  readonly decided: ReadonlySet<FilterNode>;
}

export interface SortField {
  readonly path: string;
  readonly direction: 1 | -1;
}

/** Bounds for a scan from the predicates of a conjunction; fields without a predicate allow all values. */
export function boundsOnIndex(
  shape: IndexScanShape,
  predicates: readonly Predicate[],
): IndexBounds {
  const { index } = shape;
  const decided = new Set<FilterNode>();
  const arrayFields: Predicate[] = [];
  const bounds = index.fields.map((field, position) => {
    const scanField = shape.fields[position]!;
    if (scanField.fixed !== undefined) return scanField.fixed.intervals;
    const mayHoldArrays = index.multikey && index.multikeyPaths[position] !== false;
    const here = predicates.flatMap((predicate) => {
      if (predicate.path !== field.path) return [];
      if (mayHoldArrays && predicate.withoutArrays === true) return [];
      const keyBounds = scanField.keyBounds(predicate.bounds);
      return keyBounds === undefined ? [] : [{ ...predicate, bounds: keyBounds }];
    });
    if (here.length === 0) return ALL_VALUES;
    if (!mayHoldArrays) return intersectAll(here, decided);
    const chosen = tightest(here.filter((predicate) => mayCombine(predicate, arrayFields)));
    if (chosen === undefined) return ALL_VALUES;
    arrayFields.push(chosen);
    if (chosen.bounds.exact) decided.add(chosen.node);
    return chosen.bounds.intervals;
  });
  return { index, shape, bounds, decided };
}

function intersectAll(
  predicates: readonly Predicate[],
  decided: Set<FilterNode>,
): readonly Interval[] {
  let intervals: readonly Interval[] = ALL_VALUES;
  for (const predicate of predicates) {
    intervals = intersect(intervals, predicate.bounds.intervals);
    if (predicate.bounds.exact) decided.add(predicate.node);
  }
  return intervals;
}

/**
 * Conditions on two paths into the same array may be met by different elements, whose values never stand in one key,
 * unless one $elemMatch holds both.
 */
function mayCombine(predicate: Predicate, before: readonly Predicate[]): boolean {
  return before.every(
    (other) =>
      firstPart(other.path) !== firstPart(predicate.path) ||
      (other.group !== undefined && other.group === predicate.group),
  );
}

function firstPart(path: string): string {
  const dot = path.indexOf('.');
  return dot < 0 ? path : path.slice(0, dot);
}

function tightest(predicates: readonly Predicate[]): Predicate | undefined {
  return (
    predicates.find((predicate) => allPoints(predicate.bounds.intervals)) ??
    predicates.find((predicate) => !isAllValues(predicate.bounds.intervals)) ??
    predicates[0]
  );
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
 * @returns undefined when it does not. Fields bound to one value may stand anywhere, in both patterns.
 */
export function directionForSort(
  { index, shape, bounds }: IndexBounds,
  sort: readonly SortField[],
): 1 | -1 | undefined {
  let direction: 1 | -1 | undefined;
  let wanted = 0;
  for (let position = 0; position < index.fields.length && wanted < sort.length; position += 1) {
    const field = index.fields[position]!;
    const intervals = bounds[position]!;
    const next = sort[wanted]!;
    const fixed = intervals.length === 1 && isPoint(intervals[0]!);
    if (field.path !== next.path) {
      if (fixed) continue;
      return undefined;
    }
    wanted += 1;
    if (!shape.fields[position]!.isOrdered && !fixed) return undefined;
    const isArray = index.multikey && index.multikeyPaths[position] !== false;
    if (isArray && !isAllValues(intervals)) return undefined;
    if (fixed && !isArray) continue;
    const turned = field.direction === next.direction ? 1 : -1;
    if (direction !== undefined && direction !== turned) return undefined;
    direction = turned;
  }
  return wanted === sort.length ? (direction ?? 1) : undefined;
}

/** The ranges to walk, and the test for the fields that ranges do not restrict. */
export function scanOf(
  { index, bounds }: IndexBounds,
  direction: 1 | -1,
): { readonly ranges: readonly KeyRange[]; readonly keyFilter: KeyFilter | undefined } {
  if (bounds.some((intervals) => intervals.length === 0))
    return { ranges: [], keyFilter: undefined };
  const { ranges, restrictedFields } = keyRangesOf(index, bounds, direction);
  return { ranges, keyFilter: keyFilterOf(index, bounds, restrictedFields) };
}

function keyFilterOf(
  index: IndexDescription,
  bounds: readonly (readonly Interval[])[],
  from: number,
): KeyFilter | undefined {
  const open = bounds
    .map((intervals, position) => ({ intervals, position }))
    .filter(({ intervals, position }) => position >= from && !isAllValues(intervals));
  if (open.length === 0) return undefined;
  const directions = index.fields.map((field) => field.direction);
  return (entry) => {
    if (!entry.keyIsWhole) return true;
    const values = decodeIndexKey(entry.key, entry.typeBits, directions);
    return open.every(({ intervals, position }) => holds(intervals, values[position]!));
  };
}

function holds(intervals: readonly Interval[], value: RawValue): boolean {
  return intervals.some((interval) => {
    const low = compareValues(value, interval.lower);
    if (low < 0 || (low === 0 && !interval.lowerInclusive)) return false;
    const high = compareValues(value, interval.upper);
    return high < 0 || (high === 0 && interval.upperInclusive);
  });
}
