/** refreshSessions: sessions that are not in use for a while shall go on. */
import { defineCommand } from '../../command/define-command.ts';
import { sessionIdsOf } from './session-ids.ts';

export const refreshSessions = defineCommand({
  name: 'refreshSessions',
  help: 'Renews the timeout of logical sessions.',
  kind: 'admin',
  access: { action: 'none', on: 'anything' },
  route: 'router',
  apiVersions: ['1'],
  parse: (body) => sessionIdsOf(body.target, 'refreshSessions'),
  execute(ids, op) {
    for (const id of ids) op.service.sessions.use(id);
  },
  reply: () => ({}),
});
