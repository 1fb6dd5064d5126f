/**
 * Question: is a backup of a cluster, taken under full load while chunks move, one state that could have been seen; for how long does its
 * barrier hold clients back; and what do writers pay?
 *
 * Eight writers write through a router to three shards, each a sequence that follows from its number alone, and every document says how far the other
 * writers had come (test/support/causal-writers.ts); chunks are moved from shard to shard all the time. Phases: load alone; load with the
 * journals followed, a point every second; the same with a backup that is killed in its midst and gone on with. Then the backup, and points at
 * random times out of what was followed, are restored, started as clusters, read through a router and held against the log.
 * Estimate beforehand: a barrier takes two turns of each server's event loop: 20 ms under load, below 200 ms at p99. Of a second 2 % of the replies
 * wait for it, so the writers' p99 grows by about that; the tool's own CPU costs more, on a machine of two cores.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MongoClient } from 'mongodb';
import { startCluster, type Cluster } from '../../client/index.ts';
import { readManifest } from '../../cli/backup/cluster-manifest.ts';
import { restoreCluster } from '../../cli/backup/restore-cluster.ts';
import { Progress } from '../../cli/command-line/progress.ts';
import { SeededRandom } from '../../common/random.ts';
import { CausalWriters, KEYS, type WrittenDocument } from '../../test/support/causal-writers.ts';
import { removeTemporaryDirectory, temporaryDirectory } from '../../test/support/programs.ts';
import { LatencyHistogram } from '../load/histogram.ts';
import { printMachine, printTable } from './report.ts';

export interface ClusterBackupOptions {
  /** Of load alone, and of load that is followed. */
  readonly seconds: number;
  /** There before the load. */
  readonly documents: number;
  /** Restored points in time. */
  readonly points: number;
}

interface Check {
  readonly what: string;
  readonly measured: string;
  readonly bound: string;
  readonly holds: boolean;
}

interface BackupReport {
  readonly resumed: boolean;
  readonly time: string;
  readonly heldMillis: { readonly all: readonly number[] };
  readonly bytes: number;
  readonly storedBytes: number;
  readonly seconds: number;
}

const FLINT = fileURLToPath(new URL('../../bin/flint', import.meta.url));
const DATABASE = 'bench';
const NAMESPACE = [DATABASE, 'log'] as const;
const WRITERS = 8;
const SHARDS = 3;
const CHUNKS = 12;
const MOST_SLOWER = 2;
const MOST_HELD_MS = 1000;
const FLIPS = 10;
/** Of a manifest with its first point. */
const MANIFEST_BYTES = 500;

/** @returns whether everything held */
export async function runClusterBackup(options: ClusterBackupOptions): Promise<boolean> {
  printMachine();
  const directory = temporaryDirectory();
  const cluster = await startCluster({ shards: SHARDS, dir: join(directory, 'live') });
  try {
    return await new ClusterBackupBench(cluster, directory, options).run();
  } finally {
    await cluster.stop();
    removeTemporaryDirectory(directory);
  }
}

class ClusterBackupBench {
  private readonly cluster: Cluster;
  private readonly directory: string;
  private readonly options: ClusterBackupOptions;
  private readonly writers = new CausalWriters({ count: WRITERS, slots: 1000, textBytes: 400 });
  private readonly checks: Check[] = [];
  private moves = 0;

  constructor(cluster: Cluster, directory: string, options: ClusterBackupOptions) {
    this.cluster = cluster;
    this.directory = directory;
    this.options = options;
  }

  async run(): Promise<boolean> {
    const { seconds, points } = this.options;
    await this.fill();
    const alone = await this.load(() => pause(seconds * 1000));
    const follower = await this.startFollowing();
    const followed = await this.load(() => pause(seconds * 1000));
    const target = this.place('loaded');
    let report: BackupReport | undefined;
    const beside = await this.load(async () => {
      await this.killInTheMidst(target);
      report = await this.flintJson('backup', this.cluster.uri, target);
    });
    const held = await stopped(follower);
    this.compare('with a point every second', followed, alone);
    this.compare('during the backup', beside, alone);
    this.checkHeld([...held.heldMillis.all, ...(report?.heldMillis.all ?? [])]);
    this.check('resumed after kill -9', String(report?.resumed), 'true', report?.resumed === true);
    process.stdout.write(
      `${this.writers.steps} writes, ${this.moves} chunks moved; the backup read ${mb(report?.bytes)} MB and wrote ${mb(report?.storedBytes)} MB\n`,
    );
    await this.cluster.stop();
    const wrong = await this.wrongWith(target, undefined);
    this.check('state at the backup', wrong[0] ?? 'exact', 'exact', wrong.length === 0);
    await this.checkFlippedBits(target);
    await this.checkPoints(points);
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

  private async fill(): Promise<void> {
    const client = await new MongoClient(this.cluster.uri).connect();
    const admin = client.db('admin');
    for (const name of ['log', 'before']) {
      await admin.command({ shardCollection: `${DATABASE}.${name}`, key: { key: 1 } });
      for (let chunk = 1; chunk < CHUNKS; chunk += 1) {
        const middle = { key: Math.floor((KEYS * chunk) / CHUNKS) };
        await admin.command({ split: `${DATABASE}.${name}`, middle });
      }
    }
    const random = new SeededRandom(5);
    const before = client.db(DATABASE).collection<{ _id: number }>('before');
    for (let id = 0; id < this.options.documents; id += 1000) {
      await before.insertMany(
        Array.from({ length: 1000 }, (_, n) => ({
          _id: id + n,
          key: random.below(KEYS),
          text: random.bytes(200).toString('base64'),
        })),
      );
    }
    await client.close();
  }

  /** Writers, from where they are, and moving chunks until `until` is over. @returns latencies, microseconds */
  private async load(until: () => Promise<void>): Promise<LatencyHistogram> {
    const histogram = new LatencyHistogram();
    const client = await new MongoClient(this.cluster.uri, {
      maxPoolSize: WRITERS + 2,
    }).connect();
    let isOver = false;
    const moving = this.moveChunks(client, () => isOver);
    try {
      await this.writers.during(client, NAMESPACE, until, (ms) => histogram.record(ms * 1000));
    } finally {
      isOver = true;
      await moving;
      await client.close();
    }
    return histogram;
  }

  private async moveChunks(client: MongoClient, isOver: () => boolean): Promise<void> {
    const random = new SeededRandom(9);
    while (!isOver()) {
      const name = random.below(2) === 0 ? 'log' : 'before';
      await client.db('admin').command({
        moveChunk: `${DATABASE}.${name}`,
        find: { key: random.below(KEYS) },
        to: `shard${1 + random.below(SHARDS)}`,
      });
      this.moves += 1;
      await pause(20);
    }
  }

  private compare(what: string, histogram: LatencyHistogram, alone: LatencyHistogram): void {
    const slower = histogram.percentile(0.99) / alone.percentile(0.99);
    const p50 = `p50 ${ms(histogram.percentile(0.5))} ms, alone ${ms(alone.percentile(0.5))} ms`;
    this.check(
      `writers' p99 ${what}`,
      `${ms(histogram.percentile(0.99))} ms, ${slower.toFixed(2)} x (alone ${ms(alone.percentile(0.99))} ms; ${p50})`,
      `${MOST_SLOWER} x`,
      slower <= MOST_SLOWER,
    );
  }

  private checkHeld(heldMs: readonly number[]): void {
    const sorted = heldMs.toSorted((a, b) => a - b);
    const at = (share: number): number => sorted[Math.ceil(sorted.length * share) - 1] ?? NaN;
    this.check(
      `barrier, p99 of ${sorted.length}`,
      `${at(0.99)} ms (p50 ${at(0.5)} ms, longest ${at(1)} ms)`,
      `${MOST_HELD_MS} ms`,
      at(0.99) < MOST_HELD_MS,
    );
  }

  private async startFollowing(): Promise<ChildProcess> {
    const target = this.place('followed');
    const args = ['backup', this.cluster.uri, target, '--follow', '--quiet', '--json'];
    const child = spawn(FLINT, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    while (sizeOf(join(target, 'cluster.backup')) < MANIFEST_BYTES) await pause(20);
    return child;
  }

  private async killInTheMidst(target: string): Promise<void> {
    const args = ['backup', this.cluster.uri, target, '--quiet', '--rate', '200k'];
    const child = spawn(FLINT, args, { stdio: 'ignore' });
    while (sizeOf(join(target, 'cluster.backup')) < MANIFEST_BYTES) await pause(5);
    await pause(500);
    child.kill('SIGKILL');
    await ended(child);
  }

  /** What is wrong with a point when it is restored, started and read. */
  private async wrongWith(target: string, toMs: number | undefined): Promise<string[]> {
    const dir = this.place('restored');
    await rm(dir, { recursive: true, force: true });
    const { point } = await restoreCluster(target, {
      dir,
      force: false,
      toMs,
      base: undefined,
      progress: new Progress({ quiet: true }),
    });
    const restored = await startCluster({ dir });
    const client = await new MongoClient(restored.uri).connect();
    try {
      const database = client.db(DATABASE);
      const log = await database.collection<WrittenDocument>('log').find().toArray();
      const before = database.collection('before').find({}, { projection: { _id: 1 } });
      const ids = new Set((await before.toArray()).map(({ _id }) => String(_id)));
      const wrong = this.writers.wrongWith(log, point.wallMs);
      const { documents } = this.options;
      if (ids.size !== documents) wrong.push(`${ids.size} of ${documents} documents of before`);
      return wrong;
    } finally {
      await client.close();
      await restored.stop();
    }
  }

  private async checkPoints(count: number): Promise<void> {
    const target = this.place('followed');
    const { points } = await readManifest(target);
    const [from, to] = [points[0].wallMs, points[points.length - 1].wallMs];
    const random = new SeededRandom(7);
    let exact = 0;
    for (let round = 0; round < count; round += 1) {
      const toMs = from + random.below(to - from + 1);
      const wrong = await this.wrongWith(target, toMs);
      if (wrong.length === 0) exact += 1;
      else this.check(`point ${toMs}`, wrong[0], 'exact', false);
    }
    this.check(
      `random points in time, of ${points.length}, that are exact`,
      `${exact} of ${count}`,
      'all',
      exact === count,
    );
  }

  private async checkFlippedBits(target: string): Promise<void> {
    const random = new SeededRandom(3);
    const files = filesBelow(target);
    let found = 0;
    for (let round = 0; round < FLIPS; round += 1) {
      const file = files[random.below(files.length)];
      const sound = readFileSync(file);
      const damaged = Buffer.from(sound);
      damaged[random.below(damaged.length)] ^= 1 << random.below(8);
      writeFileSync(file, damaged);
      const verified = await this.flint('verify', target, '--json', '--quiet');
      const restored = await this.flint('restore', target, this.place('none'), '--quiet');
      const isNamed = verified.stdout.includes(`"file":"${file}","offset":`);
      if (verified.code === 4 && restored.code === 4 && isNamed) found += 1;
      writeFileSync(file, sound);
    }
    this.check('flipped bits found and refused', `${found} of ${FLIPS}`, 'all', found === FLIPS);
  }

  private check(what: string, measured: string, bound: string, holds: boolean): void {
    this.checks.push({ what, measured, bound, holds });
  }

  private place(name: string): string {
    return join(this.directory, name);
  }

  private async flintJson(...args: readonly string[]): Promise<BackupReport> {
    const { code, stdout } = await this.flint(...args, '--json', '--quiet');
    if (code !== 0) throw new Error(`flint ${args.join(' ')} ended with ${code}`);
    return JSON.parse(stdout) as BackupReport;
  }

  private async flint(
    ...args: readonly string[]
  ): Promise<{ readonly code: number | null; readonly stdout: string }> {
    const child = spawn(FLINT, args, { stdio: ['ignore', 'pipe', 'ignore'] });
    const stdout = text(child);
    return { code: await ended(child), stdout: await stdout };
  }
}

async function stopped(follower: ChildProcess): Promise<BackupReport> {
  const said = text(follower);
  follower.kill('SIGTERM');
  await ended(follower);
  return JSON.parse(await said) as BackupReport;
}

async function text(child: ChildProcess): Promise<string> {
  let said = '';
  for await (const chunk of child.stdout ?? []) said += String(chunk);
  return said;
}

function ended(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve(child.exitCode);
    else child.once('close', (code) => resolve(code));
  });
}

function filesBelow(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}

function ms(micros: number): string {
  return (micros / 1000).toFixed(1);
}

function mb(bytes = 0): string {
  return (bytes / 1e6).toFixed(1);
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
