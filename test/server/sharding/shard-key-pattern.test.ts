import assert from 'node:assert/strict';
import { serialize, Long, MaxKey, MinKey, Decimal128, Double, ObjectId } from 'bson';
import { hashValue, stringValue } from '../../../bson/index.ts';
import {
  ABOVE_ALL_KEYS,
  BELOW_ALL_KEYS,
  ShardKeyPattern,
  textAfter,
} from '../../../server/cluster.ts';

const bson = (document: object): Buffer => Buffer.from(serialize(document));
const pattern = (document: object): ShardKeyPattern => ShardKeyPattern.parse(bson(document));

describe('shard key pattern', () => {
  for (const [name, key] of [
    ['no field', {}],
    ['a descending field', { a: -1 }],
    ['two hashed fields', { a: 'hashed', b: 'hashed' }],
    ['another kind', { a: '2dsphere' }],
    ['an empty part', { 'a..b': 1 }],
    ['a part with a dollar', { 'a.$b': 1 }],
    ['a field within another', { a: 1, 'a.b': 1 }],
  ] as const) {
    it(`refuses ${name}`, () => {
      assert.throws(() => pattern(key), { code: 2 });
    });
  }

  it('orders the keys of documents as their values are ordered', () => {
    const { text: low } = pattern({ a: 1, 'b.c': 1 }).keyOf(bson({ b: { c: 1 }, a: 'x' }));
    const { text: high } = pattern({ a: 1, 'b.c': 1 }).keyOf(bson({ a: 'x', b: { c: 1.5 } }));
    assert.ok(low < high);
    const values = [null, -5, 0, 3.5, 1e300, 'a', 'ab', 'b', { a: 1 }, new ObjectId(), true];
    const texts = values.map((a) => pattern({ a: 1 }).keyOf(bson({ a })).text);
    assert.deepEqual([...texts].sort(), texts);
  });

  it('gives equal numbers of all types the same key', () => {
    const texts = [7, new Double(7), Long.fromNumber(7), Decimal128.fromString('7.0')].map(
      (a) => pattern({ a: 1 }).keyOf(bson({ a })).text,
    );
    assert.equal(new Set(texts).size, 1);
  });

  it('takes a missing field for null', () => {
    const { keyOf } = { keyOf: (a: object) => pattern({ a: 1, 'b.c': 1 }).keyOf(bson(a)).text };
    assert.equal(keyOf({ b: 5 }), keyOf({ a: null, b: { c: null } }));
  });

  it('hashes the value of a hashed field', () => {
    const { values } = pattern({ a: 'hashed', b: 1 }).keyOf(bson({ a: 'x', b: 2 }));
    assert.equal(values[0].asInt64(), hashValue(stringValue('x')));
    assert.equal(values[1].asNumber(), 2);
  });

  for (const [name, document] of [
    ['an array', { a: { b: [1] } }],
    ['an array on the way', { a: [{ b: 1 }] }],
    ['a regular expression', { a: { b: /x/ } }],
  ] as const) {
    it(`refuses ${name} in a document's key`, () => {
      assert.throws(() => pattern({ 'a.b': 1 }).keyOf(bson(document)), { code: 61 });
    });
  }

  it('has every key between its lowest and its highest bound', () => {
    const key = pattern({ a: 1, b: 1 });
    const lowest = key.keyOf(bson({ a: new MinKey(), b: new MinKey() })).text;
    const highest = key.keyOf(bson({ a: new MaxKey(), b: new MaxKey() })).text;
    assert.equal(key.boundText(key.globalMin), BELOW_ALL_KEYS);
    assert.equal(key.boundText(key.globalMax), ABOVE_ALL_KEYS);
    assert.ok(BELOW_ALL_KEYS < lowest);
    assert.ok(highest < ABOVE_ALL_KEYS);
  });

  it('refuses a bound with other fields', () => {
    const key = pattern({ a: 1, b: 1 });
    assert.throws(() => key.boundText(bson({ a: 1 })), { code: 2 });
    assert.throws(() => key.boundText(bson({ b: 1, a: 1 })), { code: 2 });
    assert.throws(() => key.boundText(bson({ a: 1, b: 1, c: 1 })), { code: 2 });
  });

  it('says what comes after all keys with the same beginning', () => {
    const key = pattern({ a: 1, b: 1 });
    const after = textAfter(key.textOf([stringValue('x')]));
    assert.ok(key.keyOf(bson({ a: 'x', b: new MaxKey() })).text < after);
    assert.ok(after <= key.keyOf(bson({ a: 'xa', b: new MinKey() })).text);
  });

  it('knows the patterns that it extends', () => {
    assert.equal(pattern({ a: 1, b: 1 }).isExtensionOf(pattern({ a: 1 })), true);
    assert.equal(pattern({ a: 1 }).isExtensionOf(pattern({ a: 1, b: 1 })), false);
    assert.equal(pattern({ a: 'hashed', b: 1 }).isExtensionOf(pattern({ a: 1 })), false);
  });
});
