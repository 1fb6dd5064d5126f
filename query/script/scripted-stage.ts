/**
 * Puts what prepares scripts in front of a pipeline stage that contains some.
 */
import type { PipelineStage } from '../stage/definition.ts';
import { ScriptedSource } from './scripted-source.ts';
import type { ScriptSession } from './script-session.ts';

/**
 * @param session undefined when no script was met while the stage was compiled.
 * @returns the stage itself when it evaluates nothing on its input (its inner pipelines look after themselves).
 */
export function withScripts(
  stage: PipelineStage,
  session: ScriptSession | undefined,
): PipelineStage {
  const { evaluation } = stage;
  if (session === undefined || evaluation === undefined || stage.preparesScripts === true) {
    return stage;
  }
  return {
    ...stage,
    preparesScripts: true,
    letsGo: false,
    open: (input, run) => {
      const evaluate = evaluation.start();
      const keepAll = evaluation.isLate === true;
      return stage.open(new ScriptedSource(run, input, session, { evaluate, keepAll }), run);
    },
  };
}
