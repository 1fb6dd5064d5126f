/**
 * Parses pipelines: finds each stage's definition, and checks where it may stand.
 */
import { FieldCursor } from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import type { QueryContext } from '../context.ts';
import type { PipelineStage, StageDefinition, StageParser } from './definition.ts';
import { meetsLongWork } from '../expression/long-work.ts';
import { meetsScripts } from '../script/scripts.ts';
import { withScripts } from '../script/scripted-stage.ts';
import { withWatch } from './watched-source.ts';
import { findStage } from './registry.ts';

/** Most stages of one pipeline, those inside others not counted. */
const MAX_STAGES = 1000;
/** $lookup in $lookup in ...: each level runs its pipeline for each document of the one around it. */
const MAX_NESTED_PIPELINES = 20;

export interface PipelineWhere {
  readonly database: string;
  /** "database.collection" */
  readonly namespace: string;
  /** The pipeline has no collection below (aggregate: 1): it begins with a source that needs none. */
  readonly withoutCollection?: boolean;
  /** Stages whose pipelines enclose this one, outermost first. */
  readonly inside?: readonly string[];
}

/** @throws CommandError 40324 for an unknown stage, 40323 for a stage of several keys, 40602 and 40601 for a wrong place. */
export function parsePipeline(
  stages: readonly Buffer[],
  context: QueryContext,
  where: PipelineWhere,
): readonly PipelineStage[] {
  if (stages.length > MAX_STAGES) {
    throw new CommandError(7749501, `Pipeline length must be no longer than ${MAX_STAGES} stages`);
  }
  const inside = where.inside ?? [];
  if (inside.filter((name) => name !== '$facet').length > MAX_NESTED_PIPELINES) {
    throw new CommandError(
      'MaxSubPipelineDepthExceeded',
      `Maximum number of nested sub-pipelines exceeded. Limit is ${MAX_NESTED_PIPELINES}`,
    );
  }
  const parser: StageParser = {
    context,
    database: where.database,
    namespace: where.namespace,
    parsePipeline: (nested, name, innerContext = context) =>
      parsePipeline(nested, innerContext, { ...where, inside: [...inside, name] }),
  };
  return stages.flatMap((stage, position) => {
    const { definition, cursor } = definitionOf(stage);
    checkPlace(definition, position, stages.length, where);
    const { result: parsed, longWork } = meetsLongWork(() =>
      meetsScripts(context.scripts, () => definition.parse(cursor.value(), parser, stage)),
    );
    const prepared = parsed.result.map((each) => withScripts(each, parsed.session));
    return longWork === undefined ? prepared : prepared.map((each) => withWatch(each, longWork));
  });
}

function definitionOf(stage: Buffer): { definition: StageDefinition; cursor: FieldCursor } {
  const cursor = new FieldCursor(stage);
  const more = new FieldCursor(stage);
  if (!cursor.next() || (more.next() && more.next())) {
    throw new CommandError(
      40323,
      'A pipeline stage specification object must contain exactly one field.',
    );
  }
  const definition = findStage(cursor.name);
  if (definition === undefined) {
    throw new CommandError(40324, `Unrecognized pipeline stage name: '${cursor.name}'`);
  }
  return { definition, cursor };
}

function checkPlace(
  definition: StageDefinition,
  position: number,
  length: number,
  where: PipelineWhere,
): void {
  const { name } = definition;
  const inside = where.inside ?? [];
  const forbidding = inside.find((outer) => definition.notInside?.includes(outer) === true);
  if (forbidding !== undefined) {
    const code = forbidding === '$facet' ? 40600 : forbidding === '$lookup' ? 51047 : 31441;
    throw new CommandError(code, `${name} is not allowed to be used within a ${forbidding} stage`);
  }
  if (definition.position === 'first' && position > 0) {
    throw new CommandError(40602, `${name} is only valid as the first stage in a pipeline.`);
  }
  if (definition.position === 'last' && position < length - 1) {
    throw new CommandError(40601, `${name} can only be the final stage in the pipeline`);
  }
  if (position > 0 || inside.length > 0) return;
  if (where.withoutCollection === true && definition.withoutCollection !== true) {
    throw new CommandError(
      'InvalidNamespace',
      `{aggregate: 1} is not valid for '${name}'; a collection is required.`,
    );
  }
}
