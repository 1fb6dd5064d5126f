/**
 * A small share of the oracle: `npm run oracle` runs as many cases as one likes.
 */
import { serverForTests } from '../support/test-server.ts';
import { runOracle } from './oracle.ts';

describe('an index', () => {
  const server = serverForTests();

  for (let seed = 1; seed <= 12; seed += 1) {
    it(`answers as a collection scan does (seed ${seed})`, async () => {
      await runOracle(server.freshDatabase(), seed, 25);
    });
  }
});
