/**
 * The commands of a router: flintd's, each with the router's way of doing it.
 *
 * What the router answers itself (route 'router') and what works on its cursors (route 'cursor') are flintd's definitions as they are. What
 * has no way yet is there and says so.
 */
import { CommandTable, type Command } from '../../server/cluster.ts';
import type { Router } from '../router.ts';
import { administrationCommands } from './administration.ts';
import { runAggregate } from './aggregate.ts';
import { runBulkWrite } from './bulk-write.ts';
import {
  runCollStats,
  runConvertToCapped,
  runCreate,
  runCreateIndexes,
  runDataSize,
  runDrop,
  runDropDatabase,
  runListCollections,
  runListIndexes,
  runOnOwners,
  runRenameCollection,
  runValidate,
} from './collections.ts';
import { runDbStats, runListDatabases, runOnCluster } from './databases.ts';
import {
  refusedReplSetGetStatus,
  routerPools,
  routerProfile,
  routerStatus,
  runOnAllServers,
  runValidateMetadata,
} from './diagnostics.ts';
import { runExplain } from './explain.ts';
import { runFindAndModify } from './find-and-modify.ts';
import { runFind } from './find.ts';
import { routerHello } from './hello.ts';
import { runFilemd5, runMapReduce } from './map-reduce.ts';
import { routedKillOp, runCurrentOp } from './operations.ts';
import { runRemoveQuerySettings, runSetQuerySettings } from './query-settings.ts';
import { runCount, runDistinct } from './reads.ts';
import { routedCommand, type RunRouted } from './routed-command.ts';
import {
  runGetDefaultRWConcern,
  runOnConfigServer,
  runSetClusterParameter,
  runSetDefaultRWConcern,
} from './settings.ts';
import { runDelete, runInsert, runUpdate } from './writes.ts';

const ROUTED: Readonly<Record<string, RunRouted>> = {
  aggregate: runAggregate,
  bulkWrite: runBulkWrite,
  collMod: (call) => runOnOwners(call),
  collStats: runCollStats,
  convertToCapped: runConvertToCapped,
  count: runCount,
  create: runCreate,
  createIndexes: runCreateIndexes,
  currentOp: runCurrentOp,
  dataSize: runDataSize,
  dbStats: runDbStats,
  delete: runDelete,
  distinct: runDistinct,
  drop: runDrop,
  dropDatabase: runDropDatabase,
  dropIndexes: (call) => runOnOwners(call),
  explain: runExplain,
  filemd5: runFilemd5,
  find: runFind,
  findAndModify: runFindAndModify,
  fsync: runOnCluster,
  fsyncUnlock: runOnCluster,
  getClusterParameter: runOnConfigServer,
  getDefaultRWConcern: runGetDefaultRWConcern,
  insert: runInsert,
  listCollections: runListCollections,
  listDatabases: runListDatabases,
  listIndexes: runListIndexes,
  mapReduce: runMapReduce,
  planCacheClear: (call) => runOnOwners(call),
  planCacheClearFilters: (call) => runOnOwners(call),
  planCacheListFilters: (call) => runOnOwners(call),
  planCacheSetFilter: (call) => runOnOwners(call),
  removeQuerySettings: runRemoveQuerySettings,
  renameCollection: runRenameCollection,
  setClusterParameter: runSetClusterParameter,
  setDefaultRWConcern: runSetDefaultRWConcern,
  setFeatureCompatibilityVersion: runOnAllServers,
  setQuerySettings: runSetQuerySettings,
  setIndexCommitQuorum: (call) => runOnOwners(call),
  update: runUpdate,
  validate: runValidate,
  validateDBMetadata: runValidateMetadata,
};

/** flintd's own, which say something else of a router. */
const ADAPTED: Readonly<Record<string, (original: Command, router: Router) => Command>> = {
  connPoolStats: routerPools,
  hello: routerHello,
  isMaster: routerHello,
  killOp: routedKillOp,
  profile: routerProfile,
  replSetGetStatus: refusedReplSetGetStatus,
  serverStatus: routerStatus,
};

/** flintd's definitions that do the same here: they look at the server that runs them. */
const OWN: ReadonlySet<string> = new Set([
  'configureFailPoint',
  'createSearchIndexes',
  'dropSearchIndex',
  'killAllSessions',
  'killAllSessionsByPattern',
  'killSessions',
  'listSearchIndexes',
  'shutdown',
  'updateSearchIndex',
]);

/** @param flintd all of flintd's commands */
export function createRouterCommands(flintd: CommandTable, router: Router): CommandTable {
  const commands: Command[] = administrationCommands(router);
  const known = new Set(commands.map(({ name }) => name));
  const unsupported = new Set([...flintd.unsupportedNames()].filter((name) => !known.has(name)));
  for (const command of flintd.all()) {
    if (known.has(command.name)) continue;
    const run = ROUTED[command.name];
    const adapt = ADAPTED[command.name];
    if (run !== undefined) commands.push(routedCommand(command, router, run));
    else if (adapt !== undefined) commands.push(adapt(command, router));
    else if (isOwn(command)) commands.push(command);
    else for (const name of [command.name, ...(command.aliases ?? [])]) unsupported.add(name);
  }
  return new CommandTable(commands, [...unsupported]);
}

function isOwn({ name, route }: Command): boolean {
  return route === 'router' || route === 'cursor' || OWN.has(name);
}
