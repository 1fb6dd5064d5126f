import assert from 'node:assert/strict';
import { deserialize, type Document } from 'bson';
import { compileUpdate } from '../../../query/index.ts';
import { errorOf, raw, rawArrayValue, testContext } from '../fixtures.ts';

function update(stages: readonly Document[], constants?: Document) {
  return compileUpdate(rawArrayValue(stages), {
    context: testContext(),
    ...(constants === undefined ? {} : { constants: raw(constants) }),
  });
}

function apply(before: Document, stages: readonly Document[], constants?: Document): Document {
  return deserialize(update(stages, constants).apply(raw(before)));
}

describe('updates that are pipelines', () => {
  it('run their stages in order', () => {
    assert.deepEqual(
      apply({ _id: 1, a: 2, b: 3 }, [{ $set: { sum: { $add: ['$a', '$b'] } } }, { $unset: 'b' }]),
      { _id: 1, a: 2, sum: 5 },
    );
    assert.deepEqual(apply({ _id: 1, a: 2 }, [{ $addFields: { b: '$a' } }]), {
      _id: 1,
      a: 2,
      b: 2,
    });
    assert.deepEqual(
      apply({ _id: 1, a: 2, b: 3 }, [{ $project: { c: { $multiply: ['$a', '$b'] } } }]),
      { _id: 1, c: 6 },
    );
  });

  it('keep _id, and put it first, when a stage leaves it out', () => {
    const result = apply({ _id: 1, o: { x: 1 } }, [{ $replaceWith: '$o' }]);
    assert.deepEqual(Object.entries(result), [
      ['_id', 1],
      ['x', 1],
    ]);
    assert.deepEqual(apply({ _id: 1, o: { x: 1 } }, [{ $replaceRoot: { newRoot: '$o' } }]), {
      _id: 1,
      x: 1,
    });
  });

  it('give back the same Buffer when nothing changes', () => {
    const document = raw({ _id: 1, a: 2 });
    assert.equal(update([{ $set: { a: 2 } }]).apply(document), document);
    assert.equal(update([]).apply(document), document);
  });

  it('see the constants of the statement', () => {
    assert.deepEqual(apply({ _id: 1 }, [{ $set: { a: '$$c' } }], { c: 5 }), { _id: 1, a: 5 });
  });

  it('build the document of an upsert from the equalities of the filter', () => {
    const document = update([{ $set: { n: { $add: ['$a', 1] } } }]).upsertDocument(
      raw({ _id: 7, a: 1, b: { $gt: 1 } }),
    );
    assert.deepEqual(deserialize(document), { _id: 7, a: 1, n: 2 });
  });

  it('refuse other stages, a change of _id, and array filters', () => {
    assert.equal(errorOf(() => update([{ $match: { a: 1 } }])).code, 72);
    assert.equal(errorOf(() => update([{ $set: { a: 1 }, $unset: 'b' }])).code, 40323);
    assert.equal(errorOf(() => apply({ _id: 1 }, [{ $set: { _id: 2 } }])).code, 66);
    assert.equal(
      errorOf(() =>
        compileUpdate(rawArrayValue([]), { context: testContext(), arrayFilters: [raw({ e: 1 })] }),
      ).code,
      9,
    );
    assert.equal(
      errorOf(() => compileUpdate(rawArrayValue([1]), { context: testContext() })).code,
      14,
    );
  });
});
