/**
 * backupBarrierEnd: lets go what backupBarrier held back.
 */
import { doubleValue } from '../../../bson/index.ts';
import { defineCommand } from '../../command/define-command.ts';
import { backupIdOf } from './backup-id.ts';

export const backupBarrierEnd = defineCommand({
  name: 'backupBarrierEnd',
  help: 'Ends a backupBarrier and says how long it was up.',
  kind: 'admin',
  access: { action: 'fsync', on: 'cluster' },
  route: 'never',
  adminOnly: true,
  passesBarrier: true,
  parse: backupIdOf,
  execute: (id, op) => op.service.backupBarrier.release(id),
  reply: (heldMs) => ({ heldMillis: doubleValue(heldMs) }),
});
