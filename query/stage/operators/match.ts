/**
 * $match: keeps the documents that match a filter.
 */
import { BsonType, documentOf } from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import { compileFilter } from '../../matcher/compile.ts';
import type { QueryContext } from '../../context.ts';
import { specialConditionsOf } from '../../matcher/special-conditions.ts';
import { defineStage, type PipelineStage, type StageNature } from '../definition.ts';
import { mapStage } from '../map-stage.ts';

/** A $match that a client or the planner made. */
export function matchStage(filter: Buffer, context: QueryContext): PipelineStage {
  const makeMap = () => {
    const compiled = compileFilter(filter, context);
    return (document: Buffer) => (compiled.matches(document) ? document : undefined);
  };
  const nature: StageNature = { kind: 'match', filter, hasText: hasText(filter, context) };
  return mapStage('$match', documentOf({ $match: filter }), makeMap, nature);
}

/** $text: the planner must find it at the pipeline's beginning. */
function hasText(filter: Buffer, context: QueryContext): boolean {
  if (!filter.includes('$text')) return false;
  const { tree } = compileFilter(filter, context, { text: true });
  return specialConditionsOf(tree).text !== undefined;
}

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
    compileFilter(filter, context, { text: true }); // For its errors.
    return [matchStage(filter, context)];
  },
});
