import assert from 'node:assert/strict';
import { deserialize, type Document } from 'bson';
import { documentValue } from '../../bson/index.ts';
import { compileCollation } from '../../query/collation/collation.ts';
import type { QueryContext } from '../../query/context.ts';
import { compileFilter } from '../../query/matcher/compile.ts';
import { compileUpdate } from '../../query/update/compile.ts';
import { raw, testContext } from './fixtures.ts';

const collator = compileCollation(raw({ locale: 'en', strength: 2 }));
assert.ok(collator !== undefined);
const context: QueryContext = { ...testContext(), collator };

describe('a collation', () => {
  const matches = (filter: Document, document: Document): boolean =>
    compileFilter(raw(filter), context).matches(raw(document));

  it('decides equality and order of strings in filters, however deep they stand', () => {
    assert.ok(matches({ a: 'ABC' }, { a: 'abc' }));
    assert.ok(matches({ a: { b: ['X'] } }, { a: { b: ['x'] } }));
    assert.ok(matches({ a: { $in: ['Q', 'ABC'] } }, { a: 'abc' }));
    assert.ok(matches({ a: { $in: ['1', '2', '3', '4', '5', 'ABC'] } }, { a: 'abc' }));
    assert.ok(!matches({ a: { $ne: 'ABC' } }, { a: 'abc' }));
    assert.ok(matches({ a: { $gte: 'B' } }, { a: 'b' }));
    assert.ok(!matches({ a: { $gt: 'B' } }, { a: 'b' }));
    assert.ok(matches({ a: { $elemMatch: { $eq: 'X' } } }, { a: ['x'] }));
    assert.ok(matches({ a: { $all: ['X', 'Y'] } }, { a: ['y', 'x'] }));
  });

  it('takes the names of locales as ICU writes them', () => {
    const order = (locale: string, a: string, b: string): number | undefined =>
      compileCollation(raw({ locale }))?.compare(a, b);
    const german = ['de', 'de_AT', 'de@collation=phonebook', 'en_US'].map((locale) =>
      Math.sign(order(locale, 'Ärger', 'Afrika') ?? Number.NaN),
    );
    // A phone book reads Ä as Ae, which comes before Af; otherwise Ä is an A, and Ar comes after Af.
    assert.deepEqual(german, [1, 1, -1, 1]);
    const insensitive = compileCollation(raw({ locale: 'en_US', strength: 2 }));
    assert.equal(insensitive?.key('PING'), insensitive?.key('ping'));
    for (const locale of ['en-US', 'xx_invalid_locale', 'de@phonebook', '']) {
      assert.throws(() => compileCollation(raw({ locale })), { codeName: 'BadValue' }, locale);
    }
  });

  it('does not concern regular expressions', () => {
    assert.ok(!matches({ a: { $regex: 'ABC' } }, { a: 'abc' }));
  });

  it('decides what $addToSet, $pull, $pullAll, $min and $push with $sort take for equal', () => {
    const apply = (before: Document, update: Document, arrayFilters: Document[] = []): Document =>
      deserialize(
        compileUpdate(documentValue(raw(update)), {
          context,
          arrayFilters: arrayFilters.map(raw),
        }).apply(raw(before)),
      );
    assert.deepEqual(apply({ a: ['x'] }, { $addToSet: { a: 'X' } }), { a: ['x'] });
    assert.deepEqual(
      apply({ a: ['x'] }, { $addToSet: { a: { $each: ['X', 'y', 'Y', 'z', 'v', 'w'] } } }),
      { a: ['x', 'y', 'z', 'v', 'w'] },
    );
    assert.deepEqual(apply({ a: ['x', 'y'] }, { $pull: { a: 'X' } }), { a: ['y'] });
    assert.deepEqual(apply({ a: ['x', 'y'] }, { $pull: { a: { $in: ['X'] } } }), { a: ['y'] });
    assert.deepEqual(apply({ a: ['x', 'y'] }, { $pullAll: { a: ['Y'] } }), { a: ['x'] });
    assert.deepEqual(apply({ a: 'b' }, { $min: { a: 'B' } }), { a: 'b' });
    assert.deepEqual(apply({ a: ['b', 'A'] }, { $push: { a: { $each: ['C'], $sort: 1 } } }), {
      a: ['A', 'b', 'C'],
    });
    assert.deepEqual(apply({ a: ['x', 'y'] }, { $set: { 'a.$[e]': 1 } }, [{ e: 'X' }]), {
      a: [1, 'y'],
    });
  });

  it('lets $set change the case of a string', () => {
    const update = compileUpdate(documentValue(raw({ $set: { a: 'X' } })), { context });
    assert.deepEqual(deserialize(update.apply(raw({ a: 'x' }))), { a: 'X' });
  });
});
