/**
 * `npm run torture -- --minutes 10 [--seed N] [--clients 16] [--shards 3] [--no-kills] [--dir D]`: chunks move without end while
 * clients write with j: true through two routers, and shards, config server and routers are killed with -9 at random.
 *
 * Afterwards no acknowledged write is lost, none is there twice, each document stands on the shard that owns it and on no other, and
 * the metadata are consistent; meanwhile no reader gets an orphan, a document twice, or one too few.
 */
import { parseArgs } from 'node:util';
import { runTorture } from './run.ts';

const { values } = parseArgs({
  allowNegative: true,
  options: {
    minutes: { type: 'string', default: '10' },
    seed: { type: 'string' },
    clients: { type: 'string', default: '16' },
    shards: { type: 'string', default: '3' },
    kills: { type: 'boolean', default: true },
    dir: { type: 'string' },
  },
});
const seed = values.seed === undefined ? Date.now() % 1_000_000 : Number(values.seed);
const minutes = Number(values.minutes);
if (!(minutes > 0) || !Number.isInteger(seed)) {
  throw new Error('--minutes takes a number, --seed a whole number');
}
console.log(`seed ${seed}`);
const { dir } = values;
const totals = await runTorture({
  seconds: minutes * 60,
  seed,
  clients: Number(values.clients),
  shards: Number(values.shards),
  kills: values.kills,
  ...(dir === undefined ? {} : { dir }),
  onViolation: (line) => console.log(`VIOLATION ${line}`),
  onProgress: (line) => console.log(line),
});

const { report } = totals;
const listed = (counts: ReadonlyMap<string, number>): string =>
  [...counts]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([what, count]) => `${what} ${count}`)
    .join(', ');
console.log(`kills: ${listed(totals.kills)}`);
console.log(
  `writes acknowledged: ${totals.inserts} inserts, ${totals.updates} updates, ${totals.deletes} deletes; ` +
    `${totals.unanswered} without answer; ${totals.documents} documents at the end`,
);
console.log(`reads: ${report.reads} of single writers, ${report.scans} of whole collections`);
console.log(`done: ${listed(report.done)}`);
console.log(`refused or lost: ${listed(report.failures)}`);
console.log(
  `longest command ${Math.round(report.longestMs)} ms; migrations settled ${Math.round(totals.settleMs)} ms after the end`,
);
console.log(
  totals.checkedItself
    ? 'checkMetadataConsistency: asked'
    : 'checkMetadataConsistency: this cluster has no such command',
);
const isGood = report.violations.length === 0;
console.log(`${isGood ? 'PASS' : 'FAIL'}: ${report.violations.length} violations (goal: none)`);
if (!isGood) process.exitCode = 1;
