import assert from 'node:assert/strict';
import { documentOf } from '../../../bson/index.ts';
import { uninterruptible } from '../../../common/interruption.ts';
import type { RecordId, StorageEngine } from '../../../storage/index.ts';
import { createCollection, insert, openMemoryEngine, scan } from '../engine/fixture.ts';

const DOCUMENTS = 4000;
const KEPT = 10;

describe('compact', () => {
  let engine: StorageEngine;

  beforeEach(async () => {
    engine = await openMemoryEngine({ extentBytes: 1024 * 1024 });
  });

  afterEach(() => engine.close());

  it('frees the extents of documents that are gone, and keeps the others', async () => {
    const collection = createCollection(engine, 'test.a');
    const ids: RecordId[] = [];
    for (let n = 0; n < DOCUMENTS; n += 1) {
      const document = documentOf({ _id: n, text: 'x'.repeat(4096) });
      ids.push(insert(engine, collection, document).recordId);
      if (n % 500 === 499) await engine.checkpoint();
    }
    for (const [n, recordId] of ids.entries()) {
      if (n % (DOCUMENTS / KEPT) === 0) continue;
      const transaction = engine.begin();
      const before = await transaction.record(collection, recordId);
      assert.ok(before !== undefined);
      transaction.delete(collection, recordId, before);
      transaction.commit();
    }
    const freed = await engine.compact(uninterruptible);
    assert.ok(freed >= 2 * 1024 * 1024, `${freed} bytes`);
    const view = engine.snapshot();
    const kept = await scan(view, collection, '_id');
    view.close();
    assert.deepEqual(
      kept,
      Array.from({ length: KEPT }, (_, n) => (n * DOCUMENTS) / KEPT),
    );
    const report = await engine.validate('test.a', { full: true }, uninterruptible);
    assert.equal(report.valid, true);
  });

  it('ends at once when there is nothing to free', async () => {
    assert.equal(await engine.compact(uninterruptible), 0);
    insert(engine, createCollection(engine, 'test.a'), documentOf({ _id: 1 }));
    assert.equal(await engine.compact(uninterruptible), 0);
    assert.equal(await engine.compact(uninterruptible), 0);
  });
});
