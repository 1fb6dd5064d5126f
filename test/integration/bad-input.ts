/**
 * `npm run bad-input -- [--messages 100000] [--seed N] [--first N]`: broken messages leave the server up, small and serving.
 *
 * Prints what became of them and exits with 1 on a violation, with the line that sends the message again.
 */
import { parseArgs } from 'node:util';
import { runBadInput } from './bad-input-run.ts';

/** Resident memory at the end may be so much more than after the first messages. */
const LARGEST_GROWTH_BYTES = 50 * 1024 * 1024;
const SETTLED_AFTER = 10_000;

const { values } = parseArgs({
  options: {
    messages: { type: 'string', default: '100000' },
    seed: { type: 'string', default: '1' },
    first: { type: 'string', default: '0' },
  },
});
const [count, seed, first] = [Number(values.messages), Number(values.seed), Number(values.first)];
if (![count, seed, first].every(Number.isInteger)) {
  throw new Error('--messages, --seed and --first take whole numbers');
}

const result = await runBadInput({ count, seed, first, onProgress: console.log });
console.log(`\nsent                           ${result.sent}`);
console.log(`connection closed by server    ${result.closed}`);
console.log(`no answer (rest awaited)       ${result.unanswered}`);
console.log(`healthy connection: answers    ${result.healthyAnswers}`);
console.log(`healthy connection: slowest    ${Math.round(result.slowestHealthyMs)} ms`);
const byCount = [...result.replies].toSorted(([, a], [, b]) => b - a);
for (const [name, times] of byCount.slice(0, 25)) console.log(`reply ${name.padEnd(40)} ${times}`);
for (const violation of result.violations) console.error(`VIOLATION ${violation}`);
const settled = result.residentBytes.find(({ sent }) => sent >= SETTLED_AFTER);
const last = result.residentBytes.at(-1);
let failed = result.violations.length > 0;
if (settled !== undefined && last !== undefined) {
  const growth = last.bytes - settled.bytes;
  console.log(
    `resident memory: ${megabytes(settled.bytes)} MB after ${settled.sent}, ${megabytes(last.bytes)} MB at the end`,
  );
  if (growth > LARGEST_GROWTH_BYTES) {
    console.error(`VIOLATION resident memory grew by ${megabytes(growth)} MB`);
    failed = true;
  }
}
if (failed) {
  console.error(`Replay with: npm run bad-input -- --seed ${seed} --messages ${count}`);
  console.error('One message alone: --first <its number> --messages 1');
  process.exitCode = 1;
}

function megabytes(bytes: number): number {
  return Math.round(bytes / 1024 / 1024);
}
