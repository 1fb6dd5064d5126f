/**
 * Question: how late does a stage that gathers end, when its time is over in whatever it is doing just then?
 *
 * Each pipeline runs with many different maxTimeMS, from little up to what it takes, so that the limit falls into reading,
 * sorting, spilling and giving out. The overrun is what the answer comes later than its limit.
 * Estimate beforehand: a yield every 2 ms and a turn of the event loop: below 20 ms. Floor: 100 ms.
 */
import { parseArgs } from 'node:util';
import { MongoClient, MongoServerError, type Collection, type Document } from 'mongodb';
import { Program } from '../../test/support/programs.ts';
import { formatNumber, printMachine, printTable } from './report.ts';

const BATCH = 10_000;
const FLOOR_MS = 100;
const LIMITS = 24;
const MAX_TIME_MS_EXPIRED = 50;

const PIPELINES: Readonly<Record<string, readonly Document[]>> = {
  $group: [{ $group: { _id: '$n', count: { $sum: 1 } } }, { $count: 'n' }],
  '$group with $push': [{ $group: { _id: '$g', all: { $push: '$n' } } }, { $count: 'n' }],
  '$group with $addToSet': [{ $group: { _id: '$g', all: { $addToSet: '$n' } } }, { $count: 'n' }],
  $sort: [{ $sort: { text: -1 } }, { $count: 'n' }],
  '$setWindowFields, one partition': [
    {
      $setWindowFields: {
        sortBy: { n: -1 },
        output: { sum: { $sum: '$n', window: { documents: [-10, 10] } }, rank: { $rank: {} } },
      },
    },
    { $count: 'n' },
  ],
  '$setWindowFields, many': [
    { $setWindowFields: { partitionBy: '$g', sortBy: { n: 1 }, output: { sum: { $sum: '$n' } } } },
    { $count: 'n' },
  ],
  $graphLookup: [
    { $match: { n: { $lt: 10 } } },
    {
      $graphLookup: {
        from: 'docs',
        startWith: '$next',
        connectFromField: 'next',
        connectToField: '_id',
        as: 'chain',
        maxDepth: 3000,
      },
    },
    { $project: { length: { $size: '$chain' } } },
  ],
  $facet: [
    {
      $facet: {
        groups: [{ $group: { _id: '$g', count: { $sum: 1 } } }],
        first: [{ $sort: { text: 1 } }, { $limit: 10 }],
        buckets: [{ $bucketAuto: { groupBy: '$n', buckets: 20 } }],
      },
    },
  ],
  $bucketAuto: [{ $bucketAuto: { groupBy: '$text', buckets: 50 } }],
  '$lookup without index': [
    { $match: { n: { $lt: 100 } } },
    { $lookup: { from: 'docs', localField: 'n', foreignField: 'g', as: 'same' } },
    { $project: { size: { $size: '$same' } } },
  ],
};

/** @param args --documents 200000. @returns whether every overrun is below the floor. */
export async function run(args: readonly string[]): Promise<boolean> {
  const { values } = parseArgs({
    args: [...args],
    options: { documents: { type: 'string', default: '200000' } },
  });
  printMachine();
  const server = await Program.start({});
  const client = await MongoClient.connect(server.uri);
  try {
    const docs = client.db('bench').collection('docs');
    await load(docs, Number(values.documents));
    const rows: string[][] = [];
    let holds = true;
    for (const [name, pipeline] of Object.entries(PIPELINES)) {
      const outcome = await overruns(docs, pipeline);
      holds &&= outcome.worstMs <= FLOOR_MS;
      rows.push([
        name,
        formatNumber(outcome.wholeMs),
        `${outcome.interrupted}`,
        outcome.worstMs.toFixed(0),
        outcome.worstMs <= FLOOR_MS ? 'ok' : 'too late',
      ]);
    }
    printTable(['stage', 'whole ms', 'interrupted', 'worst overrun ms', ''], rows);
    return holds;
  } finally {
    await client.close();
    await server.dispose();
  }
}

async function load(docs: Collection, count: number): Promise<void> {
  for (let first = 0; first < count; first += BATCH) {
    const batch = Array.from({ length: Math.min(BATCH, count - first) }, (_, index) => {
      const n = first + index;
      const text = `${(n * 7919) % count}-${'x'.repeat(60)}`;
      return { _id: n as never, n, g: n % 1000, next: n + 1, text };
    });
    await docs.insertMany(batch);
  }
}

interface Overruns {
  readonly wholeMs: number;
  readonly interrupted: number;
  readonly worstMs: number;
}

async function overruns(docs: Collection, pipeline: readonly Document[]): Promise<Overruns> {
  const began = performance.now();
  await docs.aggregate([...pipeline]).toArray();
  const wholeMs = performance.now() - began;
  let worstMs = 0;
  let interrupted = 0;
  for (let step = 1; step <= LIMITS; step += 1) {
    const maxTimeMS = Math.max(1, Math.round((wholeMs * step) / (LIMITS + 1)));
    const startMs = performance.now();
    try {
      await docs.aggregate([...pipeline], { maxTimeMS }).toArray();
    } catch (error) {
      if (!(error instanceof MongoServerError) || error.code !== MAX_TIME_MS_EXPIRED) throw error;
      interrupted += 1;
      worstMs = Math.max(worstMs, performance.now() - startMs - maxTimeMS);
    }
  }
  return { wholeMs, interrupted, worstMs };
}
