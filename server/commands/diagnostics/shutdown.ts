/** shutdown: stops the server cleanly. */
import { defineCommand } from '../../command/define-command.ts';

export const shutdown = defineCommand({
  name: 'shutdown',
  help: 'Stops the server: running operations are interrupted, and everything is written to disk.',
  kind: 'admin',
  access: { action: 'shutdown', on: 'cluster' },
  route: 'never',
  adminOnly: true,
  parse(body) {
    // Only a replica set has somebody to wait for, or to be forced past.
    body.ignore('force', 'timeoutSecs');
  },
  execute(_request, op) {
    op.service.requestShutdown('the command shutdown');
  },
  reply: () => ({}),
});
