/**
 * The commands of a config server's role, alphabetically. What is not among them is refused by name: the router forwards a command of
 * MongoDB's as _configsvr with its name, and gets CommandNotFound.
 */
import type { Command } from '../../server/cluster.ts';
import type { ConfigServerSource } from '../config-server.ts';
import { addShard } from './addShard.ts';
import {
  balancerCollectionStatus,
  balancerStart,
  balancerStatus,
  balancerStop,
} from './balancer.ts';
import { checkMetadataConsistency } from './checkMetadataConsistency.ts';
import { clearJumboFlag } from './clearJumboFlag.ts';
import { commitChunkMigration } from './commitChunkMigration.ts';
import {
  configureCollectionBalancing,
  setAllowMigrations,
} from './configureCollectionBalancing.ts';
import { createDatabase, enableSharding } from './createDatabase.ts';
import { getDefaultRWConcern, setDefaultRWConcern } from './defaultRWConcern.ts';
import { dropCollection, dropDatabase } from './dropCollection.ts';
import { listShards } from './listShards.ts';
import { mergeAllChunksOnShard, mergeChunks } from './mergeChunks.ts';
import { commitMovePrimary, movePrimary, resolveMovePrimary } from './movePrimary.ts';
import { moveChunk, moveRange } from './moveRange.ts';
import { removeQuerySettings, setQuerySettings } from './querySettings.ts';
import { refineCollectionShardKey } from './refineCollectionShardKey.ts';
import { removeShard } from './removeShard.ts';
import { renameCollection } from './renameCollection.ts';
import {
  abortReshardCollection,
  cleanupReshardCollection,
  commitReshardCollection,
} from './resharding.ts';
import { resolveChunkMigration } from './resolveChunkMigration.ts';
import { setUserWriteBlockMode } from './setUserWriteBlockMode.ts';
import { shardCollection } from './shardCollection.ts';
import { split } from './split.ts';
import { addShardToZone, removeShardFromZone, updateZoneKeyRange } from './zones.ts';

export function configServerCommands(server: ConfigServerSource): readonly Command[] {
  return [
    abortReshardCollection(server),
    addShard(server),
    addShardToZone(server),
    balancerCollectionStatus(server),
    balancerStart(server),
    balancerStatus(server),
    balancerStop(server),
    checkMetadataConsistency(server),
    cleanupReshardCollection(server),
    clearJumboFlag(server),
    commitChunkMigration(server),
    commitMovePrimary(server),
    commitReshardCollection(server),
    configureCollectionBalancing(server),
    createDatabase(server),
    dropCollection(server),
    dropDatabase(server),
    enableSharding(server),
    getDefaultRWConcern(server),
    listShards(server),
    mergeAllChunksOnShard(server),
    mergeChunks(server),
    moveChunk(server),
    movePrimary(server),
    moveRange(server),
    refineCollectionShardKey(server),
    removeQuerySettings(server),
    removeShard(server),
    removeShardFromZone(server),
    renameCollection(server),
    resolveChunkMigration(server),
    resolveMovePrimary(server),
    setAllowMigrations(server),
    setDefaultRWConcern(server),
    setQuerySettings(server),
    setUserWriteBlockMode(server),
    shardCollection(server),
    split(server),
    updateZoneKeyRange(server),
  ];
}
