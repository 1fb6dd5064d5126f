/**
 * Question: does a backup that is taken under full load hold exactly one state, what do the writers pay for it, and how fast are
 * backup and restore beside a plain copy of the files?
 *
 * Eight clients write as fast as they can, each a sequence of inserts, updates and deletes that follows from its number alone, so that the
 * log of what it did up to any step can be made again. Every write is one commit: a restored state is exact when each client's documents are
 * those after some step of its own, and the steps sum up to the commit number that the backup names. Phases: load alone; load with a backup
 * that is killed in its midst and gone on with; points in time out of the followed journal; copies of a quiet server.
 * Estimate beforehand: the writers' p99 rises by the CPU that the tool takes on a machine of two cores, less than twice. Backup reads at the
 * speed of one event loop that copies 1 MiB at a time, 100 to 200 MB/s, and is held by zstd in WebAssembly on incompressible pages.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { cp, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { MongoClient } from 'mongodb';
import { findChain, forEachJournalPiece } from '../../cli/backup/backup-chain.ts';
import { restoreDirectory } from '../../cli/backup/restore-directory.ts';
import { Progress } from '../../cli/command-line/progress.ts';
import { getField } from '../../bson/index.ts';
import { systemClock } from '../../common/clock.ts';
import { SeededRandom } from '../../common/random.ts';
import {
  journalEntryLength,
  journalEntryStamp,
  openEngine,
  type CommitPoint,
} from '../../storage/index.ts';
import {
  Program,
  removeTemporaryDirectory,
  temporaryDirectory,
} from '../../test/support/programs.ts';
import { LatencyHistogram } from '../load/histogram.ts';
import { runClusterBackup } from './cluster-backup.ts';
import { printMachine, printTable } from './report.ts';

const FLINT = fileURLToPath(new URL('../../bin/flint', import.meta.url));
const CLIENTS = 8;
const MOST_SLOWER = 2;
const NAMESPACE = { database: 'bench', collection: 'log' } as const;
/** Steps behind the last document that shows one: deletes, of what was written just before, too. */
const MOST_STEPS_UNSEEN = 64;
const MEBIBYTE = 1024 * 1024;

/** What a client does at a step: follows from both numbers. */
type Step =
  | { readonly kind: 'insert'; readonly id: string }
  | { readonly kind: 'update' | 'delete'; readonly id: string };

/** One client's sequence, made again as often as it is asked for. */
class Sequence {
  readonly client: number;
  /** Its documents as they are after the last step: the step that wrote each. */
  readonly documents = new Map<string, number>();
  private readonly ids: string[] = [];
  private readonly random: SeededRandom;
  step = 0;

  constructor(client: number) {
    this.client = client;
    this.random = new SeededRandom(client + 1);
  }

  next(): Step {
    this.step += 1;
    const dice = this.random.below(10);
    if (this.ids.length < 20 || dice < 5) {
      const id = `${this.client}-${this.step}`;
      this.ids.push(id);
      this.documents.set(id, this.step);
      return { kind: 'insert', id };
    }
    const place = this.random.below(this.ids.length);
    const id = this.ids[place];
    if (dice < 9) {
      this.documents.set(id, this.step);
      return { kind: 'update', id };
    }
    this.ids[place] = this.ids[this.ids.length - 1];
    this.ids.pop();
    this.documents.delete(id);
    return { kind: 'delete', id };
  }
}

/** Of a length that follows from the step, half of it incompressible. */
function textOf(client: number, step: number): string {
  const random = new SeededRandom(client * 1_000_003 + step);
  return `${random.bytes(100 + random.below(200)).toString('base64')}${'lorem ipsum '.repeat(20)}`;
}

interface Check {
  readonly what: string;
  readonly measured: string;
  readonly bound: string;
  readonly holds: boolean;
}

/**
 * @param args --seconds 70 (of load before the backup), --documents 200000 (before the load; of a cluster 20000), --points 100, --cluster
 * @returns whether everything held
 */
export async function run(args: readonly string[]): Promise<boolean> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seconds: { type: 'string', default: '70' },
      documents: { type: 'string' },
      points: { type: 'string', default: '100' },
      cluster: { type: 'boolean', default: false },
    },
  });
  const documents = Number(values.documents ?? (values.cluster ? '20000' : '200000'));
  const sizes = { seconds: Number(values.seconds), documents, points: Number(values.points) };
  if (values.cluster) return runClusterBackup(sizes);
  printMachine();
  const directory = temporaryDirectory();
  const program = await Program.start({
    dbpath: await made(join(directory, 'data')),
    args: ['--oplogSize', '8192'],
  });
  try {
    const bench = new Bench(program, directory);
    return await bench.run(sizes.seconds, sizes.documents, sizes.points);
  } finally {
    await program.dispose();
    removeTemporaryDirectory(directory);
  }
}

class Bench {
  private readonly program: Program;
  private readonly directory: string;
  private readonly checks: Check[] = [];
  private readonly sequences = Array.from({ length: CLIENTS }, (_, client) => new Sequence(client));
  /** Commits before the first step. */
  private commitsBefore = 0;

  constructor(program: Program, directory: string) {
    this.program = program;
    this.directory = directory;
  }

  async run(seconds: number, documents: number, points: number): Promise<boolean> {
    await this.fill(documents);
    const follower = await this.startFollowing();
    const alone = await this.load(() => pause(seconds * 1000));
    const target = this.place('loaded');
    let report: Report | undefined;
    const beside = await this.load(async () => {
      await this.killInTheMidst(target);
      report = await this.flintJson('backup', this.program.uri, target);
    });
    follower.kill('SIGTERM');
    await ended(follower);
    this.check('resumed after kill -9', String(report?.resumed), 'true', report?.resumed === true);
    const slower = beside.percentile(0.99) / alone.percentile(0.99);
    this.check(
      "writers' p99 during the backup",
      `${ms(beside.percentile(0.99))} ms, ${slower.toFixed(2)} x`,
      `${MOST_SLOWER} x`,
      slower <= MOST_SLOWER,
    );
    process.stdout.write(
      `alone: p50 ${ms(alone.percentile(0.5))} ms, p99 ${ms(alone.percentile(0.99))} ms; during: p50 ${ms(beside.percentile(0.5))} ms\n`,
    );
    await this.checkRestored(target, undefined, report?.commitNumber ?? NaN, 'state at the backup');
    await this.checkFlippedBits(target);
    await this.checkPoints(points);
    await this.compareCopies();
    printTable(
      ['', 'measured', 'bound', ''],
      this.checks.map(({ what, measured, bound, holds }) => [
        what,
        measured,
        bound,
        holds ? 'ok' : 'NO',
      ]),
    );
    return this.checks.every(({ holds }) => holds);
  }

  private async fill(documents: number): Promise<void> {
    const client = await new MongoClient(this.program.uri).connect();
    const collection = client.db(NAMESPACE.database).collection<{ _id: string }>('before');
    for (let id = 0; id < documents; id += 1000) {
      await collection.insertMany(
        Array.from({ length: 1000 }, (_, n) => ({ _id: `b-${id + n}`, text: textOf(99, id + n) })),
      );
    }
    await client.db(NAMESPACE.database).collection(NAMESPACE.collection).createIndex({ step: 1 });
    const { commitNumber, backup } = await client.db('admin').command({ backupOpen: 1 });
    await client.db('admin').command({ backupClose: backup });
    this.commitsBefore = Number(commitNumber);
    await client.close();
  }

  /** Eight clients, from where they are, until `until` is over. @returns latencies, microseconds */
  private async load(until: () => Promise<void>): Promise<LatencyHistogram> {
    const histogram = new LatencyHistogram();
    let isOver = false;
    const client = await new MongoClient(this.program.uri, { maxPoolSize: CLIENTS }).connect();
    const collection = client
      .db(NAMESPACE.database)
      .collection<{ _id: string; step: number; text: string }>(NAMESPACE.collection);
    const write = async (sequence: Sequence): Promise<void> => {
      while (!isOver) {
        const { kind, id } = sequence.next();
        const { step } = sequence;
        const text = textOf(sequence.client, step);
        const startMs = systemClock.monotonicMs();
        if (kind === 'insert') await collection.insertOne({ _id: id, step, text });
        else if (kind === 'update')
          await collection.updateOne({ _id: id }, { $set: { step, text } });
        else await collection.deleteOne({ _id: id });
        histogram.record((systemClock.monotonicMs() - startMs) * 1000);
      }
    };
    const writers = this.sequences.map((sequence) => write(sequence));
    try {
      await until();
    } finally {
      isOver = true;
      await Promise.all(writers);
      await client.close();
    }
    return histogram;
  }

  private async startFollowing(): Promise<ChildProcess> {
    const child = spawn(FLINT, ['backup', this.program.uri, this.place('followed'), '--follow'], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    child.stderr.on('data', (text: Buffer) => (said += text.toString()));
    while (!said.includes('Following')) await pause(20);
    return child;
  }

  private async killInTheMidst(target: string): Promise<void> {
    const child = spawn(FLINT, ['backup', this.program.uri, target, '--quiet', '--rate', '20MB'], {
      stdio: 'ignore',
    });
    const base = join(target, 'base.backup');
    while (sizeOf(base) < MEBIBYTE) await pause(5);
    child.kill('SIGKILL');
    await ended(child);
  }

  /** Document by document: each client's are those after one of its steps, and the steps sum up to the commit. */
  private async checkRestored(
    target: string,
    to: CommitPoint | undefined,
    commitNumber: number,
    what: string,
  ): Promise<boolean> {
    const dbpath = this.place('restored');
    await rm(dbpath, { recursive: true, force: true });
    const { at } = await restoreDirectory(await findChain(target), {
      dbpath,
      force: false,
      to: to?.timestamp,
      progress: new Progress({ quiet: true }),
    });
    const found = await documentsIn(dbpath);
    let sums = new Set([0]);
    for (const { client } of this.sequences) {
      const steps = this.stepsThatLeave(client, found.get(client) ?? new Map<string, string>());
      sums = new Set([...sums].flatMap((sum) => steps.map((step) => sum + step)));
    }
    const expected = commitNumber - this.commitsBefore;
    const isExact = at.commitNumber === commitNumber && sums.has(expected);
    if (!isExact || to === undefined) {
      this.check(what, `steps ${[...sums].slice(0, 5).join(', ')}`, String(expected), isExact);
    }
    return isExact;
  }

  /** The steps after which a client has left exactly these documents: an insert that was deleted at once leaves the state before it. */
  private stepsThatLeave(client: number, documents: ReadonlyMap<string, string>): number[] {
    let last = 0;
    for (const value of documents.values()) last = Math.max(last, stepOf(value));
    const sequence = new Sequence(client);
    while (sequence.step < last) sequence.next();
    const steps: number[] = [];
    for (let more = 0; more <= MOST_STEPS_UNSEEN; more += 1) {
      if (isLeftBy(sequence, documents)) steps.push(sequence.step);
      sequence.next();
    }
    return steps;
  }

  private async checkPoints(points: number): Promise<void> {
    const target = this.place('followed');
    const commits: CommitPoint[] = [];
    await forEachJournalPiece(await findChain(target), ({ entries }) => {
      for (let at = 0; at < entries.length;) {
        const { cn, ts } = journalEntryStamp(entries, at);
        if (cn !== undefined) commits.push({ commitNumber: cn, timestamp: ts });
        at += journalEntryLength(entries, at, entries.length);
      }
      return Promise.resolve('go on');
    });
    const random = new SeededRandom(7);
    let exact = 0;
    for (let point = 0; point < points; point += 1) {
      const to = commits[random.below(commits.length)];
      if (await this.checkRestored(target, to, to.commitNumber, `point ${to.commitNumber}`))
        exact += 1;
    }
    this.check('points in time that are exact', `${exact} of ${points}`, 'all', exact === points);
  }

  private async checkFlippedBits(target: string): Promise<void> {
    const base = join(target, 'base.backup');
    const sound = readFileSync(base);
    const random = new SeededRandom(3);
    const tries = 10;
    let found = 0;
    for (let round = 0; round < tries; round += 1) {
      const damaged = Buffer.from(sound);
      damaged[random.below(damaged.length)] ^= 1 << random.below(8);
      writeFileSync(base, damaged);
      const { code, stdout } = await this.flint('verify', target, '--json', '--quiet');
      const restored = await this.flint('restore', target, this.place('none'), '--quiet');
      if (code === 4 && restored.code === 4 && stdout.includes(`"file":"${base}","offset":`))
        found += 1;
    }
    writeFileSync(base, sound);
    this.check('flipped bits found and refused', `${found} of ${tries}`, 'all', found === tries);
  }

  /** Of a server that nobody writes to, so that all copy the same. */
  private async compareCopies(): Promise<void> {
    const { uri } = this.program;
    const backup = await timed(() => this.flintJson('backup', uri, this.place('quiet')));
    const dump = await timed(() =>
      this.flintJson(
        'backup',
        uri,
        this.place('dump.gz'),
        '--format',
        'mongodump',
        '--archive',
        '--gzip',
      ),
    );
    const restore = await timed(() =>
      this.flintJson('restore', this.place('quiet'), this.place('back')),
    );
    await this.program.stop();
    const data = join(this.directory, 'data');
    const copy = await timed(() => cp(data, this.place('copied'), { recursive: true }));
    const dataBytes = bytesBelow(data);
    const restoredBytes = bytesBelow(this.place('back'));
    const row = (what: string, bytes: number, read: number, seconds: number): string[] => [
      what,
      `${(bytes / 1e6).toFixed(1)} MB`,
      `${seconds.toFixed(1)} s`,
      `${(read / 1e6 / seconds).toFixed(0)} MB/s`,
    ];
    printTable(
      ['', 'size', 'time', 'of what it read'],
      [
        row('cp of the data directory', bytesBelow(this.place('copied')), dataBytes, copy.seconds),
        row('flint backup', bytesBelow(this.place('quiet')), backup.result.bytes, backup.seconds),
        row('flint restore', restoredBytes, backup.result.bytes, restore.seconds),
        row(
          'mongodump format, gzip',
          bytesBelow(this.place('dump.gz')),
          dump.result.bytes,
          dump.seconds,
        ),
      ],
    );
  }

  private check(what: string, measured: string, bound: string, holds: boolean): void {
    this.checks.push({ what, measured, bound, holds });
  }

  private place(name: string): string {
    return join(this.directory, name);
  }

  private async flintJson(...args: readonly string[]): Promise<Report> {
    const { code, stdout } = await this.flint(...args, '--json', '--quiet');
    if (code !== 0) throw new Error(`flint ${args.join(' ')} ended with ${code}`);
    return JSON.parse(stdout) as Report;
  }

  private flint(...args: readonly string[]): Promise<{ code: number | null; stdout: string }> {
    const child = spawn(FLINT, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    let stdout = '';
    child.stdout.on('data', (text: Buffer) => (stdout += text.toString()));
    return ended(child).then((code) => ({ code, stdout }));
  }
}

interface Report {
  readonly commitNumber: number;
  readonly bytes: number;
  readonly resumed?: boolean;
}

/** Document by document. */
function isLeftBy(sequence: Sequence, documents: ReadonlyMap<string, string>): boolean {
  if (sequence.documents.size !== documents.size) return false;
  for (const [id, step] of sequence.documents) {
    const found = documents.get(id);
    if (found === undefined || stepOf(found) !== step) return false;
  }
  for (const [id, step] of sequence.documents) {
    if (documents.get(id) !== `${step} ${textOf(sequence.client, step)}`) return false;
  }
  return true;
}

function stepOf(value: string): number {
  return Number(value.slice(0, value.indexOf(' ')));
}

/** By client and id, what each document holds: step and text. */
async function documentsIn(dbpath: string): Promise<Map<number, Map<string, string>>> {
  const engine = await openEngine({ dbpath, checkpointIntervalMs: 0 });
  const found = new Map<number, Map<string, string>>();
  try {
    const view = engine.snapshot();
    const collection = view.collection(`${NAMESPACE.database}.${NAMESPACE.collection}`);
    if (collection === undefined) return found;
    const cursor = view.scanRecords(collection);
    while (await cursor.next()) {
      const id = getField(cursor.document, '_id')?.asString() ?? '';
      const client = Number(id.split('-', 1)[0]);
      const documents = found.get(client) ?? new Map<string, string>();
      found.set(client, documents);
      const step = getField(cursor.document, 'step')?.asNumber();
      documents.set(id, `${step} ${getField(cursor.document, 'text')?.asString()}`);
    }
    view.close();
  } finally {
    await engine.close();
  }
  return found;
}

async function made(directory: string): Promise<string> {
  await mkdir(directory, { recursive: true });
  return directory;
}

async function timed<T>(work: () => Promise<T>): Promise<{ result: T; seconds: number }> {
  const startMs = systemClock.monotonicMs();
  const result = await work();
  return { result, seconds: (systemClock.monotonicMs() - startMs) / 1000 };
}

function ended(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve(child.exitCode);
    else child.once('close', (code) => resolve(code));
  });
}

/** What is on the disk: files may have holes. */
function bytesBelow(path: string): number {
  const { blocks } = statSync(path);
  if (!statSync(path).isDirectory()) return blocks * 512;
  return readdirSync(path).reduce((sum, name) => sum + bytesBelow(join(path, name)), 0);
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

function ms(us: number): string {
  return (us / 1000).toFixed(2);
}

function pause(waitMs: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, waitMs);
  });
}
