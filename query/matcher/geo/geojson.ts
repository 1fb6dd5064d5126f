/**
 * Reads GeoJSON geometries and legacy coordinate pairs.
 *
 * Promises: a geometry in a query that is malformed is refused with a message; in a document it is no geometry.
 * Source: RFC 7946; MongoDB's manual, "GeoJSON Objects", "Legacy Coordinate Pairs".
 */
import { BsonType, fieldsOf, getField, inspect, type RawValue } from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import { EMPTY_GEOMETRY, type Geometry, type Polygon } from './geometry.ts';
import { checkRing } from './ring-validity.ts';
import {
  isInRing,
  isLarge,
  isSamePoint,
  smallerSide,
  vectorOf,
  type Ring,
  type Vector,
} from './sphere.ts';

/** A coordinate pair: longitude and latitude, or x and y. */
export interface Position {
  readonly x: number;
  readonly y: number;
}

/** Polygons in this reference system mean the area to the left of their rings, however large. */
const STRICT_WINDING = 'urn:x-mongodb:crs:strictwinding:EPSG:4326';

function bad(message: string): CommandError {
  return new CommandError('BadValue', message);
}

function elementsOf(array: RawValue): RawValue[] {
  return Array.from(fieldsOf(array.asDocument()), ([, element]) => element);
}

/** [x, y] or { any: x, names: y }; undefined for anything else. More than two numbers in an object are none, too. */
export function readLegacyPosition(value: RawValue): Position | undefined {
  if (value.type !== BsonType.array && value.type !== BsonType.object) return undefined;
  const [x, y, ...rest] = elementsOf(value);
  if (x?.isNumber !== true || y?.isNumber !== true) return undefined;
  if (!Number.isFinite(x.asNumber()) || !Number.isFinite(y.asNumber())) return undefined;
  if (rest.length > 0 && value.type === BsonType.object) return undefined;
  return { x: x.asNumber(), y: y.asNumber() };
}

/** What a document stores at a geo path; undefined when it is no geometry. */
export function readStoredGeometry(value: RawValue): Geometry | undefined {
  try {
    return parseStoredGeometry(value);
  } catch (error) {
    if (error instanceof CommandError) return undefined;
    throw error;
  }
}

/**
 * What a document stores at a geo path. A legacy pair may have more members behind its numbers.
 * @throws CommandError BadValue when it is no geometry, or one that is meant by its winding.
 */
export function parseStoredGeometry(value: RawValue): Geometry {
  if (value.type !== BsonType.object && value.type !== BsonType.array) {
    throw bad(`geo element must be an array or object: ${inspect(value)}`);
  }
  const [first] = elementsOf(value);
  if (value.type === BsonType.array || first?.isNumber === true) {
    return { ...EMPTY_GEOMETRY, points: [vectorOfPosition(parsePosition(value))] };
  }
  const geometry = parseGeoJson(value);
  if (geometry.isStrict === true) throw bad("can't index geometry with strict winding order");
  return geometry;
}

/** A legacy pair, whatever follows behind its two numbers. @throws CommandError BadValue */
export function parsePosition(value: RawValue): Position {
  const isContainer = value.type === BsonType.array || value.type === BsonType.object;
  if (!isContainer)
    throw bad(`Point must be an array or object, instead got type ${value.typeName}`);
  const [x, y] = elementsOf(value);
  if (x?.isNumber === true && y?.isNumber === true) return { x: x.asNumber(), y: y.asNumber() };
  throw bad(`Point must only contain numeric elements: ${inspect(value)}`);
}

/** The one point that a value stores, flat; undefined for other geometries. */
export function readStoredPosition(value: RawValue): Position | undefined {
  if (value.type === BsonType.object) {
    const document = value.asDocument();
    const type = getField(document, 'type');
    if (type?.type === BsonType.string) {
      const coordinates = getField(document, 'coordinates');
      return type.asString() === 'Point' && coordinates !== undefined
        ? readLegacyPosition(coordinates)
        : undefined;
    }
  }
  if (value.type !== BsonType.array && value.type !== BsonType.object) return undefined;
  const [x, y] = elementsOf(value);
  if (x?.isNumber !== true || y?.isNumber !== true) return undefined;
  return { x: x.asNumber(), y: y.asNumber() };
}

/** @throws CommandError BadValue when the geometry is malformed. */
export function parseGeoJson(value: RawValue): Geometry {
  if (value.type !== BsonType.object) throw bad(`geometry must be an object: ${inspect(value)}`);
  const document = value.asDocument();
  const type = getField(document, 'type');
  if (type?.type !== BsonType.string) {
    throw bad(`unknown GeoJSON type: ${inspect(document)}`);
  }
  if (type.asString() === 'GeometryCollection') return parseCollection(document);
  const coordinates = getField(document, 'coordinates');
  if (coordinates?.type !== BsonType.array) {
    throw bad(`GeoJSON coordinates must be an array of coordinates: ${inspect(document)}`);
  }
  const strict = isStrict(document);
  switch (type.asString()) {
    case 'Point':
      return { ...EMPTY_GEOMETRY, points: [parsePoint(coordinates)] };
    case 'MultiPoint':
      return { ...EMPTY_GEOMETRY, points: nonEmpty(coordinates).map(parsePoint) };
    case 'LineString':
      return { ...EMPTY_GEOMETRY, lines: [parseLine(coordinates)] };
    case 'MultiLineString':
      return { ...EMPTY_GEOMETRY, lines: nonEmpty(coordinates).map(parseLine) };
    case 'Polygon':
      return {
        ...EMPTY_GEOMETRY,
        polygons: [parsePolygon(coordinates, strict)],
        ...(strict ? { isStrict: true } : {}),
      };
    case 'MultiPolygon':
      return {
        ...EMPTY_GEOMETRY,
        polygons: nonEmpty(coordinates).map((rings) => parsePolygon(rings, strict)),
      };
    default:
      throw bad(`unknown GeoJSON type: ${inspect(document)}`);
  }
}

function parseCollection(document: Buffer): Geometry {
  const members = getField(document, 'geometries');
  if (members?.type !== BsonType.array) {
    throw bad('GeometryCollection geometries must be an array');
  }
  const parts = nonEmpty(members).map(parseGeoJson);
  return {
    points: parts.flatMap(({ points }) => points),
    lines: parts.flatMap(({ lines }) => lines),
    polygons: parts.flatMap(({ polygons }) => polygons),
  };
}

function isStrict(document: Buffer): boolean {
  const crs = getField(document, 'crs');
  if (crs?.type !== BsonType.object) return false;
  const properties = getField(crs.asDocument(), 'properties');
  if (properties?.type !== BsonType.object) return false;
  const name = getField(properties.asDocument(), 'name')?.asString();
  if (name === STRICT_WINDING) return true;
  const known = ['urn:ogc:def:crs:OGC:1.3:CRS84', 'EPSG:4326'];
  if (name !== undefined && known.includes(name)) return false;
  throw bad(`Unknown CRS name: ${name ?? ''}`);
}

function nonEmpty(array: RawValue): RawValue[] {
  const elements = array.type === BsonType.array ? elementsOf(array) : [];
  if (elements.length === 0) throw bad('GeoJSON coordinates must not be empty');
  return elements;
}

function parsePoint(value: RawValue): Vector {
  const position = value.type === BsonType.array ? readLegacyPosition(value) : undefined;
  if (position === undefined) {
    throw bad(`Point must be an array or object, instead got type ${value.typeName}`);
  }
  return vectorOfPosition(position);
}

/** @throws CommandError BadValue beyond 180 degrees of longitude or 90 of latitude. */
export function vectorOfPosition({ x, y }: Position): Vector {
  const isValid = x >= -180 && x <= 180 && y >= -90 && y <= 90;
  if (!isValid) throw bad(`Longitude/latitude is out of bounds, lng: ${x} lat: ${y}`);
  return vectorOf(x, y);
}

function parseLine(value: RawValue): readonly Vector[] {
  const vertices = withoutRepetitions(nonEmpty(value).map(parsePoint));
  if (vertices.length < 2) {
    throw bad(`GeoJSON LineString must have at least 2 vertices: ${inspect(value)}`);
  }
  return vertices;
}

function withoutRepetitions(vertices: readonly Vector[]): Vector[] {
  return vertices.filter(
    (vertex, index) => index === 0 || !isSamePoint(vertices[index - 1], vertex),
  );
}

function parsePolygon(value: RawValue, strict: boolean): Polygon {
  const [outer, ...holes] = nonEmpty(value).map(parseRing);
  if (strict && holes.length > 0) {
    throw bad(
      `Only one simple loop is allowed in a big polygon, instead provided ${holes.length + 1} loops at ${inspect(value)}`,
    );
  }
  const polygon: Polygon = {
    outer: smallerSide(outer),
    isComplement: strict && isLarge(outer),
    holes: holes.map(smallerSide),
  };
  for (const hole of polygon.holes) {
    if (hole.every((vertex) => isInRing(vertex, polygon.outer))) continue;
    throw bad(
      `Secondary loops not contained by first exterior loop - secondary loops must be holes: ${inspect(value)}`,
    );
  }
  return polygon;
}

function parseRing(value: RawValue): Ring {
  const vertices = withoutRepetitions(nonEmpty(value).map(parsePoint));
  const last = vertices[vertices.length - 1];
  if (!isSamePoint(vertices[0], last)) {
    throw bad(`Loop is not closed: ${inspect(value)}`);
  }
  const ring = vertices.slice(0, -1);
  if (ring.length < 3) {
    throw bad(`Loop must have at least 3 different vertices: ${inspect(value)}`);
  }
  checkRing(ring);
  return ring;
}
