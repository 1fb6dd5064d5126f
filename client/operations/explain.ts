/**
 * explain around a command: how the server would run it, instead of running it.
 */
import type { Document } from 'bson';
import { MongoInvalidArgumentError } from '../errors/driver-errors.ts';
import type { ExplainCommandOptions, ExplainVerbosityLike } from '../types/options.ts';

export type ExplainRequest = ExplainVerbosityLike | ExplainCommandOptions | undefined;

/** @returns undefined when nothing is to be explained. */
export function explainVerbosity(explain: unknown): string | undefined {
  if (explain === undefined || explain === false) return undefined;
  if (explain === true) return 'allPlansExecution';
  if (typeof explain === 'string') return explain;
  const verbosity: unknown =
    typeof explain === 'object' && explain !== null ? Reflect.get(explain, 'verbosity') : undefined;
  if (typeof verbosity === 'string') return verbosity;
  throw new MongoInvalidArgumentError(
    'Field "explain" must be a string, a boolean or an object with a verbosity',
  );
}

/** The command as it is, or inside explain; a limit of the explain itself goes around. */
export function explained(command: Document, explain: ExplainRequest): Document {
  const verbosity = explainVerbosity(explain);
  if (verbosity === undefined) return command;
  const limit = typeof explain === 'object' ? explain.maxTimeMS : undefined;
  return { explain: command, verbosity, ...(limit === undefined ? {} : { maxTimeMS: limit }) };
}
