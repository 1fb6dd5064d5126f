import assert from 'node:assert/strict';
import fc from 'fast-check';
import { ManualClock } from '../../common/clock.ts';
import { TimerWheel } from '../../common/timer-wheel.ts';

describe('common: timer wheel', () => {
  const create = () => {
    const clock = new ManualClock();
    const errors: unknown[] = [];
    const wheel = new TimerWheel(clock, (error) => errors.push(error));
    return { clock, wheel, errors };
  };

  it('fires after the delay, at most a tick late', () => {
    const { clock, wheel } = create();
    let firedAt = 0;
    const start = clock.monotonicMs();
    wheel.after(95, () => (firedAt = clock.monotonicMs()));
    clock.advance(1000);
    assert.ok(firedAt - start >= 95, `${firedAt - start}`);
    assert.ok(firedAt - start <= 105, `${firedAt - start}`);
  });

  it('fires deadlines that are many rounds away', () => {
    const { clock, wheel } = create();
    let fired = 0;
    wheel.after(3_600_000, () => (fired += 1));
    clock.advance(3_599_000);
    assert.equal(fired, 0);
    clock.advance(2_000);
    assert.equal(fired, 1);
  });

  it('never fires a cancelled deadline', () => {
    const { clock, wheel } = create();
    const deadline = wheel.after(50, () => assert.fail('fired'));
    deadline.cancel();
    deadline.cancel();
    clock.advance(1000);
    assert.equal(wheel.size, 0);
  });

  it('fires a moved deadline once, at its new time', () => {
    const { clock, wheel } = create();
    let fired = 0;
    const deadline = wheel.after(50, () => (fired += 1));
    clock.advance(40);
    deadline.set(100);
    clock.advance(80);
    assert.equal(fired, 0);
    clock.advance(40);
    assert.equal(fired, 1);
    assert.equal(deadline.isSet, false);
  });

  it('can be set again from its own call', () => {
    const { clock, wheel } = create();
    let fired = 0;
    const deadline = wheel.create(() => {
      fired += 1;
      if (fired < 3) deadline.set(10);
    });
    deadline.set(10);
    clock.advance(500);
    assert.equal(fired, 3);
  });

  it('does not fire what an earlier deadline of the same tick has cancelled', () => {
    const { clock, wheel } = create();
    const deadlines = [0, 1].map((index) => wheel.create(() => deadlines[1 - index]?.cancel()));
    for (const deadline of deadlines) deadline.set(20);
    clock.advance(100);
    assert.equal(wheel.size, 0);
  });

  it('hands an exception to its owner and goes on', () => {
    const { clock, wheel, errors } = create();
    let fired = 0;
    wheel.after(20, () => {
      throw new Error('first');
    });
    wheel.after(30, () => (fired += 1));
    clock.advance(100);
    assert.equal(errors.length, 1);
    assert.equal(fired, 1);
  });

  it('fires whatever came due while the event loop was held', () => {
    const { clock, wheel } = create();
    let fired = 0;
    for (const delay of [10, 5_000, 20_000]) wheel.after(delay, () => (fired += 1));
    clock.advance(60_000);
    assert.equal(fired, 3);
  });

  it('fires every deadline exactly once and never early, whatever the order of calls', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ delay: fc.integer({ min: 0, max: 30_000 }), step: fc.nat(2_000) }), {
          maxLength: 40,
        }),
        (calls) => {
          const { clock, wheel } = create();
          const fired: number[] = [];
          for (const { delay, step } of calls) {
            const due = clock.monotonicMs() + delay;
            wheel.after(delay, () => {
              assert.ok(clock.monotonicMs() >= due);
              assert.ok(clock.monotonicMs() <= due + 20);
              fired.push(due);
            });
            clock.advance(step);
          }
          clock.advance(40_000);
          assert.equal(fired.length, calls.length);
          assert.equal(wheel.size, 0);
        },
      ),
      { numRuns: 50 },
    );
  });
});
