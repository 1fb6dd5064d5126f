/**
 * Question: what do the usual queries cost on a million documents of 1 KiB, and do they look at no more keys and documents than
 * MongoDB's rules need?
 *
 * Estimate beforehand: a point read through a driver is 0.2-0.4 ms; each further document 3-5 µs for the fetch and 1 µs for its key, so 100
 * documents 1 ms, a covered scan or a count of 10,000 entries 5-15 ms; a distinct over 1000 values 1000 jumps of 2 µs.
 * Two conditions of 1 % each: 10,000 documents by one index 40 ms, the entries of both indexes and 103 documents 15-20 ms.
 *
 * Run: npm run bench -- queries [--documents 1000000] [--repeat 200] [--uri URI]; ends with exit code 1 when a check fails.
 * With --uri the collection stays in that server, and is used again.
 */
import { parseArgs } from 'node:util';
import { MongoClient, type Collection, type Document, type Filter } from 'mongodb';
import { Program } from '../../test/support/programs.ts';
import { printMachine, printTable } from './report.ts';

const BATCH = 2000;
const GROUPS = 1000;
const KINDS = 100;
const SHADES = 97;
const FILLER = 'x'.repeat(900);

interface Item extends Document {
  _id: number;
}

/** `number` is unique; a group has documents / GROUPS documents, a kind documents / KINDS, a shade documents / SHADES. */
function documentOf(number: number, documents: number): Item {
  return {
    _id: number,
    number,
    group: number % GROUPS,
    kind: `k${number % KINDS}`,
    shade: number % SHADES,
    at: new Date(1_600_000_000_000 + ((number * 7919) % documents) * 1000),
    score: (number * 104_729) % 10_007,
    filler: FILLER,
  };
}

const INDEXES = [
  { key: { number: 1 }, name: 'number', unique: true },
  { key: { group: 1, at: -1 }, name: 'group_at' },
  { key: { kind: 1, score: 1 }, name: 'kind_score' },
  { key: { shade: 1 }, name: 'shade' },
] as const;

/** At most so many keys and documents may be examined. */
interface Limits {
  readonly keys: number;
  readonly documents: number;
}

interface Case {
  readonly name: string;
  /** Runs it once; `seed` changes the values. */
  readonly run: (collection: Collection<Item>, seed: number) => Promise<unknown>;
  /** As a command that can be explained. */
  readonly command: (seed: number) => Document;
  readonly limits: (returned: number, seed: number) => Limits;
}

function find(
  name: string,
  filter: (seed: number) => Filter<Item>,
  options: { sort?: Document; limit?: number; projection?: Document; hint?: string },
  limits: Case['limits'],
): Case {
  return {
    name,
    run: (collection, seed) =>
      collection.find(filter(seed), { ...options, batchSize: 10_000 } as never).toArray(),
    command: (seed) => ({ find: 'items', filter: filter(seed), ...options }),
    limits,
  };
}

function ofKindAndShade(seed: number): Filter<Item> {
  return { kind: `k${seed % KINDS}`, shade: seed % SHADES };
}

/** @param documents in the collection */
function casesFor(documents: number): readonly Case[] {
  return [
    find(
      'point, by _id',
      (seed) => ({ _id: (seed * 7919) % documents }),
      {},
      () => ({ keys: 1, documents: 1 }),
    ),
    find(
      'point, by a unique index',
      (seed) => ({ number: (seed * 7919) % documents }),
      {},
      () => ({ keys: 1, documents: 1 }),
    ),
    find(
      'range of 100',
      (seed) => {
        const from = (seed * 7919) % (documents - 100);
        return { number: { $gte: from, $lt: from + 100 } };
      },
      {},
      (returned) => ({ keys: returned + 1, documents: returned }),
    ),
    find(
      'compound range with sort, limit 20',
      (seed) => ({
        group: seed % GROUPS,
        at: { $lt: new Date(1_600_000_000_000 + documents * 500) },
      }),
      { sort: { at: -1 }, limit: 20 },
      () => ({ keys: 20, documents: 20 }),
    ),
    find(
      '$in of 5 with sort, limit 20',
      (seed) => ({ group: { $in: [0, 1, 2, 3, 4].map((step) => (seed + step * 7) % GROUPS) } }),
      { sort: { at: -1 }, limit: 20 },
      () => ({ keys: 20 + 5, documents: 20 }),
    ),
    find(
      'covered, one kind',
      (seed) => ({ kind: `k${seed % KINDS}`, score: { $lt: 1000 } }),
      { projection: { _id: 0, kind: 1, score: 1 } },
      (returned) => ({ keys: returned + 1, documents: 0 }),
    ),
    find(
      'filtered by key, wide range before a point',
      (seed) => ({ kind: { $gte: 'k1', $lt: 'k3' }, score: seed % 10_007 }),
      {},
      (returned) => ({ keys: 2 * 23 + returned + 2, documents: returned }),
    ),
    find('two conditions of 1 %, both indexes', ofKindAndShade, {}, (returned) => ({
      keys: documents / KINDS + documents / SHADES + 4,
      documents: returned,
    })),
    find('the same by one index', ofKindAndShade, { hint: 'kind_score' }, () => ({
      keys: documents / KINDS + 1,
      documents: documents / KINDS,
    })),
    {
      name: 'count of a range',
      run: (collection, seed) => collection.countDocuments({ group: seed % GROUPS }),
      command: (seed) => ({ count: 'items', query: { group: seed % GROUPS } }),
      limits: () => ({ keys: documents / GROUPS + 1, documents: 0 }),
    },
    {
      name: 'count command of a kind',
      run: (collection, seed) =>
        collection.db.command({ count: 'items', query: { kind: `k${seed % KINDS}` } }),
      command: (seed) => ({ count: 'items', query: { kind: `k${seed % KINDS}` } }),
      limits: () => ({ keys: documents / KINDS + 1, documents: 0 }),
    },
    {
      name: 'distinct of 1000 values',
      run: (collection) => collection.distinct('group'),
      command: () => ({ distinct: 'items', key: 'group' }),
      limits: () => ({ keys: GROUPS + 1, documents: 0 }),
    },
    {
      name: 'distinct within a range',
      run: (collection) => collection.distinct('group', { group: { $lt: 50 } }),
      command: () => ({ distinct: 'items', key: 'group', query: { group: { $lt: 50 } } }),
      limits: () => ({ keys: 50 + 1, documents: 0 }),
    },
    {
      name: '$sort + $limit in a pipeline',
      run: (collection, seed) =>
        collection
          .aggregate([{ $match: { group: seed % GROUPS } }, { $sort: { at: 1 } }, { $limit: 10 }])
          .toArray(),
      command: (seed) => ({
        aggregate: 'items',
        pipeline: [{ $match: { group: seed % GROUPS } }, { $sort: { at: 1 } }, { $limit: 10 }],
        cursor: {},
      }),
      limits: () => ({ keys: 10, documents: 10 }),
    },
  ];
}

async function fill(collection: Collection<Item>, documents: number): Promise<void> {
  if ((await collection.estimatedDocumentCount()) === documents) return;
  await collection.drop();
  const startMs = performance.now();
  let batch: Item[] = [];
  for (let number = 0; number < documents; number += 1) {
    batch.push(documentOf(number, documents));
    if (batch.length < BATCH && number + 1 < documents) continue;
    await collection.insertMany(batch, { ordered: false });
    batch = [];
  }
  console.log(`inserted in ${((performance.now() - startMs) / 1000).toFixed(1)} s`);
  const buildMs = performance.now();
  await collection.createIndexes(INDEXES.map((index) => ({ ...index, key: { ...index.key } })));
  console.log(`four indexes built in ${((performance.now() - buildMs) / 1000).toFixed(1)} s`);
}

/** @returns what was wrong; undefined when nothing was. */
async function check(
  collection: Collection<Item>,
  { command, limits }: Case,
): Promise<{ readonly shown: string; readonly problem: string | undefined }> {
  const seed = 17;
  const explained = await collection.db.command({
    explain: command(seed),
    verbosity: 'executionStats',
  });
  const statistics = explained['executionStats'] as Record<string, number>;
  const keys = statistics['totalKeysExamined'] ?? 0;
  const documents = statistics['totalDocsExamined'] ?? 0;
  const allowed = limits(statistics['nReturned'] ?? 0, seed);
  const isFine = keys <= allowed.keys && documents <= allowed.documents;
  return {
    shown: `${keys} / ${documents}`,
    problem: isFine
      ? undefined
      : `examined ${keys} keys and ${documents} documents, allowed ${allowed.keys} and ${allowed.documents}`,
  };
}

async function measure(
  collection: Collection<Item>,
  each: Case,
  repeat: number,
): Promise<readonly number[]> {
  const latencies: number[] = [];
  for (let turn = 0; turn < repeat; turn += 1) {
    const startMs = performance.now();
    await each.run(collection, turn);
    latencies.push(performance.now() - startMs);
  }
  return latencies.sort((a, b) => a - b);
}

function percentile(sorted: readonly number[], share: number): string {
  const at = Math.min(sorted.length - 1, Math.floor(sorted.length * share));
  return (sorted[at] ?? 0).toFixed(2);
}

/** @param args --documents 1000000, --repeat 200, --uri of a server that keeps the collection. @returns whether every check held. */
export async function run(args: readonly string[]): Promise<boolean> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      documents: { type: 'string', default: '1000000' },
      repeat: { type: 'string', default: '200' },
      uri: { type: 'string' },
    },
  });
  const documents = Number(values.documents);
  printMachine();
  const program = values.uri === undefined ? await Program.start() : undefined;
  const client = await new MongoClient(values.uri ?? program!.uri).connect();
  const collection = client.db('bench').collection<Item>('items');
  await fill(collection, documents);
  const rows: string[][] = [];
  let failed = 0;
  for (const each of casesFor(documents)) {
    const { shown, problem } = await check(collection, each);
    if (problem !== undefined) {
      failed += 1;
      console.error(`${each.name}: ${problem}`);
    }
    const latencies = await measure(collection, each, Number(values.repeat));
    rows.push([
      each.name,
      shown,
      percentile(latencies, 0.5),
      percentile(latencies, 0.99),
      problem === undefined ? 'ok' : 'TOO MUCH',
    ]);
  }
  printTable(['query', 'keys / documents', 'p50 ms', 'p99 ms', 'examined'], rows);
  await client.close();
  await program?.dispose();
  return failed === 0;
}
