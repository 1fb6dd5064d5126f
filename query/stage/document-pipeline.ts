/**
 * Pipelines over one document: those of updates and of $merge. Stages are those that treat each document by itself.
 */
import { FieldCursor } from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import type { QueryContext } from '../context.ts';
import type { StageDefinition, StageParser } from './definition.ts';
import { $addFields, $set } from './operators/add-fields.ts';
import { $project, $unset } from './operators/project.ts';
import { $replaceRoot, $replaceWith } from './operators/replace-root.ts';
import type { DocumentMap } from './source.ts';

const ALLOWED: ReadonlyMap<string, StageDefinition> = new Map(
  [$addFields, $set, $project, $unset, $replaceRoot, $replaceWith].map((stage) => [
    stage.name,
    stage,
  ]),
);

/** @throws CommandError InvalidOptions for another stage, 40323 for a stage of several keys. */
export function compileDocumentPipeline(
  stages: readonly Buffer[],
  context: QueryContext,
): (document: Buffer) => Buffer {
  const parser: StageParser = {
    context,
    database: '',
    namespace: '',
    parsePipeline: () => [],
  };
  const maps: DocumentMap[] = stages.flatMap((stage) => {
    const cursor = new FieldCursor(stage);
    const hasFirst = cursor.next();
    const name = hasFirst ? cursor.name : '';
    const argument = hasFirst ? cursor.value() : undefined;
    if (argument === undefined || cursor.next()) {
      throw new CommandError(
        40323,
        'A pipeline stage specification object must contain exactly one field.',
      );
    }
    const definition = ALLOWED.get(name);
    if (definition === undefined) {
      throw new CommandError(
        'InvalidOptions',
        `${name} is not allowed to be used within an update`,
      );
    }
    return definition
      .parse(argument, parser, stage)
      .flatMap((parsed) => (parsed.map === undefined ? [] : [parsed.map()]));
  });
  return (document) => maps.reduce((current, map) => map(current) ?? current, document);
}
