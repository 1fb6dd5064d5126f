/**
 * The cluster that the sharding benchmark measures: raw connections to its members, and what the shards have counted.
 */
import { deserialize, serialize, type Document } from 'bson';
import { startCluster, type Cluster } from '../../../client/index.ts';
import { systemClock } from '../../../common/clock.ts';
import { Connection } from '../../../wire/index.ts';

export const MOST_SHARDS = 8;
const LONGEST_MS = 120_000;

/** Sums over the shards. */
export interface Traffic {
  /** Messages to the shards; each has one answer. */
  readonly messages: number;
  /** To the shards. */
  readonly bytesIn: number;
  /** From the shards. */
  readonly bytesOut: number;
  /** Documents in answers of each shard, in the order of the shards. */
  readonly returned: readonly number[];
}

export class BenchCluster {
  readonly cluster: Cluster;
  readonly shardNames: readonly string[];
  private readonly connections: ReadonlyMap<string, Connection>;

  static async start(): Promise<BenchCluster> {
    const cluster = await startCluster({ shards: MOST_SHARDS, routers: 2 });
    const connections = new Map<string, Connection>();
    for (const { name, port } of cluster.members) {
      const connection = await Connection.connect({
        address: { host: '127.0.0.1', port },
        clock: systemClock,
        metadata: { driver: { name: 'flintdb-bench', version: '1' } },
      });
      connections.set(name, connection);
    }
    const started = new BenchCluster(cluster, connections);
    // It would ask shards for sizes, and move chunks, between what is counted.
    await started.run('router1', 'admin', { balancerStop: 1 });
    return started;
  }

  private constructor(cluster: Cluster, connections: ReadonlyMap<string, Connection>) {
    this.cluster = cluster;
    this.connections = connections;
    this.shardNames = cluster.members
      .filter(({ kind }) => kind === 'shard')
      .map(({ name }) => name);
  }

  async stop(): Promise<void> {
    for (const connection of this.connections.values()) connection.close();
    await this.cluster.stop();
  }

  pidOf(name: string): number {
    return this.cluster.members.find((member) => member.name === name)?.pid ?? 0;
  }

  /** Sends encoded BSON; what an answer costs to decode is not measured. */
  send(member: string, body: Buffer): Promise<Buffer> {
    const connection = this.connections.get(member);
    if (connection === undefined) throw new Error(`there is no ${member}`);
    return connection.command(body, { timeoutMs: LONGEST_MS });
  }

  async run(member: string, database: string, command: Document): Promise<Document> {
    return deserialize(await this.send(member, encoded(database, command)));
  }

  /** All documents of a find or aggregate. */
  async all(member: string, database: string, command: Document): Promise<Document[]> {
    const { cursor } = await this.run(member, database, command);
    const found: Document[] = [...cursor.firstBatch];
    const [, collection] = String(cursor.ns).split('.');
    for (let id = cursor.id; Number(id) !== 0;) {
      const next = await this.run(member, database, { getMore: id, collection });
      found.push(...next['cursor'].nextBatch);
      id = next['cursor'].id;
    }
    return found;
  }

  /**
   * A collection with the key {k: 1} over [0, count), in as many chunks of equal size as shards, one on each of them. It is empty.
   */
  async shardOver(namespace: string, shards: number, count: number): Promise<void> {
    await this.run('router1', 'admin', { shardCollection: namespace, key: { k: 1 } });
    for (let index = 1; index < shards; index += 1) {
      const k = Math.floor((index * count) / shards);
      await this.run('router1', 'admin', { split: namespace, middle: { k } });
    }
    for (let index = 0; index < shards; index += 1) {
      const k = Math.floor((index * count) / shards);
      const to = this.shardNames[index];
      await this.run('router1', 'admin', { moveChunk: namespace, find: { k }, to });
    }
  }

  /** What went between routers and shards while this ran. */
  async trafficOf(work: () => Promise<unknown>): Promise<Traffic> {
    const before = await this.counters();
    const idle = subtract(await this.counters(), before);
    const start = await this.counters();
    await work();
    const all = subtract(await this.counters(), start);
    // The counting itself is some traffic.
    return {
      messages: all.messages - idle.messages,
      bytesIn: all.bytesIn - idle.bytesIn,
      bytesOut: all.bytesOut - idle.bytesOut,
      returned: all.returned,
    };
  }

  private async counters(): Promise<Traffic> {
    let [messages, bytesIn, bytesOut] = [0, 0, 0];
    const returned: number[] = [];
    for (const name of this.shardNames) {
      const { network, metrics } = await this.run(name, 'admin', { serverStatus: 1 });
      messages += Number(network.numRequests);
      bytesIn += Number(network.bytesIn);
      bytesOut += Number(network.bytesOut);
      returned.push(Number(metrics.document.returned));
    }
    return { messages, bytesIn, bytesOut, returned };
  }
}

export function encoded(database: string, command: Document): Buffer {
  return Buffer.from(serialize({ ...command, $db: database }));
}

function subtract(after: Traffic, before: Traffic): Traffic {
  return {
    messages: after.messages - before.messages,
    bytesIn: after.bytesIn - before.bytesIn,
    bytesOut: after.bytesOut - before.bytesOut,
    returned: after.returned.map((count, index) => count - (before.returned[index] ?? 0)),
  };
}

/** One line of what must hold. */
export interface Goal {
  readonly what: string;
  readonly value: string;
  readonly goal: string;
  readonly isMet: boolean;
}
