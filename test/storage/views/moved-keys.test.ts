import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { documentOf, encodeIndexKey, int32Value } from '../../../bson/index.ts';
import { A_INDEX, createCollection, insert, openMemoryEngine, update } from '../engine/fixture.ts';

const UNIQUE_A = documentOf({ v: 2, key: documentOf({ a: 1 }), name: 'a_1', unique: true });
const key = (n: number): Buffer => encodeIndexKey([int32Value(n)], [1]).key;

describe('An index cursor', () => {
  it('shows a unique key that moved between records once, across a yield', async () => {
    const engine = await openMemoryEngine();
    const collection = createCollection(engine, 'test.a', UNIQUE_A);
    const first = insert(engine, collection, documentOf({ _id: 1, a: 1 }));
    await engine.checkpoint();
    await update(engine, collection, first.recordId, documentOf({ _id: 1, a: 2 }));
    const second = insert(engine, collection, documentOf({ _id: 2, a: 1 }));
    const view = engine.snapshot();
    const cursor = view.scanIndex(collection.indexes[1], { lower: key(1), upper: key(1) }, 1);
    assert.equal(cursor.next(), true);
    assert.equal(cursor.recordId, second.recordId);
    cursor.detach();
    cursor.attach(view);
    assert.equal(cursor.next(), false);
    view.close();
    await engine.close();
  });

  it('shows it once backwards, too', async () => {
    const engine = await openMemoryEngine();
    const collection = createCollection(engine, 'test.a', UNIQUE_A);
    const low = insert(engine, collection, documentOf({ _id: 1, a: 5 }));
    const high = insert(engine, collection, documentOf({ _id: 2, a: 1 }));
    await engine.checkpoint();
    await update(engine, collection, high.recordId, documentOf({ _id: 2, a: 7 }));
    await update(engine, collection, low.recordId, documentOf({ _id: 1, a: 1 }));
    const view = engine.snapshot();
    const cursor = view.scanIndex(collection.indexes[1], { lower: key(1), upper: key(1) }, -1);
    assert.equal(cursor.next(), true);
    assert.equal(cursor.recordId, low.recordId);
    cursor.detach();
    cursor.attach(view);
    assert.equal(cursor.next(), false);
    view.close();
    await engine.close();
  });

  it('seeks in a view that a checkpoint moved to a younger base', async () => {
    const engine = await openMemoryEngine();
    const collection = createCollection(engine, 'test.a', A_INDEX);
    for (let id = 1; id <= 10; id += 1) insert(engine, collection, documentOf({ _id: id, a: id }));
    await engine.checkpoint();
    insert(engine, collection, documentOf({ _id: 11, a: 11 }));
    const view = engine.snapshot();
    const cursor = view.scanIndex(collection.indexes[1], {}, 1);
    assert.equal(cursor.next(), true);
    await engine.checkpoint();
    cursor.seek(key(5));
    assert.equal(cursor.next(), true);
    assert.equal(cursor.recordId, 5);
    view.close();
    await engine.close();
  });
});
