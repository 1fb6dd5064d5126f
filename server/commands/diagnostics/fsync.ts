/** fsync: everything written so far becomes part of the base. */
import { defineCommand } from '../../command/define-command.ts';

export const fsync = defineCommand({
  name: 'fsync',
  help: 'Takes a checkpoint and waits until it is on the device.',
  kind: 'admin',
  access: { action: 'fsync', on: 'cluster' },
  route: 'allShards',
  adminOnly: true,
  parse(body) {
    // A flush that nobody waits for would promise nothing: `async` has had no effect in MongoDB for long.
    body.ignore('async', 'fsyncLockAcquisitionTimeoutMillis');
    body.refuse('lock');
  },
  execute: (_request, op) => op.waitFor(op.engine.checkpoint()),
  reply: () => ({ numFiles: 1 }),
});
