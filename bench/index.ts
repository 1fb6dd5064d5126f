/**
 * `npm run bench -- <name> [options]`: finds a benchmark by its name and runs it.
 *
 * Benchmarks of whole programs stand in the table below; any other name is a file of bench/micro:
 * `npm run bench -- bson/compare` runs bench/micro/bson/compare.bench.ts.
 */

/** A benchmark of whole programs. */
interface Benchmark {
  /** @returns whether every floor held. */
  run(args: readonly string[]): Promise<boolean>;
}

const BENCHMARKS: Readonly<Record<string, () => Promise<Benchmark>>> = {
  backup: () => import('./macro/backup.ts'),
  backpressure: () => import('./macro/backpressure.ts'),
  embedded: () => import('./macro/embedded.ts'),
  'interrupted-stages': () => import('./macro/interrupted-stages.ts'),
  'cluster-start': () => import('./macro/cluster-start.ts'),
  checkpoint: () => import('./macro/checkpoint.ts'),
  fairness: () => import('./macro/fairness.ts'),
  'index-build': () => import('./macro/index-build.ts'),
  migration: () => import('./macro/migration.ts'),
  'many-collections': () => import('./macro/many-collections.ts'),
  'pinned-reader': () => import('./macro/pinned-reader.ts'),
  queries: () => import('./macro/queries.ts'),
  recovery: () => import('./macro/recovery.ts'),
  sharding: () => import('./macro/sharding.ts'),
  smoke: () => import('./macro/smoke.ts'),
  start: () => import('./macro/start.ts'),
  timeseries: () => import('./macro/timeseries.ts'),
  ttl: () => import('./macro/ttl.ts'),
};

async function main(): Promise<void> {
  const [name, ...args] = process.argv.slice(2);
  if (name === undefined) {
    process.stdout.write(
      `benchmarks: ${Object.keys(BENCHMARKS).join(', ')}, or a file of bench/micro\n`,
    );
    return;
  }
  const load = BENCHMARKS[name];
  if (load === undefined) {
    await import(new URL(`./micro/${name}.bench.ts`, import.meta.url).href);
    return;
  }
  const benchmark = await load();
  if (!(await benchmark.run(args))) process.exitCode = 1;
}

await main();
