/**
 * The door of server/: options and definitions at once, the server itself when it is asked for (loadServer): --help, and a
 * program that waits for its disk, need not wait for four hundred modules.
 */
export type { CommandBody } from './command/command-body.ts';
export type { ServiceContext } from './operation/service-context.ts';
export type { FlintServer, FlintServerOptions } from './flint-server.ts';
export type { Role, RoleHost, RunningRole } from './role.ts';
export { loadServer, type LoadedServer } from './load-server.ts';
export { DIAGNOSTIC_DIRECTORY } from './metrics/diagnostic-directory.ts';
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
export type {
  Expectation,
  Lease,
  LeaseRequest,
  Topology,
  TopologyChange,
  TopologyEvent,
  TopologyKey,
} from './topology/contract.ts';
export { MONGODB_VERSION } from './version.ts';
