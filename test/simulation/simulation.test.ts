import { describe, it } from 'mocha';
import { failedOnce } from './seeds.ts';
import { runSeed } from './simulation.ts';

describe('A simulated machine', () => {
  it('comes back after every crash with what was promised, whole, and agreeing with its indexes', async () => {
    for (const seed of [
      ...failedOnce(),
      ...Array.from({ length: 15 }, (_, index) => 1000 + index),
    ]) {
      await runSeed(seed);
    }
  }).timeout(60_000);
});
