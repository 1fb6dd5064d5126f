import assert from 'node:assert/strict';
import {
  Decimal,
  MAX_KEY,
  MIN_KEY,
  NULL,
  UNDEFINED_VALUE,
  arrayValue,
  binaryValue,
  booleanValue,
  dateValue,
  dbPointerValue,
  decimalValue,
  documentOf,
  documentValue,
  doubleValue,
  hashValue,
  int32Value,
  int64Value,
  javascriptValue,
  javascriptWithScopeValue,
  objectIdValue,
  rawValueFrom,
  regexValue,
  stringValue,
  symbolValue,
  BsonType,
  type RawValue,
} from '../../bson/index.ts';
import { bsonOf } from './documents.ts';

const id = Buffer.from('010203040506070809101112', 'hex');
const bytes = Buffer.from([0, 1, 2, 3, 4, 6]);

/** Hashes that MongoDB gives these values, with seed 0. */
const VECTORS: [RawValue, bigint][] = [
  [int32Value(42), -944302157085130861n],
  [doubleValue(42.123), -944302157085130861n],
  [int64Value(42n), -944302157085130861n],
  [decimalValue(Decimal.fromString('42.9')), -944302157085130861n],
  [int32Value(0), 4854801880128277513n],
  [doubleValue(NaN), 4854801880128277513n],
  [int32Value(1), 5902408780260971510n],
  [doubleValue(-1.789), 1140205862565771219n],
  [doubleValue(Number.MAX_VALUE), 921523596458303250n],
  [int64Value(2n ** 63n - 1n), 921523596458303250n],
  [doubleValue(-Number.MAX_VALUE), 4532067210535695462n],
  [int64Value(-(2n ** 63n)), 4532067210535695462n],
  [doubleValue(2 ** 63), 4532067210535695462n],
  [MIN_KEY, 7961148599568647290n],
  [MAX_KEY, 5504842513779440750n],
  [UNDEFINED_VALUE, 40158834000849533n],
  [stringValue('abc'), 8478485326885698097n],
  [symbolValue('abc'), 8478485326885698097n],
  [stringValue(''), 2049396243249673340n],
  [documentValue(documentOf({ a: 'abc', b: 123n })), 4771603801758380216n],
  [documentValue(documentOf({})), 7980500913326740417n],
  [arrayValue(bsonOf({ 0: 'bar', 1: 'baz', 2: 'qux' })), -2938911267422831539n],
  [arrayValue(documentOf({})), 8849948234993459283n],
  [binaryValue(bytes), 7252465090394235301n],
  [binaryValue(bytes, 128), 5736670452907618262n],
  [
    binaryValue(Buffer.from(Uint8Array.from({ length: 16 }, (_, index) => index)), 4),
    6084661258071355978n,
  ],
  [objectIdValue(id), -5588663249627035708n],
  [booleanValue(true), 6405873908747105701n],
  [booleanValue(false), 6289544573401934092n],
  [rawValueFrom(BsonType.date, int64Value(0x5566778811223344n).toBytes()), 4476222765095560467n],
  [dateValue(0), -1178696894582842035n],
  [regexValue('mongodb', ''), -7275792090268217043n],
  [regexValue('.*', 'i'), 7095855029187981886n],
  [dbPointerValue('db.c', id), 2426768198104018194n],
  [javascriptValue('func f() { return 1; }'), 6861638109178014270n],
  [
    javascriptWithScopeValue('func f() { return 1; }', documentOf({ c: true })),
    501342939894575968n,
  ],
];

describe('hashValue', () => {
  for (const [value, hash] of VECTORS) {
    it(`gives MongoDB's hash of the ${value.typeName} ${value.toBytes().toString('hex').slice(0, 40)}`, () => {
      assert.equal(hashValue(value), hash);
    });
  }

  it('hashes a missing value as null, and depends on the seed', () => {
    assert.equal(hashValue(undefined), hashValue(NULL));
    assert.notEqual(hashValue(NULL, 1), hashValue(NULL, 0));
  });
});
