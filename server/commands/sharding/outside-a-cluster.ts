/**
 * Commands that concern shards, as a server outside a sharded cluster answers them. What only routers know (shardCollection,
 * listShards, ...) is no command here, as it is none of a mongod.
 * Source: MongoDB's manual, "Sharding Commands".
 */
import { objectIdValue } from '../../../bson/index.ts';
import { defineCommand } from '../../command/define-command.ts';
import { defineRefusal } from '../../command/define-refusal.ts';

export const shardingState = defineCommand({
  name: 'shardingState',
  help: 'Says whether this server is a shard.',
  kind: 'admin',
  access: { action: 'shardingState', on: 'cluster' },
  route: 'never',
  adminOnly: true,
  lenient: true,
  parse: () => undefined,
  execute: (_request, op) => op.service.sharding?.identity,
  reply: (identity) =>
    identity === undefined
      ? { enabled: false }
      : {
          enabled: true,
          configServer: identity.configHost,
          shardName: identity.shardName,
          clusterId: objectIdValue(Buffer.from(identity.clusterId, 'hex')),
        },
});

export const analyzeShardKey = defineRefusal({
  name: 'analyzeShardKey',
  help: 'Judges a shard key by the documents and queries of a collection.',
  access: { action: 'analyzeShardKey', on: 'collection' },
  route: 'primaryShard',
  adminOnly: true,
  code: 'IllegalOperation',
  message: "'analyzeShardKey' is not supported on a standalone mongod",
});

export const configureQueryAnalyzer = defineRefusal({
  name: 'configureQueryAnalyzer',
  help: 'Samples the queries of a collection, for analyzeShardKey.',
  access: { action: 'configureQueryAnalyzer', on: 'collection' },
  route: 'configServer',
  adminOnly: true,
  code: 'IllegalOperation',
  message: "'configureQueryAnalyzer' is not supported on a standalone mongod",
});
