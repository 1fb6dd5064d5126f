/** killAllSessions: ends the sessions of some users, or of everybody. */
import { defineCommand } from '../../command/define-command.ts';
import { documentsOf } from './session-ids.ts';

export const killAllSessions = defineCommand({
  name: 'killAllSessions',
  help: 'Ends all logical sessions, or those of the users named.',
  kind: 'admin',
  access: { action: 'killAnySession', on: 'cluster' },
  route: 'allShards',
  parse: (body) => documentsOf(body.target, 'killAllSessions'),
  execute(users, op) {
    // Without access control no session belongs to a user by name.
    if (users.length === 0) op.service.sessions.endAll();
  },
  reply: () => ({}),
});
