import assert from 'node:assert/strict';
import {
  BSON_TYPES,
  BsonType,
  Decimal,
  FALSE,
  MAX_KEY,
  MIN_KEY,
  NULL,
  UNDEFINED_VALUE,
  binaryValue,
  booleanValue,
  dateValue,
  dbPointerValue,
  decimalValue,
  documentOf,
  documentValue,
  doubleValue,
  fieldsOf,
  getField,
  int32Value,
  int64Value,
  integerValue,
  isBsonType,
  javascriptValue,
  javascriptWithScopeValue,
  objectIdValue,
  rawValueFrom,
  rawValueOf,
  regexValue,
  stringValue,
  symbolValue,
  timestampValue,
  type RawValue,
} from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import {
  Binary,
  Code,
  Decimal128,
  Double,
  Long,
  ObjectId,
  Timestamp,
  bsonOf,
} from './documents.ts';

function only(document: object): RawValue {
  return [...fieldsOf(bsonOf(document))][0][1];
}

describe('RawValue', () => {
  it('reads numbers of every type', () => {
    const numbers: [RawValue, number, bigint, string][] = [
      [int32Value(-7), -7, -7n, '-7'],
      [doubleValue(2.5), 2.5, 2n, '2.50000000000000'],
      [doubleValue(NaN), NaN, 0n, 'NaN'],
      [doubleValue(1e300), 1e300, 2n ** 63n - 1n, '1.00000000000000E+300'],
      [doubleValue(-Infinity), -Infinity, -(2n ** 63n), '-Infinity'],
      [int64Value(2n ** 53n + 1n), 2 ** 53, 2n ** 53n + 1n, '9007199254740993'],
      [int64Value(-1n), -1, -1n, '-1'],
      [decimalValue(Decimal.fromString('-2.99')), -2.99, -2n, '-2.99'],
      [decimalValue(Decimal.fromString('1E+30')), 1e30, 2n ** 63n - 1n, '1E+30'],
      [decimalValue(Decimal.fromString('-1E+6000')), -Infinity, -(2n ** 63n), '-1E+6000'],
      [decimalValue(Decimal.NAN), NaN, 0n, 'NaN'],
      [stringValue('5'), 0, 0n, '0'],
    ];
    for (const [value, number, integer, decimal] of numbers) {
      assert.equal(value.asNumber(), number);
      assert.equal(value.asInt64(), integer);
      assert.equal(value.asDecimal().toString(), decimal);
    }
  });

  it('reads what the npm package bson wrote', () => {
    assert.equal(only({ a: 'héllo' }).asString(), 'héllo');
    assert.equal(only({ a: new Double(1.5) }).asNumber(), 1.5);
    assert.equal(only({ a: Long.MIN_VALUE }).asInt64(), -(2n ** 63n));
    assert.equal(
      only({ a: Decimal128.fromString('1.50') })
        .asDecimal()
        .toString(),
      '1.50',
    );
    assert.equal(only({ a: new Date(-5) }).asDateMs(), -5);
    assert.deepEqual(only({ a: new Timestamp({ t: 4294967295, i: 7 }) }).asTimestamp(), {
      seconds: 4294967295,
      increment: 7,
    });
    assert.deepEqual(only({ a: /^x\/y/im }).asRegex(), { pattern: '^x\\/y', options: 'im' });
    const id = new ObjectId();
    assert.deepEqual(only({ a: id }).asObjectIdBytes(), Buffer.from(id.id));
    const binary = only({ a: new Binary(Buffer.from('abc'), 5) }).asBinary();
    assert.deepEqual(binary, { subtype: 5, bytes: Buffer.from('abc') });
    const code = only({ a: new Code('f()', { x: 1 }) });
    assert.equal(code.asString(), 'f()');
    assert.deepEqual(code.asDocument(), bsonOf({ x: 1 }));
    assert.deepEqual(only({ a: { b: [1] } }).asDocument(), bsonOf({ b: [1] }));
  });

  it('answers with an empty value where the type is another', () => {
    const value = int32Value(1);
    assert.equal(value.asString(), '');
    assert.equal(value.asBoolean(), false);
    assert.equal(value.asDateMs(), 0);
    assert.equal(value.asDocument().length, 0);
    assert.deepEqual(value.asBinary(), { subtype: 0, bytes: Buffer.alloc(0) });
    assert.deepEqual(value.asRegex(), { pattern: '', options: '' });
    assert.deepEqual(value.asTimestamp(), { seconds: 0, increment: 0 });
    assert.equal(value.asObjectIdBytes().length, 0);
  });

  it('knows truth as aggregation does', () => {
    const truths: [RawValue, boolean][] = [
      [booleanValue(true), true],
      [FALSE, false],
      [NULL, false],
      [UNDEFINED_VALUE, false],
      [int32Value(0), false],
      [doubleValue(-0), false],
      [doubleValue(NaN), true],
      [int64Value(1n << 40n), true],
      [decimalValue(Decimal.fromString('-0E+5')), false],
      [decimalValue(Decimal.NAN), true],
      [stringValue(''), true],
      [documentValue(documentOf({})), true],
      [MIN_KEY, true],
    ];
    for (const [value, truth] of truths) assert.equal(value.isTruthy(), truth, value.typeName);
  });

  it('names all types as $type does, in the order of comparison', () => {
    assert.deepEqual(
      BSON_TYPES.map((type) => type.name),
      // prettier-ignore
      ['minKey', 'undefined', 'null', 'double', 'int', 'long', 'decimal', 'string', 'symbol', 'object', 'array', 'binData',
        'objectId', 'bool', 'date', 'timestamp', 'regex', 'dbPointer', 'javascript', 'javascriptWithScope', 'maxKey'],
    );
    assert.equal(isBsonType(0), false);
    assert.equal(isBsonType(20), false);
    assert.equal(isBsonType(255), true);
    assert.equal(NULL.isNullish, true);
    assert.equal(int32Value(1).isNumber, true);
    assert.equal(stringValue('1').isNumber, false);
  });
});

describe('value constructors', () => {
  it('give what they were given', () => {
    assert.equal(stringValue('a\0é').asString(), 'a\0é');
    assert.equal(symbolValue('s').typeName, 'symbol');
    assert.equal(javascriptValue('1').asString(), '1');
    assert.equal(javascriptWithScopeValue('é', documentOf({ a: 1 })).asString(), 'é');
    assert.equal(dateValue(-1).asDateMs(), -1);
    assert.equal(integerValue(2 ** 31).typeName, 'long');
    assert.equal(integerValue(-(2 ** 31)).typeName, 'int');
    assert.deepEqual(timestampValue(0xffff_ffff, 1).asTimestamp(), {
      seconds: 0xffff_ffff,
      increment: 1,
    });
    assert.equal(binaryValue(Buffer.from('x'), 128).asBinary().subtype, 128);
    const id = Buffer.alloc(12, 3);
    assert.deepEqual(objectIdValue(id).asObjectIdBytes(), id);
    assert.deepEqual(dbPointerValue('ns', id).asObjectIdBytes(), id);
    assert.equal(MAX_KEY.typeName, 'maxKey');
  });

  it('take an element apart', () => {
    const document = bsonOf({ a: 'x' });
    assert.equal(rawValueOf(document.subarray(4)).asString(), 'x');
    assert.throws(() => rawValueOf(Buffer.from([2, 97, 0, 9, 0, 0, 0, 0])), CommandError);
    assert.throws(() => rawValueOf(Buffer.from([2, 97])), CommandError);
    assert.throws(() => rawValueOf(Buffer.alloc(0)), CommandError);
    assert.throws(() => rawValueFrom(BsonType.int32, Buffer.alloc(5)), CommandError);
  });

  it('refuse what BSON cannot hold', () => {
    assert.throws(() => regexValue('a\0', ''), CommandError);
    assert.throws(() => objectIdValue(Buffer.alloc(11)), CommandError);
  });

  it('build small documents from plain values', () => {
    const document = documentOf({
      int: 5,
      long: 2 ** 40,
      big: 1n,
      double: 0.5,
      negativeZero: -0,
      text: 'x',
      on: true,
      none: null,
      left: undefined,
      nested: documentOf({ a: 1 }),
      value: stringValue('v'),
    });
    assert.deepEqual(
      [...fieldsOf(document)].map(([name, value]) => `${name}:${value.typeName}`),
      // prettier-ignore
      ['int:int', 'long:long', 'big:long', 'double:double', 'negativeZero:double', 'text:string', 'on:bool', 'none:null',
        'nested:object', 'value:string'],
    );
    assert.equal(getField(document, 'long')?.asNumber(), 2 ** 40);
  });
});
