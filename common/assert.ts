/**
 * The three assertions of STYLE: what a client did wrong, a bug in one operation, a bug in shared state.
 *
 * Promises: messages are literals; nothing is formatted for a check that passes. Assertions stay on in production.
 */
import { CommandError, type ErrorCodeName } from './errors.ts';

/** A bug in shared state (journal, delta, allocation). The process must end; recovery is the ordinary start. */
export class InvariantError extends Error {
  constructor(message: string) {
    super(`Invariant failed: ${message}`);
    this.name = 'InvariantError';
  }
}

/** The client asked for something wrong: throws a CommandError that becomes the error reply. */
export function uassert(ok: boolean, code: ErrorCodeName | number, message: string): asserts ok {
  if (!ok) throw new CommandError(code, message);
}

/** A bug confined to this operation: an InternalError reply. */
export function tassert(ok: boolean, message: string): asserts ok {
  if (!ok) throw new CommandError('InternalError', message);
}

let reportInvariant: (error: InvariantError) => void = () => {};

/**
 * Installs what happens at a failed invariant before the throw: a program logs and exits the process, so that no
 * `catch` on the way up can carry on with broken state. Tests leave it out and see the throw.
 */
export function onInvariantFailure(report: (error: InvariantError) => void): void {
  reportInvariant = report;
}

/** A bug in shared state: logs and ends the process. */
export function invariant(ok: boolean, message: string): asserts ok {
  if (ok) return;
  const error = new InvariantError(message);
  reportInvariant(error);
  throw error;
}

/** For the default branch of an exhaustive switch. */
export function unreachable(value: never): never {
  throw new InvariantError(`unreachable value ${String(value)}`);
}
