/** endSessions: a driver is through with its sessions; their cursors are closed. */
import { defineCommand } from '../../command/define-command.ts';
import { sessionKeyOf } from '../../sessions/session-registry.ts';
import { sessionIdsOf } from './session-ids.ts';

export const endSessions = defineCommand({
  name: 'endSessions',
  help: 'Ends logical sessions.',
  kind: 'admin',
  access: { action: 'none', on: 'anything' },
  route: 'router',
  apiVersions: ['1'],
  beforeAuth: true,
  parse: (body) => sessionIdsOf(body.target, 'endSessions'),
  execute(ids, op) {
    for (const id of ids) op.service.sessions.end(sessionKeyOf(id));
  },
  reply: () => ({}),
});
