import assert from 'node:assert/strict';
import { SeededRandom } from '../../common/random.ts';

describe('the seeded random source', () => {
  it('repeats itself for an equal seed and differs for another', () => {
    const draw = (seed: number): string => new SeededRandom(seed).bytes(16).toString('hex');
    assert.equal(draw(7), draw(7));
    assert.notEqual(draw(7), draw(8));
  });

  it('stays below its bound and reaches every value', () => {
    const random = new SeededRandom(3);
    const seen = new Set(Array.from({ length: 200 }, () => random.below(6)));
    assert.deepEqual(
      [...seen].toSorted((a, b) => a - b),
      [0, 1, 2, 3, 4, 5],
    );
  });
});
