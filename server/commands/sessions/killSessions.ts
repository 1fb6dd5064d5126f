/** killSessions: ends sessions with all that runs in them; an empty array means all sessions of this user. */
import { defineCommand } from '../../command/define-command.ts';
import { sessionKeyOf } from '../../sessions/session-registry.ts';
import { sessionIdsOf } from './session-ids.ts';

export const killSessions = defineCommand({
  name: 'killSessions',
  help: 'Ends logical sessions, their operations and their cursors.',
  kind: 'admin',
  access: { action: 'killAnySession', on: 'cluster' },
  route: 'allShards',
  parse: (body) => sessionIdsOf(body.target, 'killSessions'),
  execute(ids, op) {
    // Without access control all sessions belong to the one user there is.
    if (ids.length === 0) op.service.sessions.endAll();
    for (const id of ids) op.service.sessions.end(sessionKeyOf(id));
  },
  reply: () => ({}),
});
