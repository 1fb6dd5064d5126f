/**
 * The members of a cluster as a table: process, port, pid, memory, operations a second, chunks.
 *
 * Promises: a member that does not answer is shown without figures, and holds up nothing.
 */
import type { Document } from 'bson';
import { systemClock } from '../../common/clock.ts';
import type { Cluster } from '../../client/index.ts';
import { ServerConnection } from './server-connection.ts';

interface Row {
  readonly name: string;
  readonly port: number;
  readonly state: string;
  readonly memoryMB: number | undefined;
  readonly operationsPerSecond: number | undefined;
  readonly chunks: number | undefined;
}

/** Operations that a member had done at a moment, since it started. */
interface Count {
  readonly atMs: number;
  readonly operations: number;
}

const PAUSE_FOR_RATE_MS = 300;
const ANSWER_TIMEOUT_MS = 1_000;
const OPERATIONS = ['insert', 'query', 'update', 'delete', 'getmore', 'command'] as const;

export class ClusterTable {
  private readonly cluster: Cluster;
  private readonly counts = new Map<string, Count>();
  /** Being opened, or open. */
  private readonly connections = new Map<string, Promise<ServerConnection>>();

  constructor(cluster: Cluster) {
    this.cluster = cluster;
  }

  /** Looks twice, so that there are rates: for who shows it once. */
  async once(): Promise<string> {
    await this.rows();
    await new Promise((resolve) => setTimeout(resolve, PAUSE_FOR_RATE_MS));
    return this.text();
  }

  async text(): Promise<string> {
    const rows = await this.rows();
    const cells = rows.map((row) => [
      row.name,
      String(row.port),
      row.state,
      row.memoryMB === undefined ? '-' : `${row.memoryMB} MB`,
      row.operationsPerSecond === undefined ? '-' : String(row.operationsPerSecond),
      row.chunks === undefined ? '' : String(row.chunks),
    ]);
    const head = ['process', 'port', 'pid', 'memory', 'ops/s', 'chunks'];
    const widths = head.map((title, column) =>
      Math.max(title.length, ...cells.map((row) => row[column].length)),
    );
    const line = (row: readonly string[]): string =>
      row
        .map((cell, column) => cell.padEnd(widths[column]))
        .join('  ')
        .trimEnd();
    return [head, ...cells].map(line).join('\n');
  }

  close(): void {
    for (const name of this.connections.keys()) this.drop(name);
  }

  private async rows(): Promise<Row[]> {
    const { members } = this.cluster;
    const [chunks, ...statuses] = await Promise.all([
      this.chunksByShard(),
      ...members.map(({ name, pid }) => (pid === undefined ? undefined : this.statusOf(name))),
    ]);
    return members.map(({ name, port, kind, pid, hasStalePid }, index) => {
      const status = statuses[index];
      return {
        name,
        port,
        state: pid === undefined ? (hasStalePid ? 'crashed' : 'stopped') : String(pid),
        memoryMB: status === undefined ? undefined : Number(status['mem'].resident),
        operationsPerSecond: status === undefined ? undefined : this.rateOf(name, status),
        chunks: kind === 'shard' ? (chunks?.get(name) ?? 0) : undefined,
      };
    });
  }

  private rateOf(name: string, status: Document): number {
    const counters: Document = status['opcounters'];
    const operations = OPERATIONS.reduce((sum, each) => sum + Number(counters[each] ?? 0), 0);
    const now = { atMs: systemClock.monotonicMs(), operations };
    const before = this.counts.get(name);
    this.counts.set(name, now);
    if (before === undefined) return 0;
    const seconds = Math.max(0.001, (now.atMs - before.atMs) / 1000);
    // Its own question is one of them.
    return Math.max(0, Math.round((now.operations - before.operations - 1) / seconds));
  }

  private statusOf(name: string): Promise<Document | undefined> {
    return this.ask(name, 'admin', { serverStatus: 1 });
  }

  private async chunksByShard(): Promise<ReadonlyMap<string, number> | undefined> {
    const reply = await this.ask('config', 'config', {
      aggregate: 'chunks',
      pipeline: [{ $group: { _id: '$shard', n: { $sum: 1 } } }],
      cursor: { batchSize: 10_000 },
    });
    if (reply === undefined) return undefined;
    const groups: Document[] = reply['cursor'].firstBatch;
    return new Map(groups.map(({ _id, n }) => [String(_id), Number(n)]));
  }

  /** undefined: nobody answers there. */
  private async ask(
    name: string,
    database: string,
    command: Document,
  ): Promise<Document | undefined> {
    let connection = this.connections.get(name);
    if (connection === undefined) {
      connection = ServerConnection.open(this.cluster.uriOf(name));
      this.connections.set(name, connection);
    }
    try {
      return await withLimit(connection.then((open) => open.command(database, command)));
    } catch {
      this.drop(name);
      return undefined;
    }
  }

  /** Closes a connection as soon as it is one. */
  private drop(name: string): void {
    const connection = this.connections.get(name);
    this.connections.delete(name);
    void connection?.then(
      (open) => open.close(),
      () => {},
    );
  }
}

async function withLimit(reply: Promise<Document>): Promise<Document> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error('no answer')), ANSWER_TIMEOUT_MS);
  });
  try {
    return await Promise.race([reply, tooLate]);
  } finally {
    clearTimeout(timer);
  }
}
