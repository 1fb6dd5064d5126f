/** ping: is anybody there? */
import { defineCommand } from '../../command/define-command.ts';

export const ping = defineCommand({
  name: 'ping',
  help: 'Answers at once, whatever else the server is doing.',
  kind: 'admin',
  access: { action: 'none', on: 'anything' },
  route: 'router',
  apiVersions: ['1'],
  beforeAuth: true,
  passesBarrier: true,
  lenient: true,
  parse: () => undefined,
  execute: () => undefined,
  reply: () => ({}),
});
