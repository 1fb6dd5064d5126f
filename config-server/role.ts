/**
 * The role of flintd --configsvr: commands that change the cluster's metadata, over the embedded topology.
 */
import { CommandError } from '../common/errors.ts';
import { type Role } from '../server/index.ts';
import { Peers } from '../server/cluster.ts';
import { Balancer } from './balancer/balancer.ts';
import { ClusterCatalog } from './catalog/cluster-catalog.ts';
import { UnfinishedDrops } from './commands/unfinished-drops.ts';
import { finishRenames } from './commands/renameCollection.ts';
import { configServerCommands } from './commands/index.ts';
import { ConfigServer } from './config-server.ts';
import { EmbeddedTopology } from './topology/embedded-topology.ts';

export interface ConfigServerRoleOptions {
  /** The name under which shards and routers reach this server. */
  readonly host: string;
}

export function createConfigServerRole({ host: advertisedHost }: ConfigServerRoleOptions): Role {
  let running: ConfigServer | undefined;
  const source = (): ConfigServer => {
    if (running !== undefined) return running;
    throw new CommandError('NotYetInitialized', 'The config server has not started yet');
  };
  return {
    commands: configServerCommands(source),
    start: async (host) => {
      const { service } = host;
      const topology = new EmbeddedTopology({
        engine: service.engine,
        clock: service.clock,
        newObjectId: () => service.stamps.objectIds.next(),
      });
      const catalog = new ClusterCatalog(topology, service);
      const peers = new Peers(service.clock, 'config server', service.backupBarrier);
      await host.background('openConfigDatabase', (op) => catalog.open(op));
      service.isConfigServer = true;
      const server = new ConfigServer({ host, catalog, peers, advertisedHost });
      const balancer = new Balancer(server);
      server.balancer = balancer;
      const drops = new UnfinishedDrops(server);
      server.drops = drops;
      running = server;
      balancer.start();
      const renames = finishRenames(server);
      drops.carryOn();
      return {
        stop: async () => {
          running = undefined;
          await balancer.stop();
          await renames;
          await drops.stop();
          peers.close();
        },
      };
    },
  };
}
