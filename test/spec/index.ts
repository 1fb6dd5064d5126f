/**
 * Runs the driver specification suites, prints a table of them, and names each case that did not pass, with its excuse.
 *
 *   npm run spec [-- --suite crud/unified] [--only TEXT] [--lanes 4] [--uri mongodb://host:port/] [--least 980]
 *
 * FlintDB's own SDK in the driver's place: npx tsx --import ./test/spec/sdk/register.mjs test/spec/index.ts --least 980
 * --suite and --only narrow down by a part of the suite's or the case's name; --uri runs against a server that is there already,
 * one case at a time. Exits with 1 when a case failed without an excuse, or passed with one, or when a whole run of a standalone
 * passed fewer cases than it must.
 */
import { parseArgs } from 'node:util';
import { SPEC_TESTS, SPEC_TESTS_ABSENT, specFolder } from '../support/spec-tests.ts';
import { countOf, excusesOf, mistakesOf, runnable, tableOf } from './report.ts';
import { SUITES } from './suite-names.ts';
import { LEAST_PASSED, Lane, openLanes, runSuite, type CaseResult } from './suites.ts';

const SHOWN_SLOWEST = 10;

const { values } = parseArgs({
  options: {
    suite: { type: 'string', default: '' },
    only: { type: 'string', default: '' },
    lanes: { type: 'string', default: '4' },
    uri: { type: 'string' },
    least: { type: 'string' },
  },
});

if (specFolder('.') === undefined) {
  console.error(SPEC_TESTS_ABSENT);
  process.exit(1);
}

const lanes =
  values.uri === undefined ? await openLanes(Number(values.lanes)) : [await Lane.open(values.uri)];
const results: CaseResult[] = [];
try {
  for (const suite of SUITES.filter((name) => name.includes(values.suite))) {
    results.push(
      ...(await runSuite(SPEC_TESTS, suite, lanes, (name) => name.includes(values.only))),
    );
  }
} finally {
  await Promise.all(lanes.map((lane) => lane.close()));
}

const mistakes = mistakesOf(results);
const passed = countOf(results, 'passed', 'needlessly excused');
console.log(`${tableOf(results)}\n`);
console.log(`Excused:\n${excusesOf(results)}\n`);
if (mistakes.length > 0) console.log(`To be mended:\n  ${mistakes.join('\n  ')}\n`);
console.log(`${passed} of ${runnable(results).length} cases passed.`);
const slowest = results.toSorted((a, b) => b.elapsedMs - a.elapsedMs).slice(0, SHOWN_SLOWEST);
console.log(
  `Slowest:\n${slowest.map(({ suite, name, elapsedMs }) => `  ${Math.round(elapsedMs)} ms ${suite} | ${name}`).join('\n')}`,
);
const isWhole = values.suite === '' && values.only === '' && values.uri === undefined;
// The excuses are the official driver's: another one is held to a number.
if (values.least !== undefined) process.exit(passed >= Number(values.least) ? 0 : 1);
const isEnough = isWhole ? passed >= LEAST_PASSED : runnable(results).length > 0;
process.exitCode = mistakes.length === 0 && isEnough ? 0 : 1;
