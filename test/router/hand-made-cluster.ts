/**
 * A cluster whose metadata the test writes by hand: a config server, shards and a router as real processes.
 */
import {
  Binary,
  type Db,
  Long,
  MaxKey,
  MinKey,
  MongoClient,
  ObjectId,
  Timestamp,
  UUID,
} from 'mongodb';
import { Program } from '../support/programs.ts';

export interface HandMadeChunk {
  readonly min: Record<string, unknown>;
  readonly max: Record<string, unknown>;
  readonly shard: string;
}

export class HandMadeCluster {
  readonly config: Program;
  readonly shards: readonly Program[];
  readonly routers: readonly Program[];
  readonly configClient: MongoClient;
  /** Through the first router. */
  readonly client: MongoClient;
  private readonly shardClients: readonly MongoClient[];
  private clock = 1;

  private constructor(parts: {
    config: Program;
    shards: readonly Program[];
    routers: readonly Program[];
    configClient: MongoClient;
    client: MongoClient;
    shardClients: readonly MongoClient[];
  }) {
    this.config = parts.config;
    this.shards = parts.shards;
    this.routers = parts.routers;
    this.configClient = parts.configClient;
    this.client = parts.client;
    this.shardClients = parts.shardClients;
  }

  /** Shards are named shard0, shard1, … */
  static async start(
    options: { readonly shards?: number; readonly routers?: number } = {},
  ): Promise<HandMadeCluster> {
    const [config, ...shards] = await Promise.all(
      Array.from({ length: 1 + (options.shards ?? 2) }, (_, index) =>
        Program.start({ args: ['--testing', index === 0 ? '--configsvr' : '--shardsvr'] }),
      ),
    );
    const configClient = await new MongoClient(config.uri).connect();
    const routers = await Promise.all(
      Array.from({ length: options.routers ?? 1 }, () => startRouter(config)),
    );
    const client = await new MongoClient(routers[0].uri).connect();
    for (const [index, { port }] of shards.entries()) {
      await client.db('admin').command({ addShard: `127.0.0.1:${port}`, name: `shard${index}` });
    }
    const shardClients = await Promise.all(
      shards.map((shard) => new MongoClient(shard.uri).connect()),
    );
    return new HandMadeCluster({ config, shards, routers, configClient, client, shardClients });
  }

  /** A client of one shard itself. */
  onShard(index: number): MongoClient {
    return this.shardClients[index];
  }

  private get metadata(): Db {
    return this.configClient.db('config');
  }

  async database(name: string, primary = 'shard0'): Promise<Db> {
    await this.metadata.collection<{ _id: string }>('databases').insertOne({
      _id: name,
      primary,
      version: { uuid: new UUID(), timestamp: this.timestamp(), lastMod: 1 },
    } as { _id: string });
    return this.client.db(name);
  }

  /** Writes a sharded collection's metadata, and makes the collection on every shard. */
  async shard(
    namespace: string,
    key: Record<string, unknown>,
    chunks: readonly HandMadeChunk[],
    options: { readonly unique?: boolean } = {},
  ): Promise<void> {
    const uuid = new UUID();
    const [database, ...rest] = namespace.split('.');
    const epoch = new ObjectId();
    const timestamp = this.timestamp();
    for (const [index, client] of this.shardClients.entries()) {
      if (!this.shards[index].isRunning) continue;
      await client.db(database).createCollection(rest.join('.'));
    }
    await this.metadata.collection<{ _id: string }>('collections').insertOne({
      _id: namespace,
      lastmodEpoch: epoch,
      lastMod: new Date(),
      timestamp,
      uuid,
      key,
      unique: options.unique === true,
    } as { _id: string });
    await this.metadata.collection('chunks').insertMany(
      chunks.map((chunk, index) => ({
        uuid,
        ...chunk,
        lastmod: new Timestamp({ t: 1, i: index }),
      })),
    );
  }

  async stop(): Promise<void> {
    await this.client.close();
    await this.configClient.close();
    for (const client of this.shardClients) await client.close();
    for (const program of [...this.routers, ...this.shards, this.config]) await program.dispose();
  }

  private timestamp(): Timestamp {
    this.clock += 1;
    return new Timestamp({ t: this.clock, i: 1 });
  }
}

export function startRouter(config: Program): Promise<Program> {
  return Program.start({
    program: 'flints',
    args: ['--configdb', `127.0.0.1:${config.port}`, '--testing'],
  });
}

export { Binary, Long, MaxKey, MinKey };
