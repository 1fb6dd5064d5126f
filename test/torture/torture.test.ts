/**
 * Some seconds of the torture, so that every test run has some. `npm run torture` runs minutes.
 */
import assert from 'node:assert/strict';
import { runTorture } from './run.ts';

describe('chunks that move while clients write and processes are killed', function () {
  this.timeout(120_000);

  it('lose nothing, double nothing, and show nothing that is not theirs', async () => {
    const totals = await runTorture({ seconds: 4, seed: 11, clients: 8, shards: 2 });
    assert.deepEqual(totals.report.violations, []);
    assert.ok(totals.inserts > 0);
    assert.ok(totals.report.reads > 0);
    assert.ok(totals.kills.size > 0);
  });
});
