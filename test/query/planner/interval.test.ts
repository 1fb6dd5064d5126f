/**
 * Arithmetic of intervals: what lists of them allow together.
 */
import assert from 'node:assert/strict';
import { compareValues, int32Value, type RawValue } from '../../../bson/index.ts';
import { SeededRandom } from '../../../common/random.ts';
import { intersect, type Interval, unite } from '../../../query/planner/interval.ts';

function holds(intervals: readonly Interval[], value: RawValue): boolean {
  return intervals.some(({ lower, lowerInclusive, upper, upperInclusive }) => {
    const low = compareValues(value, lower);
    const high = compareValues(value, upper);
    return (
      (low > 0 || (low === 0 && lowerInclusive)) && (high < 0 || (high === 0 && upperInclusive))
    );
  });
}

function someIntervals(random: SeededRandom): readonly Interval[] {
  const intervals = Array.from({ length: random.below(6) }, (): Interval => {
    const first = random.below(20);
    const last = first + random.below(4);
    const isPoint = first === last;
    return {
      lower: int32Value(2 * first),
      lowerInclusive: isPoint || random.below(2) === 0,
      upper: int32Value(2 * last),
      upperInclusive: isPoint || random.below(2) === 0,
    };
  });
  return unite(intervals);
}

describe('lists of intervals', () => {
  it('allow together what each of them allows', () => {
    const random = new SeededRandom(5);
    for (let round = 0; round < 2000; round += 1) {
      const left = someIntervals(random);
      const right = someIntervals(random);
      const both = intersect(left, right);
      for (let number = -1; number < 50; number += 1) {
        const value = int32Value(number);
        assert.equal(holds(both, value), holds(left, value) && holds(right, value));
      }
      assert.deepEqual(unite(both), both);
    }
  });
});
