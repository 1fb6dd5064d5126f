/**
 * lockInfo: locks that are held. The engine orders writes without any, so that fsync's is the only one.
 * Source: MongoDB's manual, "lockInfo".
 */
import { defineCommand } from '../../command/define-command.ts';
import type { ReplyFields } from '../../command/reply.ts';

export const lockInfo = defineCommand({
  name: 'lockInfo',
  help: 'Lists the locks that are held.',
  kind: 'admin',
  access: { action: 'serverStatus', on: 'cluster' },
  route: 'never',
  adminOnly: true,
  parse: (body) => body.ignore('includeStorageEngineDump'),
  execute: (_request, op) => (op.service.writeGate.isClosed ? [FSYNC_LOCK] : []),
  reply: (locks) => ({ lockInfo: locks }),
});

const FSYNC_LOCK: ReplyFields = {
  resourceId: '{2305843009213693953: Global, 1}',
  granted: [
    {
      mode: 'S',
      convertMode: 'NONE',
      enqueueAtFront: false,
      compatibleFirst: false,
      debugInfo: '',
      clientInfo: { desc: 'fsyncLockWorker' },
    },
  ],
  pending: [],
};
