/**
 * `npm run oracle -- --cases 20000` or `-- --seed 17`: random collections, indexes and queries against one flintd; each index must
 * answer as a collection scan does. `npm run oracle -- --writes 20000`: random writes to collections with an index of every kind, a kill -9
 * half way, and `validate` after each part. `npm run oracle -- --sharded 20000`: random operations on sharded collections whose chunks move,
 * each of which must say and do what it does on one server (`--from 51` begins with that seed, for a run in parts). The programs run from dist/: build them before.
 */
import { MongoClient } from 'mongodb';
import { Program } from '../support/programs.ts';
import { ClusterBesideServer } from './cluster-beside-server.ts';
import { runOracle } from './oracle.ts';
import { RandomWrites, type WritesReport } from './random-writes.ts';
import { runSharded } from './sharded.ts';

/** Queries of one collection. */
const QUERIES = 25;
/** Operations on one sharded collection. */
const SHARDED_OPERATIONS = 200;
const SHARDS = 3;
/** How often a run says how far it is. */
const PROGRESS_MS = 15_000;

async function main(): Promise<void> {
  const args = process.argv.slice(2);
  const writes = numberAfter(args, '--writes');
  if (writes !== undefined) {
    await runWrites(writes, numberAfter(args, '--seed') ?? 1);
    process.exit(0);
  }
  const sharded = numberAfter(args, '--sharded');
  if (sharded !== undefined) {
    const failures = await runShardedSeeds(sharded, {
      only: numberAfter(args, '--seed'),
      from: numberAfter(args, '--from'),
    });
    process.exit(failures === 0 ? 0 : 1);
  }
  const only = numberAfter(args, '--seed');
  const cases = numberAfter(args, '--cases') ?? 1000;
  const first = only ?? numberAfter(args, '--from') ?? 1;
  const seeds = only === undefined ? Math.ceil(cases / QUERIES) : 1;
  const uri = textAfter(args, '--uri');
  const program = uri === undefined ? await Program.start() : undefined;
  const client = await new MongoClient(uri ?? program!.uri).connect();
  let failed = 0;
  const sum = { cases: 0, answers: 0, pipelines: 0, near: 0, words: 0, indexes: 0 };
  const startMs = performance.now();
  let saidMs = startMs;
  for (let seed = first; seed < first + seeds; seed += 1) {
    try {
      const report = await runOracle(client.db('oracle'), seed, QUERIES);
      sum.cases += report.cases;
      sum.answers += report.answers;
      sum.pipelines += report.pipelines;
      sum.near += report.near;
      sum.words += report.words;
      sum.indexes += report.indexes;
    } catch (error) {
      failed += 1;
      console.error(error instanceof Error ? error.message : String(error));
      if (!(error instanceof Error && error.message.startsWith('seed'))) console.error(error);
    }
    const nowMs = performance.now();
    const done = seed - first + 1;
    if (nowMs - saidMs >= PROGRESS_MS && done < seeds) {
      saidMs = nowMs;
      const leftSeconds = (((nowMs - startMs) / done) * (seeds - done)) / 1000;
      console.log(`${done} of ${seeds} seeds, ${failed} failed, ${leftSeconds.toFixed(0)} s left`);
    }
  }
  await client.close();
  await program?.dispose();
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
  console.log(
    `${sum.cases} cases, ${sum.answers} answers compared (${sum.pipelines} of pipelines, ${sum.near} by distance, ${sum.words} by words), ${sum.indexes} indexes, ${failed} of ${seeds} seeds failed, ${seconds} s`,
  );
  process.exit(failed === 0 ? 0 : 1);
}

/** @returns how many seeds failed */
async function runShardedSeeds(
  count: number,
  { only, from }: { readonly only: number | undefined; readonly from: number | undefined },
): Promise<number> {
  const sides = await ClusterBesideServer.start(SHARDS);
  const sums = new Map<string, number>();
  const first = only ?? from ?? 1;
  const seeds = only === undefined ? Math.ceil(count / SHARDED_OPERATIONS) : 1;
  const startMs = performance.now();
  let failed = 0;
  for (let seed = first; seed < first + seeds; seed += 1) {
    try {
      const report = await runSharded(sides, seed, SHARDED_OPERATIONS);
      for (const [name, number] of Object.entries(report)) {
        sums.set(name, (sums.get(name) ?? 0) + Number(number));
      }
    } catch (error) {
      failed += 1;
      console.error(error);
    }
    const done = seed - first + 1;
    if (done % 10 !== 0) continue;
    const leftSeconds = ((performance.now() - startMs) / done / 1000) * (seeds - done);
    console.log(`${done} of ${seeds} seeds, ${failed} failed, ${leftSeconds.toFixed(0)} s left`);
  }
  await sides.stop();
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
  const shown = Array.from(sums, ([name, number]) => `${number} ${name}`).join(', ');
  console.log(`${shown}; ${failed} of ${seeds} seeds failed, ${seconds} s`);
  console.log(failed === 0 ? 'PASS' : 'FAIL');
  return failed;
}

/** Half of the writes, a crash, and the other half, to a collection of each sort. */
async function runWrites(count: number, seed: number): Promise<void> {
  const program = await Program.start();
  for (const clustered of [false, true]) {
    const name = clustered ? 'clustered' : 'plain';
    const client = await new MongoClient(program.uri).connect();
    const before = new RandomWrites(client, name);
    await before.create({ clustered });
    await before.run(seed, Math.ceil(count / 4));
    show(name, await before.validate());
    await client.close();
    await program.kill();
    await program.restart();
    const again = await new MongoClient(program.uri).connect();
    const after = new RandomWrites(again, name);
    show(`${name}, after kill -9`, await after.validate());
    await after.run(seed + 1, Math.ceil(count / 4));
    show(`${name}, written to again`, await after.validate());
    await again.close();
  }
  await program.dispose();
}

function show(what: string, { writes, refused, records, entries }: WritesReport): void {
  const perIndex = Object.entries(entries).map(([name, count]) => `${name} ${count}`);
  console.log(
    `${what}: valid; ${writes} writes, ${refused} refused, ${records} records, ${perIndex.length} indexes, entries: ${perIndex.join(', ')}`,
  );
}

function textAfter(args: readonly string[], name: string): string | undefined {
  const at = args.indexOf(name);
  return at < 0 ? undefined : args[at + 1];
}

function numberAfter(args: readonly string[], name: string): number | undefined {
  const text = textAfter(args, name);
  return text === undefined ? undefined : Number(text);
}

await main();
