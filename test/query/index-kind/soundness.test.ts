/**
 * Random documents, and indexes of all kinds beyond ordered fields: whatever plan is chosen, it gives what a collection scan gives, and
 * validate finds every index in accord with its records after random writes.
 */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { CommandError } from '../../../common/errors.ts';
import { uninterruptible } from '../../../common/interruption.ts';
import { compileCollation } from '../../../query/index.ts';
import { bytes, context, type Plain, TestStore } from '../executor/store.ts';

const scalar = fc.oneof(
  fc.integer({ min: 0, max: 4 }),
  fc.constantFrom<unknown>(null, 'a', 'A', 'ab', 'á', 'b', true, 2.5, new Date(3), Number.NaN),
);
const inner = fc.record({ x: scalar, y: scalar }, { requiredKeys: [] });
const value = fc.oneof(
  { weight: 5, arbitrary: scalar },
  { weight: 1, arbitrary: fc.array(scalar, { maxLength: 3 }) },
  { weight: 2, arbitrary: inner },
  { weight: 1, arbitrary: fc.array(fc.oneof(inner, scalar), { maxLength: 3 }) },
  { weight: 1, arbitrary: fc.array(fc.array(scalar, { maxLength: 2 }), { maxLength: 2 }) },
);
const document = fc.record({ a: value, b: value, c: scalar }, { requiredKeys: [] });
const path = fc.constantFrom('a', 'b', 'c', 'a.x', 'b.y', 'a.0', 'a.0.x');
const operand = fc.oneof(scalar, inner, fc.array(scalar, { maxLength: 2 }));
const condition: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 3, arbitrary: operand },
  { weight: 1, arbitrary: fc.record({ $gt: operand }) },
  { weight: 1, arbitrary: fc.record({ $gte: scalar, $lt: scalar }) },
  { weight: 1, arbitrary: fc.record({ $in: fc.array(operand, { maxLength: 3 }) }) },
  { weight: 1, arbitrary: fc.record({ $ne: operand }) },
  { weight: 1, arbitrary: fc.record({ $exists: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ $not: fc.record({ $lt: scalar }) }) },
  { weight: 1, arbitrary: fc.record({ $elemMatch: fc.record({ $gte: scalar, $lte: scalar }) }) },
  { weight: 1, arbitrary: fc.record({ $elemMatch: fc.record({ x: scalar, y: scalar }) }) },
  { weight: 1, arbitrary: fc.constant({ $regex: '^a' }) },
  { weight: 1, arbitrary: fc.record({ $type: fc.constantFrom('number', 'string', 'object') }) },
);
const filter = fc.dictionary(path, condition, { maxKeys: 3 });
const sort = fc.option(
  fc.constantFrom('a', 'b', 'c', 'a.x').map((only) => [only]),
  { nil: undefined },
);
const COLLATIONS = [undefined, { locale: 'en', strength: 2 }, { locale: 'en' }] as const;
const collation = fc.constantFrom(...COLLATIONS);

const PATTERNS: readonly Plain[] = [
  { key: { a: 'hashed' } },
  { key: { c: 1, a: 'hashed' } },
  { key: { 'a.x': 'hashed', c: -1 }, sparse: true },
  { key: { '$**': 1 } },
  { key: { '$**': -1 }, wildcardProjection: { b: 0 } },
  { key: { '$**': 1 }, wildcardProjection: { 'a.x': 0 } },
  { key: { '$**': 1 }, wildcardProjection: { 'a.x': 1, _id: 1 } },
  { key: { 'a.$**': 1 } },
  { key: { c: 1, 'a.$**': 1 } },
  { key: { 'a.$**': -1, c: 1 } },
  { key: { c: -1, '$**': 1 }, wildcardProjection: { c: 0 } },
  { key: { a: 1 }, partialFilterExpression: { c: { $gt: 1 } } },
  { key: { b: 1 }, partialFilterExpression: { c: { $exists: true } } },
  { key: { c: 1 }, partialFilterExpression: { $or: [{ a: 'a' }, { a: { $in: [1, 2] } }] } },
  { key: { a: 1, c: -1 } },
  { key: { c: 1, _id: 1 } },
  { key: { a: 1, _id: 1 } },
  { key: { a: 1 }, sparse: true },
];
const index = fc.record({ pattern: fc.constantFrom(...PATTERNS), collation });

interface Write {
  readonly at: number;
  readonly document: Plain | undefined;
}

/** undefined: some index refuses the documents (arrays). */
async function openStore(
  documents: readonly Plain[],
  writes: readonly Write[],
  indexes: readonly { pattern: Plain; collation: Plain | undefined }[],
): Promise<TestStore | undefined> {
  const store = await TestStore.open(
    [],
    indexes.map(({ pattern, collation: own }, position) => ({
      v: 2,
      name: `i${position}`,
      ...pattern,
      ...(own === undefined ? {} : { collation: own }),
    })),
  );
  const write = store.engine.begin();
  const collection = write.collection(store.namespace)!;
  try {
    const stored = documents.map((each, _id) => bytes({ _id, ...each }));
    const ids = stored.map((each) => write.insert(collection, each));
    for (const [number, { at, document: after }] of writes.entries()) {
      const position = at % stored.length;
      if (stored[position] === undefined || ids[position] === undefined) continue;
      if (after === undefined) {
        write.delete(collection, ids[position], stored[position]);
        ids.splice(position, 1);
        stored.splice(position, 1);
      } else {
        const changed = bytes({ _id: 1000 + number, ...after });
        write.delete(collection, ids[position], stored[position]);
        ids[position] = write.insert(collection, changed);
        stored[position] = changed;
      }
    }
    write.commit();
    return store;
  } catch (error) {
    write.close();
    await store.engine.close();
    if (error instanceof CommandError && [16766, 7246301, 171].includes(error.code))
      return undefined;
    throw error;
  }
}

const idsOf = (found: readonly Plain[]): number[] =>
  found.map(({ _id }) => _id as number).sort((a, b) => a - b);

describe('indexes of all kinds', () => {
  it('give what a collection scan gives, and agree with their records', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(document, { minLength: 1, maxLength: 8 }),
        fc.array(fc.record({ at: fc.nat(20), document: fc.option(document, { nil: undefined }) }), {
          maxLength: 3,
        }),
        fc.array(index, { minLength: 1, maxLength: 3 }),
        fc.array(fc.tuple(filter, sort, collation), { minLength: 3, maxLength: 6 }),
        async (documents, writes, indexes, queries) => {
          const store = await openStore(documents, writes, indexes);
          if (store === undefined) return;
          try {
            const report = await store.engine.validate('test.c', { full: true }, uninterruptible);
            assert.deepEqual(report.errors, []);
            for (const [wanted, order, own] of queries) await compare(store, wanted, order, own);
          } finally {
            await store.engine.close();
          }
        },
      ),
      { numRuns: 60, interruptAfterTimeLimit: 8000 },
    );
  });
});

async function compare(
  store: TestStore,
  wanted: Plain,
  order: readonly string[] | undefined,
  own: Plain | undefined,
): Promise<void> {
  const collator = own === undefined ? undefined : compileCollation(bytes(own));
  const using = collator === undefined ? context : { ...context, collator };
  const sorted =
    order === undefined
      ? {}
      : { sort: Object.fromEntries([...order.map((name) => [name, 1]), ['_id', 1]]) as Plain };
  const scan = await store.find({ filter: wanted, ...sorted, hint: { $natural: 1 } }, using);
  const found = await store.find({ filter: wanted, ...sorted }, using);
  assert.deepEqual(idsOf(found), idsOf(scan), JSON.stringify({ wanted, own }));
  if (order !== undefined) assert.deepEqual(found, scan);
  const projected = await store.find({ filter: wanted, projection: { _id: 0, a: 1, c: 1 } }, using);
  assert.equal(projected.length, scan.length);
  const text = (all: readonly Plain[]): string[] =>
    all.map(({ a, c }) => JSON.stringify([a, c])).sort();
  assert.deepEqual(text(projected), text(scan));
}
