/** listCommands: the command table. */
import { defineCommand } from '../../command/define-command.ts';
import type { ReplyValue } from '../../command/reply.ts';

export const listCommands = defineCommand({
  name: 'listCommands',
  help: 'Lists the commands of this server.',
  kind: 'admin',
  access: { action: 'none', on: 'anything' },
  route: 'router',
  lenient: true,
  parse: () => undefined,
  execute(_request, op) {
    const commands: Record<string, ReplyValue> = {};
    const withTestCommands = op.service.parameters.get('enableTestCommands');
    for (const command of op.service.commands.all()) {
      if (command.testOnly && !withTestCommands) continue;
      commands[command.name] = {
        help: command.help,
        aliases: command.aliases,
        requiresAuth: !command.beforeAuth,
        secondaryOk: command.kind !== 'write',
        adminOnly: command.adminOnly,
        apiVersions: command.apiVersions,
        deprecatedApiVersions: [],
      };
    }
    return commands;
  },
  reply: (commands) => ({ commands }),
});
