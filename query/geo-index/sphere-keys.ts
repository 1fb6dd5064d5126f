/**
 * Keys of a 2dsphere index: for each geometry the cells that cover it, combined with the values of the other fields.
 *
 * Promises: only documents with a geometry have keys. Bytes: docs/format/index-keys.md#2dsphere.
 */
import {
  type ArrayComponents,
  BsonType,
  type Collator,
  encodeIndexKey,
  type EncodedKey,
  forEachPathValue,
  inspect,
  int64Value,
  isEmpty,
  isMultikey,
  KeyPaths,
  parsePath,
  type RawValue,
} from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import type { IndexDescription, KeyGenerator } from '../../storage/index.ts';
import { parseStoredGeometry } from '../matcher/geo/geojson.ts';
import type { Geometry } from '../matcher/geo/geometry.ts';
import { sphereCovering } from './covering.ts';
import { keyOfCell, leafAt } from './s2-library.ts';
import { geometryRegion } from './sphere-region.ts';

/** Cells of a stored geometry that is no point. The smallest have an edge of about 150 metres. */
const STORED_COVERING = { maxCells: 20, maxLevel: 16 };

export const SPHERE_KIND = '2dsphere';

/** What one field contributes to the keys: each value with each of the other fields'. */
interface Contribution {
  readonly values: readonly (RawValue | undefined)[];
  readonly arrays: ArrayComponents;
}

export function sphereKeyGenerator(
  index: Pick<IndexDescription, 'fields'>,
  collator: Collator | undefined,
): KeyGenerator {
  const fields = index.fields.map(({ path, kind }) =>
    kind === SPHERE_KIND
      ? (document: Buffer) => geometryCells(document, path)
      : ordinaryField(path),
  );
  const directions = index.fields.map(({ direction }) => direction);
  return {
    keysOf: (document) => {
      const contributions = fields.map((field) => field(document));
      const hasGeometry = index.fields.some(
        ({ kind }, position) =>
          kind === SPHERE_KIND && contributions[position].values[0] !== undefined,
      );
      if (!hasGeometry) return { keys: [], multikeyPaths: undefined };
      const multikeyPaths = contributions.map(({ arrays }) => arrays);
      return {
        keys: distinctKeys(
          combinations(contributions).map((values) => encodeIndexKey(values, directions, collator)),
        ),
        multikeyPaths: isMultikey(multikeyPaths) ? multikeyPaths : undefined,
      };
    },
  };
}

/** In order, each once. */
export function distinctKeys(keys: EncodedKey[]): EncodedKey[] {
  keys.sort((a, b) => Buffer.compare(a.key, b.key));
  return keys.filter((key, index) => index === 0 || !key.key.equals(keys[index - 1].key));
}

function combinations(contributions: readonly Contribution[]): (RawValue | undefined)[][] {
  let tuples: (RawValue | undefined)[][] = [[]];
  for (const { values } of contributions) {
    tuples = tuples.flatMap((tuple) => values.map((value) => [...tuple, value]));
  }
  return tuples;
}

function ordinaryField(path: string): (document: Buffer) => Contribution {
  const paths = new KeyPaths([path]);
  return (document) => {
    const plain = paths.tryPlain(document);
    if (plain !== undefined) return { values: plain, arrays: [] };
    const { tuples, multikeyPaths } = paths.valuesOf(document, false);
    return { values: tuples.map(([value]) => value), arrays: multikeyPaths?.[0] ?? [] };
  };
}

/** Cells of all geometries at the path; one missing value when there is none. */
function geometryCells(document: Buffer, path: string): Contribution {
  const { values, throughArray } = geoValuesOf(document, path);
  // Null and an empty array or document mean that there is no geometry.
  const [only] = values;
  if (values.length === 0 || (values.length === 1 && isAbsent(only))) {
    return { values: [undefined], arrays: [] };
  }
  const cells = new Set<bigint>();
  for (const value of values) {
    for (const cell of cellsOf(geometryOf(value, document))) cells.add(cell);
  }
  return {
    values: Array.from(cells, (cell) => int64Value(keyOfCell(cell))),
    arrays: throughArray || cells.size > 1 ? geoArrays(path, throughArray) : [],
  };
}

/** A geometry of many cells is like an array at the path's end. Which of the arrays on the way there are does not matter: all of them. */
function geoArrays(path: string, throughArray: boolean): ArrayComponents {
  const last = path.split('.').length - 1;
  return throughArray ? Array.from({ length: last + 1 }, (_, component) => component) : [last];
}

/** The values at a geo path: an array at its end is one value, arrays on the way are walked through. */
export function geoValuesOf(
  document: Buffer,
  path: string,
): { readonly values: readonly RawValue[]; readonly throughArray: boolean } {
  const values: RawValue[] = [];
  let throughArray = false;
  forEachPathValue(
    document,
    parsePath(path),
    (value, arrayIndex) => {
      if (arrayIndex !== undefined) throughArray = true;
      if (value !== undefined) values.push(value);
      return false;
    },
    { expandLeafArrays: false },
  );
  return { values, throughArray };
}

function isAbsent(value: RawValue | undefined): boolean {
  if (value === undefined || value.isNullish) return true;
  const isContainer = value.type === BsonType.object || value.type === BsonType.array;
  return isContainer && isEmpty(value.asDocument());
}

function geometryOf(value: RawValue, document: Buffer): Geometry {
  try {
    return parseStoredGeometry(value);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    throw new CommandError(16755, `Can't extract geo keys: ${inspect(document)}  ${error.message}`);
  }
}

function cellsOf(geometry: Geometry): readonly bigint[] {
  const { points, lines, polygons } = geometry;
  if (lines.length === 0 && polygons.length === 0) return points.map(leafAt);
  return sphereCovering(geometryRegion(geometry), STORED_COVERING);
}
