/**
 * A routing table of many chunks: reading it, bringing it up to date, its memory, and what targeting costs, which must not grow with
 * the chunks.
 *
 * The chunks are put into the config server's collection directly: that many splits would take an hour, and the table is the same.
 */
import { Binary, ObjectId, Timestamp, type Document } from 'bson';
import { MongoClient } from 'mongodb';
import { documentOf, int32Value } from '../../../bson/index.ts';
import { ChunkMap, makeChunk, ShardKeyPattern, type Chunk } from '../../../server/cluster.ts';
import { processMemoryBytes } from '../../load/process-memory.ts';
import { formatNumber, median, printTable } from '../report.ts';
import type { BenchCluster, Goal } from './bench-cluster.ts';

const MEBIBYTE = 2 ** 20;
const BATCH = 5_000;
const FINDS = 300;
/** Logarithmic growth from the smallest to the largest table is a factor of two; linear growth one of a hundred. */
const MOST_GROWTH = 5;
const RUNS = 20;
const TARGETED = 2_000;

/** In this process: what the table itself costs. */
export function measureTargeting(most: number): Goal[] {
  const rows: string[][] = [];
  const costs: number[] = [];
  const ranges: number[] = [];
  for (const count of [most / 100, most / 10, most].map(Math.round)) {
    const chunks = chunksOf(count);
    const buildMs = timed(() => ChunkMap.of(GENERATION, chunks), 3);
    const map = ChunkMap.of(GENERATION, chunks);
    const changed = { ...chunks[count >> 1], shard: 'shard1', major: count + 1, minor: 0 };
    const updateMs = timed(() => map.updated([changed as Chunk]), RUNS);
    const keys = Array.from({ length: TARGETED }, (_, index) =>
      PATTERN.textOf([int32Value((index * 7919) % (count * 10))]),
    );
    const pointUs =
      (timed(() => {
        for (const key of keys) map.chunkOf(key);
      }, RUNS) *
        1000) /
      TARGETED;
    const range = {
      min: PATTERN.textOf([int32Value(count)]),
      max: PATTERN.textOf([int32Value(count * 9)]),
    };
    const rangeUs = timed(() => map.shardsOf(range), RUNS) * 1000;
    costs.push(pointUs);
    ranges.push(rangeUs);
    rows.push([
      formatNumber(count),
      buildMs.toFixed(1),
      updateMs.toFixed(3),
      pointUs.toFixed(2),
      rangeUs.toFixed(1),
    ]);
  }
  printTable(
    ['chunks', 'build ms', 'one chunk new, ms', 'one key, us', 'range over 80 %, us'],
    rows,
  );
  const growth = (costs.at(-1) ?? NaN) / (costs[0] ?? NaN);
  return [
    {
      what: `targeting of a key, growth from ${formatNumber(most / 100)} to ${formatNumber(most)} chunks`,
      value: `x ${growth.toFixed(1)}`,
      goal: `< x ${MOST_GROWTH}`,
      isMet: growth < MOST_GROWTH,
    },
  ];
}

/** Through a router: a first read, one after a chunk has moved, and reads of small and large tables in turns. */
export async function measureRoutingTable(cluster: BenchCluster, count: number): Promise<Goal[]> {
  await cluster.shardOver('bench.few', 2, count * 10);
  await cluster.shardOver('bench.many', 2, count * 10);
  for (const collection of ['few', 'many']) {
    const documents = Array.from({ length: FINDS }, (_, index) => ({ k: index * 31 }));
    await cluster.run('router1', 'bench', { insert: collection, documents });
  }
  await addChunks(cluster, 'bench.many', count);
  await cluster.run('router2', 'admin', { flushRouterConfig: 1 });
  await find(cluster, 'few', 0);
  const beforeBytes = processMemoryBytes(cluster.pidOf('router2'));
  const firstMs = await timedAsync(() => find(cluster, 'many', 0));
  const afterBytes = processMemoryBytes(cluster.pidOf('router2'));
  await find(cluster, 'many', 31);
  // The other router moves chunks: this one hears of it by a refusal, reads what is new, and asks again.
  const incrementalMs: number[] = [];
  for (const to of ['shard2', 'shard1', 'shard2']) {
    await cluster.run('router1', 'admin', { moveChunk: 'bench.many', find: { k: 0 }, to });
    incrementalMs.push(await timedAsync(() => find(cluster, 'many', 0)));
  }
  const few: number[] = [];
  const many: number[] = [];
  for (let index = 0; index < FINDS; index += 1) {
    few.push(await timedAsync(() => find(cluster, 'few', index * 31)));
    many.push(await timedAsync(() => find(cluster, 'many', index * 31)));
  }
  const ratio = median(many) / median(few);
  printTable(
    [`${formatNumber(count)} chunks, through a router`, 'value'],
    [
      ['first find, with the whole table read by router and shard, ms', formatNumber(firstMs)],
      ['first find after a chunk has moved, ms (median)', formatNumber(median(incrementalMs))],
      ['memory of the router for it, MiB', formatNumber((afterBytes - beforeBytes) / MEBIBYTE)],
      ['find by key, ms (median)', median(many).toFixed(3)],
      ['the same of a table of two chunks, ms', median(few).toFixed(3)],
    ],
  );
  return [
    {
      what: `find by key, ${formatNumber(count)} chunks to 2`,
      value: `x ${ratio.toFixed(2)}`,
      goal: '< x 1.5',
      isMet: ratio < 1.5,
    },
  ];
}

const PATTERN = ShardKeyPattern.parse(documentOf({ k: 1 }));
const GENERATION = { epoch: '6512bd43d9caa6e02c990b0a', timestamp: 5n };

function chunksOf(count: number): Chunk[] {
  const bound = (index: number): Buffer => {
    if (index === 0) return PATTERN.globalMin;
    return index === count ? PATTERN.globalMax : documentOf({ k: int32Value(index * 10) });
  };
  return Array.from({ length: count }, (_, index) =>
    makeChunk(PATTERN, {
      min: bound(index),
      max: bound(index + 1),
      // Long stretches on one shard: the worst case for a range.
      shard: index < count - 5 ? 'shard1' : 'shard2',
      major: index + 1,
      minor: 0,
    }),
  );
}

/** Replaces the two chunks of a collection by many that cover the same keys on the same shards. */
async function addChunks(cluster: BenchCluster, namespace: string, count: number): Promise<void> {
  const client = await MongoClient.connect(cluster.cluster.uriOf('config'), {
    directConnection: true,
  });
  try {
    const config = client.db('config');
    const entry = await config
      .collection<{ _id: string; uuid: Binary }>('collections')
      .findOne({ _id: namespace });
    const chunks = config.collection<Document>('chunks');
    const uuid = entry?.uuid;
    const [low, high] = await chunks.find({ uuid }).sort({ min: 1 }).toArray();
    if (low === undefined || high === undefined) throw new Error(`${namespace} has not two chunks`);
    await chunks.deleteMany({ uuid });
    const half = count >> 1;
    const documents = Array.from({ length: count }, (_, index) => {
      const side = index < half ? low : high;
      const isLast = index === count - 1;
      return {
        _id: new ObjectId(),
        uuid,
        min: index === 0 ? low['min'] : { k: index * 10 },
        max: isLast ? high['max'] : { k: (index + 1) * 10 },
        shard: side['shard'],
        lastmod: new Timestamp({ t: 10 + index, i: 0 }),
        onCurrentShardSince: side['onCurrentShardSince'],
        history: side['history'],
      };
    });
    for (let from = 0; from < count; from += BATCH) {
      await chunks.insertMany(documents.slice(from, from + BATCH));
    }
  } finally {
    await client.close();
  }
}

function find(cluster: BenchCluster, collection: string, k: number): Promise<Document> {
  return cluster.run('router2', 'bench', { find: collection, filter: { k } });
}

/** Milliseconds of this process's CPU: while others have the processor, no time passes. */
function timed(run: () => unknown, runs: number): number {
  const times: number[] = [];
  for (let index = 0; index < runs; index += 1) {
    const before = process.cpuUsage();
    run();
    const { user, system } = process.cpuUsage(before);
    times.push((user + system) / 1000);
  }
  return median(times);
}

async function timedAsync(run: () => Promise<unknown>): Promise<number> {
  const beganMs = performance.now();
  await run();
  return performance.now() - beganMs;
}
