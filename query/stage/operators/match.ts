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
import { withWatch } from '../watched-source.ts';
import { mapStage } from '../map-stage.ts';

/** A $match that a client or the planner made. */
export function matchStage(filter: Buffer, context: QueryContext): PipelineStage {
  const { result: stage, session } = meetsScripts(context.scripts, () => {
    // For its errors, and to learn whether it contains scripts or takes long.
    const first = compileFilter(filter, context, FEATURES);
    const { longWork } = first;
    const makeMap = () => {
      // The planner has not made a find of it, so there is no index to ask.
      uassert(
        !hasText(filter, context),
        17313,
        '$match with $text is only allowed as the first pipeline stage',
      );
      // A filter keeps scratch state, so each run has its own; but what was done is known to the same filter only.
      const compiled = longWork === undefined ? compileFilter(filter, context, FEATURES) : first;
      return (document: Buffer) => (compiled.matches(document) ? document : undefined);
    };
    const nature: StageNature = { kind: 'match', filter, hasText: hasText(filter, context) };
    const made = mapStage('$match', documentOf({ $match: filter }), makeMap, nature);
    return { made, longWork };
  });
  const { made, longWork } = stage;
  if (session !== undefined) return withScripts(made, session);
  return longWork === undefined ? made : withWatch(made, longWork);
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
