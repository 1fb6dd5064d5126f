/** getLog: the newest lines of the log. */
import { CommandError } from '../../../common/errors.ts';
import { defineCommand } from '../../command/define-command.ts';
import type { ReplyFields } from '../../command/reply.ts';

export const getLog = defineCommand({
  name: 'getLog',
  help: 'Shows the newest lines of the log.',
  kind: 'admin',
  access: { action: 'getLog', on: 'cluster' },
  route: 'router',
  adminOnly: true,
  parse(body): string {
    if (body.target.typeName === 'string') return body.target.asString();
    throw new CommandError(
      'TypeMismatch',
      `Argument to getLog must be of type String; found ${body.target.typeName}`,
    );
  },
  execute(name, op): ReplyFields {
    const { recentLog } = op.service;
    switch (name) {
      case '*':
        return { names: ['global', 'startupWarnings'] };
      case 'global':
        return { totalLinesWritten: recentLog.total, log: recentLog.lines };
      case 'startupWarnings':
        return {
          totalLinesWritten: recentLog.startupWarnings.length,
          log: recentLog.startupWarnings,
        };
      default:
        throw new CommandError('OperationFailed', `No log named '${name}'`);
    }
  },
  reply: (lines) => lines,
});
