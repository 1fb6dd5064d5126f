/**
 * The role of flintd --shardsvr: a server that joins a cluster when it is added, and then obeys its versions.
 */
import type { Role } from '../role.ts';
import { SHARD_COMMANDS } from '../commands/sharding/index.ts';
import type { ReadView, StorageEngine } from '../../storage/index.ts';
import { checkedUuid } from './collection-copy.ts';
import { Migrations } from './migrations.ts';
import { Peers } from './peers.ts';
import { storedIdentity } from './shard-identity.ts';
import { ShardingState, type LocalNames } from './sharding-state.ts';
import { loadUserWrites } from './stored-user-writes.ts';

function namesIn(engine: StorageEngine): LocalNames {
  const look = <Found>(question: (view: ReadView) => Found): Found => {
    const view = engine.snapshot();
    try {
      return question(view);
    } finally {
      view.close();
    }
  };
  return {
    namespaceOf: (uuid) => look((view) => view.collectionByUuid(checkedUuid(uuid))?.namespace),
    uuidOf: (namespace) => look((view) => view.collection(namespace)?.uuid),
  };
}

export function createShardRole(): Role {
  return {
    commands: SHARD_COMMANDS,
    start: async (host) => {
      const { service } = host;
      const peers = new Peers(service.clock, 'shard', service.backupBarrier);
      const state = new ShardingState(peers);
      state.localNames = namesIn(service.engine);
      state.identity = await host.background('readShardIdentity', (op) =>
        storedIdentity(op.view()),
      );
      await host.background('readUserWrites', (op) => loadUserWrites(op, state.userWrites));
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
