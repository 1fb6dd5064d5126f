import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { documentOf, encodeIndexKey, int32Value, stringValue } from '../../../bson/index.ts';
import type { CollectionDescription, ReadView, RecordId } from '../../../storage/index.ts';
import { createCollection, insert, openMemoryEngine, update } from './fixture.ts';

const B_INDEX = documentOf({ v: 2, key: documentOf({ b: 1 }), name: 'b_1', unique: true });

/** What the look-up says of a key, once it agrees with a cursor over the same key. */
function ownerOf(view: ReadView, collection: CollectionDescription, key: Buffer): number {
  const index = collection.indexes[1];
  assert.ok(index !== undefined);
  const cursor = view.scanIndex(index, { lower: key, upper: key }, 1);
  const byCursor = cursor.next() ? cursor.recordId : undefined;
  cursor.close();
  assert.equal(view.uniqueRecordId(index, key), byCursor);
  return byCursor ?? 0;
}

const keyOf = (value: number): Buffer => encodeIndexKey([int32Value(value)], [1]).key;

describe('A point look-up in a unique index', () => {
  it('finds, in every layer and at every snapshot, what a cursor finds', async () => {
    const engine = await openMemoryEngine();
    const collection = createCollection(engine, 'test.a', B_INDEX);
    const views: [view: ReadView, expected: number[]][] = [];
    // Key 7 wanders from record to record: by an update away from it, and by a deletion.
    const look = (expected: number[]): void => {
      views.push([engine.snapshot(), expected]);
    };
    const first = insert(engine, collection, documentOf({ _id: 1, b: 7 })).recordId;
    look([1]);
    await engine.checkpoint();
    look([1]);
    await update(engine, collection, first, documentOf({ _id: 1, b: 8 }));
    look([0, 1]);
    const second = insert(engine, collection, documentOf({ _id: 2, b: 7 })).recordId;
    look([2, 1]);
    await engine.checkpoint();
    const transaction = engine.begin();
    const before = await transaction.record(collection, second);
    assert.ok(before !== undefined);
    transaction.delete(collection, second, before);
    assert.equal(ownerOf(transaction, collection, keyOf(7)), 0);
    const third = transaction.insert(collection, documentOf({ _id: 3, b: 7 }));
    assert.equal(ownerOf(transaction, collection, keyOf(7)), third);
    look([2, 1]);
    transaction.commit();
    look([third, 1]);
    for (let round = 0; round < 2; round += 1) {
      for (const [view, [seven, eight = 0]] of views) {
        assert.equal(ownerOf(view, collection, keyOf(7)), seven);
        assert.equal(ownerOf(view, collection, keyOf(8)), eight);
        assert.equal(ownerOf(view, collection, keyOf(9)), 0);
      }
      await engine.checkpoint();
    }
    for (const [view] of views) view.close();
    await engine.close();
  });

  it('finds keys that are so long that the index cuts them', async () => {
    const engine = await openMemoryEngine();
    const collection = createCollection(engine, 'test.a', B_INDEX);
    const text = 'x'.repeat(3000);
    const records: RecordId[] = ['a', 'b'].map(
      (end) => insert(engine, collection, documentOf({ _id: end, b: text + end })).recordId,
    );
    for (let round = 0; round < 2; round += 1) {
      const view = engine.snapshot();
      for (const [position, end] of ['a', 'b', 'c'].entries()) {
        const { key } = encodeIndexKey([stringValue(text + end)], [1]);
        assert.equal(ownerOf(view, collection, key), records[position] ?? 0);
      }
      view.close();
      await engine.checkpoint();
    }
    await engine.close();
  });
});
