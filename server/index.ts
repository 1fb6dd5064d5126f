/**
 * The door of server/: the server itself for programs, definitions of commands for the other roles.
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
export { FlintServer, type FlintServerOptions } from './flint-server.ts';
export { RecentLog } from './metrics/recent-log.ts';
export {
  mergeOptions,
  nestOptions,
  parseCommandLine,
  parseConfiguration,
} from './options/command-line.ts';
export { FLINTD_OPTIONS, flintdOptionsFrom, type FlintdOptions } from './options/flintd-options.ts';
export { helpText } from './options/help-text.ts';
export {
  UsageError,
  type GivenOptions,
  type OptionDefinition,
  type OptionValue,
} from './options/option-table.ts';
export { ParameterSet } from './options/parameters.ts';
export { FLINTDB_VERSION, MONGODB_VERSION } from './version.ts';
