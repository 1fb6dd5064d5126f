import assert from 'node:assert/strict';
import fc from 'fast-check';
import { deserialize } from 'bson';
import {
  EMPTY_DOCUMENT,
  binaryEqual,
  fieldsOf,
  getField,
  int32Value,
  setField,
  stringValue,
  unsetField,
  validateDocument,
  withIdFirst,
} from '../../bson/index.ts';
import { anyDocument, anyValue } from './arbitraries.ts';
import { bsonOf } from './documents.ts';

const names = (document: Buffer): string[] => [...fieldsOf(document)].map(([name]) => name);

describe('setField', () => {
  it('replaces in place, or appends', () => {
    const document = bsonOf({ a: 1, b: 'x', c: 3 });
    assert.deepEqual(setField(document, 'b', int32Value(2)), bsonOf({ a: 1, b: 2, c: 3 }));
    assert.deepEqual(
      setField(document, 'd', stringValue('y')),
      bsonOf({ a: 1, b: 'x', c: 3, d: 'y' }),
    );
    assert.deepEqual(document, bsonOf({ a: 1, b: 'x', c: 3 }));
    assert.deepEqual(setField(EMPTY_DOCUMENT, 'é', int32Value(1)), bsonOf({ é: 1 }));
  });

  it('gives a valid document with the value in it', () => {
    fc.assert(
      fc.property(
        anyDocument,
        fc.constantFrom('a', 'b', 'zz'),
        anyValue,
        (document, name, value) => {
          const changed = setField(document, name, value);
          validateDocument(changed);
          const found = getField(changed, name);
          assert.ok(found !== undefined && binaryEqual(found, value));
        },
      ),
    );
  });
});

describe('unsetField', () => {
  it('takes one field out, or gives the document itself', () => {
    const document = bsonOf({ a: 1, b: 'x', c: 3 });
    assert.deepEqual(unsetField(document, 'b'), bsonOf({ a: 1, c: 3 }));
    assert.deepEqual(unsetField(bsonOf({ a: 1 }), 'a'), EMPTY_DOCUMENT);
    assert.equal(unsetField(document, 'x'), document);
  });
});

describe('withIdFirst', () => {
  it('moves, adds or leaves the _id', () => {
    const moved = withIdFirst(bsonOf({ a: 1, _id: 'x', b: [2] }));
    assert.deepEqual(names(moved), ['_id', 'a', 'b']);
    assert.deepEqual(deserialize(moved), { _id: 'x', a: 1, b: [2] });
    assert.deepEqual(
      withIdFirst(bsonOf({ a: 1, _id: 5 }), int32Value(9)),
      bsonOf({ _id: 5, a: 1 }),
    );
    assert.deepEqual(withIdFirst(bsonOf({ a: 1 }), int32Value(9)), bsonOf({ _id: 9, a: 1 }));
    const first = bsonOf({ _id: 1, a: 2 });
    assert.equal(withIdFirst(first), first);
    const none = bsonOf({ a: 2 });
    assert.equal(withIdFirst(none), none);
  });
});
