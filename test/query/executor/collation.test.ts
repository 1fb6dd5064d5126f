/**
 * Collations: options, their normal form, and what they do to finds.
 */
import assert from 'node:assert/strict';
import { CommandError } from '../../../common/errors.ts';
import { compileCollation } from '../../../query/index.ts';
import { bytes, context, plain, type Plain, TestStore } from './store.ts';

function collatorOf(options: Plain) {
  const collator = compileCollation(bytes(options));
  assert.ok(collator !== undefined);
  return collator;
}

const ORDERS: readonly (readonly [Plain, readonly string[]])[] = [
  [{ locale: 'en' }, ['a', 'A', 'b', 'B']],
  [{ locale: 'en', caseFirst: 'upper' }, ['A', 'a', 'B', 'b']],
  [{ locale: 'sv' }, ['a', 'z', 'ä']],
  [{ locale: 'de' }, ['a', 'ä', 'z']],
  [{ locale: 'en', numericOrdering: true }, ['1', '2', '10']],
  [{ locale: 'fr', backwards: true }, ['cote', 'côte', 'coté', 'côté']],
];

const EQUALITIES: readonly (readonly [Plain, string, string, boolean])[] = [
  [{ locale: 'en', strength: 1 }, 'cafe', 'CAFÉ', true],
  [{ locale: 'en', strength: 1, caseLevel: true }, 'cafe', 'Café', false],
  [{ locale: 'en', strength: 2 }, 'cafe', 'CAFE', true],
  [{ locale: 'en', strength: 2 }, 'cafe', 'café', false],
  [{ locale: 'en' }, 'a', 'A', false],
  [{ locale: 'en', alternate: 'shifted' }, 'white-space', 'whitespace', true],
  [{ locale: 'en', alternate: 'shifted', maxVariable: 'space' }, 'a-b', 'ab', false],
  [{ locale: 'en', alternate: 'shifted', maxVariable: 'space' }, 'a b', 'ab', true],
];

const ERRORS: readonly (readonly [Plain, number])[] = [
  [{ strength: 1 }, 40414],
  [{ locale: 'xx_nope' }, 2],
  [{ locale: 'en', strength: 6 }, 2],
  [{ locale: 'en', strength: 'x' }, 14],
  [{ locale: 'en', caseFirst: 'first' }, 2],
  [{ locale: 'en', nope: 1 }, 40415],
  [{ locale: 5 }, 14],
];

describe('a collation specification', () => {
  for (const [options, words] of ORDERS) {
    it(`orders ${words.join(' ')} by ${JSON.stringify(options)}`, () => {
      const collator = collatorOf(options);
      const shuffled = [...words].reverse().sort((a, b) => collator.compare(a, b));
      assert.deepEqual(shuffled, words);
    });
  }

  for (const [options, a, b, equal] of EQUALITIES) {
    it(`takes ${a} and ${b} for ${equal ? 'equal' : 'different'} by ${JSON.stringify(options)}`, () => {
      const collator = collatorOf(options);
      assert.equal(collator.compare(a, b) === 0, equal);
      assert.equal(collator.key(a) === collator.key(b), equal);
    });
  }

  for (const [options, code] of ERRORS) {
    it(`refuses ${JSON.stringify(options)} with ${code}`, () => {
      assert.throws(
        () => compileCollation(bytes(options)),
        (error) => error instanceof CommandError && error.code === code,
      );
    });
  }

  it('is nothing when it is simple', () => {
    assert.equal(compileCollation(bytes({ locale: 'simple' })), undefined);
    assert.equal(compileCollation(bytes({})), undefined);
  });

  it('has a normal form with all defaults', () => {
    const spec = plain(collatorOf({ locale: 'en', strength: 2 }).spec);
    assert.equal(spec['strength'], 2);
    assert.equal(spec['alternate'], 'non-ignorable');
    assert.equal(spec['version'], '57.1');
  });

  it('keeps finds away from indexes whose keys are compared by bytes', async () => {
    const documents = ['b', 'A', 'a', 'B'].map((s, _id) => ({ _id, s }));
    const store = await TestStore.open(documents, [{ v: 2, key: { s: 1 }, name: 's_1' }]);
    const collator = collatorOf({ locale: 'en', strength: 2 });
    const using = { ...context, collator };
    const found = await store.find({ filter: { s: 'A' }, sort: { s: 1, _id: 1 } }, using);
    assert.deepEqual(
      found.map((document) => document['_id']),
      [1, 2],
    );
    const all = await store.find({ sort: { s: 1, _id: 1 } }, using);
    assert.deepEqual(
      all.map((document) => document['s']),
      ['A', 'a', 'b', 'B'],
    );
    await store.close();
  });
});
