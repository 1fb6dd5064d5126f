/**
 * The commands of a config server's role, alphabetically. What is not among them is refused by name: the router forwards a command of
 * MongoDB's as _configsvr with its name, and gets CommandNotFound.
 */
import type { Command } from '../../server/index.ts';
import type { ConfigServerSource } from '../config-server.ts';
import { addShard } from './addShard.ts';
import { commitChunkMigration } from './commitChunkMigration.ts';
import { createDatabase, enableSharding } from './createDatabase.ts';
import { dropCollection, dropDatabase } from './dropCollection.ts';
import { listShards } from './listShards.ts';
import { mergeChunks } from './mergeChunks.ts';
import { moveChunk, moveRange } from './moveRange.ts';
import { removeShard } from './removeShard.ts';
import { resolveChunkMigration } from './resolveChunkMigration.ts';
import { shardCollection } from './shardCollection.ts';
import { split } from './split.ts';
import { addShardToZone, removeShardFromZone, updateZoneKeyRange } from './zones.ts';

export function configServerCommands(server: ConfigServerSource): readonly Command[] {
  return [
    addShard(server),
    addShardToZone(server),
    commitChunkMigration(server),
    createDatabase(server),
    dropCollection(server),
    dropDatabase(server),
    enableSharding(server),
    listShards(server),
    mergeChunks(server),
    moveChunk(server),
    moveRange(server),
    removeShard(server),
    removeShardFromZone(server),
    resolveChunkMigration(server),
    shardCollection(server),
    split(server),
    updateZoneKeyRange(server),
  ];
}
