/**
 * What all operations of one router share: the shards, what is known of the data's places, and what the cluster has set.
 */
import type { Clock } from '../common/clock.ts';
import { ClusterSettings } from './cluster-settings.ts';
import { parseHost } from './network/host.ts';
import { RemoteServer } from './network/remote-server.ts';
import { CONFIG_SHARD, ShardRegistry } from './network/shard-registry.ts';
import { RoutingCache } from './routing/routing-cache.ts';
import { QuerySettings } from './settings/query-settings.ts';
import { tassert } from '../common/assert.ts';

export class Router {
  readonly shards: ShardRegistry;
  readonly routing: RoutingCache;
  readonly settings: ClusterSettings;
  readonly querySettings: QuerySettings;

  /** @param configHost host:port */
  constructor(configHost: string, clock: Clock) {
    const address = parseHost(configHost);
    tassert(address !== undefined, 'a router needs the address of a config server');
    this.shards = new ShardRegistry(new RemoteServer(CONFIG_SHARD, address, clock), clock);
    this.routing = new RoutingCache(this.shards);
    this.settings = new ClusterSettings(this.shards);
    this.querySettings = new QuerySettings(this.shards);
  }

  close(): void {
    this.shards.close();
  }
}
