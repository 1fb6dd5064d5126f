import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  Decimal,
  MAX_KEY,
  MIN_KEY,
  NULL,
  UNDEFINED_VALUE,
  arrayValue,
  binaryEqual,
  binaryValue,
  booleanValue,
  canonicalKey,
  compareDocuments,
  compareValues,
  compareWithMissing,
  dateValue,
  dbPointerValue,
  decimalValue,
  documentValue,
  doubleValue,
  int32Value,
  int64Value,
  javascriptValue,
  javascriptWithScopeValue,
  objectIdValue,
  rawValueFrom,
  regexValue,
  stringValue,
  symbolValue,
  timestampValue,
  valuesEqual,
  BsonType,
  type Collator,
  type RawValue,
} from '../../bson/index.ts';
import { anyValue } from './arbitraries.ts';
import { bsonOf } from './documents.ts';

const decimal = (text: string): RawValue => decimalValue(Decimal.fromString(text));
const object = (document: object): RawValue => documentValue(bsonOf(document));
const array = (...elements: unknown[]): RawValue =>
  arrayValue(bsonOf(Object.fromEntries(elements.entries())));

/** Each value lies below the next one. */
const ascending: readonly RawValue[] = [
  MIN_KEY,
  UNDEFINED_VALUE,
  NULL,
  doubleValue(NaN),
  doubleValue(-Infinity),
  decimal('-1E+6000'),
  doubleValue(-1.7976931348623157e308),
  int64Value(-(2n ** 63n)),
  int64Value(-(2n ** 53n) - 1n),
  doubleValue(-(2 ** 53)),
  int32Value(-1),
  doubleValue(-5e-324),
  decimal('-1E-6176'),
  int32Value(0),
  decimal('1E-6176'),
  doubleValue(5e-324),
  decimal('0.1'),
  doubleValue(0.1),
  decimal('0.1000000000000000055511151231257828'),
  doubleValue(1),
  decimal('1.000000000000000000000000000000001'),
  int32Value(2),
  doubleValue(2 ** 53),
  int64Value(2n ** 53n + 1n),
  decimal('9007199254740993.5'),
  int64Value(2n ** 63n - 1n),
  doubleValue(2 ** 63),
  decimal('9223372036854775808.5'),
  doubleValue(1.7976931348623157e308),
  decimal('1E+400'),
  doubleValue(Infinity),
  stringValue(''),
  stringValue('\0'),
  stringValue('\0\0'),
  stringValue('\x01'),
  stringValue('a'),
  symbolValue('a\0'),
  stringValue('aa'),
  stringValue('b'),
  // By bytes of UTF-8, not by UTF-16 units.
  stringValue('\uffff'),
  stringValue('😀'),
  object({}),
  object({ a: 1 }),
  object({ a: 1, b: 1 }),
  object({ a: 2 }),
  object({ b: 1 }),
  object({ a: 'x' }),
  object({ a: {} }),
  array(),
  array(1),
  array(1, 1),
  array(2),
  array('a'),
  array([]),
  binaryValue(Buffer.alloc(0), 5),
  binaryValue(Buffer.from([2]), 0),
  binaryValue(Buffer.from([1]), 1),
  binaryValue(Buffer.from([0, 0]), 0),
  objectIdValue(Buffer.alloc(12, 1)),
  objectIdValue(Buffer.alloc(12, 0xff)),
  booleanValue(false),
  booleanValue(true),
  dateValue(-1),
  dateValue(0),
  dateValue(8_640_000_000_000_000),
  timestampValue(0, 0xffff_ffff),
  timestampValue(1, 0),
  timestampValue(0xffff_ffff, 0),
  regexValue('a', ''),
  regexValue('a', 'i'),
  regexValue('ab', ''),
  dbPointerValue('b', Buffer.alloc(12)),
  dbPointerValue('b', Buffer.alloc(12, 1)),
  dbPointerValue('aa', Buffer.alloc(12)),
  javascriptValue('a'),
  javascriptValue('b'),
  javascriptWithScopeValue('a', bsonOf({ x: 1 })),
  javascriptWithScopeValue('a', bsonOf({ x: 2 })),
  javascriptWithScopeValue('b', bsonOf({})),
  MAX_KEY,
];

describe('compareValues', () => {
  it('orders all types as MongoDB does', () => {
    for (const [left, a] of ascending.entries()) {
      for (const [right, b] of ascending.entries()) {
        const message = `${a.typeName} #${left} with ${b.typeName} #${right}`;
        assert.equal(Math.sign(compareValues(a, b)), Math.sign(left - right), message);
      }
    }
  });

  it('takes equal numbers of different types for equal', () => {
    const equal: RawValue[][] = [
      [
        int32Value(1),
        int64Value(1n),
        doubleValue(1),
        decimal('1'),
        decimal('1.00'),
        decimal('10E-1'),
      ],
      [int32Value(0), int64Value(0n), doubleValue(-0), decimal('-0E-50'), decimal('0E+50')],
      [doubleValue(NaN), decimal('NaN'), rawValueFrom(BsonType.double, Buffer.alloc(8, 0xff))],
      [int64Value(2n ** 60n), doubleValue(2 ** 60), decimal('1152921504606846976')],
      [int64Value(-(2n ** 63n)), doubleValue(-(2 ** 63)), decimal('-9223372036854775808')],
      [doubleValue(0.5), decimal('0.50')],
      [doubleValue(Infinity), decimal('Infinity')],
      [stringValue('x'), symbolValue('x')],
    ];
    for (const group of equal) {
      for (const a of group) {
        for (const b of group) {
          assert.equal(compareValues(a, b), 0);
          assert.equal(canonicalKey(a), canonicalKey(b));
          assert.equal(valuesEqual(a, b), true);
        }
      }
    }
  });

  it('takes a missing value for null, and compareWithMissing puts it below', () => {
    assert.equal(compareValues(undefined, NULL), 0);
    assert.equal(compareValues(undefined, undefined), 0);
    assert.ok(compareValues(undefined, int32Value(0)) < 0);
    assert.equal(canonicalKey(undefined), canonicalKey(NULL));
    assert.ok(compareWithMissing(undefined, NULL) < 0);
    assert.ok(compareWithMissing(NULL, undefined) > 0);
    assert.equal(compareWithMissing(undefined, undefined), 0);
    assert.equal(compareWithMissing(undefined, UNDEFINED_VALUE), 0);
    assert.ok(compareWithMissing(undefined, MIN_KEY) > 0);
    assert.equal(compareWithMissing(int32Value(1), doubleValue(1)), 0);
  });

  it('is a total order', () => {
    fc.assert(
      fc.property(anyValue, anyValue, anyValue, (a, b, c) => {
        assert.equal(compareValues(a, a), 0);
        const [low, middle, high] = [a, b, c].sort((x, y) => compareValues(x, y));
        assert.ok(compareValues(low, middle) <= 0);
        assert.ok(compareValues(middle, high) <= 0);
        assert.ok(compareValues(low, high) <= 0);
      }),
      { numRuns: 2000 },
    );
  });

  it('asks the collator about strings, nested ones included, but not inside of code', () => {
    const ignoringCase: Collator = {
      compare: (a, b) =>
        a.toLowerCase() < b.toLowerCase() ? -1 : a.toLowerCase() > b.toLowerCase() ? 1 : 0,
      key: (text) => text.toLowerCase(),
    };
    const pairs: [RawValue, RawValue, boolean][] = [
      [stringValue('Ab'), stringValue('aB'), true],
      [object({ a: ['X'] }), object({ a: ['x'] }), true],
      [object({ A: 1 }), object({ a: 1 }), false],
      [javascriptValue('A'), javascriptValue('a'), false],
      [
        javascriptWithScopeValue('', bsonOf({ a: 'X' })),
        javascriptWithScopeValue('', bsonOf({ a: 'x' })),
        false,
      ],
    ];
    for (const [a, b, equal] of pairs) {
      assert.equal(valuesEqual(a, b, ignoringCase), equal);
      assert.equal(canonicalKey(a, ignoringCase) === canonicalKey(b, ignoringCase), equal);
      assert.equal(valuesEqual(a, b), false);
    }
  });

  it('compares whole documents', () => {
    assert.equal(compareDocuments(bsonOf({ a: 1 }), bsonOf({ a: 1 })), 0);
    assert.ok(compareDocuments(bsonOf({ a: 1 }), bsonOf({ a: 1, b: 0 })) < 0);
    assert.ok(compareDocuments(bsonOf({ b: 1 }), bsonOf({ a: 'x' })) < 0);
  });
});

describe('binaryEqual', () => {
  it('wants the same type and bytes', () => {
    assert.equal(binaryEqual(int32Value(1), int32Value(1)), true);
    assert.equal(binaryEqual(int32Value(1), doubleValue(1)), false);
    assert.equal(binaryEqual(stringValue('a'), symbolValue('a')), false);
    assert.equal(binaryEqual(decimal('1.0'), decimal('1.00')), false);
    assert.equal(binaryEqual(stringValue('x'.repeat(99)), stringValue('x'.repeat(99))), true);
  });
});
