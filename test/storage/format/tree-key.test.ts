import assert from 'node:assert/strict';
import fc from 'fast-check';
import { storedKeyOf } from '../../../storage/catalog/index-keys.ts';
import type { Ident, RecordId } from '../../../storage/contract.ts';
import {
  entryKeyIsWhole,
  indexEntryKey,
  indexEntryValue,
  MAX_STORE_KEY_BYTES,
  MAX_WHOLE_INDEX_KEY_BYTES,
  readUInt48BE,
  recordIdOfEntry,
  storedIndexKey,
  storedKeyOfEntry,
  treeEnd,
  treeKey,
  treePrefix,
  typeBitsOfEntry,
  writeUInt48BE,
} from '../../../storage/format/tree-key.ts';

describe('tree key', () => {
  it('writes 48-bit numbers so that bytes sort as numbers do', () => {
    const number = fc.maxSafeNat().map((value) => value % 2 ** 48);
    fc.assert(
      fc.property(number, number, (a, b) => {
        const [left, right] = [Buffer.alloc(6), Buffer.alloc(6)];
        writeUInt48BE(left, a, 0);
        writeUInt48BE(right, b, 0);
        assert.equal(readUInt48BE(left, 0), a);
        assert.equal(Math.sign(Buffer.compare(left, right)), Math.sign(a - b));
      }),
    );
  });

  it('lies between the begin and the end of its tree', () => {
    const ident = 255 as Ident;
    for (const suffix of [Buffer.alloc(0), Buffer.alloc(1000, 255)]) {
      const key = treeKey(ident, suffix);
      assert.ok(Buffer.compare(treePrefix(ident), key) <= 0);
      assert.ok(Buffer.compare(key, treeEnd(ident)) < 0);
    }
  });

  it('gives back what an index entry was made of', () => {
    const entry = indexEntryKey(99 as Ident, Buffer.from('key'), (2 ** 40) as RecordId);
    assert.equal(storedKeyOfEntry(entry).toString(), 'key');
    assert.equal(recordIdOfEntry(entry), 2 ** 40);
  });

  it('cuts long keys to one length, and tells different ones apart', () => {
    const long = Buffer.alloc(5000, 7);
    const other = Buffer.from(long);
    other[4999] = 8;
    const [a, b] = [storedIndexKey(long), storedIndexKey(other)];
    assert.equal(a.whole, false);
    assert.equal(a.key.length, MAX_WHOLE_INDEX_KEY_BYTES);
    assert.ok(!a.key.equals(b.key));
    assert.ok(a.key.equals(storedIndexKey(Buffer.from(long)).key));
    const longest = storedIndexKey(Buffer.alloc(MAX_WHOLE_INDEX_KEY_BYTES));
    assert.equal(longest.whole, true);
    assert.ok(indexEntryKey(1 as Ident, longest.key, 1 as RecordId).length <= MAX_STORE_KEY_BYTES);
  });

  it('keeps type bits of whole keys and the cut in the value, and nothing for the usual entry', () => {
    const bits = Buffer.from([1, 2]);
    const none = Buffer.alloc(0);
    for (const typeBits of [none, bits]) {
      const value = indexEntryValue(typeBits, true);
      assert.ok(typeBitsOfEntry(value).equals(typeBits));
      assert.equal(entryKeyIsWhole(value), true);
      const cut = indexEntryValue(typeBits, false);
      assert.equal(typeBitsOfEntry(cut).length, 0);
      assert.equal(entryKeyIsWhole(cut), false);
    }
    assert.equal(indexEntryValue(none, true).length, 0);
  });

  it('has no type bits for a key that was cut, whoever wrote the value', () => {
    const written = Buffer.from([1, 2, 3]);
    assert.equal(entryKeyIsWhole(written), false);
    assert.equal(typeBitsOfEntry(written).length, 0);
    // Those of a long array outgrow the 16 bits that the delta has for their length.
    const stored = storedKeyOf({ key: Buffer.alloc(5000), typeBits: Buffer.alloc(70_000, 1) });
    assert.equal(stored.whole, false);
    assert.equal(stored.typeBits.length, 0);
  });
});
