/**
 * The cheap part of `npm run broken-protocol`: every rule that is answered at once, and one client that does not read.
 */
import assert from 'node:assert/strict';
import { protocolRules } from '../support/protocol-rules.ts';
import { runBrokenProtocol } from './broken-protocol-run.ts';

/** The script asks for 50 ms; machines that run tests are busy with other things, too. */
const LONGEST_WAIT_MS = 1000;
/** They wait for deadlines; one is enough here. */
const SLOW = /half message|slow sender|non-reader|SSLv2|Redis/;

describe('the rules of the protocol', () => {
  it('are 200 and more, each broken once: the right answer or the end, and nobody else waits', async function () {
    this.timeout(60_000);
    const rules = await protocolRules();
    assert.ok(rules.length >= 200, `${rules.length} rules`);
    const names = rules.map(({ family, name }) => `${family}: ${name}`);
    assert.equal(new Set(names).size, names.length);
    const chosen = rules.filter(
      ({ family, name }) => !SLOW.test(`${family} ${name}`) || name === 'of many small replies',
    );
    const { rules: results, healthy, violations } = await runBrokenProtocol(chosen, 10_000, 4);
    assert.deepEqual(violations, []);
    const wrong = results
      .filter(({ isRight }) => !isRight)
      .map(({ rule, outcome }) => `${rule.family}: ${rule.name}: ${outcome}`);
    assert.deepEqual(wrong, []);
    const waitedMs = healthy.slowestMs - healthy.slowestElsewhereMs;
    assert.ok(waitedMs < LONGEST_WAIT_MS, `${waitedMs} ms`);
  });
});
