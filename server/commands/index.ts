/**
 * All commands of the server, alphabetically, and the names that MongoDB knows and FlintDB does not support yet.
 */
import { CommandTable } from '../command/command-table.ts';
import { aggregate } from './crud/aggregate.ts';
import { buildInfo } from './diagnostics/buildInfo.ts';
import { bulkWrite } from './crud/bulkWrite.ts';
import { collStats } from './catalog/collStats.ts';
import { configureFailPoint } from './diagnostics/configureFailPoint.ts';
import { connectionStatus } from './diagnostics/connectionStatus.ts';
import { count } from './crud/count.ts';
import { create } from './catalog/create.ts';
import { createIndexes } from './indexes/createIndexes.ts';
import { currentOp } from './diagnostics/currentOp.ts';
import { dataSize } from './catalog/dataSize.ts';
import { dbStats } from './catalog/dbStats.ts';
import { deleteCommand } from './crud/delete.ts';
import { distinct } from './crud/distinct.ts';
import { drop } from './catalog/drop.ts';
import { dropDatabase } from './catalog/dropDatabase.ts';
import { dropIndexes } from './indexes/dropIndexes.ts';
import { replSetGetStatus } from './replication/replSetGetStatus.ts';
import { replSetInitiate } from './replication/replSetInitiate.ts';
import { endSessions } from './sessions/endSessions.ts';
import { explain } from './crud/explain.ts';
import { features } from './diagnostics/features.ts';
import { find } from './crud/find.ts';
import { findAndModify } from './crud/findAndModify.ts';
import { fsync } from './diagnostics/fsync.ts';
import { getCmdLineOpts } from './diagnostics/getCmdLineOpts.ts';
import { getLog } from './diagnostics/getLog.ts';
import { getMore } from './cursors/getMore.ts';
import { getParameter } from './diagnostics/getParameter.ts';
import { hello, isMaster } from './diagnostics/hello.ts';
import { hostInfo } from './diagnostics/hostInfo.ts';
import { insert } from './crud/insert.ts';
import { killAllSessions } from './sessions/killAllSessions.ts';
import { killAllSessionsByPattern } from './sessions/killAllSessionsByPattern.ts';
import { killCursors } from './cursors/killCursors.ts';
import { killOp } from './diagnostics/killOp.ts';
import { killSessions } from './sessions/killSessions.ts';
import { listCollections } from './catalog/listCollections.ts';
import { listCommands } from './diagnostics/listCommands.ts';
import { listDatabases } from './catalog/listDatabases.ts';
import { listIndexes } from './indexes/listIndexes.ts';
import { ping } from './diagnostics/ping.ts';
import { refreshSessions } from './sessions/refreshSessions.ts';
import { renameCollection } from './catalog/renameCollection.ts';
import { serverStatus } from './diagnostics/serverStatus.ts';
import { setParameter } from './diagnostics/setParameter.ts';
import { shutdown } from './diagnostics/shutdown.ts';
import { startSession } from './sessions/startSession.ts';
import { update } from './crud/update.ts';
import { validate } from './catalog/validate.ts';
import { whatsmyuri } from './diagnostics/whatsmyuri.ts';

const COMMANDS = [
  aggregate,
  buildInfo,
  bulkWrite,
  collStats,
  configureFailPoint,
  connectionStatus,
  count,
  create,
  createIndexes,
  currentOp,
  dataSize,
  dbStats,
  deleteCommand,
  distinct,
  drop,
  dropDatabase,
  dropIndexes,
  endSessions,
  explain,
  features,
  find,
  findAndModify,
  fsync,
  getCmdLineOpts,
  getLog,
  getMore,
  getParameter,
  hello,
  hostInfo,
  insert,
  isMaster,
  killAllSessions,
  killAllSessionsByPattern,
  killCursors,
  killOp,
  killSessions,
  listCollections,
  listCommands,
  listDatabases,
  listIndexes,
  ping,
  refreshSessions,
  renameCollection,
  replSetGetStatus,
  replSetInitiate,
  serverStatus,
  setParameter,
  shutdown,
  startSession,
  update,
  validate,
  whatsmyuri,
];

/** A missing feature and a typo get different answers. A command that is built moves from here to the list above. */
const UNSUPPORTED = [
  'abortMoveCollection',
  'abortReshardCollection',
  'abortTransaction',
  'abortUnshardCollection',
  'addShard',
  'addShardToZone',
  'analyzeShardKey',
  'appendOplogNote',
  'applyOps',
  'authenticate',
  'autoCompact',
  'balancerCollectionStatus',
  'balancerStart',
  'balancerStatus',
  'balancerStop',
  'checkMetadataConsistency',
  'cleanupOrphaned',
  'cleanupReshardCollection',
  'cleanupStructuredEncryptionData',
  'clearJumboFlag',
  'cloneCollectionAsCapped',
  'collMod',
  'commitReshardCollection',
  'commitTransaction',
  'compact',
  'compactStructuredEncryptionData',
  'configureCollectionBalancing',
  'configureQueryAnalyzer',
  'connPoolStats',
  'convertToCapped',
  'createRole',
  'createSearchIndexes',
  'createUser',
  'dbCheck',
  'dbHash',
  'dropAllRolesFromDatabase',
  'dropAllUsersFromDatabase',
  'dropConnections',
  'dropRole',
  'dropSearchIndex',
  'dropUser',
  'enableSharding',
  'filemd5',
  'flushRouterConfig',
  'fsyncUnlock',
  'getAuditConfig',
  'getClusterParameter',
  'getDefaultRWConcern',
  'getShardMap',
  'getShardVersion',
  'grantPrivilegesToRole',
  'grantRolesToRole',
  'grantRolesToUser',
  'internalRenameIfOptionsAndIndexesMatch',
  'invalidateUserCache',
  'isdbgrid',
  'listSearchIndexes',
  'listShards',
  'lockInfo',
  'logApplicationMessage',
  'logout',
  'logRotate',
  'mapReduce',
  'mergeAllChunksOnShard',
  'mergeChunks',
  'moveChunk',
  'moveCollection',
  'movePrimary',
  'moveRange',
  'planCacheClear',
  'planCacheClearFilters',
  'planCacheListFilters',
  'planCacheSetFilter',
  'profile',
  'refineCollectionShardKey',
  'reIndex',
  'removeQuerySettings',
  'removeShard',
  'removeShardFromZone',
  'replSetAbortPrimaryCatchUp',
  'replSetFreeze',
  'replSetGetConfig',
  'replSetHeartbeat',
  'replSetMaintenance',
  'replSetReconfig',
  'replSetRequestVotes',
  'replSetResizeOplog',
  'replSetStepDown',
  'replSetStepUp',
  'replSetSyncFrom',
  'replSetTestEgress',
  'replSetUpdatePosition',
  'reshardCollection',
  'revokePrivilegesFromRole',
  'revokeRolesFromRole',
  'revokeRolesFromUser',
  'rolesInfo',
  'rotateCertificates',
  'saslContinue',
  'saslStart',
  'setAllowMigrations',
  'setAuditConfig',
  'setClusterParameter',
  'setDefaultRWConcern',
  'setFeatureCompatibilityVersion',
  'setIndexCommitQuorum',
  'setQuerySettings',
  'setShardVersion',
  'setUserWriteBlockMode',
  'shardCollection',
  'shardingState',
  'sleep',
  'split',
  'splitChunk',
  'splitVector',
  'startTrafficRecording',
  'stopTrafficRecording',
  'top',
  'transitionFromDedicatedConfigServer',
  'transitionToDedicatedConfigServer',
  'unshardCollection',
  'updateRole',
  'updateSearchIndex',
  'updateUser',
  'updateZoneKeyRange',
  'usersInfo',
  'voteCommitIndexBuild',
  'waitForFailPoint',
  'whatsmysni',
];

export function createCommandTable(): CommandTable {
  return new CommandTable(COMMANDS, UNSUPPORTED);
}
