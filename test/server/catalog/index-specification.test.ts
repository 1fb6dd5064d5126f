import assert from 'node:assert/strict';
import { serialize, type Document } from 'bson';
import { CommandError } from '../../../common/errors.ts';
import { parseIndexSpecification } from '../../../server/catalog/index-specification.ts';

const parse = (requested: Document): string =>
  parseIndexSpecification(Buffer.from(serialize(requested))).name;

describe('server/catalog: index specifications', () => {
  it('takes any number but zero as a direction', () => {
    for (const direction of [1, -1, 2.5, -0.5]) {
      assert.equal(parse({ key: { a: direction }, name: 'a' }), 'a');
    }
  });

  for (const [what, requested, code, message] of [
    ['a direction of 0', { key: { a: 0 }, name: 'a' }, 67, /cannot be 0\.$/],
    ['a direction of NaN', { key: { a: NaN }, name: 'a' }, 67, /cannot be NaN\.$/],
    ['an empty kind', { key: { a: '' }, name: 'a' }, 67, /cannot be empty strings$/],
    [
      'an unknown kind',
      { key: { a: 'foo' }, name: 'a' },
      67,
      /caused by :: Unknown index plugin 'foo'$/,
    ],
    ['a direction of another type', { key: { a: true }, name: 'a' }, 67, /cannot be of type bool/],
    ['a very long path', { key: { ['x'.repeat(2048)]: 1 }, name: 'a' }, 67, /too large\.$/],
    ['a name with a NUL', { key: { a: 1 }, name: 'a\0b' }, 67, /null byte$/],
    ['a unique _id index', { key: { _id: 1 }, name: '_id_', unique: true }, 197, /^The field 'un/],
    ['a sparse _id index', { key: { _id: 1 }, name: 'x', sparse: true }, 197, /^The field 'spar/],
    ['a descending _id index', { key: { _id: -1 }, name: 'x' }, 2, /must be \{_id: 1\}, but got/],
  ] as const) {
    it(`refuses ${what}`, () => {
      assert.throws(
        () => parse(requested),
        (error) =>
          error instanceof CommandError && error.code === code && message.test(error.message),
      );
    });
  }

  it('takes _id together with other fields, and below', () => {
    assert.equal(parse({ key: { _id: -1, a: 1 }, name: 'x', unique: true }), 'x');
    assert.equal(parse({ key: { '_id.a': -1 }, name: 'y', sparse: true }), 'y');
  });
});
