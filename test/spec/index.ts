/**
 * `npm run spec [-- --suite crud/unified] [--only TEXT] [--lanes 4] [--uri mongodb://…]`: the driver specification suites,
 * a table of them, and each case that did not pass.
 */
import { parseArgs } from 'node:util';
import { SPEC_TESTS } from '../support/spec-tests.ts';
import { Lane, SUITES, runSuite, type CaseResult } from './suites.ts';

const { values } = parseArgs({
  options: {
    suite: { type: 'string', default: '' },
    only: { type: 'string', default: '' },
    lanes: { type: 'string', default: '4' },
    uri: { type: 'string' },
  },
});

const count = values.uri === undefined ? Number(values.lanes) : 1;
const lanes = await Promise.all(Array.from({ length: count }, () => Lane.open(values.uri)));
const results: CaseResult[] = [];
for (const suite of SUITES.filter((name) => name.includes(values.suite))) {
  const started = performance.now();
  const some = await runSuite(SPEC_TESTS, suite, lanes, (name) => name.includes(values.only));
  results.push(...some);
  const n = (o: string): number => some.filter((r) => r.outcome === o).length;
  console.log(
    suite,
    n('passed'),
    n('failed'),
    n('skipped'),
    Math.round(performance.now() - started),
  );
}
for (const { suite, name, outcome, reason } of results) {
  if (outcome === 'failed') console.log(`FAIL ${suite} | ${name} | ${reason}`);
}
await Promise.all(lanes.map((lane) => lane.close()));
