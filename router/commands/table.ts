/**
 * The commands of a router: flintd's, each with the router's way of doing it.
 *
 * What the router answers itself (route 'router') and what works on its cursors (route 'cursor') are flintd's definitions as they are. What
 * has no way yet is there and says so.
 */
import { CommandTable, type Command } from '../../server/index.ts';
import type { Router } from '../router.ts';
import { runFind } from './find.ts';
import { routerHello } from './hello.ts';
import { runDelete, runInsert, runUpdate } from './writes.ts';
import { routedCommand, type RunRouted } from './routed-command.ts';

const ROUTED: Readonly<Record<string, RunRouted>> = {
  delete: runDelete,
  find: runFind,
  insert: runInsert,
  update: runUpdate,
};

/** @param flintd all of flintd's commands */
export function createRouterCommands(flintd: CommandTable, router: Router): CommandTable {
  const commands: Command[] = [];
  const unsupported = new Set(flintd.unsupportedNames());
  for (const command of flintd.all()) {
    const run = ROUTED[command.name];
    if (run !== undefined) commands.push(routedCommand(command, router, run));
    else if (command.name === 'hello' || command.name === 'isMaster') {
      commands.push(routerHello(command));
    } else if (command.route === 'router' || command.route === 'cursor') commands.push(command);
    else for (const name of [command.name, ...(command.aliases ?? [])]) unsupported.add(name);
  }
  return new CommandTable(commands, [...unsupported]);
}
