/**
 * Random values and documents for the oracle: few different ones, so that conditions meet, of all types that sort in their own way.
 */
import { Binary, Decimal128, Double, Int32, Long, MaxKey, MinKey, ObjectId, Timestamp } from 'bson';
import type { SeededRandom } from '../../common/random.ts';

export type Plain = Record<string, unknown>;

export function pick<T>(random: SeededRandom, from: readonly T[]): T {
  const chosen = from[random.below(from.length)];
  if (chosen === undefined && from.length === 0) throw new Error('nothing to pick from');
  return chosen;
}

/** One of several makers, each with a weight. */
export function weighted<T>(
  random: SeededRandom,
  choices: readonly (readonly [weight: number, make: () => T])[],
): T {
  let place = random.below(choices.reduce((sum, [weight]) => sum + weight, 0));
  for (const [weight, make] of choices) {
    if (place < weight) return make();
    place -= weight;
  }
  throw new Error('weights are positive');
}

const TEXTS = ['a', 'A', 'ab', 'abc', 'b', 'B', 'é', 'e', 'z', '', 'a\u0000b', '10', '9'];

export function scalar(random: SeededRandom): unknown {
  return weighted<unknown>(random, [
    [8, () => new Int32(random.below(6))],
    [2, () => new Double(random.below(8) / 2)],
    [2, () => Long.fromNumber(random.below(4))],
    [
      2,
      () => Decimal128.fromString(pick(random, ['1', '1.0', '2.5', '0', '-0', 'NaN', 'Infinity'])),
    ],
    [2, () => new Double(pick(random, [Number.NaN, -0, Infinity, -Infinity, -1.5, 1e300]))],
    [1, () => Long.fromString('9007199254740993')],
    [6, () => pick(random, TEXTS)],
    [3, () => null],
    [2, () => random.below(2) === 0],
    [2, () => new Date(random.below(3) * 1000 - 1000)],
    [1, () => new ObjectId(Buffer.alloc(12, random.below(3)))],
    [1, () => new Timestamp({ t: random.below(3), i: random.below(2) })],
    [1, () => new Binary(Buffer.alloc(random.below(3), 7), random.below(2))],
    [1, () => new RegExp(pick(random, ['^a', 'b', '^ab']))],
    [1, () => pick<unknown>(random, [new MinKey(), new MaxKey()])],
    [1, () => `long${'x'.repeat(1200)}${random.below(3)}`],
  ]);
}

function inner(random: SeededRandom, depth: number): Plain {
  const document: Plain = {};
  for (const name of ['x', 'y', 'z']) {
    if (random.below(3) > 0) document[name] = value(random, depth + 1);
  }
  return document;
}

export function value(random: SeededRandom, depth = 0): unknown {
  if (depth > 2) return scalar(random);
  return weighted<unknown>(random, [
    [12, () => scalar(random)],
    [3, () => Array.from({ length: random.below(4) }, () => scalar(random))],
    [3, () => inner(random, depth)],
    [
      2,
      () =>
        Array.from({ length: random.below(4) }, () =>
          random.below(3) === 0 ? value(random, depth + 1) : inner(random, depth),
        ),
    ],
  ]);
}
