/**
 * Question: what does a cluster cost, and how does that grow with shards and chunks?
 *
 * Estimate beforehand: a router parses, targets and passes on in 60-80 us of CPU, and a second hop on the loopback adds 50: a point read takes
 * twice to three times as long as directly. A targeted operation is one message with any number of shards. A table of 100,000 chunks is
 * 100,000 objects of 400 bytes and two keys, 50 MB; to read it takes 1-2 s, one changed chunk some milliseconds; to find a chunk in it
 * takes 17 comparisons, 1 us. A $group into ten moves forty small documents: 6 KB.
 *
 * Eight shards, two routers and a config server on one machine: times are of a machine that is shared by eleven processes, counts are exact.
 */
import { parseArgs } from 'node:util';
import { formatNumber, printMachine, printTable } from './report.ts';
import { BenchCluster, type Goal } from './sharding/bench-cluster.ts';
import { countGroupBytes, countMessages } from './sharding/messages.ts';
import { measureRouterCost } from './sharding/router-cost.ts';
import { measureRoutingTable, measureTargeting } from './sharding/routing-table.ts';
import { askStaleRouter } from './sharding/stale-router.ts';

/** @param args --operations 10000 --documents 1000000 --chunks 100000 --moves 50. @returns whether every goal is met. */
export async function run(args: readonly string[]): Promise<boolean> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      operations: { type: 'string', default: '10000' },
      documents: { type: 'string', default: '1000000' },
      chunks: { type: 'string', default: '100000' },
      moves: { type: 'string', default: '50' },
    },
  });
  printMachine();
  const goals: Goal[] = measureTargeting(Number(values.chunks));
  const cluster = await BenchCluster.start();
  try {
    const operations = Number(values.operations);
    await measureRouterCost(cluster, operations);
    goals.push(...(await countMessages(cluster, operations)));
    goals.push(...(await askStaleRouter(cluster, Number(values.moves))));
    goals.push(...(await countGroupBytes(cluster, Number(values.documents))));
    goals.push(...(await measureRoutingTable(cluster, Number(values.chunks))));
  } finally {
    await cluster.stop();
  }
  printTable(
    ['what must hold', 'measured', 'goal', ''],
    goals.map(({ what, value, goal, isMet }) => [what, value, goal, isMet ? 'PASS' : 'FAIL']),
  );
  const met = goals.filter(({ isMet }) => isMet).length;
  process.stdout.write(`${formatNumber(met)} of ${formatNumber(goals.length)} goals are met\n`);
  return met === goals.length;
}
