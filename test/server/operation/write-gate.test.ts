import assert from 'node:assert/strict';
import { WriteGate } from '../../../server/operation/write-gate.ts';

describe('server/operation: the write gate', () => {
  it('counts a lock once no write is inside, and lets nobody else give it up before', async () => {
    const gate = new WriteGate();
    gate.enter();
    const lock = gate.want();
    assert.equal(gate.isClosed, true);
    assert.equal(gate.lockCount, 0);
    assert.throws(() => gate.enter(), /write-gate 1/);
    gate.leave();
    await lock.drained.over;
    assert.equal(lock.take(), 1);
    assert.equal(gate.unlock(), 0);
    assert.equal(gate.isClosed, false);
  });

  it('opens when the last of several locks is given up or given back', async () => {
    const gate = new WriteGate();
    const [first, second] = [gate.want(), gate.want()];
    assert.equal(first.take(), 1);
    const { over } = gate.whenOpen();
    second.giveUp();
    assert.equal(gate.isClosed, true);
    assert.equal(gate.unlock(), 0);
    await over;
    gate.enter();
  });

  it('forgets who waits no longer', async () => {
    const gate = new WriteGate();
    gate.want().take();
    let isWoken = false;
    const { over, cancel } = gate.whenOpen();
    void over.then(() => (isWoken = true));
    cancel();
    gate.unlock();
    await gate.whenOpen().over;
    assert.equal(isWoken, false);
  });
});
