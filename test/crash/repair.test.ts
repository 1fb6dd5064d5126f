/**
 * A few kills of `flint repair`, so that every test run has some. `npm run crash -- --repairs 100` does many.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { runRepairKills } from './repair-kills.ts';

describe('kill -9 of flint repair', function () {
  this.timeout(60_000);

  it('loses nothing, however often: it is begun again, and all comes back', async () => {
    const { kills, stores, refusals } = await runRepairKills({ kills: 3, seed: 11 });
    assert.ok(stores > 0);
    assert.ok(kills.filling + kills.replaced > 0, JSON.stringify(kills));
    assert.ok(refusals > 0);
  });
});
