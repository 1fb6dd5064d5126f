import assert from 'node:assert/strict';
import fc from 'fast-check';
import { deserialize } from 'bson';
import { CommandError } from '../../common/errors.ts';
import {
  EMPTY_DOCUMENT,
  FieldCursor,
  binaryEqual,
  fieldCount,
  fieldsOf,
  firstFieldName,
  getField,
  getFieldAt,
  isEmpty,
} from '../../bson/index.ts';
import { anyDocument } from './arbitraries.ts';
import { bsonOf } from './documents.ts';

describe('getField', () => {
  it('finds fields by their whole name', () => {
    const document = bsonOf({ a: 1, ab: 2, abc: 3, b: 4 });
    assert.equal(getField(document, 'ab')?.asNumber(), 2);
    assert.equal(getField(document, 'abc')?.asNumber(), 3);
    assert.equal(getField(document, 'b')?.asNumber(), 4);
    assert.equal(getField(document, 'bc'), undefined);
    assert.equal(getField(document, ''), undefined);
  });

  it('finds the empty name and names that are not ASCII', () => {
    const document = bsonOf({ '': 1, é: 2, имя: 3, '😀': 4 });
    assert.equal(getField(document, '')?.asNumber(), 1);
    assert.equal(getField(document, 'é')?.asNumber(), 2);
    assert.equal(getField(document, 'имя')?.asNumber(), 3);
    assert.equal(getField(document, '😀')?.asNumber(), 4);
    assert.equal(getField(document, 'имя')?.asNumber(), 3);
    assert.equal(getField(document, 'ё'), undefined);
  });

  it('does not take the characters of a name for bytes', () => {
    // "é" is C3 A9 in UTF-8, which reads as "Ã©" when every byte is taken for a character.
    assert.equal(getField(bsonOf({ é: 1 }), 'Ã©'), undefined);
    assert.equal(getField(bsonOf({ 'Ã©': 1 }), 'é'), undefined);
  });

  it('finds nothing for a name with a NUL', () => {
    assert.equal(getField(bsonOf({ a: 1 }), 'a\0'), undefined);
    assert.equal(getField(EMPTY_DOCUMENT, '\0'), undefined);
    assert.equal(getField(bsonOf({ é: 1 }), 'é\0'), undefined);
  });

  it('gives the first of two fields with one name', () => {
    const twice = Buffer.concat([
      Buffer.of(19, 0, 0, 0),
      element('a', 1),
      element('a', 2),
      Buffer.of(0),
    ]);
    assert.equal(getField(twice, 'a')?.asNumber(), 1);
    assert.equal(fieldCount(twice), 2);
  });

  it('reads a document inside a larger buffer', () => {
    const document = bsonOf({ a: 7 });
    const larger = Buffer.concat([Buffer.alloc(3, 0xff), document, Buffer.alloc(3, 0xff)]);
    assert.equal(getFieldAt(larger, 3, 'a')?.asNumber(), 7);
    const cursor = new FieldCursor(larger, 3);
    assert.equal(cursor.next(), true);
    assert.equal(cursor.value().asNumber(), 7);
    assert.equal(cursor.next(), false);
  });

  it('agrees with a walk over all fields', () => {
    fc.assert(
      fc.property(anyDocument, (document) => {
        const seen = new Set<string>();
        for (const [name, value] of fieldsOf(document)) {
          if (seen.has(name)) continue;
          seen.add(name);
          const found = getField(document, name);
          assert.ok(found !== undefined && binaryEqual(found, value));
        }
      }),
    );
  });
});

describe('FieldCursor', () => {
  it('sees the names, in order, that the npm package bson sees', () => {
    const document = bsonOf({
      a: 1,
      name: 'x',
      'имя и фамилия': [1, 2],
      ['long'.repeat(20)]: null,
    });
    const names = [...fieldsOf(document)].map(([name]) => name);
    assert.deepEqual(names, Object.keys(deserialize(document)));
  });

  it('compares the current name with text and with bytes', () => {
    const cursor = new FieldCursor(bsonOf({ имя: 1 }));
    assert.equal(cursor.next(), true);
    assert.equal(cursor.nameIs('имя'), true);
    assert.equal(cursor.nameIs('имена'), false);
    assert.equal(cursor.nameIs('abc'), false);
    assert.equal(cursor.nameIs(''), false);
    assert.equal(cursor.nameIs(Buffer.from('имя')), true);
    assert.equal(cursor.nameIs(Buffer.from('има')), false);
  });

  it('gives the same names whatever was decoded before', () => {
    for (let round = 0; round < 3; round += 1) {
      for (let index = 0; index < 5000; index += 1) {
        const cursor = new FieldCursor(bsonOf({ [`f${index}é`]: 1, [`f${index}`]: 2 }));
        cursor.next();
        assert.equal(cursor.name, `f${index}é`);
        cursor.next();
        assert.equal(cursor.name, `f${index}`);
        index += 499;
      }
    }
  });

  it('refuses documents that do not fit their bytes', () => {
    const document = bsonOf({ a: 1 });
    for (const bytes of [
      Buffer.alloc(0),
      Buffer.alloc(4),
      document.subarray(0, document.length - 1),
      Buffer.from([255, 255, 255, 255, 0]),
    ]) {
      assert.throws(() => new FieldCursor(bytes), CommandError);
      assert.throws(() => getField(bytes, 'a'), CommandError);
    }
  });

  it('answers simple questions', () => {
    assert.equal(isEmpty(EMPTY_DOCUMENT), true);
    assert.equal(isEmpty(bsonOf({ a: 1 })), false);
    assert.equal(firstFieldName(bsonOf({ ping: 1, $db: 'admin' })), 'ping');
    assert.equal(firstFieldName(EMPTY_DOCUMENT), undefined);
  });
});

function element(name: string, value: number): Buffer {
  return Buffer.concat([Buffer.of(16), Buffer.from(name), Buffer.of(0, value, 0, 0, 0)]);
}
