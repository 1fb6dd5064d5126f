/**
 * The role of flintd --shardsvr: a server that joins a cluster when it is added, and then obeys its versions.
 */
import type { Role } from '../role.ts';
import { SHARD_COMMANDS } from '../commands/sharding/index.ts';
import { Migrations } from './migrations.ts';
import { Peers } from './peers.ts';
import { storedIdentity } from './shard-identity.ts';
import { ShardingState } from './sharding-state.ts';

export function createShardRole(): Role {
  return {
    commands: SHARD_COMMANDS,
    start: async (host) => {
      const { service } = host;
      const peers = new Peers(service.clock, 'shard', service.backupBarrier);
      const state = new ShardingState(peers);
      state.identity = await host.background('readShardIdentity', (op) =>
        storedIdentity(op.view()),
      );
      const migrations = new Migrations(host, state);
      await migrations.start();
      service.sharding = state;
      return {
        stop: async () => {
          await migrations.stop();
          peers.close();
        },
      };
    },
  };
}
