/**
 * `npm run simulate -- ...`: the engine on simulated machines, judged by a model in memory.
 *
 *   --seeds 500 [--from 1]   so many seeds, after those of seeds.txt that once failed (default 100)
 *   --seed 8141              one, in this process: what a debugger wants
 *   --jobs 2                 processes; default as many as there are cores
 *   --exhaustive             fail every device operation of one story in turn: power cut, EIO, ENOSPC
 *   --plant NAME             run with a bug in the engine until a seed finds it; `--plant list`, `--plant all`
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { FURTHER_PLANTED_BUGS, PLANTED_BUGS, seedsFor } from './planted-bugs.ts';
import { runTasks } from './processes.ts';
import { Totals } from './report.ts';
import { findPlanted, runExhaustively, runSeeds, type Print } from './runs.ts';
import { failedOnce } from './seeds.ts';
import { runSeed } from './simulation.ts';

const DEFAULT_SEEDS = 100;
/** Seeds that a planted bug may survive: what only a repair shows is found by few. */
const PLANT_SEEDS = 1000;
const STORY_DOCUMENTS = 24;
const ALL_PLANTED_BUGS = [...PLANTED_BUGS, ...FURTHER_PLANTED_BUGS];

const { values } = parseArgs({
  options: {
    seeds: { type: 'string' },
    from: { type: 'string' },
    seed: { type: 'string' },
    jobs: { type: 'string' },
    exhaustive: { type: 'boolean', default: false },
    plant: { type: 'string' },
  },
});
const jobs = numberOf('jobs', availableParallelism());
const print: Print = (line) => console.log(line);

if (values.plant !== undefined) process.exitCode = await plant(values.plant);
else if (values.exhaustive) process.exitCode = await exhaustive();
else if (values.seed !== undefined) await single(numberOf('seed', 1));
else process.exitCode = await many();

async function many(): Promise<number> {
  const count = numberOf('seeds', DEFAULT_SEEDS);
  const first = numberOf('from', 1);
  const seeds = [...failedOnce(), ...Array.from({ length: count }, (_, index) => first + index)];
  const { totals, failures, durationMs } = await runSeeds(seeds, { jobs, print });
  const seconds = (durationMs / 1000).toFixed(1);
  print(
    `${totals.seeds} seeds held, ${failures.length} failed, in ${seconds} s on ${jobs} processes`,
  );
  for (const line of totals.lines()) print(line);
  for (const { seed } of failures) print(`FAILED: npm run simulate -- --seed ${seed}`);
  return failures.length === 0 ? 0 : 1;
}

/** A failure ends the process with its stack. */
async function single(seed: number): Promise<void> {
  const totals = new Totals();
  totals.add(await runSeed(seed));
  print(`seed ${seed} held`);
  for (const line of totals.lines()) print(line);
}

async function exhaustive(): Promise<number> {
  const { failures } = await runExhaustively({
    documents: STORY_DOCUMENTS,
    run: (tasks, onAnswer) => runTasks(tasks, { jobs, onAnswer }),
    print,
  });
  return failures.length === 0 ? 0 : 1;
}

async function plant(name: string): Promise<number> {
  if (name === 'list') {
    for (const bug of ALL_PLANTED_BUGS) print(`${bug.name.padEnd(20)} ${bug.what} (${bug.file})`);
    return 0;
  }
  const bugs = ALL_PLANTED_BUGS.filter((bug) => name === 'all' || bug.name === name);
  if (bugs.length === 0) {
    const names = ALL_PLANTED_BUGS.map((bug) => bug.name).join(', ');
    throw new Error(`no such bug: ${name}; there are ${names}`);
  }
  let missed = 0;
  for (const bug of bugs) {
    const first = numberOf('from', 1);
    const count = numberOf('seeds', PLANT_SEEDS);
    const seeds = seedsFor(bug, first, count);
    const found = await findPlanted(bug, { seeds, jobs });
    if (found === undefined) {
      missed += 1;
      print(`${bug.name}: NOT FOUND in ${count} seeds`);
      continue;
    }
    const reason = found.error.split('\n')[0] ?? '';
    print(`${bug.name}: found by seed ${found.seed}, after ${found.seeds} seeds: ${reason}`);
    print(`  repeat it: npm run simulate -- --plant ${bug.name} --from ${found.seed} --seeds 1`);
  }
  return missed === 0 ? 0 : 1;
}

function numberOf(name: 'seeds' | 'from' | 'seed' | 'jobs', otherwise: number): number {
  const text = values[name];
  if (text === undefined) return otherwise;
  const number = Number(text);
  if (!Number.isInteger(number) || number < 0) throw new Error(`--${name} takes a whole number`);
  return number;
}
