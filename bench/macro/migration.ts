/**
 * Question: for how long does the migration of a chunk hold writers back, and what does it cost them?
 *
 * One chunk of 64 MiB goes to and fro between two shards, while eight writers update its documents through a router.
 * Estimate beforehand: a batch of 4 MiB is read, sent and stored in about 100 ms, so the clone takes 2 s alone and twice that beside
 * writers; a round of catching up sends what was written during the one before, a few hundred documents, then a few. The critical
 * section: the last few changes 5 ms, a flush at the recipient 5, the commit at the config server 10, the decision 5, the refresh 5:
 * 30 ms. Floor: 500 ms at p99.
 */
import { parseArgs } from 'node:util';
import { MongoClient, type Document } from 'mongodb';
import { startCluster, type Cluster } from '../../client/index.ts';
import { quantileOf, sorted } from './latencies.ts';
import { formatNumber, printMachine, printTable } from './report.ts';

const FLOOR_P99_MS = 500;
const DOCUMENT_BYTES = 1024;
const BATCH = 1000;
const ALONE_MS = 3_000;
const NAMESPACE = 'bench.documents';

interface Settings {
  readonly megabytes: number;
  readonly moves: number;
  readonly writers: number;
}

/** @param args --mb 64 --moves 50 --writers 8. @returns whether the critical section's p99 is below the floor. */
export async function run(args: readonly string[]): Promise<boolean> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      mb: { type: 'string', default: '64' },
      moves: { type: 'string', default: '50' },
      writers: { type: 'string', default: '8' },
    },
  });
  const settings = {
    megabytes: Number(values.mb),
    moves: Number(values.moves),
    writers: Number(values.writers),
  };
  printMachine();
  const cluster = await startCluster({ shards: 2, routers: 1 });
  const client = await MongoClient.connect(cluster.uri);
  try {
    return await measure(cluster, client, settings);
  } finally {
    await client.close();
    await cluster.stop();
  }
}

async function measure(
  cluster: Cluster,
  client: MongoClient,
  settings: Settings,
): Promise<boolean> {
  const count = Math.round((settings.megabytes * 2 ** 20) / DOCUMENT_BYTES);
  await fill(client, count);
  const alone = new Writers(cluster, settings.writers, count);
  await new Promise((resolve) => {
    setTimeout(resolve, ALONE_MS);
  });
  const aloneMs = await alone.end();
  const writers = new Writers(cluster, settings.writers, count);
  const moves: Move[] = [];
  for (let index = 0; index < settings.moves; index += 1) {
    moves.push(await moveOnce(cluster, client));
  }
  const besideMs = await writers.end();
  const total = (what: (move: Move) => number): number =>
    moves.reduce((sum, move) => sum + what(move), 0);
  const megabytes = total(({ bytes }) => bytes) / 2 ** 20;
  const critical = sorted(moves.map(({ criticalMs }) => criticalMs));
  const p99 = quantileOf(critical, 0.99);
  printTable(
    [`${moves.length} moves of ${settings.megabytes} MiB`, 'value', 'floor', ''],
    [
      ['clone, MiB/s', formatNumber(megabytes / (total(({ cloneMs }) => cloneMs) / 1000)), '', ''],
      [
        'documents/s',
        formatNumber(
          total(({ documents }) => documents) / (total(({ cloneMs }) => cloneMs) / 1000),
        ),
        '',
        '',
      ],
      ['whole move, ms (mean)', formatNumber(total(({ tookMs }) => tookMs) / moves.length), '', ''],
      [
        'rounds of catching up (mean)',
        formatNumber(total(({ rounds }) => rounds) / moves.length),
        '',
        '',
      ],
      [
        'documents caught up (mean)',
        formatNumber(total(({ caughtUp }) => caughtUp) / moves.length),
        '',
        '',
      ],
      ['commit, ms (mean)', formatNumber(total(({ commitMs }) => commitMs) / moves.length), '', ''],
      ['critical section, ms, p50', formatNumber(quantileOf(critical, 0.5)), '', ''],
      ['critical section, ms, longest', formatNumber(quantileOf(critical, 1)), '', ''],
      [
        'critical section, ms, p99',
        formatNumber(p99),
        `${FLOOR_P99_MS}`,
        p99 < FLOOR_P99_MS ? 'PASS' : 'FAIL',
      ],
    ],
  );
  printTable(
    [`${settings.writers} writers`, 'updates', 'p50 ms', 'p99 ms', 'longest ms'],
    [row('alone', aloneMs), row('while the chunk moves', besideMs)],
  );
  return p99 < FLOOR_P99_MS;
}

async function fill(client: MongoClient, count: number): Promise<void> {
  const admin = client.db('admin');
  await admin.command({ shardCollection: NAMESPACE, key: { k: 1 } });
  for (const k of [0, count]) await admin.command({ split: NAMESPACE, middle: { k } });
  const collection = client.db('bench').collection('documents');
  for (let from = 0; from < count; from += BATCH) {
    const batch = Array.from({ length: Math.min(BATCH, count - from) }, (_, index) => ({
      k: from + index,
      n: 0,
      text: 'x'.repeat(DOCUMENT_BYTES - 60),
    }));
    await collection.insertMany(batch, { ordered: false });
  }
}

/** What one migration has cost, as the donor counts it. */
interface Move {
  readonly tookMs: number;
  readonly cloneMs: number;
  readonly commitMs: number;
  readonly criticalMs: number;
  readonly bytes: number;
  readonly documents: number;
  readonly rounds: number;
  readonly caughtUp: number;
}

/** To the shard that does not have it; behind the removal of what stayed there of the last time. */
async function moveOnce(cluster: Cluster, client: MongoClient): Promise<Move> {
  const config = client.db('config');
  const chunk = await config.collection('chunks').findOne({ 'min.k': 0 });
  const from = String(chunk?.['shard']);
  const to = from === 'shard1' ? 'shard2' : 'shard1';
  const donor = await MongoClient.connect(cluster.uriOf(from), { directConnection: true });
  try {
    const statistics = async (): Promise<Document> =>
      (await donor.db('admin').command({ serverStatus: 1 }))['shardingStatistics'];
    const before = await statistics();
    const beganMs = performance.now();
    await client
      .db('admin')
      .command({ moveChunk: NAMESPACE, find: { k: 0 }, to, waitForDelete: true });
    const tookMs = performance.now() - beganMs;
    const after = await statistics();
    const grown = (name: string): number => Number(after[name]) - Number(before[name]);
    return {
      tookMs,
      cloneMs: grown('totalDonorChunkCloneTimeMillis'),
      commitMs: grown('totalCriticalSectionCommitTimeMillis'),
      criticalMs: grown('totalCriticalSectionTimeMillis'),
      bytes: grown('countBytesClonedOnDonor'),
      documents: grown('countDocsClonedOnDonor'),
      rounds: grown('countCatchUpRounds'),
      caughtUp: grown('countDocsCaughtUp'),
    };
  } finally {
    await donor.close();
  }
}

/** Clients that update random documents of the chunk, one after the other, until they are told to end. */
class Writers {
  private readonly running: readonly Promise<void>[];
  private readonly tookMs: number[] = [];
  private shallEnd = false;

  constructor(cluster: Cluster, writers: number, count: number) {
    this.running = Array.from({ length: writers }, () => this.write(cluster.uri, count));
  }

  /** @returns how long each update took, milliseconds, in order. */
  async end(): Promise<readonly number[]> {
    this.shallEnd = true;
    await Promise.all(this.running);
    return sorted(this.tookMs);
  }

  private async write(uri: string, count: number): Promise<void> {
    const client = await MongoClient.connect(uri, { maxPoolSize: 1, retryWrites: false });
    try {
      const collection = client.db('bench').collection('documents');
      while (!this.shallEnd) {
        const k = Math.floor(Math.random() * count);
        const beganMs = performance.now();
        const { matchedCount } = await collection.updateOne({ k }, { $inc: { n: 1 } });
        this.tookMs.push(performance.now() - beganMs);
        if (matchedCount !== 1) throw new Error(`the document ${k} is not there`);
      }
    } finally {
      await client.close();
    }
  }
}

function row(title: string, times: readonly number[]): readonly string[] {
  const shown = [0.5, 0.99, 1].map((share) => quantileOf(times, share).toFixed(1));
  return [title, formatNumber(times.length), ...shown];
}
