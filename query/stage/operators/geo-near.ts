/**
 * $geoNear: documents by their distance from a point, with the distance as a field. The planner makes the search of it; the stage
 * puts into each document what the search knows.
 *
 * Source: MongoDB's manual, "$geoNear"; the codes are MongoDB's.
 */
import {
  BsonType,
  DocumentBuilder,
  documentOf,
  doubleValue,
  EMPTY_DOCUMENT,
  fieldsOf,
  getField,
  inspect,
  type RawValue,
} from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import { CommandError } from '../../../common/errors.ts';
import type { QueryContext } from '../../context.ts';
import { metadataOf } from '../../document-metadata.ts';
import { compileExpression } from '../../expression/compile.ts';
import { splitFieldPath } from '../../expression/field-path.ts';
import { compileQueryFilter } from '../../matcher/compile.ts';
import { specialConditionsOf } from '../../matcher/special-conditions.ts';
import { defineStage, type GeoNearSearch } from '../definition.ts';
import { withPath } from '../document-path.ts';
import { mapStage } from '../map-stage.ts';

export const $geoNear = defineStage({
  name: '$geoNear',
  position: 'first',
  notInside: ['$facet'],
  parse: (argument, { context }, shown) => {
    uassert(
      argument.type === BsonType.object,
      10065,
      'invalid parameter: expected an object ($geoNear)',
    );
    const options = new Map(fieldsOf(argument.asDocument()));
    checkNames(options);
    const distanceField = stringOption(options, 'distanceField', 16606);
    uassert(
      distanceField !== undefined,
      16606,
      "$geoNear requires a 'distanceField' option as a String",
    );
    const distanceParts = splitFieldPath(distanceField);
    const includeLocs = stringOption(options, 'includeLocs', 16607);
    const pointParts = includeLocs === undefined ? undefined : splitFieldPath(includeLocs);
    const multiplier = numberOption(options, 'distanceMultiplier', context) ?? 1;
    uassert(multiplier >= 0, 'BadValue', 'distanceMultiplier must be nonnegative');
    const search: GeoNearSearch = {
      key: keyOption(options),
      query: queryOption(options, context),
      condition: conditionOf(options, context),
    };
    const addFields = (document: Buffer): Buffer => {
      const { geoNearDistance, geoNearPoint } = metadataOf(document) ?? {};
      if (geoNearDistance === undefined) return document;
      const distance = doubleValue(geoNearDistance.asNumber() * multiplier);
      const measured = withPath(document, distanceParts, distance);
      return pointParts === undefined ? measured : withPath(measured, pointParts, geoNearPoint);
    };
    return [mapStage('$geoNear', shown, () => addFields, { kind: 'geoNear', search })];
  },
});

const NAMES: ReadonlySet<string> = new Set([
  'near',
  'distanceField',
  'includeLocs',
  'query',
  'minDistance',
  'maxDistance',
  'distanceMultiplier',
  'spherical',
  'key',
  'uniqueDocs',
]);

function checkNames(options: ReadonlyMap<string, RawValue>): void {
  for (const name of options.keys()) {
    if (NAMES.has(name)) continue;
    if (name === 'limit' || name === 'num') {
      throw new CommandError(
        50858,
        `$geoNear no longer supports the '${name}' parameter. Use a $limit stage`,
      );
    }
    uassert(
      name !== 'start',
      50856,
      "$geoNear no longer supports the 'start' argument. Use a $skip stage instead.",
    );
    uassert(
      name !== 'collation',
      40227,
      "$geoNear does not accept the 'collation' parameter. Instead, specify a collation for the entire aggregation command.",
    );
    throw new CommandError(50857, `Unknown argument to $geoNear: ${name}`);
  }
}

function stringOption(
  options: ReadonlyMap<string, RawValue>,
  name: string,
  code: number,
): string | undefined {
  const value = options.get(name);
  if (value === undefined) return undefined;
  if (value.type === BsonType.string) return value.asString();
  throw new CommandError(
    code,
    name === 'includeLocs'
      ? "$geoNear requires that 'includeLocs' option is a String"
      : `$geoNear requires that the '${name}' option is a String`,
  );
}

/** A number, or an expression that gives one for all documents. */
function numberOption(
  options: ReadonlyMap<string, RawValue>,
  name: string,
  context: QueryContext,
): number | undefined {
  const given = options.get(name);
  if (given === undefined) return undefined;
  const value = constantOf(name, given, context);
  if (value?.isNumber === true) return value.asNumber();
  throw new CommandError(
    7555701,
    `$geoNear requires that the '${name}' option evaluates to a number, found: ${inspect(given)}`,
  );
}

function constantOf(name: string, given: RawValue, context: QueryContext): RawValue | undefined {
  const { constant } = compileExpression(given, context);
  uassert(constant !== undefined, 5860401, `$geoNear requires that '${name}' is a constant`);
  return constant.value;
}

function keyOption(options: ReadonlyMap<string, RawValue>): string | undefined {
  const value = options.get('key');
  if (value === undefined) return undefined;
  if (value.type !== BsonType.string) {
    throw new CommandError(
      'TypeMismatch',
      `$geoNear parameter 'key' must be of type string but found type: ${value.typeName}`,
    );
  }
  const key = value.asString();
  uassert(key !== '', 'BadValue', "$geoNear parameter 'key' cannot be the empty string");
  return key;
}

function queryOption(options: ReadonlyMap<string, RawValue>, context: QueryContext): Buffer {
  const value = options.get('query');
  if (value === undefined) return EMPTY_DOCUMENT;
  uassert(value.type === BsonType.object, 'TypeMismatch', 'query must be an object');
  const query = value.asDocument();
  const { near, text } = specialConditionsOf(compileQueryFilter(query, context).tree);
  uassert(
    near === undefined,
    'BadValue',
    `$near is not allowed inside of a $geoNear aggregation expression`,
  );
  uassert(text === undefined, 'BadValue', 'text and geoNear not allowed in same query');
  return query;
}

function conditionOf(options: ReadonlyMap<string, RawValue>, context: QueryContext): Buffer {
  const given = options.get('near');
  uassert(given !== undefined, 5860400, "$geoNear requires a 'near' argument");
  const near = constantOf('near', given, context);
  const isContainer = near?.type === BsonType.object || near?.type === BsonType.array;
  if (near === undefined || !isContainer) {
    throw new CommandError(
      5860402,
      `$geoNear requires that 'near' evaluates to an object or array, found: ${inspect(given)}`,
    );
  }
  const isSpherical = options.get('spherical')?.isTruthy() ?? false;
  const isGeoJson =
    near.type === BsonType.object && getField(near.asDocument(), 'type')?.type === BsonType.string;
  const limits = Object.fromEntries(
    (['minDistance', 'maxDistance'] as const).flatMap((name) => {
      const limit = numberOption(options, name, context);
      return limit === undefined ? [] : [[`$${name}`, doubleValue(limit)]];
    }),
  );
  if (isGeoJson) {
    const inner = documentOf({ $geometry: near, ...limits });
    return new DocumentBuilder().appendDocument('$nearSphere', inner).finish();
  }
  return documentOf({ [isSpherical ? '$nearSphere' : '$near']: near, ...limits });
}
