/**
 * The commands that only a shard has, alphabetically.
 */
import type { Command } from '../../command/define-command.ts';
import { addShardIdentity } from './addShardIdentity.ts';
import { createCollectionParticipant } from './createCollectionParticipant.ts';
import { dropCollectionParticipant } from './dropCollectionParticipant.ts';
import {
  flushDatabaseCacheUpdates,
  flushRoutingTableCacheUpdates,
} from './flushRoutingTableCacheUpdates.ts';
import { getShardVersion } from './getShardVersion.ts';
import { prepareShardCollection } from './prepareShardCollection.ts';
import { splitVector } from './splitVector.ts';

export const SHARD_COMMANDS: readonly Command[] = [
  addShardIdentity,
  createCollectionParticipant,
  dropCollectionParticipant,
  flushDatabaseCacheUpdates,
  flushRoutingTableCacheUpdates,
  getShardVersion,
  prepareShardCollection,
  splitVector,
];
