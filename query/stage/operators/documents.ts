/**
 * $documents: documents written in the pipeline itself.
 */
import { BsonType, EMPTY_DOCUMENT, type RawValue } from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import { compileExpression } from '../../expression/compile.ts';
import { elementsOf } from '../../expression/elements.ts';
import { Scope } from '../../expression/scope.ts';
import type { ScriptSession } from '../../script/script-session.ts';
import { meetsScripts } from '../../script/scripts.ts';
import { defineStage, type PipelineRun } from '../definition.ts';
import { AsyncIterableSource, IterableSource } from '../source.ts';

export const $documents = defineStage({
  name: '$documents',
  position: 'first',
  withoutCollection: true,
  notInside: ['$facet'],
  parse: (argument, { context }, shown) => {
    const { result: expression, session } = meetsScripts(context.scripts, () =>
      compileExpression(argument, context),
    );
    const evaluate = (): Buffer[] => documentsOf(expression.evaluate(new Scope(EMPTY_DOCUMENT)));
    const documents = session === undefined ? evaluate() : [];
    return [
      {
        name: '$documents',
        nature: { kind: 'other' },
        shown,
        isSource: true,
        open: (_input, run) =>
          session === undefined
            ? new IterableSource(documents)
            : new AsyncIterableSource(scriptedDocuments(session, evaluate, run)),
      },
    ];
  },
});

async function* scriptedDocuments(
  session: ScriptSession,
  evaluate: () => Buffer[],
  run: PipelineRun,
): AsyncGenerator<Buffer> {
  yield* await session.repeat(evaluate, run.interruption);
}

function documentsOf(value: RawValue | undefined): Buffer[] {
  if (value?.type !== BsonType.array) {
    throw new CommandError(5858203, "'$documents' must evaluate to an array of objects");
  }
  return elementsOf(value).map((element) => {
    if (element.type === BsonType.object) return element.asDocument();
    throw new CommandError(40228, "'$documents' must evaluate to an array of objects");
  });
}
