/**
 * Names of variables that a user may define: in $let, `as`, and `let` of commands and $lookup.
 */
import { CommandError } from '../../common/errors.ts';

/** @param mayRebindCurrent $let may redefine CURRENT. */
export function checkUserVariable(name: string, mayRebindCurrent = false): void {
  if (name === '') throw new CommandError('FailedToParse', 'empty variable names are not allowed');
  if (mayRebindCurrent && name === 'CURRENT') return;
  if (!/^[a-z\u0080-\uffff]/.test(name)) {
    throw new CommandError(
      'FailedToParse',
      `'${name}' starts with an invalid character for a user variable name`,
    );
  }
  if (!/^[\w\u0080-\uffff]*$/.test(name)) {
    throw new CommandError(
      'FailedToParse',
      `'${name}' contains an invalid character for a variable name`,
    );
  }
}
