/**
 * Random filters, updates and projections over random documents: the compiled forms agree with slow models that are
 * written over plain values, and whatever is thrown is a CommandError.
 */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { deserialize, Long, type Document } from 'bson';
import { compareValues, documentValue, getField, validateDocument } from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import { compileFilter } from '../../query/matcher/compile.ts';
import { compileProjection } from '../../query/projection/compile.ts';
import { compileUpdate } from '../../query/update/compile.ts';
import { raw, rawValue, testContext } from './fixtures.ts';

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

const leaf = fc.oneof(
  value.map((operand) => ({ $eq: operand })),
  value.map((operand) => ({ $ne: operand })),
  scalar.map((operand) => ({ $gt: operand })),
  scalar.map((operand) => ({ $gte: operand })),
  scalar.map((operand) => ({ $lt: operand })),
  scalar.map((operand) => ({ $lte: operand })),
  fc.array(scalar, { maxLength: 8 }).map((operand) => ({ $in: operand })),
  fc.boolean().map((operand) => ({ $exists: operand })),
  fc
    .constantFrom('number', 'string', 'array', 'object', 'null')
    .map((operand) => ({ $type: operand })),
  fc.nat({ max: 2 }).map((operand) => ({ $size: operand })),
);

/** The values that a path leads to, by the manual's rules; undefined is a missing field. */
function* valuesAt(container: unknown, names: readonly string[]): Generator<unknown> {
  const [first, ...rest] = names;
  if (Array.isArray(container)) {
    for (const [index, element] of container.entries()) {
      if (isObject(element)) yield* valuesAt(element, names);
      if (String(index) !== first) continue;
      if (rest.length === 0) yield { whole: element };
      else if (isObject(element) || Array.isArray(element)) yield* valuesAt(element, rest);
    }
    return;
  }
  const found = isObject(container) ? container[first] : undefined;
  if (rest.length === 0) yield found;
  else if (isObject(found) || Array.isArray(found)) yield* valuesAt(found, rest);
  else yield undefined;
}

function isObject(candidate: unknown): candidate is Record<string, unknown> {
  return (
    typeof candidate === 'object' &&
    candidate !== null &&
    !Array.isArray(candidate) &&
    !(candidate instanceof Date) &&
    !(candidate instanceof Long)
  );
}

/** Elements of arrays at the end of the path, then the arrays; a value picked by its number is not entered. */
function candidates(document: Document, path: string): unknown[] {
  return [...valuesAt(document, path.split('.'))].flatMap((found): unknown[] => {
    if (isObject(found) && 'whole' in found) return [found.whole];
    return Array.isArray(found) ? [...found, found] : [found];
  });
}

function kindOf(candidate: unknown): string {
  if (candidate === undefined) return 'missing';
  if (candidate === null) return 'null';
  if (candidate instanceof Date) return 'date';
  if (candidate instanceof Long) return 'number';
  return Array.isArray(candidate) ? 'array' : typeof candidate;
}

function isEqual(a: unknown, b: unknown): boolean {
  if (b === null) return a === null || a === undefined;
  return a !== undefined && compareValues(rawValue(a), rawValue(b)) === 0;
}

function isOrdered(a: unknown, b: unknown, accept: (order: number) => boolean): boolean {
  if (b === null) return accept(0) && isEqual(a, b);
  if (kindOf(a) !== kindOf(b)) return false;
  if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) && Number.isNaN(b) && accept(0);
  return accept(compareValues(rawValue(a), rawValue(b)));
}

function modelMatches(document: Document, path: string, condition: Document): boolean {
  const [[operator, operand]] = Object.entries(condition);
  const found = candidates(document, path);
  switch (operator) {
    case '$eq':
      return found.some((candidate) => isEqual(candidate, operand));
    case '$ne':
      return !found.some((candidate) => isEqual(candidate, operand));
    case '$gt':
      return found.some((candidate) => isOrdered(candidate, operand, (order) => order > 0));
    case '$gte':
      return found.some((candidate) => isOrdered(candidate, operand, (order) => order >= 0));
    case '$lt':
      return found.some((candidate) => isOrdered(candidate, operand, (order) => order < 0));
    case '$lte':
      return found.some((candidate) => isOrdered(candidate, operand, (order) => order <= 0));
    case '$in':
      return found.some((candidate) =>
        (operand as unknown[]).some((member) => isEqual(candidate, member)),
      );
    case '$exists':
      return found.some((candidate) => candidate !== undefined) === operand;
    case '$type':
      return found.some((candidate) => kindOf(candidate) === operand);
    default: {
      const arrays = [...valuesAt(document, path.split('.'))].map((at) =>
        isObject(at) && 'whole' in at ? at.whole : at,
      );
      return arrays.some((array) => Array.isArray(array) && array.length === operand);
    }
  }
}

/** The plain document as it comes back from BSON: what the model and the compiled form both look at. */
function stored(document: Document): Document {
  return deserialize(raw(document), { promoteLongs: false, promoteValues: true });
}

describe('random queries', () => {
  it('match as the rules of the manual say, leaf by leaf', () => {
    fc.assert(
      fc.property(object, path, leaf, (document, at, condition) => {
        const filter = compileFilter(raw({ [at]: condition }), testContext());
        assert.equal(filter.matches(raw(document)), modelMatches(stored(document), at, condition));
      }),
      { numRuns: 3000 },
    );
  });

  it('match conjunctions, disjunctions and negations as their parts do', () => {
    const parts = fc.array(fc.tuple(path, leaf), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(object, parts, (document, conditions) => {
        const bytes = raw(document);
        const filters = conditions.map(([at, condition]) => ({ [at]: condition }));
        const each = filters.map((filter) => matches(filter, bytes));
        assert.equal(matches({ $and: filters }, bytes), each.every(Boolean));
        assert.equal(matches({ $or: filters }, bytes), each.some(Boolean));
        assert.equal(matches({ $nor: filters }, bytes), !each.some(Boolean));
        const [[at, condition]] = conditions;
        assert.equal(matches({ [at]: { $not: condition } }, bytes), !each[0]);
      }),
      { numRuns: 1000 },
    );
    function matches(filter: Document, bytes: Buffer): boolean {
      return compileFilter(raw(filter), testContext()).matches(bytes);
    }
  });
});

/** What $set, $unset and $inc do to plain values. */
function modelUpdate(document: Document, update: Document): Document {
  const result: Document = structuredClone(document);
  for (const [operator, fields] of Object.entries(update)) {
    for (const [at, operand] of Object.entries(fields as Document)) {
      const names = at.split('.');
      const last = names.pop() ?? '';
      let container: Document = result;
      let isThere = true;
      for (const part of names) {
        if (container[part] === undefined) {
          isThere = operator !== '$unset';
          if (!isThere) break;
          container[part] = {};
        }
        container = container[part] as Document;
      }
      if (!isThere) continue;
      if (operator === '$set') container[last] = operand;
      if (operator === '$inc')
        container[last] = ((container[last] as number | undefined) ?? 0) + (operand as number);
      if (operator === '$unset') delete container[last];
    }
  }
  return result;
}

describe('random updates', () => {
  const names = fc.constantFrom('a', 'b', 'c', 'd', 'e');
  const numbers = fc.letrec<{ tree: Document }>((tie) => ({
    tree: fc.dictionary(
      names,
      fc.oneof({ maxDepth: 3 }, fc.integer({ min: -5, max: 5 }), tie('tree')),
      {
        maxKeys: 4,
      },
    ),
  })).tree;
  const update = fc.record(
    {
      $set: fc.dictionary(names, fc.integer({ min: -5, max: 5 }), { minKeys: 1, maxKeys: 3 }),
      $unset: fc.dictionary(
        fc.tuple(names, names).map((pair) => pair.join('.')),
        fc.constant(1),
        { maxKeys: 2 },
      ),
      $inc: fc.dictionary(
        fc.tuple(names, names).map((pair) => pair.join('.')),
        fc.integer({ min: -5, max: 5 }),
        { maxKeys: 2 },
      ),
    },
    { requiredKeys: ['$set'] },
  );

  it('change plain documents as the model does, or refuse', () => {
    let applied = 0;
    fc.assert(
      fc.property(numbers, update, (document, change) => {
        const bytes = raw(document);
        const before = Buffer.from(bytes);
        try {
          const result = compileUpdate(documentValue(raw(change)), {
            context: testContext(),
          }).apply(bytes);
          validateDocument(result);
          assert.deepEqual(deserialize(result), modelUpdate(document, change));
          applied += 1;
        } catch (error) {
          if (!(error instanceof CommandError)) throw error;
        }
        assert.deepEqual(bytes, before);
      }),
      { numRuns: 2000 },
    );
    assert.ok(applied > 300, `${applied} were applied`);
  });

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
