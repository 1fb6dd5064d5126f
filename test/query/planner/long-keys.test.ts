/**
 * Texts about as long as what is kept of a key: whatever index is walked, it gives what a collection scan gives.
 */
import assert from 'node:assert/strict';
import { TestStore, type Plain } from '../executor/store.ts';

/** Keys are cut from 1024 bytes on; 992 of theirs are kept. */
const LENGTHS = [10, 900, 985, 989, 990, 991, 992, 1000, 1005, 1018, 1020, 1021, 1023, 1030, 1100];
const TEXTS = LENGTHS.flatMap((length) =>
  ['w', 'x', 'y'].map((last) => 'x'.repeat(length - 1) + last),
);
const DOCUMENTS = TEXTS.map((a, _id) => ({ _id, a, b: _id % 5 }));
const KEYS: readonly Record<string, number>[] = [{ a: 1 }, { a: 1, b: 1 }, { b: 1, a: -1 }];

const conditionsOn = (text: string): Plain[] => [
  { a: text },
  { a: { $gt: text } },
  { a: { $lte: text } },
  { a: text, b: { $gt: 1 } },
  { a: { $gt: text, $lt: `${text}xx` }, b: 2 },
  { b: { $in: [1, 3] }, a: { $lt: text } },
  { b: { $gte: 0 }, a: { $gt: text } },
  { a: { $ne: text } },
];

function idsOf(found: readonly Plain[]): number[] {
  return found.map(({ _id }) => Number(_id)).sort((a, b) => a - b);
}

describe('Texts longer than what is kept of a key', () => {
  for (const key of KEYS) {
    it(`are found by ${JSON.stringify(key)} as without it`, async () => {
      const indexed = await TestStore.open(DOCUMENTS, [{ v: 2, key, name: 'i' }]);
      const bare = await TestStore.open(DOCUMENTS);
      for (const text of TEXTS.filter((_, place) => place % 4 === 0)) {
        for (const filter of conditionsOn(text)) {
          const expected = idsOf(await bare.find({ filter }));
          const shown = JSON.stringify(filter).replaceAll(/x{9,}/g, (run) => `x*${run.length}`);
          assert.deepEqual(idsOf(await indexed.find({ filter })), expected, shown);
          assert.equal(await indexed.count(filter), expected.length, shown);
        }
      }
      await indexed.close();
      await bare.close();
    });
  }
});
