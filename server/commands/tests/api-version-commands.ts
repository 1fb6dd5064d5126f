/**
 * Commands that belong to other versions of the stable API, for tests of drivers. They exist with enableTestCommands only, and
 * answer with the API parameters that came with them.
 * Source: MongoDB's versioned API specification for drivers, its test commands.
 */
import { getField } from '../../../bson/index.ts';
import { defineCommand, type Command } from '../../command/define-command.ts';

interface Membership {
  readonly name: string;
  readonly apiVersions: readonly string[];
  readonly deprecatedApiVersions?: readonly string[];
}

function define(membership: Membership): Command {
  return defineCommand({
    ...membership,
    help: 'Belongs to some versions of the stable API. For tests only.',
    kind: 'admin',
    access: { action: 'none', on: 'anything' },
    route: 'router',
    testOnly: true,
    lenient: true,
    parse: (body) => body.bytes,
    execute: (request) => request,
    reply: (request) => ({
      apiVersion: getField(request, 'apiVersion'),
      apiStrict: getField(request, 'apiStrict'),
      apiDeprecationErrors: getField(request, 'apiDeprecationErrors'),
    }),
  });
}

export const testVersion2 = define({ name: 'testVersion2', apiVersions: ['2'] });

export const testVersions1And2 = define({ name: 'testVersions1And2', apiVersions: ['1', '2'] });

export const testDeprecationInVersion2 = define({
  name: 'testDeprecationInVersion2',
  apiVersions: ['1', '2'],
  deprecatedApiVersions: ['2'],
});

export const testDeprecation = define({
  name: 'testDeprecation',
  apiVersions: ['1'],
  deprecatedApiVersions: ['1'],
});

export const testRemoval = define({ name: 'testRemoval', apiVersions: ['1'] });
