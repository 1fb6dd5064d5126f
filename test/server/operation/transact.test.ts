import assert from 'node:assert/strict';
import { setTimeout as wait } from 'node:timers/promises';
import { documentOf, EMPTY_DOCUMENT, getField, int32Value } from '../../../bson/index.ts';
import { killed } from '../../../server/operation/interruptions.ts';
import { OperationContext } from '../../../server/operation/operation-context.ts';
import {
  openEngine,
  type RecordId,
  type StorageEngine,
  type Transaction,
} from '../../../storage/index.ts';
import { startTestServer, type TestServer } from '../test-server.ts';

const NAMESPACE = 'db.c';

describe('server/operation: transact', () => {
  let engine: StorageEngine;
  let test: TestServer;
  let recordId: RecordId;

  before(async () => {
    engine = await openEngine({});
    test = await startTestServer({ engine });
    const transaction = engine.begin();
    const collection = transaction.createCollection(NAMESPACE);
    recordId = transaction.insert(collection, documentOf({ _id: 1, n: 0 }));
    transaction.commit();
    transaction.close();
  });
  after(async () => {
    await test.stop();
    await engine.close();
  });

  const start = (): OperationContext =>
    new OperationContext(test.server.service, {
      commandName: 'test',
      database: 'db',
      commandBody: EMPTY_DOCUMENT,
      connection: undefined,
      session: undefined,
    });

  /** Adds 1 to n. */
  const increment = async (transaction: Transaction): Promise<number> => {
    const collection = transaction.collection(NAMESPACE);
    assert.ok(collection);
    const before = await transaction.record(collection, recordId);
    assert.ok(before);
    const n = (getField(before, 'n') ?? int32Value(0)).asNumber() + 1;
    transaction.update(collection, recordId, before, documentOf({ _id: 1, n }));
    return n;
  };

  it('commits, notes the commit number, and makes no promise when nothing waits', () => {
    const op = start();
    const result = op.transact((transaction) => transaction.collection(NAMESPACE)?.namespace);
    assert.equal(result, NAMESPACE);
    assert.ok(op.lastCommit !== undefined);
    op.finish();
  });

  it('waits for the other writer of a document, then does it again on what that one left', async () => {
    const other = engine.begin();
    const first = await increment(other);
    const conflictsBefore = test.server.service.metrics.writeConflicts.count;
    const op = start();
    let attempts = 0;
    const waiting = Promise.resolve(
      op.transact((transaction) => {
        attempts += 1;
        return increment(transaction);
      }),
    );
    await wait(20);
    assert.equal(attempts, 1);
    other.commit();
    other.close();
    assert.equal(await waiting, first + 1);
    assert.equal(attempts, 2);
    assert.equal(test.server.service.metrics.writeConflicts.count, conflictsBefore + 1);
    op.finish();
  });

  it('gives up waiting when the operation is interrupted, and keeps nothing', async () => {
    const other = engine.begin();
    const first = await increment(other);
    const op = start();
    const waiting = Promise.resolve(op.transact(increment));
    await wait(20);
    op.interrupt(killed());
    await assert.rejects(waiting, { code: 11_601 });
    op.finish();
    other.commit();
    other.close();
    const later = start();
    assert.equal(await later.transact(increment), first + 1);
    later.finish();
  });

  it('keeps nothing when its body throws, at once or later', async () => {
    const op = start();
    assert.throws(
      () =>
        op.transact((transaction) => {
          transaction.createCollection('db.never');
          throw new Error('no');
        }),
      /no/,
    );
    await assert.rejects(
      Promise.resolve(
        op.transact(async (transaction) => {
          transaction.createCollection('db.never');
          await wait(1);
          throw new Error('later');
        }),
      ),
      /later/,
    );
    assert.equal(op.renewView().collection('db.never'), undefined);
    op.finish();
  });

  it('loses no increment of forty operations at once', async () => {
    const read = start();
    const before = await read.transact(increment);
    read.finish();
    await Promise.all(
      Array.from({ length: 40 }, async () => {
        const op = start();
        await op.transact(increment);
        op.finish();
      }),
    );
    const last = start();
    assert.equal(await last.transact(increment), before + 41);
    last.finish();
  });
});
