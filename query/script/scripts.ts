/**
 * Server-side JavaScript as compilers see it: whether there is any, how many uses were met, and the session that runs them.
 *
 * Owns: the session, made when the first use is compiled: most operations have none.
 */
import { ScriptSession, type ScriptSessionOptions } from './script-session.ts';
import type { ScriptThreads } from './script-threads.ts';

export class Scripts {
  /** Counts uses as they are compiled: whoever compiles something looks before and after. */
  compiledCount = 0;
  private readonly threads: ScriptThreads;
  private readonly options: ScriptSessionOptions;
  private made: ScriptSession | undefined;

  constructor(threads: ScriptThreads, options: ScriptSessionOptions) {
    this.threads = threads;
    this.options = options;
  }

  /** mapReduce's own expressions may be used. */
  get isMapReduce(): boolean {
    return this.options.isMapReduce ?? false;
  }

  /** undefined while nothing needs it. */
  get running(): ScriptSession | undefined {
    return this.made;
  }

  /** One use of JavaScript is compiled: the session that will run it. */
  use(): ScriptSession {
    this.compiledCount += 1;
    return (this.made ??= new ScriptSession(this.threads, this.options));
  }
}

/** Whether `compile` met scripts. */
export function meetsScripts<Result>(
  scripts: Scripts | undefined,
  compile: () => Result,
): { readonly result: Result; readonly session: ScriptSession | undefined } {
  const before = scripts?.compiledCount;
  const result = compile();
  return { result, session: scripts?.compiledCount === before ? undefined : scripts?.running };
}
