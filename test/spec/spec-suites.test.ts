/**
 * MongoDB's driver specification suites against real servers. The data lies outside of the project (FLINT_SPEC_TESTS).
 */
import assert from 'node:assert/strict';
import { SPEC_TESTS, SPEC_TESTS_ABSENT, specFolder } from '../support/spec-tests.ts';
import { countOf, mistakesOf, runnable, tableOf } from './report.ts';
import { SUITES } from './suite-names.ts';
import { LEAST_PASSED, openLanes, runSuite, type CaseResult, type Lane } from './suites.ts';

const LANES = 4;
/** The slowest suite takes about ten seconds; a busy machine takes longer. */
const SUITE_TIMEOUT_MS = 120_000;
/** By the README of the data: the cases that a standalone of version 8.0 can run. */
const RUNNABLE = 1_031;

describe('driver specification suites', function () {
  this.timeout(SUITE_TIMEOUT_MS);
  if (specFolder('.') === undefined) {
    it(`are skipped: ${SPEC_TESTS_ABSENT}`, function () {
      this.skip();
    });
    return;
  }
  let lanes: readonly Lane[] = [];
  const results: CaseResult[] = [];
  before('start the servers', async () => {
    lanes = await openLanes(LANES);
  });
  after('end the servers', async () => {
    await Promise.all(lanes.map((lane) => lane.close()));
  });

  for (const suite of SUITES) {
    it(`are met: ${suite}`, async () => {
      const some = await runSuite(SPEC_TESTS, suite, lanes);
      results.push(...some);
      assert.ok(some.length > 0, 'the suite has no cases');
      assert.deepEqual(mistakesOf(some), []);
    });
  }

  it(`run ${RUNNABLE} cases, of which at least ${LEAST_PASSED} pass`, () => {
    assert.equal(runnable(results).length, RUNNABLE);
    assert.ok(countOf(results, 'passed') >= LEAST_PASSED, tableOf(results));
  });
});
