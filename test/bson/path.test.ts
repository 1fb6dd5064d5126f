import assert from 'node:assert/strict';
import { forEachPathValue, getPath, inspect, parsePath } from '../../bson/index.ts';
import { bsonOf } from './documents.ts';

/** Every visited value as "value@arrayIndex". */
function visits(document: object, path: string, expandLeafArrays = true): string[] {
  const seen: string[] = [];
  const stopped = forEachPathValue(
    bsonOf(document),
    parsePath(path),
    (value, arrayIndex) => {
      seen.push(`${value === undefined ? 'missing' : inspect(value)}@${arrayIndex ?? ''}`);
      return false;
    },
    { expandLeafArrays },
  );
  assert.equal(stopped, false);
  return seen;
}

describe('parsePath', () => {
  it('knows which parts may be an index', () => {
    assert.deepEqual(parsePath('a.0.b.01.10.x1.-1').indices, [-1, 0, -1, -1, 10, -1, -1]);
    assert.deepEqual(parsePath('').parts, ['']);
    assert.deepEqual(parsePath('a..b').parts, ['a', '', 'b']);
  });
});

describe('getPath', () => {
  it('walks through objects only', () => {
    const document = bsonOf({ a: { b: { c: 5 } }, list: [{ b: 1 }], n: null });
    assert.equal(getPath(document, parsePath('a.b.c'))?.asNumber(), 5);
    assert.equal(getPath(document, parsePath('a.b'))?.typeName, 'object');
    assert.equal(getPath(document, parsePath('a.x.c')), undefined);
    assert.equal(getPath(document, parsePath('a.b.c.d')), undefined);
    assert.equal(getPath(document, parsePath('list.b')), undefined);
    assert.equal(getPath(document, parsePath('list.0')), undefined);
    assert.equal(getPath(document, parsePath('list'))?.typeName, 'array');
    assert.equal(getPath(document, parsePath('n'))?.typeName, 'null');
  });
});

describe('forEachPathValue', () => {
  const cases: [document: object, path: string, visited: string[]][] = [
    [{ a: 1 }, 'a', ['1@']],
    [{}, 'a', ['missing@']],
    [{ a: null }, 'a', ['null@']],
    [{ a: 1 }, 'a.b', ['missing@']],
    [{ a: { b: 1 } }, 'a.b', ['1@']],
    [{ a: [] }, 'a', ['[]@']],
    [{ a: [5, 6] }, 'a', ['5@0', '6@1', '[ 5, 6 ]@']],
    [{ a: [[7]] }, 'a', ['[ 7 ]@0', '[ [ 7 ] ]@']],
    // An array on the way: only objects in it are looked into, and scalars count for nothing.
    [{ a: [] }, 'a.b', []],
    [{ a: [1, 2] }, 'a.b', []],
    [{ a: [{ b: 1 }, 5, { c: 2 }, { b: 3 }] }, 'a.b', ['1@0', 'missing@2', '3@3']],
    [{ a: [[{ b: 1 }]] }, 'a.b', []],
    // The outermost array walked through gives the position.
    [{ a: [{ b: [1, 2] }] }, 'a.b', ['1@0', '2@0', '[ 1, 2 ]@0']],
    [{ a: [{ b: [{ c: 1 }, { c: 2 }] }] }, 'a.b.c', ['1@0', '2@0']],
    [{ a: { b: [{ c: 1 }, { c: 2 }] } }, 'a.b.c', ['1@0', '2@1']],
    // A number is an index, and still a name inside of elements.
    [{ a: [5, 6] }, 'a.1', ['6@']],
    [{ a: [5, 6] }, 'a.2', []],
    [{ a: [5, [1, 2]] }, 'a.1', ['[ 1, 2 ]@']],
    [{ a: [{ 0: 'x' }, 7] }, 'a.0', ['"x"@0', '{ 0: "x" }@']],
    [{ a: [{ b: 1 }, { b: 2 }] }, 'a.1.b', ['missing@0', 'missing@1', '2@']],
    [{ a: [[{ b: 1 }]] }, 'a.0.b', ['1@0']],
    [{ a: [[5, 6]] }, 'a.0.1', ['6@']],
    [{ a: [{ b: [5, 6] }] }, 'a.0.b', ['missing@0', '5@0', '6@1', '[ 5, 6 ]@']],
    [{ a: [5, 6] }, 'a.00', []],
    [{ a: { 0: 'x' } }, 'a.0', ['"x"@']],
  ];
  for (const [document, path, visited] of cases) {
    it(`visits ${path} of ${JSON.stringify(document)}`, () => {
      assert.deepEqual(visits(document, path), visited);
    });
  }

  it('visits arrays at the end as a whole when told so', () => {
    assert.deepEqual(visits({ a: [1, 2] }, 'a', false), ['[ 1, 2 ]@']);
    assert.deepEqual(visits({ a: [{ b: [1, 2] }] }, 'a.b', false), ['[ 1, 2 ]@0']);
  });

  it('stops when the visitor says so', () => {
    let count = 0;
    const stopped = forEachPathValue(
      bsonOf({ a: [{ b: [1, 2, 3] }, { b: 4 }] }),
      parsePath('a.b'),
      () => {
        count += 1;
        return count === 2;
      },
      { expandLeafArrays: true },
    );
    assert.equal(stopped, true);
    assert.equal(count, 2);
  });
});
