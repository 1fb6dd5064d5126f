/**
 * The barrier of a cluster's backup, on one server.
 */
import assert from 'node:assert/strict';
import type { Document } from 'mongodb';
import { ManualClock, systemClock } from '../../../common/clock.ts';
import { SeededRandom } from '../../../common/random.ts';
import { TimerWheel } from '../../../common/timer-wheel.ts';
import { BackupBarrier } from '../../../server/backup/backup-barrier.ts';
import { serverForTests } from '../../support/test-server.ts';

describe('the barrier of a backup', () => {
  const server = serverForTests();
  const raise = (command: Document = {}): Promise<Document> =>
    server.client.db('admin').command({ backupBarrier: 1, ...command });
  const release = (barrier: unknown): Promise<Document> =>
    server.client.db('admin').command({ backupBarrierEnd: barrier });

  it('holds back what was done after its commit, and lets it go when it ends', async () => {
    const things = server.freshDatabase().collection<{ _id: number }>('things');
    await things.insertOne({ _id: 1 });
    const before = await raise({ limitMillis: 10_000 });
    let isAnswered = false;
    const writing = things.insertOne({ _id: 2 }).then(() => (isAnswered = true));
    const reading = things.countDocuments().then(() => (isAnswered = true));
    const failing = server.client
      .db('admin')
      .command({ aggregate: 'things', pipeline: 5, cursor: {} })
      .catch(() => (isAnswered = true));
    await pause(100);
    assert.equal(isAnswered, false);
    // It has been done, nevertheless: it is only not told of.
    const after = await raise();
    assert.ok(after['commitNumber'] > before['commitNumber']);
    await release(after['barrier']);
    const { heldMillis } = await release(before['barrier']);
    assert.ok(heldMillis >= 100);
    await Promise.all([writing, reading, failing]);
    assert.equal(await things.countDocuments(), 2);
  });

  it('lets greetings and the backup itself pass', async () => {
    const admin = server.client.db('admin');
    const { barrier } = await raise({ limitMillis: 10_000 });
    await admin.command({ ping: 1 });
    await admin.command({ hello: 1 });
    const { backup } = await admin.command({ backupOpen: 1 });
    await admin.command({ backupClose: backup });
    await release(barrier);
  });

  it('ends by its time limit, and says so to who comes late', async () => {
    const { barrier } = await raise({ limitMillis: 40 });
    const startMs = systemClock.monotonicMs();
    await server.client.db('admin').command({ buildInfo: 1 });
    assert.ok(systemClock.monotonicMs() - startMs < 5_000);
    await assert.rejects(release(barrier), /has ended by its time limit/);
  });

  it('refuses a limit that is too long', async () => {
    await assert.rejects(raise({ limitMillis: 60_000 }), /at most 10000/);
    await assert.rejects(raise({ limitMillis: 0 }), /BadValue|limitMillis/);
  });

  it('passes only when all of several have ended', async () => {
    const clock = new ManualClock();
    const timers = new TimerWheel(clock, assert.ifError);
    const barrier = new BackupBarrier({ clock, timers, random: new SeededRandom(1) });
    const first = barrier.raise(1000);
    barrier.raise(500);
    let isPassed = false;
    const passing = barrier.passed().then(() => (isPassed = true));
    barrier.release(first);
    await pause(1);
    assert.deepEqual([barrier.isUp, isPassed], [true, false]);
    clock.advance(600);
    await passing;
    assert.equal(barrier.isUp, false);
    timers.close();
  });
});

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
