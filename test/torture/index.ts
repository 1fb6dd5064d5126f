/**
 * `npm run torture -- --minutes 10 [--seed N] [--clients 16] [--shards 3] [--no-kills] [--dir D]`: chunks move without end while
 * clients write with j: true through two routers, and shards, config server and routers are killed with -9, at random and at every
 * step of a migration. `npm run torture -- --plant all --minutes 1` plants known bugs in copies of the project, and says which are found.
 *
 * Every minute all stands still and is checked whole: no acknowledged write is lost, none is there twice, each document stands on the
 * shard that owns it by config.chunks and on no other, checkMetadataConsistency finds nothing; meanwhile no reader gets an orphan, a
 * document twice, or one too few.
 */
import { parseArgs } from 'node:util';
import { PLANTED_BUGS, torturePlanted } from './planted-bugs.ts';
import { runTorture, type TortureOptions, type TortureTotals } from './run.ts';

async function main(): Promise<boolean> {
  const { values } = parseArgs({
    allowNegative: true,
    options: {
      minutes: { type: 'string', default: '10' },
      seed: { type: 'string' },
      clients: { type: 'string', default: '16' },
      shards: { type: 'string', default: '3' },
      kills: { type: 'boolean', default: true },
      stop: { type: 'boolean', default: false },
      plant: { type: 'string' },
      dir: { type: 'string' },
    },
  });
  const seed = values.seed === undefined ? Date.now() % 1_000_000 : Number(values.seed);
  const minutes = Number(values.minutes);
  if (!(minutes > 0) || !Number.isInteger(seed)) {
    throw new Error('--minutes takes a number, --seed a whole number');
  }
  console.log(`seed ${seed}`);
  if (values.plant !== undefined) return findPlanted(values.plant, minutes, seed);
  const { dir } = values;
  return torture({
    seconds: minutes * 60,
    seed,
    clients: Number(values.clients),
    shards: Number(values.shards),
    kills: values.kills,
    stopsAtViolation: values.stop,
    ...(dir === undefined ? {} : { dir }),
    onViolation: (line) => console.log(`VIOLATION ${line}`),
    onProgress: (line) => console.log(line),
  });
}

/** @returns whether each was found */
async function findPlanted(name: string, minutes: number, seed: number): Promise<boolean> {
  const bugs = PLANTED_BUGS.filter((bug) => name === 'all' || bug.name === name);
  if (bugs.length === 0) throw new Error(`there is no planted bug '${name}'`);
  let missed = 0;
  for (const bug of bugs) {
    const { found, tookMs } = await torturePlanted(bug, { minutes, seed });
    if (found === undefined) missed += 1;
    const verdict = found === undefined ? 'NOT FOUND' : 'found';
    console.log(`${verdict} after ${Math.round(tookMs / 1000)} s: ${bug.name} (${bug.what})`);
    if (found !== undefined) console.log(`  ${found.slice(0, SHOWN_CHARACTERS)}`);
  }
  console.log(`${missed === 0 ? 'PASS' : 'FAIL'}: ${bugs.length - missed} of ${bugs.length} found`);
  return missed === 0;
}

const SHOWN_CHARACTERS = 200;

async function torture(options: TortureOptions): Promise<boolean> {
  const totals = await runTorture(options);
  print(totals);
  const { violations } = totals.report;
  const isGood = violations.length === 0;
  console.log(`${isGood ? 'PASS' : 'FAIL'}: ${violations.length} violations (goal: none)`);
  return isGood;
}

function print(totals: TortureTotals): void {
  const { report } = totals;
  console.log(`kills: ${listed(totals.kills)}`);
  for (const line of totals.steps.lines()) console.log(line);
  const [covered, all] = totals.steps.coverage;
  console.log(`${covered} of ${all} combinations of step and process`);
  console.log(
    `writes acknowledged: ${totals.inserts} inserts, ${totals.updates} updates, ${totals.deletes} deletes; ` +
      `${totals.unanswered} without answer (${shareOf(totals)} %), of which ${totals.found} were looked up at rest; ` +
      `${totals.documents} documents at the end`,
  );
  console.log(`reads: ${report.reads} of single writers, ${report.scans} of whole collections`);
  console.log(`done: ${listed(report.done)}`);
  console.log(`refused or lost: ${listed(report.failures)}`);
  console.log(
    `longest command ${Math.round(report.longestMs)} ms; migrations settled ${Math.round(totals.settleMs)} ms after a round at most; ` +
      `all was checked at rest ${totals.checks} times`,
  );
  console.log(
    totals.checkedItself
      ? 'checkMetadataConsistency: asked each time'
      : 'checkMetadataConsistency: this cluster has no such command',
  );
}

const listed = (counts: ReadonlyMap<string, number>): string =>
  [...counts]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([what, count]) => `${what} ${count}`)
    .join(', ');

const shareOf = ({ inserts, updates, deletes, unanswered }: TortureTotals): string =>
  ((unanswered / (inserts + updates + deletes + unanswered)) * 100).toFixed(1);

if (!(await main())) process.exitCode = 1;
