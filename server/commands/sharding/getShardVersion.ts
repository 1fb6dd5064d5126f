/**
 * getShardVersion: by which version of a collection this shard serves, as far as it knows.
 * Source: MongoDB's manual, "getShardVersion".
 */
import { placementValue } from '../../sharding/shard-version.ts';
import { defineCommand } from '../../command/define-command.ts';
import { namespaceIn, shardingOf, shardTraits } from './shard-command.ts';

export const getShardVersion = defineCommand({
  ...shardTraits('getShardVersion', 'Says which version of a collection this shard has.'),
  parse: (body) => {
    body.ignore('fullMetadata');
    return namespaceIn(body);
  },
  execute: (namespace, op) => {
    const { identity } = shardingOf(op);
    return {
      configServer: identity?.configHost ?? '',
      known: shardingOf(op).collection(namespace).known,
    };
  },
  reply: ({ configServer, known }) => ({
    configServer,
    inShardedMode: known?.routing !== undefined,
    mine: known === undefined ? undefined : placementValue(known.version),
    global: known?.routing === undefined ? 'UNKNOWN' : placementValue(known.routing.chunks.version),
  }),
});
