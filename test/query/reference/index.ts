/**
 * `npm run reference -- [--cases 100000] [--seed 1]`: compares compiled filters, updates and sort orders with the slow
 * reference over many random cases, and prints how they came out. Ends with 1 at the first difference.
 */
import { parseArgs } from 'node:util';
import { COMPARISONS, runComparison } from './comparison.ts';

const { values } = parseArgs({
  options: {
    cases: { type: 'string', default: '100000' },
    seed: { type: 'string', default: '1' },
  },
});

for (const comparison of COMPARISONS) {
  const { cases, outcomes } = runComparison(comparison, Number(values.seed), Number(values.cases));
  const listed = Object.entries(outcomes)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([outcome, count]) => `${outcome} ${count}`);
  process.stdout.write(`${comparison.name}: ${cases} cases agree (${listed.join(', ')})\n`);
}
