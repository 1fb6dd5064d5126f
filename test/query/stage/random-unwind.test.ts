/**
 * $unwind on random documents, against a slow one on JavaScript objects.
 */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type Plain, TestStore } from '../executor/store.ts';

const scalar = fc.oneof(fc.integer({ min: 0, max: 3 }), fc.constantFrom(null, 'x'));
const list = fc.array(
  fc.oneof(
    scalar,
    fc.array(scalar, { maxLength: 2 }),
    fc.record({ b: fc.oneof(scalar, fc.array(scalar, { maxLength: 2 })) }, { requiredKeys: [] }),
  ),
  { maxLength: 3 },
);
const value = fc.oneof(
  scalar,
  list,
  fc.record({ z: scalar, b: fc.oneof(scalar, list), y: scalar }, { requiredKeys: [] }),
);
const documents = fc
  .array(fc.record({ p: scalar, a: value, q: scalar }, { requiredKeys: [] }), { maxLength: 6 })
  .map((all): Plain[] => all.map((each, _id) => ({ _id, ...each })));

const options = fc.record(
  {
    preserveNullAndEmptyArrays: fc.boolean(),
    includeArrayIndex: fc.constantFrom('at', 'p', 'a.at', 'q.at'),
  },
  { requiredKeys: [] },
);

function isObject(given: unknown): given is Plain {
  return typeof given === 'object' && given !== null && !Array.isArray(given);
}

/** Through objects only. */
function valueAt(document: Plain, parts: readonly string[]): unknown {
  let current: unknown = document;
  for (const part of parts) {
    if (!isObject(current) || !(part in current)) return undefined;
    current = current[part];
  }
  return current;
}

/** undefined takes the field away; what stands in the way is replaced. */
function withValue(document: Plain, [first, ...rest]: readonly string[], set: unknown): Plain {
  if (first === undefined) return document;
  const copy: Plain = { ...document };
  if (rest.length > 0) {
    const below = copy[first];
    copy[first] = withValue(isObject(below) ? below : {}, rest, set);
  } else if (set === undefined) delete copy[first];
  else copy[first] = set;
  return copy;
}

interface Unwinding {
  readonly preserveNullAndEmptyArrays?: boolean | undefined;
  readonly includeArrayIndex?: string | undefined;
}

function naive(document: Plain, path: string, given: Unwinding): Plain[] {
  const parts = path.split('.');
  const index = given.includeArrayIndex?.split('.');
  const indexed = (made: Plain, at: number | null): Plain =>
    index === undefined ? made : withValue(made, index, at);
  const found = valueAt(document, parts);
  if (Array.isArray(found) && found.length > 0) {
    return found.map((element, at) => indexed(withValue(document, parts, element), at));
  }
  const isNothing = found === undefined || found === null || Array.isArray(found);
  if (isNothing && given.preserveNullAndEmptyArrays !== true) return [];
  const kept = Array.isArray(found) ? withValue(document, parts, undefined) : document;
  return [indexed(kept, null)];
}

describe('$unwind of random documents', () => {
  it('gives what a slow one gives, fields in the same order', async () => {
    await fc.assert(
      fc.asyncProperty(
        documents,
        fc.constantFrom('a', 'a.b', 'a.0', 'a.b.0', 'q'),
        options,
        async (docs, path, given) => {
          const store = await TestStore.open(docs);
          try {
            const found = await store.aggregate([{ $unwind: { path: `$${path}`, ...given } }]);
            const expected = docs.flatMap((each) => naive(each, path, given));
            assert.equal(JSON.stringify(found), JSON.stringify(expected));
          } finally {
            await store.close();
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});
