/**
 * What does it cost to encode an index key, and to make the keys of a document?
 * Estimate: 13-20 ns for a number, ObjectId or short string into scratch memory, and 40-60 ns for the key's own Buffer.
 */
import {
  Decimal,
  compileIndexKeys,
  compileSort,
  decimalValue,
  decodeIndexKey,
  documentOf,
  doubleValue,
  encodeIndexKey,
  int32Value,
  int64Value,
  objectIdValue,
  canonicalKey,
  stringValue,
  type Direction,
  type RawValue,
} from '../../../bson/index.ts';
import { nsPerCall, report } from './measure.ts';
import { mixed, ycsb } from './samples.ts';

const ascending: Direction[] = [1];
const values: Record<string, RawValue> = {
  int32: int32Value(123_456),
  int64: int64Value(2n ** 40n + 7n),
  'double 19.99': doubleValue(19.99),
  'whole double': doubleValue(42),
  'decimal 19.99': decimalValue(Decimal.fromString('19.99')),
  objectId: objectIdValue(Buffer.alloc(12, 7)),
  'string of 10': stringValue('flintstone'),
  'string of 100': stringValue('flintstone'.repeat(10)),
};
for (const [name, value] of Object.entries(values)) {
  const list = [value];
  report(
    `encode ${name}`,
    nsPerCall(() => encodeIndexKey(list, ascending)),
    50,
  );
  report(
    `canonicalKey ${name}`,
    nsPerCall(() => canonicalKey(value)),
  );
  const { key, typeBits } = encodeIndexKey(list, ascending);
  report(
    `decode ${name}`,
    nsPerCall(() => decodeIndexKey(key, typeBits, ascending)),
  );
}

const single = compileIndexKeys([{ path: '_id', direction: 1 }], { sparse: false });
const compound = compileIndexKeys(
  [
    { path: 'address.city', direction: 1 },
    { path: 'age', direction: -1 },
  ],
  { sparse: false },
);
const multikey = compileIndexKeys([{ path: 'tags', direction: 1 }], { sparse: false });
report(
  'keysOf {_id: 1} of ycsb',
  nsPerCall(() => single.keysOf(ycsb)),
  100,
);
report(
  'keysOf {address.city: 1, age: -1} of mixed',
  nsPerCall(() => compound.keysOf(mixed)),
);
report(
  'keysOf {tags: 1} of mixed, 4 elements',
  nsPerCall(() => multikey.keysOf(mixed)),
);

const sort = compileSort(documentOf({ 'address.city': 1, age: -1 }));
report(
  'sort key {address.city: 1, age: -1} of mixed',
  nsPerCall(() => sort.keyOf(mixed)),
);
const keys = [sort.keyOf(mixed), sort.keyOf(mixed)];
report(
  'compare two equal sort keys',
  nsPerCall(() => sort.compare(keys[0], keys[1])),
);
