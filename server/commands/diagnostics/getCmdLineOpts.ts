/** getCmdLineOpts: how the server was started. */
import { serialize } from 'bson';
import { defineCommand } from '../../command/define-command.ts';

export const getCmdLineOpts = defineCommand({
  name: 'getCmdLineOpts',
  help: 'Shows the options that the server was started with.',
  kind: 'admin',
  access: { action: 'getCmdLineOpts', on: 'cluster' },
  route: 'router',
  adminOnly: true,
  parse: () => undefined,
  execute: (_request, op) => op.service.identity,
  reply: (identity) => ({
    argv: identity.argv,
    parsed: Buffer.from(serialize({ ...identity.parsedOptions })),
  }),
});
