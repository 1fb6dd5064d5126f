/**
 * `npm run simulate -- --seeds 500` or `-- --seed 8141`: runs seeds, prints totals by fault and by checkpoint step.
 *
 * seeds.txt keeps every seed that once failed; they run first.
 */
import { failedOnce } from './seeds.ts';
import { runSeed, type SeedReport } from './simulation.ts';

async function main(): Promise<void> {
  const seeds = chosenSeeds(process.argv.slice(2));
  const startMs = performance.now();
  const reports: SeedReport[] = [];
  let failed = 0;
  let current = 0;
  // A bug in shared state ends the process, as it would end a server: say which seed it was.
  process.on('uncaughtException', (error) => {
    console.error(error);
    console.error(`replay it: npm run simulate -- --seed ${current}`);
    process.exit(1);
  });
  for (const seed of seeds) {
    current = seed;
    try {
      reports.push(await runSeed(seed));
    } catch (error) {
      failed += 1;
      console.error(`seed ${seed} failed: ${error instanceof Error ? error.stack : String(error)}`);
      console.error(`replay it: npm run simulate -- --seed ${seed}`);
    }
  }
  printTotals(reports, failed, performance.now() - startMs);
  process.exit(failed === 0 ? 0 : 1);
}

function chosenSeeds(args: readonly string[]): number[] {
  const only = numberAfter(args, '--seed');
  if (only !== undefined) return [only];
  const count = numberAfter(args, '--seeds') ?? 100;
  const first = numberAfter(args, '--from') ?? 1;
  return [...failedOnce(), ...Array.from({ length: count }, (_, index) => first + index)];
}

function numberAfter(args: readonly string[], name: string): number | undefined {
  const at = args.indexOf(name);
  return at < 0 ? undefined : Number(args[at + 1]);
}

function printTotals(reports: readonly SeedReport[], failed: number, durationMs: number): void {
  const sum = (field: (report: SeedReport) => number): number =>
    reports.reduce((total, report) => total + field(report), 0);
  console.log(
    `${reports.length} seeds held, ${failed} failed, in ${(durationMs / 1000).toFixed(1)} s`,
  );
  console.log(
    `operations ${sum((r) => r.operations)}, commits ${sum((r) => r.commits)}, ` +
      `conflicts ${sum((r) => r.conflicts)}, duplicates ${sum((r) => r.duplicates)}, ` +
      `index builds ${sum((r) => r.builds)}, snapshot reads ${sum((r) => r.snapshotReads)}, ` +
      `checkpoints ${sum((r) => r.checkpoints)}, restarts ${sum((r) => r.restarts)} ` +
      `(${sum((r) => r.cleanRestarts)} after a clean close), ` +
      `records moved by the cleaner ${sum((r) => r.movedRecords)}, ` +
      `damaged pages met ${sum((r) => r.corruptions)}, starts refused for damage ${sum((r) => r.refusals)}`,
  );
  console.log('faults:', tally(reports.map(({ faults }) => faults)));
  console.log('lives ended by a cut, by checkpoint step:', tally(reports.map((r) => r.cutsByStep)));
}

function tally(counts: readonly Readonly<Record<string, number>>[]): string {
  const totals = new Map<string, number>();
  for (const one of counts) {
    for (const [name, count] of Object.entries(one)) {
      totals.set(name, (totals.get(name) ?? 0) + count);
    }
  }
  return [...totals].map(([name, count]) => `${name} ${count}`).join(', ');
}

await main();
