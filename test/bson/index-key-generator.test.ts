import assert from 'node:assert/strict';
import {
  compileIndexKeys,
  compileSort,
  decodeIndexKey,
  inspect,
  type Direction,
} from '../../bson/index.ts';
import { bsonOf } from './documents.ts';

type Pattern = Readonly<Record<string, Direction>>;

function keysOf(
  pattern: Pattern,
  document: object,
  sparse = false,
): { keys: string[]; multikey: string } {
  const fields = Object.entries(pattern).map(([path, direction]) => ({ path, direction }));
  const { keys, multikeyPaths } = compileIndexKeys(fields, { sparse }).keysOf(bsonOf(document));
  for (let index = 1; index < keys.length; index += 1) {
    assert.ok(keys[index - 1].key.compare(keys[index].key) < 0);
  }
  const directions = fields.map((field) => field.direction);
  return {
    keys: keys.map(({ key, typeBits }) =>
      decodeIndexKey(key, typeBits, directions)
        .map((value) => inspect(value))
        .join(' | '),
    ),
    multikey: (multikeyPaths ?? []).map((components) => `[${components.join()}]`).join(' '),
  };
}

describe('documents that hold the same fields', () => {
  const generator = compileIndexKeys(
    [
      { path: 'a.b', direction: 1 },
      { path: 'c', direction: -1 },
    ],
    { sparse: false },
  );
  const isSame = (before: object, after: object): boolean =>
    generator.hasSameFields(bsonOf(before), bsonOf(after));

  it('are known by their bytes, whatever else they hold', () => {
    assert.equal(
      isSame({ a: { b: [1, 2] }, c: 'x', d: 1 }, { d: 2, c: 'x', a: { b: [1, 2] } }),
      true,
    );
    assert.equal(isSame({ d: 1 }, { e: 1 }), true);
  });

  it('are not those in which one field has another value, another type, or is there in one only', () => {
    assert.equal(isSame({ a: { b: 1 }, c: 1 }, { a: { b: 2 }, c: 1 }), false);
    assert.equal(isSame({ a: 1, c: 1 }, { a: 1, c: 1.5 }), false);
    assert.equal(isSame({ c: 1 }, {}), false);
    assert.equal(isSame({}, { a: null }), false);
    assert.equal(isSame({ a: [1], c: 1 }, { a: [1, 1], c: 1 }), false);
  });
});

describe('index keys of a document', () => {
  const cases: [Pattern, object, keys: string[], multikey: string][] = [
    [{ a: 1 }, { a: 5 }, ['5'], ''],
    [{ a: 1 }, {}, ['null'], ''],
    [{ a: 1 }, { a: null }, ['null'], ''],
    [{ a: 1 }, { a: [] }, ['undefined'], '[0]'],
    [{ a: 1 }, { a: [3, 1, 2, 1] }, ['1', '2', '3'], '[0]'],
    [{ a: -1 }, { a: [3, 1, 2] }, ['3', '2', '1'], '[0]'],
    [{ a: 1 }, { a: [[1, 2], 3, []] }, ['3', '[]', '[ 1, 2 ]'], '[0]'],
    [{ a: 1 }, { a: { b: [1] } }, ['{ b: [ 1 ] }'], ''],
    [{ a: 1 }, { a: [null, 1] }, ['null', '1'], '[0]'],
    [{ 'a.b': 1 }, { a: { b: 1 } }, ['1'], ''],
    [{ 'a.b': 1 }, { a: 1 }, ['null'], ''],
    [{ 'a.b': 1 }, { a: [] }, ['null'], '[0]'],
    [{ 'a.b': 1 }, { a: { b: [] } }, ['undefined'], '[1]'],
    [{ 'a.b': 1 }, { a: [{ b: 1 }, { b: [2, 3] }, 5, {}] }, ['null', '1', '2', '3'], '[0,1]'],
    [{ 'a.b': 1 }, { a: [1, 2] }, ['null'], '[0]'],
    [{ 'a.b': 1 }, { a: [[{ b: 1 }]] }, ['null'], '[0]'],
    [{ a: 1, b: -1 }, { a: 1, b: 2 }, ['1 | 2'], ''],
    [{ a: 1, b: -1 }, { b: 2 }, ['null | 2'], ''],
    [{ a: 1, b: 1 }, { a: [1, 2], b: 7 }, ['1 | 7', '2 | 7'], '[0] []'],
    [{ a: 1, b: 1 }, { a: 7, b: [] }, ['7 | undefined'], '[] [0]'],
    [{ 'a.b': 1, 'a.c': -1 }, { a: [{ b: 1, c: 2 }, { b: 3 }] }, ['1 | 2', '3 | null'], '[0] [0]'],
    [
      { 'a.b.c': 1, 'a.b.d': 1, e: 1 },
      { a: { b: [{ c: 1, d: 2 }, { d: 3 }] }, e: 9 },
      ['null | 3 | 9', '1 | 2 | 9'],
      '[1] [1] []',
    ],
    [{ a: 1, 'a.b': 1 }, { a: [{ b: 1 }, 4] }, ['4 | null', '{ b: 1 } | 1'], '[0] [0]'],
    [{ 'a.0': 1 }, { a: [7, 8] }, ['7'], ''],
    [{ 'a.0': 1 }, { a: [[1, 2]] }, ['[ 1, 2 ]'], ''],
    [{ 'a.2': 1 }, { a: [7, 8] }, ['null'], '[0]'],
    [{ 'a.0.b': 1 }, { a: [{ b: 1 }, { b: 2 }] }, ['1'], ''],
    [{ 'a.0.b': 1 }, { a: [{ b: [1, 2] }] }, ['1', '2'], '[2]'],
    [{ 'a.b': 1, 'a.b.0': 1 }, { a: { b: [1, 2] } }, ['1 | 1', '2 | 1'], '[1] []'],
    [{ a: 1, b: 1, c: 1 }, {}, ['null | null | null'], ''],
  ];
  for (const [pattern, document, keys, multikey] of cases) {
    it(`are right for ${JSON.stringify(pattern)} and ${JSON.stringify(document)}`, () => {
      assert.deepEqual(keysOf(pattern, document), { keys, multikey });
    });
  }

  it('are none for a sparse index when every field is missing', () => {
    assert.deepEqual(keysOf({ a: 1 }, {}, true).keys, []);
    assert.deepEqual(keysOf({ a: 1 }, { a: null }, true).keys, ['null']);
    assert.deepEqual(keysOf({ a: 1 }, { a: [] }, true).keys, ['undefined']);
    assert.deepEqual(keysOf({ 'a.b': 1 }, { a: [] }, true).keys, []);
    assert.deepEqual(keysOf({ 'a.b': 1 }, { a: [{}, { b: 1 }] }, true).keys, ['1']);
    assert.deepEqual(keysOf({ a: 1, b: 1 }, { b: 2 }, true).keys, ['null | 2']);
  });

  it('are refused for parallel arrays and ambiguous names', () => {
    assert.throws(() => keysOf({ a: 1, b: 1 }, { a: [1], b: [2] }), {
      code: 171,
      message: 'cannot index parallel arrays [b] [a]',
    });
    assert.throws(() => keysOf({ 'a.b': 1, 'a.c': 1 }, { a: [{ b: [1], c: [2] }] }), {
      code: 171,
      message: 'cannot index parallel arrays [c] [b]',
    });
    assert.throws(() => keysOf({ a: 1, b: 1 }, { a: [], b: [] }), { code: 171 });
    assert.throws(() => keysOf({ 'a.0': 1 }, { a: [{ 0: 1 }] }), { code: 16746 });
  });
});

describe('sort keys', () => {
  function keyOf(pattern: Pattern, document: object): string {
    return compileSort(bsonOf(pattern))
      .keyOf(bsonOf(document))
      .map((value) => inspect(value))
      .join(' | ');
  }

  it('take the smallest element of an array, or the largest', () => {
    assert.equal(keyOf({ a: 1 }, { a: [5, 2, 9] }), '2');
    assert.equal(keyOf({ a: -1 }, { a: [5, 2, 9] }), '9');
    assert.equal(keyOf({ a: 1 }, { a: [] }), 'undefined');
    assert.equal(keyOf({ a: 1 }, {}), 'null');
    assert.equal(keyOf({ a: 1 }, { a: [[1], 'x'] }), '"x"');
    assert.equal(
      keyOf(
        { 'a.b': 1, 'a.c': -1 },
        {
          a: [
            { b: 1, c: 1 },
            { b: 1, c: 3 },
            { b: 2, c: 9 },
          ],
        },
      ),
      '1 | 3',
    );
  });

  it('order documents', () => {
    const sort = compileSort(bsonOf({ a: 1, b: -1 }));
    const sorted = [{ a: 2, b: 1 }, { a: 1, b: 1 }, { b: 5 }, { a: [3, 1], b: 2 }]
      .map((document) => ({ document, key: sort.keyOf(bsonOf(document)) }))
      .sort((x, y) => sort.compare(x.key, y.key))
      .map(({ document }) => document);
    assert.deepEqual(sorted, [{ b: 5 }, { a: [3, 1], b: 2 }, { a: 1, b: 1 }, { a: 2, b: 1 }]);
  });

  it('refuse parallel arrays and directions that are no numbers', () => {
    assert.throws(() => keyOf({ a: 1, b: 1 }, { a: [1], b: [2] }), {
      code: 2,
      message: 'cannot sort with keys that are parallel arrays',
    });
    assert.throws(() => compileSort(bsonOf({ a: 'up' })), { code: 15974 });
  });
});
