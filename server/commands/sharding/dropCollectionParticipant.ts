/**
 * _shardsvrDropCollectionParticipant: drops what this shard has of a collection that the cluster has dropped: by its UUID, so that one
 * that was made after it stays; without one whatever has the name.
 *
 * Writers under way end first, and new ones wait: a write that was let in by what was known before would make the collection again,
 * where no router looks for it.
 */
import { defineCommand } from '../../command/define-command.ts';
import { checkedUuid } from '../../sharding/collection-copy.ts';
import { uuidIn } from './createCollectionParticipant.ts';
import { namespaceIn, shardingOf, shardTraits } from './shard-command.ts';

export const dropCollectionParticipant = defineCommand({
  ...shardTraits('_shardsvrDropCollectionParticipant', 'Drops a collection on this shard.'),
  parse: (body) => {
    const uuid = body.value('uuid');
    return {
      namespace: namespaceIn(body),
      uuid: uuid === undefined ? undefined : checkedUuid(uuidIn(uuid)),
    };
  },
  execute: async ({ namespace, uuid }, op) => {
    const sharding = shardingOf(op);
    const state = sharding.collection(namespace);
    for (let held = state.blocks(true); held !== undefined; held = state.blocks(true)) {
      await op.waitFor(held);
    }
    const section = await state.enterCriticalSection((drained) => op.waitFor(drained));
    try {
      await op.transact((transaction) => {
        const collection =
          uuid === undefined
            ? transaction.collection(namespace)
            : transaction.collectionByUuid(uuid);
        if (collection !== undefined) transaction.dropCollection(collection);
      });
      if (op.lastCommit !== undefined) await op.engine.flushed(op.lastCommit);
    } finally {
      sharding.forget(namespace);
      section.release();
    }
  },
  reply: () => ({}),
});
