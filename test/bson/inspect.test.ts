import assert from 'node:assert/strict';
import {
  DocumentBuilder,
  ObjectIdGenerator,
  binaryValue,
  dbPointerValue,
  documentOf,
  doubleValue,
  fieldsOf,
  inspect,
  int32Value,
  javascriptValue,
  javascriptWithScopeValue,
  regexValue,
  newObjectIdBytes,
  stringValue,
  toExtendedJson,
  toExtendedJsonText,
  uuidText,
  type RawValue,
} from '../../bson/index.ts';
import { ManualClock } from '../../common/clock.ts';
import { SeededRandom } from '../../common/random.ts';
import { Decimal128, Double, Long, ObjectId, Timestamp, bsonOf } from './documents.ts';

describe('inspect', () => {
  it('stays short whatever the document', () => {
    const builder = new DocumentBuilder();
    for (let field = 0; field < 100_000; field += 1) builder.appendNull('a');
    const wide = builder.finish();
    const long = 'x'.repeat(1_000_000);
    for (const document of [
      wide,
      documentOf({ a: documentOf({ b: wide }), c: wide, d: 1 }),
      documentOf({ [long]: 1 }),
      documentOf({ a: long }),
      documentOf({ a: regexValue(long, '') }),
      documentOf({ a: javascriptWithScopeValue(long, wide) }),
      documentOf({ a: dbPointerValue(long, Buffer.alloc(12)) }),
    ]) {
      const text = inspect(document);
      assert.ok(text.length < 70_000, `${text.length} characters`);
      assert.match(text, /\.\.\./);
    }
    assert.ok(inspect(wide).endsWith(', a: null, ... }'));
    assert.equal(inspect(documentOf({ a: 1 })), '{ a: 1 }');
  });

  it('prints documents as MongoDB does in its messages', () => {
    const document = {
      _id: new ObjectId('0123456789abcdef01234567'),
      a: 1,
      b: new Double(1),
      c: Long.fromNumber(2 ** 40),
      d: Decimal128.fromString('1.50'),
      s: 'x"y',
      list: [1, [2], {}],
      empty: {},
      none: [],
      on: true,
      when: new Date(5),
      re: /a/i,
      ts: new Timestamp({ t: 1, i: 2 }),
      n: null,
    };
    assert.equal(
      inspect(bsonOf(document)),
      '{ _id: ObjectId(\'0123456789abcdef01234567\'), a: 1, b: 1.0, c: 1099511627776, d: 1.50, s: "x"y", ' +
        'list: [ 1, [ 2 ], {} ], empty: {}, none: [], on: true, when: new Date(5), re: /a/i, ts: Timestamp(1, 2), n: null }',
    );
  });

  it('prints and cuts single values', () => {
    const id = Buffer.alloc(12, 1);
    const cases: [RawValue, string][] = [
      [doubleValue(-0), '-0.0'],
      [doubleValue(1.5e300), '1.5e+300'],
      [doubleValue(NaN), 'nan'],
      [doubleValue(-Infinity), '-inf'],
      [stringValue('x'.repeat(161)), `"${'x'.repeat(150)}..."`],
      [javascriptValue('y'.repeat(81)), `${'y'.repeat(70)}...`],
      [javascriptWithScopeValue('f', documentOf({ a: 1 })), 'CodeWScope( f, { a: 1 })'],
      [binaryValue(Buffer.from([0xab]), 0), 'BinData(0, AB)'],
      [binaryValue(Buffer.alloc(50, 0xcd), 5), `BinData(5, ${'CD'.repeat(35)}...)`],
      [binaryValue(Buffer.alloc(16, 0xef), 4), 'UUID("efefefef-efef-efef-efef-efefefefefef")'],
      [dbPointerValue('db.c', id), "DBRef('db.c',010101010101010101010101)"],
    ];
    for (const [value, text] of cases) assert.equal(inspect(value), text);
    assert.equal(uuidText(Buffer.alloc(16)), '00000000-0000-0000-0000-000000000000');
  });
});

describe('Extended JSON', () => {
  it('keeps the order of fields in its text', () => {
    const numeric = new DocumentBuilder().appendInt32('b', 1).appendInt32('1', 2).finish();
    assert.equal(toExtendedJsonText(numeric, { relaxed: true }), '{"b":1,"1":2}');
    const document = documentOf({ b: 1, a: 2 });
    assert.equal(toExtendedJsonText(document), '{"b":{"$numberInt":"1"},"a":{"$numberInt":"2"}}');
    assert.equal(toExtendedJsonText(document, { relaxed: true }), '{"b":1,"a":2}');
  });

  it('prints single values', () => {
    assert.deepEqual(toExtendedJson(int32Value(5)), { $numberInt: '5' });
    assert.equal(toExtendedJson(stringValue('x')), 'x');
    for (const [, value] of fieldsOf(bsonOf({ a: new Date(0) }))) {
      assert.deepEqual(toExtendedJson(value, { relaxed: true }), { $date: '1970-01-01T00:00:00Z' });
    }
  });
});

describe('ObjectIdGenerator', () => {
  it('gives seconds, five random bytes and a counter that wraps', () => {
    const clock = new ManualClock(1_700_000_000_999);
    const generator = new ObjectIdGenerator(clock, new SeededRandom(1));
    const [first, second] = [generator.next(), generator.next()];
    assert.equal(first.readUInt32BE(0), 1_700_000_000);
    assert.deepEqual(first.subarray(4, 9), second.subarray(4, 9));
    assert.equal((first.readUIntBE(9, 3) + 1) & 0xff_ffff, second.readUIntBE(9, 3));
    assert.equal(newObjectIdBytes(clock, new SeededRandom(2)).length, 12);
  });
});
