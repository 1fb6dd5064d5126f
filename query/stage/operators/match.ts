/**
 * $match: keeps the documents that match a filter.
 */
import { BsonType, documentOf } from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import { compileFilter } from '../../matcher/compile.ts';
import type { QueryContext } from '../../context.ts';
import { specialConditionsOf } from '../../matcher/special-conditions.ts';
import { withScripts } from '../../script/scripted-stage.ts';
import { meetsScripts } from '../../script/scripts.ts';
import { defineStage, type PipelineStage, type StageNature } from '../definition.ts';
import { mapStage } from '../map-stage.ts';

/** A $match that a client or the planner made. */
export function matchStage(filter: Buffer, context: QueryContext): PipelineStage {
  const makeMap = () => {
    const compiled = compileFilter(filter, context, FEATURES);
    return (document: Buffer) => (compiled.matches(document) ? document : undefined);
  };
  const { result: stage, session } = meetsScripts(context.scripts, () => {
    compileFilter(filter, context, FEATURES); // For its errors, and to learn whether it contains scripts.
    const nature: StageNature = { kind: 'match', filter, hasText: hasText(filter, context) };
    return mapStage('$match', documentOf({ $match: filter }), makeMap, nature);
  });
  return withScripts(stage, session);
}

/** $text: the planner must find it at the pipeline's beginning. */
function hasText(filter: Buffer, context: QueryContext): boolean {
  if (!filter.includes('$text')) return false;
  const { tree } = compileFilter(filter, context, FEATURES);
  return specialConditionsOf(tree).text !== undefined;
}

/** MongoDB knows $where in queries only, not in pipelines. */
const FEATURES = { javascript: false, text: true };

export const $match = defineStage({
  name: '$match',
  position: 'anywhere',
  parse: (argument, { context }) => {
    uassert(
      argument.type === BsonType.object,
      15959,
      'the match filter must be an expression in an object',
    );
    const filter = argument.asDocument();
    return [matchStage(filter, context)];
  },
});
