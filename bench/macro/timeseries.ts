/**
 * Question: what does a time series gain and cost beside a plain collection of the same documents?
 *
 * One flintd, the official driver, documents of five fields (about 100 bytes) of 100 sensors. Inserts in batches of 1,000 and
 * one by one over 64 connections; then counts and groups over all documents, a time range of one sensor, and the latest
 * document. Each read is the median of several runs. Server CPU per document is of flintd's process.
 * Estimate beforehand: a batch of 1,000 touches 100 buckets of up to 60 KB: 10 µs per measurement, as much as a plain
 * insert; one by one the whole bucket is written, 30-100 µs; reads 150 ns per measurement, plain 400 ns.
 */
import { parseArgs } from 'node:util';
import { type Collection, type Db, type Document, MongoClient } from 'mongodb';
import { Program } from '../../test/support/programs.ts';
import { processCpuUs } from '../load/process-cpu.ts';
import { formatNumber, median, printMachine, printTable } from './report.ts';

const SENSORS = 100;
const BATCH = 1000;
const WRITERS = 64;
const ONE_BY_ONE = 6400;
const FIRST_MS = Date.UTC(2026, 0, 1);

/** @param args --documents 200000. @returns true: there are no floors. */
export async function run(args: readonly string[]): Promise<boolean> {
  const { values } = parseArgs({
    args: [...args],
    options: { documents: { type: 'string', default: '200000' } },
  });
  const count = Number(values.documents);
  printMachine();
  const program = await Program.start();
  const client = await new MongoClient(program.uri, { maxPoolSize: WRITERS }).connect();
  const database = client.db('bench');
  const plain = database.collection('plain');
  await plain.createIndex({ sensor: 1, time: 1 });
  const series = await database.createCollection('series', {
    timeseries: { timeField: 'time', metaField: 'sensor' },
  });
  const figures = [
    await figuresOf(plain, count, program.pid),
    await figuresOf(series, count, program.pid),
  ];
  const sizes = [await bytesOf(database, 'plain'), await bytesOf(database, 'series')];
  await client.close();
  await program.dispose();
  const rows = [...figures[0].keys()].map((name) => [
    name,
    ...figures.map((figure) => formatNumber(figure.get(name) ?? NaN)),
  ]);
  rows.push(['bytes of documents', ...sizes.map(formatNumber)]);
  printTable([`${formatNumber(count)} documents`, 'plain', 'time series'], rows);
  return true;
}

function document(index: number): Document {
  return {
    time: new Date(FIRST_MS + Math.floor(index / SENSORS) * 1000),
    sensor: `sensor ${index % SENSORS}`,
    temperature: 20 + Math.sin(index) * 5,
    humidity: index % 101,
  };
}

async function figuresOf(
  collection: Collection,
  count: number,
  pid: number,
): Promise<Map<string, number>> {
  const figures = new Map<string, number>();
  const batches = await timed(pid, () => insertBatches(collection, count));
  figures.set('insertMany of 1,000, documents/s', (count / batches.wallMs) * 1000);
  figures.set('  server CPU per document, µs', (batches.cpuMs / count) * 1000);
  const each = await timed(pid, () => insertOneByOne(collection, count));
  figures.set('insertOne over 64 connections, documents/s', (ONE_BY_ONE / each.wallMs) * 1000);
  figures.set('  server CPU per document, µs (one by one)', (each.cpuMs / ONE_BY_ONE) * 1000);
  const all = count + ONE_BY_ONE;
  for (const [name, pipeline] of SCANS) {
    const times: number[] = [];
    for (let round = 0; round < 5; round += 1) {
      times.push((await timed(pid, () => collection.aggregate(pipeline).toArray())).wallMs);
    }
    figures.set(`${name}, documents/s`, (all / median(times)) * 1000);
  }
  for (const [name, pipeline] of LOOKUPS) {
    const times: number[] = [];
    for (let round = 0; round < 15; round += 1) {
      times.push((await timed(pid, () => collection.aggregate(pipeline).toArray())).wallMs);
    }
    figures.set(`${name}, ms`, median(times));
  }
  return figures;
}

const SCANS: readonly (readonly [string, Document[]])[] = [
  ['count of a filter on one field', [{ $match: { humidity: { $gt: 50 } } }, { $count: 'n' }]],
  [
    'group by sensor, average of a field',
    [{ $group: { _id: '$sensor', average: { $avg: '$temperature' } } }],
  ],
  ['group by sensor, count', [{ $group: { _id: '$sensor', n: { $sum: 1 } } }]],
  [
    'sum over whole documents',
    [
      { $match: { temperature: { $gt: -100 }, humidity: { $gte: 0 }, sensor: { $ne: 'x' } } },
      { $group: { _id: null, sum: { $sum: '$humidity' } } },
    ],
  ],
];

const RANGE = { $gte: new Date(FIRST_MS + 300_000), $lt: new Date(FIRST_MS + 900_000) };
const LOOKUPS: readonly (readonly [string, Document[]])[] = [
  ['ten minutes of one sensor', [{ $match: { sensor: 'sensor 7', time: RANGE } }]],
  ['ten minutes of all sensors, count', [{ $match: { time: RANGE } }, { $count: 'n' }]],
  [
    'latest document of one sensor',
    [{ $match: { sensor: 'sensor 7' } }, { $sort: { time: -1 } }, { $limit: 1 }],
  ],
  ['latest ten documents of all', [{ $sort: { time: -1 } }, { $limit: 10 }]],
];

async function insertBatches(collection: Collection, count: number): Promise<void> {
  for (let start = 0; start < count; start += BATCH) {
    const length = Math.min(BATCH, count - start);
    await collection.insertMany(Array.from({ length }, (_, index) => document(start + index)));
  }
}

async function insertOneByOne(collection: Collection, from: number): Promise<void> {
  let next = 0;
  const write = async (): Promise<void> => {
    while (next < ONE_BY_ONE) {
      next += 1;
      await collection.insertOne(document(from + next - 1));
    }
  };
  await Promise.all(Array.from({ length: WRITERS }, write));
}

async function timed(
  pid: number,
  work: () => Promise<unknown>,
): Promise<{ readonly wallMs: number; readonly cpuMs: number }> {
  const cpuBefore = processCpuUs(pid);
  const before = performance.now();
  await work();
  return { wallMs: performance.now() - before, cpuMs: (processCpuUs(pid) - cpuBefore) / 1000 };
}

async function bytesOf(database: Db, name: string): Promise<number> {
  const stats = await database.command({ collStats: name });
  return stats['size'] as number;
}
