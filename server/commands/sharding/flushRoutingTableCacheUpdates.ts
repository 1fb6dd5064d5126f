/**
 * _flushRoutingTableCacheUpdates and _flushDatabaseCacheUpdates: the shard reads what the config server has now.
 *
 * Whoever prepared the sharding of the collection is through: its critical section ends here.
 */
import { defineCommand } from '../../command/define-command.ts';
import { endPreparation } from '../../sharding/preparations.ts';
import { namespaceIn, shardingOf, shardTraits, textIn } from './shard-command.ts';

export const flushRoutingTableCacheUpdates = defineCommand({
  ...shardTraits('_flushRoutingTableCacheUpdates', "Reads a collection's metadata again."),
  parse: (body) => {
    body.ignore('syncFromConfig');
    return namespaceIn(body);
  },
  execute: async (namespace, op) => {
    const state = shardingOf(op);
    await state.refresh(op, namespace);
    endPreparation(state, namespace);
  },
  reply: () => ({}),
});

export const flushDatabaseCacheUpdates = defineCommand({
  ...shardTraits('_flushDatabaseCacheUpdates', "Reads a database's metadata again."),
  parse: (body) => {
    body.ignore('syncFromConfig');
    return textIn(body);
  },
  execute: (name, op) => shardingOf(op).forgetDatabase(name),
  reply: () => ({}),
});
