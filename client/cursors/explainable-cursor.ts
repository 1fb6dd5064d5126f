/**
 * A cursor whose command the server can explain instead of running it.
 */
import type { Document } from 'bson';
import type {
  CursorOptions,
  ExplainCommandOptions,
  ExplainVerbosityLike,
} from '../types/options.ts';
import { AbstractCursor } from './abstract-cursor.ts';

export abstract class ExplainableCursor<T = unknown> extends AbstractCursor<T> {
  /** The command, for explain. */
  protected abstract explainCommand(
    explain: ExplainVerbosityLike | ExplainCommandOptions,
    options: CursorOptions,
  ): Promise<Document>;

  /** Default: everything, all plans tried. */
  explain(
    verbosity: ExplainVerbosityLike | ExplainCommandOptions | { timeoutMS?: number } = true,
    options: { timeoutMS?: number } = {},
  ): Promise<Document> {
    const isOptions = typeof verbosity === 'object' && !('verbosity' in verbosity);
    const timeoutMS = isOptions ? verbosity.timeoutMS : options.timeoutMS;
    return this.explainCommand(isOptions ? true : verbosity, {
      ...this.cursorOptions,
      ...(timeoutMS === undefined ? {} : { timeoutMS }),
    });
  }
}
