/**
 * A few cycles of the crash test, so that every test run has some. `npm run crash` runs many.
 */
import assert from 'node:assert/strict';
import { runCrashCycles } from './run.ts';

describe('kill -9 while eight clients write', function () {
  this.timeout(120_000);

  it('loses nothing that was acknowledged with j: true, and keeps every index in step', async () => {
    const totals = await runCrashCycles({ cycles: 2, seed: 8, checkpoints: 'normal' });
    assert.deepEqual(totals.violations, []);
    assert.equal(totals.cycles, 2);
    assert.ok(totals.ledger.totals.inserts > 0);
    assert.ok(totals.indexBuilds + totals.killedBuilds > 0);
  });

  it('does so in the middle of checkpoints, too', async () => {
    const totals = await runCrashCycles({ cycles: 2, seed: 5, checkpoints: 'high' });
    assert.deepEqual(totals.violations, []);
    assert.ok(totals.kills.point + totals.kills.step === 2);
  });
});
