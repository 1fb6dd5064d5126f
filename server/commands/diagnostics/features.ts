/** features: an old command by which shells asked for server-side JavaScript. */
import { defineCommand } from '../../command/define-command.ts';

export const features = defineCommand({
  name: 'features',
  help: 'Says whether the server runs JavaScript.',
  kind: 'admin',
  access: { action: 'none', on: 'anything' },
  route: 'router',
  lenient: true,
  parse: () => undefined,
  execute: (_request, op) => op.service.scripts !== undefined,
  reply: (js) => ({ js }),
});
