/**
 * A config server and shards for tests, without a router: the test sends what a router would send.
 */
import { MongoClient, ObjectId, Timestamp, type Db, type Document } from 'mongodb';
import { Program } from './programs.ts';

export interface ClusterMember {
  readonly name: string;
  readonly program: Program;
  readonly client: MongoClient;
}

const CLIENT_OPTIONS = { serverSelectionTimeoutMS: 5_000, directConnection: true } as const;

export class TestCluster {
  readonly config: ClusterMember;
  readonly shards: readonly ClusterMember[];
  private databases = 0;

  private constructor(config: ClusterMember, shards: readonly ClusterMember[]) {
    this.config = config;
    this.shards = shards;
  }

  /** @param count shards, named s0, s1, ...; every server gets `args`, too */
  static async start(count: number, args: readonly string[] = []): Promise<TestCluster> {
    const names = Array.from({ length: count }, (_, index) => `s${index}`);
    const [config, ...shards] = await Promise.all([
      startMember('config', ['--configsvr', ...args]),
      ...names.map((name) => startMember(name, ['--shardsvr', ...args])),
    ]);
    const cluster = new TestCluster(config, shards);
    for (const shard of shards) {
      await cluster.admin({
        _configsvrAddShard: `127.0.0.1:${shard.program.port}`,
        name: shard.name,
      });
    }
    return cluster;
  }

  /** Runs a command on the config server's database admin. */
  admin(command: Document): Promise<Document> {
    return this.config.client.db('admin').command(command);
  }

  get metadata(): Db {
    return this.config.client.db('config');
  }

  shard(name: string): ClusterMember {
    const found = this.shards.find((shard) => shard.name === name);
    if (found === undefined) throw new Error(`no shard ${name}`);
    return found;
  }

  /** A database that no other test has used, with this primary shard. */
  async freshDatabase(primary = 's0'): Promise<string> {
    this.databases += 1;
    const name = `cluster_${this.databases}`;
    await this.admin({ _configsvrEnableSharding: name, primaryShard: primary });
    return name;
  }

  /** What a router attaches to a command on a collection for this shard, from the metadata as they are now. */
  async versions(namespace: string, shard: string): Promise<Document> {
    const [database] = namespace.split('.');
    const collection = await this.metadata
      .collection<Document>('collections')
      .findOne({ _id: namespace as never });
    if (collection === null) {
      const entry = await this.metadata
        .collection<Document>('databases')
        .findOne({ _id: database as never });
      return { shardVersion: UNSHARDED, databaseVersion: entry?.['version'] };
    }
    const [newest] = await this.metadata
      .collection('chunks')
      .find({ uuid: collection['uuid'], shard })
      .sort({ lastmod: -1 })
      .limit(1)
      .toArray();
    const v = newest?.['lastmod'] ?? new Timestamp({ t: 0, i: 0 });
    return { shardVersion: { e: collection['lastmodEpoch'], t: collection['timestamp'], v } };
  }

  /** Sends a command to a shard as a router with fresh knowledge does. */
  async routed(shard: string, namespace: string, command: Document): Promise<Document> {
    const [database] = namespace.split('.');
    const versions = await this.versions(namespace, shard);
    return this.shard(shard)
      .client.db(database)
      .command({ ...command, ...versions });
  }

  async stop(): Promise<void> {
    for (const member of [this.config, ...this.shards]) {
      await member.client.close();
      await member.program.dispose();
    }
  }
}

/** What routers send for a collection that is not sharded. */
export const UNSHARDED: Document = {
  e: new ObjectId('000000000000000000000000'),
  t: new Timestamp({ t: 0, i: 0 }),
  v: new Timestamp({ t: 0, i: 0 }),
};

async function startMember(name: string, args: readonly string[]): Promise<ClusterMember> {
  const program = await Program.start({ args, keepsPort: true });
  const client = await new MongoClient(program.uri, CLIENT_OPTIONS).connect();
  return { name, program, client };
}
