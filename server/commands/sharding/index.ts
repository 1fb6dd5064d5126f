/**
 * The commands that only a shard has, alphabetically.
 */
import type { Command } from '../../command/define-command.ts';
import { addShardIdentity } from './addShardIdentity.ts';
import { checkShardKeyIndex } from './checkShardKeyIndex.ts';
import { cleanupOrphaned } from './cleanupOrphaned.ts';
import { createCollectionParticipant } from './createCollectionParticipant.ts';
import { dropCollectionParticipant } from './dropCollectionParticipant.ts';
import {
  flushDatabaseCacheUpdates,
  flushRoutingTableCacheUpdates,
} from './flushRoutingTableCacheUpdates.ts';
import { getStatsForBalancing } from './getStatsForBalancing.ts';
import { getShardVersion } from './getShardVersion.ts';
import { movePrimary } from './movePrimary.ts';
import { moveRange } from './moveRange.ts';
import { prepareShardCollection } from './prepareShardCollection.ts';
import {
  finishReceivePrimary,
  flushReceivedPrimary,
  receivePrimaryDocuments,
  startReceivePrimary,
} from './receivePrimary.ts';
import { finishReceive, flushReceived, receiveDocuments, startReceive } from './receiveRange.ts';
import { drainMigrations, renameCollectionParticipant } from './renameCollectionParticipant.ts';
import { setUserWriteBlockMode } from './setUserWriteBlockMode.ts';
import { splitVector } from './splitVector.ts';

export const SHARD_COMMANDS: readonly Command[] = [
  addShardIdentity,
  checkShardKeyIndex,
  cleanupOrphaned,
  createCollectionParticipant,
  drainMigrations,
  dropCollectionParticipant,
  finishReceive,
  finishReceivePrimary,
  flushReceived,
  flushReceivedPrimary,
  flushDatabaseCacheUpdates,
  flushRoutingTableCacheUpdates,
  getShardVersion,
  getStatsForBalancing,
  movePrimary,
  moveRange,
  prepareShardCollection,
  receiveDocuments,
  receivePrimaryDocuments,
  renameCollectionParticipant,
  setUserWriteBlockMode,
  splitVector,
  startReceive,
  startReceivePrimary,
];
