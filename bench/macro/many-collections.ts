/**
 * Question: what do 10,000 collections with 40,000 indexes cost: to start with, to hold in memory, and to add to or take from?
 *
 * Estimate beforehand: a catalog record of 700 bytes each is read and decoded in 20 us, 0.2 s in all; objects of 3-4 KB per collection
 * make 40 MB of heap. A create writes a journal entry per index and touches no other collection, so that it costs the same
 * whatever is there; the same for a drop.
 */
import { parseArgs } from 'node:util';
import { MongoClient, type Db } from 'mongodb';
import {
  Program,
  removeTemporaryDirectory,
  temporaryDirectory,
} from '../../test/support/programs.ts';
import { processMemoryBytes } from '../load/process-memory.ts';
import { formatNumber, printMachine, printTable } from './report.ts';

const MOST_START_MS = 2000;
const MOST_MEMORY_BYTES = 300e6;
/** The last ones may cost so much more than the first ones: noise, not growth. */
const MOST_GROWTH = 1.5;
const IN_FLIGHT = 8;
/** Each beside its _id index. */
const INDEXES = [{ a: 1 }, { b: 1, c: -1 }, { 'd.e': 1 }];

interface Settings {
  readonly collections: number;
  /** Created and dropped for one figure. */
  readonly sample: number;
}

/**
 * @param args --collections 10000, --sample 500
 * @returns whether start, memory, creates and drops are within their bounds
 */
export async function run(args: readonly string[]): Promise<boolean> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      collections: { type: 'string', default: '10000' },
      sample: { type: 'string', default: '500' },
    },
  });
  const settings = { collections: Number(values.collections), sample: Number(values.sample) };
  printMachine();
  const dbpath = temporaryDirectory();
  try {
    return await measure(settings, dbpath);
  } finally {
    removeTemporaryDirectory(dbpath);
  }
}

async function measure({ collections, sample }: Settings, dbpath: string): Promise<boolean> {
  const program = await Program.start({ dbpath });
  try {
    // The first of all warms up: it would make every later one look good.
    await withDatabase(program, (db) => addAndTake(db, sample));
    const first = await withDatabase(program, (db) => addAndTake(db, sample));
    const fillMs = await withDatabase(program, (db) => fill(db, collections));
    const last = await withDatabase(program, (db) => addAndTake(db, sample));
    const clean = await restart(program, 'SIGTERM');
    await withDatabase(program, (db) => createAll(db, 'after', sample));
    const crashed = await restart(program, 'SIGKILL');
    const listMs = await withDatabase(program, (db) => list(db, collections));
    const listedBytes = processMemoryBytes(program.pid);
    const growth = (from: number, to: number): string => `${(to / from).toFixed(2)} x`;
    const rows: [string, string, string, boolean | undefined][] = [
      ['filling, ms per collection', formatNumber(fillMs / collections), '-', undefined],
      [
        'start after a clean stop, ms',
        formatNumber(clean.tookMs),
        String(MOST_START_MS),
        clean.tookMs < MOST_START_MS,
      ],
      [
        'start after kill -9, ms',
        formatNumber(crashed.tookMs),
        String(MOST_START_MS),
        crashed.tookMs < MOST_START_MS,
      ],
      [
        'memory after the start, MB',
        megabytes(clean.bytes),
        megabytes(MOST_MEMORY_BYTES),
        clean.bytes < MOST_MEMORY_BYTES,
      ],
      [
        'memory after listing all indexes, MB',
        megabytes(listedBytes),
        megabytes(MOST_MEMORY_BYTES),
        listedBytes < MOST_MEMORY_BYTES,
      ],
      ['listing all collections and indexes, ms', formatNumber(listMs), '-', undefined],
      [
        `create, ms: ${first.createMs.toFixed(2)}, then ${last.createMs.toFixed(2)}`,
        growth(first.createMs, last.createMs),
        `${MOST_GROWTH} x`,
        last.createMs < first.createMs * MOST_GROWTH,
      ],
      [
        `drop, ms: ${first.dropMs.toFixed(2)}, then ${last.dropMs.toFixed(2)}`,
        growth(first.dropMs, last.dropMs),
        `${MOST_GROWTH} x`,
        last.dropMs < first.dropMs * MOST_GROWTH,
      ],
    ];
    const count = formatNumber(collections);
    printTable(
      [
        `${count} collections, ${formatNumber(collections * (INDEXES.length + 1))} indexes`,
        'measured',
        'bound',
        '',
      ],
      rows.map(([title, measured, bound, holds]) => [title, measured, bound, verdict(holds)]),
    );
    return rows.every(([, , , holds]) => holds !== false);
  } finally {
    await program.stop();
    await program.dispose();
  }
}

function verdict(holds: boolean | undefined): string {
  if (holds === undefined) return '';
  return holds ? 'PASS' : 'FAIL';
}

function megabytes(bytes: number): string {
  return formatNumber(bytes / 1e6);
}

async function withDatabase<Result>(
  program: Program,
  work: (db: Db) => Promise<Result>,
): Promise<Result> {
  const client = await MongoClient.connect(program.uri, { maxPoolSize: IN_FLIGHT });
  try {
    return await work(client.db('many'));
  } finally {
    await client.close();
  }
}

/** @returns milliseconds */
async function fill(db: Db, collections: number): Promise<number> {
  const beganMs = performance.now();
  await createAll(db, 'collection', collections);
  return performance.now() - beganMs;
}

/** Each with its indexes, by one command, as `createIndexes` of a collection that is not there yet does. */
async function createAll(db: Db, prefix: string, count: number): Promise<void> {
  const indexes = INDEXES.map((key) => ({ key, name: Object.keys(key).join('_') }));
  await inFlight(count, (index) => db.command({ createIndexes: `${prefix}${index}`, indexes }));
}

/** Creates and drops some, in their database of thousands. @returns milliseconds each, as the clients wait for them */
async function addAndTake(db: Db, sample: number): Promise<{ createMs: number; dropMs: number }> {
  const beganMs = performance.now();
  await createAll(db, 'sample', sample);
  const createdMs = performance.now();
  await inFlight(sample, (index) => db.command({ drop: `sample${index}` }));
  const droppedMs = performance.now();
  return { createMs: (createdMs - beganMs) / sample, dropMs: (droppedMs - createdMs) / sample };
}

async function inFlight(count: number, run_: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let index = next; index < count; index = next) {
      next += 1;
      await run_(index);
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, lane));
}

async function restart(
  program: Program,
  endBy: NodeJS.Signals,
): Promise<{ tookMs: number; bytes: number }> {
  await program.stop(endBy);
  const beganMs = performance.now();
  await program.restart();
  return { tookMs: performance.now() - beganMs, bytes: processMemoryBytes(program.pid) };
}

/** @returns milliseconds */
async function list(db: Db, collections: number): Promise<number> {
  const beganMs = performance.now();
  const found = await db.listCollections({ name: /^collection/ }, { nameOnly: true }).toArray();
  if (found.length !== collections) throw new Error(`${found.length} collections are there`);
  await inFlight(collections, (index) => db.command({ listIndexes: `collection${index}` }));
  return performance.now() - beganMs;
}
