/**
 * $project and $unset: shape documents through the projection family.
 */
import {
  BsonType,
  DocumentBuilder,
  fieldsOf,
  isEmpty,
  type RawValue,
} from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import { compileProjection } from '../../projection/compile.ts';
import { defineStage } from '../definition.ts';
import { renamedFields } from '../renamed-fields.ts';
import { mapStage } from '../map-stage.ts';
import type { QueryContext } from '../../context.ts';
import type { PipelineStage } from '../definition.ts';

function projectionStage(
  name: string,
  specification: Buffer,
  shown: Buffer,
  context: QueryContext,
): PipelineStage {
  const projection = compile(name, specification, context);
  const stage = mapStage(name, shown, () => (document) => projection.apply(document));
  const { pathsRead } = projection;
  const keepsField = fieldsKept(specification);
  return {
    ...stage,
    ...(pathsRead === undefined ? {} : { pathsNeeded: pathsRead }),
    ...(keepsField === undefined ? {} : { keepsField, renamedField: renamedFields(specification) }),
  };
}

/** Which top-level fields go through whole; undefined for what is not plain inclusions, exclusions and computed fields. */
function fieldsKept(specification: Buffer): ((name: string) => boolean) | undefined {
  const included = new Set<string>();
  const touched = new Set<string>();
  let excludes = 0;
  let includes = 0;
  let excludesOfId = 0;
  for (const [path, value] of fieldsOf(specification)) {
    const name = path.split('.')[0];
    const isFlag = value.isNumber || value.type === BsonType.bool;
    const isOut = isFlag && !value.isTruthy();
    if (!isOut && isFlag && path === name) included.add(name);
    else touched.add(name);
    if (name === '_id') excludesOfId += Number(isOut);
    else if (isOut) excludes += 1;
    else includes += 1;
  }
  if (includes > 0 && excludes > 0) return undefined;
  if (includes > 0) {
    return (name) => included.has(name) || (name === '_id' && !touched.has('_id'));
  }
  // {_id: 1} and {_id: '$a'} alone include nothing else; {a: 0} and {_id: 0} keep all others.
  if (excludes === 0 && excludesOfId === 0) return (name) => included.has(name);
  return (name) => !touched.has(name);
}

/** Errors of the projection are shown as MongoDB shows them for a stage. */
function compile(name: string, specification: Buffer, context: QueryContext) {
  try {
    return compileProjection(specification, { context, stage: true });
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    const code = name === '$project' && error.code === 168 ? 31325 : error.code;
    throw new CommandError(code, `Invalid ${name} :: caused by :: ${error.message}`, {
      cause: error,
    });
  }
}

export const $project = defineStage({
  name: '$project',
  position: 'anywhere',
  parse: (argument, { context }, shown) => {
    if (argument.type !== BsonType.object) {
      throw new CommandError(15969, '$project specification must be an object');
    }
    const specification = argument.asDocument();
    if (isEmpty(specification)) {
      throw new CommandError(
        51272,
        'Invalid $project :: caused by :: projection specification must have at least one field',
      );
    }
    return [projectionStage('$project', specification, shown, context)];
  },
});

export const $unset = defineStage({
  name: '$unset',
  position: 'anywhere',
  parse: (argument, { context }, shown) => {
    const paths = unsetPaths(argument);
    const specification = new DocumentBuilder();
    for (const path of paths) specification.appendInt32(path, 0);
    return [projectionStage('$unset', specification.finish(), shown, context)];
  },
});

function unsetPaths(argument: RawValue): readonly string[] {
  if (argument.type !== BsonType.string && argument.type !== BsonType.array) {
    throw new CommandError(31002, '$unset specification must be a string or an array');
  }
  const values =
    argument.type === BsonType.string
      ? [argument]
      : Array.from(fieldsOf(argument.asDocument()), ([, value]) => value);
  if (values.length === 0) {
    throw new CommandError(
      31119,
      '$unset specification must be a string or an array with at least one field',
    );
  }
  return values.map((value) => {
    if (value.type !== BsonType.string) {
      throw new CommandError(
        31120,
        '$unset specification must be a string or an array containing only string values',
      );
    }
    return value.asString();
  });
}
