/**
 * The config server at work: what its commands share.
 */
import { documentOf, type PlainValue } from '../bson/index.ts';
import type { RoleHost } from '../server/index.ts';
import type { AskOptions, OperationContext, Peers, ShardEntry } from '../server/cluster.ts';
import type { ClusterCatalog } from './catalog/cluster-catalog.ts';
import { NamespaceLocks } from './catalog/namespace-locks.ts';

export interface ConfigServerParts {
  readonly host: RoleHost;
  readonly catalog: ClusterCatalog;
  readonly peers: Peers;
  /** The name under which shards and routers reach this server, without port. */
  readonly advertisedHost: string;
}

/** What commands want of the balancer. */
export interface BalancerControl {
  readonly roundCount: number;
  readonly isInRound: boolean;
  /** Something has changed: looks at once instead of at the next time. */
  wake(): void;
  /** Resolves when the round under way has ended. */
  roundEnd(): Promise<void>;
}

/** What was begun and is not ended yet. */
export interface Unfinished {
  /** Goes on with it in the background until nothing is left. */
  carryOn(): void;
}

export class ConfigServer {
  readonly host: RoleHost;
  readonly catalog: ClusterCatalog;
  readonly peers: Peers;
  /**
   * By namespace, by "chunks of " and a namespace, by "database." for a database, by "drop of " and a database, and "" for the shards.
   * Whoever takes several of them takes "drop of " first, then the namespace, then the others.
   */
  readonly locks = new NamespaceLocks();
  /** Namespaces of which no range moves, because they are being renamed. */
  readonly renaming = new Set<string>();
  /** Absent until it has started. */
  balancer: BalancerControl | undefined;
  /** Absent until it has started. */
  drops: Unfinished | undefined;
  private readonly advertisedHost: string;

  constructor({ host, catalog, peers, advertisedHost }: ConfigServerParts) {
    this.host = host;
    this.catalog = catalog;
    this.peers = peers;
    this.advertisedHost = advertisedHost;
  }

  /** "host:port" for shards and routers. */
  get address(): string {
    return `${this.advertisedHost}:${this.host.service.identity.port}`;
  }

  /** Sends a command of the database admin to a shard. */
  askShard(
    op: OperationContext,
    shard: ShardEntry,
    command: Readonly<Record<string, PlainValue | undefined>>,
    options: AskOptions = {},
  ): Promise<Buffer> {
    return this.peers.ask(shard.host, documentOf({ ...command, $db: 'admin' }), {
      interruption: op,
      ...options,
    });
  }
}

/** How a command gets at the server: there is none before the role has started. */
export type ConfigServerSource = () => ConfigServer;
