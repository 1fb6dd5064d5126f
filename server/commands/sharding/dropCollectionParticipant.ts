/**
 * _shardsvrDropCollectionParticipant: drops what this shard has of a collection that the cluster has dropped.
 */
import { defineCommand } from '../../command/define-command.ts';
import { namespaceIn, shardingOf, shardTraits } from './shard-command.ts';

export const dropCollectionParticipant = defineCommand({
  ...shardTraits('_shardsvrDropCollectionParticipant', 'Drops a collection on this shard.'),
  parse: (body) => namespaceIn(body),
  execute: async (namespace, op) => {
    shardingOf(op).forget(namespace);
    await op.transact((transaction) => {
      const collection = transaction.collection(namespace);
      if (collection !== undefined) transaction.dropCollection(collection);
    });
    if (op.lastCommit !== undefined) await op.engine.flushed(op.lastCommit);
  },
  reply: () => ({}),
});
