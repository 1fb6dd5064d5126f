import assert from 'node:assert/strict';
import fc from 'fast-check';
import { deserialize } from 'bson';
import {
  ArrayBuilder,
  Decimal,
  DocumentBuilder,
  EMPTY_DOCUMENT,
  FieldCursor,
  fieldsOf,
  getField,
  indexName,
  int32Value,
  stringValue,
  validateDocument,
} from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import { anyDocument } from './arbitraries.ts';
import { bsonOf } from './documents.ts';

describe('DocumentBuilder', () => {
  it('builds what the npm package bson reads', () => {
    const id = Buffer.alloc(12, 9);
    const bytes = new DocumentBuilder(1)
      .appendInt32('int', -5)
      .appendInt64('long', 2n ** 60n)
      .appendDouble('double', 0.5)
      .appendDecimal('decimal', Decimal.fromString('1.50'))
      .appendString('text', 'a\0é😀'.repeat(20))
      .appendBoolean('on', true)
      .appendNull('none')
      .appendDate('when', -1)
      .appendObjectId('id', id)
      .appendTimestamp('ts', 0xffff_ffff, 2)
      .appendBinary('bin', Buffer.from('xyz'), 4)
      .appendDocument('doc', bsonOf({ a: 1 }))
      .appendArray('array', bsonOf({ 0: 'x' }))
      .beginDocument('open')
      .beginArray('inner')
      .appendInt32(indexName(0), 1)
      .end()
      .append('é', stringValue('v'))
      .end()
      .finish();
    validateDocument(bytes);
    const read = deserialize(bytes, { promoteValues: false, promoteLongs: false });
    assert.equal(String(read['long']), String(2n ** 60n));
    assert.equal(String(read['decimal']), '1.50');
    const plain = deserialize(bytes);
    assert.equal(plain['int'], -5);
    assert.equal(plain['text'], 'a\0é😀'.repeat(20));
    assert.deepEqual(plain['when'], new Date(-1));
    assert.deepEqual(plain['open'], { inner: [1], é: 'v' });
    assert.deepEqual(plain['array'], ['x']);
    assert.equal(plain['ts'].t, 0xffff_ffff);
  });

  it('copies any document element by element, byte for byte', () => {
    const builder = new DocumentBuilder();
    fc.assert(
      fc.property(anyDocument, (document) => {
        const cursor = new FieldCursor(document);
        while (cursor.next()) {
          builder.appendElementBytes(document, cursor.elementStart, cursor.valueEnd);
        }
        assert.deepEqual(builder.finish(), document);
        for (const [name, value] of fieldsOf(document)) builder.append(name, value);
        assert.deepEqual(builder.finish(), document);
        assert.deepEqual(builder.appendElementsOf(document).finish(), document);
      }),
    );
  });

  it('gives documents that later building does not change', () => {
    const builder = new DocumentBuilder();
    const small = builder.appendInt32('a', 1).finish();
    const large = builder.appendString('b', 'x'.repeat(200_000)).finish();
    builder.appendString('c', 'y'.repeat(300_000)).finish();
    assert.equal(getField(small, 'a')?.asNumber(), 1);
    assert.equal(getField(large, 'b')?.asString(), 'x'.repeat(200_000));
  });

  it('forgets on clear and is empty after finish', () => {
    const builder = new DocumentBuilder();
    builder.beginDocument('x').clear();
    assert.deepEqual(builder.finish(), EMPTY_DOCUMENT);
    assert.deepEqual(builder.finish(), EMPTY_DOCUMENT);
  });

  it('refuses names with a NUL, unbalanced nesting and unbounded growth', () => {
    const builder = new DocumentBuilder();
    assert.throws(() => builder.appendNull('a\0b'), CommandError);
    assert.throws(() => builder.clear().end(), CommandError);
    assert.throws(() => builder.clear().beginArray('a').finish(), CommandError);
    const chunk = Buffer.alloc(30 * 1024 * 1024);
    builder.clear().appendBinary('a', chunk).appendBinary('b', chunk);
    assert.throws(() => builder.appendBinary('c', chunk), { code: 10334 });
  });
});

describe('ArrayBuilder', () => {
  it('names its elements by their index', () => {
    const array = new ArrayBuilder();
    for (let index = 0; index < 1100; index += 1) array.push(int32Value(index));
    assert.equal(array.length, 1100);
    const bytes = array.finish();
    assert.equal(getField(bytes, '1099')?.asNumber(), 1099);
    assert.equal(array.length, 0);
    assert.deepEqual(
      array.pushString('a').pushDocument(EMPTY_DOCUMENT).pushArray(EMPTY_DOCUMENT).finish(),
      bsonOf({ 0: 'a', 1: {}, 2: [] }),
    );
  });
});
