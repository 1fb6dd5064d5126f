/**
 * How a query can scan a wildcard index: for each path that it names, as if the index were on that path alone.
 *
 * Promises: a scan finds every match. What a wildcard index cannot say, it is not asked: whether a field is missing or null (such
 * documents have no entry), what equals a whole object or array (they have entries for their parts), and what stands at an index of an
 * array (parts that are numbers are no parts of its paths).
 */
import {
  type ArrayComponents,
  BsonType,
  type Collator,
  documentValue,
  EMPTY_DOCUMENT,
  MIN_KEY,
  stringValue,
  binaryValue,
} from '../../../bson/index.ts';
import type { IndexDescription, ReadView } from '../../../storage/index.ts';
import {
  ALL_VALUES,
  type Interval,
  intersect,
  NULL_INTERVALS,
  pointInterval,
} from '../../planner/interval.ts';
import type { Bounds } from '../../planner/leaf-bounds.ts';
import type { IndexScanShape, ScanField, ScanQuestion } from '../index-kind.ts';
import { orderedField } from '../scan-fields.ts';
import { CoveredPaths } from './covered-paths.ts';
import { multikeyPathKey } from './wildcard-keys.ts';

export function wildcardScans(
  index: IndexDescription,
  { predicates, collator, view }: ScanQuestion,
): readonly IndexScanShape[] {
  const covered = coveredPathsOf(index);
  const shapes: IndexScanShape[] = [];
  for (const path of new Set(predicates.map((predicate) => predicate.path))) {
    const coverage = covered.at(path);
    if (coverage === undefined || hasNumberInArray(index, path, view)) continue;
    const field = orderedField(index, collator);
    const bounds = predicates.flatMap((predicate) =>
      predicate.path === path ? (field.keyBounds(predicate.bounds) ?? []) : [],
    );
    const arrays = arraysOn(index, path, view);
    if (coverage.coversValue && bounds.some(asksForValues)) {
      shapes.push(shapeFor(index, { path, collator, arrays, withObjects: false }));
    } else if (coverage.coversAll && bounds.some(asksForAnything)) {
      shapes.push(shapeFor(index, { path, collator, arrays, withObjects: true }));
    }
  }
  if (index.fields[0]?.kind !== 'wildcard') shapes.push(prefixShape(index, collator));
  return shapes;
}

const COVERED = new WeakMap<Buffer, CoveredPaths>();

function coveredPathsOf(index: IndexDescription): CoveredPaths {
  let covered = COVERED.get(index.spec);
  if (covered === undefined) {
    covered = new CoveredPaths(index);
    COVERED.set(index.spec, covered);
  }
  return covered;
}

interface PathScan {
  readonly path: string;
  readonly collator: Collator | undefined;
  /** Components of the path that are arrays in some document. */
  readonly arrays: ArrayComponents;
  /** The values asked for may be objects: what stands below the path is scanned, too. */
  readonly withObjects: boolean;
}

function shapeFor(index: IndexDescription, scan: PathScan): IndexScanShape {
  const { path, collator, arrays, withObjects } = scan;
  const paths = withObjects
    ? [pointInterval(stringValue(path)), below(path)]
    : [pointInterval(stringValue(path))];
  const ordered = orderedField(index, collator);
  const value: ScanField = {
    ...ordered,
    keyBounds: (bounds) => {
      const keyBounds = ordered.keyBounds(bounds);
      if (keyBounds === undefined) return undefined;
      if (withObjects) {
        return asksForAnything(keyBounds) ? { intervals: ALL_VALUES, exact: false } : undefined;
      }
      return asksForValues(keyBounds) ? keyBounds : undefined;
    },
    // Several paths one after the other are in no order of values.
    isOrdered: ordered.isOrdered && !withObjects,
    holdsValues: ordered.holdsValues && !withObjects,
    isRequired: true,
  };
  return expanded(index, collator, {
    value,
    valuePath: path,
    paths,
    arrays,
    isMany: arrays.length > 0 || withObjects,
  });
}

/** A compound index by its leading fields alone: every document has an entry, and may have many. */
function prefixShape(index: IndexDescription, collator: Collator | undefined): IndexScanShape {
  const value: ScanField = {
    keyBounds: () => undefined,
    isOrdered: false,
    holdsValues: false,
  };
  const wildcard = index.fields.find(({ kind }) => kind === 'wildcard');
  return expanded(index, collator, {
    value,
    valuePath: wildcard?.path ?? '$**',
    paths: [pointInterval(MIN_KEY), ALL_TEXTS],
    arrays: [],
    isMany: true,
  });
}

interface Expansion {
  readonly value: ScanField;
  readonly valuePath: string;
  readonly paths: readonly Interval[];
  /** Components of the path that are arrays in some document. */
  readonly arrays: ArrayComponents;
  /** A record may be met more than once. */
  readonly isMany: boolean;
}

/** The index with a path and a value in the place of its wildcard field. */
function expanded(
  index: IndexDescription,
  collator: Collator | undefined,
  { value, valuePath, paths, arrays, isMany }: Expansion,
): IndexScanShape {
  const ordered = orderedField(index, collator);
  const path: ScanField = {
    keyBounds: () => undefined,
    fixed: { intervals: paths, exact: false },
    isOrdered: true,
    holdsValues: true,
  };
  const fields = index.fields.flatMap((field) =>
    field.kind === 'wildcard'
      ? [
          { path: '$_path', direction: 1 as const, kind: 'ordered' },
          { path: valuePath, direction: field.direction, kind: 'ordered' },
        ]
      : [field],
  );
  return {
    index: {
      ...index,
      fields,
      multikey: isMany,
      multikeyPaths: fields.map((field) => (field.path === valuePath ? arrays : [])),
    },
    fields: index.fields.flatMap(({ kind }) => (kind === 'wildcard' ? [path, value] : [ordered])),
    sparse: false,
  };
}

const ALL_TEXTS: Interval = {
  lower: stringValue(''),
  lowerInclusive: true,
  upper: documentValue(EMPTY_DOCUMENT),
  upperInclusive: false,
};

/** All paths below one: '/' follows the dot. */
function below(path: string): Interval {
  return {
    lower: stringValue(`${path}.`),
    lowerInclusive: true,
    upper: stringValue(`${path}/`),
    upperInclusive: false,
  };
}

/** Objects and arrays: such values have no entries of their own. */
const CONTAINERS: readonly Interval[] = [
  {
    lower: documentValue(EMPTY_DOCUMENT),
    lowerInclusive: true,
    upper: binaryValue(Buffer.alloc(0), 0),
    upperInclusive: false,
  },
];

/** Neither objects, arrays, nor what may be missing. The empty object is an entry like any other. */
function asksForValues({ intervals }: Bounds): boolean {
  return intersect(intervals, CONTAINERS).every(isEmptyObject) && !mayBeMissing(intervals);
}

function isEmptyObject({ lower, upper }: Interval): boolean {
  return [lower, upper].every(
    (value) => value.type === BsonType.object && value.end - value.start === EMPTY_BYTES,
  );
}

const EMPTY_BYTES = 5;

/** All objects and arrays, and what else, but nothing that is missing. */
function asksForAnything({ intervals, onlyExisting }: Bounds): boolean {
  const [whole] = intersect(intervals, CONTAINERS);
  if (whole === undefined || (onlyExisting !== true && mayBeMissing(intervals))) return false;
  return (
    whole.lower.type === BsonType.object &&
    whole.lowerInclusive &&
    whole.upper.type === BsonType.binData &&
    isFirst(whole)
  );
}

function isFirst({ lower }: Interval): boolean {
  return lower.end - lower.start === EMPTY_BYTES;
}

/** What is missing has null in an index; an empty array, which equals no null, has undefined. */
function mayBeMissing(intervals: readonly Interval[]): boolean {
  return intersect(intervals, NULL_INTERVALS).length > 0;
}

/** Which components of a path are arrays in some document. */
function arraysOn(index: IndexDescription, path: string, view: ReadView): ArrayComponents {
  if (!index.multikey) return [];
  return prefixesOf(path).flatMap((prefix, component) =>
    isArrayPath(index, prefix, view) ? [component] : [],
  );
}

/** A part that is a number may be an index of the array before it, which entries do not have. */
function hasNumberInArray(index: IndexDescription, path: string, view: ReadView): boolean {
  if (!index.multikey || !/(^|\.)\d+(\.|$)/.test(path)) return false;
  const parts = path.split('.');
  return parts.some(
    (part, position) =>
      position > 0 &&
      /^\d+$/.test(part) &&
      arraysOn(index, parts.slice(0, position).join('.'), view).length > 0,
  );
}

function isArrayPath(index: IndexDescription, path: string, view: ReadView): boolean {
  const { key } = multikeyPathKey(index, path);
  const cursor = view.scanIndex(
    index,
    { lower: key, lowerInclusive: true, upper: key, upperInclusive: true },
    1,
  );
  try {
    return cursor.next();
  } finally {
    cursor.close();
  }
}

/** 'a', 'a.b' and 'a.b.c' of 'a.b.c'. */
function prefixesOf(path: string): string[] {
  const parts = path.split('.');
  return parts.map((_, position) => parts.slice(0, position + 1).join('.'));
}
