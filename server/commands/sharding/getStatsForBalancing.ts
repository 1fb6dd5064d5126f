/**
 * _shardsvrGetStatsForBalancing: how much of a collection is on this shard, for the balancer.
 */
import { uuidIn } from './createCollectionParticipant.ts';
import { defineCommand } from '../../command/define-command.ts';
import { hasTasks } from '../../sharding/range-deletions.ts';
import { namespaceIn, shardTraits } from './shard-command.ts';

export const getStatsForBalancing = defineCommand({
  ...shardTraits('_shardsvrGetStatsForBalancing', 'Says how much of a collection is here.'),
  parse: (body) => ({ namespace: namespaceIn(body), uuid: uuidIn(body.value('uuid')) }),
  execute: async ({ namespace, uuid }, op) => {
    // Documents of ranges that have gone, or may not come, count in the sizes for nothing.
    const isPending = await hasTasks(op, uuid);
    const collection = op.renewView().collection(namespace);
    const bytes = collection?.uuid === uuid ? op.view().dataBytes(collection) : 0;
    return { isPending, bytes };
  },
  reply: ({ isPending, bytes }) => ({ collSize: BigInt(bytes), pendingRangeDeletions: isPending }),
});
