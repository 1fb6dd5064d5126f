/**
 * How the document knows whether a feature works: its definition is there, or an example of it is accepted.
 */
import assert from 'node:assert/strict';
import { CommandError } from '../../../common/errors.ts';

export type Support =
  | { readonly works: true; readonly note: string }
  | { readonly works: false; readonly note: string };

/** Codes by which a definition says that what it defines is not there, whatever its argument. */
const NOT_THERE: ReadonlySet<string> = new Set([
  'CommandNotSupported',
  'IndexNotFound',
  'NoQueryExecutionPlans',
  'NotImplemented',
  'SearchNotEnabled',
]);

/** Runs what a client's request would run. @returns the error that the client would get. Any other error is a bug. */
function errorOf(attempt: () => unknown): CommandError | undefined {
  try {
    attempt();
    return undefined;
  } catch (error) {
    if (error instanceof CommandError) return error;
    throw error;
  }
}

function refusedWith({ code, codeName }: CommandError): Support {
  const shown = codeName === `Location${code}` ? `\`${codeName}\`` : `\`${codeName}\` (${code})`;
  return { works: false, note: `error ${shown}` };
}

/** A feature that is there when an example of it is accepted. */
export function supportByExample(attempt: () => unknown, note = ''): Support {
  const error = errorOf(attempt);
  return error === undefined ? { works: true, note } : refusedWith(error);
}

/**
 * A feature that has a definition, or has none.
 * @param attempt uses it with an argument that need not be a good one: the error of a definition that is there for
 *   nothing but its own refusal, and of a name without a definition, are both about the name.
 */
export function supportByDefinition(
  name: string,
  note: string | undefined,
  attempt: () => unknown,
): Support {
  const error = errorOf(attempt);
  if (note === undefined) {
    assert.ok(error, `${name} has no definition, and is accepted`);
    return refusedWith(error);
  }
  if (error !== undefined && NOT_THERE.has(error.codeName)) return refusedWith(error);
  return { works: true, note };
}
