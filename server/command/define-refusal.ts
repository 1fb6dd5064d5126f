/**
 * Commands that MongoDB knows and always refuses on a server like this one: outside a replica set, outside a cluster, without
 * search, without encryption. Clients ask to find out what they met, so code and message are MongoDB's.
 */
import { CommandError, type ErrorCodeName } from '../../common/errors.ts';
import { defineCommand, type Command, type CommandTraits } from './define-command.ts';

export interface Refusal extends Omit<CommandTraits, 'kind' | 'refusal' | 'lenient'> {
  /** A name of ERROR_CODES, or the number of a code that has no name. */
  readonly code: ErrorCodeName | number;
  readonly message: string;
  /** Its argument names a collection, which is checked first. */
  readonly onCollection?: boolean;
}

export function defineRefusal(refusal: Refusal): Command {
  const { code, message, onCollection, ...traits } = refusal;
  return defineCommand({
    ...traits,
    kind: 'admin',
    lenient: true,
    refusal: code,
    parse: (body) => (onCollection === true ? body.collection() : undefined),
    execute: () => {
      throw new CommandError(code, message);
    },
    reply: () => ({}),
  });
}
