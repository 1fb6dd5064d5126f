/**
 * Random updates and projections over random documents, damaged documents and hostile specifications: what must hold for
 * any of them, and whatever is thrown is a CommandError. What the values become is compared in reference/.
 */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Long, type Document } from 'bson';
import { documentValue, getField, validateDocument } from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import { compileFilter } from '../../query/matcher/compile.ts';
import { compileProjection } from '../../query/projection/compile.ts';
import { compileUpdate } from '../../query/update/compile.ts';
import { raw, testContext } from './fixtures.ts';

const scalar = fc.oneof(
  fc.integer({ min: -3, max: 3 }),
  fc.constantFrom(1.5, -0, NaN, Infinity, 2 ** 40),
  fc.constantFrom('', 'a', 'b', 'ab', 'ä'),
  fc.boolean(),
  fc.constant(null),
  fc.constant(Long.fromString('9007199254740993')),
  fc.date({ min: new Date(0), max: new Date(3), noInvalidDate: true }),
);
const name = fc.constantFrom('a', 'b', 'c', '0', '1');
const { value, object } = fc.letrec<{ value: unknown; object: Document }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    scalar,
    fc.array(tie('value'), { maxLength: 3 }),
    tie('object'),
  ),
  object: fc.dictionary(name, tie('value'), { maxKeys: 3 }),
}));
const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => names.join('.'));

describe('random updates', () => {
  it('change nothing when they are applied a second time', () => {
    fc.assert(
      fc.property(
        object,
        fc.dictionary(path, value, { minKeys: 1, maxKeys: 3 }),
        (document, fields) => {
          try {
            const compiled = compileUpdate(documentValue(raw({ $set: fields })), {
              context: testContext(),
            });
            const once = compiled.apply(raw(document));
            assert.equal(compiled.apply(once), once);
          } catch (error) {
            if (!(error instanceof CommandError)) throw error;
          }
        },
      ),
      { numRuns: 1000 },
    );
  });
});

describe('random projections', () => {
  it('keep or drop exactly what they name', () => {
    const fields = fc.uniqueArray(fc.constantFrom<string>('a', 'b', 'c', '0', '1'), {
      minLength: 1,
    });
    fc.assert(
      fc.property(object, fields, (document, kept) => {
        const bytes = raw(document);
        const wanted = Object.fromEntries(kept.map((field) => [field, 1]));
        const dropped = Object.fromEntries(kept.map((field) => [field, 0]));
        const included = compileProjection(raw(wanted), { context: testContext() }).apply(bytes);
        const excluded = compileProjection(raw(dropped), { context: testContext() }).apply(bytes);
        for (const field of Object.keys(document)) {
          assert.equal(getField(included, field) !== undefined, kept.includes(field));
          assert.equal(getField(excluded, field) !== undefined, !kept.includes(field));
        }
        assert.equal(included.length + excluded.length, bytes.length + 5);
      }),
      { numRuns: 500 },
    );
  });

  it('by paths split every document into two parts', () => {
    fc.assert(
      fc.property(object, path, (document, at) => {
        const bytes = raw(document);
        const included = compileProjection(raw({ [at]: 1, _id: 0 }), {
          context: testContext(),
        }).apply(bytes);
        const excluded = compileProjection(raw({ [at]: 0 }), { context: testContext() }).apply(
          bytes,
        );
        validateDocument(included);
        validateDocument(excluded);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('damaged documents', () => {
  it('are answered or refused with a CommandError, and never hold the walk up', () => {
    const context = testContext();
    const filters = [
      { a: 1 },
      { 'a.b': 'x' },
      { c: { $elemMatch: { b: 1 } } },
      { a: 1, b: 2, c: 3 },
      { 'a.0.b': null },
    ];
    const compiled = filters.map((filter) => compileFilter(raw(filter), context));
    const update = compileUpdate(
      documentValue(raw({ $set: { 'a.b': 1, z: 1 }, $push: { c: 1 } })),
      { context },
    );
    const projection = compileProjection(raw({ 'a.b': 1, c: 1 }), { context });
    const damage = fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), {
      minLength: 1,
      maxLength: 4,
    });
    fc.assert(
      fc.property(object, damage, (document, changes) => {
        const bytes = raw(document);
        for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
        const attempts = [
          ...compiled.map((filter) => () => filter.matches(bytes)),
          () => update.apply(bytes),
          () => projection.apply(bytes),
        ];
        for (const attempt of attempts) {
          try {
            attempt();
          } catch (error) {
            if (!(error instanceof CommandError)) throw error;
          }
        }
      }),
      { numRuns: 3000 },
    );
  });
});

describe('hostile specifications', () => {
  const operators = fc.constantFrom(
    '$set',
    '$inc',
    '$push',
    '$rename',
    '$gt',
    '$in',
    '$elemMatch',
    '$not',
    '$or',
    '$and',
    '$regex',
    '$options',
    '$type',
    '$size',
    '$all',
    '$mod',
    '$each',
    '$slice',
    '$sort',
    '$meta',
    '$bit',
    '$pull',
    '$jsonSchema',
    '$expr',
    'a.$',
    'a.$[]',
    'a.$[e]',
    '$',
    '',
    'a..b',
    '.',
  );
  const anything = fc.letrec<{ thing: unknown }>((tie) => ({
    thing: fc.oneof(
      { maxDepth: 4 },
      scalar,
      fc.array(tie('thing'), { maxLength: 3 }),
      fc.dictionary(fc.oneof(operators, name), tie('thing'), { maxKeys: 3 }),
    ),
  })).thing;

  it('are compiled, or refused with a CommandError', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.oneof(operators, name), anything, { maxKeys: 3 }),
        object,
        (specification, document) => {
          const bytes = raw(document);
          const context = testContext();
          const attempts = [
            () => compileFilter(raw(specification), context).matches(bytes),
            () => compileUpdate(documentValue(raw(specification)), { context }).apply(bytes),
            () =>
              compileUpdate(documentValue(raw(specification)), { context }).upsertDocument(
                raw(document),
              ),
            () => compileProjection(raw(specification), { context }).apply(bytes),
          ];
          for (const attempt of attempts) {
            try {
              attempt();
            } catch (error) {
              if (!(error instanceof CommandError)) throw error;
              assert.notEqual(error.codeName, 'InternalError');
            }
          }
        },
      ),
      { numRuns: 3000 },
    );
  });
});
