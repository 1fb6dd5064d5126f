/**
 * backupClose: ends a backup, so that what it holds can be used again.
 */
import { defineCommand } from '../../command/define-command.ts';
import { backupIdOf } from './backup-id.ts';

export const backupClose = defineCommand({
  name: 'backupClose',
  help: 'Ends an open backup and lets go what it holds.',
  kind: 'admin',
  access: { action: 'fsync', on: 'cluster' },
  route: 'never',
  adminOnly: true,
  passesBarrier: true,
  parse: backupIdOf,
  execute: (id, op) => op.service.backups.close(id),
  reply: () => ({}),
});
