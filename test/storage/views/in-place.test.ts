import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { documentOf, getField } from '../../../bson/index.ts';
import {
  LARGEST_COPIED_BYTES,
  type CollectionDescription,
  type ReadView,
  type RecordId,
  type StorageEngine,
} from '../../../storage/index.ts';
import { createCollection, numberOf, openMemoryEngine } from '../engine/fixture.ts';

const RECORDS = 600;

const documentNamed = (id: number, round: number): Buffer =>
  documentOf({ _id: id, round, text: `${id} ${round} `.repeat(60), pad: 'x'.repeat(400) });

async function open(cacheBytes: number): Promise<[StorageEngine, CollectionDescription]> {
  const engine = await openMemoryEngine({ cacheBytes });
  const collection = createCollection(engine, 'test.a');
  const transaction = engine.begin();
  for (let id = 1; id <= RECORDS; id += 1) transaction.insert(collection, documentNamed(id, 0));
  transaction.commit();
  return [engine, collection];
}

/** Replaces all documents, or some, without reading them. */
function overwrite(engine: StorageEngine, collection: CollectionDescription, round: number): void {
  const transaction = engine.begin();
  for (let id = 1; id <= RECORDS; id += 1) {
    const [before, after] = [documentNamed(id, round - 1), documentNamed(id, round)];
    transaction.update(collection, id as RecordId, before, after);
  }
  transaction.commit();
}

async function readAll(view: ReadView, collection: CollectionDescription): Promise<number> {
  const cursor = view.scanRecords(collection);
  let records = 0;
  while (await cursor.next()) {
    assert.ok(cursor.documentInPlace.length > 0);
    records += 1;
  }
  cursor.close();
  return records;
}

describe('A document in place', () => {
  it('is what it is until the next one is asked for, whatever leaves the cache meanwhile', async () => {
    // A few pages at a time: each reader pushes out what the others look at.
    const [engine, collection] = await open(256 * 1024);
    await engine.checkpoint();
    const view = engine.snapshot();
    const cursor = view.scanRecords(collection);
    let id = 0;
    while (await cursor.next()) {
      id += 1;
      const document = cursor.documentInPlace;
      const value = getField(document, 'text')!;
      if (id % 40 === 0) assert.equal(await readAll(view, collection), RECORDS);
      assert.deepEqual(document, documentNamed(id, 0));
      assert.equal(value.asString(), `${id} 0 `.repeat(60));
    }
    assert.equal(id, RECORDS);
    cursor.close();
    view.close();
    await engine.close();
  });

  it('is what it is while everything is replaced, and folded, and its slab used again', async () => {
    const [engine, collection] = await open(1024 * 1024);
    let view = engine.snapshot();
    const cursor = view.scanRecords(collection);
    let read = 0;
    for (let round = 1; await cursor.next(); round += 1) {
      const { recordId, documentInPlace: document } = cursor;
      const before = Buffer.from(document);
      assert.deepEqual(document, documentNamed(recordId, numberOf(document, 'round')));
      read += 1;
      if (read % 60 !== 0) {
        round -= 1;
        continue;
      }
      cursor.detach();
      view.close();
      overwrite(engine, collection, round);
      await engine.checkpoint();
      overwrite(engine, collection, round + 1);
      round += 1;
      await engine.checkpoint();
      view = engine.snapshot();
      assert.equal(await readAll(view, collection), RECORDS);
      assert.deepEqual(document, before);
      cursor.attach(view);
      // Not before the next one is asked for.
      assert.deepEqual(document, before);
    }
    assert.equal(read, RECORDS);
    cursor.close();
    view.close();
    await engine.close();
  });

  it('of a transaction is what it is after the statement that wrote it was undone', async () => {
    const [engine, collection] = await open(1024 * 1024);
    const transaction = engine.begin();
    const savepoint = transaction.savepoint();
    transaction.update(collection, 1 as RecordId, documentNamed(1, 0), documentNamed(1, 7));
    const cursor = transaction.scanRecords(collection);
    await cursor.next();
    const document = cursor.documentInPlace;
    transaction.rollbackTo(savepoint);
    for (let id = 2; id <= RECORDS; id += 1) {
      transaction.update(collection, id as RecordId, documentNamed(id, 0), documentNamed(id, 8));
    }
    assert.deepEqual(document, documentNamed(1, 7));
    cursor.close();
    transaction.abort();
    await engine.close();
  });

  it('may be kept when it is too long to be copied', async () => {
    const [engine, collection] = await open(0);
    const long = documentOf({ _id: 0, round: 0, text: 'y'.repeat(LARGEST_COPIED_BYTES) });
    const transaction = engine.begin();
    const recordId = transaction.insert(collection, long);
    transaction.commit();
    await engine.checkpoint();
    const view = engine.snapshot();
    const cursor = view.scanRecords(collection, { after: (recordId - 1) as RecordId });
    assert.equal(await cursor.next(), true);
    const kept = cursor.documentInPlace;
    cursor.close();
    for (let round = 0; round < 3; round += 1) await readAll(view, collection);
    assert.deepEqual(kept, long);
    view.close();
    await engine.close();
  });
});
