/** startSession: a logical session with an id of the server's choice. Drivers choose their own and need no command. */
import { binaryValue } from '../../../bson/index.ts';
import { defineCommand } from '../../command/define-command.ts';

const UUID_SUBTYPE = 4;

export const startSession = defineCommand({
  name: 'startSession',
  help: 'Starts a logical session.',
  kind: 'admin',
  access: { action: 'none', on: 'anything' },
  route: 'router',
  lenient: true,
  parse: () => undefined,
  execute: (_request, op) => op.service.sessions.start(),
  reply: (session, op) => ({
    id: { id: binaryValue(session.id, UUID_SUBTYPE) },
    timeoutMinutes: op.service.sessions.timeoutMinutes,
  }),
});
