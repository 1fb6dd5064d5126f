/**
 * `npm run crash -- --cycles 50 [--seed N] [--checkpoints high|mixed]`: kill -9 of a flintd that is being written to.
 *
 * Eight clients insert, update and delete with j: true, one makes and drops collections and indexes, one builds and drops an
 * index over a larger collection that another changes; after each kill every acknowledged change is there exactly once, one
 * under way whole or not at all, and every index agrees with its collection. About a third of the starts are killed, too.
 *
 * `npm run crash -- --repairs 100 [--seed N]`: instead, so many kills of `flint repair`.
 */
import { parseArgs } from 'node:util';
import { STEP_NAMES } from './kills.ts';
import { runRepairKills } from './repair-kills.ts';
import { runCrashCycles, type CrashTotals } from './run.ts';

/** From the start of the process to the first answered find. */
const SLOWEST_START_MS = 2_000;

const { values } = parseArgs({
  options: {
    cycles: { type: 'string', default: '50' },
    seed: { type: 'string' },
    checkpoints: { type: 'string', default: 'mixed' },
    repairs: { type: 'string' },
  },
});
const seed = values.seed === undefined ? Date.now() % 1_000_000 : Number(values.seed);
console.log(`seed ${seed}`);
if (values.repairs !== undefined) {
  await killRepairs(Number(values.repairs));
  process.exit();
}
const cycles = Number(values.cycles);
const { checkpoints } = values;
if (checkpoints !== 'normal' && checkpoints !== 'high' && checkpoints !== 'mixed') {
  throw new Error('--checkpoints is normal, high or mixed');
}
if (!Number.isInteger(cycles) || cycles < 1 || !Number.isInteger(seed)) {
  throw new Error('--cycles and --seed take whole numbers');
}

const replay = `npm run crash -- --cycles ${cycles} --seed ${seed} --checkpoints ${checkpoints}`;
const beganMs = performance.now();
let done = 0;
const totals = await runCrashCycles({
  cycles,
  seed,
  checkpoints,
  onCycle(line) {
    done += 1;
    const leftMinutes = (((performance.now() - beganMs) / done) * (cycles - done)) / 60_000;
    console.log(`${line}; about ${leftMinutes.toFixed(1)} min left`);
  },
});
printTotals(totals);
console.log(`in ${((performance.now() - beganMs) / 60_000).toFixed(1)} min`);
const slow = totals.startMs.filter((tookMs) => tookMs >= SLOWEST_START_MS);
for (const violation of totals.violations) console.error(`VIOLATION ${violation}`);
if (slow.length > 0) {
  console.error(`VIOLATION ${slow.length} starts took ${SLOWEST_START_MS} ms or longer`);
}
if (totals.violations.length > 0 || slow.length > 0) {
  console.error(`Replay with: ${replay}`);
  process.exitCode = 1;
}

/** What does not come back ends the program with its stack. */
async function killRepairs(kills: number): Promise<void> {
  if (!Number.isInteger(kills) || kills < 1) throw new Error('--repairs takes a whole number');
  const totals = await runRepairKills({ kills, seed, onKill: (line) => console.log(line) });
  const stages = Object.entries(totals.kills).map(([stage, count]) => `${count} ${stage}`);
  console.log(
    `killed while: ${stages.join(', ')}; ended before ${totals.endedBefore}; starts refused meanwhile ${totals.refusals}; ${totals.stores} stores came back whole`,
  );
}

function printTotals(all: CrashTotals): void {
  const { kills, ledger, startMs } = all;
  const sorted = startMs.toSorted((a, b) => a - b);
  const rows: [string, string | number][] = [
    ['cycles', all.cycles],
    ['kills at a random instant', kills.random],
    ['kills at a point of a checkpoint', kills.point],
    ['kills while a step was seen', kills.step],
    ['kills of a server that was recovering', kills.start],
    ['kills just after it was ready', kills.started],
    ['kills in the midst of a large index build', all.killedBuilds],
    ...STEP_NAMES.map((step, index): [string, number] => [
      `landed in checkpoint step ${index + 1} (${step})`,
      all.killsByStep[step],
    ]),
    ['checkpoints that were waited for', all.checkpoints],
    ['acknowledged inserts', ledger.totals.inserts],
    ['acknowledged updates', ledger.totals.updates],
    ['acknowledged deletes', ledger.totals.deletes],
    ['acknowledged catalog changes', all.catalogChanges],
    ['acknowledged large index builds', all.indexBuilds],
    ['changes under way that were there afterwards', ledger.totals.foundUnderWay],
    ['changes under way that were not', ledger.totals.lostUnderWay],
    ['documents read back and compared', all.documentsRead],
    ['start to first find, median ms', Math.round(sorted[Math.floor(sorted.length / 2)] ?? 0)],
    ['start to first find, slowest ms', Math.round(sorted.at(-1) ?? 0)],
    ['violations', all.violations.length],
  ];
  const width = Math.max(...rows.map(([title]) => title.length));
  console.log('');
  for (const [title, value] of rows)
    console.log(`${title.padEnd(width)}  ${String(value).padStart(9)}`);
}
