/**
 * Reads $near, $nearSphere and $geoNear: documents by their distance from a point.
 *
 * Owns: the two ways in which MongoDB writes it: a legacy pair or bare GeoJSON point with the limits beside the operator, and
 * `{ $geometry: point, $minDistance, $maxDistance }`. Source: MongoDB's manual, "$near", "$nearSphere".
 */
import { BsonType, fieldsOf, getField, inspect, type RawValue } from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import { CommandError } from '../../../common/errors.ts';
import { parseGeoJson, type Position, vectorOfPosition } from './geojson.ts';
import { EARTH_RADIUS_METERS, type Vector } from './sphere.ts';

export interface NearQuery {
  readonly path: string;
  /** Longitude and latitude, or x and y. */
  readonly center: Position;
  /** The center on the sphere; undefined: distances are those of the plane. */
  readonly point: Vector | undefined;
  /** Limits in the unit of the search: radians on the sphere, that of the coordinates in the plane. */
  readonly minDistance: number;
  readonly maxDistance: number;
  /** What a distance of the search is multiplied by to be shown: metres, radians, or the coordinates' unit. */
  readonly unit: number;
  /** The point was given as GeoJSON: only a 2dsphere index serves it. */
  readonly isGeoJson: boolean;
}

const NEAR_OPERATORS: ReadonlySet<string> = new Set(['$near', '$nearSphere', '$geoNear']);

/**
 * @param operators the whole document that the operator stands in, with its limits.
 * @throws CommandError BadValue, 16893 to 16896, 18522, 34413
 */
export function parseNear(path: string, name: string, operators: Buffer): NearQuery {
  const [first] = [...fieldsOf(operators)];
  if (first === undefined || !NEAR_OPERATORS.has(first[0])) {
    throw bad(`near must be first in: ${inspect(operators)}`);
  }
  const [, argument] = first;
  const isContainer = argument.type === BsonType.object || argument.type === BsonType.array;
  if (!isContainer) throw bad('near must be given a point');
  const isNew =
    argument.type === BsonType.object && getField(argument.asDocument(), '$geometry') !== undefined;
  return isNew ? parseNew(path, operators) : parseLegacy(path, name, operators);
}

function bad(message: string): CommandError {
  return new CommandError('BadValue', message);
}

interface Center {
  readonly position: Position;
  readonly isGeoJson: boolean;
  /** The third number of a legacy array. */
  readonly maxDistance: number | undefined;
}

function parseLegacy(path: string, name: string, operators: Buffer): NearQuery {
  let center: Center | undefined;
  let minDistance = 0;
  let maxDistance = Infinity;
  for (const [field, value] of fieldsOf(operators)) {
    if (NEAR_OPERATORS.has(field)) {
      center = readCenter(value);
      if (center.maxDistance !== undefined) maxDistance = center.maxDistance;
      uassert(maxDistance >= 0, 18522, 'max distance must be non-negative');
    } else if (field === '$minDistance') {
      uassert(value.isNumber, 16893, '$minDistance must be a number');
      minDistance = value.asNumber();
      uassert(minDistance >= 0, 16894, '$minDistance must be non-negative');
    } else if (field === '$maxDistance') {
      uassert(value.isNumber, 16895, '$maxDistance must be a number');
      maxDistance = value.asNumber();
      uassert(maxDistance >= 0, 16896, '$maxDistance must be non-negative');
    } else if (field !== '$uniqueDocs') {
      throw new CommandError(34413, `invalid argument in geo near query: ${field}`);
    }
  }
  if (center === undefined) throw bad('geo near query has no point');
  const { position, isGeoJson } = center;
  const onSphere = isGeoJson || name === '$nearSphere';
  if (!onSphere) return nearInPlane(path, position, { minDistance, maxDistance });
  if (!isGeoJson && !isOnEarth(position)) {
    throw bad('Legacy point is out of bounds for spherical query');
  }
  return nearOnSphere(path, position, { minDistance, maxDistance }, isGeoJson);
}

function isOnEarth({ x, y }: Position): boolean {
  return x >= -180 && x <= 180 && y >= -90 && y <= 90;
}

export interface Limits {
  readonly minDistance: number;
  readonly maxDistance: number;
}

export function nearInPlane(path: string, center: Position, limits: Limits): NearQuery {
  return { path, center, point: undefined, ...limits, unit: 1, isGeoJson: false };
}

/** @param isGeoJson limits are in metres, and so are the distances that are shown; else in radians. */
export function nearOnSphere(
  path: string,
  center: Position,
  { minDistance, maxDistance }: Limits,
  isGeoJson: boolean,
): NearQuery {
  const unit = isGeoJson ? EARTH_RADIUS_METERS : 1;
  return {
    path,
    center,
    point: vectorOfPosition(center),
    minDistance: minDistance / unit,
    maxDistance: maxDistance / unit,
    unit,
    isGeoJson,
  };
}

/** [x, y], [x, y, maxDistance], { any: x, names: y }, or a GeoJSON point. */
function readCenter(value: RawValue): Center {
  const elements = Array.from(fieldsOf(value.asDocument()), ([, element]) => element);
  const [x, y, third] = elements;
  if (x?.isNumber === true && y?.isNumber === true) {
    const isFinite = Number.isFinite(x.asNumber()) && Number.isFinite(y.asNumber());
    if (!isFinite) throw bad(`Point coordinates must be finite numbers: ${inspect(value)}`);
    const isTooLong = elements.length > 3 || (third !== undefined && !third.isNumber);
    if (isTooLong) throw bad(`Point must only contain numeric elements: ${inspect(value)}`);
    return {
      position: { x: x.asNumber(), y: y.asNumber() },
      isGeoJson: false,
      maxDistance: third?.asNumber(),
    };
  }
  return { position: readGeoJsonPoint(value), isGeoJson: true, maxDistance: undefined };
}

/** @throws CommandError BadValue for anything but a GeoJSON point. */
export function readGeoJsonPoint(value: RawValue): Position {
  const document = value.type === BsonType.object ? value.asDocument() : undefined;
  const type = document === undefined ? undefined : getField(document, 'type');
  if (document === undefined || type?.type !== BsonType.string || type.asString() !== 'Point') {
    throw bad(`invalid point in geo near query $geometry argument: ${inspect(value)}`);
  }
  parseGeoJson(value);
  const [x, y] = Array.from(
    fieldsOf(getField(document, 'coordinates')?.asDocument() ?? document),
    ([, coordinate]) => coordinate.asNumber(),
  );
  return { x, y };
}

function parseNew(path: string, operators: Buffer): NearQuery {
  const [first, second] = [...fieldsOf(operators)];
  if (second !== undefined) {
    throw bad(
      `geo near accepts just one argument when querying for a GeoJSON point. Extra field found: ${second[0]}: ${inspect(second[1])}`,
    );
  }
  let center: Position | undefined;
  let minDistance = 0;
  let maxDistance = Infinity;
  for (const [field, value] of fieldsOf(first[1].asDocument())) {
    if (field === '$geometry') {
      const isPair =
        value.type === BsonType.array ||
        (value.type === BsonType.object && [...fieldsOf(value.asDocument())][0]?.[1].isNumber);
      if (isPair) throw bad(`$near requires geojson point, given ${inspect(value)}`);
      center = readGeoJsonPoint(value);
    } else if (field === '$minDistance') minDistance = limitOf(field, value);
    else if (field === '$maxDistance') maxDistance = limitOf(field, value);
    else throw bad(`invalid argument in geo near query: ${field}`);
  }
  if (center === undefined) throw bad('$geometry is required for geo near query');
  return nearOnSphere(path, center, { minDistance, maxDistance }, true);
}

function limitOf(name: string, value: RawValue): number {
  if (!value.isNumber) throw bad(`${name} must be a number`);
  const limit = value.asNumber();
  if (limit >= 0 && Number.isFinite(limit)) return limit;
  throw bad(`${name} must be non-negative`);
}
