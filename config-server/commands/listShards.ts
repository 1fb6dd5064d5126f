/**
 * _configsvrListShards: the cluster's shards, as config.shards has them.
 */
import { defineCommand, type Command } from '../../server/cluster.ts';
import type { ConfigServerSource } from '../config-server.ts';
import { configTraits } from './arguments.ts';

export function listShards(server: ConfigServerSource): Command {
  return defineCommand({
    ...configTraits('_configsvrListShards', "Lists the cluster's shards.", 'listShards'),
    parse: () => undefined,
    execute: (_request, op) => server().catalog.read(op, 'config.shards'),
    reply: (shards) => ({ shards }),
  });
}
