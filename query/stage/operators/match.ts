/**
 * $match: keeps the documents that match a filter.
 */
import { BsonType, documentOf } from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import { compileFilter } from '../../matcher/compile.ts';
import type { QueryContext } from '../../context.ts';
import { defineStage, type PipelineStage } from '../definition.ts';
import { mapStage } from '../map-stage.ts';

/** A $match that a client or the planner made. */
export function matchStage(filter: Buffer, context: QueryContext): PipelineStage {
  const makeMap = () => {
    const compiled = compileFilter(filter, context);
    return (document: Buffer) => (compiled.matches(document) ? document : undefined);
  };
  return mapStage('$match', documentOf({ $match: filter }), makeMap, { kind: 'match', filter });
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
    compileFilter(filter, context); // For its errors.
    return [matchStage(filter, context)];
  },
});
