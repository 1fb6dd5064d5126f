/**
 * _configsvrCreateDatabase and _configsvrEnableSharding: a database with its primary shard. Since MongoDB 6.0 every database of a
 * cluster can have sharded collections, so enabling means no more than that it is there.
 */
import { defineCommand, type Command } from '../../server/cluster.ts';
import { ensureDatabase } from '../catalog/databases.ts';
import type { ConfigServerSource } from '../config-server.ts';
import { configTraits, textIn } from './arguments.ts';
import { settleDrops } from './dropCollection.ts';

export function createDatabase(server: ConfigServerSource): Command {
  return defineCommand({
    ...configTraits('_configsvrCreateDatabase', 'Makes a database known.', 'internal'),
    parse: (body) => ({
      name: textIn(body),
      primary: body.string('primaryShardId', undefined),
    }),
    execute: async ({ name, primary }, op) => {
      await settleDrops(server(), op, name);
      return ensureDatabase(server(), op, name, primary);
    },
    reply: ({ primary, version }) => ({
      primaryShard: primary,
      databaseVersion: version.toValue(),
    }),
  });
}

export function enableSharding(server: ConfigServerSource): Command {
  return defineCommand({
    ...configTraits('_configsvrEnableSharding', 'Makes a database known.', 'enableSharding'),
    parse: (body) => ({
      name: textIn(body),
      primary: body.string('primaryShard', undefined),
    }),
    execute: async ({ name, primary }, op) => {
      await settleDrops(server(), op, name);
      return ensureDatabase(server(), op, name, primary);
    },
    reply: () => ({}),
  });
}
