/**
 * One server and a cluster, side by side, for the oracle of sharding.
 */
import { MongoClient, type Db } from 'mongodb';
import { startCluster } from '../../client/index.ts';
import { Program } from '../support/programs.ts';
import type { ShardedSides } from './sharded.ts';

const DATABASE = 'oracle';

interface Clients {
  readonly single: MongoClient;
  readonly first: MongoClient;
  readonly others: readonly MongoClient[];
}

export class ClusterBesideServer implements ShardedSides {
  private readonly server: Program;
  private readonly running: Awaited<ReturnType<typeof startCluster>>;
  private readonly clients: Clients;

  private constructor(
    server: Program,
    running: Awaited<ReturnType<typeof startCluster>>,
    clients: Clients,
  ) {
    this.server = server;
    this.running = running;
    this.clients = clients;
  }

  static async start(shards = 2, routers = 2): Promise<ClusterBesideServer> {
    const [server, running] = await Promise.all([
      Program.start(),
      startCluster({ shards, routers }),
    ]);
    const connect = (uri: string): Promise<MongoClient> => new MongoClient(uri).connect();
    const first = await connect(running.uriOf('router1'));
    const others: MongoClient[] = [];
    for (let number = 2; number <= routers; number += 1) {
      others.push(await connect(running.uriOf(`router${number}`)));
    }
    const single = await connect(server.uri);
    return new ClusterBesideServer(server, running, { single, first, others });
  }

  get single(): Db {
    return this.clients.single.db(DATABASE);
  }

  get routers(): readonly [Db, ...Db[]] {
    const { first, others } = this.clients;
    return [first.db(DATABASE), ...others.map((each) => each.db(DATABASE))];
  }

  async stop(): Promise<void> {
    const { single, first, others } = this.clients;
    for (const client of [single, first, ...others]) await client.close();
    await this.running.stop();
    await this.server.dispose();
  }
}
