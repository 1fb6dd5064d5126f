import assert from 'node:assert/strict';
import { ManualClock, sleep, systemClock } from '../../common/clock.ts';

describe('the manual clock', () => {
  it('fires timers in order of their due time, then of their creation', () => {
    const clock = new ManualClock(1000);
    const fired: string[] = [];
    clock.after(20, () => fired.push(`late at ${clock.wallMs()}`));
    clock.after(10, () => fired.push(`first at ${clock.wallMs()}`));
    clock.after(10, () => fired.push(`second at ${clock.wallMs()}`));
    clock.advance(15);
    assert.deepEqual(fired, ['first at 1010', 'second at 1010']);
    clock.advance(5);
    assert.deepEqual(fired, ['first at 1010', 'second at 1010', 'late at 1020']);
  });

  it('does not fire a timer that was cancelled', () => {
    const clock = new ManualClock();
    const timer = clock.after(1, () => assert.fail('fired'));
    timer.cancel();
    timer.cancel();
    clock.advance(10);
  });

  it('fires a timer that a timer set, when it falls due on the way', () => {
    const clock = new ManualClock(0);
    const fired: number[] = [];
    clock.after(5, () => clock.after(5, () => fired.push(clock.wallMs())));
    clock.advance(100);
    assert.deepEqual(fired, [10]);
    assert.equal(clock.wallMs(), 100);
  });
});

describe('the system clock', () => {
  it('waits at least as long as it was told', async () => {
    const beforeMs = systemClock.monotonicMs();
    const keepAlive = setInterval(() => {}, 1000);
    await sleep(systemClock, 20);
    clearInterval(keepAlive);
    assert.ok(systemClock.monotonicMs() - beforeMs >= 19);
  });
});
