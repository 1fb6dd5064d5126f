/**
 * The compiled matcher, updates and sort orders agree with the slow reference; `npm run reference` does more of the same.
 */
import assert from 'node:assert/strict';
import { COMPARISONS, runComparison } from './comparison.ts';

const CASES = 10_000;

describe('the slow reference', () => {
  for (const comparison of COMPARISONS) {
    it(`agrees with the compiled ${comparison.name}`, () => {
      const { outcomes } = runComparison(comparison, 20_261, CASES);
      for (const [outcome, count] of Object.entries(outcomes)) {
        const isRare = outcome === 'out of scope' || outcome === 'refused';
        assert.ok(isRare || count > CASES / 20, `${count} cases are ${outcome}`);
      }
      assert.ok(Object.keys(outcomes).length > 1);
    });
  }
});
