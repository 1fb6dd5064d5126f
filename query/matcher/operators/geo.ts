/**
 * $geoWithin (and its older name $within), $geoIntersects; and $near, $nearSphere, $geoNear, which only an index answers.
 */
import {
  BsonType,
  fieldsOf,
  firstFieldName,
  inspect,
  RawValue,
  type BsonTypeCode,
} from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import { CommandError } from '../../../common/errors.ts';
import {
  defineFieldOperator,
  type FieldOperatorDefinition,
  type FieldOperatorUse,
} from '../definition.ts';
import {
  parseGeoJson,
  readLegacyPosition,
  readStoredGeometry,
  readStoredPosition,
  vectorOfPosition,
  type Position,
} from '../geo/geojson.ts';
import { capInDegrees, type GeoArea } from '../geo/area.ts';
import { parseNear } from '../geo/near-query.ts';
import { intersects, isWithin, type Geometry } from '../geo/geometry.ts';
import { box, circle, polygon, type Area } from '../geo/plane.ts';
import { angleBetween } from '../geo/sphere.ts';
import type { FilterNode, LeafNode, LeafOperator, ValueTest } from '../tree.ts';

/** Whether a stored value satisfies the condition. */
type GeoTest = (value: RawValue) => boolean;

interface GeoCondition {
  readonly test: GeoTest;
  readonly area: GeoArea;
}

export const geoOperators: readonly FieldOperatorDefinition[] = [
  geoOperator('$geoWithin', '$geoWithin', parseWithin),
  geoOperator('$within', '$geoWithin', parseWithin),
  geoOperator('$geoIntersects', '$geoIntersects', parseIntersects),
  ...['$near', '$nearSphere', '$geoNear'].map((name) =>
    defineFieldOperator({ name, parse: (use) => nearNode(name, use) }),
  ),
  // Read by the operator that they stand beside.
  ...['$minDistance', '$maxDistance', '$uniqueDocs'].map((name) =>
    defineFieldOperator({ name, parse: ({ siblings }) => limitOfNear(name, siblings) }),
  ),
];

/** Only an index finds documents by their distance: the planner takes the condition out of the filter. */
function nearNode(name: string, use: FieldOperatorUse): FilterNode {
  const { path, parser, nested, operand, siblings } = use;
  uassert(!nested, 'BadValue', 'geoNear must be top-level expr');
  uassert(
    parser.features.near === true,
    5626500,
    '$geoNear, $near, and $nearSphere are not allowed in this context, as these operators require sorting geospatial data. ' +
      'If you do not need sort, consider using $geoWithin instead. Check out ' +
      'https://dochub.mongodb.org/core/near-sort-operation and ' +
      'https://dochub.mongodb.org/core/nearSphere-sort-operation for more details.',
  );
  return {
    kind: 'document',
    operator: name,
    operand,
    test: () => true,
    special: { kind: 'near', near: parseNear(path, name, siblings) },
  };
}

function limitOfNear(name: string, siblings: Buffer): undefined {
  const first = firstFieldName(siblings);
  const isBesideNear = first === '$near' || first === '$nearSphere' || first === '$geoNear';
  uassert(isBesideNear, 'BadValue', `unknown operator: ${name}`);
}

function geoOperator(
  name: string,
  operator: LeafOperator,
  parse: (name: string, operand: RawValue) => GeoCondition,
): FieldOperatorDefinition {
  return defineFieldOperator({
    name,
    parse: ({ path, operand }): LeafNode => {
      const { test, area } = parse(name, operand);
      return {
        kind: 'leaf',
        path,
        operator,
        operands: [operand],
        test: onContainers(test),
        area,
        wholeArrayOnly: false,
      };
    },
  });
}

/** Geometries are documents or arrays; an array of them is tested one by one before as a whole. */
function onContainers(test: GeoTest): ValueTest {
  return (type, bytes, start, end) =>
    (type === BsonType.object || type === BsonType.array) &&
    test(new RawValue(type as BsonTypeCode, bytes, start, end));
}

function parseIntersects(name: string, operand: RawValue): GeoCondition {
  const [specifier, argument] = readSpecifier(name, operand);
  if (specifier !== '$geometry') throw notSupported(name, operand);
  const wanted = parseGeoJson(argument);
  return { test: onGeometry((stored) => intersects(stored, wanted)), area: { sphere: wanted } };
}

function parseWithin(name: string, operand: RawValue): GeoCondition {
  const [specifier, argument] = readSpecifier(name, operand);
  switch (specifier) {
    case '$geometry': {
      const area = parseGeoJson(argument);
      if (area.polygons.length === 0) throw notSupported(name, operand);
      return { test: onGeometry((stored) => isWithin(stored, area)), area: { sphere: area } };
    }
    case '$centerSphere':
      return parseCenterSphere(argument);
    case '$box': {
      const [a, b, ...rest] = positionsIn(argument, '$box');
      uassert(b !== undefined && rest.length === 0, 'BadValue', 'Box must have two points');
      return inPlane(box(a, b));
    }
    case '$center': {
      const { center, radius } = parseCircle(argument);
      return inPlane(circle(center, radius));
    }
    case '$polygon': {
      const vertices = positionsIn(argument, '$polygon');
      uassert(vertices.length >= 3, 'BadValue', 'Polygon must have at least 3 points');
      return inPlane(polygon(vertices));
    }
    default:
      throw new CommandError(
        'BadValue',
        `unknown geo specifier: ${specifier}: ${inspect(argument)}`,
      );
  }
}

/** The one shape of `{ $geoWithin: { $box: ... } }`. */
function readSpecifier(name: string, operand: RawValue): [specifier: string, argument: RawValue] {
  uassert(
    operand.type === BsonType.object || operand.type === BsonType.array,
    'BadValue',
    `geometry must be an object: ${inspect(operand)}`,
  );
  const shapes = [...fieldsOf(operand.asDocument())].filter(([field]) => field !== '$uniqueDocs');
  const [shape] = shapes;
  if (shape === undefined || shapes.length > 1) throw notSupported(name, operand);
  const [specifier, argument] = shape;
  const isContainer = argument.type === BsonType.object || argument.type === BsonType.array;
  if (!isContainer) throw new CommandError('BadValue', `${name} must be an object`);
  return [specifier, argument];
}

function notSupported(name: string, operand: RawValue): CommandError {
  return new CommandError(
    'BadValue',
    `${name} not supported with provided geometry: ${inspect(operand)}`,
  );
}

function onGeometry(test: (stored: Geometry) => boolean): GeoTest {
  return (value) => {
    const stored = readStoredGeometry(value);
    return stored !== undefined && test(stored);
  };
}

function inPlane(area: Area): GeoCondition {
  const test: GeoTest = (value) => {
    const position = readStoredPosition(value);
    return position !== undefined && area.holds(position);
  };
  return { test, area: { plane: area } };
}

function positionsIn(argument: RawValue, shape: string): Position[] {
  return Array.from(fieldsOf(argument.asDocument()), ([, element]) => {
    const position = readLegacyPosition(element);
    if (position !== undefined) return position;
    throw new CommandError('BadValue', `Point must be an array or object in ${shape}`);
  });
}

function parseCircle(argument: RawValue): { center: Position; radius: number } {
  const [first, second, ...rest] = Array.from(
    fieldsOf(argument.asDocument()),
    ([, element]) => element,
  );
  const center = first === undefined ? undefined : readLegacyPosition(first);
  uassert(center !== undefined, 'BadValue', 'Point must be an array or object');
  const radius = second?.isNumber === true ? second.asNumber() : -1;
  uassert(radius >= 0, 'BadValue', 'radius must be a non-negative number');
  uassert(rest.length === 0, 'BadValue', 'Only 2 fields allowed for circular region');
  return { center, radius };
}

/** The radius is an angle in radians. */
function parseCenterSphere(argument: RawValue): GeoCondition {
  const { center, radius } = parseCircle(argument);
  const cap = { center: vectorOfPosition(center), radius };
  const test = onGeometry(({ points, lines, polygons }) => {
    const vertices = [...points, ...lines.flat(), ...polygons.flatMap(({ outer }) => outer)];
    return vertices.every((vertex) => angleBetween(vertex, cap.center) <= radius);
  });
  return { test, area: { sphere: cap, plane: capInDegrees(cap) } };
}
