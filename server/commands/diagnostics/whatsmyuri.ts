/** whatsmyuri: the client's address as the server sees it. */
import { defineCommand } from '../../command/define-command.ts';

export const whatsmyuri = defineCommand({
  name: 'whatsmyuri',
  help: 'Tells a client its address as the server sees it.',
  kind: 'admin',
  access: { action: 'none', on: 'anything' },
  route: 'router',
  beforeAuth: true,
  lenient: true,
  parse: () => undefined,
  execute: () => undefined,
  reply: (_result, op) => ({ you: op.connection?.remote ?? '' }),
});
