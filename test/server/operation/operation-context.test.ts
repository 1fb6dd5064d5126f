import assert from 'node:assert/strict';
import { CommandError } from '../../../common/errors.ts';
import { EMPTY_DOCUMENT } from '../../../bson/index.ts';
import { killed, maxTimeExpired } from '../../../server/operation/interruptions.ts';
import { OperationContext } from '../../../server/operation/operation-context.ts';
import { setTimeout as wait } from 'node:timers/promises';
import { startTestServer, type TestServer } from '../test-server.ts';

describe('server/operation: operation context', () => {
  let test: TestServer;

  before(async () => {
    test = await startTestServer();
  });
  after(() => test.stop());

  const start = (): OperationContext =>
    new OperationContext(test.server.service, {
      commandName: 'test',
      database: 'db',
      commandBody: EMPTY_DOCUMENT,
      connection: undefined,
      session: undefined,
    });

  it('keeps the first of two reasons', () => {
    const op = start();
    op.interrupt(killed());
    op.interrupt(maxTimeExpired());
    assert.equal(op.reason?.code, 11_601);
    assert.throws(() => op.throwIfInterrupted(), CommandError);
    op.finish();
  });

  it('calls each listener once, and none that was taken back', () => {
    const op = start();
    const heard: string[] = [];
    op.onInterrupt(() => heard.push('first'));
    op.onInterrupt(() => heard.push('second'))();
    op.interrupt(killed());
    op.interrupt(killed());
    assert.deepEqual(heard, ['first']);
    op.onInterrupt(() => heard.push('late'));
    assert.deepEqual(heard, ['first', 'late']);
    op.finish();
  });

  it('goes on telling the others when a listener throws', () => {
    const op = start();
    let heard = false;
    op.onInterrupt(() => {
      throw new Error('a bug');
    });
    op.onInterrupt(() => (heard = true));
    op.interrupt(killed());
    assert.equal(heard, true);
    op.finish();
  });

  it('releases in reverse order, everything, also when a step throws', () => {
    const op = start();
    const released: number[] = [];
    op.onRelease(() => released.push(1));
    op.onRelease(() => {
      throw new Error('a bug');
    });
    op.onRelease(() => released.push(3));
    op.finish();
    op.finish();
    assert.deepEqual(released, [3, 1]);
    assert.equal(test.server.service.operations.count, 0);
  });

  it('pins one snapshot, renews it on demand and closes it at the end', () => {
    const op = start();
    const view = op.view();
    assert.equal(op.view(), view);
    assert.notEqual(op.renewView(), view);
    assert.equal(test.engine.openViews, 1);
    op.finish();
    assert.equal(test.engine.openViews, 0);
    assert.throws(() => op.view(), CommandError);
  });

  it('ends at its time limit with code 50; a later and longer limit changes nothing', async () => {
    const op = start();
    op.limitTime(30);
    op.limitTime(5_000);
    op.limitTime(0);
    await wait(80);
    assert.equal(op.reason?.code, 50);
    op.finish();
  });

  it('leaves no deadline behind when it is done', () => {
    const before = test.server.service.timers.size;
    const op = start();
    op.limitTime(10_000);
    assert.equal(test.server.service.timers.size, before + 1);
    op.finish();
    assert.equal(test.server.service.timers.size, before);
  });

  it('ends a wait with the reason of the interruption', async () => {
    const op = start();
    const waiting = op.waitFor(new Promise(() => {}));
    const sleeping = op.sleep(10_000);
    op.interrupt(killed());
    await assert.rejects(waiting, { code: 11_601 });
    await assert.rejects(sleeping, { code: 11_601 });
    op.finish();
  });

  it('throws at the yield after an interruption, and counts its yields', async () => {
    const op = start();
    await op.yield();
    const yielding = op.yield();
    op.interrupt(killed());
    await assert.rejects(yielding, { code: 11_601 });
    assert.equal(op.yieldCount, 2);
    op.finish();
  });
});
