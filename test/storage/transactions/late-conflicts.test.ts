import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { documentOf } from '../../../bson/index.ts';
import { uninterruptible } from '../../../common/interruption.ts';
import { WriteConflictError } from '../../../storage/index.ts';
import { A_INDEX, createCollection, insert, openMemoryEngine } from '../engine/fixture.ts';

const UNIQUE_A = documentOf({ v: 2, key: documentOf({ a: 1 }), name: 'a_1', unique: true });

describe('A transaction', () => {
  it('that makes an index over an empty collection conflicts with inserts', async () => {
    const engine = await openMemoryEngine();
    const collection = createCollection(engine, 'test.a');
    const transaction = engine.begin();
    transaction.createIndex(collection, A_INDEX);
    insert(engine, collection, documentOf({ _id: 1, a: 1 }));
    assert.throws(() => transaction.commit(), WriteConflictError);
    await engine.close();
  });

  it('keeps a key reserved that it took away, for a savepoint may bring it back', async () => {
    const engine = await openMemoryEngine();
    const collection = createCollection(engine, 'test.a', UNIQUE_A);
    const one = engine.begin();
    const id = one.insert(collection, documentOf({ _id: 1, a: 1 }));
    const savepoint = one.savepoint();
    const document = await one.record(collection, id);
    one.delete(collection, id, document!);
    const two = engine.begin();
    assert.throws(() => two.insert(collection, documentOf({ _id: 2, a: 1 })), WriteConflictError);
    two.abort();
    one.rollbackTo(savepoint);
    one.commit();
    assert.deepEqual((await engine.validate('test.a', { full: true }, uninterruptible)).errors, []);
    await engine.close();
  });
});
