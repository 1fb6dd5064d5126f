/** replSetInitiate: makes a replica set, which takes a server that was started as a member of one. */
import { CommandError } from '../../../common/errors.ts';
import { defineCommand } from '../../command/define-command.ts';

export const replSetInitiate = defineCommand({
  name: 'replSetInitiate',
  help: 'Says that this server was not started as a member of a replica set.',
  kind: 'admin',
  access: { action: 'replSetConfigure', on: 'cluster' },
  route: 'never',
  adminOnly: true,
  lenient: true,
  parse: () => undefined,
  execute: () => {
    throw new CommandError(
      'NoReplicationEnabled',
      'This node was not started with replication enabled.',
    );
  },
  reply: () => ({}),
});
