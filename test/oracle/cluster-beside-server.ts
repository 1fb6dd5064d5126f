/**
 * One server and a cluster, side by side, for the oracle of sharding.
 */
import { MongoClient, type Db } from 'mongodb';
import { startCluster } from '../../client/index.ts';
import { Program } from '../support/programs.ts';
import type { ShardedSides } from './sharded.ts';

const DATABASE = 'oracle';

export class ClusterBesideServer implements ShardedSides {
  private readonly server: Program;
  private readonly running: Awaited<ReturnType<typeof startCluster>>;
  private readonly clients: readonly [single: MongoClient, cluster: MongoClient];

  private constructor(
    server: Program,
    running: Awaited<ReturnType<typeof startCluster>>,
    clients: readonly [single: MongoClient, cluster: MongoClient],
  ) {
    this.server = server;
    this.running = running;
    this.clients = clients;
  }

  static async start(shards = 2): Promise<ClusterBesideServer> {
    const [server, running] = await Promise.all([Program.start(), startCluster({ shards })]);
    const single = await new MongoClient(server.uri).connect();
    const cluster = await new MongoClient(running.uri).connect();
    return new ClusterBesideServer(server, running, [single, cluster]);
  }

  get single(): Db {
    return this.clients[0].db(DATABASE);
  }

  get cluster(): Db {
    return this.clients[1].db(DATABASE);
  }

  async stop(): Promise<void> {
    for (const client of this.clients) await client.close();
    await this.running.stop();
    await this.server.dispose();
  }
}
