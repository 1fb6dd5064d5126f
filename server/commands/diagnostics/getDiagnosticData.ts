/**
 * getDiagnosticData: the newest sample of the figures that are recorded for diagnosis. Exporters of metrics ask for it.
 * Source: MongoDB's full-time diagnostic data capture, as its command shows it.
 */
import { defineCommand } from '../../command/define-command.ts';
import { serverStatusFields } from './serverStatus.ts';

export const getDiagnosticData = defineCommand({
  name: 'getDiagnosticData',
  help: 'Shows the newest sample of the figures that are recorded for diagnosis.',
  kind: 'admin',
  access: { action: 'serverStatus', on: 'cluster' },
  route: 'router',
  adminOnly: true,
  parse: () => undefined,
  execute: () => undefined,
  reply: (_sample, op) => {
    const start = new Date(op.startedWallMs);
    const serverStatus = serverStatusFields(op);
    const end = new Date(op.service.clock.wallMs());
    return { data: { start, serverStatus: { start, ...serverStatus, end }, end } };
  },
});
