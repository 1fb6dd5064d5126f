/**
 * Stops a migration at one of its steps, by a fail point, and says which processes take part in it.
 */
import { MongoClient, type Document } from 'mongodb';
import type { Cluster } from '../../client/index.ts';
import type { MigrationStep } from '../../server/sharding/migration-steps.ts';
import type { Cell } from './step-table.ts';

/** Movers move all the time: whoever does not come by within this time does not come by. */
const ARRIVAL_MS = 5_000;
/** A member that has just died or begun does not answer at once; one that is left standing would stand for ever. */
const ATTEMPTS = 60;

export interface Parties {
  readonly donor: string | undefined;
  readonly recipient: string | undefined;
  readonly namespace: string | undefined;
}

/** Connections to the members themselves, made again when a member has been away. */
export class Members {
  private readonly cluster: Cluster;
  private readonly clients = new Map<string, MongoClient>();

  constructor(cluster: Cluster) {
    this.cluster = cluster;
  }

  get shards(): readonly string[] {
    return this.cluster.members.filter(({ kind }) => kind === 'shard').map(({ name }) => name);
  }

  async close(): Promise<void> {
    for (const client of this.clients.values()) await client.close();
  }

  /** Lets whoever comes to the step stop there. @returns who came first; undefined: nobody did */
  async stopAt({ step, place }: Cell): Promise<string | undefined> {
    const names = place === 'config' ? ['config'] : this.shards;
    await this.configure(names, step, 'alwaysOn');
    const waiting = names.map(async (name) => {
      await this.admin(name).command({
        waitForFailPoint: step,
        timesEntered: 1,
        maxTimeMS: ARRIVAL_MS,
      });
      return name;
    });
    return Promise.any(waiting).catch(() => undefined);
  }

  /** Those that stand there go on, as far as they live. */
  async goOn(step: MigrationStep): Promise<void> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const running = this.cluster.members.filter(({ pid, kind }) => {
        return pid !== undefined && kind !== 'router';
      });
      const names = running.map(({ name }) => name);
      if (await this.configure(names, step, 'off')) return;
    }
  }

  /** Who takes part in the migration that stands on `name`. */
  async partiesOf({ place }: Cell, name: string): Promise<Parties> {
    try {
      if (place === 'config') return await this.partiesOfCommit();
      const found = place === 'donor' ? await this.traces(name) : await this.tracesTo(name);
      const trace = found.at(-1);
      // Behind the end of a migration nobody knows the other side any more: any other shard will do.
      const other = this.shards.find((shard) => shard !== name);
      return {
        donor: place === 'donor' ? name : (text(trace?.['donorShardId']) ?? other),
        recipient: place === 'recipient' ? name : (text(trace?.['recipientShardId']) ?? other),
        namespace: text(trace?.['nss']) ?? (await this.collectionToRemove(name)),
      };
    } catch {
      // It has just been killed by somebody else.
      return { donor: undefined, recipient: undefined, namespace: undefined };
    }
  }

  private async partiesOfCommit(): Promise<Parties> {
    const running = await this.admin('config')
      .aggregate([{ $currentOp: { allUsers: true } }])
      .toArray();
    const commits = running
      .map(({ command }): Document => command)
      .filter((command) => '_configsvrCommitChunkMigration' in command);
    const [commit] = commits;
    return {
      donor: text(commit?.['fromShard']),
      recipient: text(commit?.['toShard']),
      namespace: text(commit?.['_configsvrCommitChunkMigration']),
    };
  }

  private async collectionToRemove(name: string): Promise<string | undefined> {
    const task = await this.client(name).db('config').collection('rangeDeletions').findOne();
    return text(task?.['nss']);
  }

  private traces(name: string): Promise<Document[]> {
    return this.client(name).db('config').collection('migrationCoordinators').find().toArray();
  }

  private async tracesTo(recipient: string): Promise<Document[]> {
    const found: Document[] = [];
    for (const name of this.shards) {
      if (name === recipient) continue;
      const traces = await this.traces(name);
      found.push(...traces.filter((trace) => trace['recipientShardId'] === recipient));
    }
    return found;
  }

  private async configure(
    names: readonly string[],
    step: MigrationStep,
    mode: 'alwaysOn' | 'off',
  ): Promise<boolean> {
    const outcomes = await Promise.allSettled(
      names.map((name) => this.admin(name).command({ configureFailPoint: step, mode })),
    );
    return outcomes.every(({ status }) => status === 'fulfilled');
  }

  private admin(name: string) {
    return this.client(name).db('admin');
  }

  private client(name: string): MongoClient {
    let client = this.clients.get(name);
    if (client === undefined) {
      client = new MongoClient(this.cluster.uriOf(name), {
        directConnection: true,
        serverSelectionTimeoutMS: 1_000,
        heartbeatFrequencyMS: 500,
        minHeartbeatFrequencyMS: 100,
      } as object);
      this.clients.set(name, client);
    }
    return client;
  }
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
