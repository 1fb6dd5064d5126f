/**
 * All commands of the server, alphabetically, and the names that MongoDB knows and FlintDB does not support yet.
 */
import { CommandTable } from '../command/command-table.ts';
import type { Command } from '../command/define-command.ts';
import { aggregate } from './crud/aggregate.ts';
import {
  analyzeShardKey,
  configureQueryAnalyzer,
  shardingState,
} from './sharding/outside-a-cluster.ts';
import { backupBarrier } from './backup/backupBarrier.ts';
import { backupBarrierEnd } from './backup/backupBarrierEnd.ts';
import { backupClose } from './backup/backupClose.ts';
import { backupOpen } from './backup/backupOpen.ts';
import { backupOpenJournal } from './backup/backupOpenJournal.ts';
import { backupRead } from './backup/backupRead.ts';
import { buildInfo } from './diagnostics/buildInfo.ts';
import { bulkWrite } from './crud/bulkWrite.ts';
import { cloneCollectionAsCapped } from './catalog/cloneCollectionAsCapped.ts';
import { collMod } from './catalog/collMod.ts';
import { collStats } from './catalog/collStats.ts';
import { applyOps } from './replication/applyOps.ts';
import { autoCompact, compact } from './catalog/compact.ts';
import {
  cleanupStructuredEncryptionData,
  compactStructuredEncryptionData,
} from './catalog/structured-encryption.ts';
import { configureFailPoint } from './diagnostics/configureFailPoint.ts';
import { connectionStatus } from './diagnostics/connectionStatus.ts';
import { connPoolStats, connPoolSync, dropConnections } from './diagnostics/connPoolStats.ts';
import { convertToCapped } from './catalog/convertToCapped.ts';
import { count } from './crud/count.ts';
import { create } from './catalog/create.ts';
import { createIndexes } from './indexes/createIndexes.ts';
import {
  createSearchIndexes,
  dropSearchIndex,
  listSearchIndexes,
  updateSearchIndex,
} from './search/search-indexes.ts';
import { currentOp } from './diagnostics/currentOp.ts';
import { dataSize } from './catalog/dataSize.ts';
import { dbHash } from './catalog/dbHash.ts';
import { dbStats } from './catalog/dbStats.ts';
import { deleteCommand } from './crud/delete.ts';
import { distinct } from './crud/distinct.ts';
import {
  driverOIDTest,
  echo,
  hashBSONElement,
  reapLogicalSessionCacheNow,
  refreshLogicalSessionCacheNow,
  sleep,
} from './tests/test-commands.ts';
import { drop } from './catalog/drop.ts';
import { dropDatabase } from './catalog/dropDatabase.ts';
import { dropIndexes } from './indexes/dropIndexes.ts';
import { endSessions } from './sessions/endSessions.ts';
import { explain } from './crud/explain.ts';
import { features } from './diagnostics/features.ts';
import { filemd5 } from './crud/filemd5.ts';
import { find } from './crud/find.ts';
import { findAndModify } from './crud/findAndModify.ts';
import { fsync, fsyncUnlock } from './diagnostics/fsync.ts';
import { getClusterParameter, setClusterParameter } from './diagnostics/getClusterParameter.ts';
import { getCmdLineOpts } from './diagnostics/getCmdLineOpts.ts';
import { getDiagnosticData } from './diagnostics/getDiagnosticData.ts';
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
import { lockInfo } from './diagnostics/lockInfo.ts';
import { logRotate } from './diagnostics/logRotate.ts';
import { mapReduce } from './crud/mapReduce.ts';
import { ping } from './diagnostics/ping.ts';
import {
  planCacheClearFilters,
  planCacheListFilters,
  planCacheSetFilter,
} from './planning/index-filters.ts';
import { planCacheClear } from './planning/planCacheClear.ts';
import { profile } from './diagnostics/profile.ts';
import { refreshSessions } from './sessions/refreshSessions.ts';
import { reIndex } from './indexes/reIndex.ts';
import { renameCollection } from './catalog/renameCollection.ts';
import {
  abortTransaction,
  appendOplogNote,
  commitTransaction,
  getDefaultRWConcern,
  removeQuerySettings,
  replSetAbortPrimaryCatchUp,
  replSetFreeze,
  replSetGetConfig,
  replSetGetRBID,
  replSetGetStatus,
  replSetHeartbeat,
  replSetInitiate,
  replSetMaintenance,
  replSetReconfig,
  replSetRequestVotes,
  replSetResizeOplog,
  replSetStepDown,
  replSetStepUp,
  replSetSyncFrom,
  replSetUpdatePosition,
  setDefaultRWConcern,
  setQuerySettings,
  setUserWriteBlockMode,
} from './replication/without-replica-set.ts';
import { serverStatus } from './diagnostics/serverStatus.ts';
import { setFeatureCompatibilityVersion } from './catalog/setFeatureCompatibilityVersion.ts';
import { setIndexCommitQuorum } from './indexes/setIndexCommitQuorum.ts';
import { setParameter } from './diagnostics/setParameter.ts';
import { shutdown } from './diagnostics/shutdown.ts';
import { startSession } from './sessions/startSession.ts';
import {
  testDeprecation,
  testDeprecationInVersion2,
  testRemoval,
  testVersion2,
  testVersions1And2,
} from './tests/api-version-commands.ts';
import { top } from './diagnostics/top.ts';
import { update } from './crud/update.ts';
import { validate } from './catalog/validate.ts';
import { validateDBMetadata } from './catalog/validateDBMetadata.ts';
import { resetForTests } from './tests/resetForTests.ts';
import { waitForFailPoint } from './tests/waitForFailPoint.ts';
import { whatsmysni } from './diagnostics/whatsmysni.ts';
import { whatsmyuri } from './diagnostics/whatsmyuri.ts';

const COMMANDS = [
  hashBSONElement,
  abortTransaction,
  aggregate,
  analyzeShardKey,
  appendOplogNote,
  applyOps,
  autoCompact,
  backupBarrier,
  backupBarrierEnd,
  backupClose,
  backupOpen,
  backupOpenJournal,
  backupRead,
  buildInfo,
  bulkWrite,
  cleanupStructuredEncryptionData,
  cloneCollectionAsCapped,
  collMod,
  collStats,
  commitTransaction,
  compact,
  compactStructuredEncryptionData,
  configureFailPoint,
  configureQueryAnalyzer,
  connectionStatus,
  connPoolStats,
  connPoolSync,
  convertToCapped,
  count,
  create,
  createIndexes,
  createSearchIndexes,
  currentOp,
  dataSize,
  dbHash,
  dbStats,
  deleteCommand,
  distinct,
  driverOIDTest,
  drop,
  dropConnections,
  dropDatabase,
  dropIndexes,
  dropSearchIndex,
  echo,
  endSessions,
  explain,
  features,
  filemd5,
  find,
  findAndModify,
  fsync,
  fsyncUnlock,
  getClusterParameter,
  getCmdLineOpts,
  getDefaultRWConcern,
  getDiagnosticData,
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
  listSearchIndexes,
  lockInfo,
  logRotate,
  mapReduce,
  ping,
  planCacheClear,
  planCacheClearFilters,
  planCacheListFilters,
  planCacheSetFilter,
  profile,
  reapLogicalSessionCacheNow,
  refreshLogicalSessionCacheNow,
  refreshSessions,
  reIndex,
  removeQuerySettings,
  renameCollection,
  replSetAbortPrimaryCatchUp,
  replSetFreeze,
  replSetGetConfig,
  replSetGetRBID,
  replSetGetStatus,
  replSetHeartbeat,
  replSetInitiate,
  replSetMaintenance,
  replSetReconfig,
  replSetRequestVotes,
  replSetResizeOplog,
  replSetStepDown,
  replSetStepUp,
  replSetSyncFrom,
  replSetUpdatePosition,
  resetForTests,
  serverStatus,
  setClusterParameter,
  setDefaultRWConcern,
  setFeatureCompatibilityVersion,
  setIndexCommitQuorum,
  setParameter,
  setQuerySettings,
  setUserWriteBlockMode,
  shardingState,
  shutdown,
  sleep,
  startSession,
  testDeprecation,
  testDeprecationInVersion2,
  testRemoval,
  testVersion2,
  testVersions1And2,
  top,
  update,
  updateSearchIndex,
  validate,
  validateDBMetadata,
  waitForFailPoint,
  whatsmysni,
  whatsmyuri,
];

/** A missing feature and a typo get different answers. A command that is built moves from here to the list above. */
const UNSUPPORTED = [
  'abortMoveCollection',
  'abortReshardCollection',
  'abortUnshardCollection',
  'addShard',
  'addShardToZone',
  'authenticate',
  'balancerCollectionStatus',
  'balancerStart',
  'balancerStatus',
  'balancerStop',
  'checkMetadataConsistency',
  'cleanupOrphaned',
  'cleanupReshardCollection',
  'clearJumboFlag',
  'commitReshardCollection',
  'configureCollectionBalancing',
  'createRole',
  'createUser',
  'dbCheck',
  'dropAllRolesFromDatabase',
  'dropAllUsersFromDatabase',
  'dropRole',
  'dropUser',
  'enableSharding',
  'flushRouterConfig',
  'getAuditConfig',
  'getShardMap',
  'getShardVersion',
  'grantPrivilegesToRole',
  'grantRolesToRole',
  'grantRolesToUser',
  'internalRenameIfOptionsAndIndexesMatch',
  'invalidateUserCache',
  'isdbgrid',
  'listShards',
  'logApplicationMessage',
  'logout',
  'mergeAllChunksOnShard',
  'mergeChunks',
  'moveChunk',
  'moveCollection',
  'movePrimary',
  'moveRange',
  'refineCollectionShardKey',
  'removeShard',
  'removeShardFromZone',
  'replSetTestEgress',
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
  'setShardVersion',
  'shardCollection',
  'split',
  'splitChunk',
  'splitVector',
  'startTrafficRecording',
  'stopTrafficRecording',
  'transitionFromDedicatedConfigServer',
  'transitionToDedicatedConfigServer',
  'unshardCollection',
  'updateRole',
  'updateUser',
  'updateZoneKeyRange',
  'usersInfo',
  'voteCommitIndexBuild',
];

/** @param ofRole a cluster role's own: they take the place of what a server alone answers to these names */
export function createCommandTable(ofRole: readonly Command[] = []): CommandTable {
  const names = new Set(ofRole.flatMap(({ name, aliases }) => [name, ...(aliases ?? [])]));
  const commands = COMMANDS.filter(({ name }) => !names.has(name));
  return new CommandTable(
    [...commands, ...ofRole],
    UNSUPPORTED.filter((name) => !names.has(name)),
  );
}
