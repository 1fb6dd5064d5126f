/**
 * cleanupOrphaned: waits until this shard has removed all documents of a collection that have gone to other shards.
 * Source: MongoDB's manual, "cleanupOrphaned".
 */
import { isEmpty } from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import { defineCommand } from '../../command/define-command.ts';
import { waitForRemovals } from '../../sharding/range-deletions.ts';
import type { ShardKeyPattern } from '../../sharding/shard-key-pattern.ts';
import { namespaceIn, shardingOf, shardTraits } from './shard-command.ts';

export const cleanupOrphaned = defineCommand({
  ...shardTraits('cleanupOrphaned', 'Waits until what has gone to other shards is removed.'),
  access: { action: 'cleanupOrphaned', on: 'cluster' },
  parse: (body) => ({
    namespace: namespaceIn(body),
    startingFrom: body.document('startingFromKey', undefined),
  }),
  execute: async ({ namespace, startingFrom }, op) => {
    const { routing } = await shardingOf(op).refresh(op, namespace);
    if (routing === undefined) return;
    if (startingFrom !== undefined) checkKey(routing.entry.pattern, startingFrom);
    await waitForRemovals(op, routing.entry.uuid);
  },
  reply: () => ({}),
});

/** Where it begins decides nothing any more, but it has to be a shard key. */
function checkKey(pattern: ShardKeyPattern, key: Buffer): void {
  if (isEmpty(key)) return;
  try {
    pattern.boundValues(key);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    throw new CommandError(
      'OrphanedRangeCleanUpFailed',
      'Could not cleanup orphaned data because start key does not match shard key pattern',
    );
  }
}
