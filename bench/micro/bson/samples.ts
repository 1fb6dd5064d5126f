/**
 * The documents that the benchmarks of bson/ share: small, YCSB's kilobyte, mixed and nested, many fields.
 */
import { serialize, Long, ObjectId } from 'bson';

function bytesOf(document: object): Buffer {
  return Buffer.from(serialize(document));
}

const text = 'abcdefghijklmnopqrstuvwxyz0123456789'.repeat(3);

export const small = bytesOf({ _id: 1, a: 2, name: 'flint', on: true, x: 1.5, when: new Date(0) });

export const ycsb = bytesOf({
  _id: 'user6284781860667377211',
  ...Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`field${i}`, text.slice(0, 100)])),
});

export const mixed = bytesOf({
  _id: new ObjectId(),
  name: 'Ada Lovelace',
  age: 36,
  score: 99.5,
  big: Long.fromNumber(2 ** 40),
  tags: ['math', 'engine', 'notes', 'computing'],
  address: {
    street: '12 St James Square',
    city: 'London',
    zip: 'SW1Y',
    geo: { lat: 51.5, lng: -0.1 },
  },
  orders: Array.from({ length: 6 }, (_, i) => ({ sku: `item-${i}`, price: i * 2.5, count: i })),
  created: new Date(1_700_000_000_000),
  active: true,
  note: text,
});

export const wide = bytesOf(
  Object.fromEntries(
    Array.from({ length: 51 }, (_, i) => [`column_${i}`, text + text.slice(0, 48)]),
  ),
);

export const unicode = bytesOf(
  Object.fromEntries(
    Array.from({ length: 20 }, (_, i) => [`поле${i}`, 'Привет, мир! 你好世界 😀']),
  ),
);
