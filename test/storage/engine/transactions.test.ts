import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { arrayValue, ArrayBuilder, documentOf, inspect, int32Value } from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import { WriteConflictError } from '../../../storage/index.ts';
import {
  A_INDEX,
  createCollection,
  describe as describeCollection,
  findByIndex,
  insert,
  openMemoryEngine,
  scan,
} from './fixture.ts';

const UNIQUE_A = documentOf({ v: 2, key: documentOf({ a: 1 }), name: 'a_1', unique: true });

describe('A transaction', () => {
  it('sees its own writes, by scan, by index and in counts, and nobody else does before its commit', async () => {
    const engine = await openMemoryEngine();
    const collection = createCollection(engine, 'test.a', A_INDEX);
    const { recordId } = insert(engine, collection, documentOf({ _id: 1, a: 1 }));
    const transaction = engine.begin();
    transaction.insert(collection, documentOf({ _id: 2, a: 5 }));
    const before = transaction.record(collection, recordId);
    assert.ok(Buffer.isBuffer(before));
    transaction.update(collection, recordId, before, documentOf({ _id: 1, a: 5 }));
    assert.deepEqual(await scan(transaction, collection, 'a'), [5, 5]);
    assert.deepEqual(await findByIndex(transaction, collection, 'a_1', 5, '_id'), [1, 2]);
    assert.equal(transaction.recordCount(collection), 2);
    const other = engine.snapshot();
    assert.deepEqual(await scan(other, collection, 'a'), [1]);
    transaction.commit();
    assert.deepEqual(await scan(other, collection, 'a'), [1]);
    other.close();
    await engine.close();
  });

  it('counts records and catalog changes of several collections each for its own', async () => {
    const engine = await openMemoryEngine();
    const first = createCollection(engine, 'test.a');
    const second = createCollection(engine, 'test.b');
    const transaction = engine.begin();
    transaction.insert(first, documentOf({ _id: 1 }));
    transaction.renameCollection(first, 'test.c');
    transaction.insert(second, documentOf({ _id: 1 }));
    transaction.commit();
    const view = engine.snapshot();
    assert.equal(view.recordCount(first), 1);
    assert.equal(view.recordCount(second), 1);
    view.close();
    await engine.close();
  });

  it('keeps the first of two conflicting writers', async () => {
    const engine = await openMemoryEngine();
    const collection = createCollection(engine, 'test.a');
    const { recordId } = insert(engine, collection, documentOf({ _id: 1, a: 1 }));
    const first = engine.begin();
    const second = engine.begin();
    const document = first.record(collection, recordId);
    assert.ok(Buffer.isBuffer(document));
    first.update(collection, recordId, document, documentOf({ _id: 1, a: 2 }));
    let blocker: Promise<void> | undefined;
    assert.throws(
      () => second.delete(collection, recordId, document),
      (error) => {
        blocker = error instanceof WriteConflictError ? error.blocker : undefined;
        return blocker !== undefined;
      },
    );
    first.commit();
    await blocker;
    // Its snapshot is older than the commit: it conflicts still, and nothing blocks it any more.
    assert.throws(() => second.delete(collection, recordId, document), WriteConflictError);
    second.abort();
    await engine.close();
  });

  it('finds a conflict although the newer version was folded into the base meanwhile', async () => {
    const engine = await openMemoryEngine();
    const collection = createCollection(engine, 'test.a');
    const { recordId } = insert(engine, collection, documentOf({ _id: 1, a: 1 }));
    const late = engine.begin();
    const seen = late.record(collection, recordId);
    assert.ok(Buffer.isBuffer(seen));
    const early = engine.begin();
    early.update(collection, recordId, seen, documentOf({ _id: 1, a: 2 }));
    early.commit();
    await engine.checkpoint();
    await engine.checkpoint();
    assert.throws(
      () => late.update(collection, recordId, seen, documentOf({ _id: 1, a: 3 })),
      WriteConflictError,
    );
    late.abort();
    await engine.close();
  });

  it('gives a duplicate key MongoDB’s error, in delta, base, own writes and after a cut key', async () => {
    const engine = await openMemoryEngine();
    const collection = createCollection(engine, 'test.a', UNIQUE_A);
    insert(engine, collection, documentOf({ _id: 1, a: 'x' }));
    const check = (): void => {
      assert.throws(
        () => insert(engine, collection, documentOf({ _id: 2, a: 'x' })),
        (error) => {
          assert.ok(error instanceof CommandError);
          assert.equal(error.code, 11000);
          assert.equal(
            error.message,
            'E11000 duplicate key error collection: test.a index: a_1 dup key: { a: "x" }',
          );
          assert.equal(inspectField(error.fields.keyValue), '{ a: "x" }');
          return true;
        },
      );
    };
    check();
    await engine.checkpoint();
    check();
    const transaction = engine.begin();
    const long = 'y'.repeat(3000);
    transaction.insert(collection, documentOf({ _id: 3, a: long }));
    assert.throws(() => transaction.insert(collection, documentOf({ _id: 4, a: long })), /E11000/);
    transaction.insert(collection, documentOf({ _id: 4, a: `${long}z` }));
    transaction.commit();
    await engine.checkpoint();
    assert.throws(() => insert(engine, collection, documentOf({ _id: 5, a: long })), /E11000/);
    await engine.close();
  });

  it('may give a unique key away and take it again', async () => {
    const engine = await openMemoryEngine();
    const collection = createCollection(engine, 'test.a', UNIQUE_A);
    const { recordId } = insert(engine, collection, documentOf({ _id: 1, a: 1 }));
    await engine.checkpoint();
    const transaction = engine.begin();
    const before = await transaction.record(collection, recordId);
    assert.ok(before !== undefined);
    transaction.delete(collection, recordId, before);
    transaction.insert(collection, documentOf({ _id: 1, a: 1 }));
    transaction.commit();
    const view = engine.snapshot();
    assert.deepEqual(await findByIndex(view, collection, 'a_1', 1, '_id'), [1]);
    view.close();
    await engine.close();
  });

  it('meets an uncommitted unique key of another as a conflict, not as a duplicate', async () => {
    const engine = await openMemoryEngine();
    const collection = createCollection(engine, 'test.a', UNIQUE_A);
    const first = engine.begin();
    first.insert(collection, documentOf({ _id: 1, a: 1 }));
    const second = engine.begin();
    assert.throws(
      () => second.insert(collection, documentOf({ _id: 2, a: 1 })),
      WriteConflictError,
    );
    first.abort();
    second.insert(collection, documentOf({ _id: 2, a: 1 }));
    second.commit();
    await engine.close();
  });

  it('returns to a savepoint', async () => {
    const engine = await openMemoryEngine();
    const collection = createCollection(engine, 'test.a', A_INDEX);
    const transaction = engine.begin();
    transaction.insert(collection, documentOf({ _id: 1, a: 1 }));
    const savepoint = transaction.savepoint();
    transaction.insert(collection, documentOf({ _id: 2, a: 1 }));
    transaction.createCollection('test.b');
    assert.deepEqual(await findByIndex(transaction, collection, 'a_1', 1, '_id'), [1, 2]);
    transaction.rollbackTo(savepoint);
    assert.deepEqual(await findByIndex(transaction, collection, 'a_1', 1, '_id'), [1]);
    assert.equal(transaction.collection('test.b'), undefined);
    transaction.commit();
    const view = engine.snapshot();
    assert.equal(view.recordCount(collection), 1);
    assert.equal(view.collection('test.b'), undefined);
    view.close();
    await engine.close();
  });

  it('changes the catalog at its commit only, and conflicts with a collection that changed under it', async () => {
    const engine = await openMemoryEngine();
    const collection = createCollection(engine, 'test.a');
    const writer = engine.begin();
    writer.insert(collection, documentOf({ _id: 1 }));
    const changer = engine.begin();
    changer.renameCollection(collection, 'test.b');
    const view = engine.snapshot();
    assert.notEqual(view.collection('test.a'), undefined);
    changer.commit();
    assert.notEqual(view.collection('test.a'), undefined);
    assert.equal(view.collection('test.b'), undefined);
    view.close();
    assert.throws(() => writer.commit(), WriteConflictError);
    const after = engine.snapshot();
    assert.equal(after.collection('test.a'), undefined);
    assert.equal(after.collection('test.b')?.uuid, collection.uuid);
    after.close();
    await engine.close();
  });

  it('that is larger than a quarter of the memory for writes is refused', async () => {
    const engine = await openMemoryEngine({ deltaBytes: 1024 * 1024 });
    const collection = createCollection(engine, 'test.a');
    const transaction = engine.begin();
    const large = (id: number): Buffer => documentOf({ _id: id, pad: 'x'.repeat(100_000) });
    transaction.insert(collection, large(1));
    transaction.insert(collection, large(2));
    assert.throws(() => transaction.insert(collection, large(3)), {
      code: 388,
    });
    transaction.abort();
    await engine.close();
  });

  it('waits for the largest one when all together hold half of the memory for writes', async () => {
    const engine = await openMemoryEngine({ deltaBytes: 16 * 1024 * 1024 });
    const collection = createCollection(engine, 'test.a');
    const document = (id: number): Buffer => documentOf({ _id: id, pad: 'x'.repeat(500_000) });
    const open = [0, 1, 2].map(() => engine.begin());
    for (let id = 0; id < 15; id += 1) open[id % 3].insert(collection, document(id));
    const largest = open[0];
    largest.insert(collection, document(100));
    let conflict: unknown;
    try {
      open[1].insert(collection, document(101));
    } catch (error) {
      conflict = error;
    }
    assert.ok(conflict instanceof WriteConflictError);
    // Small ones are served all the same.
    const small = engine.begin();
    small.insert(collection, documentOf({ _id: 'small' }));
    small.commit();
    open[1].abort();
    const { memory } = engine.statistics();
    assert.ok(typeof memory === 'object' && Number(memory['openTransactionBytes']) > 5_000_000);
    let hasEnded = false;
    const ended = conflict.blocker?.then(() => {
      hasEnded = true;
    });
    largest.commit();
    await ended;
    assert.ok(hasEnded);
    open[2].insert(collection, document(102));
    open[2].commit();
    const after = engine.statistics()['memory'];
    assert.ok(typeof after === 'object' && after['openTransactionBytes'] === 0);
    await engine.close();
  });

  it('makes an index multikey with the first array, for snapshots from then on', async () => {
    const engine = await openMemoryEngine();
    const collection = createCollection(engine, 'test.a', A_INDEX);
    const before = engine.snapshot();
    const array = new ArrayBuilder().push(int32Value(1)).push(int32Value(2)).finish();
    const { recordId } = insert(engine, collection, documentOf({ _id: 1, a: arrayValue(array) }));
    assert.equal(before.collection('test.a')?.indexes[1].multikey, false);
    before.close();
    assert.equal(describeCollection(engine, 'test.a').indexes[1].multikey, true);
    await engine.checkpoint();
    const view = engine.snapshot();
    const document = await view.record(collection, recordId);
    view.close();
    assert.ok(document !== undefined);
    assert.equal(describeCollection(engine, 'test.a').indexes[1].multikey, true);
    await engine.close();
  });
});

function inspectField(field: unknown): string {
  assert.ok(Buffer.isBuffer(field));
  return inspect(field);
}
