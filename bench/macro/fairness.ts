/**
 * Question: how long does a find by `_id` wait beside a client that aggregates a million documents?
 *
 * One client runs a $match and $group over all documents again and again; another asks for documents by `_id`, one at a time,
 * and notes how long each answer takes, first alone and then beside the other.
 * Estimate beforehand: a slice is 2 ms, and the find comes between two slices: 2-4 ms at p50, at p99 twice a slice and what
 * the machine adds. Floor: 50 ms at p99.
 */
import { parseArgs } from 'node:util';
import { MongoClient } from 'mongodb';
import { Program } from '../../test/support/programs.ts';
import { formatNumber, printMachine, printTable } from './report.ts';

const BATCH = 10_000;
const FLOOR_P99_MS = 50;

/** @param args --documents 1000000 --seconds 10. @returns whether p99 is below the floor. */
export async function run(args: readonly string[]): Promise<boolean> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      documents: { type: 'string', default: '1000000' },
      seconds: { type: 'string', default: '10' },
    },
  });
  const documents = Number(values.documents);
  const seconds = Number(values.seconds);
  printMachine();
  const server = await Program.start({});
  const heavy = await MongoClient.connect(server.uri);
  const light = await MongoClient.connect(server.uri);
  try {
    await fill(heavy, documents);
    // A base at rest: no checkpoint of what was just inserted runs beside the measurement.
    await heavy.db('admin').command({ fsync: 1 });
    const alone = await latencies(light, documents, seconds / 2);
    const aggregation = new Aggregation(heavy);
    const beside = await latencies(light, documents, seconds);
    const runs = await aggregation.end();
    printTable(
      ['find by _id', 'finds', 'p50 ms', 'p99 ms', 'worst ms', 'floor p99', ''],
      [row('alone', alone), row(`beside ${runs} aggregations`, beside)],
    );
    return quantile(beside, 0.99) < FLOOR_P99_MS;
  } finally {
    await Promise.all([heavy.close(), light.close()]);
    await server.dispose();
  }
}

async function fill(client: MongoClient, documents: number): Promise<void> {
  const collection = client.db('fairness').collection<{ _id: number }>('documents');
  for (let from = 0; from < documents; from += BATCH) {
    const batch = Array.from({ length: Math.min(BATCH, documents - from) }, (_, index) => ({
      _id: from + index,
      group: `group ${(from + index) % 1000}`,
      amount: index,
      text: 'x'.repeat(100),
    }));
    await collection.insertMany(batch, { ordered: false });
  }
}

/** Aggregates over everything, one after the other, until it is told to end. */
class Aggregation {
  private readonly client: MongoClient;
  private readonly running: Promise<number>;
  private shallEnd = false;

  constructor(client: MongoClient) {
    this.client = client;
    this.running = this.repeat();
  }

  /** @returns how many came to their end. */
  end(): Promise<number> {
    this.shallEnd = true;
    return this.running;
  }

  private async repeat(): Promise<number> {
    const collection = this.client.db('fairness').collection('documents');
    const pipeline = [
      { $match: { amount: { $gte: 10 } } },
      { $group: { _id: '$group', total: { $sum: '$amount' }, count: { $sum: 1 } } },
    ];
    for (let runs = 0; ; runs += 1) {
      if (this.shallEnd) return runs;
      await collection.aggregate(pipeline).toArray();
    }
  }
}

async function latencies(
  client: MongoClient,
  documents: number,
  seconds: number,
): Promise<readonly number[]> {
  const collection = client.db('fairness').collection<{ _id: number }>('documents');
  const tookMs: number[] = [];
  const endMs = performance.now() + seconds * 1000;
  for (let id = 7; performance.now() < endMs; id = (id * 7919 + 11) % documents) {
    const beganMs = performance.now();
    await collection.findOne({ _id: id });
    tookMs.push(performance.now() - beganMs);
  }
  return tookMs.toSorted((a, b) => a - b);
}

function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

function row(title: string, sorted: readonly number[]): readonly string[] {
  const p99 = quantile(sorted, 0.99);
  return [
    title,
    formatNumber(sorted.length),
    quantile(sorted, 0.5).toFixed(2),
    p99.toFixed(2),
    quantile(sorted, 1).toFixed(2),
    `${FLOOR_P99_MS} ms`,
    p99 < FLOOR_P99_MS ? 'ok' : 'too slow',
  ];
}
