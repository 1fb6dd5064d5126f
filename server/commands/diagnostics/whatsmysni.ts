/** whatsmysni: the name by which a TLS client asked for this server; empty without TLS. */
import { defineCommand } from '../../command/define-command.ts';

export const whatsmysni = defineCommand({
  name: 'whatsmysni',
  help: 'Tells a client the server name of its TLS handshake.',
  kind: 'admin',
  access: { action: 'none', on: 'anything' },
  route: 'router',
  beforeAuth: true,
  lenient: true,
  parse: () => undefined,
  execute: () => undefined,
  reply: () => ({ sni: '' }),
});
