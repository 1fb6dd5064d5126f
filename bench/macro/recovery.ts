/**
 * Question: how long does a start take when it has 256 MiB of journal to replay?
 *
 * A collection with three indexes is written to (inserts, updates, deletes in random order) while a fail point holds back its
 * checkpoints; then kill -9, and a start. Estimate beforehand: 250,000 entries of a kilobyte at 10 us each for decoding, keys and the
 * delta: 2.5 s; reading 256 MiB at 1 GB/s: 0.3 s; a checkpoint or two in between, 2 s each.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { MongoClient, type AnyBulkWriteOperation, type Collection } from 'mongodb';
import { SeededRandom, type Random } from '../../common/random.ts';
import {
  Program,
  removeTemporaryDirectory,
  temporaryDirectory,
} from '../../test/support/programs.ts';
import { processCpuUs } from '../load/process-cpu.ts';
import { formatNumber, printMachine, printTable } from './report.ts';

const MEBIBYTE = 1024 * 1024;
const LIMIT_SECONDS = 10;
const OPERATIONS_PER_BATCH = 1000;
const TEXT_BYTES = 800;
const HOT_DOCUMENTS = 20_000;
/** Has no divisor in common with the number of hot documents. */
const HOT_STRIDE = 7919;
const BATCHES_PER_INSERT = 5;
const DELETE_SHARE = 0.12;

interface Item {
  readonly _id: number;
  readonly a: number;
  readonly group: string;
  readonly tags: readonly number[];
  readonly text: string;
}

/** @param args --mebibytes 256, --starts 3, --cacheSizeGB 1. @returns whether every start was within its limit. */
export async function run(args: readonly string[]): Promise<boolean> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      mebibytes: { type: 'string', default: '256' },
      starts: { type: 'string', default: '3' },
      cacheSizeGB: { type: 'string', default: '1' },
    },
  });
  const mebibytes = Number(values.mebibytes);
  printMachine();
  const dbpath = temporaryDirectory();
  const logs = mkdtempSync(join(tmpdir(), 'flint-bench-'));
  const rows: string[][] = [];
  let isWithin = true;
  try {
    const options = ['--testing', '--cacheSizeGB', values.cacheSizeGB, '--slowms', '100000'];
    await fill(dbpath, mebibytes, options);
    for (let start = 1; start <= Number(values.starts); start += 1) {
      const timed = await timeStart(dbpath, join(logs, `${start}.log`), options);
      const { seconds, replaySeconds, entries, bytes } = timed;
      // A start folds what it replayed: the later ones have less to replay.
      if (start === 1) isWithin = seconds < LIMIT_SECONDS * (mebibytes / 256);
      rows.push([
        `${start}`,
        formatNumber(seconds),
        formatNumber(timed.cpuSeconds),
        formatNumber(replaySeconds),
        formatNumber(entries),
        formatNumber(bytes / MEBIBYTE),
        formatNumber(bytes / MEBIBYTE / replaySeconds),
        formatNumber((replaySeconds / entries) * 1e6),
        `${timed.progressLines}`,
      ]);
    }
  } finally {
    removeTemporaryDirectory(dbpath);
    rmSync(logs, { recursive: true, force: true });
  }
  printTable(
    [
      'start',
      'seconds to ready',
      'CPU s until then',
      'replay, s',
      'entries',
      'MiB read',
      'MiB/s',
      'us per entry',
      'progress lines',
    ],
    rows,
  );
  return isWithin;
}

interface FillState {
  next: number;
  updates: number;
  batches: number;
}

/** Writes until the journal has as much beyond the base, then kills the server. */
async function fill(dbpath: string, mebibytes: number, args: readonly string[]): Promise<void> {
  const program = await Program.start({ dbpath, args });
  const client = await new MongoClient(program.uri).connect();
  const admin = client.db('admin');
  const collection = client.db('bench').collection<Item>('items');
  await collection.createIndexes([
    { key: { a: 1 } },
    { key: { group: 1, a: -1 } },
    { key: { tags: 1 } },
  ]);
  const random = new SeededRandom(1);
  // Half of what is changed later stands in the base.
  const state: FillState = { next: 0, updates: 0, batches: 0 };
  for (; state.next < 50_000; state.next += OPERATIONS_PER_BATCH) {
    await insertMany(collection, random, state.next);
  }
  await admin.command({ fsync: 1 });
  await admin.command({ configureFailPoint: 'checkpointAfterFreeze', mode: 'alwaysOn' });
  const before = await journalBytes(client);
  for (;;) {
    const written = (await journalBytes(client)) - before;
    if (written >= mebibytes * MEBIBYTE) break;
    await writeBatch(collection, random, state);
  }
  await client
    .db('bench')
    .collection('last')
    .insertOne({ done: true }, { writeConcern: { j: true } });
  await program.kill();
  await client.close();
}

async function insertMany(
  collection: Collection<Item>,
  random: Random,
  first: number,
): Promise<void> {
  const items = Array.from({ length: OPERATIONS_PER_BATCH }, (_, index) =>
    itemOf(random, first + index),
  );
  await collection.insertMany(items);
}

/**
 * While no checkpoint is taken the delta holds the newest version of all that is written, in slabs that go when nothing in them lives. So the same
 * documents are updated in turns, apart from what is inserted: otherwise the delta would be full, and writers wait, before the journal is long enough.
 */
async function writeBatch(
  collection: Collection<Item>,
  random: Random,
  state: FillState,
): Promise<void> {
  state.batches += 1;
  if (state.batches % BATCHES_PER_INSERT === 0) {
    await insertMany(collection, random, state.next);
    state.next += OPERATIONS_PER_BATCH;
    return;
  }
  const operations: AnyBulkWriteOperation<Item>[] = [];
  for (let count = 0; count < OPERATIONS_PER_BATCH; count += 1) {
    if (random.next() < DELETE_SHARE) {
      operations.push({
        deleteOne: { filter: { _id: HOT_DOCUMENTS + random.below(state.next - HOT_DOCUMENTS) } },
      });
      continue;
    }
    // Every document of the hot ones comes once in each turn, in an order that is none of theirs.
    state.updates += 1;
    const _id = (state.updates * HOT_STRIDE) % HOT_DOCUMENTS;
    operations.push({ updateOne: { filter: { _id }, update: { $set: { a: random.below(1e6) } } } });
  }
  await collection.bulkWrite(operations, { ordered: false });
}

function itemOf(random: Random, _id: number): Item {
  return {
    _id,
    a: random.below(1e6),
    group: `group ${random.below(1000)}`,
    tags: [random.below(10_000), random.below(10_000), random.below(10_000)],
    text: random.bytes(TEXT_BYTES / 2).toString('hex'),
  };
}

async function journalBytes(client: MongoClient): Promise<number> {
  const status = await client.db('admin').command({ serverStatus: 1 });
  return Number(status['flintdb'].engine.journal.entryBytes);
}

interface TimedStart {
  readonly seconds: number;
  /** Of all threads: what it would be on a machine that does nothing else. */
  readonly cpuSeconds: number;
  readonly replaySeconds: number;
  readonly entries: number;
  readonly bytes: number;
  readonly progressLines: number;
}

interface LogLine {
  readonly id: number;
  readonly attr?: Readonly<Record<string, number>>;
}

async function timeStart(
  dbpath: string,
  logPath: string,
  args: readonly string[],
): Promise<TimedStart> {
  const startMs = performance.now();
  const program = await Program.start({
    dbpath,
    args: [...args, '--logpath', logPath],
    readyTimeoutMs: 300_000,
  });
  const seconds = (performance.now() - startMs) / 1000;
  const cpuSeconds = processCpuUs(program.pid) / 1e6;
  await program.kill();
  const lines = readFileSync(logPath, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as LogLine);
  const opened = lines.find(({ id }) => id === 5_100_100)?.attr ?? {};
  return {
    seconds,
    cpuSeconds,
    replaySeconds: (opened['replayMillis'] ?? Number.NaN) / 1000,
    entries: opened['replayedEntries'] ?? 0,
    bytes: opened['replayedBytes'] ?? 0,
    progressLines: lines.filter(({ id }) => id === 5_100_102).length,
  };
}
