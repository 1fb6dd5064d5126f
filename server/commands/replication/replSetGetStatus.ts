/** replSetGetStatus: the state of the replica set, of which a server alone has none. Shells and tools ask to find out. */
import { CommandError } from '../../../common/errors.ts';
import { defineCommand } from '../../command/define-command.ts';

export const replSetGetStatus = defineCommand({
  name: 'replSetGetStatus',
  help: 'Says that this server is no member of a replica set.',
  kind: 'admin',
  access: { action: 'replSetGetStatus', on: 'cluster' },
  route: 'never',
  adminOnly: true,
  lenient: true,
  parse: () => undefined,
  execute: () => {
    throw new CommandError('NoReplicationEnabled', 'not running with --replSet');
  },
  reply: () => ({}),
});
