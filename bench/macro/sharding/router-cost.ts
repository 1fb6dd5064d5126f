/**
 * What a router adds to an operation on one shard: point reads and inserts one at a time, directly and through it in turns, so that a
 * slow spell of the machine meets both; and a bulk load.
 */
import { formatNumber, printTable } from '../report.ts';
import { quantileOf, sorted } from '../latencies.ts';
import { encoded, type BenchCluster } from './bench-cluster.ts';

const ROUNDS = 10;
const BATCH = 1000;

export async function measureRouterCost(cluster: BenchCluster, operations: number): Promise<void> {
  const count = operations;
  await cluster.shardOver('bench.direct', 1, count);
  await load(cluster, 'router1', 'direct', { from: 0, count });
  const perRound = Math.max(1, Math.floor(operations / ROUNDS));
  const times: Record<'read' | 'insert', [number[], number[]]> = {
    read: [[], []],
    insert: [[], []],
  };
  let nextKey = count;
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [side, member] of ['shard1', 'router1'].entries()) {
      for (let index = 0; index < perRound; index += 1) {
        const k = (index * 7919 + round) % count;
        const body = encoded('bench', { find: 'direct', filter: { k }, limit: 1 });
        times.read[side]?.push(await timed(() => cluster.send(member, body)));
      }
      for (let index = 0; index < perRound; index += 1) {
        const documents = [{ k: nextKey, text: 'x'.repeat(200) }];
        nextKey += 1;
        const body = encoded('bench', { insert: 'direct', documents });
        times.insert[side]?.push(await timed(() => cluster.send(member, body)));
      }
    }
  }
  printTable(
    ['one at a time, ms', 'direct p50', 'p99', 'router p50', 'p99', 'ratio p50', 'ratio p99'],
    [row('find by shard key', times.read), row('insert', times.insert)],
  );
  const direct = await load(cluster, 'shard1', 'direct', { from: nextKey, count });
  const routed = await load(cluster, 'router1', 'direct', { from: nextKey + count, count });
  await cluster.shardOver('bench.spread', 4, count);
  const spread = await load(cluster, 'router1', 'spread', { from: 0, count });
  printTable(
    [
      `insert of ${BATCH} documents, documents/s`,
      'direct',
      'router, 1 shard',
      'router, 4 shards',
      'ratio',
    ],
    [['bulk load', ...[direct, routed, spread].map(formatNumber), (direct / routed).toFixed(2)]],
  );
}

/** @returns documents per second */
async function load(
  cluster: BenchCluster,
  member: string,
  collection: string,
  range: { readonly from: number; readonly count: number },
): Promise<number> {
  const bodies: Buffer[] = [];
  for (let start = 0; start < range.count; start += BATCH) {
    const documents = Array.from({ length: Math.min(BATCH, range.count - start) }, (_, index) => ({
      k: range.from + start + index,
      text: 'x'.repeat(200),
    }));
    bodies.push(encoded('bench', { insert: collection, documents, ordered: false }));
  }
  const tookMs = await timed(async () => {
    for (const body of bodies) await cluster.send(member, body);
  });
  return range.count / (tookMs / 1000);
}

async function timed(run: () => Promise<unknown>): Promise<number> {
  const beganMs = performance.now();
  await run();
  return performance.now() - beganMs;
}

function row(title: string, [direct, routed]: [number[], number[]]): readonly string[] {
  const [a, b] = [sorted(direct), sorted(routed)];
  const [p50, p99] = [0.5, 0.99].map((share) => [quantileOf(a, share), quantileOf(b, share)]);
  const [directP50 = NaN, routedP50 = NaN] = p50 ?? [];
  const [directP99 = NaN, routedP99 = NaN] = p99 ?? [];
  return [
    title,
    ...[directP50, directP99, routedP50, routedP99].map((value) => value.toFixed(3)),
    (routedP50 / directP50).toFixed(2),
    (routedP99 / directP99).toFixed(2),
  ];
}
