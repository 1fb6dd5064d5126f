/**
 * The stable API: which commands belong to version 1, and what apiStrict refuses.
 * Source: MongoDB's versioned API specification for drivers; manual, "Stable API".
 */
import { CommandError } from '../../common/errors.ts';
import type { Command } from './define-command.ts';
import type { GenericArguments } from './generic-arguments.ts';

export function checkApiVersion(command: Command, generic: GenericArguments): void {
  const { apiVersion, apiStrict } = generic;
  if (apiVersion === undefined) {
    throw new CommandError(
      4_886_600,
      'Provided apiStrict and/or apiDeprecationErrors without passing apiVersion',
    );
  }
  if (apiVersion !== '1') {
    throw new CommandError('APIVersionError', 'API version must be "1"');
  }
  if (apiStrict === true && command.apiVersions?.includes(apiVersion) !== true) {
    throw new CommandError(
      'APIStrictError',
      `Provided apiStrict:true, but the command ${command.name} is not in API Version 1. Information on supported commands and migrations in API Version 1 can be found at https://dochub.mongodb.org/core/manual-versioned-api`,
    );
  }
}
