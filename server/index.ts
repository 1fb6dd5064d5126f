/**
 * The door of server/.
 */
export { createCommandTable } from './commands/index.ts';
export { CommandTable } from './command/command-table.ts';
export {
  defineCommand,
  type Command,
  type CommandTraits,
  type Route,
} from './command/define-command.ts';
export { isGenericArgument } from './command/generic-arguments.ts';
