/**
 * Keys of a 2d index: the hash of each position of a document, and the values of the other fields.
 *
 * Source: MongoDB's manual, "2d Indexes". Bytes: docs/format/index-keys.md#2d.
 */
import {
  ArrayBuilder,
  arrayValue,
  BsonType,
  encodeIndexKey,
  type EncodedKey,
  fieldsOf,
  inspect,
  isMultikey,
  KeyPaths,
  type RawValue,
} from '../../bson/index.ts';
import { uassert } from '../../common/assert.ts';
import { CommandError } from '../../common/errors.ts';
import type { IndexDescription, KeyGenerator } from '../../storage/index.ts';
import type { Position } from '../matcher/geo/geojson.ts';
import { cellAt, type Grid, gridOf, keyOfCell } from './geo-hash.ts';
import { distinctKeys, geoValuesOf } from './sphere-keys.ts';

export const PLANE_KIND = '2d';

export function planeKeyGenerator(index: Pick<IndexDescription, 'fields' | 'spec'>): KeyGenerator {
  const [geo, ...others] = index.fields;
  const grid = gridOf(index.spec);
  const otherPaths = others.map(({ path }) => new KeyPaths([path]));
  const directions = index.fields.map(({ direction }) => direction);
  return {
    keysOf: (document) => {
      const positions = positionsIn(document, geo.path);
      if (positions.length === 0) return { keys: [], multikeyPaths: undefined };
      const rest = otherPaths.map((paths) => ordinaryValue(paths, document));
      const keys: EncodedKey[] = positions.map((position) => {
        const hash = keyOfCell(cellAt(checked(position, grid, document), grid));
        return encodeIndexKey([hash, ...rest.map(({ value }) => value)], directions);
      });
      // Not by components: which of them are arrays no scan of such an index asks.
      const multikeyPaths = [positions.length > 1, ...rest.map(({ isArray }) => isArray)].map(
        (isArray) => (isArray ? [0] : []),
      );
      return {
        keys: distinctKeys(keys),
        multikeyPaths: isMultikey(multikeyPaths) ? multikeyPaths : undefined,
      };
    },
  };
}

/** Several values stand in the key as one array. */
function ordinaryValue(
  paths: KeyPaths,
  document: Buffer,
): { readonly value: RawValue | undefined; readonly isArray: boolean } {
  const plain = paths.tryPlain(document);
  if (plain !== undefined) return { value: plain[0], isArray: false };
  const array = new ArrayBuilder();
  for (const [value] of paths.valuesOf(document, false).tuples) {
    if (value !== undefined) array.push(value);
  }
  return { value: arrayValue(array.finish()), isArray: true };
}

/** A path holds one position, or an array or document of them. */
function positionsIn(document: Buffer, path: string): Position[] {
  const positions: Position[] = [];
  for (const value of geoValuesOf(document, path).values) {
    if (value.type !== BsonType.array && value.type !== BsonType.object) continue;
    const elements = Array.from(fieldsOf(value.asDocument()), ([, element]) => element);
    const [first] = elements;
    if (first === undefined) continue;
    if (first.isNumber) {
      positions.push(positionOf(elements, document));
      continue;
    }
    for (const element of elements) {
      uassert(
        element.type === BsonType.array || element.type === BsonType.object,
        16804,
        'location object expected, location array not in correct format',
      );
      const inner = Array.from(fieldsOf(element.asDocument()), ([, part]) => part);
      if (inner.length > 0) positions.push(positionOf(inner, document));
    }
  }
  return positions;
}

function positionOf([x, y]: readonly RawValue[], document: Buffer): Position {
  if (y === undefined) {
    throw new CommandError(
      13068,
      `geo field only has 1 element :: caused by :: ${inspect(document)}`,
    );
  }
  if (!x.isNumber || !y.isNumber) {
    throw new CommandError(
      13026,
      `geo values must be 'legacy coordinate pairs' for 2d indexes :: caused by :: ${inspect(document)}`,
    );
  }
  return { x: x.asNumber(), y: y.asNumber() };
}

function checked(position: Position, { min, max }: Grid, document: Buffer): Position {
  const { x, y } = position;
  if (x >= min && x <= max && y >= min && y <= max) return position;
  throw new CommandError(
    13027,
    `point not in interval of [ ${min}, ${max} ] :: caused by :: ${inspect(document)}`,
  );
}
