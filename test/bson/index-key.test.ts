import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  binaryEqual,
  canonicalKey,
  compareValues,
  decodeIndexKey,
  doubleValue,
  encodeIndexKey,
  inspect,
  int32Value,
  stringValue,
  successorOfPrefix,
  type Direction,
  type RawValue,
} from '../../bson/index.ts';
import { anyValue, closeNumbers, numberValue } from './arbitraries.ts';

function keyOf(value: RawValue, direction: Direction = 1): Buffer {
  return encodeIndexKey([value], [direction]).key;
}

function describeValue(value: RawValue): string {
  return `${value.typeName} ${inspect(value)} ${value.toBytes().toString('hex')}`;
}

function assertAgrees(a: RawValue, b: RawValue): void {
  const expected = Math.sign(compareValues(a, b));
  const message = `${describeValue(a)} | ${describeValue(b)}`;
  assert.equal(Math.sign(compareValues(b, a)), -expected || 0, message);
  assert.equal(Math.sign(Buffer.compare(keyOf(a), keyOf(b))), expected, message);
  assert.equal(Math.sign(Buffer.compare(keyOf(a, -1), keyOf(b, -1))), -expected || 0, message);
  assert.equal(canonicalKey(a) === canonicalKey(b), expected === 0, message);
}

describe('index keys', () => {
  it('sort numbers of all types as comparison does', () => {
    fc.assert(fc.property(numberValue, numberValue, assertAgrees), { numRuns: 5000 });
  });

  it('sort numbers that lie close together as comparison does', () => {
    fc.assert(
      fc.property(closeNumbers, ([a, b]) => assertAgrees(a, b)),
      { numRuns: 5000 },
    );
  });

  it('sort values of all types as comparison does', () => {
    fc.assert(fc.property(anyValue, anyValue, assertAgrees), { numRuns: 5000 });
  });

  it('sort compound keys field by field, each in its direction', () => {
    const value = fc.oneof(
      anyValue,
      fc.constantFrom(int32Value(1), doubleValue(1), stringValue('a')),
    );
    const direction = fc.constantFrom<Direction>(1, -1);
    fc.assert(
      fc.property(
        fc.tuple(value, value, value),
        fc.tuple(value, value, value),
        fc.tuple(direction, direction, direction),
        (a, b, directions) => {
          let expected = 0;
          for (let field = 0; field < 3 && expected === 0; field += 1) {
            expected = Math.sign(compareValues(a[field], b[field])) * directions[field];
          }
          const order = encodeIndexKey(a, directions).key.compare(
            encodeIndexKey(b, directions).key,
          );
          assert.equal(order, expected || 0);
        },
      ),
      { numRuns: 3000 },
    );
  });

  it('decode to exactly the values they were made of', () => {
    const directions: Direction[] = [1, -1, -1, 1];
    fc.assert(
      fc.property(fc.array(anyValue, { maxLength: 4 }), (values) => {
        const { key, typeBits } = encodeIndexKey(values, directions);
        const decoded = decodeIndexKey(key, typeBits, directions);
        assert.equal(decoded.length, values.length);
        for (const [index, value] of values.entries()) {
          assert.ok(
            binaryEqual(decoded[index], value),
            `${describeValue(value)} -> ${describeValue(decoded[index])}`,
          );
        }
      }),
      { numRuns: 3000 },
    );
  });

  it('are never a prefix of a different value', () => {
    fc.assert(
      fc.property(anyValue, anyValue, (a, b) => {
        const keyA = keyOf(a);
        const keyB = keyOf(b);
        const isPrefix = keyA.length <= keyB.length && keyB.subarray(0, keyA.length).equals(keyA);
        assert.equal(isPrefix, compareValues(a, b) === 0);
      }),
      { numRuns: 2000 },
    );
  });

  it('of fewer values bound all keys that begin with them', () => {
    fc.assert(
      fc.property(anyValue, anyValue, fc.constantFrom<Direction>(1, -1), (a, b, direction) => {
        const prefix = keyOf(a, direction);
        const whole = encodeIndexKey([a, b], [direction, 1]).key;
        assert.ok(prefix.compare(whole) < 0);
        assert.ok(successorOfPrefix(prefix).compare(whole) > 0);
      }),
    );
  });
});
