/**
 * Messages and bytes of an operation, with one, two, four and eight shards: counted at the shards.
 *
 * What must hold: a targeted operation is one message however many shards there are; a scatter is one to each; a sorted find with a limit
 * asks each for no more than the limit; a $group moves groups, not documents.
 */
import type { Document } from 'bson';
import { formatNumber, printTable } from '../report.ts';
import { MOST_SHARDS, type BenchCluster, type Goal, type Traffic } from './bench-cluster.ts';

const REPETITIONS = 20;
const LIMIT = 100;
const GROUPS = 10;
const GROUP_SHARDS = 4;
const MOST_GROUP_BYTES = 100_000;
const BATCH = 5_000;

const OPERATIONS: Readonly<Record<string, (collection: string, key: number) => Document>> = {
  'targeted find': (find, k) => ({ find, filter: { k } }),
  'targeted update': (update, k) => ({
    update,
    updates: [{ q: { k }, u: { $inc: { n: 1 } } }],
  }),
  'scatter find of one': (find, k) => ({ find, filter: { other: k } }),
  [`find sorted, limit ${LIMIT}`]: (find) => ({ find, sort: { other: 1 }, limit: LIMIT }),
  count: (aggregate) => ({ aggregate, pipeline: [{ $count: 'n' }], cursor: {} }),
};

export async function countMessages(cluster: BenchCluster, documents: number): Promise<Goal[]> {
  const goals: Goal[] = [];
  const rows: string[][] = Object.keys(OPERATIONS).map((title) => [title]);
  for (let shards = 1; shards <= MOST_SHARDS; shards *= 2) {
    const name = `over${shards}`;
    await cluster.shardOver(`bench.${name}`, shards, documents);
    await fill(cluster, name, documents);
    for (const [index, [title, commandOf]] of Object.entries(OPERATIONS).entries()) {
      const traffic = await repeated(cluster, (repetition) =>
        commandOf(name, (repetition * 7919) % documents),
      );
      rows[index]?.push(
        `${(traffic.messages / REPETITIONS).toFixed(1)} / ${formatNumber((traffic.bytesIn + traffic.bytesOut) / REPETITIONS)}`,
      );
      goals.push(...goalsOf(title, shards, traffic));
    }
  }
  printTable(['messages / bytes per operation', '1 shard', '2', '4', '8'], rows);
  return goals;
}

function goalsOf(title: string, shards: number, traffic: Traffic): Goal[] {
  const messages = traffic.messages / REPETITIONS;
  const most = title.startsWith('targeted') ? 1 : shards;
  const goals: Goal[] = [
    {
      what: `${title}, ${shards} shards: messages`,
      value: messages.toFixed(1),
      goal: `<= ${most}`,
      isMet: messages <= most,
    },
  ];
  if (!title.includes('sorted')) return goals;
  const returned = Math.max(...traffic.returned) / REPETITIONS;
  goals.push({
    what: `${title}, ${shards} shards: documents of one shard`,
    value: formatNumber(returned),
    goal: `<= ${LIMIT}`,
    isMet: returned <= LIMIT,
  });
  return goals;
}

/** Many documents in few groups, over four shards. */
export async function countGroupBytes(cluster: BenchCluster, documents: number): Promise<Goal[]> {
  await cluster.shardOver('bench.grouped', GROUP_SHARDS, documents);
  await fill(cluster, 'grouped', documents);
  const pipeline = [
    { $group: { _id: '$group', total: { $sum: '$k' }, mean: { $avg: '$k' }, count: { $sum: 1 } } },
  ];
  let found: readonly Document[] = [];
  const beganMs = performance.now();
  const traffic = await cluster.trafficOf(async () => {
    found = await cluster.all('router1', 'bench', { aggregate: 'grouped', pipeline, cursor: {} });
  });
  const tookMs = performance.now() - beganMs;
  const counted = found.reduce((sum, { count }) => sum + Number(count), 0);
  return [
    {
      what: `$group of ${formatNumber(documents)} documents into ${GROUPS}, ${Math.round(tookMs)} ms: bytes to the router`,
      value: formatNumber(traffic.bytesOut),
      goal: `< ${formatNumber(MOST_GROUP_BYTES)}`,
      isMet:
        traffic.bytesOut < MOST_GROUP_BYTES && found.length === GROUPS && counted === documents,
    },
  ];
}

async function fill(cluster: BenchCluster, collection: string, count: number): Promise<void> {
  for (let from = 0; from < count; from += BATCH) {
    const documents = Array.from({ length: Math.min(BATCH, count - from) }, (_, index) => ({
      k: from + index,
      other: ((from + index) * 7919) % count,
      group: (from + index) % GROUPS,
      n: 0,
    }));
    await cluster.run('router1', 'bench', { insert: collection, documents, ordered: false });
  }
}

async function repeated(
  cluster: BenchCluster,
  commandOf: (repetition: number) => Document,
): Promise<Traffic> {
  // The first one reads the routing table, and opens connections.
  await cluster.run('router1', 'bench', commandOf(0));
  return cluster.trafficOf(async () => {
    for (let repetition = 0; repetition < REPETITIONS; repetition += 1) {
      await cluster.run('router1', 'bench', commandOf(repetition));
    }
  });
}
